use std::{
    cell::Cell,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use tokio::{
    sync::oneshot,
    task::coop::{has_budget_remaining, unconstrained},
};

use crate::supervisor::DEFAULT_COMMAND_CAPACITY;

/// How many answers beyond Tokio's measure are taken in one poll of a task, at the most: as many as can be under way by
/// default.
pub(super) const MOST_BEYOND: usize = DEFAULT_COMMAND_CAPACITY;

thread_local! {
    /// How many have been taken beyond it since it was there last.
    static BEYOND: Cell<usize> = const { Cell::new(0) };
}

/// Tokio lets a task take 128 results in one poll, and has it polled again for those beyond: of 1,024 commands under way
/// most would be polled four times in vain. They are taken here as well, and no more than that, so that whoever sends
/// a command for each answer, which another thread has answered by then, yields now and then.
pub(crate) fn poll_answer<T>(
    answer: &mut oneshot::Receiver<T>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, oneshot::error::RecvError>> {
    if has_budget_remaining() {
        BEYOND.set(0);
        return Pin::new(answer).poll(cx);
    }
    let beyond = BEYOND.get();
    if beyond >= MOST_BEYOND {
        return Pin::new(answer).poll(cx); // which has the task polled again, later
    }
    let answered = pin!(unconstrained(answer)).poll(cx);
    BEYOND.set(beyond + usize::from(answered.is_ready()));
    answered
}
