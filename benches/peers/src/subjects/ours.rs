//! This crate, on the caller's thread (`Placement::Current`) and on threads of its own (`Dedicated`).

use std::{cell::Cell, rc::Rc, sync::Arc};

use actix::prelude::*;
use actix_taskvisor::prelude::*;
use futures::stream::{self, StreamExt};

use super::Subject;
use crate::{
    bodies::{Arrivals, Gate, keys, name, names, names_from, settled},
    job::{Answer, Case, Config, Drive, Job, Sample, UNDER_WAY, Unsupported},
    measure::{Laps, Scales, Stopwatch},
};

pub(crate) struct Ours {
    name: &'static str,
    placement: Placement,
}

impl Ours {
    pub(crate) const CURRENT: Self = Self { name: "ours-current", placement: Placement::Current };
    pub(crate) const DEDICATED: Self =
        Self { name: "ours-dedicated", placement: Placement::Dedicated { workers: 1 } };

    fn supervisor(&self) -> SupervisorHandle {
        self.started(TaskSupervisor::builder())
    }

    fn started(&self, builder: SupervisorBuilder) -> SupervisorHandle {
        let builder = builder.placement(self.placement);
        builder.start().expect("a System runs, and threads can be had")
    }
}

impl Subject for Ours {
    fn name(&self) -> &'static str {
        self.name
    }

    fn left_out(&self, _: Case) -> String {
        String::new()
    }

    fn options(&self, job: &Job) -> String {
        let special = match job.case {
            Case::OneshotEvents | Case::Fanout => match job.config {
                Config::Usual => {
                    "; subscribers are actors that take single messages, each with room for all events"
                }
                Config::Fastest => {
                    "; subscribers are actors that take batches of up to 64, each with room for all events"
                }
            },
            Case::Restart => "; BackoffPolicy::immediate(), retries without end",
            Case::Slots => "; max_queued and max_queued_per_slot: n",
            _ => "",
        };
        format!("defaults{special}")
    }

    fn threads(&self) -> usize {
        match self.placement {
            Placement::Current => 1,
            _ => 2,
        }
    }

    fn pass(&self, job: &Job) -> Answer {
        let has_events = matches!(job.case, Case::OneshotEvents | Case::Fanout);
        if job.config == Config::Fastest && !has_events {
            return Err(Unsupported::because("no setting is faster than the defaults"));
        }
        if job.options.threads != self.threads() {
            return Err(Unsupported::because(format!(
                "it is placed on {} of {} threads: see the other placement",
                if self.threads() == 1 { "one" } else { "others" },
                job.options.threads
            )));
        }
        System::new().block_on(async {
            Ok(match job.case {
                Case::Oneshot => self.oneshot(job, false).await,
                Case::OneshotEvents => self.oneshot(job, true).await,
                Case::Restart => self.restart(job).await,
                Case::Fanout => self.fanout(job).await,
                Case::Add => self.add(job).await,
                Case::Cancel => self.cancel(job).await,
                Case::Slots => self.slots(job).await,
                Case::Memory => self.memory(job).await,
                Case::Shutdown => self.shutdown(job).await,
            })
        })
    }
}

/// Events that tell of one task that returns `Ok` at once.
const EVENTS_OF_A_TASK: usize = 6;
/// Tasks that fail in turn in `fanout`, and the events that tell of one restart.
const FAILING: usize = 64;
const EVENTS_OF_A_RESTART: usize = 3;

impl Ours {
    async fn oneshot(&self, job: &Job, has_subscribers: bool) -> Sample {
        let supervisor = self.supervisor();
        let subscribers = if has_subscribers { job.options.subscribers } else { 0 };
        let tally = Tally::new(job.n * EVENTS_OF_A_TASK);
        let subscriptions = subscribe(&supervisor, &tally, job.config, subscribers).await;
        let once = |name| TaskSpec::once(name, async |_ctx| Ok(()));
        let specs: Vec<_> = names(job.n).into_iter().map(once).collect();
        let mut tasks = Vec::with_capacity(job.n);

        let stopwatch = Stopwatch::start();
        match job.options.drive {
            Drive::OneByOne => {
                for spec in specs {
                    tasks.push(supervisor.add(spec).await.expect("a free name"));
                }
            }
            Drive::Pipelined => {
                let adds = stream::iter(specs).map(|spec| supervisor.add(spec));
                let mut added = adds.buffered(UNDER_WAY);
                while let Some(task) = added.next().await {
                    tasks.push(task.expect("a free name"));
                }
            }
        }
        for task in &tasks {
            assert!(task.outcome().await.is_success());
        }
        if has_subscribers {
            tally.all_of(subscribers).await;
        }
        let sample = stopwatch.stop(job.n);
        drop(subscriptions);
        supervisor.shutdown().await;
        Sample { lost: tally.lost.get(), ..sample }
    }

    async fn restart(&self, job: &Job) -> Sample {
        let supervisor = self.supervisor();
        let gate = Gate::for_tasks(job.n);
        let specs = names(job.n).into_iter().map(|name| {
            let (gate, restarts, mut attempts) = (Arc::clone(&gate), job.options.restarts, 0);
            let body = async move |_ctx| {
                attempts += 1;
                if attempts == 1 {
                    gate.pass().await;
                }
                if attempts > restarts { Ok(()) } else { Err(TaskError::failed("again")) }
            };
            failing(TaskSpec::new(name, body))
        });
        let tasks = supervisor.add_all(specs).await.expect("free names");
        gate.all_here().await;

        let stopwatch = Stopwatch::start();
        gate.open();
        for task in &tasks {
            assert!(task.outcome().await.is_success());
        }
        let sample = stopwatch.stop(job.n * job.options.restarts);
        supervisor.shutdown().await;
        sample
    }

    /// Tasks fail at once and start again, first with nobody listening, then with all subscribers.
    async fn fanout(&self, job: &Job) -> Sample {
        let failures = (job.n / (FAILING * EVENTS_OF_A_RESTART)).max(1);
        let events = FAILING * EVENTS_OF_A_RESTART * failures;
        let deliveries = events * job.options.subscribers;

        let alone = self.supervisor();
        let rounds = Rounds::add_to(&alone, failures).await;
        let stopwatch = Stopwatch::start();
        rounds.run().await;
        let cause = stopwatch.stop(deliveries);
        alone.shutdown().await;

        let supervisor = self.supervisor();
        let rounds = Rounds::add_to(&supervisor, failures).await;
        let tally = Tally::new(events);
        let subscriptions =
            subscribe(&supervisor, &tally, job.config, job.options.subscribers).await;
        let stopwatch = Stopwatch::start();
        rounds.run().await;
        tally.all_of(job.options.subscribers).await;
        let sample = stopwatch.stop(deliveries);
        drop(subscriptions);
        supervisor.shutdown().await;
        Sample { lost: tally.lost.get(), ..sample.without_cause(&cause) }
    }

    async fn add(&self, job: &Job) -> Sample {
        let supervisor = self.supervisor();
        let held = hold(&supervisor, job.options.held).await;
        let specs: Vec<_> = names_from(job.options.held, job.n)
            .into_iter()
            .map(|name| waiting(name, None))
            .collect();
        let mut tasks = Vec::with_capacity(job.n);

        let mut laps = Laps::start(job.n);
        for spec in specs {
            tasks.push(supervisor.add(spec).await.expect("a free name"));
            laps.lap();
        }
        let sample = laps.stop();
        supervisor.shutdown().await;
        drop((held, tasks));
        sample
    }

    async fn cancel(&self, job: &Job) -> Sample {
        let supervisor = self.supervisor();
        let tasks = hold(&supervisor, job.n).await;

        let mut laps = Laps::start(job.n);
        for task in &tasks {
            let reply = supervisor.cancel(task.id()).await.expect("a living task");
            assert!(matches!(reply.end, CancelEnd::Physical(_)));
            laps.lap();
        }
        let sample = laps.stop();
        supervisor.shutdown().await;
        sample
    }

    async fn slots(&self, job: &Job) -> Sample {
        let builder = TaskSupervisor::builder().max_queued_per_slot(job.n).max_queued(job.n);
        let supervisor = self.started(builder);
        let keys = keys(job.options.slots);
        let submission = |(name, key): (String, &Arc<str>)| {
            let spec = TaskSpec::once(name, async |_ctx| Ok(()));
            Submission::new(spec).slot(Arc::clone(key)).when_busy(WhenBusy::Queue)
        };
        let submissions: Vec<_> =
            names(job.n).into_iter().zip(keys.iter().cycle()).map(submission).collect();
        let mut taken = Vec::with_capacity(job.n);

        let stopwatch = Stopwatch::start();
        match job.options.drive {
            Drive::OneByOne => {
                for submission in submissions {
                    taken.push(supervisor.submit(submission).await.expect("room in the queue"));
                }
            }
            Drive::Pipelined => {
                let submits = stream::iter(submissions).map(|one| supervisor.submit(one));
                let mut answers = submits.buffered(UNDER_WAY);
                while let Some(answer) = answers.next().await {
                    taken.push(answer.expect("room in the queue"));
                }
            }
        }
        for submission in &taken {
            assert!(submission.outcome().await.is_success());
        }
        let sample = stopwatch.stop(job.n);
        supervisor.shutdown().await;
        sample
    }

    async fn memory(&self, job: &Job) -> Sample {
        let supervisor = self.supervisor();
        let here = Arrivals::of(job.n);
        let mut tasks = Vec::with_capacity(job.n);
        settled().await;

        let before = Scales::read();
        for number in 0..job.n {
            let spec = waiting(name(number), Some(&here));
            tasks.push(supervisor.add(spec).await.expect("a free name"));
        }
        here.all().await;
        settled().await;
        let sample = before.growth(job.n);
        supervisor.shutdown().await;
        sample
    }

    async fn shutdown(&self, job: &Job) -> Sample {
        let supervisor = self.supervisor();
        let tasks = hold(&supervisor, job.n).await;

        let stopwatch = Stopwatch::start();
        let report = supervisor.shutdown().await;
        let sample = stopwatch.stop(job.n);
        assert!(report.is_clean() && report.ended.len() == job.n, "{report}");
        drop(tasks);
        sample
    }
}

/// Tasks that wait for their cancellation; answers when all of them do.
async fn hold(supervisor: &SupervisorHandle, n: usize) -> Vec<TaskHandle> {
    let here = Arrivals::of(n);
    let specs = names(n).into_iter().map(|name| waiting(name, Some(&here)));
    let tasks = supervisor.add_all(specs).await.expect("free names");
    here.all().await;
    tasks
}

fn waiting(name: String, here: Option<&Arc<Arrivals>>) -> TaskSpec {
    let here = here.map(Arc::clone);
    TaskSpec::new(name, async move |ctx: TaskContext| {
        if let Some(here) = &here {
            here.arrive();
        }
        ctx.cancelled().await;
        Ok(())
    })
}

fn failing(spec: TaskSpec) -> TaskSpec {
    spec.backoff(BackoffPolicy::immediate()).max_retries(u32::MAX)
}

/// Tasks that wait, fail so many times at once when they are let in, and wait again.
struct Rounds {
    start: Arc<Gate>,
    back: Arc<Arrivals>,
}

impl Rounds {
    async fn add_to(supervisor: &SupervisorHandle, failures: usize) -> Self {
        let (start, back) = (Gate::for_tasks(FAILING), Arrivals::of(FAILING));
        let specs = names(FAILING).into_iter().map(|name| {
            let (start, back, mut attempts) = (Arc::clone(&start), Arc::clone(&back), 0);
            failing(TaskSpec::new(name, async move |ctx: TaskContext| {
                attempts += 1;
                if attempts == 1 {
                    start.pass().await;
                }
                if attempts <= failures {
                    return Err(TaskError::failed("again"));
                }
                back.arrive();
                ctx.cancelled().await;
                Ok(())
            }))
        });
        supervisor.add_all(specs).await.expect("free names");
        start.all_here().await;
        Self { start, back }
    }

    async fn run(&self) {
        self.start.open();
        self.back.all().await;
    }
}

async fn subscribe(
    supervisor: &SupervisorHandle,
    tally: &Rc<Tally>,
    config: Config,
    subscribers: usize,
) -> Vec<Subscription> {
    let mut subscriptions = Vec::new();
    for _ in 0..subscribers {
        let listener = Listener { seen: 0, tally: Rc::clone(tally) }.start();
        let spec = match config {
            Config::Usual => SubscriptionSpec::from(listener.recipient::<Lifecycle>()),
            Config::Fastest => SubscriptionSpec::from(listener.recipient::<LifecycleBatch>()),
        };
        let subscribed = supervisor.subscribe(spec.capacity(tally.due)).await;
        subscriptions.push(subscribed.expect("the supervisor runs"));
    }
    subscriptions
}

/// What all listeners of one pass add up. They live on one thread.
struct Tally {
    /// How many events each of them is to see.
    due: usize,
    satisfied: Cell<usize>,
    changed: tokio::sync::Notify,
    lost: Cell<u64>,
}

impl Tally {
    fn new(due: usize) -> Rc<Self> {
        let (satisfied, lost) = (Cell::new(0), Cell::new(0));
        Rc::new(Self { due, satisfied, changed: tokio::sync::Notify::new(), lost })
    }

    async fn all_of(&self, listeners: usize) {
        while self.satisfied.get() < listeners {
            self.changed.notified().await;
        }
    }
}

/// A subscriber that counts.
struct Listener {
    seen: usize,
    tally: Rc<Tally>,
}

impl Listener {
    /// A lost event counts as seen, so that the pass ends and tells of it.
    fn see(&mut self, events: usize, lost: u64) {
        let before = self.seen;
        self.seen += events + lost as usize;
        if lost > 0 {
            self.tally.lost.set(self.tally.lost.get() + lost);
        }
        if before < self.tally.due && self.seen >= self.tally.due {
            self.tally.satisfied.set(self.tally.satisfied.get() + 1);
            self.tally.changed.notify_one();
        }
    }
}

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<Lifecycle> for Listener {
    type Result = ();

    fn handle(&mut self, msg: Lifecycle, _: &mut Self::Context) {
        self.see(usize::from(msg.event().is_some()), msg.lost());
    }
}

impl Handler<LifecycleBatch> for Listener {
    type Result = ();

    fn handle(&mut self, msg: LifecycleBatch, _: &mut Self::Context) {
        self.see(msg.events().len(), msg.lost());
    }
}
