use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use actix_rt::System;
use tokio::runtime::{Builder, Runtime};

use crate::{contain::contained, error::StartError};

/// How long ending the threads may take once everything on them was told to stop.
pub(crate) const END_WITHIN: Duration = Duration::from_millis(250);
const LOOK_AGAIN: Duration = Duration::from_micros(200);

/// A runtime that waits for its thread, so that an error of building it is a value.
pub(crate) struct Prepared {
    name: String,
    runtime: OwnRuntime,
}

/// A runtime that may be dropped anywhere, also inside another one, and waits for nothing.
struct OwnRuntime(Option<Arc<Runtime>>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take().and_then(Arc::into_inner) {
            runtime.shutdown_background();
        }
    }
}

/// A thread of ours with a `System` of its own.
pub(crate) struct SystemThread {
    name: String,
    handle: JoinHandle<()>,
}

impl Prepared {
    pub(crate) fn new(name: String) -> Result<Self, StartError> {
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
        Ok(Self { name, runtime: OwnRuntime(Some(Arc::new(runtime))) })
    }

    /// Starts the thread: `begin` runs inside its `System`, which then lives until it is stopped;
    /// `after` runs on the bare thread, when every task on it has been dropped.
    ///
    /// A closure that still runs in the runtime's blocking pool holds nobody up.
    pub(crate) fn spawn(
        self,
        begin: impl FnOnce() + Send + 'static,
        after: impl FnOnce() + Send + 'static,
    ) -> Result<SystemThread, StartError> {
        let Self { name, runtime } = self;
        let body = move || {
            // Dropping what is left on the thread may run user code.
            let ran = contained(|| run_system(&runtime, begin));
            if let Err(text) = ran {
                log::error!("a thread of the supervisor panicked: {text}");
            }
            drop(runtime);
            after();
        };
        let handle =
            thread::Builder::new().name(name.clone()).spawn(body).map_err(StartError::Thread)?;
        Ok(SystemThread { name, handle })
    }
}

fn run_system(runtime: &OwnRuntime, begin: impl FnOnce()) {
    let Some(runtime) = &runtime.0 else { return };
    let system = System::with_tokio_rt(|| Arc::clone(runtime));
    system.block_on(async { begin() });
    if let Err(error) = system.run() {
        log::debug!("a thread of the supervisor ended: {error}");
    }
}

impl SystemThread {
    /// Waits for the thread, which was told to end. It is at its last instructions, or will not come.
    pub(crate) fn join_until(self, deadline: Instant) -> Result<(), String> {
        while !self.handle.is_finished() {
            if Instant::now() >= deadline {
                return Err(self.name);
            }
            thread::sleep(LOOK_AGAIN);
        }
        // The body contains every panic: there is nothing to learn from the result.
        let _ = self.handle.join();
        Ok(())
    }
}

/// Waits for all of `threads` until one deadline; answers the names of those that did not end.
pub(crate) fn join_all(threads: Vec<SystemThread>) -> Vec<String> {
    let deadline = Instant::now() + END_WITHIN;
    threads.into_iter().filter_map(|thread| thread.join_until(deadline).err()).collect()
}
