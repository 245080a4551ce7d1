#![cfg(feature = "test-util")]
//! What comes and goes through slots leaves no memory, and what was captured is dropped once. Lesson 11.
//! How it is measured is in `common/scales.rs`.
//!
//! A debug build submits 10,000 distinct keys one after another, and 5,000 that are attached to one long run or
//! to one burst (a release build: 100,000). A million keys:
//!
//! ```sh
//! SLOT_KEYS=1000000 cargo test --release --all-features --test slot_leaks
//! ```

mod common;
#[path = "common/scales.rs"]
mod scales;

use std::{collections::VecDeque, future::pending, time::Instant};

use actix_taskvisor::prelude::*;
use common::*;
use scales::*;

// ---- helpers ----

/// How many distinct keys come one after another.
fn keys() -> usize {
    let asked = std::env::var("SLOT_KEYS").ok();
    asked.map_or(10_000, |keys| keys.parse().expect("SLOT_KEYS is a number"))
}

/// Knows how often what its specs captured was made and dropped.
#[derive(Clone, Default)]
struct Harbour {
    made: Counter,
    dropped: Counter,
}

struct Cargo(Counter);

impl Drop for Cargo {
    fn drop(&mut self) {
        self.0.add();
    }
}

impl Harbour {
    fn spec(&self, name: &str) -> TaskSpec {
        self.made.add();
        let cargo = Cargo(self.dropped.clone());
        TaskSpec::once(name, async move |_| {
            let _here = &cargo;
            Ok(())
        })
    }

    /// One of its own slot, by any of the policies that start at once where that is idle.
    fn submission(&self, number: usize) -> Submission {
        let policy = match number % 5 {
            0 => WhenBusy::Queue,
            1 => WhenBusy::Replace,
            2 => WhenBusy::ReplaceAll,
            3 => WhenBusy::DropIfRunning,
            _ => WhenBusy::Attach,
        };
        Submission::new(self.spec(&name(number))).when_busy(policy)
    }

    /// Each once.
    async fn is_empty(&self) {
        let (made, dropped) = (&self.made, &self.dropped);
        assert!(made.get() > 0);
        soon("the drop of everything captured", async || dropped.get() >= made.get()).await;
        assert_eq!(dropped.get(), made.get());
    }
}

/// Asks until it is so. The deadline is one of real time, since the clock may be paused.
async fn soon(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        tokio::task::yield_now().await;
    }
}

fn holds(name: &str) -> TaskSpec {
    TaskSpec::once(name, async |ctx| {
        ctx.cancelled().await;
        Ok(())
    })
}

/// A submission that owns slot "k" until it is asked to stop.
async fn owner(supervisor: &SupervisorHandle) -> SubmissionHandle {
    let owner = supervisor.submit(Submission::new(holds("owner")).slot("k")).await.unwrap();
    assert_eq!(owner.admission(), Admission::Started);
    owner
}

/// Waits until there is no slot and no task, and everything that was captured is gone.
async fn all_is_quiet(supervisor: &SupervisorHandle, harbour: &Harbour) {
    soon("the end of all slots", async || supervisor.slots().await.unwrap().is_empty()).await;
    soon("the end of all tasks", async || supervisor.is_empty().await.unwrap()).await;
    harbour.is_empty().await;
}

// ---- distinct keys ----

// lesson 11
#[test]
fn distinct_keys_one_after_another_leave_no_memory() {
    let _turn = alone();
    actix_main(async {
        let supervisor = current_with(|builder| builder.outcome_history(100).max_concurrent(2));
        let harbour = Harbour::default();
        leaves_nothing("distinct keys", 1_000, keys(), async |number| {
            let one = supervisor.submit(harbour.submission(number)).await.unwrap();
            one.removed().await;
        })
        .await;
        all_is_quiet(&supervisor, &harbour).await;
    });
}

// lesson 11
#[test]
fn distinct_keys_leave_no_memory_behind_on_other_threads() {
    let _turn = alone();
    actix_main(async {
        let supervisor = dedicated_with(|builder| builder.outcome_history(100));
        let subscription = supervisor.subscribe(|_: &Event| {}).await.unwrap();
        let harbour = Harbour::default();
        leaves_nothing("distinct keys", 1_000, MANY / 4, async |number| {
            let slot = name(number);
            let next = Submission::new(harbour.spec("next")).slot(slot.as_str());
            let one = supervisor.submit(harbour.submission(number).slot(slot)).await.unwrap();
            let next = supervisor.submit(next).await.unwrap();
            if number % 2 == 0 {
                next.cancel().await.unwrap();
            }
            one.removed().await;
            next.removed().await;
        })
        .await;
        all_is_quiet(&supervisor, &harbour).await;
        drop(subscription);
    });
}

#[test]
fn many_slots_at_once_leave_no_memory() {
    let _turn = alone();
    actix_main(async {
        let supervisor = current_with(|builder| builder.outcome_history(100).max_concurrent(2));
        let harbour = Harbour::default();
        // Room is kept for a thousand. The first time there are few more, so that room for all is noticed.
        // Room is kept for a thousand. The first time there are few more, so that room for all is noticed.
        leaves_nothing("many slots at once", 2, 2, async |time| {
            let slots = if time < 2 { 1_200 } else { 2_500 };
            for number in 0..slots {
                let slot = name(number);
                let owner = Submission::new(holds(&slot));
                drop(supervisor.submit(owner).await.unwrap());
                for policy in [WhenBusy::Queue, WhenBusy::Attach] {
                    let next = Submission::new(harbour.spec("next")).slot(slot.as_str());
                    drop(supervisor.submit(next.when_busy(policy)).await.unwrap());
                }
            }
            assert_eq!(supervisor.slots().await.unwrap().len(), slots);
            supervisor.cancel_all_within(secs(5)).await.unwrap();
            all_is_quiet(&supervisor, &harbour).await;
        })
        .await;
    });
}

#[test]
fn throttled_slots_leave_no_memory_after_their_opening() {
    let _turn = alone();
    actix_main(async {
        tokio::time::pause();
        let supervisor = current_with(|builder| builder.outcome_history(100));
        let harbour = Harbour::default();
        let throttle = WhenBusy::Throttle { every: ms(10) };
        leaves_nothing("throttled slots", 100, MANY / 20, async |number| {
            for of_batch in 0..5 {
                let slot = name(number * 5 + of_batch);
                for _ in 0..2 {
                    let one = Submission::new(harbour.spec(&slot)).when_busy(throttle);
                    drop(supervisor.submit(one).await.unwrap());
                }
            }
            assert_eq!(supervisor.slots().await.unwrap().len(), 5);
            tokio::time::sleep(ms(25)).await;
            assert!(supervisor.slots().await.unwrap().is_empty());
        })
        .await;
        all_is_quiet(&supervisor, &harbour).await;
    });
}

// ---- refusals ----

// lesson 11
#[test]
fn refused_submissions_leave_no_memory() {
    let _turn = alone();
    for placement in [Placement::Current, Placement::Dedicated { workers: 1 }] {
        actix_main(async {
            let supervisor = dedicated_with(|builder| {
                let builder = builder.placement(placement).max_slots(1);
                builder.max_queued_per_slot(1).max_queued(1)
            });
            let harbour = Harbour::default();
            let owner = owner(&supervisor).await;
            let waits = Submission::new(harbour.spec("waits")).slot("k");
            supervisor.submit(waits).await.unwrap();
            leaves_nothing("refused submissions", 1_000, MANY, async |number| {
                let one = Submission::new(harbour.spec(&name(number)));
                let debounce = WhenBusy::Debounce { quiet: secs(1), max_wait: secs(1) };
                let (one, label) = match number % 5 {
                    0 => (one.slot("k").when_busy(WhenBusy::DropIfRunning), "slot_busy"),
                    1 => (one.slot("k"), "slot_queue_full"),
                    2 => (one.slot("k").when_busy(debounce), "queues_full"),
                    3 => (one, "slots_full"),
                    _ => (one.slot("k").concurrency(2), "concurrency_fixed"),
                };
                let submit = supervisor.submit(one);
                if number % 2 == 0 {
                    return look_in(submit).await; // the refusal may find nobody
                }
                let refused = submit.await.unwrap_err();
                assert_eq!(refused.kind().map(|kind| kind.label()), Some(label));
                if number % 3 == 0 {
                    drop(refused.into_submission().unwrap());
                }
            })
            .await;
            assert_eq!(owner.status().phase, TaskPhase::Running);
            owner.cancel().await.unwrap();
            all_is_quiet(&supervisor, &harbour).await;
        });
    }
}

// ---- those who share an outcome ----

#[test]
fn followers_of_a_long_run_that_nobody_asks_any_more_leave_no_memory() {
    let _turn = alone();
    for placement in [Placement::Current, Placement::Dedicated { workers: 1 }] {
        actix_main(async {
            let supervisor = dedicated_with(|builder| builder.placement(placement));
            let harbour = Harbour::default();
            let owner = owner(&supervisor).await;
            let mut kept = VecDeque::new();
            leaves_nothing("followers", 1_000, MANY, async |number| {
                let one = Submission::new(harbour.spec(&name(number % 10)));
                let one = one.slot("k").when_busy(WhenBusy::Attach);
                let one = supervisor.submit(one).await.unwrap();
                assert_eq!(one.admission(), Admission::Attached { to: owner.id() });
                kept.push_back(one);
                if kept.len() > 10 {
                    kept.pop_front();
                }
            })
            .await;
            assert_eq!(supervisor.slot("k").await.unwrap().unwrap().attached, 10);
            owner.cancel().await.unwrap();
            for one in kept {
                let outcome = within("the shared outcome", one.outcome()).await;
                assert!(matches!(outcome, TaskOutcome::Canceled { .. }), "{outcome}");
            }
            all_is_quiet(&supervisor, &harbour).await;
        });
    }
}

#[test]
fn bursts_that_are_debounced_leave_no_memory() {
    let _turn = alone();
    for attaches in [true, false] {
        actix_main(async {
            tokio::time::pause();
            let supervisor = current_with(|builder| builder.outcome_history(100));
            let harbour = Harbour::default();
            let day = secs(24 * 3600);
            let debounce = WhenBusy::Debounce { quiet: day, max_wait: day };
            leaves_nothing("a debounced burst", 1_000, MANY, async |_| {
                let one = Submission::new(harbour.spec("job")).when_busy(debounce);
                let one = if attaches { one.attach_displaced() } else { one };
                drop(supervisor.submit(one).await.unwrap());
            })
            .await;
            let slots = supervisor.slots().await.unwrap();
            assert_eq!((slots.len(), slots[0].queue.len()), (1, 1));
            tokio::time::sleep(day + ms(1)).await;
            all_is_quiet(&supervisor, &harbour).await;
        });
    }
}

#[test]
fn those_who_followed_a_burst_to_its_run_leave_no_memory() {
    let _turn = alone();
    actix_main(async {
        tokio::time::pause();
        let supervisor = current_with(|builder| builder.outcome_history(100));
        let harbour = Harbour::default();
        leaves_nothing("bursts", 3, 3, async |time| {
            let debounce = WhenBusy::Debounce { quiet: ms(10), max_wait: secs(1) };
            let mut all = Vec::new();
            for _ in 0..if time < 3 { 500 } else { 5_000 } {
                let one = Submission::new(harbour.spec("job")).when_busy(debounce);
                all.push(supervisor.submit(one.attach_displaced()).await.unwrap());
            }
            for one in all {
                assert!(within("the run", one.outcome()).await.is_success());
            }
            all_is_quiet(&supervisor, &harbour).await;
        })
        .await;
    });
}

// ---- queues ----

#[test]
fn long_queues_that_were_canceled_leave_no_memory() {
    let _turn = alone();
    actix_main(async {
        let supervisor =
            current_with(|builder| builder.outcome_history(100).max_queued_per_slot(10_000));
        let harbour = Harbour::default();
        let fill = async |time| {
            let owner = owner(&supervisor).await;
            let length = if time < 2 { 1_200 } else { 10_000 };
            for _ in 0..length {
                let one = Submission::new(harbour.spec("waits")).slot("k").max_wait(secs(3600));
                drop(supervisor.submit(one).await.unwrap());
            }
            if time % 2 == 0 {
                let report = supervisor.cancel_slot("k", SlotScope::Queue).await.unwrap();
                assert_eq!(report.ended.len(), length);
                owner.cancel().await.unwrap();
            } else {
                let report = supervisor.cancel_slot("k", SlotScope::All).await.unwrap();
                assert_eq!(report.ended.len(), length + 1);
            }
            all_is_quiet(&supervisor, &harbour).await;
        };
        leaves_nothing("long queues", 2, 2, fill).await;
    });
}

#[test]
fn supervisors_that_were_shut_down_amid_their_queues_leave_no_memory() {
    let _turn = alone();
    actix_main(leaves_nothing("queues and their supervisors", 20, 100, async |number| {
        let harbour = Harbour::default();
        let placement = match number % 2 {
            0 => Placement::Current,
            _ => Placement::Dedicated { workers: 1 },
        };
        let supervisor = dedicated_with(|builder| builder.placement(placement).grace(ms(1)));
        let deaf = TaskSpec::once("deaf", async |_| pending().await);
        let deaf = supervisor.submit(Submission::new(deaf).slot("k")).await.unwrap();
        let debounce = WhenBusy::Debounce { quiet: secs(60), max_wait: secs(60) };
        let mut all = Vec::new();
        for policy in [WhenBusy::Queue, WhenBusy::Replace, WhenBusy::Attach, debounce] {
            for name in ["a", "b"] {
                let one = Submission::new(harbour.spec(name)).slot("k").when_busy(policy);
                all.push(supervisor.submit(one.attach_displaced()).await.unwrap());
            }
        }
        match number % 4 {
            0 | 1 => drop(within("the shutdown", supervisor.shutdown()).await),
            _ => drop(supervisor),
        }
        for one in all {
            within("an outcome", one.outcome()).await;
        }
        within("the end", deaf.removed()).await;
        harbour.is_empty().await;
    }));
}
