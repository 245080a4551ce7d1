use std::{
    fmt,
    time::{Duration, SystemTime},
};

use crate::id::TaskId;

/// What was decided about a submission that was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Admission {
    /// It owns the slot and was started.
    Started,
    /// It waits for a place.
    Queued {
        /// Its place in the queue, from 1.
        position: usize,
    },
    /// The owner was asked to stop, and this one is next.
    Replacing {
        /// The owner.
        owner: TaskId,
    },
    /// It runs nothing and shares the outcome of another one.
    Attached {
        /// The other one.
        to: TaskId,
    },
    /// Its time has not come (`Debounce`, `Throttle`).
    Delayed {
        /// How long it waits, if nothing newer comes.
        delay: Duration,
        /// When that is, by the system's clock; `None` beyond what the clock can show.
        until: Option<SystemTime>,
    },
}

impl Admission {
    /// A stable name in snake_case.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Queued { .. } => "queued",
            Self::Replacing { .. } => "replacing",
            Self::Attached { .. } => "attached",
            Self::Delayed { .. } => "delayed",
        }
    }
}

impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => f.write_str("started"),
            Self::Queued { position } => write!(f, "queued at {position}"),
            Self::Replacing { owner } => write!(f, "replacing {owner}"),
            Self::Attached { to } => write!(f, "attached to {to}"),
            Self::Delayed { delay, .. } => write!(f, "delayed by {delay:.1?}"),
        }
    }
}
