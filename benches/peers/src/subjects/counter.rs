//! What a subject is asked that answers only through bodies and subscribers: how many, and until when.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use crate::job::Sample;

/// Counts from any thread, one by one, and wakes the one who waits for a number.
#[derive(Default)]
pub(super) struct Counter {
    count: AtomicUsize,
    due: AtomicUsize,
    is_due: Notify,
}

impl Counter {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn count_one(&self) {
        let count = self.count.fetch_add(1, SeqCst) + 1;
        // Either this load sees what `until` asked for, or `until` sees this count.
        if count == self.due.load(SeqCst) {
            self.is_due.notify_one();
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(SeqCst)
    }

    /// Waits until so many have been counted. One caller at a time.
    pub(super) async fn until(&self, due: usize) {
        self.due.store(due, SeqCst);
        // A notification may be left of a number that was reached before it was waited for.
        while self.count() < due {
            self.is_due.notified().await;
        }
    }

    /// With so many begun, waits until fewer than `room` of them are not yet counted.
    pub(super) async fn room_for_one_more(&self, begun: usize, room: usize) {
        if begun - self.count() >= room {
            // By halves: the caller goes on with a batch rather than with one.
            self.until(begun - room / 2).await;
        }
    }
}

/// How the wait for all events ended.
pub(super) struct Seen {
    /// Over all subscribers.
    pub(super) lost: u64,
    /// How long nothing came any more before that was believed; no part of any figure.
    pub(super) in_vain: Duration,
}

/// Waits until each has counted so many events, or until nobody has counted one for a while.
pub(super) async fn all_seen(counters: &[Arc<Counter>], due: usize) -> Seen {
    const LOOK: Duration = Duration::from_millis(5);
    const LOOKS_IN_VAIN: u32 = 20;

    let counted = || counters.iter().map(|counter| counter.count()).sum::<usize>();
    let (mut last, mut looks_in_vain) = (counted(), 0);
    for counter in counters {
        while timeout(LOOK, counter.until(due)).await.is_err() {
            let now = counted();
            looks_in_vain = if now == last { looks_in_vain + 1 } else { 0 };
            last = now;
            if looks_in_vain == LOOKS_IN_VAIN {
                let missing = |counter: &Arc<Counter>| due.saturating_sub(counter.count()) as u64;
                let lost = counters.iter().map(missing).sum();
                return Seen { lost, in_vain: LOOK * LOOKS_IN_VAIN };
            }
        }
    }
    Seen { lost: 0, in_vain: Duration::ZERO }
}

/// Takes out of a sample of so many units what was no work.
pub(super) fn without(in_vain: Duration, units: usize, sample: Sample) -> Sample {
    let each = in_vain.as_nanos() as f64 / units as f64;
    Sample { ns_per_unit: sample.ns_per_unit.map(|ns| ns - each), ..sample }
}
