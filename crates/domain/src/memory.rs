//! What is remembered: whose it is, and how far it is to be believed.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{AgentId, ProjectId, SessionId},
    status::{UnknownName, names},
};

names! {
    /// Who may recall an entry.
    MemoryScope, "memory scope" {
        /// Everybody.
        Org = "org",
        /// Whoever works in the project.
        Project = "project",
        /// Whoever works in the session.
        Session = "session",
        /// One agent, and nobody beside it.
        Agent = "agent",
    }
}

names! {
    /// How far the source of an entry is believed, from least to most. What is drawn from several sources is believed as
    /// far as the least of them, and recalling lifts nothing.
    #[derive(PartialOrd, Ord)]
    TrustClass, "trust class" {
        /// Text from outside: pages, files of others, answers of services.
        External = "external",
        /// An agent wrote it.
        Agent = "agent",
        /// A person wrote it.
        User = "user",
        /// The hive itself found it.
        System = "system",
    }
}

names! {
    /// Where a night's result stands. Entries that it brought are visible, and entries that it retired are not, exactly
    /// while it is active.
    VersionState, "memory version state" {
        /// The night is at work; nobody sees it.
        Building = "building",
        /// Published.
        Active = "active",
        /// Published, and taken back.
        RolledBack = "rolled_back",
        /// Never published.
        Rejected = "rejected",
    }
}

/// Whose an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemoryOwner {
    /// Everybody's.
    Org,
    /// A project's.
    Project(ProjectId),
    /// A session's, in its project.
    Session(ProjectId, SessionId),
    /// An agent's own, in its project.
    Agent(ProjectId, AgentId),
}

impl MemoryOwner {
    /// The kind of it.
    #[must_use]
    pub const fn scope(self) -> MemoryScope {
        match self {
            Self::Org => MemoryScope::Org,
            Self::Project(_) => MemoryScope::Project,
            Self::Session(..) => MemoryScope::Session,
            Self::Agent(..) => MemoryScope::Agent,
        }
    }

    /// The project, unless it is everybody's.
    #[must_use]
    pub const fn project(self) -> Option<ProjectId> {
        match self {
            Self::Org => None,
            Self::Project(project) | Self::Session(project, _) | Self::Agent(project, _) => Some(project),
        }
    }

    /// The session whose it is.
    #[must_use]
    pub const fn session(self) -> Option<SessionId> {
        match self {
            Self::Session(_, session) => Some(session),
            Self::Org | Self::Project(_) | Self::Agent(..) => None,
        }
    }

    /// The agent whose it is.
    #[must_use]
    pub const fn agent(self) -> Option<AgentId> {
        match self {
            Self::Agent(_, agent) => Some(agent),
            Self::Org | Self::Project(_) | Self::Session(..) => None,
        }
    }
}

/// Who recalls: what it may see follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryReader {
    /// Sees what is everybody's and what is the project's.
    pub project: ProjectId,
    /// And what is this session's.
    pub session: Option<SessionId>,
    /// And what is this agent's own.
    pub agent: Option<AgentId>,
}

impl MemoryReader {
    /// Whether it may recall what is `owner`'s.
    #[must_use]
    pub fn may_see(&self, owner: MemoryOwner) -> bool {
        match owner {
            MemoryOwner::Org => true,
            MemoryOwner::Project(project) => project == self.project,
            MemoryOwner::Session(project, session) => {
                project == self.project && Some(session) == self.session
            }
            MemoryOwner::Agent(project, agent) => project == self.project && Some(agent) == self.agent,
        }
    }
}
