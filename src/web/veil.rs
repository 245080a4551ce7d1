//! What is hidden before anything leaves: events and statuses are rewritten at the door, so that no view need think of it.

use std::{borrow::Cow, sync::Arc};

use crate::{
    cell::TaskStatus,
    contain::contained,
    event::{Event, EventKind},
    id::TaskRef,
    slot::{SlotStatus, SlotWaiter},
    task::{Failure, TaskOutcome},
};

type Hook = dyn for<'a> Fn(Redact<'a>) -> Cow<'a, str> + Send + Sync;

/// Shown where the hook panicked.
const HIDDEN: &str = "(hidden)";

/// What is about to be shown.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Redact<'a> {
    /// The name of a task.
    TaskName(&'a str),
    /// The name of a slot.
    SlotName(&'a str),
    /// The text of an error or panic.
    ErrorText(&'a str),
    /// The name of a subscriber that panicked.
    SubscriberName(&'a str),
    /// Who acted, or would act: the name that the access hook gave, or [`Operator::new`](crate::Operator::new).
    OperatorName(&'a str),
    /// Why somebody acted, as they wrote it.
    Reason(&'a str),
}

impl<'a> Redact<'a> {
    /// The text itself.
    #[must_use]
    pub fn text(self) -> &'a str {
        match self {
            Self::TaskName(text)
            | Self::SlotName(text)
            | Self::ErrorText(text)
            | Self::SubscriberName(text)
            | Self::OperatorName(text)
            | Self::Reason(text) => text,
        }
    }
}

/// The user's rewriting, contained. Without one everything passes as it is.
#[derive(Clone, Default)]
pub(super) struct Veil(Option<Arc<Hook>>);

impl Veil {
    pub(super) fn new(
        hook: impl for<'a> Fn(Redact<'a>) -> Cow<'a, str> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(hook)))
    }

    /// Whether both show the same for sure.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    pub(super) fn text(&self, shown: Redact<'_>) -> String {
        let Some(hook) = &self.0 else { return shown.text().to_owned() };
        contained(|| hook(shown).into_owned()).unwrap_or_else(|text| {
            log::error!("the redact hook panicked, and the text is hidden: {text}");
            HIDDEN.to_owned()
        })
    }

    pub(super) fn task(&self, task: &TaskRef) -> TaskRef {
        match self.0 {
            None => task.clone(),
            Some(_) => TaskRef::new(task.id(), self.text(Redact::TaskName(task.name())).into()),
        }
    }

    fn slot_name(&self, slot: &Arc<str>) -> Arc<str> {
        match self.0 {
            None => Arc::clone(slot),
            Some(_) => self.text(Redact::SlotName(slot)).into(),
        }
    }

    pub(super) fn failure(&self, failure: &Failure) -> Failure {
        match self.0 {
            None => failure.clone(),
            Some(_) => failure.told_as(self.text(Redact::ErrorText(failure.text()))),
        }
    }

    fn outcome(&self, outcome: &TaskOutcome) -> TaskOutcome {
        match outcome {
            TaskOutcome::Failed(failure) => TaskOutcome::Failed(self.failure(failure)),
            TaskOutcome::Fatal(failure) => TaskOutcome::Fatal(self.failure(failure)),
            TaskOutcome::Canceled { cause, failure } => TaskOutcome::Canceled {
                cause: *cause,
                failure: failure.as_ref().map(|failure| self.failure(failure)),
            },
            TaskOutcome::Completed
            | TaskOutcome::ForceAborted { .. }
            | TaskOutcome::Lost
            | TaskOutcome::Rejected { .. } => outcome.clone(),
        }
    }

    pub(super) fn status(&self, status: TaskStatus) -> TaskStatus {
        if self.0.is_none() {
            return status;
        }
        TaskStatus {
            task: self.task(&status.task),
            slot: status.slot.as_ref().map(|slot| self.slot_name(slot)),
            last_failure: status.last_failure.as_ref().map(|failure| self.failure(failure)),
            outcome: status.outcome.as_ref().map(|outcome| self.outcome(outcome)),
            ..status
        }
    }

    pub(super) fn slot(&self, slot: SlotStatus) -> SlotStatus {
        if self.0.is_none() {
            return slot;
        }
        let waiter = |waiter: SlotWaiter| SlotWaiter { task: self.task(&waiter.task), ..waiter };
        SlotStatus {
            name: self.slot_name(&slot.name),
            owners: slot.owners.into_iter().map(|owner| self.status(owner)).collect(),
            queue: slot.queue.into_iter().map(waiter).collect(),
            ..slot
        }
    }

    pub(super) fn event<'a>(&self, event: &'a Event) -> Cow<'a, Event> {
        if self.0.is_none() {
            return Cow::Borrowed(event);
        }
        Cow::Owned(Event {
            seq: event.seq,
            at: event.at,
            task: event.task.as_ref().map(|task| self.task(task)),
            kind: self.kind(event.kind.clone()),
        })
    }

    fn kind(&self, kind: EventKind) -> EventKind {
        match kind {
            EventKind::TaskFailed { attempt, failure, exit_code, panicked, fatal, took } => {
                let failure = self.failure(&failure);
                EventKind::TaskFailed { attempt, failure, exit_code, panicked, fatal, took }
            }
            EventKind::ActorExhausted { outcome } => {
                EventKind::ActorExhausted { outcome: self.outcome(&outcome) }
            }
            EventKind::ActorDead { outcome } => {
                EventKind::ActorDead { outcome: self.outcome(&outcome) }
            }
            EventKind::GraceExceeded { stuck } => EventKind::GraceExceeded {
                stuck: stuck.iter().map(|task| self.task(task)).collect(),
            },
            EventKind::SlotSubmitted { slot, when_busy, admission } => {
                EventKind::SlotSubmitted { slot: self.slot_name(&slot), when_busy, admission }
            }
            EventKind::SlotRejected { slot, kind } => {
                EventKind::SlotRejected { slot: self.slot_name(&slot), kind }
            }
            EventKind::SlotTransition { slot, from, to } => {
                EventKind::SlotTransition { slot: self.slot_name(&slot), from, to }
            }
            EventKind::OperatorAction { who, verb, why } => EventKind::OperatorAction {
                who: self.text(Redact::OperatorName(&who)).into(),
                verb,
                why: why.map(|why| self.text(Redact::Reason(&why)).into()),
            },
            EventKind::SubscriberPanicked { subscriber, text } => EventKind::SubscriberPanicked {
                subscriber: self.text(Redact::SubscriberName(&subscriber)).into(),
                text: text.map(|text| self.text(Redact::ErrorText(&text)).into()),
            },
            other @ (EventKind::TaskAddRequested
            | EventKind::TaskAdded
            | EventKind::TaskAddFailed { .. }
            | EventKind::TaskStarting { .. }
            | EventKind::TaskStopped { .. }
            | EventKind::TimeoutHit { .. }
            | EventKind::BackoffScheduled { .. }
            | EventKind::TaskRemoveRequested { .. }
            | EventKind::TaskRestartRequested
            | EventKind::TaskRetryRequested
            | EventKind::TaskPauseRequested
            | EventKind::TaskPaused { .. }
            | EventKind::TaskResumed
            | EventKind::TaskRemoved { .. }
            | EventKind::ShutdownRequested { .. }
            | EventKind::AllStoppedWithinGrace) => other,
        }
    }
}
