//! hive-queue
