//! hive-tests
