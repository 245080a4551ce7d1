//! What subscribers get.

use std::{fmt, sync::Arc};

use actix::prelude::Message;

use super::account::{Account, Credit};
use crate::{cell::TaskStatus, event::Event};

/// One delivery to an actor that subscribed: implement `Handler<Lifecycle>`.
///
/// It counts against the subscription's capacity until it is dropped, so handle it and let it go;
/// [`into_event`](Self::into_event) keeps the event and gives the room back.
///
/// ```
/// use actix::prelude::*;
/// use actix_taskvisor::prelude::*;
///
/// struct Failures(u64);
///
/// impl Actor for Failures {
///     type Context = Context<Self>;
/// }
///
/// impl Handler<Lifecycle> for Failures {
///     type Result = ();
///
///     fn handle(&mut self, msg: Lifecycle, _ctx: &mut Context<Self>) {
///         if let Some(Event { kind: EventKind::TaskFailed { .. }, .. }) = msg.event() {
///             self.0 += 1;
///         }
///     }
/// }
/// ```
#[derive(Message)]
#[rtype(result = "()")]
pub struct Lifecycle {
    pub(crate) content: Content,
    pub(crate) lost: u64,
    /// Returns the room by its drop.
    pub(crate) _credit: Credit,
}

/// What one delivery brings.
pub(crate) enum Content {
    Event(Arc<Event>),
    Snapshot(Vec<TaskStatus>),
    /// Only the count of what was lost.
    Gap,
    /// Nothing more will come.
    End,
}

impl Lifecycle {
    /// The event; `None` in a snapshot, in news of a loss, and in the last delivery.
    #[must_use]
    pub fn event(&self) -> Option<&Event> {
        match &self.content {
            Content::Event(event) => Some(event),
            Content::Snapshot(_) | Content::Gap | Content::End => None,
        }
    }

    /// How many events were lost right before this delivery, because the subscription was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The statuses of all tasks, where the subscription asked for them.
    #[must_use]
    pub fn snapshot(&self) -> Option<&[TaskStatus]> {
        match &self.content {
            Content::Snapshot(statuses) => Some(statuses),
            Content::Event(_) | Content::Gap | Content::End => None,
        }
    }

    /// Whether this is the last delivery of the subscription.
    #[must_use]
    pub fn ended(&self) -> bool {
        matches!(self.content, Content::End)
    }

    /// The event, to keep; its room in the subscription is free from now on. A panic after this is no
    /// longer seen as one of the subscriber: its subscription ends without [`SubscriberPanicked`](crate::EventKind::SubscriberPanicked).
    #[must_use]
    pub fn into_event(self) -> Option<Arc<Event>> {
        match self.content {
            Content::Event(event) => Some(event),
            Content::Snapshot(_) | Content::Gap | Content::End => None,
        }
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle")
            .field("event", &self.event())
            .field("lost", &self.lost)
            .field("ended", &self.ended())
            .finish_non_exhaustive()
    }
}

/// Up to 64 events in one delivery, for heavy streams: implement `Handler<LifecycleBatch>`.
///
/// The events count against the subscription's capacity until this is dropped.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LifecycleBatch {
    pub(crate) events: Arc<[Arc<Event>]>,
    pub(crate) snapshot: Option<Vec<TaskStatus>>,
    pub(crate) lost: u64,
    pub(crate) is_last: bool,
    pub(crate) credit: Credit,
}

impl LifecycleBatch {
    /// The events, in order; none in a snapshot, in news of a loss, and in the last delivery.
    pub fn events(&self) -> impl ExactSizeIterator<Item = &Arc<Event>> {
        self.events.iter()
    }

    /// How many events were lost right before this delivery, because the subscription was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The statuses of all tasks, where the subscription asked for them.
    #[must_use]
    pub fn snapshot(&self) -> Option<&[TaskStatus]> {
        self.snapshot.as_deref()
    }

    /// Whether this is the last delivery of the subscription.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.is_last
    }

    /// The events, to keep; their room in the subscription is free from now on.
    #[must_use]
    pub fn into_events(self) -> Arc<[Arc<Event>]> {
        self.events
    }

    pub(crate) fn account(&self) -> &Arc<Account> {
        self.credit.account()
    }
}

impl fmt::Debug for LifecycleBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LifecycleBatch")
            .field("events", &self.events)
            .field("lost", &self.lost)
            .field("ended", &self.is_last)
            .finish_non_exhaustive()
    }
}
