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
/// well: waking itself would bring the actor back before that. Where the runtime has no such list of those who wait (a
/// multi-thread one), it is like a [`Turn`](super::Turn).
///
/// The actor is [`held`](Self::held) outside its context, so that what arrives while it waits does not have it polled in
/// vain: with one subscriber a short task would cost 3 % more.
#[derive(Clone, Default)]
pub(crate) struct OthersFirst {
    /// Set by the actor in its poll, cleared by the bell before the next. Who wakes by a waker that a later poll left sees
    /// it cleared; what an earlier one is told of is found by that poll.
    is_waiting: Arc<AtomicBool>,
}

impl OthersFirst {
    /// From the end of this poll on the actor waits.
    pub(crate) fn wait(&self) {
        self.is_waiting.store(true, Release);
    }

    pub(crate) fn is_waiting(&self) -> bool {
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
