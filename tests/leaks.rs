#![cfg(feature = "test-util")]
//! What comes and goes leaves nothing: no thread, and no memory. Lessons 11 and 22.
//!
//! How it is measured is in `common/scales.rs`; what slots leave is in `slot_leaks.rs`.

mod common;
#[path = "common/scales.rs"]
mod scales;

use std::{
    future::pending,
    pin::Pin,
    sync::{Mutex, Once},
};

use actix::prelude::*;
use actix_taskvisor::prelude::*;
use common::*;
use scales::*;

fn threads_named(prefix: &str) -> usize {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("comm")).ok())
        .filter(|name| name.starts_with(prefix))
        .count()
}

// ---- helpers ----

/// Runs until it is asked to stop.
fn obeys(name: &str) -> TaskSpec {
    TaskSpec::once(name, async |ctx| {
        ctx.cancelled().await;
        Ok(())
    })
}

async fn running(task: &TaskHandle) {
    within("the attempt", async {
        while task.status().attempt == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Keeps the panics that are meant out of the output.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&"on purpose") {
                loud(info);
            }
        }));
    });
}

// ---- supervisors ----

// lesson 22
#[test]
fn supervisors_that_were_shut_down_leave_no_thread_and_no_memory() {
    let _turn = alone();
    actix_main(leaves_nothing("supervisors with threads", 20, 200, async |_| {
        let supervisor = dedicated_with(|builder| builder.name("lk-sht"));
        let task = supervisor.add(obeys("job")).await.unwrap();
        running(&task).await;
        assert!(within("the shutdown", supervisor.shutdown()).await.is_clean());
    }));
    eventually("the end of every thread", || threads_named("lk-sht") == 0);
}

// lesson 22
#[test]
fn supervisors_whose_last_handle_was_dropped_leave_no_thread_and_no_memory() {
    let _turn = alone();
    actix_main(leaves_nothing("dropped supervisors with threads", 20, 200, async |_| {
        let supervisor = dedicated_with(|builder| builder.name("lk-drp"));
        let subscription = supervisor.subscribe(|_: &Event| {}).await.unwrap();
        let task = supervisor.add(obeys("job")).await.unwrap();
        running(&task).await;
        drop(supervisor);
        within("the end", task.removed()).await;
        drop(subscription);
        eventually("the end of its threads", || threads_named("lk-drp") == 0);
    }));
}

// lessons 20 and 22
#[test]
fn supervisors_with_a_blocked_thread_leave_nothing_once_it_is_free() {
    let _turn = alone();
    let once = async |_| {
        let mut ends = Vec::new();
        for _ in 0..20 {
            let supervisor = dedicated_with(|builder| builder.name("lk-blk").grace(ms(1)));
            let (unblock, blocked) = std::sync::mpsc::channel::<()>();
            let blocked = Mutex::new(blocked);
            let spec = TaskSpec::once("job", async move |_| {
                let _ = blocked.lock().unwrap().recv();
                Ok(())
            });
            let task = supervisor.add(spec).await.unwrap();
            running(&task).await;
            let behind = supervisor.add(obeys("behind")).await.unwrap();
            ends.push(actix::spawn(async move {
                let report = supervisor.shutdown().await;
                assert_eq!((report.stuck.len(), report.held_up.len()), (1, 1), "{report}");
                assert_eq!(report.left_behind.len(), 1, "{report}");
                drop(unblock);
                behind.outcome().await;
            }));
        }
        for end in ends {
            within("an end", end).await.unwrap();
        }
        eventually("the end of every thread", || threads_named("lk-blk") == 0);
    };
    actix_main(leaves_nothing("supervisors with a blocked thread", 1, 2, once));
}

#[test]
fn supervisors_on_this_arbiter_leave_no_memory() {
    let _turn = alone();
    actix_main(leaves_nothing("supervisors on this arbiter", 20, 200, async |number| {
        let supervisor = current();
        let subscription = supervisor.subscribe(|_: &Event| {}).await.unwrap();
        let task = supervisor.add(obeys("job")).await.unwrap();
        running(&task).await;
        if number % 2 == 0 {
            within("the shutdown", supervisor.shutdown()).await;
        }
        drop((supervisor, subscription));
        within("the end", task.removed()).await;
    }));
}

#[test]
fn supervisors_whose_runtime_was_dropped_leave_no_memory() {
    let _turn = alone();
    let once = async |_| {
        // A runtime cannot be dropped inside another one.
        let thread = std::thread::spawn(|| {
            let task = actix_main(async {
                let supervisor = current();
                let subscription = supervisor.subscribe(|_: &Event| {}).await.unwrap();
                let fails = TaskSpec::restartable("fails", async |_| Err("again".into()));
                supervisor.add(fails.backoff(every(secs(3600)))).await.unwrap();
                let task = supervisor.add(obeys("job")).await.unwrap();
                running(&task).await;
                std::mem::drop(actix::spawn(async move {
                    let _kept = (supervisor, subscription);
                    pending::<()>().await;
                }));
                task
            });
            assert_eq!(task.status().outcome.map(|outcome| outcome.label()), Some("lost"));
        });
        thread.join().unwrap();
    };
    actix_main(leaves_nothing("supervisors with their runtimes", 20, 100, once));
}

#[test]
fn starts_that_are_refused_leave_no_memory() {
    let _turn = alone();
    actix_main(leaves_nothing("refused starts", 100, 2_000, async |_| {
        let no_worker = Placement::Dedicated { workers: 0 };
        TaskSupervisor::builder().placement(no_worker).start().unwrap_err();
    }));
}

// ---- tasks ----

// lesson 11
#[test]
fn refused_specs_leave_no_memory() {
    let _turn = alone();
    actix_main(async {
        let supervisor = current_with(|builder| builder.max_tasks(1));
        let task = supervisor.add(obeys("taken")).await.unwrap();
        leaves_nothing("refused specs", 1_000, MANY, async |number| {
            let spec = match number % 3 {
                0 => obeys("taken"),
                1 => obeys(&name(number)),
                _ => obeys(&name(number)).backoff(BackoffPolicy::immediate()),
            };
            let refused = supervisor.add(spec).await.unwrap_err();
            match number % 3 {
                0 => assert!(matches!(refused, AddError::AlreadyExists { .. }), "{refused}"),
                1 => assert!(matches!(refused, AddError::LimitReached { .. }), "{refused}"),
                _ => assert!(matches!(refused, AddError::InvalidSpec { .. }), "{refused}"),
            }
        })
        .await;
        assert_eq!(task.status().phase, TaskPhase::Running);
    });
}

// lesson 11
#[test]
fn refused_specs_leave_no_memory_behind_on_other_threads() {
    let _turn = alone();
    actix_main(async {
        let supervisor = dedicated();
        supervisor.add(obeys("taken")).await.unwrap();
        leaves_nothing("refused specs", 500, MANY, async |number| {
            let add = supervisor.add(obeys("taken"));
            if number % 2 == 0 {
                look_in(add).await; // the refusal finds nobody
            } else {
                add.await.unwrap_err();
            }
        })
        .await;
    });
}

// lesson 11
#[test]
fn finished_tasks_of_many_names_leave_no_memory() {
    let _turn = alone();
    actix_main(async {
        let supervisor = current();
        // The history holds 1,024 outcomes: it is full before the comparison begins.
        leaves_nothing("finished tasks", 2_000, MANY, async |number| {
            let spec = TaskSpec::once(name(number), async |_| Ok(()));
            supervisor.add(spec).await.unwrap().removed().await;
        })
        .await;
    });
}

// lesson 11
#[test]
fn finished_tasks_of_many_names_leave_no_memory_behind_on_other_threads() {
    let _turn = alone();
    actix_main(async {
        let supervisor = dedicated_with(|builder| builder.outcome_history(100));
        let subscription = supervisor.subscribe(|_: &Event| {}).await.unwrap();
        leaves_nothing("finished tasks", 500, MANY / 2, async |number| {
            let spec = TaskSpec::once(name(number), async |_| Err("no".into()));
            supervisor.add(spec).await.unwrap().removed().await;
        })
        .await;
        drop(subscription);
    });
}

#[test]
fn many_tasks_at_once_leave_no_memory() {
    let _turn = alone();
    actix_main(async {
        let supervisor = current_with(|builder| builder.outcome_history(0).max_concurrent(50));
        leaves_nothing("a thousand tasks at once", 2, 5, async |_| {
            let tasks =
                supervisor.add_all((0..1_000).map(|number| obeys(&name(number)))).await.unwrap();
            running(&tasks[49]).await;
            let report = supervisor.cancel_all_within(secs(5)).await.unwrap();
            assert_eq!(report.ended.len(), 1_000);
        })
        .await;
    });
}

#[test]
fn cancelled_and_forced_tasks_leave_no_memory() {
    let _turn = alone();
    actix_main(async {
        tokio::time::pause();
        let supervisor = current_with(|builder| builder.outcome_history(100));
        leaves_nothing("cancelled tasks", 500, MANY / 2, async |number| {
            let ignores = TaskSpec::once(name(number), async |_| pending().await);
            let spec = if number % 2 == 0 { obeys(&name(number)) } else { ignores };
            let task = supervisor.add(spec).await.unwrap();
            if number % 4 < 2 {
                running(&task).await;
            }
            task.cancel().await.unwrap();
            supervisor.cancel("nobody").await.unwrap_err();
        })
        .await;
    });
}

#[test]
fn attempts_leave_no_memory_however_they_end() {
    let _turn = alone();
    silence();
    actix_main(async {
        tokio::time::pause();
        let supervisor = current();
        let subscription = supervisor.subscribe(|_: &Event| {}).await.unwrap();
        let attempts = Counter::default();
        let count = attempts.clone();
        let spec = TaskSpec::periodic("job", ms(1), async move |ctx| {
            let (_token, _context) = (ctx.child_token(), ctx.clone());
            match count.add() % 4 {
                0 => panic!("on purpose"),
                1 => Err("again".into()),
                2 => pending().await,
                _ => Ok(()),
            }
        });
        supervisor.add(spec.timeout(ms(5)).backoff(every(ms(1)))).await.unwrap();
        let mut wanted = 0;
        leaves_nothing("attempts", 50, 1_000, async |_| {
            wanted += 10;
            while attempts.get() < wanted {
                tokio::time::sleep(ms(1)).await;
            }
        })
        .await;
        drop(subscription);
    });
}

// ---- those who wait, and go away ----

#[test]
fn waiters_that_went_away_leave_nothing() {
    let _turn = alone();
    actix_main(async {
        let supervisor = current();
        let (tell, told) = tokio::sync::oneshot::channel();
        let tell = Mutex::new(Some(tell));
        let spec = TaskSpec::once("job", async move |ctx| {
            let _ = tell.lock().unwrap().take().unwrap().send(ctx.clone());
            pending().await
        });
        let task = supervisor.add(spec).await.unwrap();
        let context = told.await.unwrap();
        leaves_nothing("waiters", 500, MANY / 2, async |_| {
            look_in(task.outcome()).await;
            look_in(task.removed()).await;
            look_in(task.outcome().after_events(secs(1))).await;
            look_in(supervisor.wait_until_empty()).await;
            look_in(supervisor.events_delivered()).await;
            look_in(supervisor.list()).await;
            look_in(context.cancelled()).await;
            look_in(context.child_token().cancelled_owned()).await;
            look_in(context.run_until_cancelled(pending::<()>())).await;
            drop((context.clone(), task.clone(), task.addr(), supervisor.downgrade().upgrade()));
            tokio::task::yield_now().await;
        })
        .await;
    });
}

#[test]
fn callers_that_went_away_leave_nothing_on_other_threads() {
    let _turn = alone();
    actix_main(async {
        let supervisor = dedicated_with(|builder| builder.outcome_history(10));
        let task = supervisor.add(obeys("job")).await.unwrap();
        leaves_nothing("callers", 500, MANY / 2, async |number| {
            look_in(supervisor.add(TaskSpec::once(name(number), async |_| Ok(())))).await;
            look_in(supervisor.status("job")).await;
            look_in(supervisor.wait_until_empty()).await;
            look_in(supervisor.events_delivered()).await;
            look_in(task.outcome()).await;
            // The tasks that are there at once are never many: their room would be kept.
            while supervisor.list().await.unwrap().len() > 1 {}
        })
        .await;
    });
}

// ---- subscriptions ----

/// Ends with its address.
struct Listens;

impl Actor for Listens {
    type Context = Context<Self>;
}

impl Handler<Lifecycle> for Listens {
    type Result = ();
    fn handle(&mut self, _: Lifecycle, _: &mut Self::Context) {}
}

#[test]
fn subscriptions_that_came_and_went_leave_nothing() {
    let _turn = alone();
    for placement in [Placement::Current, Placement::Dedicated { workers: 1 }] {
        actix_main(async {
            let supervisor =
                dedicated_with(|builder| builder.placement(placement).outcome_history(10));
            leaves_nothing("subscriptions", 100, MANY / 10, async |number| {
                let actor = Listens.start();
                let value = SubscriptionSpec::from_fn(|_: &Event| {}).with_snapshot();
                let kept = (
                    supervisor.subscribe(actor.clone().recipient::<Lifecycle>()).await.unwrap(),
                    supervisor.subscribe(value).await.unwrap(),
                );
                let task =
                    supervisor.add(TaskSpec::once(name(number), async |_| Ok(()))).await.unwrap();
                task.removed().await;
                if number % 2 == 0 {
                    supervisor.events_delivered().await.unwrap();
                }
                kept.1.resync();
                drop(kept);
                look_in(supervisor.subscribe(|_: &Event| {})).await;
                tokio::task::yield_now().await;
            })
            .await;
        });
    }
}

#[test]
fn the_scales_notice_a_leak() {
    let _turn = alone();
    let leaks =
        leaves_nothing("this", 10, 10_000, async |_| std::mem::forget(Box::new([0_u8; 16])));
    let leaks: Pin<Box<dyn Future<Output = ()>>> = Box::pin(leaks);
    silence();
    let noticed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| actix_main(leaks)));
    let text = noticed.unwrap_err();
    let text = text.downcast_ref::<String>().unwrap();
    assert!(text.contains("16 for each"), "{text}");
}
