//! Where subscribers that are no actors live.

use std::sync::{Arc, Mutex, PoisonError};

use actix::prelude::*;

use crate::{
    error::{StartError, SubscribeError},
    supervisor::{Prepared, SystemThread},
    worker::{Place, StopWorker, Worker},
};

/// The places to choose from. Owned by `Broker`.
pub(crate) struct Hosts {
    /// The workers of tasks.
    pub(crate) workers: Vec<Addr<Worker>>,
    /// The thread for subscribers, started when the first one needs it.
    pub(crate) own: OwnHost,
}

pub(crate) enum OwnHost {
    /// `Placement::Current`: subscribers share the one worker.
    Shared,
    /// The name of the thread, and where its handle goes: taken out by the supervisor's thread at the
    /// very end, when this actor is gone.
    NotStarted {
        name: String,
        threads: Arc<Mutex<Vec<SystemThread>>>,
    },
    Started(Addr<Worker>),
}

impl Hosts {
    /// A place for one more: on a worker of tasks, or on the thread for subscribers.
    pub(crate) fn choose(&mut self, on_worker: bool) -> Result<&Addr<Worker>, SubscribeError> {
        if !on_worker && !matches!(self.own, OwnHost::Shared) {
            return self.own.started().map_err(SubscribeError::Thread);
        }
        self.workers.iter().find(|worker| worker.connected()).ok_or(SubscribeError::NoWorker)
    }

    /// Ends the thread for subscribers.
    pub(crate) fn stop(&self) {
        if let OwnHost::Started(worker) = &self.own {
            worker.do_send(StopWorker);
        }
    }
}

impl OwnHost {
    fn started(&mut self) -> Result<&Addr<Worker>, StartError> {
        if let Self::NotStarted { name, threads } = self {
            let prepared = Prepared::new(name.clone())?;
            let (addr, mailbox) = Worker::channel();
            let begin = move || Worker::launch(mailbox, Place::OwnThread);
            let thread = prepared.spawn(begin, || {})?;
            threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
            *self = Self::Started(addr);
        }
        match self {
            Self::Started(addr) => Ok(addr),
            Self::Shared | Self::NotStarted { .. } => Err(StartError::NoSystem),
        }
    }
}
