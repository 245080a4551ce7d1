use std::sync::Arc;

use actix::{
    dev::channel::{AddressReceiver, channel},
    prelude::*,
};

use crate::{registry::WorkerEnded, supervisor::Board};

/// See the module's essay.
pub(crate) struct Worker {
    pub(super) place: Place,
    board: Arc<Board>,
}

/// Where a worker lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a thread and `System` of its own, as worker of this number.
    OwnThread { worker: usize },
    /// On a thread and `System` of its own, for subscribers only.
    SubscriberThread,
    /// On the caller's arbiter.
    CallersArbiter,
}

impl Worker {
    /// The address of a worker that is yet to be started, and its mailbox.
    pub(crate) fn channel() -> (Addr<Self>, AddressReceiver<Self>) {
        let (sender, mailbox) = channel(0);
        (Addr::new(sender), mailbox)
    }

    /// Starts it on this thread.
    pub(crate) fn launch(mailbox: AddressReceiver<Self>, place: Place, board: Arc<Board>) {
        let worker = Self { place, board };
        drop(actix_rt::spawn(
            Context::with_receiver(mailbox).into_future(worker),
        ));
    }
}

impl Actor for Worker {
    type Context = Context<Self>;
}

impl Drop for Worker {
    fn drop(&mut self) {
        let worker = match self.place {
            Place::OwnThread { worker } => worker,
            Place::CallersArbiter => 0,
            Place::SubscriberThread => return,
        };
        // May not be dropped: new tasks would be sent here for ever. It fails only after `Registry`.
        self.board.registry.do_send(WorkerEnded { worker });
    }
}
