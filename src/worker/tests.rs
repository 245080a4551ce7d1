//! Runners, without actors: their lives end when the test says so.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use super::runners::{Beginning, IDLE_RUNNERS, Runners};

/// What a test knows of a life, and has it do.
#[derive(Default)]
struct Script {
    has_begun: Cell<bool>,
    polls: Cell<u32>,
    may_end: Cell<bool>,
    panics: bool,
    is_dropped: Cell<bool>,
    /// Kept after its end, as user code may keep it.
    waker: RefCell<Option<Waker>>,
}

struct Order(Rc<Script>);

struct Life(Rc<Script>);

impl Beginning for Order {
    type Life = Life;

    fn begin(self) -> Life {
        assert!(!self.0.has_begun.replace(true), "a life begins once");
        Life(self.0)
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
    runners.start(Order(Rc::clone(script)));
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
        runners.start(Order(Rc::clone(life)));
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

    let lives: Vec<_> = (0..3).map(|_| Rc::new(Script::default())).collect();
    for life in &lives {
        // Of those that are woken here before they are given anything, none takes what another is given.
        before.iter().for_each(|life| life.wake());
        runners.start(Order(Rc::clone(life)));
        before.iter().for_each(|life| life.wake());
        others().await;
    }
    assert!(lives.iter().all(|life| life.has_begun.get() && !life.is_dropped.get()));
    assert_eq!((runners.made(), runners.idle()), (3, 0));
    assert!(
        before.iter().all(|life| life.polls.get() == 2),
        "none of them is polled after its end"
    );

    lives.iter().for_each(|life| life.end());
    others().await;
    assert!(lives.iter().all(|life| life.is_dropped.get()));
}

#[actix::test]
async fn a_panic_ends_its_runner_and_no_other() {
    let runners = Runners::new();
    start(&runners, &short()).await;
    let panicking = Rc::new(Script { panics: true, ..Script::default() });
    start(&runners, &panicking).await;
    assert!(panicking.is_dropped.get());
    assert_eq!((runners.idle(), runners.alive()), (0, 0));

    let next = short();
    start(&runners, &next).await;
    assert!(next.is_dropped.get());
    assert_eq!((runners.made(), runners.idle()), (2, 1));
}

#[actix::test]
async fn with_their_owner_the_idle_end_and_the_others_with_their_lives() {
    let runners = Runners::new();
    let (long, given) = (Rc::new(Script::default()), short());
    start(&runners, &long).await;
    start(&runners, &short()).await;
    let with_owner = runners.watch();
    assert_eq!(with_owner(), 3);

    // Given, and its runner not polled yet: it begins all the same.
    runners.start(Order(Rc::clone(&given)));
    drop(runners);
    others().await;
    assert!(given.is_dropped.get() && given.polls.get() == 1);
    assert_eq!(with_owner(), 1);

    long.end();
    others().await;
    assert!(long.is_dropped.get());
    assert_eq!(with_owner(), 0);
}
