use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context as PollContext, Poll},
    time::Duration,
};

use actix::{fut::ActorFuture, prelude::*};
use tokio::{sync::oneshot, time::Instant};

use super::{
    delivery::Account,
    fanout::Numbered,
    messages::{FanOut, Receipt},
    subscription::{Door, Member, Outlet, Round},
};
use crate::{
    clock::{Alarm, moment},
    error::{StartError, SubscribeError},
    event::{Draft, EventKind, TypeSet},
    resilient::PanicBudget,
    supervisor::{Board, Prepared, SystemThread},
    worker::{HostSubscriber, Place, StopWorker, Worker},
};

/// Events in one delivery, at the most.
pub(super) const BATCH: usize = 64;

/// The actor that passes lifecycle events on to subscribers. It has no messages for applications:
/// subscribe by [`SupervisorHandle::subscribe`](crate::SupervisorHandle::subscribe).
pub struct Broker {
    pub(super) board: Arc<Board>,
    pub(super) members: Vec<Member>,
    next_id: u64,
    next_seq: u64,
    /// Numbered and not yet sent out.
    pub(super) pending: Vec<Numbered>,
    pub(super) is_fan_out_due: bool,
    fences: Vec<Fence>,
    closing: Option<Closing>,
    hosts: Hosts,
    panics: PanicBudget,
}

/// Somebody waits until accounts have had back what was sent to them.
struct Fence {
    targets: Vec<(Arc<Account>, u64)>,
    deadline: Option<Instant>,
    answer: oneshot::Sender<bool>,
}

/// The end: the same, for everything, with a receipt.
struct Closing {
    targets: Vec<(Arc<Account>, u64)>,
    deadline: Option<Instant>,
    receipt: Receipt,
}

/// Where subscribers that are no actors live.
pub(crate) struct Hosts {
    /// The workers of tasks.
    pub(crate) workers: Vec<Addr<Worker>>,
    /// The thread for subscribers, started when the first one needs it.
    pub(crate) own: OwnHost,
}

pub(crate) enum OwnHost {
    /// `Placement::Current`: subscribers share the one worker.
    Shared,
    /// The name of the thread, and where its handle goes: taken out by the supervisor's thread at the
    /// very end, when this actor is gone.
    NotStarted {
        name: String,
        threads: Arc<Mutex<Vec<SystemThread>>>,
    },
    Started(Addr<Worker>),
}

impl Broker {
    pub(crate) fn new(board: Arc<Board>, hosts: Hosts) -> Self {
        Self {
            board,
            members: Vec::new(),
            next_id: 1,
            next_seq: 1,
            pending: Vec::new(),
            is_fan_out_due: false,
            fences: Vec::new(),
            closing: None,
            hosts,
            panics: PanicBudget::default(),
        }
    }

    // ---- events in and out ----

    pub(super) fn number(&mut self, draft: Draft, not_for: Option<u64>) {
        let version = draft.version;
        let event = Arc::new(draft.numbered(self.next_seq));
        self.next_seq += 1;
        self.pending.push(Numbered {
            event,
            version,
            not_for,
        });
    }

    /// Fans out what is pending now, or behind what else is in the mailbox.
    pub(super) fn schedule(&mut self, ctx: &mut Context<Self>) {
        if self.pending.len() >= BATCH {
            self.fan_out();
            // Subscribers on this thread get their turn before the next batch fills their bounds.
            ctx.wait(crate::fair::Turn::default());
        } else if !self.is_fan_out_due && !self.pending.is_empty() {
            self.is_fan_out_due = true;
            self.board.broker.do_send(FanOut); // to itself, one at a time
        }
    }

    pub(super) fn fan_out(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        for events in pending.chunks(BATCH) {
            let mut round = Round {
                events,
                shared: None,
            };
            for member in &mut self.members {
                member.take(&mut round);
            }
        }
        self.drop_the_dead();
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
        let account = Arc::new(Account::new(
            self.next_id,
            name,
            capacity,
            Arc::clone(&self.board),
        ));
        self.next_id += 1;
        self.members.push(Member::new(
            Arc::clone(&account),
            door,
            filter,
            has_snapshot,
        ));
        self.raise_interest();
        Ok(account)
    }

    fn open(&mut self, outlet: Outlet) -> Result<Door, SubscribeError> {
        match outlet {
            Outlet::Single(recipient) => Ok(Door::Single(recipient)),
            Outlet::Batch(recipient) => Ok(Door::Batch(recipient)),
            Outlet::Hosted {
                recipient,
                start,
                on_worker,
            } => {
                let host = self.hosts.choose(on_worker, &self.board)?;
                host.do_send(HostSubscriber(start));
                Ok(Door::Batch(recipient))
            }
        }
    }

    pub(super) fn member(&mut self, id: u64) -> Option<&mut Member> {
        self.members
            .iter_mut()
            .find(|member| member.account.id == id)
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Member> {
        let place = self
            .members
            .iter()
            .position(|member| member.account.id == id)?;
        let member = self.members.remove(place);
        self.raise_interest();
        Some(member)
    }

    fn drop_the_dead(&mut self) {
        let before = self.members.len();
        self.members.retain(Member::is_connected);
        if self.members.len() != before {
            self.raise_interest();
        }
    }

    fn raise_interest(&self) {
        let wanted = self.members.iter().map(|member| member.filter.types());
        self.board
            .interest
            .set(wanted.fold(TypeSet::NONE, TypeSet::union));
    }

    /// Tells of a subscriber's panic to all others (B4).
    pub(super) fn tell_panic(&mut self, account: &Account, text: Option<String>) {
        log::error!(
            "subscriber {} panicked: {}",
            account.name,
            text.as_deref().unwrap_or("-")
        );
        let kind = EventKind::SubscriberPanicked {
            subscriber: account.name.clone(),
            text,
        };
        self.number(Draft::of_supervisor(kind), Some(account.id));
    }

    // ---- waiting for deliveries ----

    pub(super) fn await_delivery(&mut self, within: Duration, answer: oneshot::Sender<bool>) {
        self.fan_out();
        let deadline = moment(Instant::now(), within);
        self.fences.push(Fence {
            targets: self.targets(),
            deadline,
            answer,
        });
        self.look_at_fences();
    }

    pub(super) fn close(&mut self, drain: Duration, receipt: Receipt) {
        self.fan_out();
        let accounts: Vec<_> = self
            .members
            .iter()
            .map(|member| Arc::clone(&member.account))
            .collect();
        self.members.drain(..).for_each(Member::end);
        self.raise_interest();
        let targets = accounts
            .into_iter()
            .map(|account| (Arc::clone(&account), account.sent()));
        let (targets, deadline) = (targets.collect(), moment(Instant::now(), drain));
        self.closing = Some(Closing {
            targets,
            deadline,
            receipt,
        });
        self.look_at_fences();
    }

    fn targets(&self) -> Vec<(Arc<Account>, u64)> {
        let accounts = self.members.iter().map(|member| &member.account);
        accounts
            .map(|account| (Arc::clone(account), account.sent()))
            .collect()
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
    fn has_closed(&mut self) -> bool {
        let now = Instant::now();
        let is_over = |closing: &Closing| {
            closing.targets.is_empty() || closing.deadline.is_some_and(|deadline| deadline <= now)
        };
        if !self.closing.as_ref().is_some_and(is_over) {
            return false;
        }
        if let Some(mut closing) = self.closing.take() {
            let left = closing
                .targets
                .iter()
                .map(|(account, _)| account.outstanding());
            closing.receipt.undelivered = left.sum();
        }
        true
    }

    fn next_deadline(&self) -> Option<Instant> {
        let closing = self.closing.as_ref().and_then(|closing| closing.deadline);
        self.fences
            .iter()
            .filter_map(|fence| fence.deadline)
            .chain(closing)
            .min()
    }
}

/// Leaves the accounts that still owe something, and asks them for notice.
fn wait_on(targets: &mut Vec<(Arc<Account>, u64)>) {
    targets.retain(|(account, sent)| {
        account.ask_for_notice();
        !account.has_returned(*sent)
    });
}

impl Hosts {
    fn choose(
        &mut self,
        on_worker: bool,
        board: &Arc<Board>,
    ) -> Result<&Addr<Worker>, SubscribeError> {
        if !on_worker && !matches!(self.own, OwnHost::Shared) {
            return self.own.started(board).map_err(SubscribeError::Thread);
        }
        self.workers
            .iter()
            .find(|worker| worker.connected())
            .ok_or(SubscribeError::NoWorker)
    }
}

impl OwnHost {
    fn started(&mut self, board: &Arc<Board>) -> Result<&Addr<Worker>, StartError> {
        if let Self::NotStarted { name, threads } = self {
            let prepared = Prepared::new(name.clone())?;
            let (addr, mailbox) = Worker::channel();
            let board = Arc::clone(board);
            let begin = move || Worker::launch(mailbox, Place::SubscriberThread, board);
            let thread = prepared.spawn(begin, || {})?;
            threads
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(thread);
            *self = Self::Started(addr);
        }
        match self {
            Self::Started(addr) => Ok(addr),
            Self::Shared | Self::NotStarted { .. } => Err(StartError::NoSystem),
        }
    }
}

impl Actor for Broker {
    type Context = Context<Self>;

    /// Runs again after each restart: sets up what a restart loses.
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Clock::default());
        self.is_fan_out_due = false;
        self.schedule(ctx);
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
        if let OwnHost::Started(worker) = &self.hosts.own {
            worker.do_send(StopWorker);
        }
        if self.closing.is_none() {
            // Ended by a defect, or with its runtime: `Registry` hears of it like of any end. After a
            // close in good order this second report finds `Registry` past caring.
            let _ = super::messages::CloseBroker::new(&self.board, Duration::ZERO);
        }
    }
}

/// The one timer, for fences and the end.
#[derive(Default)]
struct Clock {
    alarm: Alarm,
    set_for: Option<Instant>,
}

impl ActorFuture<Broker> for Clock {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        broker: &mut Broker,
        ctx: &mut Context<Broker>,
        cx: &mut PollContext<'_>,
    ) -> Poll<()> {
        let clock = self.get_mut();
        loop {
            if broker.has_closed() {
                ctx.stop();
                return Poll::Ready(());
            }
            let next = broker.next_deadline();
            if next != clock.set_for {
                clock.set_for = next;
                clock.alarm.set(next);
            }
            if !clock.alarm.has_rung(cx) {
                return Poll::Pending;
            }
            clock.set_for = None;
            broker.look_at_fences();
        }
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker")
            .field("subscriptions", &self.members.len())
            .finish_non_exhaustive()
    }
}
