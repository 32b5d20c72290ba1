//! hive-worker
