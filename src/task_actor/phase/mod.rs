//! What follows what in the life of a task: pure.
//!
//! The actor tells what happened (an [`Input`]), with what somebody asked for ([`Wishes`]), and does what it is told to
//! (an [`Effect`]): [`Phase::heeding`], then [`Phase::on`]. What does not fit the phase changes nothing (T5).

#[expect(clippy::module_inception, reason = "`Phase` lives in `phase.rs`")]
mod phase;
mod step;
#[cfg(test)]
mod tests;
mod wishes;

pub(super) use phase::Phase;
pub(super) use step::{Asked, Conclusion, Effect, Input};
pub(crate) use wishes::Wishes;
