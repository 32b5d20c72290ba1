use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use hive_sandbox::{AccessError, Beneath, Kind};

use crate::fixture::{Place, run};

/// Row 17.
#[tokio::test]
async fn a_link_out_of_the_workspace_is_refused() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let output = run(
            &sandbox,
            &place.shell(
                "ln -sfn / x; ln -sfn /etc/hostname h; ln -sfn ../.. up; ln -sfn inside in; echo i > inside",
            ),
        )
        .await;
        assert!(output.success());
    }
    let beneath = Beneath::open(&place.workspace).unwrap();
    for path in [
        "x/etc/hostname",
        "h",
        "up/x",
        "/etc/hostname",
        "../outside",
        "a/../../b",
        "x/proc/self/root/etc/hostname",
    ] {
        let path = Path::new(path);
        for refused in [
            beneath.read(path, 1 << 20).unwrap_err(),
            beneath.metadata(path).unwrap_err(),
            beneath.list(path, 1, 10).unwrap_err(),
        ] {
            assert!(matches!(&refused, AccessError::OutsideWorkspace(named) if named == path), "{refused:?}");
        }
    }
    assert_eq!(beneath.read(Path::new("in"), 10).unwrap(), b"i\n");
    for path in ["x/etc/written", "/written", "../written", "up/written"] {
        assert!(matches!(
            beneath.write(Path::new(path), b"w").unwrap_err(),
            AccessError::OutsideWorkspace(_)
        ));
    }
    assert!(matches!(beneath.write(Path::new("h"), b"w").unwrap_err(), AccessError::IsLink(_)));
}

/// Row 18: a directory and a link out of the root change places all the time.
#[test]
fn a_swapped_directory_never_leads_out() {
    let place = Place::new();
    let (root, out) = (&place.workspace, place.path().join("out"));
    fs::create_dir(&out).unwrap();
    fs::create_dir(root.join("d")).unwrap();
    symlink(&out, root.join("l")).unwrap();
    let beneath = Beneath::open(root).unwrap();
    let done = AtomicBool::new(false);
    let [d, l] = ["d", "l"].map(|name| CString::new(root.join(name).to_str().unwrap()).unwrap());
    let swap = || {
        // SAFETY: both paths are NUL-terminated for the time of the call.
        unsafe {
            libc::renameat2(libc::AT_FDCWD, d.as_ptr(), libc::AT_FDCWD, l.as_ptr(), libc::RENAME_EXCHANGE)
        }
    };
    let written = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert_eq!(swap(), 0);
            }
        });
        let written = |n: usize| beneath.write(Path::new(&format!("d/f{n}")), b"x").is_ok();
        let start = std::time::Instant::now();
        // A thousand, and on until one has got through: on a busy machine the other thread may have stood still with the
        // link in place.
        let mut count = (0..1_000).filter(|n| written(*n)).count();
        while count == 0 && start.elapsed().as_secs() < 20 {
            count += usize::from(written(1_000));
        }
        done.store(true, Ordering::Relaxed);
        count
    });
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
    assert!(written > 0, "not one write got through");
}

#[test]
fn files_are_written_whole_and_keep_their_mode() {
    let place = Place::new();
    let beneath = Beneath::open(&place.workspace).unwrap();
    beneath.write(Path::new("a/b/../c").parent().unwrap(), b"x").unwrap_err();
    beneath.write(Path::new("a/b/c.sh"), b"one").unwrap();
    let file = place.workspace.join("a/b/c.sh");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o644);
    fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    beneath.write(Path::new("./a//b/c.sh"), b"two").unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"two");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(fs::read_dir(place.workspace.join("a/b")).unwrap().count(), 1, "no temporary file is left");
    for path in [".git/hooks/pre-commit", "sub/.git/config", ".GIT/config", ".git"] {
        assert!(matches!(beneath.write(Path::new(path), b"x").unwrap_err(), AccessError::Protected(_)));
    }
}

#[test]
fn what_is_no_file_is_told_apart() {
    let place = Place::new();
    fs::create_dir(place.workspace.join("dir")).unwrap();
    fs::write(place.workspace.join("big"), [0; 100]).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(place.workspace.join("pipe")).status().unwrap();
    assert!(pipe.success());
    let beneath = Beneath::open(&place.workspace).unwrap();
    let read = |path: &str| beneath.read(Path::new(path), 99).unwrap_err();
    assert!(matches!(read("dir"), AccessError::IsDirectory(_)));
    assert!(matches!(read(""), AccessError::IsDirectory(_)));
    assert!(matches!(read("none"), AccessError::NotFound(_)));
    assert!(matches!(read("big/under"), AccessError::NotADirectory(_)));
    assert!(matches!(read("pipe"), AccessError::NotAFile(_)));
    assert!(matches!(read("big"), AccessError::TooLarge { size: 100, max: 99, .. }));
    assert!(matches!(beneath.write(Path::new("dir"), b"x").unwrap_err(), AccessError::IsDirectory(_)));
    assert!(matches!(beneath.write(Path::new("pipe"), b"x").unwrap_err(), AccessError::NotAFile(_)));
    assert_eq!(beneath.metadata(Path::new("big")).unwrap().size, 100);
}

#[test]
fn listing_goes_as_deep_and_as_far_as_asked() {
    let place = Place::new();
    fs::create_dir_all(place.workspace.join("b/deep/deeper")).unwrap();
    fs::write(place.workspace.join("a"), "x").unwrap();
    symlink("/", place.workspace.join("c")).unwrap();
    let beneath = Beneath::open(&place.workspace).unwrap();
    let names = |depth, max| {
        let listing = beneath.list(Path::new("."), depth, max).unwrap();
        let paths = listing.entries.iter().map(|entry| entry.path.to_str().unwrap().to_owned());
        (paths.collect::<Vec<_>>(), listing.truncated)
    };
    assert_eq!(names(1, 10), (vec!["a".into(), "b".into(), "c".into()], false));
    assert_eq!(names(2, 10).0, ["a", "b", "c", "b/deep"]);
    assert_eq!(names(9, 4), (vec!["a".into(), "b".into(), "c".into(), "b/deep".into()], true));
    assert_eq!(beneath.list(Path::new("b"), 1, 9).unwrap().entries[0].path, Path::new("b/deep"));
    assert_eq!(beneath.list(Path::new(""), 1, 9).unwrap().entries[2].kind, Kind::Link);
}
