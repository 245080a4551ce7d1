//! Runners, without actors: their lives end when the test says so. And how many of them a worker has made, for tests of
//! `Registry`.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use actix::prelude::*;

use super::{
    actor::Worker,
    runners::{Beginning, IDLE_RUNNERS, Runners},
};

/// Asks a worker how many runners it has made.
#[derive(Message)]
#[rtype(result = "u64")]
pub(crate) struct RunnersMade;

impl Handler<RunnersMade> for Worker {
    type Result = u64;

    fn handle(&mut self, _: RunnersMade, _: &mut actix::Context<Self>) -> u64 {
        self.runners.made()
    }
}

/// What a test knows of a life, and has it do.
#[derive(Default)]
struct Script {
    has_begun: Cell<bool>,
    /// A number, and where it is noted when it begins.
    begins: Option<(u32, Rc<RefCell<Vec<u32>>>)>,
    polls: Cell<u32>,
    may_end: Cell<bool>,
    panics: bool,
    panics_in_drop: bool,
    /// What is left of it: the order, or the life that has begun.
    is_dropped: Cell<bool>,
    /// Kept after its end, as user code may keep it.
    waker: RefCell<Option<Waker>>,
}

struct Order(Option<Rc<Script>>);

struct Life(Rc<Script>);

impl Beginning for Order {
    type Life = Life;

    fn begin(mut self) -> Life {
        let script = self.0.take().expect("an order is carried out once");
        assert!(!script.has_begun.replace(true), "a life begins once");
        if let Some((number, begun)) = &script.begins {
            begun.borrow_mut().push(*number);
        }
        Life(script)
    }
}

impl Drop for Order {
    fn drop(&mut self) {
        if let Some(script) = &self.0 {
            script.is_dropped.set(true);
        }
    }
}

impl Future for Life {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let script = &self.0;
        assert!(!script.panics, "as told");
        script.polls.set(script.polls.get() + 1);
        *script.waker.borrow_mut() = Some(cx.waker().clone());
        if script.may_end.get() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.is_dropped.set(true);
        assert!(!self.0.panics_in_drop, "as told");
    }
}

impl Order {
    fn of(script: &Rc<Script>) -> Self {
        Self(Some(Rc::clone(script)))
    }
}

impl Script {
    fn wake(&self) {
        self.waker.borrow().as_ref().expect("it was polled").wake_by_ref();
    }

    fn end(&self) {
        self.may_end.set(true);
        self.wake();
    }
}

fn short() -> Rc<Script> {
    Rc::new(Script { may_end: Cell::new(true), ..Script::default() })
}

/// Starts a life, and lets it run.
async fn start(runners: &Runners<Order>, script: &Rc<Script>) {
    runners.start(Order::of(script));
    others().await;
}

/// Lets all run that can.
async fn others() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

#[actix::test]
async fn one_runner_has_one_life_after_another() {
    let runners = Runners::new();
    for _ in 0..10 {
        let life = short();
        start(&runners, &life).await;
        assert!(life.is_dropped.get(), "what is left of it does not wait for the next one");
        assert_eq!(life.polls.get(), 1);
    }
    assert_eq!((runners.made(), runners.idle()), (1, 1));
}

#[actix::test]
async fn lives_at_a_time_have_a_runner_each_of_which_some_are_kept() {
    let runners = Runners::new();
    let lives: Vec<_> = (0..IDLE_RUNNERS + 20).map(|_| Rc::new(Script::default())).collect();
    for life in &lives {
        runners.start(Order::of(life));
    }
    others().await;
    assert!(lives.iter().all(|life| life.polls.get() == 1));
    assert_eq!((runners.made(), runners.idle()), (lives.len() as u64, 0));

    lives.iter().for_each(|life| life.end());
    others().await;
    assert!(lives.iter().all(|life| life.is_dropped.get()));
    assert_eq!(runners.idle(), IDLE_RUNNERS);
    assert_eq!(runners.alive(), IDLE_RUNNERS, "the others are gone");
}

#[actix::test]
async fn a_waker_that_is_left_over_takes_nothing_from_the_runner_that_was_meant() {
    let runners = Runners::new();
    let before: Vec<_> = (0..3).map(|_| Rc::new(Script::default())).collect();
    for life in &before {
        start(&runners, life).await;
    }
    before.iter().for_each(|life| life.end());
    others().await;
    assert_eq!(runners.idle(), 3);

    // It comes before the runner for which there is something, and would leave that with nothing.
    before[0].wake();
    let lives: Vec<_> = (0..3).map(|_| Rc::new(Script::default())).collect();
    for life in &lives {
        start(&runners, life).await;
        assert!(life.has_begun.get());
    }
    assert_eq!((runners.made(), runners.idle()), (3, 0));

    before.iter().for_each(|life| life.wake());
    others().await;
    assert!(lives.iter().all(|life| life.polls.get() == 2 && !life.is_dropped.get()));
    assert!(before.iter().all(|life| life.polls.get() == 2), "none is polled after its end");
    lives.iter().for_each(|life| life.end());
    others().await;
    assert!(lives.iter().all(|life| life.is_dropped.get()));
}

#[actix::test]
async fn lives_begin_in_the_order_in_which_they_were_given_whoever_comes_first() {
    let runners = Runners::new();
    let before: Vec<_> = (0..3).map(|_| Rc::new(Script::default())).collect();
    for life in &before {
        start(&runners, life).await;
    }
    before.iter().for_each(|life| life.end());
    others().await;

    // The last one to be given something has its turn first.
    before[0].wake();
    let begun = Rc::default();
    let lives: Vec<_> = (0..3)
        .map(|number| {
            Rc::new(Script { begins: Some((number, Rc::clone(&begun))), ..Script::default() })
        })
        .collect();
    for life in &lives {
        runners.start(Order::of(life));
    }
    others().await;
    assert_eq!(*begun.borrow(), [0, 1, 2]);
    assert_eq!((runners.made(), runners.idle()), (3, 0));
}

#[actix::test]
async fn a_panic_ends_its_runner_and_no_other() {
    for panics_in_drop in [false, true] {
        let runners = Runners::new();
        let both = [Rc::new(Script::default()), Rc::new(Script::default())];
        for life in &both {
            start(&runners, life).await;
        }
        both.iter().for_each(|life| life.end());
        others().await;
        assert_eq!((runners.idle(), runners.alive()), (2, 2));

        let may_end = Cell::new(true);
        let script =
            Script { panics: !panics_in_drop, panics_in_drop, may_end, ..Script::default() };
        let panicking = Rc::new(script);
        start(&runners, &panicking).await;
        assert!(panicking.is_dropped.get());
        assert_eq!((runners.idle(), runners.alive()), (1, 1));

        for _ in 0..2 {
            let next = short();
            start(&runners, &next).await;
            assert!(next.is_dropped.get());
            assert_eq!((runners.made(), runners.idle()), (2, 1));
        }
    }
}

#[actix::test]
async fn with_their_owner_the_idle_end_and_the_others_with_their_lives() {
    let runners = Runners::new();
    let (long, given) = (Rc::new(Script::default()), short());
    let both = [Rc::new(Script::default()), Rc::new(Script::default())];
    for life in [&long, &both[0], &both[1]] {
        start(&runners, life).await;
    }
    both.iter().for_each(|life| life.end());
    others().await;
    let with_owner = runners.watch();
    assert_eq!((runners.idle(), with_owner()), (2, 4));

    // Given, and its runner not polled yet: it begins all the same.
    runners.start(Order::of(&given));
    drop(runners);
    others().await;
    assert!(given.is_dropped.get() && given.polls.get() == 1);
    assert_eq!(with_owner(), 1);

    long.end();
    others().await;
    assert!(long.is_dropped.get());
    assert_eq!(with_owner(), 0);
}

#[test]
fn with_the_thread_all_of_them_end_and_what_was_given_is_dropped() {
    let runners = Runners::new();
    let (running, given) = (Rc::new(Script::default()), short());
    let both = [Rc::new(Script::default()), Rc::new(Script::default())];
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let thread = tokio::task::LocalSet::new();
    thread.block_on(&runtime, async {
        for life in [&running, &both[0], &both[1]] {
            start(&runners, life).await;
        }
        both.iter().for_each(|life| life.end());
        others().await;
        assert_eq!((runners.idle(), runners.alive()), (2, 3));
        runners.start(Order::of(&given));
    });
    drop(thread);
    assert_eq!(runners.alive(), 0);
    assert!(running.is_dropped.get());
    assert!(!given.has_begun.get());
    drop(runners);
    assert!(given.is_dropped.get());
}
