//! hive-scheduler
