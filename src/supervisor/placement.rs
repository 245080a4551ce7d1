//! Where a supervisor lives: its rooms are built and connected here, and nowhere else.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use actix::{
    dev::channel::{AddressReceiver, channel},
    prelude::*,
};
use actix_rt::System;

use super::{
    board::{Beats, Board, Gate, Interest},
    builder::SupervisorBuilder,
    handle::Owner,
    shutdown::{ShutdownCause, ShutdownReport},
    threads::{Prepared, SystemThread, join_all},
};
use crate::{
    broker::Broker,
    contain::contained,
    error::StartError,
    fair::OthersFirst,
    registry::{Finale, Registry, RegistrySettings},
    resilient::run_resilient,
    subscriber::{Hosts, OwnHost, OwnHosts},
    watched::Watched,
    worker::{Crew, Place, StopWorker, Worker},
};

/// Where a supervisor and its tasks live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// `Registry` and `Broker` on a thread of their own, each worker on another: the default, with one
    /// worker.
    ///
    /// Works the same under `#[actix_web::main]`, `#[actix::main]`, `#[tokio::main]` and in a plain
    /// `main`. A task that blocks its thread stops neither the caller nor the supervisor, and the
    /// supervisor outlives an actix `System` that was stopped.
    Dedicated {
        /// How many threads the tasks are spread over, round-robin; at least 1.
        workers: usize,
    },
    /// Everything on the arbiter of the caller of `start`: smallest and quickest, and driven by a
    /// paused Tokio clock in tests.
    ///
    /// It promises outcomes and order, not deadlines: a body that blocks the thread delays everything
    /// on it. Dropping the runtime ends every task as [`Lost`](crate::TaskOutcome::Lost).
    Current,
}

impl Default for Placement {
    fn default() -> Self {
        Self::Dedicated { workers: 1 }
    }
}

/// The mailboxes of the actors that are still to be started.
struct Mailboxes {
    registry: AddressReceiver<Registry>,
    broker: AddressReceiver<Broker>,
    workers: Vec<(Addr<Worker>, AddressReceiver<Worker>)>,
}

pub(super) fn start(settings: &SupervisorBuilder) -> Result<Arc<Owner>, StartError> {
    match settings.placement {
        Placement::Dedicated { workers } => start_dedicated(settings, workers),
        Placement::Current => start_current(settings),
    }
}

fn connect(settings: &SupervisorBuilder, workers: usize) -> (Arc<Owner>, Mailboxes) {
    let (registry, registry_mailbox) = channel(0);
    let (broker, broker_mailbox) = channel(0);
    let owner = Arc::new_cyclic(|owner| {
        Owner::new(Arc::new(Board {
            registry: Addr::new(registry),
            broker: Addr::new(broker),
            gate: Gate::new(settings.command_capacity, settings.fails_fast),
            interest: Interest::default(),
            beats: Beats::new(workers),
            report: Watched::default(),
            subscriber_drain: settings.subscriber_drain,
            owner: owner.clone(),
            #[cfg(feature = "web")]
            web: std::sync::OnceLock::new(),
        }))
    });
    let workers = (0..workers).map(|_| Worker::channel()).collect();
    (owner, Mailboxes { registry: registry_mailbox, broker: broker_mailbox, workers })
}

/// What the two central actors need, ready to be sent to their thread.
struct Centre {
    board: Arc<Board>,
    settings: RegistrySettings,
    workers: Vec<Addr<Worker>>,
    hosts: Hosts,
    registry: AddressReceiver<Registry>,
    broker: AddressReceiver<Broker>,
}

impl Centre {
    fn new(
        settings: &SupervisorBuilder,
        board: &Arc<Board>,
        workers: &[Addr<Worker>],
        own: Option<OwnHosts>,
        mailboxes: (AddressReceiver<Registry>, AddressReceiver<Broker>),
    ) -> Self {
        Self {
            board: Arc::clone(board),
            settings: RegistrySettings {
                rules: settings.rules(),
                max_tasks: settings.max_tasks,
                max_concurrent: settings.max_concurrent,
                outcome_history: settings.outcome_history,
                slot_limits: settings.slot_limits,
                subscriber_drain: settings.subscriber_drain,
            },
            workers: workers.to_vec(),
            hosts: Hosts { workers: workers.to_vec(), next: 0, own },
            registry: mailboxes.0,
            broker: mailboxes.1,
        }
    }

    /// Starts `Registry` and `Broker` on this thread.
    fn launch(self, finale: Finale) {
        let crew = Crew::new(self.workers, self.hosts.own.is_none());
        let registry = Registry::new(Arc::clone(&self.board), self.settings, crew, finale);
        let others = OthersFirst::default();
        let broker = Broker::new(self.board, self.hosts, others.clone());
        let registry = Context::with_receiver(self.registry).into_future(registry);
        let broker = Context::with_receiver(self.broker).into_future(broker);
        // Not awaited: both end by the finale, and their drops tell of any other end.
        drop(actix_rt::spawn(run_resilient(registry)));
        drop(actix_rt::spawn(others.held(run_resilient(broker))));
    }
}

// ---- on the caller's arbiter ----

fn start_current(settings: &SupervisorBuilder) -> Result<Arc<Owner>, StartError> {
    if System::try_current().is_none() || tokio::runtime::Handle::try_current().is_err() {
        return Err(StartError::NoSystem);
    }
    let (owner, mailboxes) = connect(settings, 1);
    let board = Arc::clone(owner.board());
    let Mailboxes { registry, broker, workers } = mailboxes;
    let addrs: Vec<_> = workers.iter().map(|(addr, _)| addr.clone()).collect();
    let centre = Centre::new(settings, &board, &addrs, None, (registry, broker));
    let finale: Finale = {
        let board = Arc::clone(&board);
        Box::new(move |report| publish(&board, report))
    };
    // A thread may have a `System` and a runtime and still be outside of both, where spawning panics.
    contained(|| {
        centre.launch(finale);
        for (_, mailbox) in workers {
            Worker::launch(mailbox, Place::CallersArbiter);
        }
    })
    .map_err(|_| StartError::NoSystem)?;
    Ok(owner)
}

fn publish(board: &Board, report: ShutdownReport) {
    board.report.lock().get_or_insert(report);
    board.report.wake();
}

// ---- on threads of its own ----

/// Threads whose handles the supervisor's thread takes out at the very end; added to by the caller of
/// `start` (workers) and by `Broker` (the threads for subscribers).
type Threads = Arc<Mutex<Vec<SystemThread>>>;

fn start_dedicated(settings: &SupervisorBuilder, count: usize) -> Result<Arc<Owner>, StartError> {
    let name = &settings.name;
    let centre_thread = Prepared::new(format!("{name}-registry"))?;
    let prepared: Result<Vec<_>, _> =
        (0..count).map(|worker| Prepared::new(format!("{name}-worker-{worker}"))).collect();
    let prepared = prepared?;

    let (owner, mailboxes) = connect(settings, count);
    let board = Arc::clone(owner.board());
    let Mailboxes { registry, broker, workers } = mailboxes;
    let addrs: Vec<_> = workers.iter().map(|(addr, _)| addr.clone()).collect();
    let threads = Threads::default();
    for ((_, mailbox), thread) in workers.into_iter().zip(prepared) {
        match thread.spawn(move || Worker::launch(mailbox, Place::OwnThread), || {}) {
            Ok(thread) => lock(&threads).push(thread),
            Err(error) => return Err(abandon(&addrs, &threads, error)),
        }
    }

    let own = OwnHosts {
        subscribers: OwnHost::new(format!("{name}-subscribers"), &threads),
        #[cfg(feature = "web")]
        web: OwnHost::new(format!("{name}-web"), &threads),
    };
    let centre = Centre::new(settings, &board, &addrs, Some(own), (registry, broker));
    let slot = Arc::<Mutex<Option<(ShutdownReport, Instant)>>>::default();
    let finale: Finale = {
        let slot = Arc::clone(&slot);
        Box::new(move |report| {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((report, Instant::now()));
            if let Some(system) = System::try_current() {
                system.stop();
            }
        })
    };
    let after = {
        let (addrs, threads) = (addrs.clone(), Arc::clone(&threads));
        move || end_threads(&board, &addrs, &threads, &slot)
    };
    match centre_thread.spawn(move || centre.launch(finale), after) {
        Ok(thread) => owner.hold(thread),
        Err(error) => return Err(abandon(&addrs, &threads, error)),
    }
    Ok(owner)
}

/// Ends the workers that were started before an error.
fn abandon(workers: &[Addr<Worker>], threads: &Threads, error: StartError) -> StartError {
    stop_workers(workers);
    join_all(std::mem::take(&mut *lock(threads)));
    error
}

/// The last act, on the supervisor's thread, when its `System` is gone.
fn end_threads(
    board: &Board,
    workers: &[Addr<Worker>],
    threads: &Threads,
    slot: &Mutex<Option<(ShutdownReport, Instant)>>,
) {
    stop_workers(workers);
    board.gate.close();
    let left_behind = join_all(std::mem::take(&mut *lock(threads)));
    let told = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (mut report, since) =
        told.unwrap_or_else(|| (ShutdownReport::new(ShutdownCause::Panicked), Instant::now()));
    report.left_behind = left_behind;
    report.took += since.elapsed();
    publish(board, report);
}

fn stop_workers(workers: &[Addr<Worker>]) {
    for worker in workers {
        worker.do_send(StopWorker); // may have ended already
    }
}

fn lock(threads: &Threads) -> std::sync::MutexGuard<'_, Vec<SystemThread>> {
    threads.lock().unwrap_or_else(PoisonError::into_inner)
}
