use hive_sandbox::Job;

use crate::fixture::{Place, run};

/// Row 16.
#[tokio::test]
async fn nothing_outside_of_the_workspace_is_written() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let open = place.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    let victim = open.join("victim");
    std::fs::write(&victim, "whole").unwrap();
    std::fs::set_permissions(&victim, PermissionsExt::from_mode(0o666)).unwrap();
    let script = format!(
        "
import os
for path in ['/x', '/usr/x', '/etc/x', '/var/tmp/x', '/dev/x', '../x', '../../x', '../open/x', '{open}/x', '{open}/victim']:
    path = path.replace('x', 'written-{own}') if path.endswith('/x') else path
    try: open(path, 'w'); path.startswith('../') or print('WROTE', path)
    except OSError: pass
for change in [lambda: os.truncate('{open}/victim', 0), lambda: os.unlink('{open}/victim'), lambda: os.mkdir('{open}/d'),
               lambda: os.link('{open}/victim', 'linked'), lambda: os.rename('{open}/victim', 'moved'), lambda: os.symlink('/', '{open}/l')]:
    try: change(); print('CHANGED')
    except OSError: pass
open('inside', 'w').write('x'); open(os.environ['TMPDIR'] + '/t', 'w'); open(os.environ['HOME'] + '/h', 'w')
",
        open = open.display(),
        own = std::process::id()
    );
    for sandbox in place.sandboxes().await {
        let output = run(&sandbox, &place.python(&script)).await;
        assert_eq!(output.stdout.text(), "");
        assert!(output.success());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "whole");
        // In bubblewrap the parents of the workspace are the run's own, in memory; here they are not touched.
        let written = format!("written-{}", std::process::id());
        for parent in place.workspace.ancestors().skip(1) {
            assert!(!parent.join(&written).exists(), "{}", parent.display());
        }
        assert_eq!(std::fs::read_dir(&open).unwrap().count(), 1);
        assert!(place.workspace.join("inside").exists());
        assert_eq!(place.leftovers(), 0, "temporary files and home are removed");
    }
}

#[tokio::test]
async fn a_run_starts_where_it_is_told_and_nowhere_outside() {
    let place = Place::new();
    std::fs::create_dir_all(place.workspace.join("a/b")).unwrap();
    std::os::unix::fs::symlink("/usr", place.workspace.join("out")).unwrap();
    for sandbox in place.sandboxes().await {
        let inside = Job { cwd: "a/b".into(), ..place.shell("pwd; echo x > y") };
        let output = run(&sandbox, &inside).await;
        assert_eq!(output.stdout.text().trim(), place.workspace.join("a/b").to_str().unwrap());
        for cwd in ["..", "/usr", "out", "a/../../..", "missing"] {
            let job = Job { cwd: cwd.into(), ..place.shell("pwd") };
            let refused = sandbox.run(&job, &tokio_util::sync::CancellationToken::new()).await.unwrap_err();
            assert!(refused.to_string().contains(cwd), "{refused}");
        }
    }
}

#[tokio::test]
async fn configured_paths_are_readable() {
    let place = Place::new();
    let tool = place.path().join("toolchain");
    std::fs::create_dir(&tool).unwrap();
    std::fs::write(tool.join("version"), "7\n").unwrap();
    let line = format!("cat {0}/version; touch {0}/x", tool.display());
    for sandbox in place.sandboxes().await {
        assert_eq!(run(&sandbox, &place.shell(&line)).await.stdout.text(), "");
        let granted = Job { read_only: vec![tool.clone()], ..place.shell(&line) };
        let output = run(&sandbox, &granted).await;
        assert_eq!(output.stdout.text(), "7\n");
        assert!(!tool.join("x").exists());
    }
}
