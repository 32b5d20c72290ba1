//! hive-agent
