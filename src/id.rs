//! How a task is named: by a number that is never used twice, and by the name its spec gave it.

use std::{fmt, num::NonZeroU64, sync::Arc};

/// Identifies one accepted or refused `add` within its supervisor.
///
/// Ids count from 1 in the order in which commands were handled and are never used again, so a
/// stale id finds nothing rather than somebody else's task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TaskId(NonZeroU64);

impl TaskId {
    pub(crate) const fn new(number: NonZeroU64) -> Self {
        Self(number)
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The id with this number, to look a task up by a number that came from outside;
    /// `None` for zero, which is never given out.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A task's id and name together, as events and reports carry them. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TaskRef {
    id: TaskId,
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::event::serialize_text"))]
    name: Arc<str>,
}

impl TaskRef {
    pub(crate) fn new(id: TaskId, name: Arc<str>) -> Self {
        Self { id, name }
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// The task's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared_name(&self) -> &Arc<str> {
        &self.name
    }
}

impl fmt::Display for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.id)
    }
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskRef({self})")
    }
}

/// Which task a command is about: given by id, by name, or by a handle.
///
/// A name means the task that holds it now, else the one that held it last and is still in the
/// history of outcomes. A submission that waits in a slot, or never started, is found by its id only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TaskTarget {
    /// The task with this id.
    Id(TaskId),
    /// The task with this name.
    Name(Arc<str>),
}

impl fmt::Display for TaskTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => write!(f, "\"{name}\""),
        }
    }
}

impl From<TaskId> for TaskTarget {
    fn from(id: TaskId) -> Self {
        Self::Id(id)
    }
}

impl From<&TaskRef> for TaskTarget {
    fn from(task: &TaskRef) -> Self {
        Self::Id(task.id)
    }
}

impl From<&str> for TaskTarget {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl From<&String> for TaskTarget {
    fn from(name: &String) -> Self {
        Self::Name(name.as_str().into())
    }
}

impl From<String> for TaskTarget {
    fn from(name: String) -> Self {
        Self::Name(name.into())
    }
}
