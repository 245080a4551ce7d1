//! The words that events are told in.

use std::fmt;

/// How much attention an event asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Severity {
    /// A step on the way.
    Debug,
    /// Something began or ended in good order.
    Info,
    /// Something went wrong and is being dealt with.
    Warn,
    /// Something ended badly and nobody deals with it any more.
    Error,
}

impl Severity {
    /// A stable name in lower case.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// How an attempt ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum AttemptStop {
    /// It returned `Ok`, unasked.
    Succeeded,
    /// It returned after it was asked to stop, or gave up by itself.
    Canceled,
    /// It did not return in its grace, and its future is dropped now.
    Forced,
}

impl fmt::Display for AttemptStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
            Self::Forced => "forced",
        })
    }
}

/// Why the next attempt waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum BackoffSource {
    /// The interval of [`RestartPolicy::Always`](crate::RestartPolicy::Always).
    Success,
    /// The backoff of a retry.
    Failure,
    /// Nothing: somebody asked for a new attempt, and there is no delay.
    Restart,
}

impl fmt::Display for BackoffSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Restart => "restart",
        })
    }
}
