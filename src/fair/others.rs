use std::{
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context as PollContext, Poll, Wake, Waker},
};

use actix::{fut::ActorFuture, prelude::*};
use tokio::task::yield_now;

/// Ends the current poll of an actor until all others on the thread have had their turn, the caller of `block_on` as
/// well: waking itself would bring the actor back before that. Where the runtime has no such list of those who wait (a
/// multi-thread one), it is like a [`Turn`](super::Turn).
///
/// For `ctx.wait`, which leaves the mailbox alone meanwhile: of all that arrives only the first wakes the actor, for
/// nothing, since the end of this wait is told from other wake-ups.
pub(crate) struct OthersFirst {
    bell: Weak<Bell>,
    was_polled: bool,
}

/// Wakes the actor when it goes: that the runtime came round, or forgot it with a `block_on` that ended.
struct Bell {
    actor: Waker,
}

impl OthersFirst {
    /// To be made in the poll that is to end.
    pub(crate) fn new(cx: &PollContext<'_>) -> Self {
        let bell = Arc::new(Bell { actor: cx.waker().clone() });
        let wait = Self { bell: Arc::downgrade(&bell), was_polled: false };
        // Polled once, it has the runtime wake this waker when it comes round.
        let _ = pin!(yield_now()).poll(&mut PollContext::from_waker(&Waker::from(bell)));
        wait
    }
}

impl Wake for Bell {
    /// Nobody else has it: its drop rings.
    fn wake(self: Arc<Self>) {}
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.actor.wake_by_ref();
    }
}

impl<A> ActorFuture<A> for OthersFirst
where
    A: Actor<Context = Context<A>>,
{
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        _: &mut A,
        _: &mut Context<A>,
        _: &mut PollContext<'_>,
    ) -> Poll<()> {
        // The first poll is part of the one that is to end: a bell that has rung by then brings the next one.
        let is_first = !std::mem::replace(&mut self.was_polled, true);
        if is_first || self.bell.strong_count() > 0 { Poll::Pending } else { Poll::Ready(()) }
    }
}
