//! What of the machine a command may see.

/// Directories of programs and libraries, read and executed.
pub(super) const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Settings that programs need and that hold no secret. `resolv.conf` is left out: there is no network.
pub(super) const SETTINGS: &[&str] = &[
    "/etc/alternatives",
    "/etc/debian_version",
    "/etc/group",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki/tls/certs",
    "/etc/python3",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/etc/timezone",
];

/// Facts about the machine, none about processes.
pub(super) const MACHINE: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/uptime",
    "/proc/version",
    "/sys/devices/system/cpu",
];

/// Devices that are read.
pub(super) const DEVICES: &[&str] = &["/dev/full", "/dev/random", "/dev/urandom", "/dev/zero"];

/// The device that is also written.
pub(super) const NULL: &str = "/dev/null";

/// What is writable inside bubblewrap, where it is the run's own and bounded.
pub(super) const NAMESPACE_WRITABLE: &[&str] = &["/tmp", "/dev/shm"];

/// Bubblewrap's fresh `/proc` shows the run's own processes only, so all of it may be read.
pub(super) const NAMESPACE_READABLE: &[&str] = &["/proc", "/dev"];
