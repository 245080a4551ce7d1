use std::{collections::HashSet, sync::Arc};

use super::{
    kind::{EventKind, EventType},
    terms::Severity,
};
use crate::id::{TaskId, TaskRef};

/// Which events a subscription gets. Conditions of different kinds must all hold; tasks named by id
/// and by name are one condition, which any of them fulfils.
///
/// ```
/// use actix_taskvisor::prelude::*;
///
/// let filter = EventFilter::all()
///     .kinds([EventType::TaskFailed, EventType::ActorDead])
///     .task_named("poll");
/// # let _ = filter;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a filter does nothing until a subscription has it"]
pub struct EventFilter {
    types: TypeSet,
    at_least: Severity,
    tasks: Option<Tasks>,
}

#[derive(Clone, Debug, Default)]
struct Tasks {
    ids: HashSet<TaskId>,
    names: HashSet<Arc<str>>,
}

impl EventFilter {
    /// Every event.
    pub fn all() -> Self {
        Self { types: TypeSet::ALL, at_least: Severity::Debug, tasks: None }
    }

    /// Only events of these types. A second call replaces the first.
    pub fn kinds(mut self, types: impl IntoIterator<Item = EventType>) -> Self {
        self.types = types.into_iter().fold(TypeSet::NONE, TypeSet::with);
        self
    }

    /// Only events that are at least this severe.
    pub fn at_least(mut self, severity: Severity) -> Self {
        self.at_least = severity;
        self
    }

    /// Only events of this task, or of the others that were named. Events of no task are left out.
    pub fn task(mut self, id: TaskId) -> Self {
        self.tasks.get_or_insert_default().ids.insert(id);
        self
    }

    /// Only events of tasks with this name, now or later, or of the others that were named.
    pub fn task_named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.tasks.get_or_insert_default().names.insert(name.into());
        self
    }

    /// Whether an event passes.
    #[must_use]
    pub fn admits(&self, kind: &EventKind, task: Option<&TaskRef>) -> bool {
        self.types.has(kind.event_type())
            && kind.severity() >= self.at_least
            && self.admits_task(task)
    }

    pub(crate) fn admits_task(&self, task: Option<&TaskRef>) -> bool {
        match (&self.tasks, task) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(tasks), Some(task)) => {
                tasks.ids.contains(&task.id()) || tasks.names.contains(task.name())
            }
        }
    }

    pub(crate) fn types(&self) -> TypeSet {
        self.types
    }

    /// Whether nothing is filtered out.
    pub(crate) fn is_open(&self) -> bool {
        self.types == TypeSet::ALL && self.at_least == Severity::Debug && self.tasks.is_none()
    }
}

impl Default for EventFilter {
    fn default() -> Self {
        Self::all()
    }
}

/// A set of event types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TypeSet(u32);

impl TypeSet {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self((1 << EventType::ALL.len()) - 1);

    pub(crate) fn with(self, kind: EventType) -> Self {
        Self(self.0 | 1 << kind as u32)
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn has(self, kind: EventType) -> bool {
        self.0 & (1 << kind as u32) != 0
    }

    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}
