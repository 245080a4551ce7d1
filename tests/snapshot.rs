//! A snapshot and the events after it are the whole truth: whatever happens while it is taken.
#![cfg(feature = "test-util")]

mod common;

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix::prelude::*;
use actix_taskvisor::prelude::*;
use common::*;

// --- a view made of a snapshot and events -------------------------------------------------------

/// What can be known of a task from a status, and equally from its events.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    name: String,
    attempt: u64,
    stage: Stage,
    is_asked_to_stop: bool,
    outcome: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// Before the first attempt.
    Fresh,
    Running,
    /// Between the end of an attempt and what follows from it: told, but shown by no status.
    Concluded,
    BackingOff,
    Ended,
}

impl Known {
    fn from_status(status: &TaskStatus) -> Self {
        let stage = match (status.phase, status.uptime) {
            (TaskPhase::Ended, _) => Stage::Ended,
            (TaskPhase::BackingOff, _) => Stage::BackingOff,
            (_, Some(_)) => Stage::Running,
            (TaskPhase::WaitingForPermit, None) if status.attempt > 0 => Stage::BackingOff,
            (_, None) if status.attempt == 0 => Stage::Fresh,
            // The attempt is over, and what follows from it has not been written yet.
            (_, None) => Stage::Running,
        };
        Self {
            name: status.task.name().to_owned(),
            attempt: status.attempt,
            stage,
            is_asked_to_stop: status.cancel_cause.is_some(),
            outcome: status.outcome.as_ref().map(TaskOutcome::label),
        }
    }
}

/// The tasks as a subscriber knows them.
#[derive(Debug, Default)]
struct View {
    tasks: BTreeMap<TaskId, Known>,
    /// Ids that are over: nothing may be told of them any more.
    gone: HashSet<TaskId>,
    seqs: HashSet<u64>,
    last_seq: u64,
    snapshots: usize,
    lost: u64,
    events: u64,
    /// What could not be, as told to this view.
    complaints: Vec<String>,
}

impl View {
    /// Applies an event. A panic here would be contained and lost to the test: it is kept.
    fn take(&mut self, event: &Event) {
        let applied = catch_unwind(AssertUnwindSafe(|| self.event(event)));
        if applied.is_err() {
            self.complaints.push(event.to_string());
        }
    }

    fn restart(&mut self, statuses: &[TaskStatus]) {
        let applied = catch_unwind(AssertUnwindSafe(|| self.snapshot(statuses)));
        if applied.is_err() {
            self.complaints.push(format!("a snapshot: {statuses:?}"));
        }
    }

    fn snapshot(&mut self, statuses: &[TaskStatus]) {
        self.snapshots += 1;
        self.tasks.clear();
        let mut last = None;
        for status in statuses {
            let id = status.task.id();
            assert!(Some(id) > last, "in the order of ids, each once");
            last = Some(id);
            assert_consistent(status);
            // Gone since the moment of the membership: that has been told by this.
            if status.is_removed {
                self.gone.insert(id);
            } else {
                self.tasks.insert(id, Known::from_status(status));
            }
        }
    }

    /// Applies an event, which must be the next step from what is known.
    fn event(&mut self, event: &Event) {
        self.events += 1;
        assert!(self.seqs.insert(event.seq), "twice: {event}");
        assert!(event.seq > self.last_seq, "out of order: {event}");
        self.last_seq = event.seq;
        let Some(task) = &event.task else { return };
        let id = task.id();
        assert!(!self.gone.contains(&id), "told of one that is gone: {event}");
        let known = self.tasks.get_mut(&id);
        match (&event.kind, known) {
            (EventKind::TaskAddRequested | EventKind::TaskAddFailed { .. }, None) => {}
            (EventKind::TaskAdded, None) => {
                let fresh = Known {
                    name: task.name().to_owned(),
                    attempt: 0,
                    stage: Stage::Fresh,
                    is_asked_to_stop: false,
                    outcome: None,
                };
                self.tasks.insert(id, fresh);
            }
            (EventKind::TaskRemoved { .. }, Some(known)) => {
                assert_eq!(known.stage, Stage::Ended, "{event}");
                self.tasks.remove(&id);
                self.gone.insert(id);
            }
            (kind, Some(known)) => step(known, kind, event),
            (_, None) => panic!("told of an unknown task: {event}"),
        }
    }
}

fn step(known: &mut Known, kind: &EventKind, event: &Event) {
    let before = known.stage;
    let expect = |stages: &[Stage]| {
        assert!(stages.contains(&before), "{event} cannot follow {before:?}");
    };
    match kind {
        EventKind::TaskStarting { attempt } => {
            expect(&[Stage::Fresh, Stage::BackingOff]);
            assert_eq!(*attempt, known.attempt + 1, "{event}");
            known.attempt = *attempt;
            known.stage = Stage::Running;
        }
        EventKind::TaskStopped { attempt, .. }
        | EventKind::TaskFailed { attempt, .. }
        | EventKind::TimeoutHit { attempt, .. } => {
            expect(&[Stage::Running]);
            assert_eq!(*attempt, known.attempt, "{event}");
            known.stage = Stage::Concluded;
        }
        EventKind::BackoffScheduled { after_attempt, .. } => {
            expect(&[Stage::Concluded]);
            assert_eq!(*after_attempt, known.attempt, "{event}");
            known.stage = Stage::BackingOff;
        }
        EventKind::ActorExhausted { outcome } | EventKind::ActorDead { outcome } => {
            expect(&[Stage::Concluded, Stage::Fresh, Stage::BackingOff]);
            known.stage = Stage::Ended;
            known.outcome = Some(outcome.label());
        }
        EventKind::TaskRemoveRequested { .. } => {
            assert!(!known.is_asked_to_stop, "twice: {event}");
            known.is_asked_to_stop = true;
        }
        other => panic!("not of a known task: {other:?}"),
    }
}

/// Promised: "one status per task, each consistent in itself".
fn assert_consistent(status: &TaskStatus) {
    assert_eq!(status.restarts, status.attempt.saturating_sub(1));
    assert_eq!(status.outcome.is_some(), status.phase == TaskPhase::Ended);
    assert!(status.outcome.is_some() || !status.is_removed);
    assert!(status.next_attempt_in.is_none() || status.phase == TaskPhase::BackingOff);
    assert!(status.in_phase_for <= status.age);
    assert!(status.streak == 0 || status.last_failure.is_some());
    assert!(status.attempt > 0 || status.uptime.is_none());
}

/// A value that keeps a view.
#[derive(Clone, Default)]
struct Viewer(Arc<Mutex<View>>);

impl Viewer {
    fn look<R>(&self, look: impl FnOnce(&mut View) -> R) -> R {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn assert_content(&self) {
        self.look(|view| assert_eq!(view.complaints, [] as [&str; 0]));
    }

    fn tasks(&self) -> BTreeMap<TaskId, Known> {
        self.look(|view| view.tasks.clone())
    }
}

impl Subscribe for Viewer {
    fn on_event(&mut self, event: &Event) {
        self.look(|view| view.take(event));
    }

    fn on_lost(&mut self, lost: u64) {
        self.look(|view| view.lost += lost);
    }

    fn on_snapshot(&mut self, statuses: &[TaskStatus]) {
        self.look(|view| view.restart(statuses));
    }

    fn name(&self) -> String {
        "viewer".to_owned()
    }
}

fn viewer(capacity: usize) -> (Viewer, SubscriptionSpec) {
    let viewer = Viewer::default();
    let spec = SubscriptionSpec::from(viewer.clone());
    (viewer, spec.capacity(capacity).with_snapshot())
}

/// The truth, as the cells have it.
async fn truth(supervisor: &SupervisorHandle) -> BTreeMap<TaskId, Known> {
    let statuses = supervisor.list().await.expect("running");
    let known = statuses.iter().map(|status| (status.task.id(), Known::from_status(status)));
    known.collect()
}

// --- tasks --------------------------------------------------------------------------------------

fn idle(name: impl Into<Arc<str>>) -> TaskSpec {
    TaskSpec::new(name, async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    })
}

/// Fails `rounds` times as fast as it can, then waits.
fn restless(name: impl Into<Arc<str>>, rounds: u64, backoff: BackoffPolicy) -> TaskSpec {
    TaskSpec::new(name, async move |ctx: TaskContext| {
        if ctx.attempt() <= rounds {
            return Err(TaskError::failed("again"));
        }
        ctx.cancelled().await;
        Ok(())
    })
    .backoff(backoff)
    .max_retries(u32::MAX)
}

// --- on one thread ------------------------------------------------------------------------------

#[actix::test]
async fn the_snapshot_comes_first_and_shows_every_member_as_it_is() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.max_concurrent(3));
    let backing = TaskSpec::new("backing", async |_| Err(TaskError::failed("no")));
    let specs = [
        idle("idle"),
        backing.backoff(every(secs(3600))),
        idle("second"),
        idle("third"),
        idle("waiting"),
    ];
    supervisor.add_all(specs).await.expect("added");
    let done = supervisor.add(TaskSpec::once("done", async |_| Ok(()))).await;
    done.expect("added").cancel().await.expect("there");
    tokio::time::sleep(ms(10)).await;
    let (viewer, spec) = viewer(1024);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    tokio::time::sleep(ms(10)).await;
    let seen: Vec<_> = viewer.tasks().into_values().collect();
    let stages: Vec<_> = seen.iter().map(|known| (known.name.as_str(), known.stage)).collect();
    let expected = [
        ("idle", Stage::Running),
        ("backing", Stage::BackingOff),
        ("second", Stage::Running),
        ("third", Stage::Running),
        ("waiting", Stage::Fresh),
    ];
    assert_eq!(stages, expected);
    assert_eq!(viewer.look(|view| view.events), 0, "nothing happened since");
    assert_eq!(viewer.tasks(), truth(&supervisor).await);
}

#[actix::test]
async fn the_snapshot_of_an_empty_supervisor_is_empty_and_comes_all_the_same() {
    tokio::time::pause();
    let supervisor = current();
    let (viewer, spec) = viewer(1024);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    tokio::time::sleep(ms(1)).await;
    assert_eq!(viewer.look(|view| (view.snapshots, view.tasks.len())), (1, 0));
}

#[actix::test]
async fn every_change_after_the_snapshot_is_told_once() {
    tokio::time::pause();
    let supervisor = current();
    let task = supervisor.add(restless("job", 3, every(ms(10)))).await.expect("added");
    tokio::time::sleep(ms(5)).await;
    let (viewer, spec) = viewer(1024);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    tokio::time::sleep(secs(1)).await;
    assert_eq!(viewer.tasks(), truth(&supervisor).await);
    viewer.assert_content();
    // Three more attempts of two events each, but for the end of two of them: starting, failed, backoff.
    assert_eq!(viewer.look(|view| view.events), 3 + 3 + 1);
    task.cancel().await.expect("there");
    tokio::time::sleep(ms(1)).await;
    assert_eq!(viewer.look(|view| view.tasks.len()), 0);
}

#[actix::test]
async fn an_actor_gets_its_snapshot_as_a_delivery_without_an_event() {
    tokio::time::pause();
    type Seen = Vec<(Option<usize>, bool)>;
    struct Watcher(Rc<RefCell<Seen>>);
    impl Actor for Watcher {
        type Context = Context<Self>;
    }
    impl Handler<Lifecycle> for Watcher {
        type Result = ();
        fn handle(&mut self, msg: Lifecycle, _: &mut Self::Context) {
            let count = msg.snapshot().map(<[TaskStatus]>::len);
            self.0.borrow_mut().push((count, msg.event().is_some()));
        }
    }
    impl Handler<LifecycleBatch> for Watcher {
        type Result = ();
        fn handle(&mut self, msg: LifecycleBatch, _: &mut Self::Context) {
            let count = msg.snapshot().map(<[TaskStatus]>::len);
            self.0.borrow_mut().push((count, msg.events().len() > 0));
        }
    }
    let supervisor = current();
    supervisor.add_all(["a", "b"].map(idle)).await.expect("added");
    tokio::time::sleep(ms(1)).await;
    let (single, batch) = (Rc::<RefCell<_>>::default(), Rc::<RefCell<_>>::default());
    let one = Watcher(Rc::clone(&single)).start().recipient::<Lifecycle>();
    let one = SubscriptionSpec::from(one).with_snapshot();
    let _one = supervisor.subscribe(one).await.expect("running");
    let two = Watcher(Rc::clone(&batch)).start().recipient::<LifecycleBatch>();
    let two = SubscriptionSpec::from(two).with_snapshot();
    let _two = supervisor.subscribe(two).await.expect("running");
    tokio::time::sleep(ms(1)).await;
    supervisor.cancel("a").await.expect("there");
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    let snapshot = (Some(2), false);
    for seen in [single, batch] {
        let seen = seen.borrow();
        assert_eq!(seen[0], snapshot);
        assert!(seen.len() > 1 && seen[1..].iter().all(|one| *one == (None, true)));
    }
}

#[actix::test]
async fn a_subscription_without_the_wish_for_a_snapshot_gets_none() {
    tokio::time::pause();
    let supervisor = current();
    supervisor.add(idle("job")).await.expect("added");
    let viewer = Viewer::default();
    let subscription = supervisor.subscribe(viewer.clone()).await.expect("running");
    tokio::time::sleep(ms(1)).await;
    assert_eq!(viewer.look(|view| view.snapshots), 0);
    drop(subscription);
}

#[actix::test]
async fn the_snapshot_obeys_the_filter_by_task() {
    tokio::time::pause();
    let supervisor = current();
    let tasks = supervisor.add_all(["a", "b", "c", "d"].map(idle)).await.expect("added");
    tokio::time::sleep(ms(1)).await;
    let (viewer, spec) = viewer(1024);
    let filter = EventFilter::all().task_named("b").task(tasks[3].id());
    let _subscription = supervisor.subscribe(spec.filter(filter)).await.expect("running");
    tokio::time::sleep(ms(1)).await;
    let names = || viewer.tasks().into_values().map(|known| known.name).collect::<Vec<_>>();
    assert_eq!(names(), ["b", "d"]);
    for name in ["a", "b"] {
        supervisor.cancel(name).await.expect("there");
    }
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    assert_eq!(names(), ["d"]);
}

#[actix::test]
async fn statuses_come_whatever_kinds_of_events_the_filter_admits() {
    tokio::time::pause();
    let supervisor = current();
    supervisor.add_all(["a", "b"].map(idle)).await.expect("added");
    let (viewer, spec) = viewer(1024);
    let filter = EventFilter::all().kinds([EventType::GraceExceeded]);
    let _subscription = supervisor.subscribe(spec.filter(filter)).await.expect("running");
    tokio::time::sleep(ms(1)).await;
    assert_eq!(viewer.tasks().len(), 2);
}

// A snapshot takes part in no bound: it comes also where there is room for one event only.
#[actix::test]
async fn a_snapshot_of_many_tasks_fits_the_smallest_subscription() {
    tokio::time::pause();
    let supervisor = current();
    let specs = (0..200).map(|number| idle(format!("idle-{number}")));
    supervisor.add_all(specs).await.expect("added");
    tokio::time::sleep(ms(1)).await;
    let (viewer, spec) = viewer(1);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    tokio::time::sleep(ms(1)).await;
    assert_eq!(viewer.tasks(), truth(&supervisor).await);
    assert_eq!(viewer.look(|view| view.lost), 0);
}

// `events_delivered`: "all events up to now have been handled by their subscribers", also those
// that wait for a snapshot.
#[actix::test]
async fn events_delivered_waits_for_those_that_are_held_back_for_a_snapshot() {
    tokio::time::pause();
    let supervisor = current();
    let (viewer, spec) = viewer(100_000);
    let subscription = supervisor.subscribe(spec).await.expect("running");
    tokio::time::sleep(ms(1)).await;
    // So many commands that the request for a new snapshot has to wait its turn behind them.
    let mut adds: Vec<_> = (0..300)
        .map(|number| supervisor.add(idle(format!("idle-{number}"))))
        .map(|add| Box::pin(tokio::task::unconstrained(add)))
        .collect();
    for add in &mut adds {
        assert!(futures::future::FutureExt::now_or_never(add.as_mut()).is_none());
    }
    subscription.resync();
    for add in adds {
        let task = add.await.expect("added");
        assert_eq!(supervisor.events_delivered().await, Ok(()));
        assert!(viewer.tasks().contains_key(&task.id()), "{task:?} is not known yet");
    }
    viewer.assert_content();
}

// --- after a loss -------------------------------------------------------------------------------

/// A listener that applies what it gets, and holds the deliveries while it is told to.
#[derive(Default)]
struct Slow {
    view: RefCell<View>,
    held: RefCell<Vec<Lifecycle>>,
    holds: std::cell::Cell<bool>,
}

struct SlowListener(Rc<Slow>);

impl Actor for SlowListener {
    type Context = Context<Self>;
}

impl Handler<Lifecycle> for SlowListener {
    type Result = ();

    fn handle(&mut self, msg: Lifecycle, _: &mut Self::Context) {
        let mut view = self.0.view.borrow_mut();
        view.lost += msg.lost();
        if let Some(statuses) = msg.snapshot() {
            // What was lost before it does not matter any more.
            view.lost = 0;
            view.restart(statuses);
        }
        if let (Some(event), 0) = (msg.event(), view.lost) {
            view.take(event);
        }
        if self.0.holds.get() {
            self.0.held.borrow_mut().push(msg);
        }
    }
}

// Promised: "a gap says so and `subscription.resync()` gives a new snapshot".
#[actix::test]
async fn after_a_loss_a_new_snapshot_and_the_events_after_it_are_the_truth_again() {
    tokio::time::pause();
    let supervisor = current();
    let slow = Rc::<Slow>::default();
    let recipient = SlowListener(Rc::clone(&slow)).start().recipient::<Lifecycle>();
    let spec = SubscriptionSpec::from(recipient).capacity(50).with_snapshot();
    let subscription = supervisor.subscribe(spec).await.expect("running");
    let mut draw = fastrand::Rng::with_seed(3);
    for round in 0..30 {
        slow.holds.set(true);
        let specs = (0..20).map(|number| {
            let backoff = BackoffPolicy::immediate();
            restless(format!("{round}-{number}"), draw.u64(0..5), backoff)
        });
        supervisor.add_all(specs).await.expect("added");
        for _ in 0..10 {
            let name = format!("{}-{}", draw.u32(0..=round), draw.u32(0..20));
            let _ = supervisor.cancel(name).await;
        }
        tokio::time::sleep(ms(1)).await;
        slow.holds.set(false);
        slow.held.borrow_mut().clear();
        tokio::time::sleep(ms(1)).await;
        assert!(slow.view.borrow().lost > 0, "the gap is told");
        subscription.resync();
        if draw.bool() {
            supervisor.add(idle(format!("{round}-late"))).await.expect("added");
        }
        if draw.bool() {
            subscription.resync();
        }
        tokio::time::sleep(ms(1)).await;
        assert_eq!(slow.view.borrow().lost, 0);
        // Few enough to lose nothing.
        for number in 0..3 {
            supervisor.add(idle(format!("{round}-after-{number}"))).await.expect("added");
            let name = format!("{}-{}", draw.u32(0..=round), draw.u32(0..20));
            let _ = supervisor.cancel(name).await;
            tokio::time::sleep(ms(1)).await;
        }
        assert_eq!(slow.view.borrow().lost, 0);
        let truth = truth(&supervisor).await;
        let view = slow.view.borrow();
        assert_eq!(view.complaints, [] as [&str; 0], "round {round}");
        assert_eq!(view.tasks, truth, "round {round}");
    }
    assert!(slow.view.borrow().snapshots > 30);
}

// --- under churn, with threads ------------------------------------------------------------------

/// Adds, cancels and restarts as fast as it can until told to stop.
async fn churn(supervisor: SupervisorHandle, seed: u64, is_over: Rc<std::cell::Cell<bool>>) {
    let mut draw = fastrand::Rng::with_seed(seed);
    let mut number = 0_u64;
    while !is_over.get() {
        number += 1;
        let backoff = if draw.bool() { BackoffPolicy::immediate() } else { every(ms(1)) };
        let name = format!("{seed}-{}", draw.u32(0..40));
        let spec = match draw.u32(0..4) {
            0 => TaskSpec::once(name, async |_| Ok(())),
            1 => idle(name),
            _ => restless(name, draw.u64(0..60), backoff),
        };
        // A refusal is told as well, and changes nothing.
        let _ = supervisor.add(spec).await;
        if draw.u32(0..3) > 0 {
            let name = format!("{seed}-{}", draw.u32(0..40));
            let supervisor = supervisor.clone();
            actix::spawn(async move { supervisor.cancel(name).await.is_ok() });
        }
    }
    assert!(number > 0);
}

#[actix::test]
async fn snapshots_taken_at_any_moment_of_a_bustle_lead_to_the_truth_at_its_end() {
    let supervisor = dedicated_with(|b| b.placement(Placement::Dedicated { workers: 2 }));
    let is_over = Rc::<std::cell::Cell<bool>>::default();
    let churns: Vec<_> = (1..=2)
        .map(|seed| actix::spawn(churn(supervisor.clone(), seed, Rc::clone(&is_over))))
        .collect();
    let mut draw = fastrand::Rng::with_seed(11);
    let mut viewers = Vec::new();
    for _ in 0..20 {
        for _ in 0..draw.u32(1..400) {
            tokio::task::yield_now().await;
        }
        let (viewer, spec) = viewer(1 << 20);
        let subscription = supervisor.subscribe(spec).await.expect("running");
        viewers.push((viewer, subscription));
    }
    is_over.set(true);
    for churn in churns {
        within("the end of the bustle", churn).await.expect("it does not panic");
    }
    // The tasks that restart come to rest.
    let truth = within("rest", async {
        loop {
            let before = truth(&supervisor).await;
            tokio::time::sleep(ms(20)).await;
            let rests = |known: &Known| match known.stage {
                Stage::Running => !known.is_asked_to_stop,
                Stage::Fresh | Stage::Concluded | Stage::BackingOff | Stage::Ended => false,
            };
            if before.values().all(rests) && before == truth(&supervisor).await {
                return before;
            }
        }
    })
    .await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    for (number, (viewer, _)) in viewers.iter().enumerate() {
        viewer.look(|view| {
            assert_eq!(view.complaints, [] as [&str; 0], "viewer {number}");
            assert_eq!((view.snapshots, view.lost), (1, 0), "viewer {number}");
            assert_eq!(view.tasks, truth, "viewer {number}");
        });
    }
    // Those that came first saw the most.
    let events: Vec<_> = viewers.iter().map(|(viewer, _)| viewer.look(|v| v.events)).collect();
    assert!(events.is_sorted_by(|a, b| a >= b), "{events:?}");
    assert!(events[0] > 100);
    within("the end", supervisor.shutdown()).await;
    for (viewer, _) in &viewers {
        viewer.assert_content();
        assert_eq!(viewer.tasks().len(), 0);
    }
}

// The same where it is harder: new snapshots are asked for all the time, and bounds are small.
#[actix::test]
async fn snapshots_asked_for_again_and_again_lead_to_the_truth_at_the_end() {
    let supervisor = dedicated_with(|b| b.placement(Placement::Dedicated { workers: 2 }));
    let is_over = Rc::<std::cell::Cell<bool>>::default();
    let slows: Vec<_> = (0..10).map(|_| Rc::<Slow>::default()).collect();
    let mut subscriptions = Vec::new();
    for (number, slow) in slows.iter().enumerate() {
        let recipient = SlowListener(Rc::clone(slow)).start().recipient::<Lifecycle>();
        let capacity = 1 << (number * 2);
        let spec = SubscriptionSpec::from(recipient).capacity(capacity).with_snapshot();
        subscriptions.push(supervisor.subscribe(spec).await.expect("running"));
    }
    let churn = actix::spawn(churn(supervisor.clone(), 5, Rc::clone(&is_over)));
    let mut draw = fastrand::Rng::with_seed(12);
    let deadline = std::time::Instant::now() + ms(500);
    while std::time::Instant::now() < deadline {
        for _ in 0..draw.u32(1..50) {
            tokio::task::yield_now().await;
        }
        let chosen = draw.usize(0..subscriptions.len());
        subscriptions[chosen].resync();
    }
    is_over.set(true);
    within("the end of the bustle", churn).await.expect("it does not panic");
    let settled = within("rest", async {
        loop {
            let before = truth(&supervisor).await;
            tokio::time::sleep(ms(20)).await;
            let rests = |known: &Known| known.stage == Stage::Running && !known.is_asked_to_stop;
            if before.values().all(rests) && before == truth(&supervisor).await {
                return before;
            }
        }
    })
    .await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    for (slow, subscription) in slows.iter().zip(&subscriptions) {
        if slow.view.borrow().lost > 0 {
            subscription.resync();
        }
        within("the truth", async {
            while slow.view.borrow().lost > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    for (number, slow) in slows.iter().enumerate() {
        let view = slow.view.borrow();
        assert_eq!(view.complaints, [] as [&str; 0], "listener {number}");
        assert_eq!(view.tasks, settled, "listener {number}");
    }
}

#[actix::test]
async fn a_status_read_at_any_moment_is_consistent_in_itself() {
    let supervisor = dedicated_with(|b| b.placement(Placement::Dedicated { workers: 2 }));
    let is_over = Rc::<std::cell::Cell<bool>>::default();
    let churn = actix::spawn(churn(supervisor.clone(), 9, Rc::clone(&is_over)));
    let mut looked = 0;
    let deadline = std::time::Instant::now() + Duration::from_millis(300);
    while std::time::Instant::now() < deadline {
        for status in supervisor.list().await.expect("running") {
            assert_consistent(&status);
            looked += 1;
        }
    }
    is_over.set(true);
    within("the end of the bustle", churn).await.expect("it does not panic");
    assert!(looked > 0);
}
