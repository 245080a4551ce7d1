//! Admission by key: who may own a slot, and what becomes of the next one who asks for it.
//!
//! A *slot* is a key such as `tenant-42`. Tasks that are [submitted](crate::SupervisorHandle::submit) for the same
//! slot do not run at the same time: one of them *owns* the slot (or as many as its
//! [`concurrency`](Submission::concurrency) says), and the policy of each newcomer says what becomes of that.
//! Tasks that are [added](crate::SupervisorHandle::add) have no slot and are not held up by any.
//!
//! ```
//! use actix_taskvisor::prelude::*;
//!
//! # #[actix::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let supervisor = TaskSupervisor::builder().start()?;
//! let sync = |run: u32| TaskSpec::once(format!("sync-42-{run}"), async |_ctx| Ok(()));
//!
//! let first = supervisor.submit(Submission::new(sync(1)).slot("tenant-42")).await?;
//! let second = supervisor.submit(Submission::new(sync(2)).slot("tenant-42")).await?;
//! assert_eq!(first.admission(), Admission::Started);
//! assert!(first.outcome().await.is_success());
//! assert!(second.outcome().await.is_success()); // never beside the first
//! # Ok(()) }
//! ```
//!
//! # Which policy do I want?
//!
//! | when the second request comes | policy |
//! |---|---|
//! | both must run, one after the other | [`Queue`](WhenBusy::Queue), with [`max_wait`](Submission::max_wait) if a late run is of no use |
//! | only the newest matters, and the running one may be cut short | [`Replace`](WhenBusy::Replace) |
//! | the same, and nothing that waits matters any more | [`ReplaceAll`](WhenBusy::ReplaceAll) |
//! | one is enough, and the caller should hear that it was not theirs | [`DropIfRunning`](WhenBusy::DropIfRunning) |
//! | one is enough, and every caller wants its outcome | [`Attach`](WhenBusy::Attach) |
//! | requests come in bursts, and one run after the burst is enough | [`Debounce`](WhenBusy::Debounce) |
//! | a run now and then is enough, however often it is asked for | [`Throttle`](WhenBusy::Throttle) |
//!
//! The decision is made when the command is handled, in the same step that starts the task, and is the reply:
//! [`SubmissionHandle::admission`], or [`SubmitError`] with the submission inside. A submission that was taken in
//! gets exactly one [outcome](crate::TaskOutcome), whatever becomes of it; one that never runs gets
//! [`Rejected`](crate::TaskOutcome::Rejected), or [`Canceled`](crate::TaskOutcome::Canceled) with attempt 0 if somebody cancels it.
//!
//! # The states of a slot
//!
//! ```text
//!                 start                      an owner is asked to stop
//!        Idle ─────────────► Running ───────────────────────────► Stopping
//!        ▲ │                 ▲  │  ▲                                │   │
//!        │ │ debounced       │  │  └──── the next one starts ───────┘   │
//!        │ │ or throttled    │  │                                       │
//!        │ ▼                 │  │ its last owner is physically over     │
//!        │ Delaying ─────────┘  │ and nobody waits                      │
//!        │ │      its time came │                                       │
//!        ├─┘ it was canceled    │                                       │
//!        │                      ▼                                       │
//!        ├──────────────────────┴───────────────────────────────────────┘
//!        │
//!        └── Cooling ◄── after a throttled start, until `every` is over: as Idle, but remembered
//! ```
//!
//! Leaving `Running` or `Stopping`, a slot with a submission that waits for its time is `Delaying`. Each
//! change is told by [`SlotTransition`](crate::EventKind::SlotTransition) with the submission that brought it about; the
//! end of `Cooling` is brought about by the clock, and has none.
//!
//! # What holds
//!
//! - There are never more owners than `concurrency`. An owner holds its slot until it is *physically* over:
//!   a body that ignores its cancellation keeps it until it is forced, one that blocks its thread until the thread
//!   comes back. A `Replace` waits for that too. Such an owner is seen in [`slots`](crate::SupervisorHandle::slots): asked to
//!   stop since when, outcome [`ForceAborted`](crate::TaskOutcome::ForceAborted), still polling.
//! - Whenever there is room, the next one starts in the same step: first one that came by `Replace`, then by
//!   [`priority`](Submission::priority), then in the order of arrival. A debounced or throttled one joins that order when
//!   its time has come, in the place of the first of its burst: newer ones that displace it do not lose that.
//! - A name is claimed when a task starts, not before: those who wait may share a name, owners at the same
//!   time may not. One whose turn comes while its name is taken is `Rejected` with
//!   [`AlreadyExists`](RejectionKind::AlreadyExists), and the next one starts. Until then it is found by its id only.
//! - Those who wait are listed as tasks, count for `max_tasks`, and are found by id; those who are
//!   attached count for nothing.
//! - Under `max_concurrent`, slots that wait for permits get them in turn; all tasks without a slot are
//!   one slot in this.
//! - What the clock brings counts before what somebody asks at the same moment, and a time that comes before a
//!   deadline that passes.
//! - A slot that is idle is forgotten.
//! - A shutdown rejects all who wait; [`shutdown_after_queues`](crate::SupervisorHandle::shutdown_after_queues) lets them run first.
//!
//! # What does not
//!
//! - Slots live in memory, in one supervisor. They are no locks between processes.
//! - A resident task that never ends keeps its slot; who queues behind it waits, unless it says `max_wait`.
//! - Whoever reads an outcome may find the slot still held for a moment: wait for
//!   [`removed`](SubmissionHandle::removed) to be sure.

mod admission;
mod commands;
mod handle;
mod refusal;
mod status;
mod submission;

pub use admission::Admission;
pub use handle::SubmissionHandle;
pub use refusal::{RejectionKind, ReturnedSubmission, SubmitError};
pub use status::{SlotScope, SlotState, SlotStatus, SlotWaiter};
pub(crate) use submission::Terms;
pub use submission::{DEFAULT_SLOT_CONCURRENCY, Submission, WhenBusy};
