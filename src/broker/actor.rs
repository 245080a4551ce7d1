use std::{
    num::NonZeroU64,
    pin::Pin,
    sync::Arc,
    task::{Context as PollContext, Poll},
    time::Duration,
};

use actix::{fut::ActorFuture, prelude::*};
use tokio::time::Instant;

use super::{
    fanout::{BATCH, Patience, rounds_per_turn},
    fences::{Closing, Fence},
    subscription::{Door, Member, Outlet},
};
use crate::{
    clock::{Alarm, WallClock},
    error::SubscribeError,
    event::{Draft, EventKind, TypeSet},
    fair::{OthersFirst, Turn},
    resilient::PanicBudget,
    subscriber::{Account, Hosts, Round},
    supervisor::Board,
    worker::{Dispose, HostSubscriber},
};

/// The actor that passes lifecycle events on to subscribers. It has no messages for applications:
/// subscribe by [`SupervisorHandle::subscribe`](crate::SupervisorHandle::subscribe).
pub struct Broker {
    pub(super) board: Arc<Board>,
    pub(super) members: Vec<Member>,
    /// Subscriptions that have ended and whose deliveries are still out. Their recipients are kept for so
    /// long: an actor whose last address goes while mail arrives may stop without handling it.
    pub(super) leaving: Vec<Member>,
    next_id: u64,
    next_seq: u64,
    /// Numbered and not yet sent out.
    pub(super) pending: Round,
    /// Tells when they were made.
    wall_clock: WallClock,
    patience: Patience,
    /// How many full rounds may still go out in this turn; 0: that is to be seen at the next one.
    rounds_left: u64,
    /// Whether news of a panic are pending: they wait for the end of the mailbox and no longer.
    has_news: bool,
    /// Whether rounds may wait for more: every subscription has room for two full ones.
    may_gather: bool,
    pub(super) fences: Vec<Fence>,
    pub(super) closing: Option<Closing>,
    hosts: Hosts,
    others: OthersFirst,
    panics: PanicBudget,
}

impl Broker {
    /// Its future is to be held by these others.
    pub(crate) fn new(board: Arc<Board>, hosts: Hosts, others: OthersFirst) -> Self {
        Self {
            board,
            members: Vec::new(),
            leaving: Vec::new(),
            next_id: 1,
            next_seq: 1,
            pending: Round::default(),
            wall_clock: WallClock::read(),
            patience: Patience::since(Instant::now()),
            rounds_left: 0,
            has_news: false,
            may_gather: true,
            fences: Vec::new(),
            closing: None,
            hosts,
            others,
            panics: PanicBudget::default(),
        }
    }

    // ---- events in and out ----

    pub(super) fn number(&mut self, draft: Draft, not_for: Option<NonZeroU64>) {
        if self.pending.len() >= BATCH {
            self.fan_out(); // so many are news of panics: a full round of others has gone out already
        }
        if self.pending.len() == 0 {
            self.wall_clock = WallClock::read();
            self.patience = Patience::since(draft.at);
        }
        self.patience.see(draft.at);
        self.pending.push(draft.numbered(self.next_seq, &mut self.wall_clock, not_for));
        self.next_seq += 1;
    }

    /// Sends out full rounds at once; what is less waits for the end of the mailbox, and perhaps for more.
    pub(super) fn fan_out_full_rounds(&mut self, ctx: &mut Context<Self>) {
        if self.pending.len() < BATCH {
            return;
        }
        if self.rounds_left == 0 {
            self.rounds_left = rounds_per_turn(self.members.iter().map(Member::appetite));
        }
        self.fan_out();
        self.rounds_left -= 1;
        if self.rounds_left == 0 {
            // Subscribers on this thread get their turn before more rounds fill their bounds.
            ctx.wait(Turn::default());
        }
    }

    /// Sends out what is pending, and what that brings: news of panics.
    pub(super) fn fan_out(&mut self) {
        while self.pending.len() > 0 {
            let mut round = std::mem::take(&mut self.pending);
            round.close();
            let round = Arc::new(round);
            self.members.iter_mut().for_each(|member| member.take(&round));
            self.let_go_of(round);
            self.drop_the_dead();
        }
        self.has_news = false;
    }

    /// Lets go of what was sent. If nobody has it, it goes where its users' values may be dropped; whether somebody
    /// has it is decided by letting go of it, for a subscriber may do so at the same moment.
    fn let_go_of(&self, round: Arc<Round>) {
        if let Some(unwanted) = Arc::into_inner(round).filter(Round::holds_user_value)
            && let Some(worker) = self.hosts.any()
        {
            worker.do_send(Dispose(Box::new(unwanted)));
        }
    }

    /// The mailbox is empty: what is pending goes out now, or waits for more until the next look; `true`: it waits.
    fn waits_for_more(&mut self) -> bool {
        if self.pending.len() == 0 {
            return false;
        }
        if self.may_gather && !self.has_news && self.patience.waits(self.pending.len()) {
            return true;
        }
        self.fan_out();
        false
    }

    // ---- subscriptions ----

    pub(super) fn subscribe(
        &mut self,
        outlet: Outlet,
        name: String,
        filter: crate::event::EventFilter,
        capacity: usize,
        has_snapshot: bool,
    ) -> Result<Arc<Account>, SubscribeError> {
        if self.closing.is_some() {
            return Err(SubscribeError::ShuttingDown);
        }
        let door = self.open(outlet)?;
        // What is pending is older than this subscription.
        self.fan_out();
        let account = Arc::new(Account::new(self.next_id, name, capacity, Arc::clone(&self.board)));
        self.next_id += 1;
        self.members.push(Member::new(Arc::clone(&account), door, filter, has_snapshot));
        self.raise_interest();
        Ok(account)
    }

    fn open(&mut self, outlet: Outlet) -> Result<Door, SubscribeError> {
        match outlet {
            Outlet::Single(recipient) => Ok(Door::Single(recipient)),
            Outlet::Batch(recipient) => Ok(Door::Batch(recipient)),
            Outlet::Hosted { recipient, start, lodging } => {
                let host = self.hosts.choose(lodging)?;
                host.do_send(HostSubscriber(start));
                Ok(Door::Batch(recipient))
            }
        }
    }

    pub(super) fn member(&mut self, id: u64) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.account.id == id)
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Member> {
        let place = self.members.iter().position(|member| member.account.id == id)?;
        let member = self.members.remove(place);
        self.raise_interest();
        Some(member)
    }

    /// Says goodbye to a subscription (B5).
    pub(super) fn dismiss(&mut self, mut member: Member) {
        member.end();
        self.leaving.push(member);
        self.let_go();
    }

    /// Drops those who have handled everything.
    pub(super) fn let_go(&mut self) {
        self.leaving.retain_mut(|member| !member.deliveries().is_empty());
    }

    fn drop_the_dead(&mut self) {
        let mut dead: Vec<_> =
            self.members.extract_if(.., |member| !member.is_connected()).collect();
        if dead.is_empty() {
            return;
        }
        self.raise_interest();
        for member in &mut dead {
            if member.take_panic() {
                self.tell_panic(&member.account, None);
            }
        }
    }

    /// Looks again at what the subscriptions have in common.
    pub(super) fn raise_interest(&mut self) {
        let wanted = self.members.iter().map(|member| member.filter.types());
        self.board.interest.set(wanted.fold(TypeSet::NONE, TypeSet::union));
        let has_room = |member: &Member| member.account.capacity() >= 2 * BATCH as u64;
        self.may_gather = self.members.iter().all(has_room);
    }

    /// Tells of a subscriber's panic to all others (B4).
    pub(super) fn tell_panic(&mut self, account: &Account, text: Option<String>) {
        log::error!("subscriber {} panicked: {}", account.name, text.as_deref().unwrap_or("-"));
        let (subscriber, text) = (account.name.as_str().into(), text.map(Into::into));
        let kind = EventKind::SubscriberPanicked { subscriber, text };
        self.number(Draft::of_supervisor(kind), NonZeroU64::new(account.id));
        self.has_news = true;
    }
}

impl Actor for Broker {
    type Context = Context<Self>;

    /// Runs again after each restart: sets up what a restart loses.
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Turns::default());
    }
}

impl Supervised for Broker {
    fn restarting(&mut self, ctx: &mut Self::Context) {
        if !self.panics.spend(Instant::now()) {
            ctx.stop();
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // None is left after a close in good order (B5).
        self.members.iter_mut().for_each(Member::end);
        self.hosts.stop();
        if self.closing.is_none() {
            // Ended by a defect, or with its runtime: `Registry` hears of it like of any end. After a
            // close in good order this second report finds `Registry` past caring.
            let _ = super::messages::CloseBroker::new(&self.board, Duration::ZERO);
        }
    }
}

/// What it does when its mailbox is empty: it sends out what is pending, and looks at its one timer, for fences
/// and the end.
#[derive(Default)]
struct Turns {
    alarm: Alarm,
}

impl ActorFuture<Broker> for Turns {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        broker: &mut Broker,
        ctx: &mut Context<Broker>,
        cx: &mut PollContext<'_>,
    ) -> Poll<()> {
        let turns = self.get_mut();
        broker.rounds_left = 0;
        // While the turn after a full round is due, what is pending waits for it.
        if !ctx.waiting() && broker.waits_for_more() {
            broker.others.wait();
        }
        loop {
            if broker.has_closed() {
                ctx.stop();
                return Poll::Ready(());
            }
            let next = broker.next_deadline();
            turns.alarm.set(next);
            if next.is_none() || !turns.alarm.has_rung(Instant::now()) {
                turns.alarm.arm(cx);
                return Poll::Pending;
            }
            broker.look_at_fences();
        }
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("subscriptions", &self.members.len()).finish_non_exhaustive()
    }
}
