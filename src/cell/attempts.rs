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
    /// How long to wait. What is longer than 584 years is told as that.
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

/// An attempt that is over.
pub(crate) struct Ended {
    pub(crate) attempt: u64,
    pub(crate) since: Instant,
    pub(crate) took: Duration,
    pub(crate) end: AttemptEnd,
    pub(crate) failure: Option<Failure>,
    pub(crate) next: Option<PlannedAttempt>,
}

/// The same as it is kept, in 40 bytes rather than 80. A task that restarts again and again comes to each place once in
/// twenty restarts, when that has to be fetched from far away: of 1,000 tasks that restart in turn, each restart waited for
/// it a fifth of its time, and now takes 0.90 of that.
pub(super) struct Noted {
    /// Nanoseconds from the acceptance of the task to the start of the attempt. Here as below, what is longer than 584
    /// years is 584 years.
    since: u64,
    /// Nanoseconds.
    took: u64,
    /// Of the next one, in nanoseconds.
    delay: u64,
    failure: Option<Failure>,
    /// With the next one.
    streak: u32,
    /// The last 16 bits of its number, which is the last one that ends in them up to the task's latest attempt.
    attempt: u16,
    end: AttemptEnd,
    /// `None`: there was no next one.
    why: Option<DelayReason>,
}

/// What is known of a task's attempts elsewhere: of the latest, and of the time.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) accepted_at: Instant,
    /// The latest attempt.
    pub(super) attempt: u64,
    pub(super) phase_since: Instant,
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
    Noted(VecDeque<Noted>),
}

impl Attempts {
    /// Adds one that ended, of a task that was accepted then. What went wrong with the one that falls out comes back: it
    /// may hold something of the user's.
    pub(super) fn note(&mut self, ended: Ended, accepted_at: Instant) -> Option<Failure> {
        let Self::Noted(noted) = self else {
            let since = ended.since;
            let is_all = ended.attempt == 1 && ended.next.is_none() && ended.failure.is_none();
            *self = match ended.end {
                AttemptEnd::Succeeded if is_all => Self::OnlySuccess { since },
                AttemptEnd::Canceled if is_all => Self::OnlyCanceled { since },
                _ => {
                    let mut noted = VecDeque::with_capacity(1);
                    noted.push_back(ended.noted(accepted_at));
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
        noted.push_back(ended.noted(accepted_at));
        oldest.and_then(|oldest| oldest.failure)
    }

    pub(super) fn last_end(&self) -> Option<AttemptEnd> {
        match self {
            Self::None => None,
            Self::OnlySuccess { .. } => Some(AttemptEnd::Succeeded),
            Self::OnlyCanceled { .. } => Some(AttemptEnd::Canceled),
            Self::Noted(noted) => noted.back().map(|last| last.end),
        }
    }

    /// All of them, oldest first.
    pub(super) fn told(&self, frame: Frame, now: Instant) -> Vec<AttemptRecord> {
        let only = |since, end| {
            let took = frame.phase_since.saturating_duration_since(since);
            let started_ago = now.saturating_duration_since(since);
            vec![AttemptRecord { attempt: 1, started_ago, took, end, failure: None, next: None }]
        };
        match self {
            Self::None => Vec::new(),
            Self::OnlySuccess { since } => only(*since, AttemptEnd::Succeeded),
            Self::OnlyCanceled { since } => only(*since, AttemptEnd::Canceled),
            Self::Noted(noted) => noted.iter().map(|noted| noted.told(frame, now)).collect(),
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

    fn noted(self, accepted_at: Instant) -> Noted {
        Noted {
            since: nanos(self.since.saturating_duration_since(accepted_at)),
            took: nanos(self.took),
            delay: self.next.map_or(0, |next| nanos(next.delay)),
            failure: self.failure,
            streak: self.next.map_or(0, |next| next.streak),
            attempt: last_digits(self.attempt),
            end: self.end,
            why: self.next.map(|next| next.why),
        }
    }
}

impl Noted {
    fn told(&self, frame: Frame, now: Instant) -> AttemptRecord {
        let ago = now.saturating_duration_since(frame.accepted_at);
        let later = last_digits(frame.attempt).wrapping_sub(self.attempt);
        let (delay, streak) = (Duration::from_nanos(self.delay), self.streak);
        AttemptRecord {
            attempt: frame.attempt.saturating_sub(u64::from(later)),
            started_ago: ago.saturating_sub(Duration::from_nanos(self.since)),
            took: Duration::from_nanos(self.took),
            end: self.end,
            failure: self.failure.clone(),
            next: self.why.map(|why| PlannedAttempt { delay, why, streak }),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn last_digits(attempt: u64) -> u16 {
    (attempt & u64::from(u16::MAX)) as u16
}
