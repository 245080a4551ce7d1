//! What the core costs: the time of one task, one restart, one delivery, one cancel, one stop.
//!
//! Each group measures this crate (`supervised`) beside the least that does the same by hand (`bare`:
//! an actor per task, a boxed future in it, a oneshot for its outcome), in the same run, so that a
//! ratio can be read: the machine's day cancels out of it.
//!
//! Criterion counts single units here: the time it prints is that of one task, restart, delivery and so
//! on. A measurement runs whole rounds of many units; what a round needs before and after (specs and
//! their names, tasks that are to be cancelled, waiting until names are free) is not timed: only what
//! a round answers is. See README.md beside this file.

use std::{
    cell::Cell,
    error::Error,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context as PollContext, Poll},
    time::{Duration, Instant, SystemTime},
};

use actix::{fut::ActorFuture, prelude::*};
use actix_rt::SystemRunner;
use actix_taskvisor::prelude::*;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
use futures::future::LocalBoxFuture;
use tokio::sync::{Semaphore, oneshot};

/// Tasks in one round of `add_to_outcome` and of `cancel`.
const TASKS: usize = 1_000;
/// Tasks that one shutdown stops.
const TASKS_SHUT_DOWN: usize = 10_000;
/// Restarts in one round of `restart`, over all its tasks.
const RESTARTS: usize = 12_800;
/// Tasks that fail at once in `fan_out`, and how often each of them does.
const FAILING: usize = 64;
const FAILURES: usize = 16;
/// Events of one round of `fan_out`: each restart is told by three of them.
const EVENTS: usize = FAILING * FAILURES * 3;
const SUBSCRIBERS: [usize; 4] = [1, 4, 16, 64];

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(15)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_000))
        .nresamples(10_000)
        .configure_from_args();
    let system = System::new();
    add_to_outcome(&mut criterion, &system);
    restart(&mut criterion, &system);
    fan_out(&mut criterion, &system);
    cancel(&mut criterion, &system);
    shutdown(&mut criterion, &system);
    criterion.final_summary();
}

// ---- the groups ----

/// From the call of `add` to the outcome, of a task that returns `Ok` at its first poll.
///
/// `one_by_one` waits for each outcome before the next `add`: the latency of one task. `at_once` adds
/// 1,000 by one `add_all` and then waits for all outcomes: the work in one task.
fn add_to_outcome(criterion: &mut Criterion, system: &SystemRunner) {
    let mut group = group(criterion, "add_to_outcome");
    for place in Place::ALL {
        let supervisor = system.block_on(async { place.supervisor() });
        measure(&mut group, system, place.supervised("one_by_one"), TASKS, async || {
            let specs = specs(|name| TaskSpec::once(name, async |_ctx| Ok(())));
            let mut completed = 0;
            let began = Instant::now();
            for spec in specs {
                let task = supervisor.add(spec).await.expect("a free name");
                completed += usize::from(task.outcome().await.is_success());
            }
            let took = began.elapsed();
            assert_eq!(completed, TASKS);
            supervisor.wait_until_empty().await;
            took
        });
        measure(&mut group, system, place.supervised("at_once"), TASKS, async || {
            let specs = specs(|name| TaskSpec::once(name, async |_ctx| Ok(())));
            let mut completed = 0;
            let began = Instant::now();
            for task in supervisor.add_all(specs).await.expect("free names") {
                completed += usize::from(task.outcome().await.is_success());
            }
            let took = began.elapsed();
            assert_eq!(completed, TASKS);
            supervisor.wait_until_empty().await;
            took
        });
        system.block_on(supervisor.shutdown());

        let room = Room::open(place);
        measure(&mut group, system, place.bare("one_by_one"), TASKS, async || {
            let began = Instant::now();
            for _ in 0..TASKS {
                let (_addr, outcome) = room.start(None, || Box::pin(async { Ok(()) }));
                outcome.await.expect("an outcome");
            }
            began.elapsed()
        });
        measure(&mut group, system, place.bare("at_once"), TASKS, async || {
            let mut outcomes = Vec::with_capacity(TASKS);
            let began = Instant::now();
            for _ in 0..TASKS {
                outcomes.push(room.start(None, || Box::pin(async { Ok(()) })).1);
            }
            for outcome in outcomes {
                outcome.await.expect("an outcome");
            }
            began.elapsed()
        });
        room.close();
    }
}

/// One failed attempt and the start of the next, with `immediate()` and nobody listening: by one task
/// alone, and by 64 in turn.
fn restart(criterion: &mut Criterion, system: &SystemRunner) {
    let mut group = group(criterion, "restart");
    for place in Place::ALL {
        for (label, tasks) in [("1_task", 1), ("64_tasks", FAILING)] {
            let gate = Gate::new();
            let supervisor = system.block_on(async {
                let supervisor = place.supervisor();
                add_failing(&supervisor, &gate, tasks, RESTARTS / tasks).await;
                supervisor
            });
            measure(&mut group, system, place.supervised(label), RESTARTS, async || {
                let began = Instant::now();
                gate.let_in(tasks);
                gate.wait_for(tasks).await;
                began.elapsed()
            });
            system.block_on(supervisor.shutdown());

            let gate = Gate::new();
            let room = Room::open(place);
            system.block_on(start_failing(&room, &gate, tasks, RESTARTS / tasks));
            measure(&mut group, system, place.bare(label), RESTARTS, async || {
                let began = Instant::now();
                gate.let_in(tasks);
                gate.wait_for(tasks).await;
                began.elapsed()
            });
            room.close();
        }
    }
}

/// One event to one subscriber, from its cause to its handling: 64 tasks fail and restart 16 times at
/// once, and the time is over when the last of the subscribers has handled the last event.
///
/// The subscribers are actors on the thread of the benchmark, without a filter. None may lose an event.
fn fan_out(criterion: &mut Criterion, system: &SystemRunner) {
    for (name, form) in [("fan_out_single", Form::Single), ("fan_out_batch", Form::Batch)] {
        let mut group = group(criterion, name);
        for place in Place::ALL {
            for subscribers in SUBSCRIBERS {
                supervised_fan_out(&mut group, system, place, form, subscribers);
                bare_fan_out(&mut group, system, place, form, subscribers);
            }
        }
    }
}

fn supervised_fan_out(
    group: &mut Group<'_>,
    system: &SystemRunner,
    place: Place,
    form: Form,
    subscribers: usize,
) {
    let gate = Gate::new();
    let tally = Tally::new(EVENTS);
    let (supervisor, subscriptions) = system.block_on(async {
        let supervisor = place.supervisor();
        add_failing(&supervisor, &gate, FAILING, FAILURES).await;
        let mut subscriptions = Vec::new();
        for _ in 0..subscribers {
            let listener = Listener::new(&tally).start();
            let spec = match form {
                Form::Single => SubscriptionSpec::from(listener.recipient::<Lifecycle>()),
                Form::Batch => SubscriptionSpec::from(listener.recipient::<LifecycleBatch>()),
            };
            let subscribed = supervisor.subscribe(spec.capacity(EVENTS)).await;
            subscriptions.push(subscribed.expect("the supervisor runs"));
        }
        (supervisor, subscriptions)
    });
    let id = place.supervised(subscribers);
    measure(group, system, id, EVENTS * subscribers, async || {
        let began = Instant::now();
        gate.let_in(FAILING);
        tally.wait_for(subscribers).await;
        let took = began.elapsed();
        gate.wait_for(FAILING).await;
        took
    });
    assert_eq!(tally.amiss.get(), 0, "events lost or out of order");
    drop(subscriptions);
    system.block_on(supervisor.shutdown());
}

fn bare_fan_out(
    group: &mut Group<'_>,
    system: &SystemRunner,
    place: Place,
    form: Form,
    subscribers: usize,
) {
    let gate = Gate::new();
    // At first each task tells of its first start.
    let tally = Tally::new(FAILING);
    let mut room = Room::open(place);
    let broker_room = Room::open(place);
    system.block_on(async {
        let listeners = (0..subscribers).map(|_| Listener::new(&tally).start());
        let outlets = listeners.map(|listener| match form {
            Form::Single => BareOutlet::Single(listener.recipient()),
            Form::Batch => BareOutlet::Batch(listener.recipient()),
        });
        room.broker = Some(broker_room.start_broker(outlets.collect()));
        start_failing(&room, &gate, FAILING, FAILURES).await;
        tally.wait_for(subscribers).await;
        tally.due.set(EVENTS);
    });
    measure(group, system, place.bare(subscribers), EVENTS * subscribers, async || {
        let began = Instant::now();
        gate.let_in(FAILING);
        tally.wait_for(subscribers).await;
        let took = began.elapsed();
        gate.wait_for(FAILING).await;
        took
    });
    assert_eq!(tally.amiss.get(), 0, "events lost or out of order");
    room.close();
    broker_room.close();
}

/// From the request to stop to the physical end, of a task that waits for it.
///
/// `one_by_one` waits for each end before the next request; `at_once` is one `cancel_all_within`.
fn cancel(criterion: &mut Criterion, system: &SystemRunner) {
    let mut group = group(criterion, "cancel");
    for place in Place::ALL {
        let supervisor = system.block_on(async { place.supervisor() });
        let gate = Gate::new();
        measure(&mut group, system, place.supervised("one_by_one"), TASKS, async || {
            let tasks = hold(&supervisor, &gate, TASKS).await;
            let mut ended = 0;
            let began = Instant::now();
            for task in &tasks {
                let reply = supervisor.cancel(task.id()).await.expect("a living task");
                ended += usize::from(matches!(reply.end, CancelEnd::Physical(_)));
            }
            let took = began.elapsed();
            assert_eq!(ended, TASKS);
            took
        });
        measure(&mut group, system, place.supervised("at_once"), TASKS, async || {
            let tasks = hold(&supervisor, &gate, TASKS).await;
            let began = Instant::now();
            let report = supervisor.cancel_all_within(Duration::from_secs(10)).await;
            let took = began.elapsed();
            assert_eq!(report.expect("the supervisor runs").ended.len(), TASKS);
            drop(tasks);
            took
        });
        system.block_on(supervisor.shutdown());

        let room = Room::open(place);
        measure(&mut group, system, place.bare("one_by_one"), TASKS, async || {
            let tasks = room.hold(&gate, TASKS).await;
            let began = Instant::now();
            for (addr, outcome) in tasks {
                addr.do_send(BareStop);
                outcome.await.expect("an outcome");
            }
            began.elapsed()
        });
        measure(&mut group, system, place.bare("at_once"), TASKS, async || {
            let tasks = room.hold(&gate, TASKS).await;
            let began = Instant::now();
            stop_all(tasks).await;
            began.elapsed()
        });
        room.close();
    }
}

/// The stop of one task in a shutdown of 10,000 that wait for it, from the call to the report; with
/// `Dedicated` also the end of the threads. Starting the supervisor and its tasks is not timed.
fn shutdown(criterion: &mut Criterion, system: &SystemRunner) {
    let mut group = group(criterion, "shutdown");
    for place in Place::ALL {
        let gate = Gate::new();
        let id = place.supervised(TASKS_SHUT_DOWN);
        measure(&mut group, system, id, TASKS_SHUT_DOWN, async || {
            let supervisor = place.supervisor();
            let tasks = hold(&supervisor, &gate, TASKS_SHUT_DOWN).await;
            let began = Instant::now();
            let report = supervisor.shutdown().await;
            let took = began.elapsed();
            assert!(report.is_clean(), "{report}");
            assert_eq!(report.ended.len(), TASKS_SHUT_DOWN);
            drop(tasks);
            took
        });
        let id = place.bare(TASKS_SHUT_DOWN);
        measure(&mut group, system, id, TASKS_SHUT_DOWN, async || {
            let room = Room::open(place);
            let tasks = room.hold(&gate, TASKS_SHUT_DOWN).await;
            let began = Instant::now();
            stop_all(tasks).await;
            room.close();
            began.elapsed()
        });
    }
}

// ---- measuring ----

type Group<'a> = BenchmarkGroup<'a, criterion::measurement::WallTime>;

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> Group<'a> {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(1));
    group
}

/// Runs whole rounds of so many `units` until as many units are done as criterion asks for, and answers
/// the time of those. Only the time that `round` answers counts.
fn measure(
    group: &mut Group<'_>,
    system: &SystemRunner,
    id: BenchmarkId,
    units: usize,
    mut round: impl AsyncFnMut() -> Duration,
) {
    let units = units as u64;
    group.bench_function(id, |bencher| {
        bencher.iter_custom(|asked| {
            let rounds = asked.div_ceil(units);
            let took = system.block_on(async {
                let mut took = Duration::ZERO;
                for _ in 0..rounds {
                    took += round().await;
                }
                took
            });
            took.mul_f64(asked as f64 / (rounds * units) as f64)
        });
    });
}

/// Where the tasks run: on the thread of the benchmark, or on threads of their own.
#[derive(Clone, Copy)]
enum Place {
    Current,
    Dedicated,
}

impl Place {
    const ALL: [Self; 2] = [Self::Current, Self::Dedicated];

    fn label(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Dedicated => "dedicated",
        }
    }

    fn supervised(self, parameter: impl std::fmt::Display) -> BenchmarkId {
        BenchmarkId::new(format!("supervised_{}", self.label()), parameter)
    }

    fn bare(self, parameter: impl std::fmt::Display) -> BenchmarkId {
        BenchmarkId::new(format!("bare_{}", self.label()), parameter)
    }

    fn supervisor(self) -> SupervisorHandle {
        let placement = match self {
            Self::Current => Placement::Current,
            Self::Dedicated => Placement::Dedicated { workers: 1 },
        };
        let builder = TaskSupervisor::builder().placement(placement);
        builder.start().expect("a System runs, and threads can be had")
    }
}

/// Where tasks wait between two rounds.
struct Gate {
    here: Semaphore,
    open: Semaphore,
}

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self { here: Semaphore::new(0), open: Semaphore::new(0) })
    }

    /// A task says that it is here.
    fn arrive(&self) {
        self.here.add_permits(1);
    }

    /// A task says so, and waits until it is let in.
    async fn pass(&self) {
        self.arrive();
        self.open.acquire().await.expect("never closed").forget();
    }

    fn let_in(&self, tasks: usize) {
        self.open.add_permits(tasks);
    }

    async fn wait_for(&self, tasks: usize) {
        let tasks = u32::try_from(tasks).expect("few");
        self.here.acquire_many(tasks).await.expect("never closed").forget();
    }
}

// ---- supervised tasks ----

fn specs(make: impl Fn(String) -> TaskSpec) -> Vec<TaskSpec> {
    (0..TASKS).map(|number| make(format!("task-{number}"))).collect()
}

/// Tasks that wait for their cancellation; answers when all of them do.
async fn hold(supervisor: &SupervisorHandle, gate: &Arc<Gate>, tasks: usize) -> Vec<TaskHandle> {
    let specs = (0..tasks).map(|number| {
        let gate = Arc::clone(gate);
        TaskSpec::new(format!("task-{number}"), async move |ctx: TaskContext| {
            gate.arrive();
            ctx.cancelled().await;
            Ok(())
        })
    });
    let held = supervisor.add_all(specs).await.expect("free names");
    gate.wait_for(tasks).await;
    held
}

/// Tasks that fail so many times each time they are let in; answers when all of them wait for it.
async fn add_failing(
    supervisor: &SupervisorHandle,
    gate: &Arc<Gate>,
    tasks: usize,
    failures: usize,
) {
    let specs = (0..tasks).map(|number| {
        let gate = Arc::clone(gate);
        let mut left = 0;
        TaskSpec::new(format!("task-{number}"), async move |_ctx| {
            if left == 0 {
                gate.pass().await;
                left = failures;
            }
            left -= 1;
            Err(TaskError::failed("again"))
        })
        .backoff(BackoffPolicy::immediate())
        .max_retries(u32::MAX)
        .grace(Duration::ZERO)
    });
    let tasks = supervisor.add_all(specs).await.expect("free names");
    gate.wait_for(tasks.len()).await;
}

// ---- subscribers ----

/// How events come: one in a message, or many.
#[derive(Clone, Copy)]
enum Form {
    Single,
    Batch,
}

/// What all listeners of one benchmark add up.
struct Tally {
    /// How many events make a listener's round.
    due: Cell<usize>,
    done: Semaphore,
    /// Lost events, and breaks in the sequence.
    amiss: Cell<u64>,
}

impl Tally {
    fn new(due: usize) -> Rc<Self> {
        Rc::new(Self { due: Cell::new(due), done: Semaphore::new(0), amiss: Cell::new(0) })
    }

    async fn wait_for(&self, listeners: usize) {
        let listeners = u32::try_from(listeners).expect("few");
        self.done.acquire_many(listeners).await.expect("never closed").forget();
    }
}

/// A subscriber that counts, and looks at the sequence.
struct Listener {
    seen: usize,
    last_seq: Option<u64>,
    tally: Rc<Tally>,
}

impl Listener {
    fn new(tally: &Rc<Tally>) -> Self {
        Self { seen: 0, last_seq: None, tally: Rc::clone(tally) }
    }

    fn see(&mut self, seq: u64) {
        if self.last_seq.is_some_and(|last| last + 1 != seq) {
            self.tally.amiss.set(self.tally.amiss.get() + 1);
        }
        self.last_seq = Some(seq);
        self.count(1);
    }

    /// A lost event counts as seen, so that a round which goes wrong ends, and fails.
    fn lose(&mut self, lost: u64) {
        self.tally.amiss.set(self.tally.amiss.get() + lost);
        self.count(usize::try_from(lost).expect("few"));
    }

    fn count(&mut self, events: usize) {
        self.seen += events;
        if self.seen >= self.tally.due.get() {
            self.seen -= self.tally.due.get();
            self.tally.done.add_permits(1);
        }
    }
}

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<Lifecycle> for Listener {
    type Result = ();

    fn handle(&mut self, msg: Lifecycle, _: &mut Self::Context) {
        if msg.lost() > 0 {
            self.lose(msg.lost());
        }
        if let Some(event) = msg.event() {
            self.see(event.seq);
        }
    }
}

impl Handler<LifecycleBatch> for Listener {
    type Result = ();

    fn handle(&mut self, msg: LifecycleBatch, _: &mut Self::Context) {
        if msg.lost() > 0 {
            self.lose(msg.lost());
        }
        for event in msg.events() {
            self.see(event.seq);
        }
    }
}

impl Handler<BareSingle> for Listener {
    type Result = ();

    fn handle(&mut self, msg: BareSingle, _: &mut Self::Context) {
        self.see(msg.0.seq);
    }
}

impl Handler<BareBatch> for Listener {
    type Result = ();

    fn handle(&mut self, msg: BareBatch, _: &mut Self::Context) {
        for event in msg.0.iter() {
            self.see(event.seq);
        }
    }
}

// ---- the floor: the least that does the same by hand ----
//
// No names to keep unique, no registry, no status, no panic caught, no grace, no deadline, no filter, no
// bound on what subscribers hold, and nobody told of a task that vanishes.

type BareResult = Result<(), Box<dyn Error + Send + Sync>>;
type BareFuture = LocalBoxFuture<'static, BareResult>;
type BareHeld = (Addr<BareTask>, oneshot::Receiver<()>);

/// Where bare tasks run: on this thread, or on an arbiter.
struct Room {
    arbiter: Option<Arbiter>,
    broker: Option<Addr<BareBroker>>,
}

impl Room {
    fn open(place: Place) -> Self {
        let arbiter = match place {
            Place::Current => None,
            Place::Dedicated => Some(Arbiter::new()),
        };
        Self { arbiter, broker: None }
    }

    fn close(self) {
        if let Some(arbiter) = self.arbiter {
            arbiter.stop();
            arbiter.join().expect("no panic");
        }
    }

    fn start(
        &self,
        stop: Option<oneshot::Sender<()>>,
        make: impl FnMut() -> BareFuture + Send + 'static,
    ) -> BareHeld {
        let (outcome, answer) = oneshot::channel();
        let make: Box<dyn FnMut() -> BareFuture + Send> = Box::new(make);
        let broker = self.broker.clone();
        let task = move || BareTask {
            name: Arc::from("task"),
            make,
            attempt: None,
            attempts: 0,
            stop,
            outcome: Some(outcome),
            broker,
            outbox: Vec::new(),
        };
        let addr = match &self.arbiter {
            None => task().start(),
            Some(arbiter) => BareTask::start_in_arbiter(&arbiter.handle(), move |_| task()),
        };
        (addr, answer)
    }

    /// Tasks that wait for a stop; answers when all of them do.
    async fn hold(&self, gate: &Arc<Gate>, tasks: usize) -> Vec<BareHeld> {
        let start = |_| {
            let (stop, stopped) = oneshot::channel();
            let (gate, mut stopped) = (Arc::clone(gate), Some(stopped));
            self.start(Some(stop), move || {
                let (gate, stopped) = (Arc::clone(&gate), stopped.take());
                Box::pin(async move {
                    gate.arrive();
                    stopped.ok_or("runs once")?.await?;
                    Ok(())
                })
            })
        };
        let held = (0..tasks).map(start).collect();
        gate.wait_for(tasks).await;
        held
    }

    fn start_broker(&self, outlets: Vec<BareOutlet>) -> Addr<BareBroker> {
        let broker = BareBroker { outlets, next_seq: 1, pending: Vec::new(), is_flush_due: false };
        match &self.arbiter {
            None => broker.start(),
            Some(arbiter) => BareBroker::start_in_arbiter(&arbiter.handle(), |_| broker),
        }
    }
}

async fn stop_all(tasks: Vec<BareHeld>) {
    for (addr, _) in &tasks {
        addr.do_send(BareStop);
    }
    for (_, outcome) in tasks {
        outcome.await.expect("an outcome");
    }
}

/// As [`add_failing`].
async fn start_failing(room: &Room, gate: &Arc<Gate>, tasks: usize, failures: usize) {
    for _ in 0..tasks {
        let gate = Arc::clone(gate);
        let mut left = 0;
        drop(room.start(None, move || {
            let gate = (left == 0).then(|| Arc::clone(&gate));
            left = if left == 0 { failures - 1 } else { left - 1 };
            Box::pin(async move {
                if let Some(gate) = gate {
                    gate.pass().await;
                }
                Err("again".into())
            })
        }));
    }
    gate.wait_for(tasks).await;
}

struct BareTask {
    name: Arc<str>,
    make: Box<dyn FnMut() -> BareFuture + Send>,
    attempt: Option<BareFuture>,
    attempts: u64,
    stop: Option<oneshot::Sender<()>>,
    outcome: Option<oneshot::Sender<()>>,
    broker: Option<Addr<BareBroker>>,
    outbox: Vec<BareEvent>,
}

impl BareTask {
    fn tell(&mut self, kind: BareKind) {
        if self.broker.is_some() {
            self.outbox.push(BareEvent {
                seq: 0,
                at: SystemTime::now(),
                task: Arc::clone(&self.name),
                attempt: self.attempts,
                kind,
            });
        }
    }

    fn flush(&mut self) {
        if let Some(broker) = self.broker.as_ref().filter(|_| !self.outbox.is_empty()) {
            broker.do_send(BarePublish(std::mem::take(&mut self.outbox)));
        }
    }
}

impl Actor for BareTask {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(BareDrive);
    }
}

/// Polls the attempt; a failed one is followed by another in a later poll.
struct BareDrive;

impl ActorFuture<BareTask> for BareDrive {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        task: &mut BareTask,
        ctx: &mut Context<BareTask>,
        cx: &mut PollContext<'_>,
    ) -> Poll<()> {
        if task.attempt.is_none() {
            task.attempts += 1;
            task.tell(BareKind::Starting);
            task.attempt = Some((task.make)());
        }
        let result = match &mut task.attempt {
            Some(attempt) => attempt.as_mut().poll(cx),
            None => Poll::Pending,
        };
        match result {
            Poll::Pending => {
                task.flush();
                Poll::Pending
            }
            Poll::Ready(Ok(())) => {
                if let Some(outcome) = task.outcome.take() {
                    let _ = outcome.send(());
                }
                ctx.stop();
                Poll::Ready(())
            }
            Poll::Ready(Err(error)) => {
                task.attempt = None;
                let text = Arc::from(error.to_string());
                task.tell(BareKind::Failed(text));
                task.tell(BareKind::BackingOff);
                task.flush();
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct BareStop;

impl Handler<BareStop> for BareTask {
    type Result = ();

    fn handle(&mut self, _: BareStop, _: &mut Self::Context) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

#[expect(dead_code, reason = "carried, as the crate's own events carry theirs")]
struct BareEvent {
    seq: u64,
    at: SystemTime,
    task: Arc<str>,
    attempt: u64,
    kind: BareKind,
}

#[expect(dead_code, reason = "carried, as the crate's own events carry theirs")]
enum BareKind {
    Starting,
    Failed(Arc<str>),
    BackingOff,
}

#[derive(Message)]
#[rtype(result = "()")]
struct BarePublish(Vec<BareEvent>);

#[derive(Message)]
#[rtype(result = "()")]
struct BareSingle(Arc<BareEvent>);

#[derive(Message)]
#[rtype(result = "()")]
struct BareBatch(Arc<[Arc<BareEvent>]>);

#[derive(Message)]
#[rtype(result = "()")]
struct BareFlush;

enum BareOutlet {
    Single(Recipient<BareSingle>),
    Batch(Recipient<BareBatch>),
}

/// Numbers events and passes them on in rounds of up to 64, as the crate's broker does.
struct BareBroker {
    outlets: Vec<BareOutlet>,
    next_seq: u64,
    pending: Vec<Arc<BareEvent>>,
    is_flush_due: bool,
}

impl BareBroker {
    fn flush(&mut self) {
        let events: Arc<[_]> = std::mem::take(&mut self.pending).into();
        for outlet in &self.outlets {
            match outlet {
                BareOutlet::Batch(recipient) => recipient.do_send(BareBatch(Arc::clone(&events))),
                BareOutlet::Single(recipient) => {
                    for event in events.iter() {
                        recipient.do_send(BareSingle(Arc::clone(event)));
                    }
                }
            }
        }
    }
}

impl Actor for BareBroker {
    type Context = Context<Self>;
}

impl Handler<BarePublish> for BareBroker {
    type Result = ();

    fn handle(&mut self, msg: BarePublish, ctx: &mut Self::Context) {
        for mut event in msg.0 {
            event.seq = self.next_seq;
            self.next_seq += 1;
            self.pending.push(Arc::new(event));
        }
        if self.pending.len() >= 64 {
            self.flush();
        } else if !self.is_flush_due {
            self.is_flush_due = true;
            ctx.address().do_send(BareFlush);
        }
    }
}

impl Handler<BareFlush> for BareBroker {
    type Result = ();

    fn handle(&mut self, _: BareFlush, _: &mut Self::Context) {
        self.is_flush_due = false;
        self.flush();
    }
}
