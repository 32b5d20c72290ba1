//! hive-claude
