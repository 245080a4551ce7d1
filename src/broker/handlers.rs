use std::sync::Arc;

use actix::prelude::*;

use super::{
    Broker,
    messages::{
        AwaitDelivery, CloseBroker, CreditBack, Publish, Resync, SnapshotTaken, Subscribe,
        SubscriberFailed, Unsubscribe,
    },
    subscription::Member,
};
use crate::registry::SnapshotWanted;

impl<const N: usize> Handler<Publish<N>> for Broker {
    type Result = ();

    fn handle(&mut self, msg: Publish<N>, ctx: &mut Self::Context) {
        for draft in msg.drafts {
            self.number(draft, None);
            self.fan_out_full_rounds(ctx);
        }
    }
}

impl Handler<Subscribe> for Broker {
    type Result = ();

    fn handle(&mut self, msg: Subscribe, _: &mut Self::Context) {
        let Subscribe { outlet, name, filter, capacity, has_snapshot, answer } = msg;
        let decision = self.subscribe(outlet, name, filter, capacity, has_snapshot);
        let id = decision.as_ref().ok().map(|account| account.id);
        if answer.send(decision).is_err() {
            // Nobody holds the guard: the subscription would live for ever.
            if let Some(member) = id.and_then(|id| self.remove(id)) {
                self.dismiss(member);
            }
            return;
        }
        if let Some(subscription) = id.filter(|_| has_snapshot) {
            // May not be dropped: the subscription waits for its snapshot.
            self.board.registry.do_send(SnapshotWanted { subscription });
        }
    }
}

impl Handler<Unsubscribe> for Broker {
    type Result = ();

    fn handle(&mut self, msg: Unsubscribe, _: &mut Self::Context) {
        self.fan_out();
        if let Some(member) = self.remove(msg.subscription) {
            self.dismiss(member);
        }
    }
}

impl Handler<Resync> for Broker {
    type Result = ();

    fn handle(&mut self, msg: Resync, _: &mut Self::Context) {
        self.fan_out();
        if let Some(member) = self.member(msg.subscription) {
            member.want_resync();
        }
        self.look_at_resync(msg.subscription);
    }
}

impl Handler<SnapshotTaken> for Broker {
    type Result = ();

    fn handle(&mut self, msg: SnapshotTaken, _: &mut Self::Context) {
        // What is pending was published before the members were read, or is newer by its version.
        self.fan_out();
        if let Some(member) = self.member(msg.subscription) {
            member.snapshot(&msg.members);
        }
        self.look_at_resync(msg.subscription);
    }
}

impl Handler<CreditBack> for Broker {
    type Result = ();

    fn handle(&mut self, msg: CreditBack, _: &mut Self::Context) {
        if let Some(member) = self.member(msg.subscription) {
            member.tell_loss();
            let account = Arc::clone(&member.account);
            if member.take_panic() {
                self.tell_panic(&account, None);
            }
        }
        self.look_at_resync(msg.subscription);
        self.let_go();
        self.look_at_fences();
    }
}

impl Broker {
    fn look_at_resync(&mut self, subscription: u64) {
        if self.member(subscription).is_some_and(Member::begin_resync) {
            // May not be dropped: the subscription waits for it.
            self.board.registry.do_send(SnapshotWanted { subscription });
        }
    }
}

impl Handler<SubscriberFailed> for Broker {
    type Result = ();

    fn handle(&mut self, msg: SubscriberFailed, _: &mut Self::Context) {
        let Some(member) = self.member(msg.subscription) else {
            return;
        };
        let account = Arc::clone(&member.account);
        self.tell_panic(&account, Some(msg.text));
        if msg.is_final {
            self.fan_out();
            self.remove(msg.subscription);
        }
    }
}

impl Handler<AwaitDelivery> for Broker {
    type Result = ();

    fn handle(&mut self, msg: AwaitDelivery, _: &mut Self::Context) {
        self.await_delivery(msg.within, msg.answer);
    }
}

impl Handler<CloseBroker> for Broker {
    type Result = ();

    fn handle(&mut self, msg: CloseBroker, _: &mut Self::Context) {
        self.close(msg.drain, msg.receipt);
    }
}

#[cfg(test)]
impl Handler<super::messages::Fault> for Broker {
    type Result = ();

    fn handle(&mut self, _: super::messages::Fault, _: &mut Self::Context) {
        panic!("asked to, by a test");
    }
}
