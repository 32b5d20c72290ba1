//! The names of the tools an agent can have. Stored in definitions and sent to the model.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::status::{UnknownName, names};

names! {
    /// Every tool there is.
    ToolName, "tool" {
        /// Names of files.
        ListFiles = "list_files",
        /// Text of a file.
        ReadFile = "read_file",
        /// Lines that match a pattern.
        SearchText = "search_text",
        /// A whole file.
        WriteFile = "write_file",
        /// A place in a file.
        EditFile = "edit_file",
        /// A command in the sandbox.
        Shell = "shell",
        /// The end.
        Finish = "finish",
    }
}
