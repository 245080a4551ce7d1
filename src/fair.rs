//! Turns: actix drains a mailbox without end, and only a waiting context leaves that loop.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context as PollContext, Poll, Wake, Waker},
};

use actix::{fut::ActorFuture, prelude::*};
use futures::task::AtomicWaker;
use tokio::task::yield_now;

/// Ends the current poll of an actor and asks for another one, so that others on the thread get theirs.
///
/// For `ctx.wait`: a second one before the first is over would be waited for first, which does no harm.
#[derive(Default)]
pub(crate) struct Turn {
    is_over: bool,
}

impl<A> ActorFuture<A> for Turn
where
    A: Actor<Context = Context<A>>,
{
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        _: &mut A,
        _: &mut Context<A>,
        cx: &mut PollContext<'_>,
    ) -> Poll<()> {
        if self.is_over {
            return Poll::Ready(());
        }
        self.is_over = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Ends the current poll of an actor until all others on the thread have had their turn, the caller of `block_on` as
/// well: waking itself would bring the actor back before that.
///
/// For `ctx.wait`, which leaves the mailbox alone meanwhile: of all that arrives only the first wakes the actor, for
/// nothing, since the end of this wait is told from other wake-ups.
pub(crate) struct OthersFirst {
    bell: Arc<Bell>,
    is_ordered: bool,
}

/// Rings when they have. For one wait after another.
#[derive(Default)]
pub(crate) struct Bell {
    has_rung: AtomicBool,
    actor: AtomicWaker,
}

impl OthersFirst {
    pub(crate) fn by(bell: &Arc<Bell>) -> Self {
        bell.has_rung.store(false, SeqCst);
        Self { bell: Arc::clone(bell), is_ordered: false }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.has_rung.store(true, SeqCst);
        self.actor.wake();
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
        cx: &mut PollContext<'_>,
    ) -> Poll<()> {
        self.bell.actor.register(cx.waker());
        if !std::mem::replace(&mut self.is_ordered, true) {
            let waker = Waker::from(Arc::clone(&self.bell));
            // Polled once, it has the runtime wake this waker when it comes round.
            let _ = pin!(yield_now()).poll(&mut PollContext::from_waker(&waker));
        }
        if self.bell.has_rung.load(SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }
}
