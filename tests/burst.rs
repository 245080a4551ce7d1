//! Very much at once: every outcome is right, every event is accounted for, and then there is quiet.
#![cfg(feature = "test-util")]

mod common;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_taskvisor::prelude::*;
use common::*;
use tokio::sync::Mutex as AsyncMutex;

/// These tests look at the whole process: one at a time.
static ALONE: AsyncMutex<()> = AsyncMutex::const_new(());

/// How many tasks a burst has.
const BURST: usize = 100_000;

/// What a subscriber counted.
#[derive(Clone, Default)]
struct Books(Arc<Mutex<Page>>);

#[derive(Clone, Debug, Default)]
struct Page {
    delivered: u64,
    lost: u64,
    last_seq: u64,
    /// Terminal events, and removals, by task.
    ends: HashMap<TaskId, (u32, u32)>,
}

impl Books {
    fn page(&self) -> Page {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Subscribe for Books {
    fn on_event(&mut self, event: &Event) {
        let mut page = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        page.delivered += 1;
        // Without a filter each event comes where the losses before it put it.
        page.last_seq = event.seq;
        let Some(task) = &event.task else { return };
        match event.kind {
            EventKind::ActorExhausted { .. } | EventKind::ActorDead { .. } => {
                page.ends.entry(task.id()).or_default().0 += 1;
            }
            EventKind::TaskRemoved { .. } => page.ends.entry(task.id()).or_default().1 += 1,
            _ => {}
        }
    }

    fn on_lost(&mut self, lost: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lost += lost;
    }
}

/// The processor time that this process has used, in hundredths of a second.
fn ticks_used() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("a Linux system");
    let after_name = stat.rsplit_once(')').expect("the name is in brackets").1;
    // The first field after the name is the third of all: utime and stime are numbers 14 and 15.
    let fields: Vec<_> = after_name.split_whitespace().collect();
    [fields[11], fields[12]].map(|ticks| ticks.parse::<u64>().expect("a number")).iter().sum()
}

/// Waits for 300 ms in which the process uses next to no time; a loop of events would never leave any.
fn assert_idle() {
    let mut used = Vec::new();
    for _ in 0..10 {
        let before = ticks_used();
        std::thread::sleep(ms(300));
        used.push(ticks_used() - before);
        if used.last().is_some_and(|ticks| *ticks <= 3) {
            return;
        }
    }
    panic!("the process is never idle: {used:?} hundredths of a second in 300 ms each");
}

/// Each fourth fails, dies, or gives up.
fn of_kind(number: usize) -> TaskSpec {
    TaskSpec::once(format!("task-{number}"), async move |_| match number % 4 {
        1 => Err(TaskError::failed("no")),
        2 => Err(TaskError::fatal("over")),
        3 => Err(TaskError::canceled()),
        _ => Ok(()),
    })
}

const LABELS: [&str; 4] = ["completed", "failed", "fatal", "canceled"];

// Lesson 1: "100,000 adds in one burst with a tiny event queue: CPU idle afterwards, every outcome right."
#[actix::test]
async fn after_a_burst_of_adds_with_a_tiny_bound_for_events_every_outcome_is_right_and_all_is_quiet()
 {
    let _alone = ALONE.lock().await;
    let supervisor = dedicated();
    let books = Books::default();
    let spec = SubscriptionSpec::from(books.clone()).capacity(16);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    let adds = (0..BURST).map(|number| {
        let supervisor = supervisor.clone();
        actix::spawn(async move { supervisor.add(of_kind(number)).await })
    });
    let adds: Vec<_> = adds.collect();
    for (number, add) in adds.into_iter().enumerate() {
        let task = within("an answer", add).await.expect("no panic").expect("accepted");
        let outcome = within("an outcome", task.removed()).await;
        assert_eq!(outcome.label(), LABELS[number % 4]);
        assert_eq!(task.status().attempt, 1);
    }
    assert_eq!(supervisor.is_empty().await, Ok(true));
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    assert_idle();

    let published = BURST as u64 * 6;
    eventually("the news of the last loss", || {
        let page = books.page();
        page.delivered + page.lost == published
    });
    let page = books.page();
    assert!(page.lost > 0 && page.delivered > 0, "{} lost, {} not", page.lost, page.delivered);
    let report = within("the shutdown", supervisor.shutdown()).await;
    assert!(report.is_clean(), "{report}");
    let page = books.page();
    assert_eq!(page.delivered + page.lost, published + 2);
}

// The same in one command.
#[actix::test]
async fn after_one_enormous_batch_every_outcome_is_right_and_all_is_quiet() {
    let _alone = ALONE.lock().await;
    let supervisor = dedicated_with(|b| b.placement(Placement::Dedicated { workers: 2 }));
    let books = Books::default();
    let spec = SubscriptionSpec::from(books.clone()).capacity(16);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    let specs = (0..BURST / 2).map(of_kind);
    let tasks = within("the answer", supervisor.add_all(specs)).await.expect("accepted");
    within("the end of all", supervisor.wait_until_empty()).await;
    for (number, task) in tasks.iter().enumerate() {
        let status = task.status();
        assert!(status.is_removed);
        assert_eq!(status.outcome.map(|outcome| outcome.label()), Some(LABELS[number % 4]));
    }
    assert_idle();
    within("the shutdown", supervisor.shutdown()).await;
    let page = books.page();
    assert_eq!(page.delivered + page.lost, tasks.len() as u64 * 6 + 2);
}

/// Adds tasks of all kinds and cancels some, its own and others', until `deadline`.
async fn rush(supervisor: SupervisorHandle, seed: u64, deadline: Instant) -> Vec<TaskHandle> {
    let mut draw = fastrand::Rng::with_seed(seed);
    let mut accepted = Vec::new();
    while Instant::now() < deadline {
        let number = draw.u32(0..200);
        let kind = draw.u32(0..5);
        let spec = TaskSpec::new(format!("task-{number}"), async move |ctx: TaskContext| {
            match (kind, ctx.attempt()) {
                (0, _) => Ok(()),
                (1, 1..5) => Err(TaskError::failed("no")),
                (1, _) => Err(TaskError::fatal("over")),
                (2, _) => {
                    tokio::task::yield_now().await;
                    Err(TaskError::canceled())
                }
                _ => {
                    ctx.cancelled().await;
                    Ok(())
                }
            }
        })
        .backoff(every(ms(1)));
        match supervisor.add(spec).await {
            Ok(task) => accepted.push(task),
            Err(error) => assert!(matches!(error, AddError::AlreadyExists { .. }), "{error}"),
        }
        let other = format!("task-{}", draw.u32(0..200));
        match draw.u32(0..4) {
            0 => {
                let reply = supervisor.cancel(other).await;
                assert!(matches!(reply, Ok(_) | Err(StopError::NotFound { .. })), "{reply:?}");
            }
            1 => {
                // Nobody waits for the answer to this one.
                let cancel = supervisor.cancel(other);
                let _ = tokio::time::timeout(Duration::ZERO, cancel).await;
            }
            2 => {
                if let Some(task) = accepted.last() {
                    let reply = task.cancel().await.expect("it was accepted");
                    assert!(matches!(reply.end, CancelEnd::Physical(_)), "{reply:?}");
                }
            }
            _ => {}
        }
    }
    accepted
}

#[actix::test]
async fn eight_threads_that_add_and_cancel_at_once_leave_each_task_with_exactly_one_outcome() {
    let _alone = ALONE.lock().await;
    let supervisor = dedicated_with(|b| b.placement(Placement::Dedicated { workers: 2 }));
    let books = Books::default();
    let ends = [EventType::ActorExhausted, EventType::ActorDead, EventType::TaskRemoved];
    let spec = SubscriptionSpec::from(books.clone())
        .filter(EventFilter::all().kinds(ends))
        .capacity(1 << 24);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    let deadline = Instant::now() + secs(1);
    let threads = (1..=8).map(|seed| {
        let supervisor = supervisor.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(rush(supervisor, seed, deadline))
        })
    });
    let threads: Vec<_> = threads.collect();
    let tasks: Vec<_> =
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect();
    assert!(tasks.len() > 100);
    let report = within("the shutdown", supervisor.shutdown()).await;
    assert!(report.is_clean(), "{report}");

    let page = books.page();
    assert_eq!((page.lost, report.undelivered), (0, 0));
    assert_eq!(page.ends.len(), tasks.len(), "no task of which nobody was told");
    for task in &tasks {
        let first = within("an outcome", task.outcome()).await;
        let again = task.status();
        assert!(again.is_removed);
        assert_eq!(again.outcome.map(|outcome| outcome.label()), Some(first.label()));
        assert_eq!(page.ends.get(&task.id()), Some(&(1, 1)), "{task:?}: {first}");
    }
    assert_idle();
}
