//! The tasks: five that the service always has, and the kinds that clients may add.
//!
//! Owns what each kind does and how often. The supervisor decides when an attempt is made again,
//! after what delay, and when it has to stop.

use std::time::Duration;

use actix_taskvisor::prelude::*;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::jobs::{self, Job};
use crate::upstream::Poller;

/// When the hanging kind is given up.
const HANG_TIMEOUT: Duration = Duration::from_secs(1);
/// A name has to fit into a path.
const MAX_NAME: usize = 64;

/// The description of a task, as `POST /tasks` takes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    pub name: String,
    pub kind: Kind,
    /// From the end of a good run to the next.
    #[serde(default = "default_interval")]
    pub interval_ms: u64,
    /// How likely a run is to go wrong, in its kind's own way.
    #[serde(default)]
    pub failure_rate: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Fetches from the flaky endpoint.
    Poll,
    /// Does a little work; what goes wrong is an error.
    Job,
    /// The same, but what goes wrong is a panic.
    Panic,
    /// The same, but what goes wrong never ends; it has a timeout.
    Hang,
    /// Does not listen when it is asked to stop.
    Stubborn,
}

/// Whether this can stand in a path, as it is.
pub fn check_name(what: &str, name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name.is_empty() {
        return Err(format!("{what} is empty: use letters, digits, `-` and `_`"));
    }
    if name.len() > MAX_NAME || !name.chars().all(is_plain) {
        return Err(format!("{what} has to be at most {MAX_NAME} letters, digits, `-` and `_`"));
    }
    Ok(())
}

/// What every task here inherits unless it says otherwise.
pub fn defaults() -> Result<TaskDefaults, BackoffError> {
    let backoff =
        BackoffPolicy::exponential(Duration::from_millis(200), 2.0, Duration::from_secs(10))?;
    Ok(TaskDefaults::new().backoff(backoff.jitter(Jitter::Equal)))
}

/// The tasks that the service starts with.
pub fn resident(upstream: &str, queue: mpsc::Receiver<Job>) -> Vec<TaskSpec> {
    let every = |name: &str, kind, interval_ms, failure_rate| NewTask {
        name: name.into(),
        kind,
        interval_ms,
        failure_rate,
    };
    [
        every("poll-upstream", Kind::Poll, 2_000, 0.3),
        every("tidy-up", Kind::Job, 5_000, 0.0),
        every("parse-feed", Kind::Panic, 3_000, 0.2),
        every("sync-mirror", Kind::Hang, 4_000, 0.25),
    ]
    .into_iter()
    .map(|task| task.into_spec(upstream))
    // Without it, nobody works off what clients hand in.
    .chain([jobs::consumer(queue).required(true)])
    .collect()
}

impl NewTask {
    /// Says what to write instead, if the description is no use.
    pub fn check(&self) -> Result<(), String> {
        check_name("`name`", &self.name)?;
        if self.name.chars().all(|c| c.is_ascii_digit()) {
            return Err("`name` is a number, as an id is: put a letter into it".into());
        }
        if !(0.0..=1.0).contains(&self.failure_rate) {
            return Err(format!(
                "`failure_rate` is {}, but has to be between 0 and 1",
                self.failure_rate
            ));
        }
        Ok(())
    }

    /// The task to give to the supervisor.
    pub fn into_spec(self, upstream: &str) -> TaskSpec {
        let Self { name, kind, failure_rate: rate, .. } = self;
        let interval = Duration::from_millis(self.interval_ms);
        match kind {
            Kind::Poll => {
                let upstream = upstream.to_owned();
                TaskSpec::from_factory(name, move || Poller::new(&upstream, rate))
                    .restart(RestartPolicy::Always { interval })
            }
            Kind::Job => TaskSpec::periodic(name, interval, async move |ctx| do_job(ctx, rate)),
            Kind::Panic => TaskSpec::periodic(name, interval, async move |_| {
                assert!(!goes_wrong(rate), "this worker panics now and then");
                Ok(())
            }),
            Kind::Hang => TaskSpec::periodic(name, interval, async move |ctx: TaskContext| {
                if goes_wrong(rate) {
                    ctx.cancelled().await;
                }
                Ok(())
            })
            .timeout(HANG_TIMEOUT),
            Kind::Stubborn => TaskSpec::new(name, async move |_| {
                loop {
                    sleep(interval.max(Duration::from_millis(10))).await;
                }
            }),
        }
    }
}

fn do_job(ctx: TaskContext, rate: f64) -> TaskResult {
    if goes_wrong(rate) {
        return Err(TaskError::failed("this job fails now and then").with_exit_code(1));
    }
    log::debug!("{}: run {} is done", ctx.name(), ctx.attempt());
    Ok(())
}

fn goes_wrong(rate: f64) -> bool {
    fastrand::f64() < rate
}

fn default_interval() -> u64 {
    1_000
}
