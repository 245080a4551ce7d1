//! What subscribers get.

use std::{fmt, sync::Arc};

use actix::prelude::Message;

use super::{
    account::{Account, Credit, Generation},
    round::Portion,
};
use crate::{cell::TaskStatus, event::Event};

/// One delivery to an actor that subscribed: implement `Handler<Lifecycle>`.
///
/// It counts against the subscription's capacity until it is dropped, so handle it and let it go;
/// [`into_event`](Self::into_event) copies the event and gives the room back. A delivery that is kept also keeps
/// the other events of its round in memory (up to 64, also some that its filter did not admit).
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
    /// Returns the room by its drop.
    share: Share,
}

/// What one round brings to one subscription: shared by its deliveries, each of which is one place in it.
///
/// So a delivery changes three counts, where it changed seven when each had its event, its part of the
/// generation and its credit to itself, and it is half as large: 77 ns rather than 88 with 16 subscribers.
pub(crate) struct Parcel {
    content: Content,
    /// What was lost before the first delivery.
    lost: u64,
    generation: Arc<Generation>,
}

pub(crate) enum Content {
    /// At least one.
    Events(Portion),
    Snapshot(Vec<TaskStatus>),
    /// Only the count of what was lost.
    Gap,
    /// Nothing more will come.
    End,
}

struct Share {
    parcel: Arc<Parcel>,
    place: usize,
}

impl Parcel {
    /// The deliveries of it, one after another; the first tells how much was lost before.
    pub(crate) fn deliveries(
        content: Content,
        lost: u64,
        generation: &Arc<Generation>,
    ) -> impl Iterator<Item = Lifecycle> {
        let count = content.len();
        debug_assert!(
            count > 0 || !matches!(content, Content::Events(_)),
            "an event in each share"
        );
        let generation = generation.lend(count as u64);
        let parcel = Arc::new(Self { content, lost, generation });
        (0..count.max(1))
            .map(move |place| Lifecycle { share: Share { parcel: Arc::clone(&parcel), place } })
    }
}

impl Content {
    /// How many events it brings.
    fn len(&self) -> usize {
        match self {
            Self::Events(events) => events.len(),
            Self::Snapshot(_) | Self::Gap | Self::End => 0,
        }
    }

    fn event(&self, number: usize) -> Option<&Event> {
        match self {
            Self::Events(events) => events.get(number),
            Self::Snapshot(_) | Self::Gap | Self::End => None,
        }
    }

    fn snapshot(&self) -> Option<&[TaskStatus]> {
        match self {
            Self::Snapshot(statuses) => Some(statuses),
            Self::Events(_) | Self::Gap | Self::End => None,
        }
    }
}

impl Share {
    fn event(&self) -> Option<&Event> {
        self.parcel.content.event(self.place)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let has_event = matches!(self.parcel.content, Content::Events(_));
        self.parcel.generation.account().take_back(u64::from(has_event));
    }
}

impl Lifecycle {
    /// The event; `None` in a snapshot, in news of a loss, and in the last delivery.
    #[must_use]
    pub fn event(&self) -> Option<&Event> {
        self.share.event()
    }

    /// How many events were lost right before this delivery, because the subscription was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        if self.share.place == 0 { self.share.parcel.lost } else { 0 }
    }

    /// The statuses of all tasks, where the subscription asked for them.
    #[must_use]
    pub fn snapshot(&self) -> Option<&[TaskStatus]> {
        self.share.parcel.content.snapshot()
    }

    /// Whether this is the last delivery of the subscription.
    #[must_use]
    pub fn ended(&self) -> bool {
        matches!(self.share.parcel.content, Content::End)
    }

    /// A copy of the event, to keep; its room in the subscription is free from now on. A panic after this is no
    /// longer seen as one of the subscriber: its subscription ends without [`SubscriberPanicked`](crate::EventKind::SubscriberPanicked).
    #[must_use]
    pub fn into_event(self) -> Option<Arc<Event>> {
        self.share.event().cloned().map(Arc::new)
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle")
            .field("event", &self.event())
            .field("lost", &self.lost())
            .field("ended", &self.ended())
            .finish_non_exhaustive()
    }
}

/// Up to 64 events in one delivery, for heavy streams: implement `Handler<LifecycleBatch>`.
///
/// The events count against the subscription's capacity until this is dropped. One that is kept may also keep as many
/// again that its filter did not admit.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LifecycleBatch {
    content: Content,
    lost: u64,
    credit: Credit,
}

impl LifecycleBatch {
    pub(crate) fn new(content: Content, lost: u64, generation: &Arc<Generation>) -> Self {
        let credit = generation.credit(content.len() as u64);
        Self { content, lost, credit }
    }

    /// The events, in order; none in a snapshot, in news of a loss, and in the last delivery.
    pub fn events(&self) -> impl ExactSizeIterator<Item = &Event> {
        let event = |number| self.content.event(number).expect("all below its length are there");
        (0..self.content.len()).map(event)
    }

    /// How many events were lost right before this delivery, because the subscription was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The statuses of all tasks, where the subscription asked for them.
    #[must_use]
    pub fn snapshot(&self) -> Option<&[TaskStatus]> {
        self.content.snapshot()
    }

    /// Whether this is the last delivery of the subscription.
    #[must_use]
    pub fn ended(&self) -> bool {
        matches!(self.content, Content::End)
    }

    /// Copies of the events, to keep; their room in the subscription is free from now on.
    #[must_use]
    pub fn into_events(self) -> Vec<Arc<Event>> {
        self.events().cloned().map(Arc::new).collect()
    }

    pub(crate) fn account(&self) -> &Arc<Account> {
        self.credit.account()
    }
}

impl fmt::Debug for LifecycleBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LifecycleBatch")
            .field("events", &self.events().collect::<Vec<_>>())
            .field("lost", &self.lost)
            .field("ended", &self.ended())
            .finish_non_exhaustive()
    }
}
