//! ractor 0.16: a task is an actor with a name, linked to a supervising actor.

mod actors;

use std::{ops::Range, sync::Arc};

use actors::{
    Batch, Counted, Event, Failing, Held, Once, Restarter, Subscriber, Supervisor, Teller,
    ToRestarter,
};
use ractor::{Actor, ActorRef, OutputPort, call, concurrency::JoinHandle};

use super::Subject;
use crate::{
    bodies::{Arrivals, Gate, name, runtime, settled},
    job::{Answer, Case, Config, Drive, Job, Sample, Unsupported},
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
        let settings = match (job.case, job.config) {
            (Case::OneshotEvents, Config::Usual) => "output-port-v2, that loses nothing",
            (Case::OneshotEvents, Config::Fastest) => {
                "no names; output-port-v2, that loses nothing"
            }
            (Case::Fanout, Config::Usual) => "single events; output-port-v2, that loses nothing",
            (Case::Fanout, Config::Fastest) => "batches of 64; output-port-v2, that loses nothing",
            (_, Config::Usual) => "default features",
            (_, Config::Fastest) => "no names: nothing keeps two tasks from being the same one",
        };
        match job.options.drive {
            Drive::OneByOne => settings.into(),
            Drive::Pipelined => {
                format!("{settings}; an add never waits, so pipelined changes nothing")
            }
        }
    }

    fn pass(&self, job: &Job) -> Answer {
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

// ---- what the cases share ----

/// What one holds of a task: its mailbox, and that it has ended.
type Task = (ActorRef<()>, JoinHandle<()>);

/// A port with subscribers, and when each of them has so many events.
async fn port<M: Counted>(subscribers: usize, events: usize) -> (OutputPort<M>, Arc<Arrivals>) {
    let done = Arrivals::of(subscribers);
    let port = OutputPort::default();
    for _ in 0..subscribers {
        let subscriber = Actor::spawn(None, Subscriber::new(&done), events);
        let (subscriber, _) = subscriber.await.expect("no name");
        port.subscribe(subscriber, Some);
    }
    (port, done)
}

async fn supervisor() -> ActorRef<()> {
    Actor::spawn(None, Supervisor, ()).await.expect("no name").0
}

async fn start(
    supervisor: &ActorRef<()>,
    name: Option<String>,
    task: impl Actor<Msg = (), Arguments = ()>,
) -> Task {
    supervisor.spawn_linked(name, task, ()).await.expect("a free name")
}

/// The name is the one thing that a task can do without.
fn task_name(job: &Job, number: usize) -> Option<String> {
    match job.config {
        Config::Usual => Some(name(number)),
        Config::Fastest => None,
    }
}

fn task_names(job: &Job, numbers: Range<usize>) -> Vec<Option<String>> {
    numbers.map(|number| task_name(job, number)).collect()
}

/// Starts tasks that wait until they are stopped; answers when all of them do.
async fn hold(supervisor: &ActorRef<()>, job: &Job, n: usize) -> Vec<Task> {
    let here = Arrivals::of(n);
    let mut tasks = Vec::with_capacity(n);
    for name in task_names(job, 0..n) {
        tasks.push(start(supervisor, name, Held(Some(Arc::clone(&here)))).await);
    }
    here.all().await;
    tasks
}

async fn stop<M>(supervisor: ActorRef<M>) {
    supervisor.stop_children_and_wait(None, None).await;
    supervisor.stop_and_wait(None, None).await.expect("it runs");
}

// ---- cases ----

async fn oneshot(job: &Job) -> Sample {
    let supervisor = supervisor().await;
    let names = task_names(job, 0..job.n);
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
    let names = task_names(job, 0..job.n);
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
    for name in task_names(job, 0..job.n) {
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
    let held = hold(&supervisor, job, job.options.held).await;
    let names = task_names(job, job.options.held..job.options.held + job.n);
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
    let tasks = hold(&supervisor, job, job.n).await;

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
        tasks.push(start(&supervisor, task_name(job, number), held).await);
    }
    here.all().await;
    settled().await;
    let sample = before.growth(job.n);
    stop(supervisor).await;
    sample
}

async fn shutdown(job: &Job) -> Sample {
    let supervisor = supervisor().await;
    let tasks = hold(&supervisor, job, job.n).await;

    let stopwatch = Stopwatch::start();
    stop(supervisor).await;
    let sample = stopwatch.stop(job.n);
    drop(tasks);
    sample
}
