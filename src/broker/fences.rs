//! Waiting for deliveries: `events_delivered`, `after_events`, and the end.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::Instant;

use super::{actor::Broker, messages::Receipt, subscription::Member};
use crate::{
    clock::moment,
    contain::Answer,
    subscriber::{Account, Generation},
};

/// Somebody waits until everything sent so far has been dropped.
pub(super) struct Fence {
    deliveries: Vec<Weak<Generation>>,
    deadline: Option<Instant>,
    answer: Answer<bool>,
}

/// The end: the same, for everything, with a receipt.
pub(super) struct Closing {
    deliveries: Vec<Weak<Generation>>,
    deadline: Option<Instant>,
    receipt: Receipt,
}

impl Broker {
    pub(super) fn await_delivery(&mut self, within: Duration, answer: Answer<bool>) {
        self.fan_out();
        let mut deliveries: Vec<_> = self.members.iter_mut().flat_map(Member::deliveries).collect();
        // During the end nobody is a member any more, and deliveries are still out.
        deliveries.extend(self.closing.iter().flat_map(|closing| closing.deliveries.clone()));
        let deadline = moment(Instant::now(), within);
        self.fences.push(Fence { deliveries, deadline, answer });
        self.look_at_fences();
    }

    pub(super) fn close(&mut self, drain: Duration, receipt: Receipt) {
        self.fan_out();
        for member in std::mem::take(&mut self.members) {
            self.dismiss(member);
        }
        // Those of former subscriptions as well: their hosts must come to an end too.
        let deliveries = self.leaving.iter_mut().flat_map(Member::deliveries).collect();
        self.raise_interest();
        let deadline = moment(Instant::now(), drain);
        self.closing = Some(Closing { deliveries, deadline, receipt });
        self.look_at_fences();
    }

    /// Answers those whose wait is over, by deliveries or by time.
    pub(super) fn look_at_fences(&mut self) {
        let now = Instant::now();
        for mut fence in std::mem::take(&mut self.fences) {
            forget_dropped(&mut fence.deliveries);
            let is_over = fence.deadline.is_some_and(|deadline| deadline <= now);
            if fence.deliveries.is_empty() || is_over {
                // An error says that nobody waits any more.
                let _ = fence.answer.send(fence.deliveries.is_empty());
            } else if !fence.answer.is_closed() {
                self.fences.push(fence);
            }
        }
        if let Some(closing) = &mut self.closing {
            forget_dropped(&mut closing.deliveries);
        }
    }

    /// Whether the end has been reached; then the receipt goes out.
    pub(super) fn has_closed(&mut self) -> bool {
        let is_over = |closing: &Closing| {
            closing.deliveries.is_empty()
                || closing.deadline.is_some_and(|deadline| deadline <= Instant::now())
        };
        if !self.closing.as_ref().is_some_and(is_over) {
            return false;
        }
        if let Some(mut closing) = self.closing.take() {
            let late = accounts(&closing.deliveries);
            late.iter().for_each(|account| account.close());
            closing.receipt.undelivered = late.iter().map(|account| account.outstanding()).sum();
        }
        true
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let closing = self.closing.as_ref().and_then(|closing| closing.deadline);
        self.fences.iter().filter_map(|fence| fence.deadline).chain(closing).min()
    }
}

fn forget_dropped(deliveries: &mut Vec<Weak<Generation>>) {
    deliveries.retain(|generation| generation.strong_count() > 0);
}

/// The accounts that still hold deliveries of these.
fn accounts(deliveries: &[Weak<Generation>]) -> Vec<Arc<Account>> {
    let generations = deliveries.iter().filter_map(Weak::upgrade);
    let mut accounts: Vec<_> =
        generations.map(|generation| Arc::clone(generation.account())).collect();
    accounts.sort_unstable_by_key(|account| account.id);
    accounts.dedup_by_key(|account| account.id);
    accounts
}
