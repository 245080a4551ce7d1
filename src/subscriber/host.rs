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
    pub(super) fn new(subscriber: Contained<S>) -> Self {
        Self { subscriber, panics_in_a_row: 0 }
    }

    /// One call; `false`: it was one panic too many, or the time for the rest is over.
    fn call(&mut self, account: &Arc<Account>, call: impl FnOnce(&mut S)) -> bool {
        let Some(subscriber) = self.subscriber.get_mut().filter(|_| !account.is_closed()) else {
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

/// Where a subscriber that is no actor lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lodging {
    /// On a worker of tasks, in turn.
    Workers,
    /// On the thread for subscribers.
    Subscribers,
    /// On the thread of what shows the supervisor: no user's subscriber can block it.
    #[cfg(feature = "web")]
    Web,
}

/// The places to choose from. Owned by `Broker`.
pub(crate) struct Hosts {
    /// The workers of tasks.
    pub(crate) workers: Vec<Addr<Worker>>,
    pub(crate) next: usize,
    /// The threads for subscribers; `None` in `Placement::Current`, where they share the one worker.
    pub(crate) own: Option<OwnHosts>,
}

/// The threads that are for subscribers alone.
pub(crate) struct OwnHosts {
    pub(crate) subscribers: OwnHost,
    #[cfg(feature = "web")]
    pub(crate) web: OwnHost,
}

/// One of them, started when the first subscriber needs it, and again when one has ended it.
pub(crate) struct OwnHost {
    name: String,
    /// Where its handle goes: taken out by the supervisor's thread at the very end, when `Broker` is gone.
    threads: Arc<Mutex<Vec<SystemThread>>>,
    worker: Option<Addr<Worker>>,
}

impl Hosts {
    /// A place for one more.
    pub(crate) fn choose(&mut self, lodging: Lodging) -> Result<&Addr<Worker>, SubscribeError> {
        if let Some(own) = self.own.as_mut().and_then(|own| own.of(lodging)) {
            return own.started().map_err(SubscribeError::Thread);
        }
        self.next += 1;
        let living = self.workers.iter().filter(|worker| worker.connected());
        let count = living.clone().count().max(1);
        living.clone().nth(self.next % count).ok_or(SubscribeError::NoWorker)
    }

    /// A place where a value may be dropped.
    pub(crate) fn any(&self) -> Option<&Addr<Worker>> {
        self.workers.iter().find(|worker| worker.connected())
    }

    /// Ends the threads for subscribers.
    pub(crate) fn stop(&self) {
        if let Some(own) = &self.own {
            own.subscribers.stop();
            #[cfg(feature = "web")]
            own.web.stop();
        }
    }
}

impl OwnHosts {
    fn of(&mut self, lodging: Lodging) -> Option<&mut OwnHost> {
        match lodging {
            Lodging::Workers => None,
            Lodging::Subscribers => Some(&mut self.subscribers),
            #[cfg(feature = "web")]
            Lodging::Web => Some(&mut self.web),
        }
    }
}

impl OwnHost {
    /// One that is yet to be started. Its thread's handle goes to `threads`.
    pub(crate) fn new(name: String, threads: &Arc<Mutex<Vec<SystemThread>>>) -> Self {
        Self { name, threads: Arc::clone(threads), worker: None }
    }

    fn stop(&self) {
        if let Some(worker) = &self.worker {
            worker.do_send(StopWorker);
        }
    }

    fn started(&mut self) -> Result<&Addr<Worker>, StartError> {
        let living = self.worker.take().filter(Addr::connected);
        let worker = living.map_or_else(|| self.start(), Ok)?;
        Ok(self.worker.insert(worker))
    }

    fn start(&self) -> Result<Addr<Worker>, StartError> {
        let prepared = Prepared::new(self.name.clone())?;
        let (addr, mailbox) = Worker::channel();
        let thread = prepared.spawn(move || Worker::launch(mailbox, Place::OwnThread), || {})?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(addr)
    }
}
