//! Whether a task runs again after an attempt has ended.

use std::time::Duration;

use super::DELAY_FLOOR;

/// Says when a task runs again after an attempt that nobody had asked to stop.
///
/// A fatal error and a cancel end the task under every policy. Use less when you can: a task that is
/// to run once, come what may, is `Never`.
///
/// The default is `OnFailure`.
///
/// # Examples
///
/// ```
/// use actix_taskvisor::prelude::*;
///
/// assert_eq!(RestartPolicy::default(), RestartPolicy::OnFailure);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Runs the task once: success completes it, any failure ends it as failed.
    Never,
    /// Retries after a failure, a timeout or a panic until the retries are spent; success completes.
    #[default]
    OnFailure,
    /// Retries like `OnFailure`, and runs the task again after each success. It never completes.
    Always {
        /// The pause from the end of a success to the next attempt; below 1 ms it counts as 1 ms.
        /// After a failure the backoff decides, not this.
        interval: Duration,
    },
}

/// How an attempt ended that nobody had asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The body returned `Ok`.
    Succeeded,
    /// The body returned a retryable error.
    Failed,
    /// The attempt's timeout expired, whatever the body returned afterwards.
    TimedOut,
    /// The body panicked.
    Panicked,
    /// The body returned an error that no retry can help.
    Fatal,
    /// The body returned canceled of its own accord.
    Canceled,
}

/// What follows an attempt: the new streak, and the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Failures in a row, the attempt just ended included.
    pub(crate) streak: u32,
    /// What to do now.
    pub(crate) next: Next,
}

/// The next step of a task whose attempt has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// End the task.
    Finish(Finish),
    /// Start the next attempt this long after a success; at least 1 ms.
    RunAgain { after: Duration },
    /// Start the next attempt after the delay of this index, counted from 0 within the streak.
    Retry { index: u32 },
}

/// How a task ends that is not run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// Its last attempt succeeded.
    Completed,
    /// Its last attempt failed, and no retry is left or wanted.
    Failed,
    /// Its last attempt said that retrying is of no use.
    Fatal,
    /// Its last attempt canceled itself.
    Canceled,
}

/// Decides what follows an attempt that nobody had asked to stop.
///
/// `streak` is the one before this attempt, `max_retries: None` is unlimited. `is_healthy` is ignored
/// for an attempt that timed out (I3).
pub(crate) fn decide(
    policy: RestartPolicy,
    max_retries: Option<u32>,
    streak: u32,
    ending: Ending,
    is_healthy: bool,
) -> Decision {
    let streak = next_streak(streak, ending, is_healthy);
    let next = match ending {
        Ending::Succeeded => after_success(policy),
        Ending::Failed | Ending::TimedOut | Ending::Panicked => {
            after_failure(policy, max_retries, streak)
        }
        Ending::Fatal => Next::Finish(Finish::Fatal),
        Ending::Canceled => Next::Finish(Finish::Canceled),
    };
    Decision { streak, next }
}

/// Counts failures in a row: a success clears them, a healthy failure is the first of a new streak.
fn next_streak(streak: u32, ending: Ending, is_healthy: bool) -> u32 {
    match ending {
        Ending::Succeeded => 0,
        Ending::Canceled => streak,
        Ending::Failed | Ending::Panicked | Ending::Fatal if is_healthy => 1,
        // I3: a timeout comes here whatever `is_healthy` says.
        Ending::Failed | Ending::Panicked | Ending::Fatal | Ending::TimedOut => {
            streak.saturating_add(1)
        }
    }
}

fn after_success(policy: RestartPolicy) -> Next {
    match policy {
        RestartPolicy::Never | RestartPolicy::OnFailure => Next::Finish(Finish::Completed),
        // I1: a body that returns at once must not spin.
        RestartPolicy::Always { interval } => Next::RunAgain { after: interval.max(DELAY_FLOOR) },
    }
}

fn after_failure(policy: RestartPolicy, max_retries: Option<u32>, streak: u32) -> Next {
    match policy {
        RestartPolicy::Never => Next::Finish(Finish::Failed),
        RestartPolicy::OnFailure | RestartPolicy::Always { interval: _ } => {
            retry_or_fail(max_retries, streak)
        }
    }
}

fn retry_or_fail(max_retries: Option<u32>, streak: u32) -> Next {
    if max_retries.is_none_or(|most| streak <= most) {
        Next::Retry { index: streak.saturating_sub(1) }
    } else {
        Next::Finish(Finish::Failed)
    }
}
