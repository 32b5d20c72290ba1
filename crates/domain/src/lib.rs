//! hive-domain
