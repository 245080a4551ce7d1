use actix::prelude::Message;

use crate::task_actor::StartTask;

impl Message for StartTask {
    type Result = ();
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
