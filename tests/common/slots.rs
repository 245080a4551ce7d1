//! What the tests of slots share: tasks, a diary of their runs, and short forms of what is asked.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_taskvisor::prelude::*;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use crate::common::*;

/// A task that runs until the sender is dropped or used, whoever asks it to stop.
pub fn held(name: &str) -> (TaskSpec, oneshot::Sender<()>) {
    let (release, released) = oneshot::channel();
    let mut released = Some(released);
    let spec = TaskSpec::once(name, async move |_ctx: TaskContext| {
        if let Some(released) = released.take() {
            let _ = released.await;
        }
        Ok(())
    });
    (spec, release)
}

pub fn quick(name: &str) -> TaskSpec {
    TaskSpec::once(name, async |_ctx| Ok(()))
}

/// Runs until it is asked to stop.
pub fn idle(name: &str) -> TaskSpec {
    TaskSpec::new(name, async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    })
}

/// Never ends by itself and never looks whether it should.
pub fn deaf(name: &str) -> TaskSpec {
    TaskSpec::new(name, async |_ctx| std::future::pending().await)
}

/// A task whose value is counted when it is made.
pub fn counted(name: &str, made: &Counter) -> TaskSpec {
    struct Quick;
    impl Task for Quick {
        async fn run(&mut self, _: TaskContext) -> TaskResult {
            Ok(())
        }
    }
    let made = made.clone();
    TaskSpec::from_factory(name, move || {
        made.add();
        Quick
    })
}

/// Which task ran from when to when.
#[derive(Clone)]
pub struct Diary {
    since: Instant,
    runs: Arc<Mutex<Vec<Run>>>,
}

struct Run {
    name: String,
    from: Duration,
    to: Option<Duration>,
}

impl Diary {
    pub fn new() -> Self {
        Self { since: Instant::now(), runs: Arc::default() }
    }

    /// A task that runs for `time` and writes that down.
    pub fn lasting(&self, name: &str, time: Duration) -> TaskSpec {
        let diary = self.clone();
        TaskSpec::once(name, async move |ctx: TaskContext| {
            let index = diary.begin(ctx.name());
            sleep(time).await;
            diary.runs.lock().unwrap()[index].to = Some(diary.since.elapsed());
            Ok(())
        })
    }

    fn begin(&self, name: &str) -> usize {
        let run = Run { name: name.to_owned(), from: self.since.elapsed(), to: None };
        let mut runs = self.runs.lock().unwrap();
        runs.push(run);
        runs.len() - 1
    }

    /// Those who ran, in the order of their starts.
    pub fn names(&self) -> Vec<String> {
        self.runs.lock().unwrap().iter().map(|run| run.name.clone()).collect()
    }

    /// When this one started, which it did once.
    pub fn start_of(&self, name: &str) -> Duration {
        let runs = self.runs.lock().unwrap();
        let starts: Vec<_> = runs.iter().filter(|run| run.name == name).collect();
        assert_eq!(starts.len(), 1, "{name} ran once");
        starts[0].from
    }

    /// The largest number of runs at one time.
    pub fn most_at_once(&self) -> usize {
        let runs = self.runs.lock().unwrap();
        let is_on = |run: &Run, at| run.from <= at && run.to.is_none_or(|to| at < to);
        let at = |moment| runs.iter().filter(|run| is_on(run, moment)).count();
        runs.iter().map(|run| at(run.from)).max().unwrap_or_default()
    }
}

/// A moment on the paused clock, whose timers round up to whole milliseconds.
#[track_caller]
pub fn assert_about(moment: Duration, expected: Duration) {
    assert!((expected..expected + ms(20)).contains(&moment), "{moment:?}, not {expected:?}");
}

/// For the slot `k`.
pub fn for_k(spec: TaskSpec, policy: WhenBusy) -> Submission {
    Submission::new(spec).slot("k").when_busy(policy)
}

pub async fn submit(
    supervisor: &SupervisorHandle,
    wanted: impl Into<Submission>,
) -> SubmissionHandle {
    within("the decision", supervisor.submit(wanted)).await.expect("taken in")
}

pub async fn refused(
    supervisor: &SupervisorHandle,
    unwanted: impl Into<Submission>,
) -> SubmitError {
    within("the decision", supervisor.submit(unwanted)).await.expect_err("refused")
}

pub async fn status(supervisor: &SupervisorHandle, task: impl Into<TaskTarget>) -> TaskStatus {
    supervisor.status(task).await.expect("it is alive").expect("it is known")
}

pub async fn k(supervisor: &SupervisorHandle) -> SlotStatus {
    supervisor.slot("k").await.expect("it is alive").expect("it is in use")
}

pub fn superseded(outcome: &TaskOutcome, by: &SubmissionHandle) -> bool {
    let by = by.id();
    matches!(outcome, TaskOutcome::Rejected { kind } if *kind == RejectionKind::Superseded { by })
}
