use std::{fmt, num::NonZeroU64, time::SystemTime};

use tokio::time::Instant;

use super::kind::EventKind;
use crate::{clock::WallClock, id::TaskRef, task::Failure};

/// One lifecycle event.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Event {
    /// Its place in the order in which the broker saw events, from 1. A subscription with a filter
    /// sees gaps in these numbers; what was *lost* is told by the delivery, not by them.
    pub seq: u64,
    /// When it was made, by the system's clock.
    pub at: SystemTime,
    /// The task that it is about, if it is about one.
    pub task: Option<TaskRef>,
    /// What happened.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub kind: EventKind,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.label())?;
        if let Some(task) = &self.task {
            write!(f, " {task}")?;
        }
        self.kind.fmt_fields(f)
    }
}

/// An event on its way to the broker, which gives it its number.
#[derive(Debug)]
pub(crate) struct Draft {
    /// When it was made: by the reading of the clock that its maker has anyway.
    pub(crate) at: Instant,
    pub(crate) task: Option<TaskRef>,
    /// The version of the task's cell after the change that this event tells of (C2); 0 without a task.
    pub(crate) version: u64,
    pub(crate) kind: EventKind,
}

impl Draft {
    pub(crate) fn of_task(task: TaskRef, version: u64, kind: EventKind, at: Instant) -> Self {
        Self { at, task: Some(task), version, kind }
    }

    pub(crate) fn of_supervisor(kind: EventKind) -> Self {
        Self { at: Instant::now(), task: None, version: 0, kind }
    }

    #[inline]
    pub(crate) fn numbered(
        self,
        seq: u64,
        clock: &mut WallClock,
        not_for: Option<NonZeroU64>,
    ) -> Numbered {
        let event = Event { seq, at: clock.at(self.at), task: self.task, kind: self.kind };
        Numbered { event, version: self.version, not_for }
    }
}

/// An event with its number, on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Numbered {
    pub(crate) event: Event,
    /// The version of the task's cell after the change (C2); 0 where no member changed.
    pub(crate) version: u64,
    /// The subscription whose panic it tells of (B4).
    pub(crate) not_for: Option<NonZeroU64>,
}

impl Numbered {
    /// Whether a value of the user's is in the event.
    pub(crate) fn holds_user_value(&self) -> bool {
        self.event.kind.failure().is_some_and(Failure::holds_user_value)
    }
}

#[cfg(feature = "serde")]
pub(crate) fn serialize_text<S: serde::Serializer>(
    text: &std::sync::Arc<str>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

#[cfg(feature = "serde")]
pub(crate) fn serialize_maybe_text<S: serde::Serializer>(
    text: &Option<std::sync::Arc<str>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match text {
        Some(text) => serializer.serialize_some(&**text),
        None => serializer.serialize_none(),
    }
}
