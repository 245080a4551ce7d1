//! The table of slots: one actor, one owner for each key, the others in its queue.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use actix::prelude::*;
use futures::future::LocalBoxFuture;
use tokio::sync::oneshot;

use crate::subjects::by_hand::BodyResult;

/// What a user wants done; called once.
pub(super) type Work = Box<dyn FnOnce() -> LocalBoxFuture<'static, BodyResult> + Send>;

#[derive(Default)]
pub(super) struct Slots(HashMap<Arc<str>, VecDeque<Waiter>>);

struct Waiter {
    work: Work,
    outcome: oneshot::Sender<BodyResult>,
}

impl Actor for Slots {
    type Context = Context<Self>;
}

/// Runs when it is its turn in its slot.
#[derive(Message)]
#[rtype(result = "oneshot::Receiver<BodyResult>")]
pub(super) struct Submit {
    pub(super) key: Arc<str>,
    pub(super) work: Work,
}

impl Handler<Submit> for Slots {
    type Result = MessageResult<Submit>;

    fn handle(&mut self, msg: Submit, ctx: &mut Self::Context) -> Self::Result {
        let (outcome, answer) = oneshot::channel();
        let waiter = Waiter { work: msg.work, outcome };
        match self.0.get_mut(&msg.key) {
            Some(queue) => queue.push_back(waiter),
            None => {
                self.0.insert(Arc::clone(&msg.key), VecDeque::new());
                drop(Owner::start(msg.key, waiter, ctx.address()));
            }
        }
        MessageResult(answer)
    }
}

/// From an owner: it has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct OwnerEnded(Arc<str>);

impl Handler<OwnerEnded> for Slots {
    type Result = ();

    fn handle(&mut self, msg: OwnerEnded, ctx: &mut Self::Context) {
        match self.0.get_mut(&msg.0).and_then(VecDeque::pop_front) {
            Some(next) => drop(Owner::start(msg.0, next, ctx.address())),
            None => drop(self.0.remove(&msg.0)),
        }
    }
}

/// An actor for each run, as for each task.
struct Owner {
    run: Option<(Arc<str>, Waiter, Addr<Slots>)>,
}

impl Owner {
    fn start(key: Arc<str>, waiter: Waiter, slots: Addr<Slots>) -> Addr<Self> {
        Actor::start(Self { run: Some((key, waiter, slots)) })
    }
}

impl Actor for Owner {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some((key, waiter, slots)) = self.run.take() else { return };
        let run = async move {
            let result = (waiter.work)().await;
            slots.do_send(OwnerEnded(key));
            let _ = waiter.outcome.send(result);
        };
        ctx.spawn(run.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}
