use std::{sync::Arc, time::Duration};

use actix::prelude::Message;
use tokio::sync::oneshot;

use super::actor::Registry;
use crate::{
    cell::{Sighting, TaskCell},
    contain::Answer,
    error::{AddAllError, AddError, StopError},
    id::{TaskId, TaskTarget},
    operator::{ActError, ActReply, Operator},
    slot::{SlotScope, SlotStatus, Submission, SubmissionHandle, SubmitError},
    supervisor::{Cancelling, ShutdownCause, TaskHandle},
    task::TaskSpec,
};

// ---- public: commands and queries ----

/// Adds a task. The reply is the decision: the task is registered, or the spec comes back.
#[derive(Debug, Message)]
#[rtype(result = "Result<TaskHandle, AddError>")]
pub struct AddTask(pub TaskSpec);

/// Adds all tasks or none: nothing starts unless every spec is accepted.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<TaskHandle>, AddAllError>")]
pub struct AddTasks(pub Vec<TaskSpec>);

/// Submits a task for a slot. The reply is the decision, or the submission comes back.
#[derive(Debug, Message)]
#[rtype(result = "Result<SubmissionHandle, SubmitError>")]
pub struct SubmitTask(pub Submission);

/// Asks a task to stop. The reply comes at once; [`Cancelling::end`] waits for the end.
#[derive(Debug, Message)]
#[rtype(result = "Result<Cancelling, StopError>")]
pub struct CancelTask {
    pub(crate) target: TaskTarget,
    pub(crate) operator: Option<Operator>,
}

/// What a message about one task says of it.
macro_rules! names_a_task {
    ($message:ident) => {
        impl $message {
            /// Names the task.
            pub fn new(target: impl Into<TaskTarget>) -> Self {
                Self { target: target.into(), operator: None }
            }

            /// Says who asks and why: told by [`OperatorAction`](crate::EventKind::OperatorAction) before anything
            /// comes of it.
            #[must_use]
            pub fn by(mut self, operator: Operator) -> Self {
                self.operator = Some(operator);
                self
            }
        }
    };
}
names_a_task!(CancelTask);

/// The requests of the room `operator`, which are all alike.
macro_rules! asks_a_task {
    ($($(#[$doc:meta])* $message:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Message)]
        #[rtype(result = "Result<ActReply, ActError>")]
        pub struct $message {
            pub(crate) target: TaskTarget,
            pub(crate) operator: Option<Operator>,
        }
        names_a_task!($message);
    )*};
}
asks_a_task! {
    /// Asks for a new attempt in place of the one that runs or waits: see
    /// [`restart`](crate::SupervisorHandle::restart).
    RestartTask;
    /// Skips the delay that runs: see [`retry_now`](crate::SupervisorHandle::retry_now).
    RetryTask;
    /// Lets no attempt begin: see [`pause`](crate::SupervisorHandle::pause).
    PauseTask;
    /// Lets attempts begin again: see [`resume`](crate::SupervisorHandle::resume).
    ResumeTask;
}

/// Asks every task to stop, each within its own grace or the one given here.
#[derive(Clone, Copy, Debug, Default, Message)]
#[rtype(result = "Vec<Cancelling>")]
pub struct CancelAll {
    /// The grace; `None`: each task's own.
    pub within: Option<Duration>,
}

/// Cancels everyone who waits in a slot, and its owners too if asked for. A slot that is not in use has nobody.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Vec<Cancelling>")]
pub struct CancelSlot {
    pub(crate) slot: Arc<str>,
    pub(crate) scope: SlotScope,
}

impl CancelSlot {
    /// Names the slot, and what of it.
    pub fn new(slot: impl Into<Arc<str>>, scope: SlotScope) -> Self {
        Self { slot: slot.into(), scope }
    }
}

/// Asks for the slots that are in use, in the order of their names.
#[derive(Clone, Debug, Default, Message)]
#[rtype(result = "Vec<SlotStatus>")]
pub struct SlotList {
    pub(crate) slot: Option<Arc<str>>,
}

impl SlotList {
    /// Asks for this slot only.
    pub fn only(slot: impl Into<Arc<str>>) -> Self {
        Self { slot: Some(slot.into()) }
    }
}

/// Asks for all tasks that have not been removed, in the order of their ids.
#[derive(Clone, Copy, Debug, Default, Message)]
#[rtype(result = "Vec<TaskHandle>")]
pub struct TaskList;

/// Asks for one task: a living one, else one in the history of outcomes.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Option<TaskHandle>")]
pub struct FindTask {
    pub(crate) target: TaskTarget,
}

impl FindTask {
    /// Names the task.
    pub fn new(target: impl Into<TaskTarget>) -> Self {
        Self { target: target.into() }
    }
}

/// Asks for all members with their places. Sent by handles.
#[derive(Message)]
#[rtype(result = "Vec<Sighting>")]
pub(crate) struct StatusList;

/// Asks for one task with its place. Sent by handles.
#[derive(Message)]
#[rtype(result = "Option<Sighting>")]
pub(crate) struct StatusOf {
    pub(crate) target: TaskTarget,
}

/// Asks for everything that an operator looks at. Sent by handles and by the routes of feature `web`.
#[derive(Message)]
#[rtype(result = "Overview")]
pub(crate) struct OverviewWanted;

/// Members, the ended ones that are remembered, and what readiness hangs on, all at one moment.
pub(crate) struct Overview {
    /// In the order of their ids.
    #[cfg(feature = "web")]
    pub(crate) living: Vec<Sighting>,
    /// Oldest first.
    #[cfg(feature = "web")]
    pub(crate) past: Vec<Arc<TaskCell>>,
    /// The latest task of each name that is required.
    pub(crate) required: Vec<Arc<TaskCell>>,
    /// Whether it shuts down, or is about to.
    pub(crate) is_draining: bool,
}

/// The program is about to end: it is not ready from now on. Sent by the joint shutdown of feature `web`.
#[cfg(feature = "web")]
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct LeaveService;

/// Shuts the supervisor down, as [`SupervisorHandle::shutdown`](crate::SupervisorHandle::shutdown) does,
/// without waiting for the report. A second one changes nothing.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct ShutDown {
    pub(crate) cause: ShutdownCause,
    pub(crate) after_queues: Option<Duration>,
}

impl ShutDown {
    pub(crate) const fn because(cause: ShutdownCause) -> Self {
        Self { cause, after_queues: None }
    }

    /// Lets the slots work off what waits in them first, as
    /// [`SupervisorHandle::shutdown_after_queues`](crate::SupervisorHandle::shutdown_after_queues) does.
    #[must_use]
    pub const fn after_queues(within: Duration) -> Self {
        Self { cause: ShutdownCause::Requested, after_queues: Some(within) }
    }
}

impl Default for ShutDown {
    fn default() -> Self {
        Self::because(ShutdownCause::Requested)
    }
}

// ---- reports ----

/// A task is physically over. Sent once by its guard.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TaskEnded {
    pub(crate) cell: Arc<TaskCell>,
    pub(crate) report: EndReport,
}

/// How the end came about.
pub(crate) enum EndReport {
    /// The task told its outcome and its last events.
    InOrder,
    /// Its thread or runtime is gone, or it never started: nobody told anything.
    Vanished {
        /// The attempt that was under way.
        attempt: Option<(u64, Duration)>,
        /// The version of the cell with the outcome `Lost`; `None` if it had an outcome already.
        lost: Option<u64>,
    },
}

/// An attempt wants to start. Sent by `TaskActor` under `max_concurrent`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct PermitWanted {
    pub(crate) task: TaskId,
}

/// An attempt is over and the task goes on. Sent by `TaskActor` under `max_concurrent`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AttemptReleased {
    pub(crate) task: TaskId,
}

/// A subscription wants the statuses of all members. Sent by `Broker`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SnapshotWanted {
    pub(crate) subscription: u64,
}

/// The broker has delivered what it could, or is gone. Sent once by `Broker`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct BrokerClosed {
    pub(crate) undelivered: u64,
}

/// Somebody waits until there is no task. Answered through the channel, which outlives a restart.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AwaitEmpty {
    pub(crate) answer: Answer<()>,
}

/// Makes the handler panic, to see what survives.
#[cfg(test)]
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Fault;

// ---- the envelope of a handle's command ----

/// A message that asks `Registry` for a decision: the same one, whether it came in an [`Envelope`] or
/// straight to the address.
pub(crate) trait Command: Message<Result: Send> + Send + 'static {
    /// Whether its decision takes the longer, the more members there are, or the more it brings.
    const LOOKS_AT_ALL: bool = false;

    /// Decides, carries out, answers.
    fn decide(self, registry: &mut Registry) -> Self::Result;

    /// The answer of a supervisor that has ended, giving back what was lent; `None`: no answer.
    fn refused(self) -> Option<Self::Result>
    where
        Self: Sized,
    {
        None
    }
}

/// A command on its way, with its reply channel. It has a place under the bound, which whoever opens it gives back.
pub(crate) struct Envelope<M: Command> {
    content: Option<Content<M>>,
}

struct Content<M: Command> {
    message: M,
    answer: Answer<M::Result>,
}

impl<M: Command> Envelope<M> {
    pub(crate) fn seal(message: M) -> (Self, oneshot::Receiver<M::Result>) {
        let (answer, answered) = Answer::channel();
        (Self { content: Some(Content { message, answer }) }, answered)
    }

    /// The message and where its answer goes.
    pub(crate) fn open(mut self) -> Option<(M, Answer<M::Result>)> {
        self.content.take().map(|content| (content.message, content.answer))
    }
}

impl<M: Command> Drop for Envelope<M> {
    fn drop(&mut self) {
        if let Some(Content { message, answer }) = self.content.take()
            && let Some(refusal) = message.refused()
        {
            // Nobody waits: what was lent is dropped here, contained by its wrapper.
            drop(answer.send(refusal));
        }
    }
}

impl<M: Command> Message for Envelope<M> {
    type Result = ();
}
