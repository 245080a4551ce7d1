//! taskvisor 0.2.1, with its feature `controller` for slots.
//!
//! It tells no outcome, so a pass ends when the last body has returned and the registry is empty. `add` puts
//! a task into a queue and answers nothing; `add_and_wait` answers, and is what `add` is elsewhere. Its cancel
//! and its slots wait for events on a broadcast ring, which forgets when it is full: how far submissions may
//! run ahead is part of the configuration.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use taskvisor_02::{
    BackoffPolicy, ControllerConfig, ControllerSpec, Event, EventKind, RestartPolicy, Subscribe,
    Supervisor, SupervisorConfig, SupervisorHandle, TaskError, TaskFn, TaskId, TaskRef, TaskSpec,
};
use tokio_util::sync::CancellationToken;

use super::{
    Subject,
    counter::{Counter, all_seen, without},
};
use crate::{
    bodies::{Arrivals, Gate, keys, name, names, names_from, runtime, settled},
    job::{Answer, Case, Config, Drive, Job, Sample, UNDER_WAY, Unsupported},
    measure::{Laps, Scales, Stopwatch},
};

pub(crate) struct Taskvisor02;

/// As in the crate's own benchmarks: of the ring of events, and of the queue of a subscriber.
const ROOMY: usize = 16_384;
/// How far `add` may run ahead of the bodies so that the events of all tasks find room in the default ring.
const AHEAD: usize = 128;
/// How far it may run ahead of subscribers so that none loses an event: 20 to 256 take the same time but for 7 %.
const AHEAD_OF_SUBSCRIBERS: usize = 64;
/// How long an add may take; nobody waits for it here.
const PATIENCE: Duration = Duration::from_secs(10);
/// The default of `max_slot_queue`. With more submissions under way over 100 slots, the default ring of events
/// overflows, the controller misses the ends of tasks and their slots stay taken.
const SLOT_QUEUE: usize = 100;
/// Events of a task that returns `Ok` at once: requested, added, starting, stopped, exhausted, removed.
const EVENTS_OF_ONE_SHOT: usize = 6;
/// Events until a body runs for the first time: requested, added, starting.
const EVENTS_OF_A_START: usize = 3;
/// Tasks that are started again in turn in `fanout`, each time after `Ok`, and the events of that: stopped, starting.
/// More tasks tell more in one turn of Tokio's scheduler than the one who hands on events takes in one.
const RESTARTING: usize = 16;
const EVENTS_OF_A_RESTART: usize = 2;

impl Subject for Taskvisor02 {
    fn name(&self) -> &'static str {
        "taskvisor-0.2.1"
    }

    fn left_out(&self, case: Case) -> String {
        let left_out = match case {
            Case::Oneshot => {
                "no outcome: ends when the last body has run and no task is registered any more; pipelined, \
                 `add` does not even answer that a name is taken"
            }
            Case::OneshotEvents => {
                "no outcome: ends when the last body has run, no task is registered any more and all \
                 subscribers have seen all events; events get lost when a queue is full"
            }
            Case::Slots => {
                "no outcome, and no answer whether a submission is taken: ends when the last body has run and \
                 no task is registered any more"
            }
            Case::Restart => {
                "no outcome: ends when the last body has run and no task is registered any more; `usual` sleeps \
                 for 0 s before a restart, which lasts until the next millisecond of Tokio's timer; `fastest` \
                 restarts after `Ok`, not after an error, which needs no timer"
            }
            Case::Fanout => "events get lost when a queue is full",
            Case::Memory => "no handle and no outcome: the caller holds an id of 8 bytes",
            Case::Add | Case::Cancel | Case::Shutdown => "",
        };
        left_out.to_owned()
    }

    fn options(&self, job: &Job) -> String {
        let usual = job.config == Config::Usual;
        let ring = if usual { "1,024 (default)" } else { "16,384" };
        let add = match Adds::of(job) {
            Adds::Answered => "`add_and_wait` one after the other".to_owned(),
            Adds::Ahead(tasks) => format!("`add`, at most {tasks} ahead of the bodies"),
            Adds::AheadOfSubscribers(tasks) => format!(
                "ring of events and queue of a subscriber {ring}, `add`, at most {tasks} ahead of \
                 the slowest subscriber"
            ),
            Adds::AtOnce => "`add` of all without a wait".to_owned(),
        };
        let how = match job.case {
            Case::OneshotEvents if !usual => add,
            Case::Oneshot | Case::OneshotEvents => format!("defaults, {add}"),
            Case::Restart if usual => "`OnFailure`, backoff of 0 s".to_owned(),
            Case::Restart => "`Always` without interval".to_owned(),
            Case::Fanout => format!("ring of events and queue of a subscriber {ring}"),
            Case::Slots => {
                let settings = if usual {
                    "defaults".to_owned()
                } else {
                    format!("`max_slot_queue` {UNDER_WAY}, ring of events {ring}")
                };
                format!("{settings}, at most {} submissions under way", under_way(job))
            }
            Case::Add | Case::Cancel | Case::Memory | Case::Shutdown => {
                "defaults, `add_and_wait`".to_owned()
            }
        };
        format!("{how}; runtime of {} thread(s)", job.options.threads)
    }

    fn pass(&self, job: &Job) -> Answer {
        let has_fastest = match (job.case, job.options.drive) {
            (Case::Restart | Case::Fanout | Case::Slots, _)
            | (Case::OneshotEvents, Drive::Pipelined) => true,
            // On another thread, the wait for the bodies costs more than it saves.
            (Case::Oneshot, Drive::Pipelined) => job.options.threads == 1,
            _ => false,
        };
        if job.config == Config::Fastest && !has_fastest {
            return Err(Unsupported::because(match (job.case, job.options.drive) {
                (Case::Oneshot, Drive::OneByOne) => {
                    "`add` is faster than `add_and_wait`, but nothing waits for an answer: see it pipelined"
                }
                _ => "no setting is faster than the defaults",
            }));
        }
        if let Adds::AtOnce = Adds::of(job)
            && job.case == Case::OneshotEvents
        {
            return Err(Unsupported::because(
                "with `add`, which does not wait, most events are lost: see `fastest`",
            ));
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

/// How much room the ring of events and the queues of subscribers have.
fn room(job: &Job) -> usize {
    match (job.case, job.config) {
        (Case::Oneshot, _) | (_, Config::Usual) => SupervisorConfig::default().bus_capacity,
        (_, Config::Fastest) => ROOMY,
    }
}

/// How tasks are added that end at once. Many of `add_and_wait` at a time are no way: each reads every event of all the
/// others.
enum Adds {
    Answered,
    Ahead(usize),
    AheadOfSubscribers(usize),
    AtOnce,
}

impl Adds {
    fn of(job: &Job) -> Self {
        match (job.options.drive, job.config) {
            (Drive::OneByOne, _) => Self::Answered,
            (Drive::Pipelined, Config::Usual) => Self::AtOnce,
            (Drive::Pipelined, Config::Fastest) if job.case == Case::OneshotEvents => {
                Self::AheadOfSubscribers(AHEAD_OF_SUBSCRIBERS)
            }
            (Drive::Pipelined, Config::Fastest) => Self::Ahead(AHEAD),
        }
    }
}

fn supervisor(room: usize, subscribers: &[Arc<Counter>]) -> SupervisorHandle {
    let config = SupervisorConfig { bus_capacity: room, ..SupervisorConfig::default() };
    let subscriber = |events: &Arc<Counter>| {
        Arc::new(Subscriber { events: Arc::clone(events), room }) as Arc<dyn Subscribe>
    };
    let subscribers = subscribers.iter().map(subscriber).collect();
    Supervisor::new(config, subscribers).serve()
}

struct Subscriber {
    events: Arc<Counter>,
    room: usize,
}

impl Subscribe for Subscriber {
    fn on_event(&self, event: &Event) {
        // That events were lost is told by an event of its own.
        if event.kind != EventKind::SubscriberOverflow {
            self.events.count_one();
        }
    }

    fn queue_capacity(&self) -> usize {
        self.room
    }
}

/// Waits until the registry is empty; called when the last bodies have returned.
///
/// A look costs as much as there are tasks, and keeps the registry from its work: after a few, with a pause.
async fn all_gone(supervisor: &SupervisorHandle, job: &Job) {
    let mut quick_looks = if job.options.threads == 1 { 10 } else { 0 };
    while !supervisor.list().await.is_empty() {
        if quick_looks > 0 {
            quick_looks -= 1;
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

// ---- bodies ----

/// Returns `Ok` at once.
fn one_shot(name: String, done: &Arc<Counter>) -> TaskSpec {
    let done = Arc::clone(done);
    let task: TaskRef = TaskFn::arc(name, move |_ctx: CancellationToken| {
        let done = Arc::clone(&done);
        async move {
            done.count_one();
            Ok(())
        }
    });
    TaskSpec::once(task)
}

/// Stays until it is cancelled.
fn held(name: String, here: &Arc<Arrivals>) -> TaskSpec {
    let here = Arc::clone(here);
    let task: TaskRef = TaskFn::arc(name, move |ctx: CancellationToken| {
        let here = Arc::clone(&here);
        async move {
            here.arrive();
            ctx.cancelled().await;
            Err(TaskError::Canceled)
        }
    });
    TaskSpec::restartable(task)
}

async fn hold(supervisor: &SupervisorHandle, names: Vec<String>) -> Vec<TaskId> {
    let here = Arrivals::of(names.len());
    let mut tasks = Vec::with_capacity(names.len());
    for name in names {
        tasks.push(add_and_wait(supervisor, held(name, &here)).await);
    }
    here.all().await;
    tasks
}

async fn add_and_wait(supervisor: &SupervisorHandle, spec: TaskSpec) -> TaskId {
    supervisor.add_and_wait(spec, PATIENCE).await.expect("a free name")
}

/// What a task is started again after.
#[derive(Clone, Copy, PartialEq)]
enum Again {
    Error,
    Ok,
}

/// When a task ends that has been started again often enough.
#[derive(Clone, Copy, PartialEq)]
enum End {
    AtOnce,
    WhenCancelled,
}

/// Tasks that wait at a gate, are started again so many times each, and then count themselves.
struct Restarting {
    restarts: usize,
    again: Again,
    end: End,
    gate: Arc<Gate>,
    done: Arc<Arrivals>,
}

impl Restarting {
    fn new(tasks: usize, restarts: usize, again: Again, end: End) -> Self {
        Self { restarts, again, end, gate: Gate::for_tasks(tasks), done: Arrivals::of(tasks) }
    }

    async fn add_to(&self, supervisor: &SupervisorHandle, tasks: usize) {
        for name in names(tasks) {
            add_and_wait(supervisor, self.spec(name)).await;
        }
        self.gate.all_here().await;
    }

    fn spec(&self, name: String) -> TaskSpec {
        let Self { restarts, again, end, .. } = *self;
        let (gate, done) = (Arc::clone(&self.gate), Arc::clone(&self.done));
        let attempts = AtomicUsize::new(0);
        let task: TaskRef = TaskFn::arc(name, move |ctx: CancellationToken| {
            let attempt = attempts.fetch_add(1, Relaxed);
            let gate = (attempt == 0).then(|| Arc::clone(&gate));
            let done = (attempt == restarts).then(|| Arc::clone(&done));
            async move {
                if let Some(gate) = gate {
                    gate.pass().await;
                }
                match (done, again) {
                    (None, Again::Ok) => Ok(()),
                    (None, Again::Error) => {
                        Err(TaskError::Fail { reason: "again".to_owned(), exit_code: None })
                    }
                    (Some(done), _) => {
                        done.arrive();
                        if end == End::WhenCancelled {
                            ctx.cancelled().await;
                        }
                        // Ends the task under every restart policy.
                        Err(TaskError::Canceled)
                    }
                }
            }
        });
        let spec = TaskSpec::restartable(task);
        match again {
            Again::Error => spec
                .with_backoff(BackoffPolicy { first: Duration::ZERO, ..BackoffPolicy::default() }),
            Again::Ok => spec.with_restart(RestartPolicy::Always { interval: None }),
        }
    }
}

// ---- cases ----

async fn oneshot(job: &Job, subscribers: usize) -> Sample {
    let subscribers: Vec<_> = (0..subscribers).map(|_| Counter::new()).collect();
    let supervisor = supervisor(room(job), &subscribers);
    let done = Counter::new();
    let specs: Vec<_> = names(job.n).into_iter().map(|name| one_shot(name, &done)).collect();
    let mut tasks = Vec::with_capacity(job.n);

    let stopwatch = Stopwatch::start();
    for spec in specs {
        let task = match Adds::of(job) {
            Adds::Answered => add_and_wait(&supervisor, spec).await,
            Adds::AtOnce => supervisor.add(spec).expect("it is not shutting down"),
            Adds::Ahead(room) => {
                done.room_for_one_more(tasks.len(), room).await;
                supervisor.add(spec).expect("it is not shutting down")
            }
            Adds::AheadOfSubscribers(room) => {
                let (told, room) = (tasks.len() * EVENTS_OF_ONE_SHOT, room * EVENTS_OF_ONE_SHOT);
                for subscriber in &subscribers {
                    subscriber.room_for_one_more(told, room).await;
                }
                supervisor.add(spec).expect("it is not shutting down")
            }
        };
        tasks.push(task);
    }
    done.until(job.n).await;
    all_gone(&supervisor, job).await;
    let seen = all_seen(&subscribers, job.n * EVENTS_OF_ONE_SHOT).await;
    let sample = without(seen.in_vain, job.n, stopwatch.stop(job.n));

    supervisor.shutdown().await.expect("nothing runs any more");
    Sample { lost: seen.lost, ..sample }
}

async fn restart(job: &Job) -> Sample {
    let supervisor = supervisor(SupervisorConfig::default().bus_capacity, &[]);
    let again = match job.config {
        Config::Usual => Again::Error,
        Config::Fastest => Again::Ok,
    };
    let restarting = Restarting::new(job.n, job.options.restarts, again, End::AtOnce);
    restarting.add_to(&supervisor, job.n).await;

    let stopwatch = Stopwatch::start();
    restarting.gate.open();
    restarting.done.all().await;
    all_gone(&supervisor, job).await;
    let sample = stopwatch.stop(job.n * job.options.restarts);

    supervisor.shutdown().await.expect("nothing runs any more");
    sample
}

/// Tasks are started again and again, first with nobody listening, then with all subscribers.
async fn fanout(job: &Job) -> Sample {
    let restarts = (job.n / (RESTARTING * EVENTS_OF_A_RESTART)).max(1);
    let listening: Vec<_> = (0..job.options.subscribers).map(|_| Counter::new()).collect();
    let cause = fanout_to(&[], restarts, job).await;
    fanout_to(&listening, restarts, job).await.without_cause(&cause)
}

async fn fanout_to(subscribers: &[Arc<Counter>], restarts: usize, job: &Job) -> Sample {
    let events = RESTARTING * EVENTS_OF_A_RESTART * restarts;
    let deliveries = events * job.options.subscribers;
    let supervisor = supervisor(room(job), subscribers);
    let restarting = Restarting::new(RESTARTING, restarts, Again::Ok, End::WhenCancelled);
    restarting.add_to(&supervisor, RESTARTING).await;
    let before = RESTARTING * EVENTS_OF_A_START;
    all_seen(subscribers, before).await;

    let stopwatch = Stopwatch::start();
    restarting.gate.open();
    restarting.done.all().await;
    let seen = all_seen(subscribers, before + events).await;
    let sample = without(seen.in_vain, deliveries, stopwatch.stop(deliveries));

    supervisor.shutdown().await.expect("cooperative tasks");
    Sample { lost: seen.lost, ..sample }
}

async fn add(job: &Job) -> Sample {
    let supervisor = supervisor(room(job), &[]);
    let before = hold(&supervisor, names(job.options.held)).await;
    let here = Arrivals::of(job.n);
    let names = names_from(job.options.held, job.n);
    let specs: Vec<_> = names.into_iter().map(|name| held(name, &here)).collect();
    let mut tasks = Vec::with_capacity(job.n);

    let mut laps = Laps::start(job.n);
    for spec in specs {
        tasks.push(add_and_wait(&supervisor, spec).await);
        laps.lap();
    }
    let sample = laps.stop();

    here.all().await;
    drop(before);
    supervisor.shutdown().await.expect("cooperative tasks");
    sample
}

async fn cancel(job: &Job) -> Sample {
    let supervisor = supervisor(room(job), &[]);
    let tasks = hold(&supervisor, names(job.n)).await;

    let mut laps = Laps::start(job.n);
    for task in tasks {
        assert!(supervisor.cancel(task).await.expect("a cooperative task"));
        laps.lap();
    }
    let sample = laps.stop();

    supervisor.shutdown().await.expect("nothing runs any more");
    sample
}

/// How far submissions may run ahead of the bodies. That `submit` has returned says only that it is in a queue, so
/// one after the other and pipelined are the same here.
fn under_way(job: &Job) -> usize {
    match job.config {
        Config::Usual => SLOT_QUEUE,
        Config::Fastest => UNDER_WAY,
    }
}

async fn slots(job: &Job) -> Sample {
    let under_way = under_way(job);
    let slots = ControllerConfig {
        max_slot_queue: under_way.max(SLOT_QUEUE),
        ..ControllerConfig::default()
    };
    let config = SupervisorConfig { bus_capacity: room(job), ..SupervisorConfig::default() };
    let supervisor = Supervisor::builder(config).with_controller(slots).build().serve();
    let done = Counter::new();
    let keys = keys(job.options.slots);
    let specs: Vec<_> = names(job.n)
        .into_iter()
        .zip(keys.iter().cycle())
        .map(|(name, key)| one_shot(name, &done).with_slot(Arc::clone(key)))
        .map(ControllerSpec::queue)
        .collect();

    let stopwatch = Stopwatch::start();
    for (number, spec) in specs.into_iter().enumerate() {
        supervisor.submit(spec).await.expect("it is not shutting down");
        done.room_for_one_more(number + 1, under_way).await;
    }
    done.until(job.n).await;
    all_gone(&supervisor, job).await;
    let sample = stopwatch.stop(job.n);

    supervisor.shutdown().await.expect("nothing runs any more");
    sample
}

async fn memory(job: &Job) -> Sample {
    let supervisor = supervisor(room(job), &[]);
    hold(&supervisor, names_from(job.n, 1)).await;
    let here = Arrivals::of(job.n);
    let mut tasks = Vec::with_capacity(job.n);
    settled().await;

    let scales = Scales::read();
    for number in 0..job.n {
        tasks.push(add_and_wait(&supervisor, held(name(number), &here)).await);
    }
    here.all().await;
    settled().await;
    let sample = scales.growth(job.n);

    supervisor.shutdown().await.expect("cooperative tasks");
    sample
}

async fn shutdown(job: &Job) -> Sample {
    let supervisor = supervisor(room(job), &[]);
    let tasks = hold(&supervisor, names(job.n)).await;

    let stopwatch = Stopwatch::start();
    supervisor.shutdown().await.expect("cooperative tasks");
    let sample = stopwatch.stop(job.n);

    drop(tasks);
    sample
}
