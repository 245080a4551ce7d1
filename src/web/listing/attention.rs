//! What needs somebody's attention, and why. Pure.

use std::time::Duration;

use crate::{
    cell::{TaskPhase, TaskStatus},
    task::TaskOutcome,
    web::time::short,
};

/// Failures in a row from which a retry needs attention, however short its delay is.
const LONG_STREAK: u32 = 5;

/// A kind of trouble; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Attention {
    /// It ended badly, and nothing took its place.
    Failed,
    /// Its body holds its thread.
    NotResponding,
    /// It was asked to stop and did not within its grace.
    StuckStopping,
    /// It must be up and is not.
    NotReady,
    /// It fails again and again, or waits long for its next attempt.
    LongBackoff,
}

impl Attention {
    pub(crate) const ALL: [Self; 5] =
        [Self::Failed, Self::NotResponding, Self::StuckStopping, Self::NotReady, Self::LongBackoff];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Failed => "failed_for_good",
            Self::NotResponding => "not_responding",
            Self::StuckStopping => "stuck_stopping",
            Self::NotReady => "not_ready",
            Self::LongBackoff => "long_backoff",
        }
    }

    /// What a heading says.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Failed => "failed for good",
            Self::NotResponding => "not responding",
            Self::StuckStopping => "stuck in stopping",
            Self::NotReady => "required and not up",
            Self::LongBackoff => "long in backoff",
        }
    }

    pub(crate) fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == label)
    }
}

/// What is known of a task beside its status.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) grace: Duration,
    /// Whether a later task has its name.
    pub(crate) is_superseded: bool,
    /// Whether it must be up, and whether it is.
    pub(crate) is_required: bool,
    pub(crate) is_up: bool,
    /// From which delay on a retry waits long.
    pub(crate) long_backoff: Duration,
}

/// All kinds of trouble that the task has, the worst first.
pub(crate) fn needs(status: &TaskStatus, seen: Seen) -> Vec<Attention> {
    let has = |kind: &Attention| match kind {
        Attention::Failed => !seen.is_superseded && has_ended_badly(status),
        Attention::NotResponding => status.is_polling && !status.is_responding,
        Attention::StuckStopping => is_stuck(status, seen.grace),
        Attention::NotReady => seen.is_required && !seen.is_up && !seen.is_superseded,
        Attention::LongBackoff => {
            is_failing(status)
                && (status.streak >= LONG_STREAK || delay(status) >= seen.long_backoff)
        }
    };
    Attention::ALL.into_iter().filter(has).collect()
}

fn has_ended_badly(status: &TaskStatus) -> bool {
    match status.outcome {
        Some(
            TaskOutcome::Failed(_)
            | TaskOutcome::Fatal(_)
            | TaskOutcome::ForceAborted { .. }
            | TaskOutcome::Lost,
        ) => true,
        Some(
            TaskOutcome::Completed | TaskOutcome::Canceled { .. } | TaskOutcome::Rejected { .. },
        )
        | None => false,
    }
}

fn is_stuck(status: &TaskStatus, grace: Duration) -> bool {
    let is_forced = matches!(status.outcome, Some(TaskOutcome::ForceAborted { .. }));
    !status.is_removed && (is_forced || status.stopping_for.is_some_and(|time| time > grace))
}

fn is_failing(status: &TaskStatus) -> bool {
    status.phase == TaskPhase::BackingOff && status.streak > 0
}

/// The whole delay before the next attempt: what is over of it and what is left.
fn delay(status: &TaskStatus) -> Duration {
    status.in_phase_for.saturating_add(status.next_attempt_in.unwrap_or_default())
}

/// Why it needs attention, in words.
pub(crate) fn explain(kind: Attention, status: &TaskStatus) -> String {
    match kind {
        Attention::Failed => {
            status.outcome.as_ref().map_or_else(String::new, |outcome| outcome.to_string())
        }
        Attention::NotResponding => "its body has held its thread for over 1 s".to_owned(),
        Attention::StuckStopping => match status.stopping_for {
            Some(time) => format!("asked to stop {} ago", short(time)),
            None => "asked to stop, and still there".to_owned(),
        },
        Attention::NotReady => match &status.outcome {
            Some(outcome) => outcome.to_string(),
            None => format!("{} for {}", status.phase, short(status.in_phase_for)),
        },
        Attention::LongBackoff => {
            let next = status.next_attempt_in.map_or_else(|| "no".to_owned(), short);
            let why = status.last_failure.as_ref().map_or("", |failure| failure.text());
            let failures = if status.streak == 1 { "failure" } else { "failures" };
            format!("{} {failures} in a row, next attempt in {next}: {why}", status.streak)
        }
    }
}
