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
        /// Time: the run goes on later.
        Wait = "wait",
        /// Words to another agent.
        SendMessage = "send_message",
        /// A question to another agent: the run goes on with the answer, or when its time is over.
        AskAgent = "ask_agent",
        /// A fact into the memory.
        Remember = "remember",
        /// A search in the memory.
        Recall = "recall",
        /// A message to a person, outside of the workspace.
        NotifyPerson = "notify_person",
        /// The end.
        Finish = "finish",
    }
}

/// What it costs when a call is cut between its start and the record of its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: the workspace is put back to the last commit and the call is made again.
    Repeatable,
    /// It may have taken effect where no reset reaches: it is not made again without knowing.
    External,
}

impl ToolName {
    /// What a cut call of this tool costs.
    #[must_use]
    pub const fn effect(self) -> Effect {
        match self {
            Self::NotifyPerson => Effect::External,
            Self::ListFiles
            | Self::ReadFile
            | Self::SearchText
            | Self::WriteFile
            | Self::EditFile
            // The sandbox gives a command no way out of the tree.
            | Self::Shell
            | Self::Wait
            // Sent again, it is the same message.
            | Self::SendMessage
            | Self::AskAgent
            // Stored again, it is the same entry.
            | Self::Remember
            | Self::Recall
            | Self::Finish => Effect::Repeatable,
        }
    }

    /// True when it works on the files of a task.
    #[must_use]
    pub const fn needs_files(self) -> bool {
        match self {
            Self::ListFiles
            | Self::ReadFile
            | Self::SearchText
            | Self::WriteFile
            | Self::EditFile
            | Self::Shell => true,
            Self::Wait
            | Self::SendMessage
            | Self::AskAgent
            | Self::Remember
            | Self::Recall
            | Self::NotifyPerson
            | Self::Finish => false,
        }
    }
}
