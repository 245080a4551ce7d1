//! Who waits for a value, and who is woken.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use super::{Place, Watched};

/// Counts how often it is woken, and panics over it if asked to.
#[derive(Default)]
struct Bell {
    rung: AtomicUsize,
    panics: bool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.fetch_add(1, SeqCst);
        assert!(!self.panics, "asked to");
    }
}

/// Somebody who waits until the value is at least so much.
struct Waiter {
    bell: Arc<Bell>,
    place: Place,
}

impl Waiter {
    fn new(panics: bool) -> Self {
        Self { bell: Arc::new(Bell { panics, ..Bell::default() }), place: Place::default() }
    }

    fn poll(&mut self, watched: &Watched<u32>, least: u32) -> Poll<u32> {
        let waker = Waker::from(Arc::clone(&self.bell));
        let found = |value: &u32| (*value >= least).then_some(*value);
        watched.poll_for(&mut self.place, &Context::from_waker(&waker), found)
    }

    fn rung(&self) -> usize {
        self.bell.rung.load(SeqCst)
    }
}

fn waiters<const N: usize>() -> [Waiter; N] {
    std::array::from_fn(|_| Waiter::new(false))
}

#[test]
fn a_value_that_is_there_is_not_waited_for() {
    let watched = Watched::new(3);
    assert_eq!(Waiter::new(false).poll(&watched, 2), Poll::Ready(3));
    assert_eq!(watched.waiting(), 0);
}

#[test]
fn everybody_who_waits_is_woken_once_and_may_wait_again() {
    let watched = Watched::new(0);
    let mut all: [_; 5] = waiters();
    for round in 1..4 {
        for waiter in &mut all {
            // Polled twice, it still has one place.
            assert_eq!(waiter.poll(&watched, 4), Poll::Pending);
            assert_eq!(waiter.poll(&watched, 4), Poll::Pending);
        }
        assert_eq!(watched.waiting(), 5);
        *watched.lock() += 1;
        watched.wake();
        assert!(all.iter().all(|waiter| waiter.rung() == round));
        assert_eq!(watched.waiting(), 0);
    }
    *watched.lock() += 1;
    assert!(all.iter_mut().all(|waiter| waiter.poll(&watched, 4) == Poll::Ready(4)));
}

#[test]
fn a_waiter_that_comes_with_another_waker_is_woken_by_that_one() {
    let watched = Watched::new(0);
    for others in [0, 2] {
        let mut before: Vec<_> = (0..others).map(|_| Waiter::new(false)).collect();
        before.iter_mut().for_each(|waiter| assert!(waiter.poll(&watched, 1).is_pending()));
        let [mut moved, later]: [_; 2] = waiters();
        assert!(moved.poll(&watched, 1).is_pending());
        let left = std::mem::replace(&mut moved.bell, Arc::clone(&later.bell));
        assert!(moved.poll(&watched, 1).is_pending());
        assert_eq!(watched.waiting(), others + 1);
        watched.wake();
        assert_eq!((left.rung.load(SeqCst), later.rung()), (0, 1));
    }
}

#[test]
fn whoever_gives_up_is_forgotten_and_not_woken() {
    let watched = Watched::new(0);
    let mut all: [_; 100] = waiters();
    for round in 0..3 {
        all.iter_mut().for_each(|waiter| assert!(waiter.poll(&watched, 1).is_pending()));
        let gone = |index: usize| index % 3 == round;
        for (index, waiter) in all.iter_mut().enumerate() {
            if gone(index) {
                watched.leave(&mut waiter.place);
                // Twice makes no difference.
                watched.leave(&mut waiter.place);
            }
        }
        assert_eq!(watched.waiting(), (0..100).filter(|&index| !gone(index)).count());
        let rung: Vec<_> = all.iter().map(Waiter::rung).collect();
        watched.wake();
        for (index, (waiter, rung)) in all.iter().zip(rung).enumerate() {
            assert_eq!(waiter.rung(), rung + usize::from(!gone(index)));
        }
    }
}

#[test]
fn a_place_of_an_earlier_wake_takes_nobody_elses() {
    let watched = Watched::new(0);
    let [mut early, mut second, mut late, mut last]: [_; 4] = waiters();
    assert!(early.poll(&watched, 1).is_pending() && second.poll(&watched, 1).is_pending());
    watched.wake();
    assert!(late.poll(&watched, 1).is_pending() && last.poll(&watched, 1).is_pending());
    watched.leave(&mut early.place);
    watched.leave(&mut second.place);
    assert_eq!(watched.waiting(), 2);
    watched.wake();
    assert_eq!([&early, &second, &late, &last].map(Waiter::rung), [1; 4]);
}

#[test]
fn a_waker_that_panics_keeps_the_wake_from_nobody() {
    let watched = Watched::new(0);
    let mut all = [Waiter::new(true), Waiter::new(false), Waiter::new(true), Waiter::new(false)];
    all.iter_mut().for_each(|waiter| assert!(waiter.poll(&watched, 1).is_pending()));
    watched.wake();
    assert!(all.iter().all(|waiter| waiter.rung() == 1));
    assert_eq!(watched.waiting(), 0);
}

#[test]
fn who_was_taken_is_woken_when_that_is_dropped_and_not_before() {
    let watched = Watched::new(0);
    let [mut before, mut after] = waiters();
    assert!(before.poll(&watched, 1).is_pending());
    let mut guard = watched.lock();
    *guard = 1;
    let taken = guard.take_waiters();
    drop(guard);
    assert_eq!(before.rung(), 0, "what it waits for has not been told yet");
    assert_eq!(after.poll(&watched, 1), Poll::Ready(1), "a later one finds it");
    assert!(after.poll(&watched, 2).is_pending());
    drop(taken);
    assert_eq!((before.rung(), after.rung()), (1, 0));
}
