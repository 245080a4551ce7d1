//! The promises of `ledger/` and of the actor around it, one test each. Those of slots and permits by themselves are in
//! `ledger/tests/`. Here what the tests have in common.

mod actor;
mod answering;
mod books;
mod end;
mod slots;
mod torn;

use std::{
    collections::{BTreeSet, VecDeque},
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    task::{Context as PollContext, Poll, Wake, Waker},
    time::Duration,
};

use actix::prelude::{Addr, Handler, Message, MessageResult};
use futures::FutureExt;
use proptest::prelude::*;
use tokio::{sync::Notify, time::Instant};

use super::{
    AddTask, CancelTask, Command, Fault, Registry, SubmitTask,
    answers::Answers,
    ledger::{Ask, Deadlines, Permit, PermitPool, Refusal, Table, Titled},
};
use crate::{
    AddAllError, AddError, AddRefusal, Admission, BackoffPolicy, CancelCause, CancelEnd,
    EventFilter, EventType, InvalidSpec, Placement, QueryError, RejectionKind, RestartPolicy,
    ShutdownCause, SlotState, StopError, Submission, SubmissionHandle, Subscription,
    SubscriptionSpec, SupervisorBuilder, SupervisorHandle, TaskContext, TaskError, TaskId,
    TaskOutcome, TaskPhase, TaskRef, TaskSpec, TaskSupervisor, TaskTarget, WhenBusy,
    cell::Last,
    contain::Answer,
    resilient::PanicBudget,
    worker::{Crew, IDLE_RUNNERS, RunnersMade, Worker},
};

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited too long for {what}"),
    }
}

fn named(name: &str) -> TaskTarget {
    TaskTarget::from(name)
}

fn id(number: u64) -> TaskId {
    TaskId::from_number(number).unwrap()
}

fn current(set: impl FnOnce(SupervisorBuilder) -> SupervisorBuilder) -> SupervisorHandle {
    let builder = TaskSupervisor::builder().placement(Placement::Current).grace(SECOND * 5);
    set(builder).start().unwrap()
}

/// What happened, by type and name.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<(EventType, String)>>>);

impl Tape {
    async fn of(supervisor: &SupervisorHandle) -> (Self, Subscription) {
        let tape = Self::default();
        let copy = tape.clone();
        let record = SubscriptionSpec::from_fn(move |event| {
            let name = event.task.as_ref().map_or("", TaskRef::name).to_owned();
            copy.lock().push((event.kind.event_type(), name));
        });
        let subscription = supervisor.subscribe(record.filter(EventFilter::all())).await.unwrap();
        (tape, subscription)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(EventType, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of_task(&self, name: &str) -> Vec<EventType> {
        let all = self.lock();
        all.iter().filter(|(_, task)| task == name).map(|(kind, _)| *kind).collect()
    }
}

/// A task that ends when it is asked to.
fn idle(name: &str) -> TaskSpec {
    TaskSpec::once(name, async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    })
}

/// A task that completes when `gate` opens.
fn gated(name: &str, gate: &Arc<Notify>) -> TaskSpec {
    let gate = Arc::clone(gate);
    TaskSpec::once(name, async move |_| {
        gate.notified().await;
        Ok(())
    })
}

fn panic_in(supervisor: &SupervisorHandle) {
    supervisor.board().registry.do_send(Fault);
}

/// Lets the others on this thread have their turns.
async fn yield_turns(turns: usize) {
    for _ in 0..turns {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                Poll::Ready(())
            } else {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
    }
}

/// Does something to the registry, and panics then: a panic between two changes.
#[derive(Message)]
#[rtype(result = "()")]
struct Tear(fn(&mut Registry));

impl Handler<Tear> for Registry {
    type Result = ();

    fn handle(&mut self, msg: Tear, _: &mut Self::Context) {
        (msg.0)(self);
        panic!("asked to, by a test");
    }
}

/// Asks for the worker of a supervisor that has one.
#[derive(Message)]
#[rtype(result = "Option<Addr<Worker>>")]
struct TheWorker;

impl Handler<TheWorker> for Registry {
    type Result = Option<Addr<Worker>>;

    fn handle(&mut self, _: TheWorker, _: &mut Self::Context) -> Self::Result {
        self.crew.first()
    }
}

/// How much of those in slots is left in the registry: slots, places, work.
#[derive(Message)]
#[rtype(result = "[usize; 3]")]
struct Rest;

impl Handler<Rest> for Registry {
    type Result = MessageResult<Rest>;

    fn handle(&mut self, _: Rest, _: &mut Self::Context) -> Self::Result {
        let (slots, places) = (self.slots.iter().count(), self.slots.everyone().len());
        let parked = self.table.entries().filter(|entry| entry.mark.is_parked()).count();
        MessageResult([slots, places, parked])
    }
}

async fn nothing_is_left(supervisor: &SupervisorHandle) {
    within("the void", supervisor.wait_until_empty()).await;
    assert_eq!(supervisor.addr().send(Rest).await.unwrap(), [0; 3]);
}

/// A task that is over as soon as it starts.
fn quick(name: &str) -> TaskSpec {
    TaskSpec::once(name, async |_| Ok(()))
}

/// A task that tells that it runs, never ends by itself and never looks whether it should.
fn deaf(name: &str, runs: &Arc<Notify>) -> TaskSpec {
    let runs = Arc::clone(runs);
    TaskSpec::once(name, async move |_| {
        runs.notify_one();
        std::future::pending().await
    })
}

fn in_slot(spec: TaskSpec, when_busy: WhenBusy) -> Submission {
    Submission::new(spec).slot("k").when_busy(when_busy)
}

fn debounced(quiet: Duration) -> WhenBusy {
    WhenBusy::Debounce { quiet, max_wait: quiet * 10 }
}
