//! The supervisor: one actor that knows all tasks by id and by name.

use std::{collections::HashMap, sync::Arc};

use actix::prelude::*;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{broker::Broker, task::TaskActor};
use crate::subjects::by_hand::BodyResult;

/// What a user writes: called for each attempt.
pub(super) type Body = Box<
    dyn FnMut(CancellationToken) -> futures::future::LocalBoxFuture<'static, BodyResult> + Send,
>;

/// A task that was accepted.
pub(super) struct Handle {
    pub(super) id: u64,
    pub(super) outcome: oneshot::Receiver<BodyResult>,
}

#[derive(Default)]
pub(super) struct Supervisor {
    broker: Option<Addr<Broker>>,
    tasks: HashMap<u64, Entry>,
    ids: HashMap<Arc<str>, u64>,
    last_id: u64,
    closing: Option<oneshot::Sender<()>>,
}

struct Entry {
    name: Arc<str>,
    cancel: CancellationToken,
    _addr: Addr<TaskActor>,
}

impl Supervisor {
    pub(super) fn telling(broker: Option<Addr<Broker>>) -> Self {
        Self { broker, ..Self::default() }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;
}

/// A task to start; `None`: the name is taken.
#[derive(Message)]
#[rtype(result = "Option<Handle>")]
pub(super) struct Add {
    pub(super) name: String,
    pub(super) body: Body,
}

impl Handler<Add> for Supervisor {
    type Result = MessageResult<Add>;

    fn handle(&mut self, msg: Add, ctx: &mut Self::Context) -> Self::Result {
        let name: Arc<str> = msg.name.into();
        if self.ids.contains_key(&name) {
            return MessageResult(None);
        }
        self.last_id += 1;
        let id = self.last_id;
        let (sender, outcome) = oneshot::channel();
        let cancel = CancellationToken::new();
        let task = TaskActor {
            id,
            name: Arc::clone(&name),
            body: msg.body,
            attempt: None,
            attempts: 0,
            cancel: cancel.clone(),
            outcome: Some(sender),
            supervisor: ctx.address(),
            broker: self.broker.clone(),
            outbox: Vec::new(),
        };
        self.ids.insert(Arc::clone(&name), id);
        self.tasks.insert(id, Entry { name, cancel, _addr: task.start() });
        MessageResult(Some(Handle { id, outcome }))
    }
}

/// A task is to stop; answers whether there is one. That it has stopped is told by its outcome.
#[derive(Message)]
#[rtype(result = "bool")]
pub(super) struct Cancel(pub(super) u64);

impl Handler<Cancel> for Supervisor {
    type Result = bool;

    fn handle(&mut self, msg: Cancel, _: &mut Self::Context) -> bool {
        let Some(task) = self.tasks.get(&msg.0) else { return false };
        task.cancel.cancel();
        true
    }
}

/// All tasks are to stop; answers when all have.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Shutdown;

impl Handler<Shutdown> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Shutdown, _: &mut Self::Context) -> Self::Result {
        for task in self.tasks.values() {
            task.cancel.cancel();
        }
        let (sender, closed) = oneshot::channel();
        if self.tasks.is_empty() {
            let _ = sender.send(());
        } else {
            self.closing = Some(sender);
        }
        Box::pin(async move { drop(closed.await) })
    }
}

/// From a task: it has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Ended(pub(super) u64);

impl Handler<Ended> for Supervisor {
    type Result = ();

    fn handle(&mut self, msg: Ended, _: &mut Self::Context) {
        if let Some(task) = self.tasks.remove(&msg.0) {
            self.ids.remove(&task.name);
        }
        if self.tasks.is_empty()
            && let Some(closing) = self.closing.take()
        {
            let _ = closing.send(());
        }
    }
}
