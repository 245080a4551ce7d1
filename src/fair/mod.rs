//! Turns: actix drains a mailbox without end, and only a waiting context leaves that loop.
//!
//! | wait | lets pass | for |
//! |---|---|---|
//! | `Turn` | whoever on this thread is ready now | `Registry` and `Broker`, in the middle of a long mailbox; `Worker`, when it has begun many tasks |
//! | `OthersFirst` | all who are, and the caller of `block_on` | `Broker`, whose mailbox is empty, to see whether more events come |
//!
//! The first is a wait of the context; the second holds a whole actor, and its context knows nothing of it.
//!
//! `poll_answer` is for callers: how many answers to commands one of them takes before others have their turn.

mod answer;
mod others;
#[cfg(test)]
mod tests;
mod turn;

pub(crate) use answer::poll_answer;
pub(crate) use others::OthersFirst;
pub(crate) use turn::Turn;
