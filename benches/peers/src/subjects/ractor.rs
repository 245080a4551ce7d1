//! ractor 0.16: a task is an actor with a name, linked to a supervising actor.

use std::{
    collections::HashMap,
    marker::PhantomData,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ractor::{
    Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, OutputPort, RpcReplyPort, SpawnErr,
    SupervisionEvent, call, concurrency::JoinHandle,
};

use super::Subject;
use crate::{
    bodies::{Arrivals, Gate, name, names, names_from, runtime, settled},
    job::{Answer, Case, Config, Job, Sample, Unsupported},
    measure::{Laps, Scales, Stopwatch},
};

/// Events that tell of one task: it has started, it has ended.
const EVENTS_OF_A_TASK: usize = 2;
/// Events that `fanout` sends at once, in its fastest form.
const BATCH: usize = 64;

pub(crate) struct Ractor;

impl Subject for Ractor {
    fn name(&self) -> &'static str {
        "ractor"
    }

    fn left_out(&self, case: Case) -> String {
        match case {
            Case::Oneshot => "no outcome: the handle tells that the actor has ended, not how",
            Case::OneshotEvents => {
                "no outcome: the handle tells that the actor has ended, not how; two events a task, that the \
                 supervisor hands to an OutputPort by hand"
            }
            Case::Restart => {
                "no restarts, no policy and no limit: the supervisor spawns the actor again by hand, and tells by \
                 hand of its last end; no backoff"
            }
            Case::Fanout => "no supervisor: `OutputPort` alone; its queue has no bound",
            Case::Add => {
                "an add answers before the body of the task has run, and gives no way to the others"
            }
            Case::Cancel | Case::Shutdown => {
                "no outcome; the task is an actor at its mailbox: a body that runs could only be killed"
            }
            Case::Memory => "no outcome; the task is an actor at its mailbox, without a future",
            Case::Slots => "",
        }
        .into()
    }

    fn options(&self, job: &Job) -> String {
        match (job.case, job.config) {
            (Case::OneshotEvents, _) => "default features and output-port-v2, that loses nothing",
            (Case::Fanout, Config::Usual) => "single events; output-port-v2, that loses nothing",
            (Case::Fanout, Config::Fastest) => "batches of 64; output-port-v2, that loses nothing",
            _ => "default features",
        }
        .into()
    }

    fn pass(&self, job: &Job) -> Answer {
        if job.config == Config::Fastest && job.case != Case::Fanout {
            return Err(Unsupported::because("no setting is faster than the defaults"));
        }
        runtime(job.options.threads).block_on(async {
            Ok(match job.case {
                Case::Oneshot => oneshot(job).await,
                Case::OneshotEvents => oneshot_events(job).await,
                Case::Restart => restart(job).await,
                Case::Fanout => match job.config {
                    Config::Usual => fanout(job, 1, |number| Event::new(number.start)).await,
                    Config::Fastest => fanout(job, BATCH, |many| Batch::new(many.collect())).await,
                },
                Case::Add => add(job).await,
                Case::Cancel => cancel(job).await,
                Case::Memory => memory(job).await,
                Case::Shutdown => shutdown(job).await,
                Case::Slots => return Err(Unsupported::because("it has no queues by key")),
            })
        })
    }
}

// ---- tasks ----

type Step = Result<(), ActorProcessingErr>;
/// What one holds of a task: its mailbox, and that it has ended.
type Task = (ActorRef<()>, JoinHandle<()>);

/// Runs, and stops at once.
struct Once;

impl Actor for Once {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Step {
        Ok(())
    }

    async fn post_start(&self, myself: ActorRef<()>, (): &mut ()) -> Step {
        myself.stop(None);
        Ok(())
    }
}

/// Says that it is here, if anybody asks, and waits for messages until it is stopped.
struct Held(Option<Arc<Arrivals>>);

impl Actor for Held {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Step {
        Ok(())
    }

    async fn post_start(&self, _: ActorRef<()>, (): &mut ()) -> Step {
        if let Some(here) = &self.0 {
            here.arrive();
        }
        Ok(())
    }
}

/// Fails at once, so many times, and then stops. Each attempt is an actor of its own.
#[derive(Clone)]
struct Failing {
    attempts: Arc<AtomicUsize>,
    restarts: usize,
    gate: Arc<Gate>,
}

impl Actor for Failing {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Step {
        Ok(())
    }

    async fn post_start(&self, myself: ActorRef<()>, (): &mut ()) -> Step {
        let before = self.attempts.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            self.gate.pass().await;
        }
        if before < self.restarts {
            return Err("again".into());
        }
        myself.stop(None);
        Ok(())
    }
}

// ---- supervisors ----

/// Children are linked to it; it does nothing about their ends.
struct Supervisor;

impl Actor for Supervisor {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Step {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Step {
        Ok(())
    }
}

/// Tells of the starts and ends of its children.
struct Teller(OutputPort<TaskEvent>);

/// Of which actor, and by which name, can be read from the event.
#[derive(Clone)]
enum TaskEvent {
    Started(#[expect(dead_code, reason = "for those who read it")] ActorCell),
    Ended(#[expect(dead_code, reason = "for those who read it")] ActorCell),
}

impl Actor for Teller {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Step {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Step {
        match event {
            SupervisionEvent::ActorStarted(task) => self.0.send(TaskEvent::Started(task)),
            SupervisionEvent::ActorTerminated(task, ..)
            | SupervisionEvent::ActorFailed(task, _) => {
                self.0.send(TaskEvent::Ended(task));
            }
            SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

/// Spawns a child again when it has failed, under its name.
struct Restarter {
    ended: Arc<Arrivals>,
}

type Living = HashMap<ActorId, (String, Failing)>;

enum ToRestarter {
    Add(String, Failing, RpcReplyPort<Result<(), SpawnErr>>),
}

impl Restarter {
    async fn start(
        myself: &ActorRef<ToRestarter>,
        name: String,
        task: Failing,
        living: &mut Living,
    ) -> Result<(), SpawnErr> {
        let (actor, _) = myself.spawn_linked(Some(name.clone()), task.clone(), ()).await?;
        living.insert(actor.get_id(), (name, task));
        Ok(())
    }
}

impl Actor for Restarter {
    type Msg = ToRestarter;
    type State = Living;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<ToRestarter>,
        (): (),
    ) -> Result<Living, ActorProcessingErr> {
        Ok(Living::new())
    }

    async fn handle(
        &self,
        myself: ActorRef<ToRestarter>,
        message: ToRestarter,
        living: &mut Living,
    ) -> Step {
        let ToRestarter::Add(name, task, reply) = message;
        reply.send(Self::start(&myself, name, task, living).await)?;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<ToRestarter>,
        event: SupervisionEvent,
        living: &mut Living,
    ) -> Step {
        match event {
            SupervisionEvent::ActorFailed(task, _) => {
                if let Some((name, task)) = living.remove(&task.get_id()) {
                    Self::start(&myself, name, task, living).await?;
                }
            }
            SupervisionEvent::ActorTerminated(task, ..) => {
                if living.remove(&task.get_id()).is_some() {
                    self.ended.arrive();
                }
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

// ---- subscribers ----

/// What a subscriber gets: so many events.
trait Counted: Clone + Send + Sync + 'static {
    fn events(&self) -> usize;
}

impl Counted for TaskEvent {
    fn events(&self) -> usize {
        1
    }
}

/// What `fanout` sends.
type Event = Arc<usize>;

impl Counted for Event {
    fn events(&self) -> usize {
        1
    }
}

type Batch = Arc<Vec<usize>>;

impl Counted for Batch {
    fn events(&self) -> usize {
        self.len()
    }
}

/// Counts what it gets until it has so many.
struct Subscriber<M>(Arc<Arrivals>, PhantomData<fn(M)>);

impl<M: Counted> Actor for Subscriber<M> {
    type Msg = M;
    type State = usize;
    type Arguments = usize;

    async fn pre_start(&self, _: ActorRef<M>, missing: usize) -> Result<usize, ActorProcessingErr> {
        Ok(missing)
    }

    async fn handle(&self, _: ActorRef<M>, message: M, missing: &mut usize) -> Step {
        *missing -= message.events();
        if *missing == 0 {
            self.0.arrive();
        }
        Ok(())
    }
}

/// A port with subscribers, and when each of them has so many events.
async fn port<M: Counted>(subscribers: usize, events: usize) -> (OutputPort<M>, Arc<Arrivals>) {
    let done = Arrivals::of(subscribers);
    let port = OutputPort::default();
    for _ in 0..subscribers {
        let subscriber = Subscriber(Arc::clone(&done), PhantomData);
        let (subscriber, _) = Actor::spawn(None, subscriber, events).await.expect("no name");
        port.subscribe(subscriber, Some);
    }
    (port, done)
}

// ---- cases ----

async fn supervisor() -> ActorRef<()> {
    Actor::spawn(None, Supervisor, ()).await.expect("no name").0
}

async fn start(
    supervisor: &ActorRef<()>,
    name: String,
    task: impl Actor<Msg = (), Arguments = ()>,
) -> Task {
    supervisor.spawn_linked(Some(name), task, ()).await.expect("a free name")
}

/// Starts tasks that wait until they are stopped; answers when all of them do.
async fn hold(supervisor: &ActorRef<()>, n: usize) -> Vec<Task> {
    let here = Arrivals::of(n);
    let mut tasks = Vec::with_capacity(n);
    for name in names(n) {
        tasks.push(start(supervisor, name, Held(Some(Arc::clone(&here)))).await);
    }
    here.all().await;
    tasks
}

async fn stop<M>(supervisor: ActorRef<M>) {
    supervisor.stop_children_and_wait(None, None).await;
    supervisor.stop_and_wait(None, None).await.expect("it runs");
}

async fn oneshot(job: &Job) -> Sample {
    let supervisor = supervisor().await;
    let names = names(job.n);
    let mut tasks = Vec::with_capacity(job.n);

    let stopwatch = Stopwatch::start();
    for name in names {
        tasks.push(start(&supervisor, name, Once).await);
    }
    for (_, ended) in tasks {
        ended.await.expect("no task is aborted");
    }
    let sample = stopwatch.stop(job.n);
    stop(supervisor).await;
    sample
}

async fn oneshot_events(job: &Job) -> Sample {
    let (port, done) = port(job.options.subscribers, job.n * EVENTS_OF_A_TASK).await;
    let (supervisor, _) = Actor::spawn(None, Teller(port), ()).await.expect("no name");
    let names = names(job.n);
    let mut tasks = Vec::with_capacity(job.n);

    let stopwatch = Stopwatch::start();
    for name in names {
        tasks.push(start(&supervisor, name, Once).await);
    }
    for (_, ended) in tasks {
        ended.await.expect("no task is aborted");
    }
    done.all().await;
    let sample = stopwatch.stop(job.n);
    stop(supervisor).await;
    sample
}

async fn restart(job: &Job) -> Sample {
    let ended = Arrivals::of(job.n);
    let restarter = Restarter { ended: Arc::clone(&ended) };
    let (supervisor, _) = Actor::spawn(None, restarter, ()).await.expect("no name");
    let restarts = job.options.restarts;
    let gate = Gate::for_tasks(job.n);
    for name in names(job.n) {
        let task = Failing { attempts: Arc::default(), restarts, gate: Arc::clone(&gate) };
        let added = call!(supervisor, ToRestarter::Add, name, task);
        added.expect("it runs").expect("a free name");
    }
    gate.all_here().await;

    let stopwatch = Stopwatch::start();
    gate.open();
    ended.all().await;
    let sample = stopwatch.stop(job.n * restarts);
    stop(supervisor).await;
    sample
}

/// Sends so many numbers, so many at once.
async fn fanout<M: Counted>(
    job: &Job,
    at_once: usize,
    event: impl Fn(Range<usize>) -> M,
) -> Sample {
    let (port, done) = port(job.options.subscribers, job.n).await;

    let stopwatch = Stopwatch::start();
    for first in (0..job.n).step_by(at_once) {
        port.send(event(first..job.n.min(first + at_once)));
        if first % BATCH == 0 {
            // Nothing else bounds what waits in the port and in the mailboxes.
            tokio::task::yield_now().await;
        }
    }
    done.all().await;
    stopwatch.stop(job.n * job.options.subscribers)
}

async fn add(job: &Job) -> Sample {
    let supervisor = supervisor().await;
    let held = hold(&supervisor, job.options.held).await;
    let names = names_from(job.options.held, job.n);
    let mut tasks = Vec::with_capacity(job.n);

    let mut laps = Laps::start(job.n);
    for name in names {
        tasks.push(start(&supervisor, name, Held(None)).await);
        laps.lap();
    }
    let sample = laps.stop();
    stop(supervisor).await;
    drop((held, tasks));
    sample
}

async fn cancel(job: &Job) -> Sample {
    let supervisor = supervisor().await;
    let tasks = hold(&supervisor, job.n).await;

    let mut laps = Laps::start(job.n);
    for (task, _) in &tasks {
        task.stop_and_wait(None, None).await.expect("a living task");
        laps.lap();
    }
    let sample = laps.stop();
    stop(supervisor).await;
    sample
}

async fn memory(job: &Job) -> Sample {
    let supervisor = supervisor().await;
    let here = Arrivals::of(job.n);
    let mut tasks = Vec::with_capacity(job.n);
    settled().await;

    let before = Scales::read();
    for number in 0..job.n {
        let held = Held(Some(Arc::clone(&here)));
        tasks.push(start(&supervisor, name(number), held).await);
    }
    here.all().await;
    settled().await;
    let sample = before.growth(job.n);
    stop(supervisor).await;
    sample
}

async fn shutdown(job: &Job) -> Sample {
    let supervisor = supervisor().await;
    let tasks = hold(&supervisor, job.n).await;

    let stopwatch = Stopwatch::start();
    stop(supervisor).await;
    let sample = stopwatch.stop(job.n);
    drop(tasks);
    sample
}
