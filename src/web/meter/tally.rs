//! The counts of one name, and how an event changes them. Pure.

use std::{collections::BTreeMap, time::Duration};

use super::histogram::{ATTEMPT_BOUNDS, Histogram};
use crate::{
    event::{AttemptStop, EventKind},
    task::FailureKind,
};

/// What was counted of the tasks of one name.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(super) starts: u64,
    /// By the end before.
    pub(super) restarts: BTreeMap<&'static str, u64>,
    pub(super) failures: BTreeMap<&'static str, u64>,
    pub(super) outcomes: BTreeMap<&'static str, u64>,
    pub(super) backoff: Duration,
    pub(super) took: Histogram,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            starts: 0,
            restarts: BTreeMap::new(),
            failures: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            backoff: Duration::ZERO,
            took: Histogram::new(ATTEMPT_BOUNDS),
        }
    }
}

impl Tally {
    /// Counts an event. `last_end`: how the attempt before ended, as [`end_of`] tells it.
    pub(super) fn count(&mut self, kind: &EventKind, last_end: Option<&'static str>) {
        match kind {
            EventKind::TaskStarting { attempt } => {
                self.starts += 1;
                if *attempt > 1 {
                    // The end before may have been lost; a reason stands there all the same.
                    *self.restarts.entry(last_end.unwrap_or("unknown")).or_default() += 1;
                }
            }
            EventKind::TaskStopped { took, .. } => self.took.observe(*took),
            EventKind::TaskFailed { failure, took, .. } => {
                *self.failures.entry(kind_label(failure.kind())).or_default() += 1;
                self.took.observe(*took);
            }
            EventKind::TimeoutHit { took, .. } => {
                *self.failures.entry("timeout").or_default() += 1;
                self.took.observe(*took);
            }
            EventKind::BackoffScheduled { delay, .. } => {
                self.backoff = self.backoff.saturating_add(*delay);
            }
            EventKind::ActorExhausted { outcome } | EventKind::ActorDead { outcome } => {
                *self.outcomes.entry(outcome.label()).or_default() += 1;
            }
            EventKind::TaskAddRequested
            | EventKind::TaskAdded
            | EventKind::TaskAddFailed { .. }
            | EventKind::TaskRemoveRequested { .. }
            | EventKind::TaskRemoved { .. }
            | EventKind::TaskRestartRequested
            | EventKind::TaskRetryRequested
            | EventKind::TaskPauseRequested
            | EventKind::TaskPaused { .. }
            | EventKind::TaskResumed
            | EventKind::OperatorAction { .. }
            | EventKind::ShutdownRequested { .. }
            | EventKind::AllStoppedWithinGrace
            | EventKind::GraceExceeded { .. }
            | EventKind::SubscriberPanicked { .. }
            | EventKind::SlotSubmitted { .. }
            | EventKind::SlotRejected { .. }
            | EventKind::SlotTransition { .. } => {}
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.starts += other.starts;
        for (own, other) in [
            (&mut self.restarts, &other.restarts),
            (&mut self.failures, &other.failures),
            (&mut self.outcomes, &other.outcomes),
        ] {
            other.iter().for_each(|(label, count)| *own.entry(label).or_default() += count);
        }
        self.backoff = self.backoff.saturating_add(other.backoff);
        self.took.add(&other.took);
    }
}

/// Why a next attempt would follow, if this event ends one.
pub(super) fn end_of(kind: &EventKind) -> Option<&'static str> {
    match kind {
        EventKind::TaskFailed { panicked: true, .. } => Some("panic"),
        EventKind::TaskFailed { .. } => Some("failure"),
        EventKind::TimeoutHit { .. } => Some("timeout"),
        EventKind::TaskStopped { how: AttemptStop::Succeeded, .. } => Some("success"),
        // It stopped or was forced, and goes on: somebody asked for a new attempt.
        EventKind::TaskStopped { .. } => Some("restart"),
        _ => None,
    }
}

fn kind_label(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Error => "error",
        FailureKind::Fatal => "fatal",
        FailureKind::Panic => "panic",
        FailureKind::Timeout => "timeout",
        FailureKind::Lost => "lost",
    }
}
