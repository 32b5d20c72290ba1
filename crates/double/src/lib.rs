//! hive-double
