//! The least that supervises on bare Tokio.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::future::BoxFuture;
use tokio::sync::{Notify, broadcast, oneshot};
use tokio_util::sync::CancellationToken;

use crate::subjects::by_hand::{BodyResult, Event, EventKind};

/// A map from names to tasks, each of which takes itself out at its end.
pub(super) struct Supervisor {
    tasks: Mutex<HashMap<Arc<str>, CancellationToken>>,
    is_empty: Notify,
    pub(super) events: Option<broadcast::Sender<Arc<Event>>>,
}

pub(super) struct Handle {
    pub(super) cancel: CancellationToken,
    pub(super) outcome: oneshot::Receiver<BodyResult>,
}

impl Supervisor {
    pub(super) fn new(events: Option<broadcast::Sender<Arc<Event>>>) -> Arc<Self> {
        Arc::new(Self { tasks: Mutex::default(), is_empty: Notify::new(), events })
    }

    /// `None`: the name is taken.
    pub(super) fn add<F>(
        self: &Arc<Self>,
        name: String,
        body: impl FnMut(CancellationToken) -> F + Send + 'static,
    ) -> Option<Handle>
    where
        F: Future<Output = BodyResult> + Send + 'static,
    {
        let name: Arc<str> = name.into();
        let cancel = CancellationToken::new();
        let mut tasks = self.tasks();
        if tasks.contains_key(&name) {
            return None;
        }
        tasks.insert(Arc::clone(&name), cancel.clone());
        drop(tasks);
        let (sender, outcome) = oneshot::channel();
        let life = Arc::clone(self).live(name, cancel.clone(), body, sender);
        drop(tokio::spawn(life));
        Some(Handle { cancel, outcome })
    }

    /// Tries until it succeeds, at once again after a failure.
    async fn live<F>(
        self: Arc<Self>,
        name: Arc<str>,
        cancel: CancellationToken,
        mut body: impl FnMut(CancellationToken) -> F,
        outcome: oneshot::Sender<BodyResult>,
    ) where
        F: Future<Output = BodyResult>,
    {
        let mut attempt = 0;
        let result = loop {
            attempt += 1;
            self.tell(&name, attempt, || EventKind::Starting);
            match body(cancel.clone()).await {
                Err(error) if !cancel.is_cancelled() => {
                    self.tell(&name, attempt, || EventKind::Failed(error.to_string().into()));
                    self.tell(&name, attempt, || EventKind::BackingOff);
                }
                result => break result,
            }
        };
        self.tell(&name, attempt, || EventKind::Ended);
        let mut tasks = self.tasks();
        tasks.remove(&name);
        if tasks.is_empty() {
            self.is_empty.notify_waiters();
        }
        drop(tasks);
        let _ = outcome.send(result);
    }

    pub(super) async fn shutdown(&self) {
        let empty = self.is_empty.notified();
        let running: Vec<_> = self.tasks().values().cloned().collect();
        for cancel in &running {
            cancel.cancel();
        }
        if !running.is_empty() {
            empty.await;
        }
    }

    fn tell(&self, name: &Arc<str>, attempt: u64, kind: impl FnOnce() -> EventKind) {
        if let Some(events) = &self.events {
            // An error says that nobody listens.
            let _ = events.send(Arc::new(Event::now(name, attempt, kind())));
        }
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<Arc<str>, CancellationToken>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One owner for each key; the others wait in its queue.
#[derive(Default)]
pub(super) struct Slots(Mutex<HashMap<Arc<str>, VecDeque<Waiter>>>);

struct Waiter {
    job: BoxFuture<'static, BodyResult>,
    outcome: oneshot::Sender<BodyResult>,
}

impl Slots {
    pub(super) fn submit(
        self: &Arc<Self>,
        key: &Arc<str>,
        job: BoxFuture<'static, BodyResult>,
    ) -> oneshot::Receiver<BodyResult> {
        let (outcome, answer) = oneshot::channel();
        let waiter = Waiter { job, outcome };
        let mut slots = self.slots();
        match slots.get_mut(key) {
            Some(queue) => queue.push_back(waiter),
            None => {
                slots.insert(Arc::clone(key), VecDeque::new());
                self.start(Arc::clone(key), waiter);
            }
        }
        answer
    }

    fn start(self: &Arc<Self>, key: Arc<str>, waiter: Waiter) {
        let slots = Arc::clone(self);
        drop(tokio::spawn(async move {
            let result = waiter.job.await;
            slots.ended(key);
            let _ = waiter.outcome.send(result);
        }));
    }

    fn ended(self: &Arc<Self>, key: Arc<str>) {
        let mut slots = self.slots();
        match slots.get_mut(&key).and_then(VecDeque::pop_front) {
            Some(next) => self.start(key, next),
            None => drop(slots.remove(&key)),
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Arc<str>, VecDeque<Waiter>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
