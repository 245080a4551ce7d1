//! What came of the last attempts of a task.

use std::{collections::VecDeque, fmt, time::Duration};

use tokio::time::Instant;

use crate::task::Failure;

/// How many ended attempts of each task are remembered: 20.
pub const ATTEMPT_HISTORY: usize = 20;

/// One attempt that is over, as [`TaskHandle::attempts`](crate::TaskHandle::attempts) tells it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AttemptRecord {
    /// Its number, from 1.
    pub attempt: u64,
    /// How long ago it began.
    pub started_ago: Duration,
    /// How long it was up.
    pub took: Duration,
    /// How it ended.
    pub end: AttemptEnd,
    /// What went wrong, if something did.
    pub failure: Option<Failure>,
    /// The next attempt as it was planned then; `None`: the task ended with this one.
    pub next: Option<PlannedAttempt>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum AttemptEnd {
    /// It returned `Ok`, unasked.
    Succeeded,
    /// It returned an error.
    Failed,
    /// It panicked.
    Panicked,
    /// It ran longer than its timeout.
    TimedOut,
    /// It returned an error that no retry can help.
    Fatal,
    /// It returned after it was asked to stop, or gave up by itself.
    Canceled,
    /// It did not return in its grace, and its future was dropped, or it returned later.
    Forced,
    /// It returned after it was asked to make room for a new one.
    Restarted,
    /// Its thread or runtime is gone.
    Lost,
}

/// The next attempt, as it was planned when the one before ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PlannedAttempt {
    /// How long to wait.
    pub delay: Duration,
    /// Why so long.
    pub why: DelayReason,
    /// How many failures there had been in a row.
    pub streak: u32,
}

/// What decided how long to wait for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DelayReason {
    /// The interval after a success.
    Interval,
    /// The backoff after a failure.
    Backoff,
    /// The task itself, by [`TaskError::retry_after`](crate::TaskError::retry_after).
    RetryAfter,
    /// Somebody asked for a new attempt: there is no delay.
    Restart,
}

impl AttemptEnd {
    /// A stable name in snake_case.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed_out",
            Self::Fatal => "fatal",
            Self::Canceled => "canceled",
            Self::Forced => "forced",
            Self::Restarted => "restarted",
            Self::Lost => "lost",
        }
    }
}

impl DelayReason {
    /// A stable name in snake_case.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Interval => "interval",
            Self::Backoff => "backoff",
            Self::RetryAfter => "retry_after",
            Self::Restart => "restart",
        }
    }
}

impl fmt::Display for AttemptEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl fmt::Display for DelayReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// An attempt that is over, as the cell keeps it.
pub(crate) struct Ended {
    pub(crate) attempt: u64,
    pub(crate) since: Instant,
    pub(crate) took: Duration,
    pub(crate) end: AttemptEnd,
    pub(crate) failure: Option<Failure>,
    pub(crate) next: Option<PlannedAttempt>,
}

/// The last [`ATTEMPT_HISTORY`] of a task.
#[derive(Default)]
pub(super) enum Attempts {
    /// The first one still runs, or is yet to come.
    #[default]
    None,
    /// The first one succeeded, and the task ended with it, when its last phase began. Most tasks come to this or the
    /// next, which need no allocation: a short one costs 8 % less time, and leaves 160 bytes less behind.
    OnlySuccess { since: Instant },
    /// The same with one that was cancelled.
    OnlyCanceled { since: Instant },
    /// All else, oldest first. Once it is full, the newest stands where the oldest stood: a task that restarts again
    /// and again touches no more memory than that.
    Noted(VecDeque<Ended>),
}

impl Attempts {
    /// Adds one that ended. What falls out comes back: it may hold something of the user's.
    pub(super) fn note(&mut self, ended: Ended) -> Option<Ended> {
        let Self::Noted(noted) = self else {
            let since = ended.since;
            let is_all = ended.attempt == 1 && ended.next.is_none() && ended.failure.is_none();
            *self = match ended.end {
                AttemptEnd::Succeeded if is_all => Self::OnlySuccess { since },
                AttemptEnd::Canceled if is_all => Self::OnlyCanceled { since },
                _ => {
                    let mut noted = VecDeque::with_capacity(1);
                    noted.push_back(ended);
                    Self::Noted(noted)
                }
            };
            return None;
        };
        let room = ATTEMPT_HISTORY.saturating_sub(noted.len());
        let oldest = if room == 0 { noted.pop_front() } else { None };
        if noted.len() == noted.capacity() {
            // As often again, but no more than is ever needed.
            noted.reserve_exact(room.min(noted.len()));
        }
        noted.push_back(ended);
        oldest
    }

    pub(super) fn last_end(&self) -> Option<AttemptEnd> {
        match self {
            Self::None => None,
            Self::OnlySuccess { .. } => Some(AttemptEnd::Succeeded),
            Self::OnlyCanceled { .. } => Some(AttemptEnd::Canceled),
            Self::Noted(noted) => noted.back().map(|last| last.end),
        }
    }

    /// All of them, oldest first. The last phase of the task began at `phase_since`.
    pub(super) fn told(&self, phase_since: Instant, now: Instant) -> Vec<AttemptRecord> {
        let only = |since, end| {
            let took = phase_since.saturating_duration_since(since);
            vec![Ended { attempt: 1, since, took, end, failure: None, next: None }.told(now)]
        };
        match self {
            Self::None => Vec::new(),
            Self::OnlySuccess { since } => only(*since, AttemptEnd::Succeeded),
            Self::OnlyCanceled { since } => only(*since, AttemptEnd::Canceled),
            Self::Noted(noted) => noted.iter().map(|ended| ended.told(now)).collect(),
        }
    }

    /// What went wrong with them.
    pub(super) fn failures(&self) -> impl Iterator<Item = &Failure> {
        let noted = match self {
            Self::None | Self::OnlySuccess { .. } | Self::OnlyCanceled { .. } => None,
            Self::Noted(noted) => Some(noted),
        };
        noted.into_iter().flatten().filter_map(|ended| ended.failure.as_ref())
    }
}

impl Ended {
    /// `Registry` had given it up before: what it returned counts for nothing.
    pub(super) fn too_late(self) -> Self {
        let is_lost = self.end == AttemptEnd::Lost;
        Self { end: if is_lost { AttemptEnd::Lost } else { AttemptEnd::Forced }, ..self }
    }

    pub(super) fn told(&self, now: Instant) -> AttemptRecord {
        AttemptRecord {
            attempt: self.attempt,
            started_ago: now.saturating_duration_since(self.since),
            took: self.took,
            end: self.end,
            failure: self.failure.clone(),
            next: self.next,
        }
    }
}
