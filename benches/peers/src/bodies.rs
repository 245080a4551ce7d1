//! What all subjects share: a runtime, names, and places where bodies say that they are there or wait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::{Notify, Semaphore},
};

/// For subjects on bare Tokio. 1: everything on the caller's thread. 2: what is spawned goes to one worker; the caller
/// is in `block_on`.
pub(crate) fn runtime(threads: usize) -> Runtime {
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if threads > 1 {
        builder.worker_threads(threads - 1);
    }
    builder.enable_all().build().expect("threads can be had")
}

/// A name of 12 bytes.
pub(crate) fn name(number: usize) -> String {
    format!("task-{number:07}")
}

/// So many names of 12 bytes.
pub(crate) fn names(n: usize) -> Vec<String> {
    names_from(0, n)
}

/// The same, beginning at another number: no name twice.
pub(crate) fn names_from(first: usize, n: usize) -> Vec<String> {
    (first..first + n).map(name).collect()
}

/// So many keys of 12 bytes.
pub(crate) fn keys(n: usize) -> Vec<Arc<str>> {
    (0..n).map(|number| format!("tenant-{number:05}").into()).collect()
}

/// Counts up to a number, from any thread, and wakes the one who waits for it.
///
/// It costs the body one atomic addition; used where a subject says nothing itself.
pub(crate) struct Arrivals {
    missing: AtomicUsize,
    all: Notify,
}

impl Arrivals {
    pub(crate) fn of(n: usize) -> Arc<Self> {
        let arrivals = Self { missing: AtomicUsize::new(n), all: Notify::new() };
        if n == 0 {
            arrivals.all.notify_one();
        }
        Arc::new(arrivals)
    }

    pub(crate) fn arrive(&self) {
        self.arrive_times(1);
    }

    /// For those who count many at once. More than are missing is an error of the case.
    pub(crate) fn arrive_times(&self, times: usize) {
        let missing = self.missing.fetch_sub(times, Ordering::AcqRel);
        assert!(missing >= times, "more arrive than are expected");
        if missing == times {
            self.all.notify_one();
        }
    }

    /// Returns once, when all are there.
    pub(crate) async fn all(&self) {
        self.all.notified().await;
    }
}

/// Where tasks wait until all of them are let go.
pub(crate) struct Gate {
    arrivals: Arc<Arrivals>,
    open: Semaphore,
}

impl Gate {
    pub(crate) fn for_tasks(n: usize) -> Arc<Self> {
        Arc::new(Self { arrivals: Arrivals::of(n), open: Semaphore::new(0) })
    }

    /// A task says that it is here and waits.
    pub(crate) async fn pass(&self) {
        self.arrivals.arrive();
        drop(self.open.acquire().await.expect("never closed"));
    }

    pub(crate) async fn all_here(&self) {
        self.arrivals.all().await;
    }

    pub(crate) fn open(&self) {
        self.open.add_permits(Semaphore::MAX_PERMITS);
    }
}

/// Waits until what a subject does after the last answer (drops, bookkeeping) is done, before memory is read.
pub(crate) async fn settled() {
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}
