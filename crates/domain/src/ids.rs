//! All kinds of id, in one list. Each is a `UUIDv7`: it orders by time of creation.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id, later than all before it.
            #[must_use]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The bare UUID, for the stores.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self(text.parse()?))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// One thing done to many tasks.
    ActionId;
    /// A versioned definition of who works: role, prompt, model, tools, limits.
    AgentId;
    /// One thing that is remembered.
    ContextId;
    /// A night: one consolidation of one memory.
    CycleId;
    /// What a night made of the memory.
    MemoryVersionId;
    /// A line of messages between agents.
    ConversationId;
    /// One message between agents.
    MessageId;
    /// What a tenant owns: agents, tasks, budgets.
    ProjectId;
    /// What fires by the clock.
    ScheduleId;
    /// A group of tasks.
    SessionId;
    /// A night of an agent.
    SleepId;
    /// One thing asked for.
    TaskId;
}

impl ProjectId {
    /// The project of everything that names no other; made by the first migration.
    pub const DEFAULT: Self = Self(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
}
