//! What is damaged, foreign or in the way is refused, by name, before anything is written.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hive_tests::{TestHive, answer, finish, rules, write};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{make, restore, tables};

/// A hive with one task done in one repository, and a checkpoint of it.
pub(super) async fn small() -> (TestHive, PathBuf) {
    let script = rules(json!([
        answer("Write", 0, json!([write("written", "by a task\n")])),
        answer("Write", 1, json!([finish("Written.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("shop", &[("README", "A shop\n")]);
    let id =
        hive.post_task(json!({ "title": "Write", "agent_type": "backend", "repository": repo.json() })).await;
    hive.wait_succeeded(id, 120).await;
    let (_, directory) = make(&hive).await;
    (hive, directory)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let place = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &place);
        } else {
            fs::copy(&path, place).unwrap();
        }
    }
}

fn flip(path: &Path, at: f64) {
    let mut bytes = fs::read(path).unwrap();
    let place = (bytes.len() as f64 * at) as usize;
    bytes[place] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Changes the manifest and makes its digest fit.
fn forge(directory: &Path, change: impl FnOnce(&mut Value)) {
    let path = directory.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    let text = manifest.to_string();
    let digest: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(path, text).unwrap();
    fs::write(directory.join("manifest.json.sha256"), format!("{digest}  manifest.json\n")).unwrap();
}

type Damage = fn(&Path);

const DAMAGES: [(&str, Damage, &str); 15] = [
    ("a byte of a table", |dir| flip(&dir.join("tables/tasks.copy"), 0.5), "tables/tasks.copy"),
    ("a byte of a bundle", |dir| flip(&dir.join("repositories/1.bundle"), 0.9), "repositories/1.bundle"),
    ("a byte of the manifest", |dir| flip(&dir.join("manifest.json"), 0.5), "manifest.json"),
    ("a byte of the digest", |dir| flip(&dir.join("manifest.json.sha256"), 0.1), "manifest.json"),
    (
        "a table that was cut",
        |dir| {
            let path = dir.join("tables/steps.copy");
            let length = fs::metadata(&path).unwrap().len();
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length - 1).unwrap();
        },
        "tables/steps.copy has",
    ),
    (
        "an empty bundle",
        |dir| fs::write(dir.join("repositories/1.bundle"), "").unwrap(),
        "repositories/1.bundle",
    ),
    ("a file more", |dir| fs::write(dir.join("tables/more.copy"), "").unwrap(), "tables/more.copy is not in"),
    ("a hidden file more", |dir| fs::write(dir.join(".more"), "").unwrap(), ".more is not in"),
    (
        "a table less",
        |dir| fs::remove_file(dir.join("tables/agents.copy")).unwrap(),
        "tables/agents.copy is missing",
    ),
    (
        "no bundle",
        |dir| fs::remove_file(dir.join("repositories/1.bundle")).unwrap(),
        "repositories/1.bundle is missing",
    ),
    ("no manifest", |dir| fs::remove_file(dir.join("manifest.json")).unwrap(), "manifest.json is missing"),
    (
        "no digest",
        |dir| fs::remove_file(dir.join("manifest.json.sha256")).unwrap(),
        "manifest.json.sha256 is missing",
    ),
    (
        "a link in the place of a file",
        |dir| {
            let path = dir.join("tables/agents.copy");
            fs::rename(&path, dir.with_extension("aside")).unwrap();
            std::os::unix::fs::symlink(dir.with_extension("aside"), path).unwrap();
        },
        "tables/agents.copy is no file",
    ),
    (
        "a later format",
        |dir| forge(dir, |manifest| manifest["format"] = json!(2)),
        "format 2, this version reads 1",
    ),
    (
        "a later schema",
        |dir| {
            forge(dir, |manifest| {
                manifest["database"]["schema"] = json!(9999);
                manifest["database"]["migrations"].as_array_mut().unwrap().push(json!(9999));
            });
        },
        "is 9999, this version knows",
    ),
];

#[tokio::test]
async fn every_damage_is_refused_by_name_and_nothing_is_written() {
    let (mut hive, whole) = small().await;
    hive.lose_everything().await;
    for (n, (damage, spoil, named)) in DAMAGES.iter().enumerate() {
        let directory = hive.path(&format!("damaged-{n}"));
        copy(&whole, &directory);
        spoil(&directory);
        let arguments = restore(&hive, &directory);
        let complaint = hive.complains(1, &arguments.each_ref().map(String::as_str)).await;
        assert!(complaint.contains(named), "{damage}: {complaint}");
        assert_eq!(tables(&hive).await, 0, "{damage}");
        assert_eq!(fs::read_dir(hive.path("repos")).unwrap().count(), 0, "{damage}");
    }

    // Replaced as a whole: only who knows the digest can tell.
    let forged = hive.path("forged");
    copy(&whole, &forged);
    forge(&forged, |manifest| manifest["made_by"] = json!("somebody"));
    hive.says(&["checkpoint", "verify", forged.to_str().unwrap()]).await;
    let digest = hive.says_json(&["checkpoint", "verify", whole.to_str().unwrap()]).await;
    let digest = digest["manifest_sha256"].as_str().unwrap().to_owned();
    let arguments = restore(&hive, &forged);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(["--digest", &digest]).collect();
    let complaint = hive.complains(1, &arguments).await;
    assert!(complaint.contains(&digest) && complaint.contains("manifest.json"), "{complaint}");

    // A row that refers to nothing: everything is loaded, and all of it goes again.
    let orphaned = hive.path("orphaned");
    copy(&whole, &orphaned);
    fs::write(orphaned.join("tables/agent_versions.copy"), "").unwrap();
    forge(&orphaned, |manifest| {
        let tables = manifest["tables"].as_array_mut().unwrap();
        let table = tables.iter_mut().find(|table| table["name"] == "agent_versions").unwrap();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        table["rows"] = json!(0);
        table["file"] = json!({ "path": "tables/agent_versions.copy", "bytes": 0, "sha256": empty });
    });
    let arguments = restore(&hive, &orphaned);
    let complaint = hive.complains(1, &arguments.each_ref().map(String::as_str)).await;
    assert!(
        complaint.contains("agents_version_exists") || complaint.contains("agent_version"),
        "{complaint}"
    );
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM agents").fetch_one(&hive.pool).await.unwrap();
    assert_eq!(rows, 0);
    assert_eq!(fs::read_dir(hive.path("repos")).unwrap().count(), 0);

    // And nothing of all that keeps the whole one out.
    let arguments = restore(&hive, &whole);
    hive.says(&arguments.each_ref().map(String::as_str)).await;
    // Twice is once too often.
    let complaint = hive.complains(1, &arguments.each_ref().map(String::as_str)).await;
    assert!(complaint.contains("the database is not empty: table"), "{complaint}");
}

#[tokio::test]
async fn what_is_in_the_way_is_named_and_stays() {
    let (mut hive, whole) = small().await;
    let lost = hive.lose_everything().await;
    let arguments = restore(&hive, &whole);
    let arguments = arguments.each_ref().map(String::as_str);

    // Another repository at the place of ours.
    let other = hive.repo("shop", &[("OTHER", "Somebody's\n")]);
    let complaint = hive.complains(1, &arguments).await;
    assert!(complaint.contains("/repos/shop already"), "{complaint}");
    assert_eq!(other.file("HEAD", "OTHER"), "Somebody's\n");
    assert_eq!(tables(&hive).await, 0);
    fs::remove_dir_all(hive.path("repos/shop")).unwrap();
    fs::create_dir(hive.path("repos/shop")).unwrap();
    fs::write(hive.path("repos/shop/notes"), "a file").unwrap();
    let complaint = hive.complains(1, &arguments).await;
    assert!(complaint.contains("/repos/shop"), "{complaint}");
    fs::remove_dir_all(hive.path("repos/shop")).unwrap();

    // A place that no root allows.
    let complaint = hive.complains(1, &arguments[..3]).await;
    assert!(complaint.contains("HIVE_REPO_ROOTS"), "{complaint}");

    // A table of somebody else.
    sqlx::raw_sql("CREATE TABLE theirs (id int)").execute(&hive.pool).await.unwrap();
    let complaint = hive.complains(1, &arguments).await;
    assert!(complaint.contains("table theirs is none of ours"), "{complaint}");
    sqlx::raw_sql("DROP TABLE theirs").execute(&hive.pool).await.unwrap();

    // Migrated and seeded is as good as empty; one row more is not.
    hive.says(&["migrate"]).await;
    sqlx::query(
        "INSERT INTO sessions (id, project_id, name, created_by) SELECT id, id, 'mine', 'me' FROM projects",
    )
    .execute(&hive.pool)
    .await
    .unwrap();
    let complaint = hive.complains(1, &arguments).await;
    assert!(complaint.contains("table sessions has 1 rows"), "{complaint}");
    sqlx::query("DELETE FROM sessions").execute(&hive.pool).await.unwrap();
    // The same repository is there: it counts as restored, and stays as it is.
    fs::rename(lost.join("shop"), hive.path("repos/shop")).unwrap();
    let restored = hive.says_json(&arguments).await;
    assert_eq!(restored["present"].as_array().unwrap().len(), 1, "{restored:#}");
    assert_eq!(restored["repositories"], json!([]));
}
