//! hive-sandbox
