//! Whatever is submitted, released, canceled and shut down, in whatever order and at whatever moment: slots do
//! what their page says.
//!
//! One case is a supervisor on a paused clock, a list of acts, and bodies that run until they are told. After each act
//! all that can be seen is compared with a model, which is written from the documentation and not from the code:
//! answers, the order in which bodies begin, who lives, outcomes, `slots()` and `list()` to the millisecond.
//!
//! ```sh
//! cargo test --all-features --test slots_model                                       # 1,000 cases
//! PROPTEST_CASES=1000000 cargo test --release --all-features --test slots_model
//! ```

mod common;
#[path = "slots_model/model.rs"]
mod model;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    pin::{Pin, pin},
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix::prelude::*;
use actix_taskvisor::{
    messages::{CancelSlot, CancelTask},
    prelude::*,
};
use proptest::{collection::vec, option, prelude::*, sample::Index, test_runner::RngAlgorithm};
use tokio::{sync::oneshot, time::Instant};

use common::ms;
use model::{Ask, End, Limits, Model, Shown, ShownWaiter, Stage};

type Checked = Result<(), TestCaseError>;

// --- what is done -------------------------------------------------------------------------------

#[derive(Clone, Debug)]
enum Act {
    Submit(Draft),
    Add(Draft),
    /// The body of one that runs returns.
    Release {
        which: Index,
        fails: bool,
    },
    /// One of all who ever came.
    Cancel(Index),
    /// One of those who are not over.
    CancelLiving(Index),
    CancelSlot(&'static str, SlotScope),
    /// Time passes from one timer to the next.
    Step(u64),
    /// The clock jumps, and the next act comes before anybody has noticed.
    Jump(u64),
    ShutDown,
    ShutDownAfterQueues(u64),
}

/// An [`Ask`] whose name may depend on its id.
#[derive(Clone, Debug)]
struct Draft {
    /// `None`: one of its own.
    name: Option<&'static str>,
    /// `None`: the task's name.
    slot: Option<&'static str>,
    when_busy: WhenBusy,
    concurrency: Option<usize>,
    max_wait: Option<u64>,
    priority: i32,
    attach_displaced: bool,
    is_deaf: bool,
    fails_when_stopped: bool,
}

impl Draft {
    fn ask(&self, id: TaskId, is_submitted: bool) -> Ask {
        let number = id.get();
        let name = self.name.map_or_else(|| format!("own-{number}"), str::to_owned);
        let slot = self.slot.map_or_else(|| name.clone(), str::to_owned);
        Ask {
            name,
            slot: is_submitted.then_some(slot),
            when_busy: self.when_busy,
            concurrency: self.concurrency,
            max_wait: self.max_wait.map(ms),
            priority: self.priority,
            attach_displaced: self.attach_displaced,
            // Times are multiples of 50 otherwise: no two things that no page orders happen at one moment.
            deaf_for: self.is_deaf.then(|| ms(200 + number % 50)),
            fails_when_stopped: self.fails_when_stopped,
        }
    }
}

// --- bodies -------------------------------------------------------------------------------------

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    begun: Vec<TaskId>,
    alive: Vec<TaskId>,
}

impl Notes {
    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that is alive.
struct Alive(Notes, TaskId);

impl Alive {
    fn begin(notes: &Notes, id: TaskId) -> Self {
        let mut noted = notes.lock();
        noted.begun.push(id);
        noted.alive.push(id);
        Self(notes.clone(), id)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.lock().alive.retain(|&id| id != self.1);
    }
}

/// A task that runs until it is told how to end, or to stop.
fn spec(ask: &Ask, notes: &Notes) -> (TaskSpec, oneshot::Sender<bool>) {
    let (release, released) = oneshot::channel();
    let (notes, mut released) = (notes.clone(), Some(released));
    let (is_deaf, fails_when_stopped) = (ask.deaf_for.is_some(), ask.fails_when_stopped);
    let spec = TaskSpec::once(ask.name.as_str(), async move |ctx: TaskContext| {
        let _alive = Alive::begin(&notes, ctx.id());
        let released = released.take().expect("it runs once");
        let fails =
            if is_deaf { Some(released.await) } else { ctx.run_until_cancelled(released).await };
        match fails.map_or(fails_when_stopped, |fails| fails.expect("the case outlives it")) {
            true => Err(TaskError::failed("told to")),
            false => Ok(()),
        }
    });
    (ask.deaf_for.into_iter().fold(spec, TaskSpec::grace), release)
}

// --- one case -----------------------------------------------------------------------------------

struct Case {
    supervisor: SupervisorHandle,
    model: Model,
    began: Instant,
    notes: Notes,
    tasks: BTreeMap<TaskId, TaskHandle>,
    releases: BTreeMap<TaskId, oneshot::Sender<bool>>,
    report: Rc<RefCell<Option<ShutdownReport>>>,
}

impl Case {
    fn begin(limits: Limits) -> Self {
        let supervisor = common::current_with(|builder| {
            let set = |builder, value, set: fn(SupervisorBuilder, usize) -> SupervisorBuilder| {
                Option::into_iter(value).fold(builder, set)
            };
            let builder = set(builder, limits.max_slots, SupervisorBuilder::max_slots);
            let per_slot = limits.max_queued_per_slot;
            let builder = set(builder, per_slot, SupervisorBuilder::max_queued_per_slot);
            let builder = set(builder, limits.max_queued, SupervisorBuilder::max_queued);
            let builder = set(builder, limits.max_tasks, SupervisorBuilder::max_tasks);
            set(builder, limits.max_concurrent, SupervisorBuilder::max_concurrent)
        });
        Self {
            supervisor,
            model: Model::new(limits),
            began: Instant::now(),
            notes: Notes::default(),
            tasks: BTreeMap::new(),
            releases: BTreeMap::new(),
            report: Rc::default(),
        }
    }

    async fn act(&mut self, act: &Act) -> Checked {
        match act {
            Act::Submit(draft) => self.submit(draft).await?,
            Act::Add(draft) => self.add(draft).await?,
            Act::Release { which, fails } => {
                let running = self.model.running();
                if !running.is_empty() {
                    self.release(*which.get(&running), *fails);
                }
            }
            Act::Cancel(which) => self.cancel(which, self.tasks.keys().copied().collect()).await?,
            Act::CancelLiving(which) => {
                let is_over = |id: &TaskId| self.model.end_of(*id).is_some();
                let living = self.tasks.keys().copied().filter(|id| !is_over(id)).collect();
                self.cancel(which, living).await?;
            }
            Act::CancelSlot(slot, scope) => self.cancel_slot(slot, *scope).await?,
            Act::Step(time) => {
                let until = self.model.now + ms(*time);
                self.model.pass(until, false);
                tokio::time::sleep_until(self.began + until).await;
            }
            Act::Jump(time) => {
                let until = self.model.now + ms(*time);
                if self.model.next_end().is_some_and(|end| end <= until) {
                    return Ok(());
                }
                self.model.pass(until, true);
                poll_once(pin!(tokio::time::advance(ms(*time)))).await;
                // The next act comes first.
                return Ok(());
            }
            Act::ShutDown => {
                self.model.shut_down();
                let supervisor = self.supervisor.clone();
                self.end_by(async move { supervisor.shutdown().await }).await;
            }
            Act::ShutDownAfterQueues(within) => {
                self.model.shut_down_after_queues(ms(*within));
                let (supervisor, within) = (self.supervisor.clone(), ms(*within));
                self.end_by(async move { supervisor.shutdown_after_queues(within).await }).await;
            }
        }
        self.settle().await;
        self.compare().await
    }

    async fn submit(&mut self, draft: &Draft) -> Checked {
        let ask = draft.ask(self.model.next_id(), true);
        let (spec, release) = spec(&ask, &self.notes);
        let mut submission = Submission::new(spec).when_busy(ask.when_busy).priority(ask.priority);
        if let Some(slot) = draft.slot {
            submission = submission.slot(slot);
        }
        if let Some(owners) = ask.concurrency {
            submission = submission.concurrency(owners);
        }
        if let Some(longest) = ask.max_wait {
            submission = submission.max_wait(longest);
        }
        if ask.attach_displaced {
            submission = submission.attach_displaced();
        }
        let slot = ask.slot.clone();
        let expected = self.model.submit(ask);
        match self.supervisor.submit(submission).await {
            Ok(handle) => {
                let admission = match handle.admission() {
                    Admission::Delayed { delay, .. } => Admission::Delayed { delay, until: None },
                    other => other,
                };
                prop_assert_eq!(Ok((handle.id(), admission)), expected);
                prop_assert_eq!(Some(handle.slot()), slot.as_deref());
                self.tasks.insert(handle.id(), handle.task().clone());
                self.releases.insert(handle.id(), release);
            }
            Err(SubmitError::Rejected { kind, .. }) => prop_assert_eq!(Err(kind), expected),
            Err(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
        }
        Ok(())
    }

    async fn add(&mut self, draft: &Draft) -> Checked {
        let ask = draft.ask(self.model.next_id(), false);
        let (spec, release) = spec(&ask, &self.notes);
        let expected = self.model.add(ask);
        match self.supervisor.add(spec).await {
            Ok(task) => {
                prop_assert_eq!(Ok(task.id()), expected);
                self.releases.insert(task.id(), release);
                self.tasks.insert(task.id(), task);
            }
            Err(error) => {
                let why = match error {
                    AddError::AlreadyExists { owner, .. } => AddRefusal::AlreadyExists { owner },
                    AddError::LimitReached { limit, .. } => AddRefusal::LimitReached { limit },
                    AddError::ShuttingDown { .. } => AddRefusal::ShuttingDown,
                    other => return Err(TestCaseError::fail(format!("{other:?}"))),
                };
                prop_assert_eq!(Err(why), expected);
            }
        }
        Ok(())
    }

    fn release(&mut self, id: TaskId, fails: bool) {
        self.model.release(id, fails);
        let release = self.releases.remove(&id).expect("it was not released yet");
        release.send(fails).expect("its body waits");
    }

    async fn cancel(&mut self, which: &Index, among: Vec<TaskId>) -> Checked {
        if among.is_empty() || self.model.stage == Stage::Over {
            return Ok(());
        }
        let id = *which.get(&among);
        let expected = self.model.is_known(id).then(|| self.model.cancel(id));
        let answer = self.supervisor.addr().send(CancelTask::new(id)).await.expect("it lives");
        prop_assert_eq!(answer.ok().map(|answer| answer.asked_by_this_call()), expected);
        Ok(())
    }

    async fn cancel_slot(&mut self, slot: &str, scope: SlotScope) -> Checked {
        if self.model.stage == Stage::Over {
            return Ok(());
        }
        let expected = self.model.cancel_slot(slot, scope);
        let answer = self.supervisor.addr().send(CancelSlot::new(slot, scope)).await;
        let answer = answer.expect("it lives");
        let answer = answer.iter().map(|one| (one.task().id(), one.asked_by_this_call()));
        prop_assert_eq!(answer.collect::<Vec<_>>(), expected);
        Ok(())
    }

    async fn end_by(&self, end: impl Future<Output = ShutdownReport> + 'static) {
        let report = Rc::clone(&self.report);
        let mut waiting = Box::pin(async move {
            let got = end.await;
            *report.borrow_mut() = Some(got);
        });
        // The command is sent now.
        if !poll_once(waiting.as_mut()).await {
            actix::spawn(waiting);
        }
    }

    /// Everybody has turns until nobody has anything to do; the clock stands.
    async fn settle(&mut self) {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        self.model.settle();
    }

    // ---- comparing ----

    async fn compare(&mut self) -> Checked {
        let model = &self.model;
        prop_assert_eq!(Instant::now() - self.began, model.now);
        {
            let mut noted = self.notes.lock();
            prop_assert_eq!(&noted.begun, &model.bodies, "the order of starts");
            noted.alive.sort();
            prop_assert_eq!(&noted.alive, &model.running(), "bodies that are alive");
        }
        for (id, task) in &self.tasks {
            let status = task.status();
            prop_assert_eq!(status.phase, model.phase(*id), "the phase of {}", id);
            let end = status.outcome.as_ref().map(end_of).transpose()?;
            prop_assert_eq!(end, model.end_of(*id), "the outcome of {}", id);
            if model.is_member(*id) || end.is_some() {
                prop_assert_eq!(status.is_removed, end.is_some(), "the removal of {}", id);
            }
        }
        if model.stage == Stage::Over {
            prop_assert!(matches!(self.supervisor.slots().await, Err(QueryError::ShuttingDown)));
            return self.compare_report();
        }
        prop_assert!(self.report.borrow().is_none(), "it ended early");
        let slots = self.supervisor.slots().await.expect("it lives");
        prop_assert_eq!(slots.iter().map(shown).collect::<Vec<_>>(), model.shown());
        let list = self.supervisor.list().await.expect("it lives");
        let list: Vec<_> = list.iter().map(|one| (one.task.id(), one.position)).collect();
        let members = model.members().into_iter();
        let expected: Vec<_> = members.map(|id| (id, model.position(id))).collect();
        prop_assert_eq!(list, expected);
        Ok(())
    }

    fn compare_report(&self) -> Checked {
        let report = self.report.borrow();
        let report = report.as_ref().expect("the supervisor has ended");
        let of = |ended: &(TaskRef, TaskOutcome)| Ok((ended.0.id(), end_of(&ended.1)?));
        let mut ended = report.ended.iter().map(of).collect::<Result<Vec<_>, TestCaseError>>()?;
        let mut expected = self.model.ended_late.clone();
        ended.sort_by_key(|(id, _)| *id);
        expected.sort_by_key(|(id, _)| *id);
        prop_assert_eq!(ended, expected, "the report");
        Ok(())
    }

    /// Lets everything run to its end, and the slots forget.
    async fn work_off(&mut self) -> Checked {
        for _ in 0..500 {
            let is_idle = self.model.members().is_empty() && self.model.shown().is_empty();
            if self.model.stage == Stage::Over || is_idle {
                break;
            }
            match self.model.running().first() {
                Some(&id) => {
                    self.release(id, false);
                    self.settle().await;
                    self.compare().await?;
                }
                None => self.act(&Act::Step(50)).await?,
            }
        }
        if self.model.stage != Stage::Over {
            prop_assert!(self.supervisor.slots().await.expect("it lives").is_empty());
            prop_assert!(self.supervisor.is_empty().await.expect("it lives"));
            self.act(&Act::ShutDown).await?;
        }
        prop_assert_eq!(self.model.stage, Stage::Over);
        Ok(())
    }
}

/// How many turns the longest chain of messages takes, and some more.
const TURNS: usize = 8;

/// Whether it was ready.
async fn poll_once(mut future: Pin<&mut impl Future<Output = ()>>) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_ready())).await
}

fn end_of(outcome: &TaskOutcome) -> Result<End, TestCaseError> {
    Ok(match *outcome {
        TaskOutcome::Completed => End::Completed,
        TaskOutcome::Failed(_) => End::Failed,
        TaskOutcome::Canceled { cause, ref failure } => {
            End::Canceled { cause, failed: failure.is_some() }
        }
        TaskOutcome::ForceAborted { cause } => End::Forced { cause },
        TaskOutcome::Rejected { kind } => End::Rejected { kind },
        ref other => return Err(TestCaseError::fail(format!("{other:?}"))),
    })
}

fn shown(slot: &SlotStatus) -> Shown {
    let waiter = |waiter: &SlotWaiter| ShownWaiter {
        id: waiter.task.id(),
        position: waiter.position,
        age: waiter.age,
        priority: waiter.priority,
        times_out_in: waiter.times_out_in,
        due_in: waiter.due_in,
    };
    Shown {
        name: slot.name.to_string(),
        state: slot.state,
        in_use_for: slot.in_use_for,
        concurrency: slot.concurrency,
        owners: slot.owners.iter().map(|owner| owner.task.id()).collect(),
        queue: slot.queue.iter().map(waiter).collect(),
        attached: slot.attached,
        opens_in: slot.opens_in,
    }
}

async fn case(limits: Limits, acts: Vec<Act>) -> Checked {
    let mut case = Case::begin(limits);
    for (number, act) in acts.iter().enumerate() {
        // A jump comes upon those who have settled.
        if matches!(act, Act::Jump(_)) {
            case.settle().await;
        }
        let done = case.act(act).await;
        done.map_err(|error| {
            TestCaseError::fail(format!("act {number}, {act:?}: {error}\n{:?}", case.model))
        })?;
    }
    case.settle().await;
    case.work_off().await
}

/// A clock that is paused from its first moment on shows whole milliseconds.
fn on_a_paused_clock(case: impl Future<Output = Checked>) -> Checked {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().expect("a runtime")
    };
    System::with_tokio_rt(runtime).block_on(case)
}

// --- arbitrary ones -----------------------------------------------------------------------------

const SLOTS: [&str; 3] = ["k-0", "k-1", "k-2"];
const NAMES: [&str; 2] = ["a", "b"];

/// Shorter than, as long as, and longer than the others.
fn any_time() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0), 4 => Just(50), 4 => Just(100), 3 => Just(150), 2 => Just(300)]
}

fn any_policy() -> impl Strategy<Value = WhenBusy> {
    prop_oneof![
        4 => Just(WhenBusy::Queue),
        2 => Just(WhenBusy::Replace),
        1 => Just(WhenBusy::ReplaceAll),
        1 => Just(WhenBusy::DropIfRunning),
        2 => Just(WhenBusy::Attach),
        3 => (any_time(), any_time())
            .prop_map(|(quiet, max_wait)| WhenBusy::Debounce { quiet: ms(quiet), max_wait: ms(max_wait) }),
        3 => any_time().prop_map(|every| WhenBusy::Throttle { every: ms(every) }),
    ]
}

fn any_draft() -> impl Strategy<Value = Draft> {
    let name = option::weighted(0.3, proptest::sample::select(&NAMES[..]));
    // Most cases fill one slot.
    let slot = prop_oneof![6 => Just(SLOTS[0]), 3 => Just(SLOTS[1]), 1 => Just(SLOTS[2])];
    let keys = (name, option::weighted(0.95, slot), option::weighted(0.15, 1..=3_usize));
    let waits = (option::weighted(0.3, any_time()), -1..=1_i32);
    let flags = (prop::bool::weighted(0.4), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    (keys, any_policy(), waits, flags).prop_map(|(keys, when_busy, waits, flags)| {
        let ((name, slot, concurrency), (max_wait, priority)) = (keys, waits);
        let (attach_displaced, is_deaf, fails_when_stopped) = flags;
        Draft {
            name,
            slot,
            when_busy,
            concurrency,
            max_wait,
            priority,
            attach_displaced,
            is_deaf,
            fails_when_stopped,
        }
    })
}

fn any_act() -> impl Strategy<Value = Act> {
    let scope = prop_oneof![Just(SlotScope::Queue), Just(SlotScope::All)];
    prop_oneof![
        24 => any_draft().prop_map(Act::Submit),
        2 => any_draft().prop_map(Act::Add),
        9 => (any::<Index>(), any::<bool>())
            .prop_map(|(which, fails)| Act::Release { which, fails }),
        1 => any::<Index>().prop_map(Act::Cancel),
        3 => any::<Index>().prop_map(Act::CancelLiving),
        1 => (proptest::sample::select(&SLOTS[..]), scope)
            .prop_map(|(slot, scope)| Act::CancelSlot(slot, scope)),
        6 => any_time().prop_map(Act::Step),
        4 => any_time().prop_map(Act::Jump),
    ]
}

fn any_acts() -> impl Strategy<Value = Vec<Act>> {
    let end = prop_oneof![
        1 => Just(Vec::new()),
        1 => Just(vec![Act::ShutDown]),
        2 => any_time().prop_map(|within| vec![Act::ShutDownAfterQueues(2 * within)]),
    ];
    // 49 in all: see `deaf_for`.
    let acts = (vec(any_act(), 1..40), end, vec(any_act(), 0..7), any::<bool>());
    acts.prop_map(|(mut acts, end, more, ends_at_once)| {
        let is_ending = !end.is_empty();
        acts.extend(end);
        acts.extend(more);
        if is_ending && ends_at_once {
            acts.push(Act::ShutDown);
        }
        acts
    })
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let limits = (
        option::weighted(0.2, 1..=2_usize),
        option::weighted(0.25, 0..=2_usize),
        option::weighted(0.25, 0..=3_usize),
        option::weighted(0.25, 1..=5_usize),
        option::weighted(0.4, 1..=3_usize),
    );
    limits.prop_map(|(max_slots, max_queued_per_slot, max_queued, max_tasks, max_concurrent)| {
        Limits { max_slots, max_queued_per_slot, max_queued, max_tasks, max_concurrent }
    })
}

fn config() -> ProptestConfig {
    let mut config = ProptestConfig {
        failure_persistence: None,
        // Without optimization the default one takes a fourth of the time.
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 1_000;
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_is_done_slots_decide_start_and_end_as_their_page_says(
        limits in any_limits(),
        acts in any_acts(),
    ) {
        on_a_paused_clock(case(limits, acts))?;
    }
}
