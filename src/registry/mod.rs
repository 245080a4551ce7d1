//! `Registry`: who is a member, under which name and id, in which slot, within which limits, and who is
//! asked to stop.
//!
//! It runs no user code and waits for nobody. A command is one message; its handler asks the pure
//! books (`ledger/`), changes them (`membership/`), and answers: the reply is the decision. Whoever
//! wants to know how it went on waits at the task's cell.
//!
//! | message in | sender | reply |
//! |---|---|---|
//! | [`AddTask`], [`AddTasks`] | handles, applications | the handles, or a refusal with the specs |
//! | [`SubmitTask`] | handles, applications | the submission's handle, or a refusal with the submission |
//! | [`CancelTask`], [`CancelAll`], [`CancelSlot`] | handles, applications | [`Cancelling`](crate::Cancelling) |
//! | [`RestartTask`], [`RetryTask`], [`PauseTask`], [`ResumeTask`] | handles, applications | [`ActReply`](crate::ActReply) |
//! | [`TaskList`], [`FindTask`] | handles, applications | handles of tasks |
//! | [`SlotList`] | handles, applications | statuses of slots |
//! | `StatusList`, `StatusOf` | handles | cells, with places in queues |
//! | `OverviewWanted`, `LeaveService` | feature `web` | cells, none |
//! | [`ShutDown`] | handles, applications, the drop of the last handle | none |
//! | `AwaitEmpty` | handles | through the channel inside |
//! | `TaskEnded` | a task's guard, once | none |
//! | `PermitWanted`, `AttemptReleased` | `TaskActor`, under `max_concurrent` | `PermitGranted`, none |
//! | `SnapshotWanted`, `BrokerClosed` | `Broker` | `SnapshotTaken`, none |
//!
//! A handle sends its commands in an [`Envelope`], which also carries the reply channel and has taken a place
//! under the bound, free as soon as it is opened. Dropped unhandled (the supervisor has ended), it answers
//! `ShuttingDown` and hands back what was lent.
//!
//! ```text
//! Serving ──ShutDown──► Stopping ──all ended, or their deadlines passed──► Closing ──BrokerClosed──► gone
//!    │                     ▲
//!    └─after queues─► Draining: slots are quiet, or time is over, or ShutDown
//! ```
//!
//! Invariants:
//! - R1: an id is given out once. A name is held from the acceptance of a task, or the start of one that waited in a
//!   slot, to its physical end.
//! - R2: every accepted task has one entry until its `TaskEnded`, which comes exactly once (T3), or, while it
//!   waits in a slot, until it is ended there.
//! - R3: a permit is held by an entry, so it comes back with it, whatever became of the attempt.
//! - R4: every request to stop has its deadline here: grace + 250 ms. No report by then: the outcome
//!   is `ForceAborted`, the entry stays until the physical end.
//! - R5: the order at an end is: outcome in the cell, terminal event (both by the task), name freed,
//!   `TaskRemoved`, waiters; then the slot's next owner starts, in the same step.
//! - R6: a submission that was taken in is in exactly one place: it owns its slot, waits in it (with its
//!   work in its entry), follows another one (`followers`; then it is no member), or is over.
//! - R7: a slot's place is free when its owner's `TaskEnded` has been handled, and not before. In that step, or
//!   in the one that brings the time, the next one starts. So room and one who could use it never stand side
//!   by side, and there is nothing to look after.
//! - R8: what is due by the clock counts before the message that is handled: a deadline in a queue holds
//!   whichever of the two wakes this actor.
//! - R9: what a poll of this actor brings for other threads leaves at its end at the latest: answers to envelopes, of which
//!   the first leaves at once, and orders, behind the events of their tasks and before the time of a request to stop
//!   begins. A poll handles 64 messages at the most.
//!
//! A panic in a handler would be a defect of this crate; the actor then goes on with the same mailbox
//! and books: handlers decide first and change them last, and a slot that was left half changed is mended.
//! Three within a second end the supervisor.
//!
//! Not promised: deadlines in `Placement::Current`, where a body that blocks the thread blocks this too.

mod actor;
mod answers;
mod closing;
mod handlers;
mod ledger;
mod listing;
mod membership;
mod messages;
#[cfg(test)]
mod tests;

pub use actor::Registry;
pub(crate) use actor::RegistrySettings;
pub(crate) use closing::Finale;
pub(crate) use ledger::SlotLimits;
#[cfg(test)]
pub(crate) use messages::Fault;
#[cfg(feature = "web")]
pub(crate) use messages::LeaveService;
pub use messages::{
    AddTask, AddTasks, CancelAll, CancelSlot, CancelTask, FindTask, PauseTask, RestartTask,
    ResumeTask, RetryTask, ShutDown, SlotList, SubmitTask, TaskList,
};
pub(crate) use messages::{
    AttemptReleased, AwaitEmpty, BrokerClosed, Command, EndReport, Envelope, Overview,
    OverviewWanted, PermitWanted, SnapshotWanted, StatusList, StatusOf, TaskEnded,
};
