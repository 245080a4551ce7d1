//! The least that supervises with actix, by hand: one supervisor actor, and one actor for each task.
//!
//! With two threads, supervisor and tasks live on an arbiter of their own, and the caller on the first one.

mod broker;
mod listener;
mod slots;
mod supervisor;
mod task;

use std::sync::Arc;

use actix::prelude::*;
use futures::stream::{self, StreamExt};
use tokio_util::sync::CancellationToken;

use self::{
    broker::Broker,
    listener::Listener,
    slots::{Slots, Submit},
    supervisor::{Add, Body, Cancel, Handle, Shutdown, Supervisor},
};
use super::{
    Subject,
    by_hand::{EVENTS_OF_A_RESTART, EVENTS_OF_A_TASK, FAILING},
};
use crate::{
    bodies::{Arrivals, Gate, keys, name, names, names_from, settled},
    job::{Answer, Case, Config, Drive, Job, Sample, UNDER_WAY, Unsupported},
    measure::{Laps, Scales, Stopwatch},
};

pub(crate) struct ActixMinimal;

impl Subject for ActixMinimal {
    fn name(&self) -> &'static str {
        "actix-minimal"
    }

    fn left_out(&self, case: Case) -> String {
        let always = "no status, no bound on commands, no grace, no panic caught, nobody told of a task that vanishes";
        match case {
            Case::OneshotEvents => format!("{always}; two events for each task, unbounded"),
            Case::Fanout => format!("{always}; no filter, no bound on what a listener holds"),
            Case::Slots => format!("{always}, no name, no cancel; one policy"),
            _ => always.to_owned(),
        }
    }

    fn options(&self, job: &Job) -> String {
        let place = match job.options.threads {
            1 => "one arbiter",
            _ => "two_arbiters: the caller's, and one for supervisor and tasks",
        };
        match (job.case, job.config) {
            (Case::OneshotEvents | Case::Fanout, Config::Usual) => {
                format!("{place}; a broker actor, a message for each event and listener")
            }
            (Case::OneshotEvents | Case::Fanout, Config::Fastest) => {
                format!("{place}; a broker actor, batches of up to 64 events")
            }
            _ => place.to_owned(),
        }
    }

    fn pass(&self, job: &Job) -> Answer {
        let has_events = matches!(job.case, Case::OneshotEvents | Case::Fanout);
        if job.config == Config::Fastest && !has_events {
            return Err(Unsupported::because("there is nothing to set"));
        }
        System::new().block_on(async {
            let room = Room::open(job.options.threads);
            let sample = match job.case {
                Case::Oneshot => oneshot(&room, job, 0).await,
                Case::OneshotEvents => oneshot(&room, job, job.options.subscribers).await,
                Case::Restart => restart(&room, job).await,
                Case::Fanout => fanout(&room, job).await,
                Case::Add => add(&room, job).await,
                Case::Cancel => cancel(&room, job).await,
                Case::Slots => slots(&room, job).await,
                Case::Memory => memory(&room, job).await,
                Case::Shutdown => shutdown(&room, job).await,
            };
            room.close();
            Ok(sample)
        })
    }
}

/// Where supervisor and tasks live: on the caller's arbiter, or on one of their own.
struct Room(Option<Arbiter>);

impl Room {
    fn open(threads: usize) -> Self {
        Self((threads > 1).then(Arbiter::new))
    }

    fn start<A: Actor<Context = Context<A>> + Send>(&self, actor: A) -> Addr<A> {
        match &self.0 {
            None => actor.start(),
            Some(arbiter) => A::start_in_arbiter(&arbiter.handle(), |_| actor),
        }
    }

    fn supervisor(&self) -> Addr<Supervisor> {
        self.start(Supervisor::telling(None))
    }

    fn close(self) {
        if let Some(arbiter) = self.0 {
            arbiter.stop();
            arbiter.join().expect("no panic");
        }
    }
}

async fn oneshot(room: &Room, job: &Job, subscribers: usize) -> Sample {
    let satisfied = Arrivals::of(subscribers);
    let broker = (subscribers > 0).then(|| {
        let due = job.n * EVENTS_OF_A_TASK;
        room.start(broker(subscribers, due, &satisfied, job.config))
    });
    let supervisor = room.start(Supervisor::telling(broker));
    let once = |name| Add { name, body: Box::new(|_| Box::pin(async { Ok(()) })) };
    let adds: Vec<_> = names(job.n).into_iter().map(once).collect();
    let mut outcomes = Vec::with_capacity(job.n);

    let stopwatch = Stopwatch::start();
    match job.options.drive {
        Drive::OneByOne => {
            for add in adds {
                outcomes.push(ask(&supervisor, add).await.expect("a free name").outcome);
            }
        }
        Drive::Pipelined => {
            let answers = stream::iter(adds).map(|add| ask(&supervisor, add));
            let mut answers = answers.buffered(UNDER_WAY);
            while let Some(task) = answers.next().await {
                outcomes.push(task.expect("a free name").outcome);
            }
        }
    }
    for outcome in outcomes {
        outcome.await.expect("an outcome").expect("a success");
    }
    if subscribers > 0 {
        satisfied.all().await;
    }
    stopwatch.stop(job.n)
}

async fn restart(room: &Room, job: &Job) -> Sample {
    let supervisor = room.supervisor();
    let gate = Gate::for_tasks(job.n);
    let tasks = add_failing(&supervisor, &gate, job.n, job.options.restarts).await;

    let stopwatch = Stopwatch::start();
    gate.open();
    for task in tasks {
        task.outcome.await.expect("an outcome").expect("a success");
    }
    stopwatch.stop(job.n * job.options.restarts)
}

/// Some tasks fail at once and start again: first with nobody listening.
async fn fanout(room: &Room, job: &Job) -> Sample {
    let failures = (job.n / (FAILING * EVENTS_OF_A_RESTART)).max(1);
    // Twice more for each task: its first start and its end.
    let events = FAILING * (EVENTS_OF_A_RESTART * failures + 2);
    let deliveries = events * job.options.subscribers;
    let run = async |broker: Option<Addr<Broker>>, satisfied: Arc<Arrivals>| {
        let supervisor = room.start(Supervisor::telling(broker));
        let gate = Gate::for_tasks(FAILING);
        let tasks = add_failing(&supervisor, &gate, FAILING, failures).await;

        let stopwatch = Stopwatch::start();
        gate.open();
        for task in tasks {
            task.outcome.await.expect("an outcome").expect("a success");
        }
        satisfied.all().await;
        stopwatch.stop(deliveries)
    };
    let cause = run(None, Arrivals::of(0)).await;
    let satisfied = Arrivals::of(job.options.subscribers);
    let broker = broker(job.options.subscribers, events, &satisfied, job.config);
    run(Some(room.start(broker)), satisfied).await.without_cause(&cause)
}

async fn add(room: &Room, job: &Job) -> Sample {
    let supervisor = room.supervisor();
    let held = hold(&supervisor, job.options.held).await;
    let waiting = |name| Add { name, body: waiting(None) };
    let adds: Vec<_> = names_from(job.options.held, job.n).into_iter().map(waiting).collect();
    let mut tasks = Vec::with_capacity(job.n);

    let mut laps = Laps::start(job.n);
    for add in adds {
        tasks.push(ask(&supervisor, add).await.expect("a free name"));
        laps.lap();
    }
    let sample = laps.stop();
    ask(&supervisor, Shutdown).await;
    drop((held, tasks));
    sample
}

async fn cancel(room: &Room, job: &Job) -> Sample {
    let supervisor = room.supervisor();
    let tasks = hold(&supervisor, job.n).await;

    let mut laps = Laps::start(job.n);
    for task in tasks {
        assert!(ask(&supervisor, Cancel(task.id)).await);
        task.outcome.await.expect("an outcome").expect("it stops when asked");
        laps.lap();
    }
    laps.stop()
}

async fn slots(room: &Room, job: &Job) -> Sample {
    let slots = room.start(Slots::default());
    let keys = keys(job.options.slots);
    let submit =
        |key| Submit { key: Arc::clone(key), work: Box::new(|| Box::pin(async { Ok(()) })) };
    let submits: Vec<_> = keys.iter().cycle().take(job.n).map(submit).collect();
    let mut outcomes = Vec::with_capacity(job.n);

    let stopwatch = Stopwatch::start();
    match job.options.drive {
        Drive::OneByOne => {
            for submit in submits {
                outcomes.push(ask(&slots, submit).await);
            }
        }
        Drive::Pipelined => {
            let answers = stream::iter(submits).map(|submit| ask(&slots, submit));
            let mut answers = answers.buffered(UNDER_WAY);
            while let Some(outcome) = answers.next().await {
                outcomes.push(outcome);
            }
        }
    }
    for outcome in outcomes {
        outcome.await.expect("an outcome").expect("a success");
    }
    stopwatch.stop(job.n)
}

async fn memory(room: &Room, job: &Job) -> Sample {
    let supervisor = room.supervisor();
    let here = Arrivals::of(job.n);
    let mut tasks = Vec::with_capacity(job.n);
    settled().await;

    let before = Scales::read();
    for number in 0..job.n {
        let add = Add { name: name(number), body: waiting(Some(&here)) };
        tasks.push(ask(&supervisor, add).await.expect("a free name"));
    }
    here.all().await;
    settled().await;
    let sample = before.growth(job.n);
    ask(&supervisor, Shutdown).await;
    sample
}

async fn shutdown(room: &Room, job: &Job) -> Sample {
    let supervisor = room.supervisor();
    let tasks = hold(&supervisor, job.n).await;

    let stopwatch = Stopwatch::start();
    ask(&supervisor, Shutdown).await;
    let sample = stopwatch.stop(job.n);
    drop(tasks);
    sample
}

async fn ask<A, M>(actor: &Addr<A>, message: M) -> M::Result
where
    A: Actor<Context = Context<A>> + Handler<M>,
    M: Message<Result: Send> + Send + 'static,
{
    actor.send(message).await.expect("the actor is there")
}

async fn hold(supervisor: &Addr<Supervisor>, n: usize) -> Vec<Handle> {
    let here = Arrivals::of(n);
    let mut tasks = Vec::with_capacity(n);
    for name in names(n) {
        let add = Add { name, body: waiting(Some(&here)) };
        tasks.push(ask(supervisor, add).await.expect("a free name"));
    }
    here.all().await;
    tasks
}

fn waiting(here: Option<&Arc<Arrivals>>) -> Body {
    let here = here.map(Arc::clone);
    Box::new(move |cancel: CancellationToken| {
        let here = here.clone();
        Box::pin(async move {
            if let Some(here) = here {
                here.arrive();
            }
            cancel.cancelled().await;
            Ok(())
        })
    })
}

/// Tasks that wait at the gate, then fail so many times, then succeed; answers when all are at the gate.
async fn add_failing(
    supervisor: &Addr<Supervisor>,
    gate: &Arc<Gate>,
    n: usize,
    failures: usize,
) -> Vec<Handle> {
    let mut tasks = Vec::with_capacity(n);
    for name in names(n) {
        let (gate, mut attempts) = (Arc::clone(gate), 0);
        let body: Body = Box::new(move |_| {
            attempts += 1;
            let (number, gate) = (attempts, (attempts == 1).then(|| Arc::clone(&gate)));
            Box::pin(async move {
                if let Some(gate) = gate {
                    gate.pass().await;
                }
                if number > failures { Ok(()) } else { Err("again".into()) }
            })
        });
        tasks.push(ask(supervisor, Add { name, body }).await.expect("a free name"));
    }
    gate.all_here().await;
    tasks
}

/// A broker with listeners on the caller's arbiter, each of which says when it has seen so many events.
fn broker(listeners: usize, due: usize, satisfied: &Arc<Arrivals>, config: Config) -> Broker {
    let listeners = (0..listeners).map(|_| Listener::new(due, satisfied).start()).collect();
    Broker::to(listeners, config == Config::Fastest)
}
