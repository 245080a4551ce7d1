//! What subscribers get, and the credits that bound it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use actix::prelude::Message;

use crate::{broker::CreditBack, cell::TaskStatus, event::Event, supervisor::Board};

/// The account of one subscription: what was sent to it, and what came back.
///
/// Shared between `Broker`'s thread, which sends, and whatever thread drops the messages.
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) board: Arc<Board>,
    capacity: u64,
    /// Written by `Broker` alone.
    sent: AtomicU64,
    /// Written by the drops of messages.
    returned: AtomicU64,
    /// Set by `Broker` when it wants to hear of the next return; cleared by the drop that tells it.
    wants_notice: AtomicBool,
    /// Set by a drop during a panic; cleared by `Broker` when it told of it.
    panicked: AtomicBool,
}

impl Account {
    pub(crate) fn new(id: u64, name: String, capacity: usize, board: Arc<Board>) -> Self {
        Self {
            id,
            name,
            board,
            capacity: capacity as u64,
            sent: AtomicU64::new(0),
            returned: AtomicU64::new(0),
            wants_notice: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
        }
    }

    /// How many events may be sent now (B1).
    pub(crate) fn room(&self) -> u64 {
        self.capacity.saturating_sub(self.outstanding())
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// How many are with the subscriber.
    pub(crate) fn outstanding(&self) -> u64 {
        self.sent.load(SeqCst).saturating_sub(self.returned.load(SeqCst))
    }

    /// The number of the last one sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(SeqCst)
    }

    /// Whether all up to that number have come back, counted.
    pub(crate) fn has_returned(&self, sent: u64) -> bool {
        self.returned.load(SeqCst) >= sent
    }

    /// Asks to be told of the next return. Look at the account *after* this: a return between the
    /// look and the request would otherwise go unnoticed.
    pub(crate) fn ask_for_notice(&self) {
        self.wants_notice.store(true, SeqCst);
    }

    pub(crate) fn take_panic(&self) -> bool {
        self.panicked.swap(false, SeqCst)
    }

    /// A message's share of the account.
    pub(crate) fn credit(self: &Arc<Self>, count: u64) -> Credit {
        self.sent.fetch_add(count, SeqCst);
        Credit { account: Arc::clone(self), count }
    }
}

/// Returns when dropped.
pub(crate) struct Credit {
    account: Arc<Account>,
    count: u64,
}

impl Drop for Credit {
    fn drop(&mut self) {
        let account = &self.account;
        let is_panic = thread::panicking();
        if is_panic {
            account.panicked.store(true, SeqCst);
        }
        account.returned.fetch_add(self.count, SeqCst);
        if account.wants_notice.swap(false, SeqCst) || is_panic {
            // Dropped once the broker has ended: then nobody waits any more.
            account.board.broker.do_send(CreditBack { subscription: account.id });
        }
    }
}

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

    /// The event, to keep; its room in the subscription is free from now on.
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
        &self.credit.account
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
