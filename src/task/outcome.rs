use std::fmt;

use super::failure::Failure;
use crate::slot::RejectionKind;

/// How a task ended. Each accepted task and each submission that was taken in gets exactly one, on every path.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum TaskOutcome {
    /// Its last attempt returned `Ok` and the policy asked for no other.
    Completed,
    /// Its last attempt failed, timed out or panicked, and no retry was left.
    Failed(Failure),
    /// It said that trying again is of no use.
    Fatal(Failure),
    /// It was asked to stop, or gave up by itself, and its attempt (if one ran) has returned.
    Canceled {
        /// Who asked.
        cause: CancelCause,
        /// What went wrong on the way out, if anything did.
        failure: Option<Failure>,
    },
    /// It did not stop within its grace: its future was dropped, or its thread did not come back.
    ForceAborted {
        /// Why it had been asked to stop.
        cause: CancelCause,
    },
    /// The thread or runtime on which it lived is gone.
    Lost,
    /// It was submitted for a [slot](crate::slot) and never ran.
    Rejected {
        /// Why.
        kind: RejectionKind,
    },
}

impl TaskOutcome {
    /// A stable name in snake_case.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed(_) => "failed",
            Self::Fatal(_) => "fatal",
            Self::Canceled { .. } => "canceled",
            Self::ForceAborted { .. } => "force_aborted",
            Self::Lost => "lost",
            Self::Rejected { .. } => "rejected",
        }
    }

    /// Whether the task completed.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Completed)
    }

    /// The failure inside, if there is one.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) | Self::Fatal(failure) => Some(failure),
            Self::Canceled { failure, .. } => failure.as_ref(),
            Self::Completed | Self::ForceAborted { .. } | Self::Lost | Self::Rejected { .. } => {
                None
            }
        }
    }
}

impl fmt::Display for TaskOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("completed"),
            Self::Failed(failure) => write!(f, "failed: {failure}"),
            Self::Fatal(failure) => write!(f, "fatal: {failure}"),
            Self::Canceled { cause, failure: None } => write!(f, "canceled ({cause})"),
            Self::Canceled { cause, failure: Some(failure) } => {
                write!(f, "canceled ({cause}), failing on the way out: {failure}")
            }
            Self::ForceAborted { cause } => write!(f, "force-aborted ({cause})"),
            Self::Lost => f.write_str("lost with its thread"),
            Self::Rejected { kind } => write!(f, "rejected: {kind}"),
        }
    }
}

/// Why a task was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CancelCause {
    /// Somebody called `cancel`.
    User,
    /// A newer submission took its place.
    Replaced,
    /// The attempt ran longer than its timeout; only this attempt is asked to stop.
    TimedOut,
    /// Somebody called `restart`; only this attempt is asked to stop.
    Restart,
    /// The supervisor shuts down.
    Shutdown,
    /// Nobody asked: the attempt returned [`TaskError::canceled`](crate::TaskError::canceled).
    Itself,
}

impl CancelCause {
    /// A stable name in snake_case.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Replaced => "replaced",
            Self::TimedOut => "timed_out",
            Self::Restart => "restart",
            Self::Shutdown => "shutdown",
            Self::Itself => "itself",
        }
    }
}

impl fmt::Display for CancelCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Replaced => "replaced",
            Self::TimedOut => "timed out",
            Self::Restart => "restart",
            Self::Shutdown => "shutdown",
            Self::Itself => "itself",
        })
    }
}
