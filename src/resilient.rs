//! An actor of ours that survives its own defects: for `Registry` and `Broker` only, which run no user code.
//!
//! A panic in a handler kills a plain actix actor together with its mailbox, and nobody is told. Here
//! the poll is caught and the context restarted on the same value and the same mailbox: addresses stay
//! valid and queued messages are handled. Lost are the message whose handler panicked, the context's waits, and timers,
//! which `started` sets up again; a wait for the others ([`fair`](crate::fair)) lies outside and goes on. The number of
//! restarts is bounded by [`PanicBudget`].

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use actix::{dev::ContextFut, prelude::*};
use tokio::time::Instant;

use crate::contain::text_of;

/// Runs an actor to its end, restarting it after a panic.
pub(crate) async fn run_resilient<A>(mut life: ContextFut<A, Context<A>>)
where
    A: Actor<Context = Context<A>> + Supervised,
{
    std::future::poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut life).poll(cx)));
        match polled {
            Ok(polled) => polled,
            Err(payload) => {
                let (actor, text) = (std::any::type_name::<A>(), text_of(payload));
                log::error!("{actor} panicked, a defect of actix-taskvisor: {text}");
                // Not connected: nobody can send any more, so there is nothing to go on for.
                if !life.restart() {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await;
}

/// How many panics are survived: two within any second; the third ends the actor.
#[derive(Debug, Default)]
pub(crate) struct PanicBudget {
    recent: VecDeque<Instant>,
}

impl PanicBudget {
    const MOST: usize = 2;
    const WITHIN: Duration = Duration::from_secs(1);

    /// Notes a panic; `false`: it was one too many.
    pub(crate) fn spend(&mut self, now: Instant) -> bool {
        self.recent.retain(|&at| now.saturating_duration_since(at) < Self::WITHIN);
        self.recent.push_back(now);
        !self.is_spent()
    }

    /// Whether the actor is on its way out: it is started once more before it stops.
    pub(crate) fn is_spent(&self) -> bool {
        self.recent.len() > Self::MOST
    }
}
