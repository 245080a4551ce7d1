//! task-supervisor 0.5: one Tokio task that holds a table by name; a run of a task is a Tokio task.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::stream::{self, StreamExt};
use task_supervisor::{
    CancellationToken, SupervisedTask, SupervisorBuilder, SupervisorHandle, TaskResult,
};

use super::Subject;
use crate::{
    bodies::{Arrivals, Gate, name, names, names_from, runtime, settled},
    job::{Answer, Case, Config, Drive, Job, Sample, UNDER_WAY, Unsupported},
    measure::{Laps, Scales, Stopwatch},
};

pub(crate) struct TaskSupervisor;

impl Subject for TaskSupervisor {
    fn name(&self) -> &'static str {
        "task-supervisor"
    }

    fn left_out(&self, case: Case) -> String {
        let special = match case {
            Case::Oneshot => {
                "no outcome and nothing that tells of an end: the clock stops when the last body has run"
            }
            Case::Restart => {
                "no outcome: the clock stops in the last body; a restart waits for its timer, of 1 ms"
            }
            Case::Cancel => "no outcome: the answer is that the task is dead",
            Case::Shutdown => "no report: which task ended how is not told",
            _ => "no outcome",
        };
        format!(
            "{special}; no events; a name is never free again, and ended tasks stay in the table"
        )
    }

    fn options(&self, job: &Job) -> String {
        match job.case {
            Case::Restart => "unlimited restarts, no delay, no jitter",
            _ => "defaults",
        }
        .into()
    }

    fn pass(&self, job: &Job) -> Answer {
        if job.config == Config::Fastest {
            return Err(Unsupported::because("no setting is faster than the defaults"));
        }
        runtime(job.options.threads).block_on(async {
            Ok(match job.case {
                Case::Oneshot => oneshot(job).await,
                Case::Restart => restart(job).await,
                Case::Add => add(job).await,
                Case::Cancel => cancel(job).await,
                Case::Memory => memory(job).await,
                Case::Shutdown => shutdown(job).await,
                Case::OneshotEvents | Case::Fanout => {
                    return Err(Unsupported::because(
                        "it tells of tasks through `tracing` only: there is nothing to subscribe to",
                    ));
                }
                Case::Slots => return Err(Unsupported::because("it has no queues by key")),
            })
        })
    }
}

// ---- tasks ----

/// Ends at once.
#[derive(Clone)]
struct Once(Arc<Arrivals>);

impl SupervisedTask for Once {
    async fn run(self, _: CancellationToken) -> TaskResult {
        self.0.arrive();
        Ok(())
    }
}

/// Fails at once, so many times, and then ends. Each run has a clone of this: what it counts is shared.
#[derive(Clone)]
struct Failing {
    attempts: Arc<AtomicUsize>,
    restarts: usize,
    gate: Arc<Gate>,
    ended: Arc<Arrivals>,
}

impl SupervisedTask for Failing {
    async fn run(self, _: CancellationToken) -> TaskResult {
        let before = self.attempts.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            self.gate.pass().await;
        }
        if before < self.restarts {
            return Err("again".into());
        }
        self.ended.arrive();
        Ok(())
    }
}

/// Says that it is here, if anybody asks, and waits for its cancellation.
#[derive(Clone)]
struct Held(Option<Arc<Arrivals>>);

impl SupervisedTask for Held {
    async fn run(self, cancel: CancellationToken) -> TaskResult {
        if let Some(here) = &self.0 {
            here.arrive();
        }
        cancel.cancelled().await;
        Ok(())
    }
}

// ---- cases ----

async fn oneshot(job: &Job) -> Sample {
    let supervisor = SupervisorBuilder::new().spawn();
    let names = names(job.n);
    let ran = Arrivals::of(job.n);

    let stopwatch = Stopwatch::start();
    match job.options.drive {
        Drive::OneByOne => {
            for name in &names {
                supervisor.add_task(name, Once(Arc::clone(&ran))).await.expect("a free name");
            }
        }
        Drive::Pipelined => {
            let adds = stream::iter(&names);
            let adds = adds.map(|name| supervisor.add_task(name, Once(Arc::clone(&ran))));
            let mut added = adds.buffered(UNDER_WAY);
            while let Some(added) = added.next().await {
                added.expect("a free name");
            }
        }
    }
    ran.all().await;
    let sample = stopwatch.stop(job.n);
    supervisor.shutdown().await.expect("a clean shutdown");
    sample
}

async fn restart(job: &Job) -> Sample {
    let supervisor = SupervisorBuilder::new()
        .with_unlimited_restarts()
        .with_base_restart_delay(Duration::ZERO)
        .with_restart_jitter(0.0)
        .spawn();
    let gate = Gate::for_tasks(job.n);
    let ended = Arrivals::of(job.n);
    for name in names(job.n) {
        let task = Failing {
            attempts: Arc::default(),
            restarts: job.options.restarts,
            gate: Arc::clone(&gate),
            ended: Arc::clone(&ended),
        };
        supervisor.add_task(&name, task).await.expect("a free name");
    }
    gate.all_here().await;

    let stopwatch = Stopwatch::start();
    gate.open();
    ended.all().await;
    let sample = stopwatch.stop(job.n * job.options.restarts);
    supervisor.shutdown().await.expect("a clean shutdown");
    sample
}

async fn add(job: &Job) -> Sample {
    let supervisor = holding(&names(job.options.held)).await;
    let names = names_from(job.options.held, job.n);

    let mut laps = Laps::start(job.n);
    for name in &names {
        supervisor.add_task(name, Held(None)).await.expect("a free name");
        laps.lap();
    }
    let sample = laps.stop();
    supervisor.shutdown().await.expect("a clean shutdown");
    sample
}

async fn cancel(job: &Job) -> Sample {
    let names = names(job.n);
    let supervisor = holding(&names).await;

    let mut laps = Laps::start(job.n);
    for name in &names {
        supervisor.kill_task(name).await.expect("a living task");
        laps.lap();
    }
    let sample = laps.stop();
    supervisor.shutdown().await.expect("a clean shutdown");
    sample
}

async fn memory(job: &Job) -> Sample {
    let supervisor = SupervisorBuilder::new().spawn();
    let here = Arrivals::of(job.n);
    settled().await;

    let before = Scales::read();
    for number in 0..job.n {
        let held = Held(Some(Arc::clone(&here)));
        supervisor.add_task(&name(number), held).await.expect("a free name");
    }
    here.all().await;
    settled().await;
    let sample = before.growth(job.n);
    supervisor.shutdown().await.expect("a clean shutdown");
    sample
}

async fn shutdown(job: &Job) -> Sample {
    let supervisor = holding(&names(job.n)).await;

    let stopwatch = Stopwatch::start();
    supervisor.shutdown().await.expect("a clean shutdown");
    stopwatch.stop(job.n)
}

/// With tasks of these names that wait for their cancellation; answers when all of them do.
async fn holding(names: &[String]) -> SupervisorHandle {
    let supervisor = SupervisorBuilder::new().spawn();
    let here = Arrivals::of(names.len());
    for name in names {
        let held = Held(Some(Arc::clone(&here)));
        supervisor.add_task(name, held).await.expect("a free name");
    }
    here.all().await;
    supervisor
}
