//! The alarm, on a paused clock.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use tokio::{
    task::coop::{consume_budget, has_budget_remaining},
    time::{Instant, advance, pause},
};

use super::Alarm;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// An alarm that has been armed, and who is woken by it.
fn armed(at: Instant) -> (Alarm, Arc<Woken>) {
    let (mut alarm, woken) = (Alarm::new(at), Arc::default());
    alarm.arm(&mut Context::from_waker(&Waker::from(Arc::clone(&woken))));
    (alarm, woken)
}

/// Lets the timers ring that are due.
async fn ring(time: Duration) {
    advance(time).await;
    tokio::task::yield_now().await;
}

#[tokio::test]
async fn an_armed_alarm_covers_its_moment_and_all_after_it_until_it_rings() {
    pause();
    let now = Instant::now();
    let (mut alarm, woken) = armed(now + SECOND * 2);
    assert!(!alarm.covers(now + SECOND));
    assert!(alarm.covers(now + SECOND * 2) && alarm.covers(now + SECOND * 9));

    ring(SECOND * 3).await;
    assert_eq!(woken.0.load(SeqCst), 1);
    assert!(!alarm.covers(now + SECOND * 9), "it wakes nobody any more");
    assert!(alarm.has_rung(Instant::now()) && !alarm.has_rung(Instant::now()));
}

#[tokio::test]
async fn an_alarm_that_is_not_armed_covers_nothing() {
    pause();
    let later = Instant::now() + SECOND;
    assert!(!Alarm::Off.covers(later));
    assert!(!Alarm::NextPoll.covers(later));
    assert!(!Alarm::new(later).covers(later));

    advance(SECOND * 2).await;
    let (past, woken) = armed(later);
    assert!(!past.covers(later));
    assert_eq!(woken.0.load(SeqCst), 1, "the next poll is asked for at once");
}

#[tokio::test]
async fn an_alarm_rings_though_the_poll_that_armed_it_had_taken_all_its_results() {
    pause();
    let at = Instant::now() + SECOND;
    let (alarm, woken) = poll_fn(|cx| {
        while has_budget_remaining() {
            let _ = pin!(consume_budget()).poll(cx);
        }
        Poll::Ready(armed(at))
    })
    .await;
    assert!(alarm.covers(at));
    ring(SECOND / 2).await;
    assert_eq!(woken.0.load(SeqCst), 0);
    ring(SECOND).await;
    assert_eq!(woken.0.load(SeqCst), 1);
}
