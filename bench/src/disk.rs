//! What one commit costs the disk at least.

use std::{fs::File, io::Write, path::Path, time::Instant};

use crate::percentile::Times;

/// Writes and syncs a page 200 times; the median in milliseconds.
pub(crate) fn fdatasync_ms(directory: &Path) -> std::io::Result<f64> {
    let path = directory.join("fdatasync");
    let mut file = File::create(&path)?;
    let mut times = Vec::with_capacity(200);
    for _ in 0..200 {
        file.write_all(&[0x5a; 8192])?;
        let start = Instant::now();
        file.sync_data()?;
        times.push(start.elapsed());
    }
    std::fs::remove_file(path)?;
    Ok(Times::new(times).percentile(50))
}
