//! hive-telemetry
