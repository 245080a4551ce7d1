//! taskvisor 0.9.0, with its default features.
//!
//! Every `add` is watched: that gives the outcome, on a channel of its own. Values of ended tasks are dropped on
//! threads of the supervisor, and its subscribers run on another one: even on a runtime of one thread it uses
//! more. Its default limits of 1,024 tasks are lifted where more are held at once.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::stream::{self, StreamExt};
use taskvisor_09::{
    BackoffPolicy, ControllerConfig, ControllerSpec, Event, EventKind, Subscribe, Supervisor,
    SupervisorConfig, SupervisorHandle, TaskContext, TaskError, TaskFn, TaskRef, TaskSpec,
    TaskWaiter,
};

use super::{
    Subject,
    counter::{Counter, all_seen, without},
};
use crate::{
    bodies::{Arrivals, Gate, keys, name, names, names_from, runtime, settled},
    job::{Answer, Case, Config, Drive, Job, Sample, UNDER_WAY, Unsupported},
    measure::{Laps, Scales, Stopwatch},
};

pub(crate) struct Taskvisor09;

/// As in the crate's own benchmarks: of the ring of events, and of the queue of a subscriber.
const ROOMY: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();
/// What the ring, the queues and the limits on tasks are by default.
const DEFAULT_ROOM: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();
/// With more adds than this under way, each costs more.
const FEW_ADDS: usize = 32;
/// The default of `max_slot_queue`.
const SLOT_QUEUE: usize = 100;
/// Events of a task that returns `Ok` at once: requested, added, starting, succeeded, finished, removed.
const EVENTS_OF_ONE_SHOT: usize = 6;
/// Events until a body runs for the first time: requested, added, starting.
const EVENTS_OF_A_START: usize = 3;
/// Tasks that fail in turn in `fanout`, and the events of that: failed, backoff, starting.
const FAILING: usize = 64;
const EVENTS_OF_A_RESTART: usize = 3;

impl Subject for Taskvisor09 {
    fn name(&self) -> &'static str {
        "taskvisor-0.9.0"
    }

    fn left_out(&self, case: Case) -> String {
        let left_out = match case {
            Case::OneshotEvents | Case::Fanout => "events get lost when a queue is full",
            _ => "",
        };
        left_out.to_owned()
    }

    fn options(&self, job: &Job) -> String {
        let how = match job.case {
            Case::OneshotEvents | Case::Fanout => format!(
                "ring of events and queue of a subscriber {}, subscribers on one shared thread",
                room(job)
            ),
            Case::Restart => "`BackoffPolicy::constant` of 0 s".to_owned(),
            Case::Slots => format!("defaults, at most {} submissions under way", under_way(job)),
            _ => "defaults".to_owned(),
        };
        let adds = match (job.case, job.options.drive) {
            (Case::Oneshot | Case::OneshotEvents, Drive::Pipelined) => {
                format!(", at most {} adds under way", adds_under_way(job))
            }
            _ => String::new(),
        };
        let limits = if has_limits(job) { "" } else { ", no limit on the number of tasks" };
        format!("{how}{adds}{limits}; runtime of {} thread(s)", job.options.threads)
    }

    fn pass(&self, job: &Job) -> Answer {
        let has_fastest = match job.case {
            Case::OneshotEvents | Case::Fanout => true,
            Case::Oneshot => job.options.drive == Drive::Pipelined,
            _ => false,
        };
        if job.config == Config::Fastest && !has_fastest {
            return Err(Unsupported::because("no setting is faster than the defaults"));
        }
        runtime(job.options.threads).block_on(async {
            Ok(match job.case {
                Case::Oneshot => oneshot(job, 0).await,
                Case::OneshotEvents => oneshot(job, job.options.subscribers).await,
                Case::Restart => restart(job).await,
                Case::Fanout => fanout(job).await,
                Case::Add => add(job).await,
                Case::Cancel => cancel(job).await,
                Case::Slots => slots(job).await,
                Case::Memory => memory(job).await,
                Case::Shutdown => shutdown(job).await,
            })
        })
    }
}

// ---- the supervisor and its subscribers ----

/// Where no more than so many tasks are there at once, the default limits do.
fn has_limits(job: &Job) -> bool {
    matches!(job.case, Case::Oneshot | Case::OneshotEvents | Case::Fanout | Case::Slots)
}

fn adds_under_way(job: &Job) -> usize {
    match job.config {
        Config::Usual => UNDER_WAY,
        Config::Fastest => FEW_ADDS,
    }
}

/// How much room the ring of events and the queues of subscribers have.
fn room(job: &Job) -> NonZeroUsize {
    match job.config {
        Config::Usual => DEFAULT_ROOM,
        Config::Fastest => ROOMY,
    }
}

fn config(job: &Job) -> SupervisorConfig {
    let config = SupervisorConfig::default().with_bus_capacity(room(job));
    if has_limits(job) {
        return config;
    }
    config.with_max_registered_tasks(None).with_ownership_capacity(None)
}

fn supervisor(job: &Job, subscribers: &[Arc<Counter>]) -> SupervisorHandle {
    let room = room(job);
    let subscriber = |events: &Arc<Counter>| {
        Arc::new(Subscriber { events: Arc::clone(events), room }) as Arc<dyn Subscribe>
    };
    let subscribers = subscribers.iter().map(subscriber).collect();
    Supervisor::new(config(job), subscribers).serve().expect("threads can be had")
}

struct Subscriber {
    events: Arc<Counter>,
    room: NonZeroUsize,
}

impl Subscribe for Subscriber {
    fn on_event(&self, event: &Event) {
        // That events were lost is told by an event of its own.
        if event.kind != EventKind::SubscriberOverflow {
            self.events.count_one();
        }
    }

    fn queue_capacity(&self) -> NonZeroUsize {
        self.room
    }
}

async fn add_watched(supervisor: &SupervisorHandle, spec: TaskSpec) -> TaskWaiter {
    supervisor.add(spec).watch().execute().await.expect("a free name")
}

async fn completed(task: TaskWaiter) {
    assert!(task.wait().await.expect("the supervisor runs").is_success());
}

// ---- bodies ----

/// Returns `Ok` at once.
fn one_shot(name: String) -> TaskSpec {
    let task: TaskRef = TaskFn::arc(|_ctx: TaskContext| async { Ok(()) });
    TaskSpec::once(name, task)
}

/// Stays until it is cancelled.
fn held(name: String, here: &Arc<Arrivals>) -> TaskSpec {
    let here = Arc::clone(here);
    let task: TaskRef = TaskFn::arc(move |ctx: TaskContext| {
        let here = Arc::clone(&here);
        async move {
            here.arrive();
            ctx.cancelled().await;
            Err(TaskError::Canceled)
        }
    });
    TaskSpec::restartable(name, task)
}

async fn hold(supervisor: &SupervisorHandle, names: Vec<String>) -> Vec<TaskWaiter> {
    let here = Arrivals::of(names.len());
    let mut tasks = Vec::with_capacity(names.len());
    for name in names {
        tasks.push(add_watched(supervisor, held(name, &here)).await);
    }
    here.all().await;
    tasks
}

/// When a task ends that has failed often enough.
#[derive(Clone, Copy, PartialEq)]
enum End {
    AtOnce,
    WhenCancelled,
}

/// Tasks that wait at a gate, fail at once so many times each, and then count themselves.
struct Failing {
    failures: usize,
    end: End,
    gate: Arc<Gate>,
    done: Arc<Arrivals>,
}

impl Failing {
    fn new(tasks: usize, failures: usize, end: End) -> Self {
        Self { failures, end, gate: Gate::for_tasks(tasks), done: Arrivals::of(tasks) }
    }

    async fn add_to(&self, supervisor: &SupervisorHandle, tasks: usize) -> Vec<TaskWaiter> {
        let mut added = Vec::with_capacity(tasks);
        for name in names(tasks) {
            added.push(add_watched(supervisor, self.spec(name)).await);
        }
        self.gate.all_here().await;
        added
    }

    fn spec(&self, name: String) -> TaskSpec {
        let Self { failures, end, .. } = *self;
        let (gate, done) = (Arc::clone(&self.gate), Arc::clone(&self.done));
        let attempts = AtomicUsize::new(0);
        let task: TaskRef = TaskFn::arc(move |ctx: TaskContext| {
            let attempt = attempts.fetch_add(1, Relaxed);
            let gate = (attempt == 0).then(|| Arc::clone(&gate));
            let done = (attempt == failures).then(|| Arc::clone(&done));
            async move {
                if let Some(gate) = gate {
                    gate.pass().await;
                }
                let Some(done) = done else { return Err(TaskError::fail("again")) };
                done.arrive();
                if end == End::WhenCancelled {
                    ctx.cancelled().await;
                }
                Ok(())
            }
        });
        TaskSpec::restartable(name, task).with_backoff(BackoffPolicy::constant(Duration::ZERO))
    }
}

// ---- cases ----

async fn oneshot(job: &Job, subscribers: usize) -> Sample {
    let subscribers: Vec<_> = (0..subscribers).map(|_| Counter::new()).collect();
    let supervisor = supervisor(job, &subscribers);
    let specs: Vec<_> = names(job.n).into_iter().map(one_shot).collect();
    let mut tasks = Vec::with_capacity(job.n);

    let stopwatch = Stopwatch::start();
    match job.options.drive {
        Drive::OneByOne => {
            for spec in specs {
                tasks.push(add_watched(&supervisor, spec).await);
            }
        }
        Drive::Pipelined => {
            let adds = stream::iter(specs).map(|spec| add_watched(&supervisor, spec));
            let mut added = adds.buffered(adds_under_way(job));
            while let Some(task) = added.next().await {
                tasks.push(task);
            }
        }
    }
    for task in tasks {
        completed(task).await;
    }
    let seen = all_seen(&subscribers, job.n * EVENTS_OF_ONE_SHOT).await;
    let sample = without(seen.in_vain, job.n, stopwatch.stop(job.n));

    supervisor.shutdown().await.expect("nothing runs any more");
    Sample { lost: seen.lost, ..sample }
}

async fn restart(job: &Job) -> Sample {
    let supervisor = supervisor(job, &[]);
    let failing = Failing::new(job.n, job.options.restarts, End::AtOnce);
    let tasks = failing.add_to(&supervisor, job.n).await;

    let stopwatch = Stopwatch::start();
    failing.gate.open();
    for task in tasks {
        completed(task).await;
    }
    let sample = stopwatch.stop(job.n * job.options.restarts);

    supervisor.shutdown().await.expect("nothing runs any more");
    sample
}

/// Tasks fail at once and start again, first with nobody listening, then with all subscribers.
async fn fanout(job: &Job) -> Sample {
    let failures = (job.n / (FAILING * EVENTS_OF_A_RESTART)).max(1);
    let listening: Vec<_> = (0..job.options.subscribers).map(|_| Counter::new()).collect();
    let cause = fanout_to(&[], failures, job).await;
    fanout_to(&listening, failures, job).await.without_cause(&cause)
}

async fn fanout_to(subscribers: &[Arc<Counter>], failures: usize, job: &Job) -> Sample {
    let events = FAILING * EVENTS_OF_A_RESTART * failures;
    let deliveries = events * job.options.subscribers;
    let supervisor = supervisor(job, subscribers);
    let failing = Failing::new(FAILING, failures, End::WhenCancelled);
    let tasks = failing.add_to(&supervisor, FAILING).await;
    let before = FAILING * EVENTS_OF_A_START;
    all_seen(subscribers, before).await;

    let stopwatch = Stopwatch::start();
    failing.gate.open();
    failing.done.all().await;
    let seen = all_seen(subscribers, before + events).await;
    let sample = without(seen.in_vain, deliveries, stopwatch.stop(deliveries));

    drop(tasks);
    supervisor.shutdown().await.expect("cooperative tasks");
    Sample { lost: seen.lost, ..sample }
}

async fn add(job: &Job) -> Sample {
    let supervisor = supervisor(job, &[]);
    let before = hold(&supervisor, names(job.options.held)).await;
    let here = Arrivals::of(job.n);
    let names = names_from(job.options.held, job.n);
    let specs: Vec<_> = names.into_iter().map(|name| held(name, &here)).collect();
    let mut tasks = Vec::with_capacity(job.n);

    let mut laps = Laps::start(job.n);
    for spec in specs {
        tasks.push(add_watched(&supervisor, spec).await);
        laps.lap();
    }
    let sample = laps.stop();

    here.all().await;
    drop(before);
    supervisor.shutdown().await.expect("cooperative tasks");
    sample
}

async fn cancel(job: &Job) -> Sample {
    let supervisor = supervisor(job, &[]);
    let tasks = hold(&supervisor, names(job.n)).await;

    let mut laps = Laps::start(job.n);
    for task in &tasks {
        let is_claimed = supervisor.cancel(task.id()).execute().await;
        assert!(is_claimed.expect("the supervisor runs"));
        laps.lap();
    }
    let sample = laps.stop();

    drop(tasks);
    supervisor.shutdown().await.expect("nothing runs any more");
    sample
}

/// How many submissions may be there that have no outcome yet: no more than fit into the queues. The calls are made
/// one after the other in either drive.
fn under_way(job: &Job) -> usize {
    UNDER_WAY.min(job.options.slots * SLOT_QUEUE)
}

async fn slots(job: &Job) -> Sample {
    let under_way = under_way(job);
    let builder = Supervisor::builder(config(job)).with_controller(ControllerConfig::default());
    let supervisor = builder.build().serve().expect("threads can be had");
    let keys = keys(job.options.slots);
    let specs: Vec<_> = names(job.n)
        .into_iter()
        .zip(keys.iter().cycle())
        .map(|(name, key)| ControllerSpec::queue(one_shot(name)).with_slot(Arc::clone(key)))
        .collect();
    let mut tasks: VecDeque<TaskWaiter> = VecDeque::with_capacity(under_way);

    let stopwatch = Stopwatch::start();
    for spec in specs {
        if tasks.len() == under_way
            && let Some(oldest) = tasks.pop_front()
        {
            completed(oldest).await;
        }
        let submitted = supervisor.submit(spec).watch().execute().await;
        tasks.push_back(submitted.expect("room in the queue"));
    }
    for task in tasks {
        completed(task).await;
    }
    let sample = stopwatch.stop(job.n);

    supervisor.shutdown().await.expect("nothing runs any more");
    sample
}

async fn memory(job: &Job) -> Sample {
    let supervisor = supervisor(job, &[]);
    // The first one starts threads that all use.
    let first = hold(&supervisor, names_from(job.n, 1)).await;
    let here = Arrivals::of(job.n);
    let mut tasks = Vec::with_capacity(job.n);
    settled().await;

    let scales = Scales::read();
    for number in 0..job.n {
        tasks.push(add_watched(&supervisor, held(name(number), &here)).await);
    }
    here.all().await;
    settled().await;
    let sample = scales.growth(job.n);

    drop((first, tasks));
    supervisor.shutdown().await.expect("cooperative tasks");
    sample
}

async fn shutdown(job: &Job) -> Sample {
    let supervisor = supervisor(job, &[]);
    let tasks = hold(&supervisor, names(job.n)).await;

    let stopwatch = Stopwatch::start();
    supervisor.shutdown().await.expect("cooperative tasks");
    let sample = stopwatch.stop(job.n);

    drop(tasks);
    sample
}
