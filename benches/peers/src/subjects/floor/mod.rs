//! The floor: bare Tokio, by hand. A spawned task with a retry loop, a oneshot for its outcome, a map of names.

mod supervisor;

use std::sync::Arc;

use tokio::{sync::broadcast, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use self::supervisor::{Handle, Slots, Supervisor};
use super::{
    Subject,
    by_hand::{BodyResult, EVENTS_OF_A_RESTART, EVENTS_OF_A_TASK, Event, FAILING},
};
use crate::{
    bodies::{Arrivals, Gate, keys, name, names, names_from, runtime, settled},
    job::{Answer, Case, Config, Job, Sample, Unsupported},
    measure::{Laps, Scales, Stopwatch},
};

pub(crate) struct Floor;

impl Subject for Floor {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn left_out(&self, case: Case) -> String {
        let always = "no status, no id, no bound on commands, no grace, no panic caught";
        match case {
            Case::OneshotEvents => format!("{always}; two events for each task"),
            Case::Slots => format!("{always}, no name, no cancel; one policy"),
            _ => always.to_owned(),
        }
    }

    fn options(&self, job: &Job) -> String {
        match job.case {
            Case::OneshotEvents | Case::Fanout => {
                "a tokio::sync::broadcast with room for all events, a task for each receiver"
                    .to_owned()
            }
            Case::Restart => "tries again in a loop, at once and without giving way".to_owned(),
            _ => String::new(),
        }
    }

    fn pass(&self, job: &Job) -> Answer {
        if job.config == Config::Fastest {
            return Err(Unsupported::because("there is nothing to set"));
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

async fn oneshot(job: &Job, subscribers: usize) -> Sample {
    let due = job.n * EVENTS_OF_A_TASK;
    let events = (subscribers > 0).then(|| broadcast::channel(due).0);
    let listeners = listen(events.as_ref(), subscribers, due);
    let supervisor = Supervisor::new(events);
    let names = names(job.n);
    let mut outcomes = Vec::with_capacity(job.n);

    let stopwatch = Stopwatch::start();
    for name in names {
        let task = supervisor.add(name, |_| async { Ok(()) }).expect("a free name");
        outcomes.push(task.outcome);
    }
    for outcome in outcomes {
        outcome.await.expect("an outcome").expect("a success");
    }
    let lost = lost_by(listeners).await;
    Sample { lost, ..stopwatch.stop(job.n) }
}

async fn restart(job: &Job) -> Sample {
    let supervisor = Supervisor::new(None);
    let gate = Gate::for_tasks(job.n);
    let tasks = add_failing(&supervisor, &gate, job.n, job.options.restarts);
    gate.all_here().await;

    let stopwatch = Stopwatch::start();
    gate.open();
    for task in tasks {
        task.outcome.await.expect("an outcome").expect("a success");
    }
    stopwatch.stop(job.n * job.options.restarts)
}

/// As in the other subjects, some tasks fail at once and start again: first with nobody listening.
async fn fanout(job: &Job) -> Sample {
    let failures = (job.n / (FAILING * EVENTS_OF_A_RESTART)).max(1);
    // Once more for each task: it ends, and tells of that too.
    let events = FAILING * (EVENTS_OF_A_RESTART * failures + 1);
    let deliveries = events * job.options.subscribers;
    let run = async |channel: Option<broadcast::Sender<_>>| {
        let supervisor = Supervisor::new(channel.clone());
        let gate = Gate::for_tasks(FAILING);
        let tasks = add_failing(&supervisor, &gate, FAILING, failures);
        gate.all_here().await;
        // The first starts are told before anybody listens.
        let listeners = listen(channel.as_ref(), job.options.subscribers, events);

        let stopwatch = Stopwatch::start();
        gate.open();
        for task in tasks {
            task.outcome.await.expect("an outcome").expect("a success");
        }
        let lost = lost_by(listeners).await;
        Sample { lost, ..stopwatch.stop(deliveries) }
    };
    let cause = run(None).await;
    run(Some(broadcast::channel(events).0)).await.without_cause(&cause)
}

async fn add(job: &Job) -> Sample {
    let supervisor = Supervisor::new(None);
    let held = hold(&supervisor, job.options.held).await;
    let names = names_from(job.options.held, job.n);
    let mut tasks = Vec::with_capacity(job.n);

    let mut laps = Laps::start(job.n);
    for name in names {
        tasks.push(supervisor.add(name, wait).expect("a free name"));
        laps.lap();
    }
    let sample = laps.stop();
    supervisor.shutdown().await;
    drop((held, tasks));
    sample
}

async fn cancel(job: &Job) -> Sample {
    let supervisor = Supervisor::new(None);
    let tasks = hold(&supervisor, job.n).await;

    let mut laps = Laps::start(job.n);
    for task in tasks {
        task.cancel.cancel();
        task.outcome.await.expect("an outcome").expect("it stops when asked");
        laps.lap();
    }
    laps.stop()
}

async fn slots(job: &Job) -> Sample {
    let slots = Arc::new(Slots::default());
    let keys = keys(job.options.slots);
    let jobs: Vec<_> = keys.iter().cycle().take(job.n).collect();
    let mut outcomes = Vec::with_capacity(job.n);

    let stopwatch = Stopwatch::start();
    for key in jobs {
        outcomes.push(slots.submit(key, Box::pin(async { Ok(()) })));
    }
    for outcome in outcomes {
        outcome.await.expect("an outcome").expect("a success");
    }
    stopwatch.stop(job.n)
}

async fn memory(job: &Job) -> Sample {
    let supervisor = Supervisor::new(None);
    let here = Arrivals::of(job.n);
    let mut tasks = Vec::with_capacity(job.n);
    settled().await;

    let before = Scales::read();
    for number in 0..job.n {
        tasks.push(supervisor.add(name(number), arrive_and_wait(&here)).expect("a free name"));
    }
    here.all().await;
    settled().await;
    let sample = before.growth(job.n);
    supervisor.shutdown().await;
    sample
}

async fn shutdown(job: &Job) -> Sample {
    let supervisor = Supervisor::new(None);
    let tasks = hold(&supervisor, job.n).await;

    let stopwatch = Stopwatch::start();
    supervisor.shutdown().await;
    let sample = stopwatch.stop(job.n);
    drop(tasks);
    sample
}

async fn hold(supervisor: &Arc<Supervisor>, n: usize) -> Vec<Handle> {
    let here = Arrivals::of(n);
    let add = |name| supervisor.add(name, arrive_and_wait(&here)).expect("a free name");
    let tasks = names(n).into_iter().map(add).collect();
    here.all().await;
    tasks
}

async fn wait(cancel: CancellationToken) -> BodyResult {
    cancel.cancelled().await;
    Ok(())
}

fn arrive_and_wait(
    here: &Arc<Arrivals>,
) -> impl FnMut(CancellationToken) -> futures::future::BoxFuture<'static, BodyResult> + use<> {
    let here = Arc::clone(here);
    move |cancel| {
        let here = Arc::clone(&here);
        Box::pin(async move {
            here.arrive();
            wait(cancel).await
        })
    }
}

/// Tasks that wait at the gate, then fail so many times, then succeed.
fn add_failing(
    supervisor: &Arc<Supervisor>,
    gate: &Arc<Gate>,
    n: usize,
    failures: usize,
) -> Vec<Handle> {
    let add = |name| {
        let (gate, mut attempts) = (Arc::clone(gate), 0);
        let body = move |_| {
            attempts += 1;
            let (number, gate) = (attempts, (attempts == 1).then(|| Arc::clone(&gate)));
            async move {
                if let Some(gate) = gate {
                    gate.pass().await;
                }
                if number > failures { Ok(()) } else { Err("again".into()) }
            }
        };
        supervisor.add(name, body).expect("a free name")
    };
    names(n).into_iter().map(add).collect()
}

/// Tasks that count so many events each, and answer how many they have lost.
fn listen(
    events: Option<&broadcast::Sender<Arc<Event>>>,
    subscribers: usize,
    due: usize,
) -> Vec<JoinHandle<u64>> {
    let Some(events) = events else { return Vec::new() };
    let listen = |_| {
        let mut receiver = events.subscribe();
        tokio::spawn(async move {
            let (mut seen, mut lost) = (0, 0);
            while seen + lost < due as u64 {
                match receiver.recv().await {
                    Ok(_) => seen += 1,
                    Err(broadcast::error::RecvError::Lagged(missed)) => lost += missed,
                    Err(broadcast::error::RecvError::Closed) => break,
                }
            }
            lost
        })
    };
    (0..subscribers).map(listen).collect()
}

async fn lost_by(listeners: Vec<JoinHandle<u64>>) -> u64 {
    let mut lost = 0;
    for listener in listeners {
        lost += listener.await.expect("no panic");
    }
    lost
}
