//! hive-bench
