//! The life of a member, as `Registry` sees it.
//!
//! `adding.rs` and `submitting.rs`: how it comes. `waiting.rs`: how it waits in a slot, starts from there, or ends
//! without having run. `following.rs`: those who share the outcome of another. `stopping.rs`: how it is
//! asked to stop. `operating.rs`: what else it is asked for. `leaving.rs`: how it goes.

mod adding;
mod following;
mod leaving;
mod operating;
mod stopping;
mod submitting;
mod waiting;

pub(super) use following::Followers;
pub(super) use waiting::Parked;
