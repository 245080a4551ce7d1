//! Moments and alarms: every clock in this crate is Tokio's, so that a paused clock drives it all.
//!
//! | file | what |
//! |---|---|
//! | `moment.rs` | moments that are far away, without overflow |
//! | `alarm.rs` | the one timer of an actor |
//! | `wall.rs` | what the system's clock showed then |

mod alarm;
mod moment;
#[cfg(test)]
mod tests;
mod wall;

pub(crate) use alarm::Alarm;
pub(crate) use moment::{late, moment};
pub(crate) use wall::WallClock;
