//! What the tests share: supervisors in both placements, short durations, waits with a deadline.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use actix_taskvisor::prelude::*;
use tokio::sync::oneshot;

/// No test waits longer than this for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A supervisor on this arbiter, for tests on a paused clock.
pub fn current() -> SupervisorHandle {
    current_with(|builder| builder)
}

pub fn current_with(set: impl FnOnce(SupervisorBuilder) -> SupervisorBuilder) -> SupervisorHandle {
    let builder = TaskSupervisor::builder().placement(Placement::Current).grace(secs(5));
    set(builder).start().expect("a System runs in `actix::test`")
}

/// A supervisor on threads of its own, for tests in real time.
pub fn dedicated() -> SupervisorHandle {
    dedicated_with(|builder| builder)
}

pub fn dedicated_with(
    set: impl FnOnce(SupervisorBuilder) -> SupervisorBuilder,
) -> SupervisorHandle {
    set(TaskSupervisor::builder().grace(secs(5))).start().expect("threads can be started")
}

/// Waits for `future`, but not for ever.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// Looks again and again (real time) until `is_it`; for facts that nobody announces, such as the
/// number of threads.
pub fn eventually(what: &str, mut is_it: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !is_it() {
        assert!(std::time::Instant::now() < deadline, "never seen: {what}");
        std::thread::yield_now();
    }
}

/// A fixed delay between attempts.
pub fn every(delay: Duration) -> BackoffPolicy {
    BackoffPolicy::constant(delay).expect("1 ms or more")
}

/// A body that blocks its thread, in its first poll, whoever asks.
pub struct Blocked {
    pub unblock: mpsc::Sender<()>,
    pub reached: oneshot::Receiver<()>,
}

impl Blocked {
    pub fn body(name: &str) -> (TaskSpec, Self) {
        let (unblock, blocked) = mpsc::channel::<()>();
        let (tell, reached) = oneshot::channel();
        let mut inside = Some((tell, blocked));
        let spec = TaskSpec::once(name, async move |_| {
            let (tell, blocked) = inside.take().expect("it runs once");
            tell.send(()).expect("somebody waits");
            let _ = blocked.recv();
            Ok(())
        });
        (spec, Self { unblock, reached })
    }

    pub async fn reached(&mut self) {
        within("the body that blocks", &mut self.reached).await.expect("it got there");
    }
}

/// Stops the `System` of its worker when it is told to.
pub fn stops_its_system(name: &str) -> (TaskSpec, oneshot::Sender<()>) {
    let (go, gone) = oneshot::channel();
    let mut gone = Some(gone);
    let spec = TaskSpec::once(name, async move |_| {
        gone.take().expect("it runs once").await?;
        actix_rt::System::current().stop();
        std::future::pending().await
    });
    (spec, go)
}

/// A number that tasks on other threads may count up.
#[derive(Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    pub fn add(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub fn subtract(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}
