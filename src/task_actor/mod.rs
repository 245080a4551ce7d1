//! `TaskActor`: one task, from its acceptance to its outcome.
//!
//! It owns the phase of its task, the task object, and the slot in which the future of the current
//! attempt lives. It decides nothing about membership, names or permits: those are `Registry`'s.
//!
//! | message in | sender | reply |
//! |---|---|---|
//! | [`Cancel`] | anybody with its `Addr` | none: passed on to `Registry`, which owns stops |
//! | [`CurrentStatus`] | anybody with its `Addr` | [`TaskStatus`](crate::TaskStatus) |
//! | `PermitGranted` | `Registry`: once for the add, once for each `PermitWanted` | none |
//!
//! A request to stop is no message, nor is the end of the supervisor: it stands in the cell, which wakes this actor; every
//! poll looks there first. Late, twice or together with the end it does no harm. So most tasks are never sent a message,
//! and have a mailbox and a context of actix's only from when somebody asks for their address: `life.rs`.
//!
//! | report out | to | when |
//! |---|---|---|
//! | `PermitWanted`, `AttemptReleased` | `Registry` | under `max_concurrent`: before each attempt but the first, after each but the last |
//! | `TaskEnded` | `Registry` | once, on every path: `guard.rs` |
//! | `Publish` | `Broker` | one or two events of a step, as soon as they are facts, before any report that follows from them |
//!
//! ```text
//!            permit?                    AttemptEnded: retry, or next run
//! Created ─────────► WaitingForPermit ──► Running ───────────────► BackingOff ─┐
//!    │  └──────────────────────────────────▲ │  │ timeout              │ ▲     │ due: permit? Running
//!    │ stop                                │ │  └──────► TimingOut ────┘ │     │
//!    ▼                                     │ │ stop          │ stop      └─────┘
//!  Ended ◄───────── AttemptEnded ──────────┼─┴──► Stopping ◄─┘
//! ```
//!
//! Asked by an operator: `Running ──restart──► Restarting ──AttemptEnded──► BackingOff` without a delay;
//! `Created`, `BackingOff` or a permit that came `──pause──► Paused ──resume──► BackingOff`. A stop ends both.
//!
//! Where to look: *may it run again, and when?* `policy`; *what follows what?* `phase/` (pure);
//! *where is user code made, polled and dropped?* `attempt.rs`, and nowhere else.
//!
//! Invariants:
//! - T1: at most one attempt is in the slot. The next starts after the slot was emptied.
//! - T2: every attempt that started has exactly one of `TaskStopped`, `TaskFailed`, `TimeoutHit`.
//! - T3: `TaskEnded` is sent exactly once: by the actor, or by the drop of its guard.
//! - T4: at the end: outcome in the cell, then the terminal event, then `TaskEnded`, then the wake.
//! - T5: an input that does not fit the phase changes nothing.
//!
//! Not promised: a body that blocks its thread blocks this actor as well. `Registry` keeps the
//! deadline of a stop for that reason.

mod actor;
mod attempt;
mod ending;
mod guard;
mod handlers;
mod life;
mod messages;
mod phase;

pub use actor::TaskActor;
pub(crate) use attempt::is_inside;
pub(crate) use guard::EndGuard;
pub(crate) use life::Life;
pub use messages::{Cancel, CurrentStatus};
pub(crate) use messages::{PermitGranted, Permits, StartTask};
pub(crate) use phase::Wishes;
