#![cfg(feature = "test-util")]
//! Slots on real threads: owners that are stuck, workers that die, a fair share of permits. Real time, but
//! where the clock is paused. Many threads that submit at once are in `slot_storm`.

mod common;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    time::Instant,
};

use actix_taskvisor::{Probe, prelude::*};
use common::*;
use tokio::sync::oneshot;

// ---- helpers ----

fn with_workers(workers: usize) -> SupervisorHandle {
    dedicated_with(|builder| builder.placement(Placement::Dedicated { workers }))
}

fn quick(name: &str) -> TaskSpec {
    TaskSpec::once(name, async |_| Ok(()))
}

fn on(slot: &str, when_busy: WhenBusy, spec: TaskSpec) -> Submission {
    Submission::new(spec).slot(slot).when_busy(when_busy)
}

async fn submit(supervisor: &SupervisorHandle, submission: Submission) -> SubmissionHandle {
    within("the decision", supervisor.submit(submission)).await.unwrap()
}

async fn refused(supervisor: &SupervisorHandle, submission: Submission) -> RejectionKind {
    let error = within("the decision", supervisor.submit(submission)).await.unwrap_err();
    error.kind().expect("a decision of the registry")
}

async fn ended(submission: &SubmissionHandle) -> TaskOutcome {
    within("the physical end", submission.removed()).await
}

/// Asks again and again until `is_it`.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> T, is_it: impl Fn(&T) -> bool) -> T {
    within(what, async {
        loop {
            let answer = ask().await;
            if is_it(&answer) {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// Who is inside the bodies of one slot, the most there ever were, and in which order they came.
#[derive(Default)]
struct Gauge {
    inside: AtomicUsize,
    most: AtomicUsize,
    came: Mutex<Vec<TaskId>>,
}

struct Inside(Arc<Gauge>);

impl Gauge {
    fn enter(self: &Arc<Self>, id: TaskId) -> Inside {
        let now = self.inside.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(now, SeqCst);
        self.came.lock().unwrap().push(id);
        Inside(Arc::clone(self))
    }

    fn came(&self) -> Vec<TaskId> {
        self.came.lock().unwrap().clone()
    }

    /// A body that is gone as soon as it came.
    fn quick(self: &Arc<Self>, name: &str) -> TaskSpec {
        let gauge = Arc::clone(self);
        TaskSpec::once(name, async move |ctx| {
            drop(gauge.enter(ctx.id()));
            Ok(())
        })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, SeqCst);
    }
}

/// A body that blocks its thread, whoever asks.
struct Blocked {
    unblock: mpsc::Sender<()>,
    reached: oneshot::Receiver<()>,
}

impl Blocked {
    fn body(name: &str, gauge: &Arc<Gauge>) -> (TaskSpec, Self) {
        let (unblock, blocked) = mpsc::channel::<()>();
        let (tell, reached) = oneshot::channel();
        let inside = Mutex::new(Some((tell, blocked)));
        let gauge = Arc::clone(gauge);
        let spec = TaskSpec::once(name, async move |ctx| {
            let (tell, blocked) = inside.lock().unwrap().take().unwrap();
            let _inside = gauge.enter(ctx.id());
            tell.send(()).unwrap();
            let _ = blocked.recv();
            Ok(())
        });
        (spec, Self { unblock, reached })
    }

    async fn reached(&mut self) {
        within("the body that blocks", &mut self.reached).await.unwrap();
    }
}

#[actix::test]
async fn those_who_follow_several_displaced_ones_share_the_outcome_of_the_newest() {
    tokio::time::pause();
    let supervisor = current();
    let owner = TaskSpec::once("owner", async |ctx| {
        ctx.cancelled().await;
        Ok(())
    });
    submit(&supervisor, on("k", WhenBusy::Queue, owner)).await;
    let mut all = Vec::new();
    for name in ["a", "b"] {
        all.push(submit(&supervisor, on("k", WhenBusy::Queue, quick(name))).await);
        all.push(submit(&supervisor, on("k", WhenBusy::Attach, quick(name))).await);
    }
    let newest = on("k", WhenBusy::ReplaceAll, quick("newest")).attach_displaced();
    all.push(submit(&supervisor, newest).await);
    for one in all {
        let outcome = ended(&one).await;
        assert!(outcome.is_success(), "{one:?}: {outcome}");
    }
}

// ---- a time that comes ----

/// On the worker's thread, though nothing reaches the registry behind the alarm that starts it.
#[actix::test]
async fn a_submission_whose_time_has_come_starts_without_another_message() {
    let supervisor = with_workers(1);
    let when_busy = WhenBusy::Debounce { quiet: ms(20), max_wait: secs(1) };
    let submission = submit(&supervisor, on("k", when_busy, quick("late"))).await;
    assert!(matches!(submission.admission(), Admission::Delayed { .. }));
    assert!(ended(&submission).await.is_success());
    assert!(within("the shutdown", supervisor.shutdown()).await.is_clean());
}

// ---- an owner that is stuck ----

// lessons 9 and 23
#[actix::test]
async fn the_successor_of_an_owner_that_blocks_its_thread_starts_when_the_thread_is_back() {
    let supervisor = dedicated_with(|builder| {
        let builder = builder.placement(Placement::Dedicated { workers: 2 });
        builder.grace(ms(20)).max_queued_per_slot(1)
    });
    let gauge = Arc::<Gauge>::default();
    let (spec, mut body) = Blocked::body("owner", &gauge);
    let owner = submit(&supervisor, on("k", WhenBusy::Queue, spec)).await; // worker 0
    body.reached().await;
    let asked = Instant::now();
    let next = submit(&supervisor, on("k", WhenBusy::Replace, gauge.quick("next"))).await;
    assert_eq!(next.admission(), Admission::Replacing { owner: owner.id() });
    let late = on("k", WhenBusy::Queue, gauge.quick("late")).max_wait(ms(200));
    let late = submit(&supervisor, late).await;
    let one_more = || on("k", WhenBusy::Queue, gauge.quick("one more"));
    assert_eq!(refused(&supervisor, one_more()).await, RejectionKind::SlotQueueFull { limit: 1 });

    // Its queue keeps its deadlines, and the place is free again.
    let outcome = ended(&late).await;
    let is_timeout =
        |kind| matches!(kind, RejectionKind::QueueTimeout { max_wait } if max_wait == ms(200));
    assert!(matches!(outcome, TaskOutcome::Rejected { kind } if is_timeout(kind)), "{outcome}");
    let last = submit(&supervisor, one_more()).await;
    assert_eq!(last.admission(), Admission::Queued { position: 2 });

    // It has its outcome in time, and keeps the slot.
    let outcome = within("the outcome", owner.outcome()).await;
    let took = asked.elapsed();
    let is_forced = |outcome: &TaskOutcome| {
        matches!(outcome, TaskOutcome::ForceAborted { cause: CancelCause::Replaced })
    };
    assert!(is_forced(&outcome), "{outcome}");
    assert!(took >= ms(20 + 250) && took < secs(5), "{took:?}");
    let slot = async || supervisor.slot("k").await.unwrap().unwrap();
    let before = slot().await;
    let is_stuck = |slot: &SlotStatus| !slot.owners[0].is_responding;
    let after = until("a second of silence", slot, is_stuck).await;
    for slot in [&before, &after] {
        assert_eq!((slot.state, slot.owners.len()), (SlotState::Stopping, 1));
        let status = &slot.owners[0];
        assert!(status.outcome.as_ref().is_some_and(is_forced), "{status:?}");
        assert!(status.is_polling && !status.is_removed, "{status:?}");
        let queue: Vec<_> = slot.queue.iter().map(|one| (one.task.id(), one.position)).collect();
        assert_eq!(queue, [(next.id(), Some(1)), (last.id(), Some(2))]);
    }
    assert!(before.owners[0].stopping_for >= Some(ms(270)));
    assert!(after.owners[0].stopping_for > before.owners[0].stopping_for);
    let joins = submit(&supervisor, on("k", WhenBusy::Attach, gauge.quick("joins"))).await;
    assert_eq!(joins.admission(), Admission::Attached { to: next.id() });
    let dropped = refused(&supervisor, on("k", WhenBusy::DropIfRunning, quick("dropped"))).await;
    assert_eq!(dropped, RejectionKind::SlotBusy { owner: owner.id() });
    assert_eq!(gauge.came(), [owner.id()]);

    body.unblock.send(()).unwrap();
    for one in [&next, &last, &joins] {
        assert!(ended(one).await.is_success());
    }
    assert!(is_forced(&ended(&owner).await));
    assert_eq!(gauge.came(), [owner.id(), next.id(), last.id()]);
    assert_eq!(gauge.most.load(SeqCst), 1);
    assert!(within("the shutdown", supervisor.shutdown()).await.is_clean());
}

// lesson 9
#[actix::test]
async fn the_successor_of_an_owner_that_ignores_its_cancellation_starts_when_that_is_forced() {
    struct LeavesSlowly;
    impl Drop for LeavesSlowly {
        fn drop(&mut self) {
            std::thread::sleep(ms(30)); // the body is not over while it is being dropped
        }
    }
    let supervisor = with_workers(2);
    let gauge = Arc::<Gauge>::default();
    let (begun, deaf_ticks, inside) = (Counter::default(), Counter::default(), Arc::clone(&gauge));
    let (begins, ticks) = (begun.clone(), deaf_ticks.clone());
    let deaf = TaskSpec::once("owner", async move |ctx| {
        let _inside = inside.enter(ctx.id());
        let _slow = LeavesSlowly;
        begins.add();
        loop {
            if ctx.is_cancelled() {
                ticks.add();
            }
            tokio::time::sleep(ms(1)).await;
        }
    });
    let owner = submit(&supervisor, on("k", WhenBusy::Queue, deaf.grace(ms(500)))).await;
    eventually("the body", || begun.get() > 0);
    let asked = Instant::now();
    let mut displaced = Vec::new();
    for number in 0..5 {
        let spec = gauge.quick(&format!("next-{number}"));
        displaced.push(submit(&supervisor, on("k", WhenBusy::Replace, spec)).await);
    }
    let next = displaced.pop().unwrap();
    let slot = supervisor.slot("k").await.unwrap().unwrap();
    assert_eq!((slot.state, slot.queue.len()), (SlotState::Stopping, 1));
    assert!(ended(&next).await.is_success());
    assert!(asked.elapsed() >= ms(500 + 30), "{:?}", asked.elapsed());
    assert!(deaf_ticks.get() > 0, "it went on in its grace");
    let outcome = ended(&owner).await;
    assert!(matches!(outcome, TaskOutcome::ForceAborted { cause: CancelCause::Replaced }));
    for one in displaced {
        let outcome = ended(&one).await;
        let is_displaced = |kind| matches!(kind, RejectionKind::Superseded { .. });
        assert!(matches!(outcome, TaskOutcome::Rejected { kind } if is_displaced(kind)));
    }
    assert_eq!(gauge.came(), [owner.id(), next.id()]);
    assert_eq!(gauge.most.load(SeqCst), 1);
}

// lesson 20
#[actix::test]
async fn a_shutdown_with_a_stuck_owner_rejects_its_queue_and_returns() {
    let supervisor = dedicated_with(|builder| builder.grace(ms(20)));
    let (spec, mut body) = Blocked::body("owner", &Arc::default());
    let owner = submit(&supervisor, on("k", WhenBusy::Queue, spec)).await;
    body.reached().await;
    let mut waiting = Vec::new();
    for number in 0..100 {
        let policy = if number == 0 { WhenBusy::Replace } else { WhenBusy::Queue };
        waiting.push(submit(&supervisor, on("k", policy, quick("waits"))).await);
    }
    let report = within("the shutdown", supervisor.shutdown()).await;
    assert!(report.took < secs(5), "{report}");
    assert_eq!(report.stuck.iter().map(TaskRef::id).collect::<Vec<_>>(), [owner.id()]);
    assert_eq!(report.ended.len(), 101);
    for one in waiting {
        let outcome = ended(&one).await;
        let kind = RejectionKind::ShuttingDown;
        assert!(matches!(outcome, TaskOutcome::Rejected { kind: why } if why == kind), "{outcome}");
    }
    body.unblock.send(()).unwrap();
}

// ---- a fair share of permits ----

const PERMITS: usize = 4;
/// The noisy tenant, five quiet ones, and all tasks without a slot.
const LINES: usize = 1 + 5 + 1;

/// One noisy tenant and many plain tasks fill the supervisor; then five quiet tenants come.
async fn all_get_their_turn(placement: Placement, slack: usize) {
    let supervisor = dedicated_with(|builder| builder.placement(placement).max_concurrent(PERMITS));
    let probe = Probe::attach(&supervisor).await.unwrap();
    // Nobody ends before all have come: so those who came first are many, however slow this thread is.
    let (open, gate) = tokio::sync::watch::channel(false);
    let job = |name: String| {
        let mut gate = gate.clone();
        TaskSpec::once(name, async move |_| {
            gate.wait_for(|is_open| *is_open).await?;
            tokio::time::sleep(ms(1)).await;
            Ok(())
        })
    };
    for number in 0..1_000 {
        let noisy = on("noisy", WhenBusy::Queue, job(format!("noisy-{number}")));
        submit(&supervisor, noisy.concurrency(100)).await;
        if number % 5 == 0 {
            within("add", supervisor.add(job(format!("plain-{number}")))).await.unwrap();
        }
    }
    let mut quiet = Vec::new();
    for round in 0..3 {
        for tenant in 0..5 {
            let spec = job(format!("{tenant}-{round}"));
            let one = on(&format!("quiet-{tenant}"), WhenBusy::Queue, spec);
            quiet.push((round, submit(&supervisor, one).await));
        }
    }
    open.send(true).unwrap();
    within("the end", supervisor.wait_until_empty()).await;
    supervisor.events_delivered().await.unwrap();
    let events = probe.events();
    let when = |id: TaskId, kind: EventType| {
        let is_it = |event: &Event| {
            event.kind.event_type() == kind && event.task.as_ref().is_some_and(|t| t.id() == id)
        };
        events.iter().position(is_it).unwrap()
    };
    let is_start = |event: &&Event| event.kind.event_type() == EventType::TaskStarting;
    let mut first_come = Vec::new();
    let mut measured = Vec::new();
    for (round, one) in quiet {
        let came = when(one.id(), EventType::SlotSubmitted);
        let owned = when(one.id(), EventType::TaskAdded);
        let started = when(one.id(), EventType::TaskStarting);
        let in_line = events[owned..=started].iter().filter(is_start).count();
        assert!(in_line <= LINES + PERMITS + slack, "{one:?} in its line: {in_line} starts");
        let in_all = events[came..=started].iter().filter(is_start).count();
        let bound = (round + 1) * (LINES + 2 * PERMITS + slack);
        assert!(in_all <= bound, "{one:?}: {in_all} starts, not {bound}");
        measured.push(in_all);
        // Those who had asked for a permit before it, and had none.
        let asked = events[..came].iter().filter(|e| matches!(e.kind, EventKind::TaskAdded));
        first_come.push(asked.count() - events[..came].iter().filter(is_start).count());
    }
    let (longest, fewest) = (measured.iter().max().unwrap(), first_come.iter().min().unwrap());
    assert!(longest * 3 < *fewest, "{measured:?}; first come, first served: {first_come:?}");
    println!("starts until a quiet one started: {measured:?}");
    println!("had all been served as they came: {first_come:?}");
}

#[actix::test]
async fn a_noisy_tenant_keeps_no_quiet_one_waiting_for_more_than_a_turn() {
    tokio::time::pause();
    all_get_their_turn(Placement::Current, 0).await;
}

#[actix::test]
async fn on_real_threads_a_noisy_tenant_keeps_no_quiet_one_waiting_either() {
    all_get_their_turn(Placement::Dedicated { workers: 2 }, 4 * PERMITS).await;
}

// ---- a worker that dies ----

#[actix::test]
async fn a_slot_whose_owner_was_lost_with_its_worker_goes_on_with_another_worker() {
    for _ in 0..20 {
        let supervisor = with_workers(2);
        let (stops, go) = stops_its_system("stops");
        let owner = submit(&supervisor, on("k", WhenBusy::Queue, stops)).await; // worker 0
        let mut next = Vec::new();
        for number in 0..4 {
            let spec = quick(&format!("next-{number}"));
            next.push(submit(&supervisor, on("k", WhenBusy::Queue, spec)).await);
        }
        go.send(()).unwrap();
        let outcome = ended(&owner).await;
        assert!(matches!(outcome, TaskOutcome::Lost), "{outcome}");
        for one in next {
            let outcome = ended(&one).await;
            assert!(outcome.is_success(), "{one:?} on {:?}: {outcome}", one.status().worker);
            assert_eq!(one.status().worker, Some(1));
        }
        let late = submit(&supervisor, on("k", WhenBusy::DropIfRunning, quick("late"))).await;
        assert!(ended(&late).await.is_success());
    }
}

#[actix::test]
async fn without_a_worker_left_those_who_wait_are_rejected_and_newcomers_are_refused() {
    let supervisor = with_workers(1);
    let (stops, go) = stops_its_system("stops");
    let owner = submit(&supervisor, on("k", WhenBusy::Queue, stops)).await;
    let mut waiting = Vec::new();
    for number in 0..20 {
        let spec = quick(&format!("waits-{number}"));
        waiting.push(submit(&supervisor, on("k", WhenBusy::Queue, spec)).await);
    }
    let debounce = WhenBusy::Debounce { quiet: ms(300), max_wait: ms(300) };
    waiting.push(submit(&supervisor, on("other", debounce, quick("debounced"))).await);
    let follows = submit(&supervisor, on("other", WhenBusy::Attach, quick("debounced"))).await;
    waiting.push(follows);
    go.send(()).unwrap();
    let outcome = ended(&owner).await;
    assert!(matches!(outcome, TaskOutcome::Lost), "{outcome}");
    for one in waiting {
        let outcome = ended(&one).await;
        let is_it = matches!(outcome, TaskOutcome::Rejected { kind: RejectionKind::NoWorker });
        assert!(is_it, "{one:?}: {outcome}");
    }
    for when_busy in [WhenBusy::Queue, WhenBusy::DropIfRunning, WhenBusy::Attach, debounce] {
        let kind = refused(&supervisor, on("k", when_busy, quick("late"))).await;
        assert_eq!(kind, RejectionKind::NoWorker, "{when_busy}");
    }
    assert!(supervisor.slots().await.unwrap().is_empty());
    within("empty", supervisor.wait_until_empty()).await;
}

// ---- an end, seen from another thread ----

#[actix::test]
async fn after_removed_the_slot_is_free() {
    let supervisor = with_workers(1);
    for round in 0..10_000 {
        let one = submit(&supervisor, on("k", WhenBusy::DropIfRunning, quick("job"))).await;
        assert_eq!(one.admission(), Admission::Started, "round {round}");
        ended(&one).await;
    }
}

#[actix::test]
async fn after_an_outcome_the_slot_is_free_or_busy_for_a_moment() {
    let supervisor = with_workers(1);
    let (mut busy, rounds) = (0, 2_000);
    let mut last = None::<SubmissionHandle>;
    for _ in 0..rounds {
        let sent = supervisor.submit(on("k", WhenBusy::DropIfRunning, quick("job"))).await;
        match sent {
            Ok(one) => {
                assert_eq!(one.admission(), Admission::Started);
                within("the outcome", one.outcome()).await;
                last = Some(one);
            }
            Err(error) => {
                let last = last.as_ref().unwrap();
                assert_eq!(error.kind(), Some(RejectionKind::SlotBusy { owner: last.id() }));
                ended(last).await;
                busy += 1;
            }
        }
    }
    println!("right after an outcome the slot was busy {busy} times in {rounds}");
}

// ---- subscribers ----

// lesson 2
#[actix::test]
async fn a_subscriber_that_blocks_holds_no_slot_up() {
    let supervisor = with_workers(1);
    let (unblock, blocked) = mpsc::channel::<()>();
    let (tell, reached) = oneshot::channel();
    let mut tell = Some(tell);
    let blocks = SubscriptionSpec::from_fn(move |_: &Event| {
        if let Some(tell) = tell.take() {
            tell.send(()).unwrap();
        }
        let _ = blocked.recv(); // until the other end is dropped
    });
    let subscription = supervisor.subscribe(blocks.capacity(1)).await.unwrap();
    let gauges: Vec<_> = (0..10).map(|_| Arc::<Gauge>::default()).collect();
    let mut all = Vec::new();
    for number in 0..500 {
        let slot = number % gauges.len();
        let spec = gauges[slot].quick(&format!("job-{number}"));
        all.push(submit(&supervisor, on(&format!("slot-{slot}"), WhenBusy::Queue, spec)).await);
    }
    within("the subscriber", reached).await.unwrap();
    for one in &all {
        assert!(ended(one).await.is_success());
    }
    for (slot, gauge) in gauges.iter().enumerate() {
        let ids: Vec<_> = all.iter().skip(slot).step_by(10).map(SubmissionHandle::id).collect();
        assert_eq!(gauge.came(), ids);
    }
    drop(unblock);
    drop(subscription);
    assert!(within("the shutdown", supervisor.shutdown()).await.is_clean());
}
