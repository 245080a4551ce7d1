use std::{sync::Arc, time::Duration};

use super::subscription::Outlet;
use crate::{
    cell::Sighting,
    contain::Answer,
    error::SubscribeError,
    event::{Draft, EventFilter},
    registry::BrokerClosed,
    subscriber::Account,
    supervisor::Board,
};
use actix::prelude::Message;

/// The events of one step, in order. Sent by `TaskActor` and `Registry`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Publish<const N: usize> {
    pub(crate) drafts: [Draft; N],
}

/// A new subscription. Sent by handles.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Subscribe {
    pub(crate) outlet: Outlet,
    pub(crate) name: String,
    pub(crate) filter: EventFilter,
    pub(crate) capacity: usize,
    pub(crate) has_snapshot: bool,
    pub(crate) answer: Answer<Result<Arc<Account>, SubscribeError>>,
}

/// The end of a subscription. Sent by the drop of its guard.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Unsubscribe {
    pub(crate) subscription: u64,
}

/// A new snapshot for a subscription that lost events. Sent by handles.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Resync {
    pub(crate) subscription: u64,
}

/// All members at one point of the sequence. Sent by `Registry` in answer to `SnapshotWanted`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SnapshotTaken {
    pub(crate) subscription: u64,
    pub(crate) members: Vec<Sighting>,
}

/// A delivery was dropped, and the account asked for notice. Sent by its credit.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CreditBack {
    pub(crate) subscription: u64,
}

/// A hosted subscriber panicked. Sent by its host.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SubscriberFailed {
    pub(crate) subscription: u64,
    pub(crate) text: String,
    /// Whether it is dropped for it.
    pub(crate) is_final: bool,
}

/// Somebody waits until everything published so far was handled. Sent by handles.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AwaitDelivery {
    pub(crate) within: Duration,
    /// Whether it was.
    pub(crate) answer: Answer<bool>,
}

/// The end: deliver what is there, within bounds. Sent by `Registry`, which gets `BrokerClosed` on every
/// path: this message answers when it is dropped unhandled.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CloseBroker {
    pub(super) drain: Duration,
    pub(super) receipt: Receipt,
}

impl CloseBroker {
    pub(crate) fn new(board: &Arc<Board>, drain: Duration) -> Self {
        Self { drain, receipt: Receipt { board: Arc::clone(board), undelivered: 0 } }
    }
}

/// Tells `Registry` that the broker is done, by its drop.
pub(super) struct Receipt {
    board: Arc<Board>,
    pub(super) undelivered: u64,
}

impl Drop for Receipt {
    fn drop(&mut self) {
        // May not be dropped: the shutdown waits for it. It fails only when `Registry` has ended.
        self.board.registry.do_send(BrokerClosed { undelivered: self.undelivered });
    }
}

/// Makes the handler panic, to see what survives.
#[cfg(test)]
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Fault;
