//! How a task is reached by messages: its mailbox is made when somebody asks for its address.

use actix::{
    Addr, WeakAddr,
    dev::channel::{AddressReceiver, channel},
};

use crate::{contain::wakes, task_actor::TaskActor};

/// The default capacity of actix, for the messages that applications send to a task.
const MAILBOX: usize = 16;

#[derive(Default)]
pub(super) enum Door {
    /// There is no actor: not yet, or not any more.
    #[default]
    Closed,
    /// There is one, and nobody has asked for its address.
    Unasked,
    /// Somebody has: the actor is to take this at its next look.
    Asked(AddressReceiver<TaskActor>),
    /// The actor has it.
    Open(WeakAddr<TaskActor>),
}

impl Door {
    /// The address; a closed one, and another each time, where there is no actor. Whether the actor is to look.
    pub(super) fn addr(&mut self) -> (Addr<TaskActor>, bool) {
        match self {
            Self::Closed => (Addr::new(channel(1).0), false),
            Self::Unasked => {
                let (sender, mailbox) = channel(MAILBOX);
                *self = Self::Asked(mailbox);
                (Addr::new(sender), true)
            }
            Self::Asked(mailbox) => (Addr::new(mailbox.sender()), false),
            Self::Open(own) => (own.upgrade().unwrap_or_else(|| Addr::new(channel(1).0)), false),
        }
    }

    /// There is no actor any more.
    pub(super) fn close(&mut self) -> Untaken {
        match std::mem::take(self) {
            Self::Asked(mailbox) => Untaken(Some(mailbox)),
            Self::Closed | Self::Unasked | Self::Open(_) => Untaken(None),
        }
    }

    /// The mailbox, once, if somebody has asked.
    pub(super) fn take_mailbox(&mut self) -> Option<AddressReceiver<TaskActor>> {
        let Self::Asked(mailbox) = self else { return None };
        let own = Addr::new(mailbox.sender()).downgrade();
        match std::mem::replace(self, Self::Open(own)) {
            Self::Asked(mailbox) => Some(mailbox),
            Self::Closed | Self::Unasked | Self::Open(_) => None,
        }
    }
}

/// The mailbox that an actor did not get to: its drop tells those who wait for an answer. Not to be dropped under the lock.
pub(super) struct Untaken(Option<AddressReceiver<TaskActor>>);

impl Drop for Untaken {
    fn drop(&mut self) {
        if let Some(mailbox) = self.0.take() {
            wakes(|| drop(mailbox));
        }
    }
}
