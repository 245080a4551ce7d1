//! The floor: the least that does the same by hand, a table of queues that is owned by one Tokio task or by
//! one actor.
//!
//! One owner per slot, three policies. No priority, no deadline, no limit, no cancel, no task names, no status, no
//! caught panic, no events, no history, no bound on commands, and nobody told of a task that vanishes.

use std::{
    collections::{HashMap, VecDeque},
    error::Error,
    sync::Arc,
    thread::JoinHandle,
};

use actix::prelude::*;
use futures::future::{LocalBoxFuture, ready};
use tokio::sync::{mpsc, oneshot};

use crate::{Desk, Place, Policy, Work};

type BareResult = Result<(), Arc<dyn Error + Send + Sync>>;
type BareJob = Box<dyn FnOnce() -> LocalBoxFuture<'static, BareResult> + Send>;

pub(crate) struct BareSubmission {
    slot: Arc<str>,
    policy: Policy,
    job: BareJob,
}

pub(crate) struct BareHandle {
    slot: Arc<str>,
    id: u64,
    outcome: oneshot::Receiver<BareResult>,
}

#[derive(Message)]
#[rtype(result = "()")]
enum BareCommand {
    Submit(BareSubmission, oneshot::Sender<Result<BareHandle, BareSubmission>>),
    Ended(Arc<str>, BareResult),
    Place(Arc<str>, u64, oneshot::Sender<Option<usize>>),
    All(oneshot::Sender<Vec<(Arc<str>, Vec<u64>)>>),
    Close,
}

#[derive(Default)]
struct BareTable {
    slots: HashMap<Arc<str>, BareSlot>,
    last_id: u64,
}

/// A slot with an owner.
struct BareSlot {
    /// Those who want the owner's outcome.
    outcomes: Vec<oneshot::Sender<BareResult>>,
    queue: VecDeque<BareWaiter>,
}

struct BareWaiter {
    id: u64,
    job: BareJob,
    outcome: oneshot::Sender<BareResult>,
}

impl BareTable {
    fn handle(&mut self, command: BareCommand, to_self: &BareAddr) {
        match command {
            BareCommand::Submit(submission, answer) => {
                let _ = answer.send(self.submit(submission, to_self));
            }
            BareCommand::Ended(slot, result) => self.ended(slot, &result, to_self),
            BareCommand::Place(slot, id, answer) => {
                let queue = self.slots.get(&slot).map(|slot| &slot.queue);
                let place = queue.and_then(|queue| queue.iter().position(|w| w.id == id));
                let _ = answer.send(place.map(|place| place + 1));
            }
            BareCommand::All(answer) => {
                let slots = self.slots.iter();
                let ids = |slot: &BareSlot| slot.queue.iter().map(|waiter| waiter.id).collect();
                let _ =
                    answer.send(slots.map(|(key, slot)| (Arc::clone(key), ids(slot))).collect());
            }
            BareCommand::Close => {}
        }
    }

    fn submit(
        &mut self,
        submission: BareSubmission,
        to_self: &BareAddr,
    ) -> Result<BareHandle, BareSubmission> {
        self.last_id += 1;
        let (id, key) = (self.last_id, Arc::clone(&submission.slot));
        let (outcome, answer) = oneshot::channel();
        let handle = BareHandle { slot: key, id, outcome: answer };
        match (self.slots.get_mut(&submission.slot), submission.policy) {
            (None, _) => {
                let slot = BareSlot { outcomes: vec![outcome], queue: VecDeque::new() };
                self.slots.insert(Arc::clone(&submission.slot), slot);
                start(submission.slot, submission.job, to_self);
            }
            (Some(slot), Policy::Queue) => {
                slot.queue.push_back(BareWaiter { id, job: submission.job, outcome });
            }
            (Some(_), Policy::DropIfRunning) => return Err(submission),
            (Some(slot), Policy::Attach) => slot.outcomes.push(outcome),
        }
        Ok(handle)
    }

    fn ended(&mut self, key: Arc<str>, result: &BareResult, to_self: &BareAddr) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        for outcome in slot.outcomes.drain(..) {
            let _ = outcome.send(result.clone());
        }
        if let Some(next) = slot.queue.pop_front() {
            slot.outcomes.push(next.outcome);
            start(key, next.job, to_self);
        } else {
            self.slots.remove(&key);
        }
    }
}

fn start(slot: Arc<str>, job: BareJob, to_table: &BareAddr) {
    let to_table = to_table.clone();
    drop(tokio::task::spawn_local(async move {
        let result = job().await;
        to_table.send(BareCommand::Ended(slot, result));
    }));
}

/// The way to the owner of the table.
#[derive(Clone)]
enum BareAddr {
    Task(mpsc::UnboundedSender<BareCommand>),
    Actor(Addr<BareActor>),
}

impl BareAddr {
    fn send(&self, command: BareCommand) {
        match self {
            Self::Task(sender) => drop(sender.send(command)),
            Self::Actor(addr) => addr.do_send(command),
        }
    }
}

struct BareActor(BareTable);

impl Actor for BareActor {
    type Context = Context<Self>;
}

impl Handler<BareCommand> for BareActor {
    type Result = ();

    fn handle(&mut self, msg: BareCommand, ctx: &mut Self::Context) {
        if matches!(msg, BareCommand::Close) {
            ctx.stop();
        }
        self.0.handle(msg, &BareAddr::Actor(ctx.address()));
    }
}

/// The least that does the same by hand.
pub(crate) struct Bare {
    addr: BareAddr,
    thread: Option<BareThread>,
}

enum BareThread {
    Tokio(JoinHandle<()>),
    Arbiter(Arbiter),
}

impl Bare {
    pub(crate) fn on_a_task(place: Place) -> Self {
        let (sender, mut commands) = mpsc::unbounded_channel();
        let addr = BareAddr::Task(sender);
        let to_self = addr.clone();
        let serve = async move {
            let mut table = BareTable::default();
            while let Some(command) = commands.recv().await {
                if matches!(command, BareCommand::Close) {
                    break;
                }
                table.handle(command, &to_self);
            }
        };
        let thread = match place {
            Place::Current => {
                drop(tokio::task::spawn_local(serve));
                None
            }
            Place::Dedicated => Some(BareThread::Tokio(std::thread::spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                let runtime = runtime.expect("a runtime can be had");
                tokio::task::LocalSet::new().block_on(&runtime, serve);
            }))),
        };
        Self { addr, thread }
    }

    pub(crate) fn on_an_actor(place: Place) -> Self {
        let table = BareTable::default();
        let (addr, thread) = match place {
            Place::Current => (BareActor(table).start(), None),
            Place::Dedicated => {
                let arbiter = Arbiter::new();
                let addr = BareActor::start_in_arbiter(&arbiter.handle(), |_| BareActor(table));
                (addr, Some(BareThread::Arbiter(arbiter)))
            }
        };
        Self { addr: BareAddr::Actor(addr), thread }
    }

    async fn ask<R>(&self, command: impl FnOnce(oneshot::Sender<R>) -> BareCommand) -> R {
        let (answer, answered) = oneshot::channel();
        self.addr.send(command(answer));
        answered.await.expect("the table is there")
    }
}

impl Desk for Bare {
    type Submission = BareSubmission;
    type Handle = BareHandle;
    type Refused = BareSubmission;

    fn submission(_: usize, slot: &Arc<str>, policy: Policy, work: Work) -> BareSubmission {
        let job: BareJob = match work {
            Work::Quick => Box::new(|| Box::pin(ready(Ok(())))),
            Work::Held(gate) => Box::new(|| {
                Box::pin(async move {
                    gate.pass().await;
                    Ok(())
                })
            }),
        };
        BareSubmission { slot: Arc::clone(slot), policy, job }
    }

    async fn submit(&self, submission: BareSubmission) -> Result<BareHandle, BareSubmission> {
        self.ask(|answer| BareCommand::Submit(submission, answer)).await
    }

    async fn outcome(handle: BareHandle) -> bool {
        matches!(handle.outcome.await, Ok(Ok(())))
    }

    async fn place(&self, handle: &BareHandle) -> usize {
        let slot = Arc::clone(&handle.slot);
        let place = self.ask(|answer| BareCommand::Place(slot, handle.id, answer)).await;
        place.expect("it waits")
    }

    async fn waiting(&self) -> usize {
        let slots = self.ask(BareCommand::All).await;
        slots.iter().map(|(_, waiting)| waiting.len()).sum()
    }

    async fn settle(&self) {
        // Owners leave the table before their outcomes can be seen; only those who were let go unasked may be left.
        while !self.ask(BareCommand::All).await.is_empty() {
            tokio::task::yield_now().await;
        }
    }

    async fn close(self) {
        self.addr.send(BareCommand::Close);
        match self.thread {
            None => {}
            Some(BareThread::Tokio(thread)) => thread.join().expect("no panic"),
            Some(BareThread::Arbiter(arbiter)) => {
                arbiter.stop();
                arbiter.join().expect("no panic");
            }
        }
    }
}
