//! `Broker`: who listens, and what each subscription is still owed.
//!
//! It runs no user code. It gives each event its number, keeps the list of subscriptions, and sends
//! each what its filter admits as long as its bound has room. Nothing in the supervisor waits for it,
//! except the shutdown, which gives subscribers a bounded time to finish.
//!
//! | message in | sender | reply |
//! |---|---|---|
//! | `Publish` | `TaskActor`, `Registry` | none |
//! | `Subscribe`, `Unsubscribe`, `Resync` | handles, the drop of a [`Subscription`](crate::Subscription) | the subscription's account; none; none |
//! | `SnapshotTaken` | `Registry`, in answer to `SnapshotWanted` | none |
//! | `CreditBack` | the drop of a delivered message, when it was asked for | none |
//! | `SubscriberFailed` | the host of a subscriber that panicked | none |
//! | `AwaitDelivery` | handles | through the channel inside |
//! | `CloseBroker` | `Registry`, once | `BrokerClosed`, also if the broker is gone |
//!
//! How events go out: in rounds of at most 64, each of them one batch for a subscriber that takes batches. A round goes out when it is
//! full, or when the mailbox is empty and two turns of the thread have brought no more, or when its events span 200 µs. Between two looks
//! all others on the thread have their turn, and what comes meanwhile is handled in one poll. While some subscription has no room for two
//! full rounds, none waits: gathering would bring such a subscriber more at once than it may hold. Whatever asks for the present state (a
//! subscription, a fence, the end) sends out first what came before it.
//!
//! Full rounds go out up to 16 in a turn of the thread, as long as subscribers have room: what tasks publish in a turn is mostly less, so that
//! nothing piles up here while all of them are busy. Those on this thread then have their turn before more comes.
//!
//! How a delivery is bounded: each message carries a credit, which returns when the message is dropped.
//! Without a free credit new events are counted; the count travels with the next delivery, or by one
//! of its own as soon as a credit is back. An actor's mailbox capacity plays no part in it.
//!
//! Invariants:
//! - B1: a subscription never holds more undropped events than its capacity.
//! - B2: every event that its filter admits is either delivered, or counted as lost and told, in order.
//! - B3: with a snapshot: after it, every change of each task once. An event about a task counts only
//!   if its version is above the one that the snapshot showed (C2).
//! - B4: news about a subscriber's own panic is not delivered to that subscriber.
//! - B5: the last delivery of a subscription says that it is the last.
//!
//! Not promised: a bound on what publishers send here (it is handled as it comes, 1,024 events in a turn at the most, and what
//! subscribers hold is bounded); that a subscriber is quick; that the panic of an actor which had taken its event out is
//! told; a filter's events have dense numbers; that a message
//! kept by a subscriber (and its credit with it) ever comes back.

mod actor;
mod fanout;
mod fences;
mod handlers;
mod messages;
mod subscription;
#[cfg(test)]
mod tests;

pub use actor::Broker;
#[cfg(test)]
pub(crate) use messages::Fault;
pub(crate) use messages::{
    AwaitDelivery, CloseBroker, CreditBack, Publish, Resync, SnapshotTaken, Subscribe,
    SubscriberFailed, Unsubscribe,
};
pub(crate) use subscription::Outlet;
