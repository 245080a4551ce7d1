//! Waiting for deliveries: `events_delivered`, `after_events`, and the end.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{actor::Broker, messages::Receipt, subscription::Member};
use crate::{clock::moment, contain::Answer, subscriber::Account};

/// Somebody waits until accounts have had back what was sent to them.
pub(super) struct Fence {
    targets: Vec<(Arc<Account>, u64)>,
    deadline: Option<Instant>,
    answer: Answer<bool>,
}

/// The end: the same, for everything, with a receipt.
pub(super) struct Closing {
    targets: Vec<(Arc<Account>, u64)>,
    deadline: Option<Instant>,
    receipt: Receipt,
}

impl Broker {
    pub(super) fn await_delivery(&mut self, within: Duration, answer: Answer<bool>) {
        self.fan_out();
        let deadline = moment(Instant::now(), within);
        self.fences.push(Fence { targets: self.targets(), deadline, answer });
        self.look_at_fences();
    }

    pub(super) fn close(&mut self, drain: Duration, receipt: Receipt) {
        self.fan_out();
        let accounts: Vec<_> =
            self.members.iter().map(|member| Arc::clone(&member.account)).collect();
        self.members.drain(..).for_each(Member::end);
        self.raise_interest();
        let targets = accounts.into_iter().map(|account| (Arc::clone(&account), account.sent()));
        let (targets, deadline) = (targets.collect(), moment(Instant::now(), drain));
        self.closing = Some(Closing { targets, deadline, receipt });
        self.look_at_fences();
    }

    fn targets(&self) -> Vec<(Arc<Account>, u64)> {
        let accounts = self.members.iter().map(|member| &member.account);
        accounts.map(|account| (Arc::clone(account), account.sent())).collect()
    }

    /// Answers those whose wait is over, by deliveries or by time.
    pub(super) fn look_at_fences(&mut self) {
        let now = Instant::now();
        for mut fence in std::mem::take(&mut self.fences) {
            wait_on(&mut fence.targets);
            let is_over = fence.deadline.is_some_and(|deadline| deadline <= now);
            if fence.targets.is_empty() || is_over {
                // An error says that nobody waits any more.
                let _ = fence.answer.send(fence.targets.is_empty());
            } else if !fence.answer.is_closed() {
                self.fences.push(fence);
            }
        }
        if let Some(closing) = &mut self.closing {
            wait_on(&mut closing.targets);
        }
    }

    /// Whether the end has been reached; then the receipt goes out.
    pub(super) fn has_closed(&mut self) -> bool {
        let now = Instant::now();
        let is_over = |closing: &Closing| {
            closing.targets.is_empty() || closing.deadline.is_some_and(|deadline| deadline <= now)
        };
        if !self.closing.as_ref().is_some_and(is_over) {
            return false;
        }
        if let Some(mut closing) = self.closing.take() {
            let left = closing.targets.iter().map(|(account, _)| account.outstanding());
            closing.receipt.undelivered = left.sum();
        }
        true
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let closing = self.closing.as_ref().and_then(|closing| closing.deadline);
        self.fences.iter().filter_map(|fence| fence.deadline).chain(closing).min()
    }
}

/// Leaves the accounts that still owe something, and asks them for notice.
fn wait_on(targets: &mut Vec<(Arc<Account>, u64)>) {
    targets.retain(|(account, sent)| {
        account.ask_for_notice();
        !account.has_returned(*sent)
    });
}
