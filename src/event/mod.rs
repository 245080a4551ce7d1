//! Lifecycle events: what happened, one variant for each fact, each with its own fields.
//!
//! Events tell; they decide nothing. A task's events are made by its `TaskActor` (attempts, backoff,
//! the end), the others by `Registry` (commands, membership, shutdown) and `Broker` (subscribers).
//! None is made when no subscription wants its type.
//!
//! | what is counted | by |
//! |---|---|
//! | one of `TaskStopped`, `TaskFailed`, `TimeoutHit` | attempt |
//! | one of `ActorExhausted`, `ActorDead` | accepted task, and submission that was taken in and is not attached to another |
//! | one of `AllStoppedWithinGrace`, `GraceExceeded`, the last event of all | supervisor |

#[expect(clippy::module_inception, reason = "the type `Event` lives in `event.rs`")]
mod event;
mod filter;
mod kind;
mod terms;

pub use event::Event;
pub(crate) use event::{Draft, Numbered};
#[cfg(feature = "serde")]
pub(crate) use event::{serialize_maybe_text, serialize_text};
pub use filter::EventFilter;
pub(crate) use filter::TypeSet;
pub use kind::{EventKind, EventType};
pub use terms::{AttemptStop, BackoffSource, Severity};
