//! What a checkpoint may look like after something happened to whoever made it.

use std::path::Path;

use anyhow::{bail, ensure};
use sqlx::PgPool;

use super::points::{Case, Deed};

/// What was only delayed is whole; what was cut looks like nothing, unless that came after its end.
pub(super) async fn whole_or_none(pool: &PgPool, case: &Case, root: &Path) -> anyhow::Result<()> {
    let rows = "SELECT status::text, directory FROM system_checkpoints";
    let rows: Vec<(String, Option<String>)> = sqlx::query_as(rows).fetch_all(pool).await?;
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(root)? {
        seen.push(entry?.file_name().to_string_lossy().into_owned());
    }
    seen.retain(|name| !name.starts_with('.'));
    let is_whole = |name: &String| root.join(name).join("manifest.json").exists();
    match (rows.as_slice(), case.deed) {
        ([(status, Some(directory))], Deed::Delay) if status == "done" => {
            ensure!(is_whole(directory), "{directory} is not there");
        }
        ([(status, None)], Deed::Kill | Deed::Panic) if status == "failed" => {
            let late = case.point == "checkpoint::placed" && seen.iter().all(is_whole);
            ensure!(seen.is_empty() || late, "these look whole: {seen:?}");
        }
        _ => bail!("the checkpoint stands as {rows:?}"),
    }
    Ok(())
}
