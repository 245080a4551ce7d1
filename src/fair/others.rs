use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
    task::{Context as PollContext, Poll, Wake, Waker},
};

use tokio::task::yield_now;

/// Lets an actor end its poll until all others on the thread have had their turn, the caller of `block_on` as
/// well: waking itself would bring the actor back before that. Under the `block_on` of a multi-thread runtime, where nobody
/// comes round to those who yield, it is like a [`Turn`](super::Turn).
///
/// The actor is [`held`](Self::held) outside its context, so that what arrives while it waits does not have it polled in
/// vain: with one subscriber a short task takes 0.96 of the time.
#[derive(Clone, Default)]
pub(crate) struct OthersFirst {
    /// Set by the actor in its poll; cleared by the bell, which then has it polled.
    ///
    /// Another thread pushes its message, then looks here; this thread clears it, then looks into the mailbox. Neither might
    /// see the other's write, and the message would lie there. But the one takes the mailbox's waker in between, and the
    /// other leaves it there before it looks (`AtomicWaker`: read-modify-writes of one atomic). If it is taken first, the
    /// message is seen by whoever leaves it; else this is seen cleared by whoever takes it. A timer's waker may be older than
    /// a wait; but whether it is due is asked of the clock in each poll.
    is_waiting: Arc<AtomicBool>,
}

impl OthersFirst {
    /// For the actor, in a poll by [`held`](Self::held): the next poll comes when all others have had their turn, also if
    /// something wakes it in the rest of this one.
    pub(crate) fn wait(&self) {
        self.is_waiting.store(true, Release);
    }

    fn is_waiting(&self) -> bool {
        self.is_waiting.load(Acquire)
    }

    /// Polls what is to wait, but not while it does.
    pub(crate) async fn held<T>(self, actor: impl Future<Output = T>) -> T {
        let mut actor = pin!(actor);
        let mut known: Option<(Arc<Gate>, Waker)> = None;
        poll_fn(|cx| {
            let same = known.take_if(|(gate, _)| gate.task.will_wake(cx.waker()));
            let is_new = same.is_none();
            let (gate, waker) = known.insert(same.unwrap_or_else(|| {
                let gate = Arc::new(Gate { others: self.clone(), task: cx.waker().clone() });
                (Arc::clone(&gate), Waker::from(gate))
            }));
            if !self.is_waiting() {
                let polled = actor.as_mut().poll(&mut PollContext::from_waker(waker));
                if polled.is_ready() || !self.is_waiting() {
                    return polled;
                }
                gate.ring_after_the_others();
            } else if is_new {
                // It has moved, and the bell rings where it was.
                gate.ring_after_the_others();
            }
            Poll::Pending
        })
        .await
    }
}

/// The actor's waker: closed while it waits.
struct Gate {
    others: OthersFirst,
    task: Waker,
}

impl Gate {
    fn ring_after_the_others(self: &Arc<Self>) {
        let bell = Waker::from(Arc::new(Bell { gate: Arc::clone(self) }));
        // Polled once, it has the runtime wake this waker when it comes round.
        let _ = pin!(yield_now()).poll(&mut PollContext::from_waker(&bell));
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.others.is_waiting() {
            self.task.wake_by_ref();
        }
    }
}

/// Ends the wait when it goes: that the runtime came round, or forgot it with a `block_on` that ended.
struct Bell {
    gate: Arc<Gate>,
}

impl Wake for Bell {
    /// Nobody else has it: its drop rings.
    fn wake(self: Arc<Self>) {}
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.gate.others.is_waiting.store(false, Release);
        self.gate.task.wake_by_ref();
    }
}
