use actix::{
    dev::channel::{AddressReceiver, channel},
    prelude::*,
};

use super::runners::{Beginning, Runners};
use crate::task_actor::{Life, StartTask};

/// See the module's essay.
pub(crate) struct Worker {
    pub(super) place: Place,
    pub(super) runners: Runners<StartTask>,
    /// How many tasks have begun since others on the thread were let pass for it.
    pub(super) begun: usize,
}

/// Where a worker lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a thread and `System` of its own.
    OwnThread,
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
    pub(crate) fn launch(mailbox: AddressReceiver<Self>, place: Place) {
        let worker = Self { place, runners: Runners::new(), begun: 0 };
        drop(actix_rt::spawn(Context::with_receiver(mailbox).into_future(worker)));
    }
}

impl Actor for Worker {
    type Context = Context<Self>;
}

impl Beginning for StartTask {
    type Life = Life;

    fn begin(self) -> Self::Life {
        Life::begin(self)
    }
}
