//! hive-workspace
