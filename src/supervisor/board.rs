use std::{
    sync::{
        Weak,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use actix::Addr;
use futures::future::BoxFuture;
use tokio::{
    sync::{AcquireError, Semaphore, SemaphorePermit, TryAcquireError},
    time::Instant,
};

use super::{handle::Owner, sending::Sending, shutdown::ShutdownReport};
use crate::{
    broker::{Broker, Publish},
    contain::wakes,
    event::{Draft, EventType, TypeSet},
    id::TaskId,
    registry::{Command, Registry},
    watched::Watched,
};

/// What every part of one supervisor can reach: the addresses, the bound on commands, who is
/// interested in events, what the workers are polling, and the final report.
///
/// It owns no fact of its own: each field names its writer.
pub(crate) struct Board {
    pub(crate) registry: Addr<Registry>,
    pub(crate) broker: Addr<Broker>,
    pub(crate) gate: Gate,
    /// Written by `Broker`, and once by the first routes; read wherever an event would be made.
    pub(crate) interest: Interest,
    /// Written by each worker for itself, read by anybody who asks for a status.
    pub(crate) beats: Beats,
    /// Written once, at the very end of the shutdown.
    pub(crate) report: Watched<Option<ShutdownReport>>,
    pub(crate) subscriber_drain: Duration,
    pub(crate) owner: Weak<Owner>,
    /// Written once, when the first routes are made.
    #[cfg(feature = "web")]
    pub(crate) web: std::sync::OnceLock<crate::web::Post>,
}

impl Board {
    /// Sends what there is to tell to the broker, in this order and as one message: a step has two events at the most.
    pub(crate) fn publish(&self, drafts: [Option<Draft>; 2]) {
        // Dropped once the broker has ended: then nobody listens any more.
        match drafts {
            [Some(first), Some(second)] => self.broker.do_send(Publish { drafts: [first, second] }),
            [Some(only), None] | [None, Some(only)] => {
                self.broker.do_send(Publish { drafts: [only] });
            }
            [None, None] => {}
        }
    }

    /// Whether the supervisor has ended: why a command came back without an answer.
    pub(crate) fn has_ended(&self) -> bool {
        self.gate.permits.is_closed() || !self.registry.connected()
    }

    pub(crate) fn wants(&self, kind: EventType) -> bool {
        self.interest.wants(kind)
    }

    /// Whether anybody wants events of any type.
    pub(crate) fn has_listeners(&self) -> bool {
        self.interest.is_any()
    }

    /// Sends a command to `Registry` and waits for the decision. Once sent it is carried out, whether
    /// or not anybody still waits.
    ///
    /// `Err`: the queue is full and the supervisor fails fast. `Ok(None)`: nobody answered, because
    /// the supervisor has ended, maybe before this was sent, or panicked over it.
    pub(crate) fn command<M: Command>(&self, message: M) -> Sending<'_, M> {
        Sending::new(self, message)
    }
}

/// The bound on commands: from sending to handling.
///
/// Whoever sends a command takes a place for it, and `Registry` gives the place back when it opens the command. By its
/// drop it closes the gate, and so does the end of its thread, if it was never made. So a command that is dropped unopened
/// need not give its place back.
pub(crate) struct Gate {
    permits: Semaphore,
    pub(crate) capacity: usize,
    pub(super) fails_fast: bool,
}

impl Gate {
    pub(crate) fn new(capacity: usize, fails_fast: bool) -> Self {
        Self { permits: Semaphore::new(capacity), capacity, fails_fast }
    }

    /// Takes a place; there is one, as a rule.
    pub(super) fn enter(&self) -> Result<(), TryAcquireError> {
        self.permits.try_acquire().map(SemaphorePermit::forget)
    }

    /// The same, as soon as there is room.
    pub(super) fn wait_for_room(&self) -> BoxFuture<'_, Result<(), AcquireError>> {
        Box::pin(async { self.permits.acquire().await.map(SemaphorePermit::forget) })
    }

    /// Gives a place back, which may wake a caller who waits for room.
    pub(crate) fn leave(&self) {
        wakes(|| self.permits.add_permits(1));
    }

    /// Nobody will open a command any more. Those who wait for room are woken one by one, so that a waker that panics
    /// keeps none of the others waiting; what they send comes back to them.
    pub(crate) fn close(&self) {
        while self.permits.available_permits() == 0 && !self.permits.is_closed() {
            self.leave();
        }
        wakes(|| self.permits.close());
    }
}

/// The types of events that any subscription wants.
///
/// Relaxed is enough: C2 is carried by the cell's lock, which is taken between writing a change and
/// reading this (a worker), and between writing this and reading the cell (`Broker`).
#[derive(Default)]
pub(crate) struct Interest(AtomicU32);

/// Beside the bits of the types: all of them stay wanted.
const LASTING: u32 = 1 << 31;
const _: () = assert!(TypeSet::ALL.bits() & LASTING == 0);

impl Interest {
    /// What the subscriptions want now. Written by `Broker` alone.
    pub(crate) fn set(&self, types: TypeSet) {
        let next = |known| if known & LASTING == 0 { Some(types.bits()) } else { None };
        // Fails where everything is wanted for good: then there is nothing to be written.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// Everything is wanted from now on, for as long as the supervisor lives. Whoever calls this subscribes right after:
    /// an event that is made in between is older than the subscription, and one that is caused later finds it there.
    ///
    /// Without it, what is caused while the subscription waits in the mailbox of `Broker` would not be made at all.
    #[cfg(feature = "web")]
    pub(crate) fn raise_for_good(&self) {
        self.0.fetch_or(TypeSet::ALL.bits() | LASTING, Ordering::Relaxed);
    }

    pub(crate) fn wants(&self, kind: EventType) -> bool {
        TypeSet::from_bits(self.0.load(Ordering::Relaxed)).has(kind)
    }

    fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }
}

/// A worker that polls the same task for longer than this is not responding.
const RESPONDS_WITHIN: Duration = Duration::from_secs(1);

/// Which task each worker is polling, and since when.
pub(crate) struct Beats {
    base: Instant,
    workers: Box<[Beat]>,
}

/// Written by the worker's thread around each poll, read by any thread.
#[derive(Default)]
struct Beat {
    /// The id of the task, or 0.
    polling: AtomicU64,
    /// Milliseconds since `base`.
    since: AtomicU64,
}

impl Beats {
    pub(crate) fn new(workers: usize) -> Self {
        Self { base: Instant::now(), workers: (0..workers).map(|_| Beat::default()).collect() }
    }

    /// `worker` begins to poll a task.
    pub(crate) fn begin(&self, worker: usize, task: TaskId, now: Instant) {
        let beat = &self.workers[worker];
        beat.since.store(self.millis(now), Ordering::Relaxed);
        beat.polling.store(task.get(), Ordering::Release);
    }

    /// `worker` has its thread back.
    pub(crate) fn end(&self, worker: usize) {
        self.workers[worker].polling.store(0, Ordering::Release);
    }

    /// The task that `worker` is polling right now.
    pub(crate) fn polling(&self, worker: usize) -> Option<TaskId> {
        TaskId::from_number(self.workers[worker].polling.load(Ordering::Acquire))
    }

    pub(crate) fn is_responding(&self, worker: usize) -> bool {
        self.polling(worker).is_none() || {
            let since = self.workers[worker].since.load(Ordering::Relaxed);
            let busy = self.millis(Instant::now()).saturating_sub(since);
            Duration::from_millis(busy) <= RESPONDS_WITHIN
        }
    }

    fn millis(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.base);
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }
}
