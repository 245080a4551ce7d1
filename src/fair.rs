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
}

/// Rings when they have. For one wait after another of the same actor.
pub(crate) struct Bell {
    has_rung: AtomicBool,
    actor: Waker,
}

impl OthersFirst {
    /// To be made in the poll that is to end; the bell is kept from one wait to the next.
    pub(crate) fn by(known: &mut Option<Arc<Bell>>, cx: &PollContext<'_>) -> Self {
        let known = match known {
            Some(bell) if bell.actor.will_wake(cx.waker()) => bell,
            _ => known.insert(Arc::new(Bell {
                has_rung: AtomicBool::new(false),
                actor: cx.waker().clone(),
            })),
        };
        let bell = Arc::clone(known);
        bell.has_rung.store(false, SeqCst);
        let waker = Waker::from(Arc::clone(&bell));
        // Polled once, it has the runtime wake this waker when it comes round.
        let _ = pin!(yield_now()).poll(&mut PollContext::from_waker(&waker));
        Self { bell }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.has_rung.store(true, SeqCst);
        self.actor.wake_by_ref();
    }
}

impl<A> ActorFuture<A> for OthersFirst
where
    A: Actor<Context = Context<A>>,
{
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        _: &mut A,
        _: &mut Context<A>,
        _: &mut PollContext<'_>,
    ) -> Poll<()> {
        if self.bell.has_rung.load(SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;

    type Log = Rc<RefCell<Vec<&'static str>>>;

    struct Waiter {
        log: Log,
    }

    impl Actor for Waiter {
        type Context = Context<Self>;

        fn started(&mut self, ctx: &mut Self::Context) {
            ctx.spawn(Once::default());
        }
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Mail;

    impl Handler<Mail> for Waiter {
        type Result = ();

        fn handle(&mut self, _: Mail, _: &mut Self::Context) {
            self.log.borrow_mut().push("mail");
        }
    }

    /// Waits once.
    #[derive(Default)]
    struct Once {
        bell: Option<Arc<Bell>>,
    }

    impl ActorFuture<Waiter> for Once {
        type Output = ();

        fn poll(
            mut self: Pin<&mut Self>,
            waiter: &mut Waiter,
            ctx: &mut Context<Waiter>,
            cx: &mut PollContext<'_>,
        ) -> Poll<()> {
            if self.bell.is_some() {
                waiter.log.borrow_mut().push("over");
                return Poll::Ready(());
            }
            waiter.log.borrow_mut().push("waits");
            ctx.wait(OthersFirst::by(&mut self.bell, cx));
            Poll::Pending
        }
    }

    #[actix::test]
    async fn mail_does_not_end_a_wait_for_the_others() {
        let log = Log::default();
        let waiter = Waiter { log: Rc::clone(&log) }.start();
        let others = Rc::clone(&log);
        actix_rt::spawn(async move {
            waiter.do_send(Mail);
            // Its turn comes behind the actor's, which the mail woke.
            actix_rt::spawn(async move { others.borrow_mut().push("others") });
            waiter.do_send(Mail);
            yield_now().await;
            yield_now().await;
        })
        .await
        .unwrap();
        assert_eq!(*log.borrow(), ["waits", "others", "mail", "mail", "over"]);
    }
}
