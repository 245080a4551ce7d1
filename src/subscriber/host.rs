//! The actor around a subscriber that is a plain value.

use std::sync::Arc;

use actix::prelude::*;

use super::{
    delivery::{Account, LifecycleBatch},
    spec::Subscribe,
};
use crate::{
    broker::SubscriberFailed,
    contain::{Contained, contained},
};

/// A value that panics so many times in a row is dropped.
const PANICS_IN_A_ROW: u32 = 3;

/// Calls the value, one event at a time, each call contained.
pub(super) struct Host<S: Subscribe> {
    subscriber: Contained<S>,
    panics_in_a_row: u32,
}

impl<S: Subscribe> Host<S> {
    pub(super) fn new(subscriber: S) -> Self {
        Self { subscriber: Contained::new(subscriber), panics_in_a_row: 0 }
    }

    /// One call; `false`: it was one panic too many.
    fn call(&mut self, account: &Arc<Account>, call: impl FnOnce(&mut S)) -> bool {
        let Some(subscriber) = self.subscriber.get_mut() else {
            return false;
        };
        let Err(text) = contained(|| call(subscriber)) else {
            self.panics_in_a_row = 0;
            return true;
        };
        self.panics_in_a_row += 1;
        let is_final = self.panics_in_a_row >= PANICS_IN_A_ROW;
        let subscription = account.id;
        account.board.broker.do_send(SubscriberFailed { subscription, text, is_final });
        !is_final
    }

    fn call_all(&mut self, msg: &LifecycleBatch) -> bool {
        let account = msg.account();
        if msg.lost() > 0 && !self.call(account, |subscriber| subscriber.on_lost(msg.lost())) {
            return false;
        }
        if let Some(statuses) = msg.snapshot()
            && !self.call(account, |subscriber| subscriber.on_snapshot(statuses))
        {
            return false;
        }
        let mut events = msg.events();
        events.all(|event| self.call(account, |subscriber| subscriber.on_event(event)))
    }
}

impl<S: Subscribe> Actor for Host<S> {
    type Context = Context<Self>;
}

// The value is only ever reached through `&mut self`; the actor's future is not pinned structurally.
impl<S: Subscribe> Unpin for Host<S> {}

impl<S: Subscribe> Handler<LifecycleBatch> for Host<S> {
    type Result = ();

    fn handle(&mut self, msg: LifecycleBatch, ctx: &mut Self::Context) {
        if !self.call_all(&msg) || msg.ended() {
            ctx.stop();
        }
    }
}
