use std::fmt;

/// Who asks for something, and why: told by [`OperatorAction`](crate::EventKind::OperatorAction).
///
/// ```
/// use actix_taskvisor::{messages::PauseTask, prelude::*};
///
/// let pause = PauseTask::new("poll").by(Operator::new("alice").because("upstream is down"));
/// # let _ = pause;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[must_use = "an operator does nothing until a message names it"]
pub struct Operator {
    pub(crate) who: String,
    pub(crate) why: Option<String>,
}

impl Operator {
    /// Somebody of this name, who gives no reason.
    pub fn new(who: impl Into<String>) -> Self {
        Self { who: who.into(), why: None }
    }

    /// The reason.
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// The name.
    #[must_use]
    pub fn who(&self) -> &str {
        &self.who
    }

    /// The reason, if there is one.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }
}

/// What may be asked of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum OperatorVerb {
    /// To stop for good.
    Cancel,
    /// To end the attempt and begin a new one.
    Restart,
    /// To skip the rest of the delay.
    RetryNow,
    /// To begin no other attempt.
    Pause,
    /// To begin attempts again.
    Resume,
}

impl OperatorVerb {
    /// Every verb there is.
    pub const ALL: &'static [Self] =
        &[Self::Cancel, Self::Restart, Self::RetryNow, Self::Pause, Self::Resume];

    /// A stable name in snake_case.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Restart => "restart",
            Self::RetryNow => "retry_now",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }
}

impl fmt::Display for OperatorVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
