//! The credits that bound a subscription: every delivery carries one, and returns it by its drop.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use crate::{broker::CreditBack, supervisor::Board};

/// The account of one subscription: how many events are with its subscriber.
///
/// Shared between `Broker`'s thread, which sends, and whatever threads drop the deliveries.
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) board: Arc<Board>,
    capacity: u64,
    /// Added to by `Broker`, subtracted from by the drops of deliveries.
    outstanding: AtomicU64,
    /// Set by `Broker` when it wants to hear of the next return; cleared by the drop that tells it.
    wants_notice: AtomicBool,
    /// Set by the first drop during a panic, and never cleared.
    has_panicked: AtomicBool,
    /// Set by `Broker` when the time for what is outstanding is over; read by the host of a value.
    is_closed: AtomicBool,
}

impl Account {
    pub(crate) fn new(id: u64, name: String, capacity: usize, board: Arc<Board>) -> Self {
        Self {
            id,
            name,
            board,
            capacity: capacity as u64,
            outstanding: AtomicU64::new(0),
            wants_notice: AtomicBool::new(false),
            has_panicked: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        }
    }

    /// How many events may be sent now (B1).
    pub(crate) fn room(&self) -> u64 {
        self.capacity.saturating_sub(self.outstanding())
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// How many events are with the subscriber.
    pub(crate) fn outstanding(&self) -> u64 {
        self.outstanding.load(SeqCst)
    }

    /// Asks to be told of the next return. Look at the account *after* this: a return between the
    /// look and the request would otherwise go unnoticed.
    pub(crate) fn ask_for_notice(&self) {
        self.wants_notice.store(true, SeqCst);
    }

    pub(crate) fn has_panicked(&self) -> bool {
        self.has_panicked.load(SeqCst)
    }

    /// What is outstanding need not be handled any more.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(SeqCst)
    }

    /// A delivery was dropped: so many events are not with the subscriber any more.
    pub(super) fn take_back(&self, events: u64) {
        let is_first_panic = thread::panicking() && !self.has_panicked.swap(true, SeqCst);
        self.outstanding.fetch_sub(events, SeqCst);
        // Looked at before it is taken, for a look is cheap and mostly enough. `SeqCst` here, above, and where
        // `Broker` asks and then looks: of "asked" and "returned" at least one is seen by the other side.
        let is_asked = self.wants_notice.load(SeqCst) && self.wants_notice.swap(false, SeqCst);
        if is_asked || is_first_panic {
            self.tell_broker();
        }
    }

    fn tell_broker(&self) {
        // Dropped once the broker has ended: then nobody waits any more.
        self.board.broker.do_send(CreditBack { subscription: self.id });
    }
}

/// The deliveries of one subscription between two fences. It is over when all of them have been
/// dropped, in whatever order: exact, where a count would be deceived by a later one that came first.
pub(crate) struct Generation {
    account: Arc<Account>,
    /// Set by `Broker` when somebody waits for its end.
    is_watched: AtomicBool,
}

impl Generation {
    pub(crate) fn new(account: &Arc<Account>) -> Arc<Self> {
        Arc::new(Self { account: Arc::clone(account), is_watched: AtomicBool::new(false) })
    }

    /// A share for a delivery with so many events; none for one that brings no event.
    pub(crate) fn credit(self: &Arc<Self>, events: u64) -> Credit {
        Credit { generation: self.lend(events), events }
    }

    /// A share for deliveries with so many events in all, each of which gives back its own.
    pub(super) fn lend(self: &Arc<Self>, events: u64) -> Arc<Self> {
        self.account.outstanding.fetch_add(events, SeqCst);
        Arc::clone(self)
    }

    /// Whether any delivery of it is out.
    pub(crate) fn is_out(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
    }

    /// Has its end told to the broker; the answer is dead from then on.
    pub(crate) fn watch(self: &Arc<Self>) -> Weak<Self> {
        self.is_watched.store(true, SeqCst);
        Arc::downgrade(self)
    }

    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.account
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        if *self.is_watched.get_mut() {
            self.account.tell_broker();
        }
    }
}

/// Returns when dropped.
pub(crate) struct Credit {
    generation: Arc<Generation>,
    events: u64,
}

impl Credit {
    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.generation.account
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        self.account().take_back(self.events);
    }
}
