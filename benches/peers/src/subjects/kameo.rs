//! kameo 0.22: a task is an actor that runs a future (`FutureActor` of kameo_actors), the child of a supervising
//! actor.

use std::{
    future,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kameo::{
    error::{ActorStopReason, Infallible},
    mailbox,
    prelude::*,
    supervision::RestartPolicy,
};
use kameo_actors::{
    DeliveryStrategy,
    future::FutureActor,
    pubsub::{PubSub, Publish},
};

use super::Subject;
use crate::{
    bodies::{Arrivals, Gate, runtime, settled},
    job::{Answer, Case, Config, Drive, Job, Sample, Unsupported},
    measure::{Laps, Scales, Stopwatch},
};

/// Events that `fanout` sends at once, in its fastest form.
const BATCH: usize = 64;

/// A supervisor that stops asks its children through `join_all`, that polls all of them again whenever Tokio's budget
/// of one poll (128) is used up.
const MOST_OF_QUADRATIC: usize = 100_000;

fn is_quadratic(job: &Job) -> bool {
    job.case == Case::Shutdown && job.config == Config::Usual
}

pub(crate) struct Kameo;

impl Subject for Kameo {
    fn name(&self) -> &'static str {
        "kameo"
    }

    fn left_out(&self, case: Case) -> String {
        let special = match case {
            Case::OneshotEvents => "; one event a task, its end, told by the supervisor's hook",
            Case::Restart => {
                "; the outcome is that of the first attempt: the clock stops in the last body"
            }
            Case::Fanout => "; no supervisor: `PubSub` alone",
            Case::Add => "; an add answers before the task has run, and gives no way to the others",
            Case::Cancel => "; nothing asks the task: its future is dropped",
            Case::Shutdown => "; nothing asks a task: its future is dropped; no report",
            Case::Oneshot | Case::Slots | Case::Memory => "",
        };
        format!(
            "no names (in its registry the end of any actor goes through all names); ended children stay in the \
             supervisor's table{special}"
        )
    }

    fn options(&self, job: &Job) -> String {
        let settings = match (job.case, job.config) {
            (Case::OneshotEvents, Config::Usual) => {
                "RestartPolicy::Never; the hook sends to a PubSub actor; DeliveryStrategy::Guaranteed"
            }
            (Case::OneshotEvents, Config::Fastest) => {
                "RestartPolicy::Never; a PubSub object in the supervisor; DeliveryStrategy::Guaranteed; unbounded \
                 mailboxes"
            }
            (Case::Fanout, Config::Usual) => "a PubSub actor; DeliveryStrategy::Guaranteed",
            (Case::Fanout, Config::Fastest) => {
                "a PubSub object; DeliveryStrategy::Guaranteed; unbounded mailboxes; batches of 64"
            }
            (Case::Restart, _) => "RestartPolicy::Transient, no limit; it has no backoff",
            (Case::Shutdown, Config::Fastest) => {
                "no supervisor: each task is stopped through its handle"
            }
            (_, Config::Usual) => "RestartPolicy::Never",
            (_, Config::Fastest) => "no supervisor: nothing stops all tasks at once",
        };
        match job.options.drive {
            Drive::OneByOne => settings.into(),
            Drive::Pipelined => {
                format!("{settings}; an add never waits, so pipelined changes nothing")
            }
        }
    }

    fn pass(&self, job: &Job) -> Answer {
        if job.config == Config::Fastest && job.case == Case::Restart {
            return Err(Unsupported::because("only supervised tasks restart: see usual"));
        }
        if is_quadratic(job) && job.n > MOST_OF_QUADRATIC {
            return Err(Unsupported::because(
                "a supervisor takes time for each child that grows with their number: see fewer",
            ));
        }
        runtime(job.options.threads).block_on(async {
            Ok(match job.case {
                Case::Oneshot => oneshot(job).await,
                Case::OneshotEvents => oneshot_events(job).await,
                Case::Restart => restart(job).await,
                Case::Fanout => fanout(job).await,
                Case::Add => add(job).await,
                Case::Cancel => cancel(job).await,
                Case::Memory => memory(job).await,
                Case::Shutdown => shutdown(job).await,
                Case::Slots => return Err(Unsupported::because("it has no queues by key")),
            })
        })
    }
}

// ---- actors ----

/// Supervises, and tells nobody.
#[derive(Actor)]
struct Supervisor;

/// Tells of the end of each child.
struct Teller(Topic);

enum Topic {
    Actor(ActorRef<PubSub<TaskEnded>>),
    Object(PubSub<TaskEnded>),
}

#[derive(Clone)]
struct TaskEnded {
    _id: ActorId,
    _reason: ActorStopReason,
}

impl Actor for Teller {
    type Args = Topic;
    type Error = Infallible;

    async fn on_start(topic: Topic, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self(topic))
    }

    async fn on_link_died(
        &mut self,
        _: WeakActorRef<Self>,
        id: ActorId,
        reason: ActorStopReason,
    ) -> Result<ControlFlow<ActorStopReason>, Infallible> {
        let event = TaskEnded { _id: id, _reason: reason };
        match &mut self.0 {
            Topic::Actor(topic) => {
                topic.tell(Publish(event)).await.expect("the topic lives as long as this");
            }
            Topic::Object(topic) => topic.publish(event).await,
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Counts what it gets.
#[derive(Actor)]
struct Subscriber {
    missing: usize,
    done: Arc<Arrivals>,
}

impl Subscriber {
    fn count(&mut self, events: usize) {
        self.missing -= events;
        if self.missing == 0 {
            self.done.arrive();
        }
    }
}

impl Message<TaskEnded> for Subscriber {
    type Reply = ();

    async fn handle(&mut self, _: TaskEnded, _: &mut Context<Self, ()>) {
        self.count(1);
    }
}

/// What `fanout` sends.
#[derive(Debug)]
struct Event {
    _number: usize,
}

impl Message<Arc<Event>> for Subscriber {
    type Reply = ();

    async fn handle(&mut self, _: Arc<Event>, _: &mut Context<Self, ()>) {
        self.count(1);
    }
}

impl Message<Arc<Vec<Event>>> for Subscriber {
    type Reply = ();

    async fn handle(&mut self, batch: Arc<Vec<Event>>, _: &mut Context<Self, ()>) {
        self.count(batch.len());
    }
}

fn subscribers(job: &Job, events: usize) -> (Vec<ActorRef<Subscriber>>, Arc<Arrivals>) {
    let done = Arrivals::of(job.options.subscribers);
    let subscriber = |_| {
        let subscriber = Subscriber { missing: events, done: Arc::clone(&done) };
        match job.config {
            Config::Usual => Subscriber::spawn(subscriber),
            Config::Fastest => Subscriber::spawn_with_mailbox(subscriber, mailbox::unbounded()),
        }
    };
    ((0..job.options.subscribers).map(subscriber).collect(), done)
}

fn topic<M>(subscribers: &[ActorRef<Subscriber>]) -> PubSub<M>
where
    M: Clone + Send + 'static,
    Subscriber: Message<M>,
{
    let mut topic = PubSub::new(DeliveryStrategy::Guaranteed);
    for subscriber in subscribers {
        topic.subscribe(subscriber.clone());
    }
    topic
}

// ---- tasks ----

type Ended = Result<(), String>;

/// Starts an actor that runs this future once: under a supervisor, or alone.
async fn start<S, F>(
    supervisor: Option<&ActorRef<S>>,
    body: impl Fn() -> F + Send + Sync + 'static,
) -> ActorRef<FutureActor<F>>
where
    S: Actor,
    F: Future<Output = Ended> + Send + 'static,
{
    match supervisor {
        Some(supervisor) => {
            let child = FutureActor::supervise_with(supervisor, body);
            child.restart_policy(RestartPolicy::Never).spawn().await
        }
        None => FutureActor::spawn(body()),
    }
}

/// How tasks are started in this configuration.
fn supervisor(job: &Job) -> Option<ActorRef<Supervisor>> {
    match job.config {
        Config::Usual => Some(Supervisor::spawn(Supervisor)),
        Config::Fastest => None,
    }
}

/// Starts tasks that wait until they are stopped; answers when all of them do.
async fn hold(
    supervisor: Option<&ActorRef<Supervisor>>,
    n: usize,
) -> Vec<ActorRef<FutureActor<impl Future<Output = Ended> + Send + 'static>>> {
    let here = Arrivals::of(n);
    let mut tasks = Vec::with_capacity(n);
    for _ in 0..n {
        let here = Arc::clone(&here);
        tasks.push(start(supervisor, move || waiting(Some(Arc::clone(&here)))).await);
    }
    here.all().await;
    tasks
}

async fn waiting(here: Option<Arc<Arrivals>>) -> Ended {
    if let Some(here) = here {
        here.arrive();
    }
    future::pending().await
}

/// Until its last hook has run; `Err` if that one failed.
async fn end_of<F>(task: &ActorRef<FutureActor<F>>) -> ActorStopReason
where
    F: Future<Output = Ended> + Send + 'static,
{
    task.wait_for_shutdown_result().await.expect("no hook fails")
}

async fn stop(supervisor: Option<ActorRef<impl Actor>>) {
    if let Some(supervisor) = supervisor {
        supervisor.stop_gracefully().await.expect("it runs");
        supervisor.wait_for_shutdown().await;
    }
}

// ---- cases ----

async fn oneshot(job: &Job) -> Sample {
    let supervisor = supervisor(job);
    let mut tasks = Vec::with_capacity(job.n);

    let stopwatch = Stopwatch::start();
    for _ in 0..job.n {
        tasks.push(start(supervisor.as_ref(), async || Ok(())).await);
    }
    for task in &tasks {
        assert!(end_of(task).await.is_normal());
    }
    let sample = stopwatch.stop(job.n);
    stop(supervisor).await;
    sample
}

async fn oneshot_events(job: &Job) -> Sample {
    let (subscribers, done) = subscribers(job, job.n);
    let topic = topic(&subscribers);
    let supervisor = match job.config {
        Config::Usual => Teller::spawn(Topic::Actor(PubSub::spawn(topic))),
        Config::Fastest => Teller::spawn_with_mailbox(Topic::Object(topic), mailbox::unbounded()),
    };
    let mut tasks = Vec::with_capacity(job.n);

    let stopwatch = Stopwatch::start();
    for _ in 0..job.n {
        tasks.push(start(Some(&supervisor), async || Ok(())).await);
    }
    for task in &tasks {
        assert!(end_of(task).await.is_normal());
    }
    done.all().await;
    let sample = stopwatch.stop(job.n);
    stop(Some(supervisor)).await;
    sample
}

async fn restart(job: &Job) -> Sample {
    let supervisor = Supervisor::spawn(Supervisor);
    let restarts = job.options.restarts;
    let gate = Gate::for_tasks(job.n);
    let ended = Arrivals::of(job.n);
    for _ in 0..job.n {
        let (gate, ended) = (Arc::clone(&gate), Arc::clone(&ended));
        let attempts = Arc::new(AtomicUsize::new(0));
        let body = move || {
            let before = attempts.fetch_add(1, Ordering::Relaxed);
            let gate = (before == 0).then(|| Arc::clone(&gate));
            let ended = (before == restarts).then(|| Arc::clone(&ended));
            attempt(gate, ended)
        };
        let task = FutureActor::supervise_with(&supervisor, body);
        task.restart_policy(RestartPolicy::Transient)
            .restart_limit(u32::MAX, Duration::MAX)
            .spawn()
            .await;
    }
    gate.all_here().await;

    let stopwatch = Stopwatch::start();
    gate.open();
    ended.all().await;
    let sample = stopwatch.stop(job.n * restarts);
    stop(Some(supervisor)).await;
    sample
}

/// The first one waits at the gate, and the last one does not fail.
async fn attempt(gate: Option<Arc<Gate>>, ended: Option<Arc<Arrivals>>) -> Ended {
    if let Some(gate) = gate {
        gate.pass().await;
    }
    let ended = ended.ok_or("again")?;
    ended.arrive();
    Ok(())
}

async fn fanout(job: &Job) -> Sample {
    let (subscribers, done) = subscribers(job, job.n);
    let deliveries = job.n * job.options.subscribers;
    match job.config {
        Config::Usual => {
            let topic = PubSub::spawn(topic(&subscribers));
            let stopwatch = Stopwatch::start();
            for number in 0..job.n {
                let event = Arc::new(Event { _number: number });
                topic.tell(Publish(event)).await.expect("the topic runs");
            }
            done.all().await;
            stopwatch.stop(deliveries)
        }
        Config::Fastest => {
            let mut topic = topic(&subscribers);
            let stopwatch = Stopwatch::start();
            for first in (0..job.n).step_by(BATCH) {
                let numbers = first..job.n.min(first + BATCH);
                let batch = numbers.map(|number| Event { _number: number }).collect::<Vec<_>>();
                topic.publish(Arc::new(batch)).await;
                // The bound on what waits in the mailboxes.
                tokio::task::yield_now().await;
            }
            done.all().await;
            stopwatch.stop(deliveries)
        }
    }
}

async fn add(job: &Job) -> Sample {
    let supervisor = supervisor(job);
    let held = hold(supervisor.as_ref(), job.options.held).await;
    let mut tasks = Vec::with_capacity(job.n);

    let mut laps = Laps::start(job.n);
    for _ in 0..job.n {
        tasks.push(start(supervisor.as_ref(), || waiting(None)).await);
        laps.lap();
    }
    let sample = laps.stop();
    stop(supervisor).await;
    drop((held, tasks));
    sample
}

async fn cancel(job: &Job) -> Sample {
    let supervisor = supervisor(job);
    let tasks = hold(supervisor.as_ref(), job.n).await;

    let mut laps = Laps::start(job.n);
    for task in &tasks {
        task.stop_gracefully().await.expect("a living task");
        assert!(end_of(task).await.is_normal());
        laps.lap();
    }
    let sample = laps.stop();
    stop(supervisor).await;
    sample
}

async fn memory(job: &Job) -> Sample {
    let supervisor = supervisor(job);
    let here = Arrivals::of(job.n);
    let mut tasks = Vec::with_capacity(job.n);
    settled().await;

    let before = Scales::read();
    for _ in 0..job.n {
        let here = Arc::clone(&here);
        let body = move || waiting(Some(Arc::clone(&here)));
        tasks.push(start(supervisor.as_ref(), body).await);
    }
    here.all().await;
    settled().await;
    let sample = before.growth(job.n);
    stop(supervisor).await;
    sample
}

/// By one call to the supervisor; without one, by a request to each task, and then by waiting for each.
async fn shutdown(job: &Job) -> Sample {
    let supervisor = supervisor(job);
    let tasks = hold(supervisor.as_ref(), job.n).await;

    let stopwatch = Stopwatch::start();
    if supervisor.is_none() {
        for task in &tasks {
            task.stop_gracefully().await.expect("a living task");
        }
    }
    stop(supervisor).await;
    for task in &tasks {
        assert!(end_of(task).await.is_normal());
    }
    stopwatch.stop(job.n)
}
