use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use thiserror::Error;

use super::submission::Submission;
use crate::{error::InvalidSpec, id::TaskId};

/// Why a submission was not run: at once, as [`SubmitError`](crate::SubmitError), or later, as
/// [`TaskOutcome::Rejected`](crate::TaskOutcome::Rejected).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RejectionKind {
    /// The slot is busy, and the submission asked to be dropped then.
    #[error(
        "the slot is busy: task {owner} owns it; wait for its end, or choose a policy that queues, replaces or joins it"
    )]
    SlotBusy {
        /// The oldest owner.
        owner: TaskId,
    },
    /// As many wait in this slot as may.
    #[error("max_queued_per_slot = {limit} wait in this slot: raise it, or try again later")]
    SlotQueueFull {
        /// The limit.
        limit: usize,
    },
    /// As many wait in all slots together as may.
    #[error("max_queued = {limit} wait in all slots together: raise it, or try again later")]
    QueuesFull {
        /// The limit.
        limit: usize,
    },
    /// There are as many slots as there may be.
    #[error("max_slots = {limit} slots are in use: raise it, or try again later")]
    SlotsFull {
        /// The limit.
        limit: usize,
    },
    /// It waited for as long as it was willing to.
    #[error(
        "it waited in its slot for max_wait = {max_wait:?}: submit it again, or let it wait longer"
    )]
    QueueTimeout {
        /// The longest wait it asked for.
        max_wait: Duration,
    },
    /// A newer submission took its place.
    #[error("submission {by} took its place: that one is next in its stead")]
    Superseded {
        /// The newer one.
        by: TaskId,
    },
    /// The name is taken by a task that has not been removed yet.
    #[error(
        "the name is held by task {owner}: give owners of one slot names of their own, or wait for its `removed()`"
    )]
    AlreadyExists {
        /// The task that holds the name.
        owner: TaskId,
    },
    /// The spec makes no sense.
    #[error("invalid spec: {0}")]
    InvalidSpec(InvalidSpec),
    /// The slot's name is empty.
    #[error("the slot's name is empty: give it a name, or leave `slot` out")]
    EmptySlotName,
    /// The slot may have no owner.
    #[error("concurrency(0): no task could ever run: use 1 or more")]
    ZeroConcurrency,
    /// The slot lives with another number of owners.
    #[error(
        "the slot was opened with concurrency {current}, which holds while it lives: say the same, or leave it out"
    )]
    ConcurrencyFixed {
        /// What holds.
        current: usize,
    },
    /// `max_tasks` is reached.
    #[error("max_tasks = {limit} is reached: raise it, or wait until a task is removed")]
    LimitReached {
        /// The limit.
        limit: usize,
    },
    /// Every worker thread has ended.
    #[error(
        "no worker thread is left to run the task: tasks stopped their `System`; shut down and start again, with more workers"
    )]
    NoWorker,
    /// The supervisor shuts down.
    #[error("the supervisor is shutting down")]
    ShuttingDown,
}

impl RejectionKind {
    /// A stable name in snake_case.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::SlotBusy { .. } => "slot_busy",
            Self::SlotQueueFull { .. } => "slot_queue_full",
            Self::QueuesFull { .. } => "queues_full",
            Self::SlotsFull { .. } => "slots_full",
            Self::QueueTimeout { .. } => "queue_timeout",
            Self::Superseded { .. } => "superseded",
            Self::AlreadyExists { .. } => "already_exists",
            Self::InvalidSpec(_) => "invalid_spec",
            Self::EmptySlotName => "empty_slot_name",
            Self::ZeroConcurrency => "zero_concurrency",
            Self::ConcurrencyFixed { .. } => "concurrency_fixed",
            Self::LimitReached { .. } => "limit_reached",
            Self::NoWorker => "no_worker",
            Self::ShuttingDown => "shutting_down",
        }
    }

    /// Whether this is how it should be: a policy did what it is for, or the supervisor ends. Otherwise a limit, a
    /// deadline or a mistake got in the way.
    #[must_use]
    pub const fn is_by_policy(&self) -> bool {
        matches!(self, Self::SlotBusy { .. } | Self::Superseded { .. } | Self::ShuttingDown)
    }
}

/// Why a submission was refused. [`into_submission`](Self::into_submission) gives it back.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The registry decided so.
    #[error("the submission for slot \"{slot}\" was rejected: {kind}", slot = .submission.slot)]
    Rejected {
        /// Why, and what to do instead.
        kind: RejectionKind,
        /// The submission, to be had back by [`SubmitError::into_submission`].
        submission: ReturnedSubmission,
    },
    /// `command_capacity` is reached, and the supervisor was built with `fail_fast`.
    #[error(
        "command_capacity = {capacity} commands are waiting to be handled: try again, raise it, or build without fail_fast"
    )]
    CommandQueueFull {
        /// The capacity.
        capacity: usize,
        /// The submission.
        submission: ReturnedSubmission,
    },
    /// The supervisor itself panicked over this command, which was not carried out. The submission is gone.
    #[error("the supervisor panicked while it handled this command, and did not carry it out")]
    Unanswered,
}

impl SubmitError {
    pub(crate) fn rejected(kind: RejectionKind, submission: Submission) -> Self {
        Self::Rejected { kind, submission: ReturnedSubmission::new(submission) }
    }

    /// Why the registry refused it, if it did.
    #[must_use]
    pub fn kind(&self) -> Option<RejectionKind> {
        match self {
            Self::Rejected { kind, .. } => Some(*kind),
            Self::CommandQueueFull { .. } | Self::Unanswered => None,
        }
    }

    /// The submission that was refused, as it was given; `None` for [`Unanswered`](Self::Unanswered).
    #[must_use]
    pub fn into_submission(self) -> Option<Submission> {
        match self {
            Self::Rejected { submission, .. } | Self::CommandQueueFull { submission, .. } => {
                submission.into_submission()
            }
            Self::Unanswered => None,
        }
    }
}

/// A refused submission inside an error.
pub struct ReturnedSubmission {
    slot: Arc<str>,
    submission: Mutex<Option<Box<Submission>>>,
}

impl ReturnedSubmission {
    pub(crate) fn new(submission: Submission) -> Self {
        let slot = submission.shared_slot();
        Self { slot, submission: Mutex::new(Some(Box::new(submission))) }
    }

    fn into_submission(self) -> Option<Submission> {
        let submission = self.submission.into_inner().unwrap_or_else(PoisonError::into_inner);
        submission.map(|submission| *submission)
    }
}

impl fmt::Debug for ReturnedSubmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReturnedSubmission({:?})", self.slot)
    }
}
