//! Subscribers that are plain values: the actor around each, and where it lives.

use std::sync::{Arc, Mutex, PoisonError};

use actix::prelude::*;

use super::{account::Account, delivery::LifecycleBatch, spec::Subscribe};
use crate::{
    broker::SubscriberFailed,
    contain::{Contained, contained},
    error::{StartError, SubscribeError},
    supervisor::{Prepared, SystemThread},
    worker::{Place, StopWorker, Worker},
};

/// A value that panics so many times in a row is dropped.
const PANICS_IN_A_ROW: u32 = 3;

/// Calls the value, one event at a time, each call contained.
pub(super) struct Host<S: Subscribe> {
    subscriber: Contained<S>,
    panics_in_a_row: u32,
}

impl<S: Subscribe> Host<S> {
    pub(super) fn new(subscriber: S) -> Self {
        Self { subscriber: Contained::new(subscriber), panics_in_a_row: 0 }
    }

    /// One call; `false`: it was one panic too many.
    fn call(&mut self, account: &Arc<Account>, call: impl FnOnce(&mut S)) -> bool {
        let Some(subscriber) = self.subscriber.get_mut() else {
            return false;
        };
        let Err(text) = contained(|| call(subscriber)) else {
            self.panics_in_a_row = 0;
            return true;
        };
        self.panics_in_a_row += 1;
        let is_final = self.panics_in_a_row >= PANICS_IN_A_ROW;
        let subscription = account.id;
        account.board.broker.do_send(SubscriberFailed { subscription, text, is_final });
        !is_final
    }

    fn call_all(&mut self, msg: &LifecycleBatch) -> bool {
        let account = msg.account();
        if msg.lost() > 0 && !self.call(account, |subscriber| subscriber.on_lost(msg.lost())) {
            return false;
        }
        if let Some(statuses) = msg.snapshot()
            && !self.call(account, |subscriber| subscriber.on_snapshot(statuses))
        {
            return false;
        }
        let mut events = msg.events();
        events.all(|event| self.call(account, |subscriber| subscriber.on_event(event)))
    }
}

impl<S: Subscribe> Actor for Host<S> {
    type Context = Context<Self>;
}

// The value is only ever reached through `&mut self`; the actor's future is not pinned structurally.
impl<S: Subscribe> Unpin for Host<S> {}

impl<S: Subscribe> Handler<LifecycleBatch> for Host<S> {
    type Result = ();

    fn handle(&mut self, msg: LifecycleBatch, ctx: &mut Self::Context) {
        if !self.call_all(&msg) || msg.ended() {
            ctx.stop();
        }
    }
}

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
