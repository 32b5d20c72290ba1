//! hive-local
