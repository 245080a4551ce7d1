//! What the two floors written by hand have in common: the event that they tell, and how a task fails.

use std::{sync::Arc, time::SystemTime};

/// What a user's own body returns.
pub(crate) type BodyResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// As much as a listener wants to know.
#[expect(dead_code, reason = "carried, as everybody's events carry theirs")]
pub(crate) struct Event {
    pub(crate) at: SystemTime,
    pub(crate) task: Arc<str>,
    pub(crate) attempt: u64,
    pub(crate) kind: EventKind,
}

impl Event {
    pub(crate) fn now(task: &Arc<str>, attempt: u64, kind: EventKind) -> Self {
        Self { at: SystemTime::now(), task: Arc::clone(task), attempt, kind }
    }
}

#[expect(dead_code, reason = "carried, as everybody's events carry theirs")]
pub(crate) enum EventKind {
    Starting,
    Failed(Arc<str>),
    BackingOff,
    Ended,
}

/// Events that tell of one task that returns `Ok` at once.
pub(crate) const EVENTS_OF_A_TASK: usize = 2;
/// Tasks that fail in turn in `fanout`, and the events that tell of one restart.
pub(crate) const FAILING: usize = 64;
pub(crate) const EVENTS_OF_A_RESTART: usize = 3;
