use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::terms::{AttemptStop, BackoffSource, Severity};
use crate::{
    error::AddRefusal,
    id::TaskRef,
    operator::OperatorVerb,
    slot::{Admission, RejectionKind, SlotState, WhenBusy},
    supervisor::ShutdownCause,
    task::{CancelCause, Failure, TaskOutcome},
};

/// What happened, with the fields that this fact has.
#[derive(Clone, Debug)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(tag = "event", rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum EventKind {
    /// A command to add a task came in; its id is assigned.
    TaskAddRequested,
    /// The task is registered and its actor is on its way to a worker.
    TaskAdded,
    /// The task was refused.
    TaskAddFailed {
        /// Why.
        why: AddRefusal,
    },
    /// An attempt has its permit and begins.
    TaskStarting {
        /// Its number, from 1.
        attempt: u64,
    },
    /// An attempt ended without a failure of its own.
    TaskStopped {
        /// Its number.
        attempt: u64,
        /// How it ended.
        how: AttemptStop,
        /// How long it was up.
        took: Duration,
    },
    /// An attempt failed.
    TaskFailed {
        /// Its number.
        attempt: u64,
        /// What went wrong.
        failure: Failure,
        /// The exit code that it attached.
        exit_code: Option<i32>,
        /// Whether it panicked.
        panicked: bool,
        /// Whether it said that trying again is of no use.
        fatal: bool,
        /// How long it was up.
        took: Duration,
    },
    /// An attempt ran longer than its timeout and is over.
    TimeoutHit {
        /// Its number.
        attempt: u64,
        /// The timeout.
        timeout: Duration,
        /// How long it was up.
        took: Duration,
    },
    /// The next attempt is planned.
    BackoffScheduled {
        /// The attempt that just ended.
        after_attempt: u64,
        /// How long until the next one.
        delay: Duration,
        /// Whether it follows a success or a failure.
        source: BackoffSource,
        /// When it is due, by the system's clock; `None` beyond what the clock can show.
        due: Option<SystemTime>,
    },
    /// The task is over: it completed, failed for good, was canceled or was forced, or it was a submission
    /// that never ran.
    ActorExhausted {
        /// How.
        outcome: TaskOutcome,
    },
    /// The task is over: fatal error, or lost with its thread.
    ActorDead {
        /// How.
        outcome: TaskOutcome,
    },
    /// The task was asked to go.
    TaskRemoveRequested {
        /// Why.
        cause: CancelCause,
    },
    /// The running attempt is to make room for a new one, or the delay that runs is to be over, with a new streak. Told
    /// before that is written down: where the task moves on at this moment, its caller is refused all the same.
    TaskRestartRequested,
    /// The delay that runs is to be over. The same holds.
    TaskRetryRequested,
    /// No attempt begins from now on. One that runs goes on to its end.
    TaskPauseRequested,
    /// Nothing runs, and the next attempt is held back.
    TaskPaused {
        /// The attempt before it; 0: none has run.
        after_attempt: u64,
    },
    /// Attempts may begin again.
    TaskResumed,
    /// Somebody asked for an operator's action that made sense. It goes before what comes of the action, which may be a
    /// refusal where the task moves on at this moment.
    OperatorAction {
        /// Who.
        #[cfg_attr(feature = "serde", serde(serialize_with = "super::serialize_text"))]
        who: Arc<str>,
        /// What.
        verb: OperatorVerb,
        /// Why, if that was said.
        #[cfg_attr(feature = "serde", serde(serialize_with = "super::serialize_maybe_text"))]
        why: Option<Arc<str>>,
    },
    /// The task is physically gone and its name is free.
    TaskRemoved {
        /// Whether it had to be forced.
        forced: bool,
    },
    /// The supervisor shuts down.
    ShutdownRequested {
        /// Why.
        cause: ShutdownCause,
    },
    /// Every task stopped within its grace. The last event of all, or [`GraceExceeded`](Self::GraceExceeded) is.
    AllStoppedWithinGrace,
    /// Some tasks did not stop within their grace. The last event of all.
    GraceExceeded {
        /// Those that had to be forced, or whose threads did not come back.
        stuck: Vec<TaskRef>,
    },
    /// A submission came in and was taken in. Once more when a waiting one is attached to a newer one. One that
    /// is attached has no further events: it ends with the other.
    SlotSubmitted {
        /// For this slot.
        #[cfg_attr(feature = "serde", serde(serialize_with = "super::serialize_text"))]
        slot: Arc<str>,
        /// By this policy; boxed, since no other event says as much. It is `Copy`: `*when_busy`.
        when_busy: Box<WhenBusy>,
        /// What was decided.
        admission: Admission,
    },
    /// A submission was refused, or one that was taken in will not run.
    SlotRejected {
        /// For this slot.
        #[cfg_attr(feature = "serde", serde(serialize_with = "super::serialize_text"))]
        slot: Arc<str>,
        /// Why.
        kind: RejectionKind,
    },
    /// A slot is doing something else than before. The task is the one that brought it about; there is none when a
    /// slot has cooled down.
    SlotTransition {
        /// This slot.
        #[cfg_attr(feature = "serde", serde(serialize_with = "super::serialize_text"))]
        slot: Arc<str>,
        /// What it was doing.
        from: SlotState,
        /// What it is doing.
        to: SlotState,
    },
    /// A subscriber panicked.
    SubscriberPanicked {
        /// Its name.
        #[cfg_attr(feature = "serde", serde(serialize_with = "super::serialize_text"))]
        subscriber: Arc<str>,
        /// The text of the panic, where it is known.
        #[cfg_attr(feature = "serde", serde(serialize_with = "super::serialize_maybe_text"))]
        text: Option<Arc<str>>,
    },
}

macro_rules! event_types {
    ($($(#[$doc:meta])* $name:ident $label:literal $severity:ident;)*) => {
        /// The type of an event, without its fields: what filters name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum EventType {
            $(#[doc = concat!("[`EventKind::", stringify!($name), "`]")] $name,)*
        }

        impl EventType {
            /// Every type there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// A stable name in snake_case.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// The lowest severity that an event of this type can have.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
        }

        impl EventKind {
            /// The type, without the fields.
            #[must_use]
            pub const fn event_type(&self) -> EventType {
                match self { $(Self::$name { .. } => EventType::$name,)* }
            }
        }
    };
}

event_types! {
    TaskAddRequested "task_add_requested" Debug;
    TaskAdded "task_added" Info;
    TaskAddFailed "task_add_failed" Warn;
    TaskStarting "task_starting" Debug;
    TaskStopped "task_stopped" Debug;
    TaskFailed "task_failed" Warn;
    TimeoutHit "timeout_hit" Warn;
    BackoffScheduled "backoff_scheduled" Debug;
    ActorExhausted "actor_exhausted" Info;
    ActorDead "actor_dead" Error;
    TaskRemoveRequested "task_remove_requested" Info;
    TaskRestartRequested "task_restart_requested" Info;
    TaskRetryRequested "task_retry_requested" Info;
    TaskPauseRequested "task_pause_requested" Info;
    TaskPaused "task_paused" Info;
    TaskResumed "task_resumed" Info;
    OperatorAction "operator_action" Info;
    TaskRemoved "task_removed" Debug;
    ShutdownRequested "shutdown_requested" Info;
    AllStoppedWithinGrace "all_stopped_within_grace" Info;
    GraceExceeded "grace_exceeded" Error;
    SubscriberPanicked "subscriber_panicked" Error;
    SlotSubmitted "slot_submitted" Debug;
    SlotRejected "slot_rejected" Info;
    SlotTransition "slot_transition" Debug;
}

impl EventKind {
    /// A stable name in snake_case.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        self.event_type().label()
    }

    /// How much attention it asks for. A task that failed for good is an error; the other ends are not.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::ActorExhausted { outcome: TaskOutcome::Failed(_) }
            | Self::ActorExhausted { outcome: TaskOutcome::ForceAborted { .. } } => Severity::Error,
            Self::TaskStopped { how: AttemptStop::Forced, .. }
            | Self::TaskRemoved { forced: true } => Severity::Warn,
            Self::SlotRejected { kind, .. } if !kind.is_by_policy() => Severity::Warn,
            other => other.event_type().severity(),
        }
    }

    /// The event that ends a task with this outcome.
    pub(crate) fn ended(outcome: TaskOutcome) -> Self {
        match outcome {
            TaskOutcome::Fatal(_) | TaskOutcome::Lost => Self::ActorDead { outcome },
            TaskOutcome::Completed
            | TaskOutcome::Failed(_)
            | TaskOutcome::Canceled { .. }
            | TaskOutcome::ForceAborted { .. }
            | TaskOutcome::Rejected { .. } => Self::ActorExhausted { outcome },
        }
    }

    /// The failure inside, if there is one.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::TaskFailed { failure, .. } => Some(failure),
            Self::ActorExhausted { outcome } | Self::ActorDead { outcome } => outcome.failure(),
            Self::TaskAddRequested
            | Self::TaskAdded
            | Self::TaskAddFailed { .. }
            | Self::TaskStarting { .. }
            | Self::TaskStopped { .. }
            | Self::TimeoutHit { .. }
            | Self::BackoffScheduled { .. }
            | Self::TaskRemoveRequested { .. }
            | Self::TaskRestartRequested
            | Self::TaskRetryRequested
            | Self::TaskPauseRequested
            | Self::TaskPaused { .. }
            | Self::TaskResumed
            | Self::OperatorAction { .. }
            | Self::TaskRemoved { .. }
            | Self::ShutdownRequested { .. }
            | Self::AllStoppedWithinGrace
            | Self::GraceExceeded { .. }
            | Self::SubscriberPanicked { .. }
            | Self::SlotSubmitted { .. }
            | Self::SlotRejected { .. }
            | Self::SlotTransition { .. } => None,
        }
    }

    /// The event of an attempt that failed.
    pub(crate) fn failed(attempt: u64, failure: Failure, took: Duration) -> Self {
        Self::TaskFailed {
            attempt,
            exit_code: failure.exit_code(),
            panicked: failure.is_panic(),
            fatal: failure.is_fatal(),
            failure,
            took,
        }
    }

    pub(crate) fn fmt_fields(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TaskAddRequested
            | Self::TaskAdded
            | Self::TaskRestartRequested
            | Self::TaskRetryRequested
            | Self::TaskPauseRequested
            | Self::TaskResumed
            | Self::AllStoppedWithinGrace => Ok(()),
            Self::TaskPaused { after_attempt } => write!(f, " after_attempt={after_attempt}"),
            Self::OperatorAction { who, verb, why } => {
                write!(f, " verb={verb} who={who:?}")?;
                why.as_ref().map_or(Ok(()), |why| write!(f, ": {why}"))
            }
            Self::TaskAddFailed { why } => write!(f, ": {why}"),
            Self::TaskStarting { attempt } => write!(f, " attempt={attempt}"),
            Self::TaskStopped { attempt, how, took } => {
                write!(f, " attempt={attempt} how={how} took={took:?}")
            }
            Self::TaskFailed { attempt, failure, took, .. } => {
                write!(f, " attempt={attempt} took={took:?}: {failure}")
            }
            Self::TimeoutHit { attempt, timeout, took } => {
                write!(f, " attempt={attempt} timeout={timeout:?} took={took:?}")
            }
            Self::BackoffScheduled { after_attempt, delay, source, .. } => {
                write!(f, " after_attempt={after_attempt} delay={delay:?} source={source}")
            }
            Self::ActorExhausted { outcome } | Self::ActorDead { outcome } => {
                write!(f, ": {outcome}")
            }
            Self::TaskRemoveRequested { cause } => write!(f, " cause={cause}"),
            Self::TaskRemoved { forced } => write!(f, " forced={forced}"),
            Self::ShutdownRequested { cause } => write!(f, " cause={cause}"),
            Self::GraceExceeded { stuck } => {
                let names: Vec<_> = stuck.iter().map(TaskRef::to_string).collect();
                write!(f, ": {}", names.join(", "))
            }
            Self::SlotSubmitted { slot, when_busy, admission } => {
                write!(f, " slot={slot} when_busy={when_busy}: {admission}")
            }
            Self::SlotRejected { slot, kind } => write!(f, " slot={slot}: {kind}"),
            Self::SlotTransition { slot, from, to } => {
                write!(f, " slot={slot} from={from} to={to}")
            }
            Self::SubscriberPanicked { subscriber, text } => {
                write!(f, " subscriber={subscriber}: {}", text.as_deref().unwrap_or("(no text)"))
            }
        }
    }
}
