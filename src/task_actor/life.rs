//! How a task's actor lives: polled as it is, and with a context of actix's from when its address is asked for.

use std::{
    pin::Pin,
    task::{Context as PollContext, Poll},
};

use actix::{
    dev::{ContextFut, channel::AddressReceiver},
    prelude::*,
};

use super::{actor::TaskActor, messages::StartTask, phase::Phase};

/// The life of one task's actor.
///
/// Most tasks are never sent a message: what is asked of them stands in the cell. A mailbox is five allocations and 136
/// bytes, its context 250 bytes more, and both together a seventh of what a short task takes. So they are made when somebody
/// asks for the address; what is sent before the actor gets there waits in the mailbox as ever.
pub(crate) enum Life {
    /// Nobody has asked for its address.
    Quiet(Option<TaskActor>),
    Addressed(Box<ContextFut<TaskActor, Context<TaskActor>>>),
}

impl Life {
    /// On this thread, from the order of `Registry`.
    pub(crate) fn begin(order: StartTask) -> Self {
        Self::Quiet(Some(TaskActor::new(order)))
    }

    fn with_mailbox(actor: TaskActor, mailbox: AddressReceiver<TaskActor>) -> Self {
        Self::Addressed(Box::new(Context::with_receiver(mailbox).into_future(actor)))
    }
}

impl Future for Life {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut PollContext<'_>) -> Poll<()> {
        let life = self.get_mut();
        if let Self::Quiet(quiet) = life {
            let Some(actor) = quiet else { return Poll::Ready(()) };
            actor.drive(cx);
            if actor.phase == Phase::Ended {
                return Poll::Ready(());
            }
            let Some(mailbox) = actor.mailbox.take() else { return Poll::Pending };
            let Some(actor) = quiet.take() else { return Poll::Ready(()) };
            *life = Self::with_mailbox(actor, mailbox);
        }
        match life {
            Self::Addressed(context) => Pin::new(context).poll(cx),
            Self::Quiet(_) => Poll::Ready(()),
        }
    }
}
