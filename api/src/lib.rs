//! hive-api
