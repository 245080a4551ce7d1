use std::{fmt, sync::Arc};

use super::account::Account;
use crate::broker::{Resync, Unsubscribe};

/// A subscription in force: dropping it unsubscribes.
///
/// While it is in force the subscription keeps its actor alive: an actor that holds its own subscription
/// never ends by the loss of its last address. The subscriber gets a last delivery when it ends. A subscription also ends when its actor
/// dies, when its value has panicked three times in a row, and when the supervisor has shut down.
#[must_use = "dropping the subscription unsubscribes: keep it, or `detach` it"]
pub struct Subscription {
    account: Arc<Account>,
    is_detached: bool,
}

impl Subscription {
    pub(crate) fn new(account: Arc<Account>) -> Self {
        Self { account, is_detached: false }
    }

    /// Keeps the subscription until the supervisor shuts down or the subscriber dies.
    pub fn detach(mut self) {
        self.is_detached = true;
    }

    /// How many events the subscriber holds unhandled at this moment.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        self.account.outstanding()
    }

    /// Asks for a new snapshot, after which every later change is told once again: what to do after
    /// a loss. It arrives as a delivery.
    pub fn resync(&self) {
        self.account.board.broker.do_send(Resync { subscription: self.account.id });
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if !self.is_detached {
            self.account.board.broker.do_send(Unsubscribe { subscription: self.account.id });
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("subscriber", &self.account.name)
            .field("outstanding", &self.outstanding())
            .finish_non_exhaustive()
    }
}
