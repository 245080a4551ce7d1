use actix::prelude::Message;

use crate::task_actor::StartTask;

/// Starts tasks, in this order but for what W2 says. Sent by `Registry`; of an order that is dropped unrun, the guard reports its task as lost.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StartTasks {
    pub(super) orders: Vec<StartTask>,
}

/// Starts an actor around a subscriber. Sent by `Broker`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct HostSubscriber(pub(crate) Box<dyn FnOnce() + Send>);

/// Drops a value whose drop may run user code; its wrapper contains a panic. Sent by `Registry`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Dispose(
    #[expect(dead_code, reason = "it is here to be dropped")] pub(crate) Box<dyn Send>,
);

/// Ends the worker. Sent by `Registry` when every task is gone, or will not go.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StopWorker;
