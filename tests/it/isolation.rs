//! Tasks see their own files and nothing else.

use hive_tests::{TestHive, answer, branch, finish, rules, shell, write};
use serde_json::{Value, json};

/// What every tool answered, one text.
async fn results(hive: &TestHive, id: uuid::Uuid) -> Vec<Value> {
    let steps = hive.steps(id).await;
    let of_tools = steps.iter().filter(|step| step["kind"] == "tool_results");
    of_tools.flat_map(|step| step["content"]["results"].as_array().unwrap().clone()).collect()
}

#[tokio::test]
async fn two_tasks_on_one_repository_never_see_each_other_s_files() {
    const SECRET: &str = "only-for-the-first";
    let mut wait = answer("Owner", 1, json!([shell("cat mine")]));
    // Long enough for the other to look around while the file is there.
    wait["delay_ms"] = json!(4_000);
    let script = rules(json!([
        answer("Owner", 0, json!([write("mine", SECRET)])),
        wait,
        answer("Owner", 2, json!([finish("Mine.")])),
        { "name": "look", "when": { "turn": 0, "first_text": r"(?s)Peeper.*peek at (?P<tree>/\S+)" }, "tools": [
            shell("cat {{tree}}/mine; ls {{tree}}; ls -a . ..; cat ../*/tree/mine ../*/*/mine"),
            { "name": "read_file", "input": { "path": "mine" } },
            { "name": "read_file", "input": { "path": "{{tree}}/mine" } },
            { "name": "list_files", "input": { "path": "{{tree}}" } },
            shell("ls -la {{tree}}/../../ ; find / -name mine -not -path '/proc/*' 2>/dev/null | xargs -r cat"),
        ] },
        answer("Peeper", 1, json!([finish("Seen all there is.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("shared", &[("README", "Shared.\n")]);
    let owner = hive.post_task(json!({ "title": "Owner", "repository": repo.json() })).await;
    hive.wait_steps(owner, 20, 2).await;
    let tree = hive.path(&format!("data/host/workspaces/tasks/{owner}/tree"));
    assert_eq!(
        std::fs::read_to_string(tree.join("mine")).unwrap(),
        SECRET,
        "the test knows where the file is"
    );

    let body = json!({ "title": "Peeper", "repository": repo.json(),
                       "description": format!("peek at {} please", tree.display()) });
    let peeper = hive.post_task(body).await;
    hive.wait_succeeded(peeper, 30).await;
    assert_eq!(hive.task(owner).await["status"], "running", "the file was there all the time");
    let seen = results(&hive, peeper).await;
    assert_eq!(seen.len(), 6);
    for result in &seen {
        assert!(!result["content"].as_str().unwrap().contains(SECRET), "{result:#}");
    }
    assert!(seen[1..4].iter().all(|result| result["is_error"] == true), "{seen:#?}");
    hive.wait_succeeded(owner, 30).await;
    assert_eq!(repo.files(&branch(peeper)), ["README"]);
    assert_eq!(repo.files(&branch(owner)), ["README", "mine"]);
}

#[tokio::test]
async fn a_path_out_of_the_workspace_is_a_tool_error_and_touches_nothing() {
    let elsewhere = TestHive::elsewhere();
    // Whatever uid a run has, the directory's mode would let it in: only the walls keep it out.
    std::fs::set_permissions(elsewhere.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    std::fs::write(elsewhere.path().join("secret"), "outside").unwrap();
    let outside = elsewhere.path().display().to_string();
    let edit = json!({ "path": "link/secret", "old_text": "outside", "new_text": "changed" });
    let script = rules(json!([
        answer(
            "Escape",
            0,
            json!([
                write("../x", "out"),
                write(&format!("{outside}/x"), "out"),
                write("a/../../x", "out"),
                write(".git/hooks/pre-commit", "#!/bin/sh\ntouch hooked\n"),
            ])
        ),
        answer(
            "Escape",
            1,
            json!([shell(&format!(
                "ln -s {outside} link; ln -s {outside}/secret file; ln -s / root; echo through > {outside}/y; \
             mkdir -p .git/hooks sub/.git; printf '[core]\\n\\thooksPath = /tmp\\n\\tworktree = /\\n' > .git/config; \
             echo 'gitdir: /' > sub/.git/x; git init . 2>&1; ls -a"
            ))])
        ),
        answer(
            "Escape",
            2,
            json!([
                write("link/z", "out"),
                write("file", "out"),
                { "name": "read_file", "input": { "path": "file" } },
                { "name": "read_file", "input": { "path": "link/secret" } },
                { "name": "edit_file", "input": edit },
                { "name": "list_files", "input": { "path": "link" } },
                { "name": "search_text", "input": { "pattern": "outside", "path": "link" } },
                { "name": "read_file", "input": { "path": "root/etc/passwd" } },
            ])
        ),
        answer("Escape", 3, json!([write("inside", "in\n"), finish("Stayed inside.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("escape", &[("README", "Stay.\n")]);
    let base = (repo.commit("main"), std::fs::read_to_string(repo.path.join(".git/config")).unwrap());
    let id = hive.post_task(json!({ "title": "Escape", "repository": repo.json() })).await;
    hive.wait_succeeded(id, 40).await;

    let seen = results(&hive, id).await;
    let refused = seen[..4].iter().chain(&seen[5..13]);
    for (index, result) in refused.enumerate() {
        assert_eq!(result["is_error"], true, "{index}: {result:#}");
        assert!(!result["content"].as_str().unwrap().contains("root:x"), "{result:#}");
    }
    let mut left: Vec<_> =
        std::fs::read_dir(elsewhere.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["secret"], "nothing was written outside");
    assert_eq!(std::fs::read_to_string(elsewhere.path().join("secret")).unwrap(), "outside");
    let config = std::fs::read_to_string(repo.path.join(".git/config")).unwrap();
    assert_eq!(
        (repo.commit("main"), config),
        base,
        "neither main nor the repository's settings were touched"
    );
    let files = repo.files(&branch(id));
    assert!(files.contains(&"inside".to_owned()), "{files:?}");
    assert!(files.iter().all(|file| !file.split('/').any(|part| part == ".git")), "{files:?}");
    assert!(!repo.path.join("hooked").exists());
    hive.assert_whole(id).await;
}
