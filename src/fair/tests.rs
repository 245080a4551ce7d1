//! What a wait lets pass, and what ends it; how many answers are taken in one poll.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context as PollContext, Poll, Wake, Waker},
};

use actix::{dev::channel::channel, fut::ActorFuture, prelude::*};
use tokio::{sync::oneshot, task::yield_now};

use super::{
    OthersFirst,
    answer::{MOST_BEYOND, poll_answer},
};

type Log = Rc<RefCell<Vec<&'static str>>>;

/// Waits once, in its first poll.
struct Waiter {
    log: Log,
    others: OthersFirst,
}

impl Waiter {
    fn begin(log: &Log) -> Addr<Self> {
        let others = OthersFirst::default();
        let waiter = Self { log: Rc::clone(log), others: others.clone() };
        let (address, mailbox) = channel(16);
        actix_rt::spawn(others.held(Context::with_receiver(mailbox).into_future(waiter)));
        Addr::new(address)
    }
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

#[derive(Default)]
struct Once {
    has_waited: bool,
}

impl ActorFuture<Waiter> for Once {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        waiter: &mut Waiter,
        _: &mut Context<Waiter>,
        _: &mut PollContext<'_>,
    ) -> Poll<()> {
        if std::mem::replace(&mut self.has_waited, true) {
            waiter.log.borrow_mut().push("over");
            return Poll::Ready(());
        }
        waiter.log.borrow_mut().push("waits");
        waiter.others.wait();
        Poll::Pending
    }
}

#[actix::test]
async fn mail_does_not_end_a_wait_for_the_others() {
    let log = Log::default();
    let waiter = Waiter::begin(&log);
    let others = Rc::clone(&log);
    actix_rt::spawn(async move {
        waiter.do_send(Mail);
        // Its turn would come behind the actor's, if the mail woke that.
        actix_rt::spawn(async move { others.borrow_mut().push("others") });
        waiter.do_send(Mail);
        yield_now().await;
        yield_now().await;
    })
    .await
    .expect("it does not panic");
    assert_eq!(*log.borrow(), ["waits", "others", "mail", "mail", "over"]);
}

#[actix::test]
async fn what_arrives_during_a_wait_does_not_have_the_task_polled() {
    let others = OthersFirst::default();
    let actors_waker: Rc<RefCell<Option<Waker>>> = Rc::default();
    let (seen, waits) = (Rc::clone(&actors_waker), others.clone());
    let mut held = Box::pin(others.held(poll_fn(move |cx| {
        *seen.borrow_mut() = Some(cx.waker().clone());
        waits.wait();
        Poll::<()>::Pending
    })));
    let polls: Rc<Cell<u32>> = Rc::default();
    let counted = Rc::clone(&polls);
    actix_rt::spawn(poll_fn(move |cx| {
        counted.set(counted.get() + 1);
        held.as_mut().poll(cx)
    }));
    actix_rt::spawn(async move {
        actors_waker.borrow().as_ref().expect("it was polled before").wake_by_ref();
        // Behind the actor, if that was woken.
        actix_rt::spawn(async {}).await.expect("it does not panic");
        assert_eq!(polls.get(), 1);
        yield_now().await;
        yield_now().await;
        assert!(polls.get() >= 2);
    })
    .await
    .expect("it does not panic");
}

/// Counts its wakes.
#[derive(Default)]
struct Task {
    wakes: AtomicUsize,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, SeqCst);
    }
}

#[actix::test]
async fn whatever_wakes_it_outside_of_a_wait_has_it_polled() {
    let actors_waker: Rc<RefCell<Option<Waker>>> = Rc::default();
    let seen = Rc::clone(&actors_waker);
    let held = OthersFirst::default().held(poll_fn(move |cx| {
        match seen.borrow_mut().replace(cx.waker().clone()) {
            Some(_before) => Poll::Ready(()),
            None => Poll::Pending,
        }
    }));
    let task = actix_rt::spawn(held);
    yield_now().await;
    actors_waker.borrow().as_ref().expect("it was polled").wake_by_ref();
    task.await.expect("it does not panic");
}

#[actix::test]
async fn what_wakes_it_between_its_wish_to_wait_and_the_end_of_its_poll_is_not_lost() {
    // As when it panics there, and is started again.
    let others = OthersFirst::default();
    let (waits, mut is_first) = (others.clone(), true);
    let held = others.held(poll_fn(move |cx| {
        if !std::mem::take(&mut is_first) {
            return Poll::Ready(());
        }
        waits.wait();
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    actix_rt::spawn(held).await.expect("it does not panic");
}

#[actix::test]
async fn its_last_poll_may_ask_for_a_wait() {
    let others = OthersFirst::default();
    let waits = others.clone();
    let ended = others.held(poll_fn(move |_| {
        waits.wait();
        Poll::Ready("ended")
    }));
    assert_eq!(ended.await, "ended");
}

#[actix::test]
async fn the_end_of_a_wait_wakes_the_task_that_polled_last() {
    let others = OthersFirst::default();
    let polls: Rc<Cell<u32>> = Rc::default();
    let (counted, waits) = (Rc::clone(&polls), others.clone());
    let mut held = pin!(others.held(poll_fn(move |_| {
        counted.set(counted.get() + 1);
        waits.wait();
        Poll::<()>::Pending
    })));
    let mut poll_in = |task: &Arc<Task>| {
        let waker = Waker::from(Arc::clone(task));
        assert!(held.as_mut().poll(&mut PollContext::from_waker(&waker)).is_pending());
    };
    let (first, second) = (Arc::<Task>::default(), Arc::<Task>::default());
    poll_in(&first);
    poll_in(&second);
    assert_eq!((polls.get(), second.wakes.load(SeqCst)), (1, 0));
    yield_now().await;
    assert_eq!(second.wakes.load(SeqCst), 1);
    poll_in(&second);
    assert_eq!(polls.get(), 2);
}

#[test]
fn a_wait_ends_with_the_block_on_in_which_it_began() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let log = Log::default();
    let local = tokio::task::LocalSet::new();
    // Over as soon as the actor waits: the runtime comes round to nobody any more.
    let seen = Rc::clone(&log);
    let until_it_waits =
        poll_fn(move |_| if seen.borrow().is_empty() { Poll::Pending } else { Poll::Ready(()) });
    let begun = local.run_until(async {
        Waiter::begin(&log);
        std::future::pending::<()>().await;
    });
    runtime.block_on(futures::future::select(Box::pin(begun), Box::pin(until_it_waits)));
    assert_eq!(*log.borrow(), ["waits"]);
    // Another one goes on with it.
    local.block_on(&runtime, async {
        for _ in 0..3 {
            yield_now().await;
        }
    });
    assert_eq!(*log.borrow(), ["waits", "over"]);
}

#[test]
fn others_have_a_turn_also_where_the_runtime_wakes_at_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
    let log = Log::default();
    let others = Rc::clone(&log);
    tokio::task::LocalSet::new().block_on(&runtime.expect("a runtime"), async {
        Waiter::begin(&log);
        let other = actix_rt::spawn(async move { others.borrow_mut().push("others") });
        other.await.expect("it does not panic");
        for _ in 0..3 {
            yield_now().await;
        }
    });
    assert_eq!(*log.borrow(), ["waits", "others", "over"]);
}

#[actix::test]
async fn a_task_takes_as_many_answers_as_can_be_under_way_in_one_poll_and_no_more() {
    const TOKIOS: usize = 128;
    let answered = |number| {
        let (sender, receiver) = oneshot::channel();
        sender.send(number).expect("somebody waits");
        receiver
    };
    let mut answers: Vec<_> = (0..3_000).map(answered).collect();
    let mut taken = Vec::new();
    poll_fn(|cx| {
        let before = answers.len();
        answers.retain_mut(|answer| poll_answer(answer, cx).is_pending());
        taken.push(before - answers.len());
        if answers.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let most = TOKIOS + MOST_BEYOND;
    assert_eq!(taken, [most, most, 3_000 - 2 * most]);
}
