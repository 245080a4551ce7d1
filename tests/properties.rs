//! Whatever is done to a supervisor, in whatever order: the promises that hold for every history.
//!
//! One case is a supervisor on a paused clock, a list of acts, and bodies that follow scripts. Nothing
//! is awaited between the acts, so that commands, reports and polls interleave as the turns given in
//! between let them. What happened is then read from three sources and compared: the events (a probe),
//! the bodies' own notes, and the answers that callers got.
#![cfg(feature = "test-util")]

mod common;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    panic::resume_unwind,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix::prelude::*;
use actix_taskvisor::{
    Probe,
    messages::{AddTask, AddTasks, CancelTask},
    prelude::*,
};
use proptest::{collection::vec, option, prelude::*, sample::Index};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
    time::Instant,
};

use common::ms;

type Checked = Result<(), TestCaseError>;

const DAY: Duration = Duration::from_secs(86_400);
/// Timers of Tokio's have this resolution.
const TICK: Duration = Duration::from_millis(2);
/// The last one is refused.
const NAMES: [&str; 4] = ["a", "b", "c", ""];

// --- what is done -------------------------------------------------------------------------------

#[derive(Clone, Debug)]
struct Setup {
    max_concurrent: Option<usize>,
    max_tasks: Option<usize>,
    /// The capacity, and whether the supervisor fails fast.
    commands: Option<(usize, bool)>,
    history: usize,
    drain: u64,
}

#[derive(Clone, Debug)]
enum Act {
    Add {
        plan: Plan,
        by_message: bool,
    },
    AddAll {
        plans: Vec<Plan>,
        by_message: bool,
    },
    /// The next step of the task that was accepted last under this name.
    Step(&'static str, Step),
    Cancel(Index, By),
    CancelAll(u64),
    Await(Index, What),
    Turns(usize),
    Advance(u64),
    ShutDown,
    DropHandle,
}

#[derive(Clone, Copy, Debug)]
enum By {
    Handle,
    Name,
    Message,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Outcome,
    Removed,
    Empty,
    Events,
}

/// A spec and the beginning of its script.
#[derive(Clone, Debug)]
struct Plan {
    name: &'static str,
    restart: RestartPolicy,
    backoff: Pause,
    max_retries: Option<u32>,
    timeout: Option<u64>,
    timeout_grace: u64,
    grace: u64,
    healthy_after: u64,
    /// How an attempt ends that sees that it should stop.
    on_cancel: End,
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
enum Pause {
    Immediate,
    Constant(u64),
    /// Doubled each time, up to eight times the first.
    Doubling(u64),
}

/// One step of a body. Between two steps it looks whether it should stop.
#[derive(Clone, Copy, Debug)]
enum Step {
    Return(End),
    /// Returns so much later, whatever happens meanwhile.
    Late(u64, End),
    /// Does not look any more.
    GoDeaf,
    Work(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Success,
    Failure,
    RetryAfter(u64),
    Panic,
    Fatal,
    Canceled,
}

impl Plan {
    fn is_endless(&self) -> bool {
        let is_unbounded = self.max_retries.is_none() || self.healthy_after == 0;
        matches!(self.backoff, Pause::Immediate) && is_unbounded
    }

    fn is_senseless(&self) -> bool {
        self.name.is_empty() || self.is_endless()
    }

    /// The delay before a retry, by its index in the streak.
    fn delay(&self, index: u32) -> Duration {
        match self.backoff {
            Pause::Immediate => Duration::ZERO,
            Pause::Constant(delay) => ms(delay),
            Pause::Doubling(first) => ms(first * 2_u64.pow(index.min(3))),
        }
    }

    fn spec(&self, notes: &Notes, steps: UnboundedReceiver<Step>) -> TaskSpec {
        let backoff = match self.backoff {
            Pause::Immediate => BackoffPolicy::immediate(),
            Pause::Constant(delay) => common::every(ms(delay)),
            Pause::Doubling(first) => BackoffPolicy::exponential(ms(first), 2.0, ms(first * 8))
                .expect("a growing series")
                .jitter(Jitter::None),
        };
        let (notes, on_cancel, mut steps) = (notes.clone(), self.on_cancel, steps);
        let spec = TaskSpec::new(self.name, async move |ctx: TaskContext| {
            let mut running = Running::begin(&notes, &ctx);
            let end = follow(&ctx, &mut steps, on_cancel).await;
            running.end = Some(end);
            drop(running);
            end.come_about()
        });
        let spec = spec
            .restart(self.restart)
            .backoff(backoff)
            .timeout(self.timeout.map_or(Duration::ZERO, ms))
            .timeout_grace(ms(self.timeout_grace))
            .grace(ms(self.grace))
            .healthy_after(ms(self.healthy_after));
        match self.max_retries {
            Some(retries) => spec.max_retries(retries),
            None => spec,
        }
    }
}

impl End {
    fn come_about(self) -> TaskResult {
        match self {
            Self::Success => Ok(()),
            Self::Failure => Err(TaskError::failed("scripted")),
            Self::RetryAfter(delay) => Err(TaskError::failed("scripted").retry_after(ms(delay))),
            // Past the panic hook, which would print it.
            Self::Panic => resume_unwind(Box::new("scripted")),
            Self::Fatal => Err(TaskError::fatal("scripted")),
            Self::Canceled => Err(TaskError::canceled()),
        }
    }

    fn is_failure(self) -> bool {
        !matches!(self, Self::Success | Self::Canceled)
    }
}

async fn follow(ctx: &TaskContext, steps: &mut UnboundedReceiver<Step>, on_cancel: End) -> End {
    let mut is_deaf = false;
    loop {
        let step = if is_deaf {
            steps.recv().await
        } else {
            match ctx.run_until_cancelled(steps.recv()).await {
                Some(step) => step,
                None => return on_cancel,
            }
        };
        match step.expect("the script outlives the supervisor") {
            Step::Return(end) => return end,
            Step::Late(delay, end) => {
                tokio::time::sleep(ms(delay)).await;
                return end;
            }
            Step::GoDeaf => is_deaf = true,
            Step::Work(time) if is_deaf => tokio::time::sleep(ms(time)).await,
            Step::Work(time) => {
                let work = tokio::time::sleep(ms(time));
                if ctx.run_until_cancelled(work).await.is_none() {
                    return on_cancel;
                }
            }
        }
    }
}

// --- what bodies note ---------------------------------------------------------------------------

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    /// How many bodies are alive, by name.
    alive: BTreeMap<String, usize>,
    most_of_a_name: usize,
    most_at_once: usize,
    /// By id and number of the attempt.
    attempts: BTreeMap<(u64, u64), Attempt>,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    began: Instant,
    ended: Option<Instant>,
    /// `None`: it was dropped where it stood.
    end: Option<End>,
    /// Why it should have stopped, when it ended.
    sign: Option<CancelCause>,
    had_previous_failure: bool,
}

impl Notes {
    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that is alive.
struct Running {
    notes: Notes,
    ctx: TaskContext,
    end: Option<End>,
}

impl Running {
    fn begin(notes: &Notes, ctx: &TaskContext) -> Self {
        let noted = &mut *notes.lock();
        let of_name = noted.alive.entry(ctx.name().to_owned()).or_default();
        *of_name += 1;
        noted.most_of_a_name = noted.most_of_a_name.max(*of_name);
        noted.most_at_once = noted.most_at_once.max(noted.alive.values().sum());
        let attempt = Attempt {
            began: Instant::now(),
            ended: None,
            end: None,
            sign: None,
            had_previous_failure: ctx.previous_failure().is_some(),
        };
        let twice = noted.attempts.insert((ctx.id().get(), ctx.attempt()), attempt);
        assert!(twice.is_none(), "attempt {} began twice", ctx.attempt());
        Self { notes: notes.clone(), ctx: ctx.clone(), end: None }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let sign = self.ctx.cancel_cause();
        let noted = &mut *self.notes.lock();
        *noted.alive.get_mut(self.ctx.name()).expect("it was counted") -= 1;
        let attempt = noted.attempts.get_mut(&(self.ctx.id().get(), self.ctx.attempt()));
        let attempt = attempt.expect("it was noted");
        (attempt.ended, attempt.end, attempt.sign) = (Some(Instant::now()), self.end, sign);
    }
}

// --- one case -----------------------------------------------------------------------------------

/// An accepted task.
struct Accepted {
    plan: Plan,
    task: TaskHandle,
    steps: UnboundedSender<Step>,
}

/// What callers were told.
#[derive(Default)]
struct Answers {
    accepted: BTreeMap<TaskId, Accepted>,
    /// By name.
    refused: Vec<(String, AddRefusal)>,
    outcomes: Vec<(TaskId, String)>,
    cancels: Vec<(TaskId, CancelReply)>,
    reports: Vec<ShutdownReport>,
}

type Shared = Rc<RefCell<Answers>>;

struct Case {
    supervisor: Option<SupervisorHandle>,
    weak: WeakSupervisorHandle,
    addr: Addr<actix_taskvisor::Registry>,
    probe: Probe,
    notes: Notes,
    answers: Shared,
    waiting: Vec<(&'static str, JoinHandle<()>)>,
    max_concurrent: Option<usize>,
    history: usize,
}

impl Case {
    async fn begin(setup: &Setup) -> Self {
        let supervisor = common::current_with(|mut builder| {
            if let Some(attempts) = setup.max_concurrent {
                builder = builder.max_concurrent(attempts);
            }
            if let Some(tasks) = setup.max_tasks {
                builder = builder.max_tasks(tasks);
            }
            if let Some((capacity, fails_fast)) = setup.commands {
                builder = builder.command_capacity(capacity).fail_fast(fails_fast);
            }
            builder.outcome_history(setup.history).subscriber_drain(ms(setup.drain))
        });
        Self {
            weak: supervisor.downgrade(),
            addr: supervisor.addr(),
            probe: Probe::attach(&supervisor).await.expect("it has just begun"),
            supervisor: Some(supervisor),
            notes: Notes::default(),
            answers: Shared::default(),
            waiting: Vec::new(),
            max_concurrent: setup.max_concurrent,
            history: setup.history,
        }
    }

    fn spawn(&mut self, what: &'static str, work: impl Future<Output = ()> + 'static) {
        self.waiting.push((what, actix::spawn(work)));
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Add { plan, by_message } => self.add(plan, by_message),
            Act::AddAll { plans, by_message } => self.add_all(plans, by_message),
            Act::Step(name, step) => {
                let answers = self.answers.borrow();
                let of_name = answers.accepted.values().rev().find(|one| one.plan.name == name);
                if let Some(accepted) = of_name {
                    // Fails when the task is over.
                    let _ = accepted.steps.send(step);
                }
            }
            Act::Cancel(which, by) => self.cancel(which, by),
            Act::CancelAll(grace) => self.cancel_all(grace),
            Act::Await(which, what) => self.wait(which, what),
            Act::Turns(turns) => yield_turns(turns).await,
            Act::Advance(time) => {
                tokio::time::sleep(ms(time)).await;
                self.check_that_no_permit_is_idle().await;
            }
            Act::ShutDown => self.shut_down(),
            Act::DropHandle => drop(self.supervisor.take()),
        }
    }

    /// Nobody waits for a permit while there is one; it may be on its way at this very moment.
    async fn check_that_no_permit_is_idle(&self) {
        let Some(limit) = self.max_concurrent else { return };
        for _ in 0..10 {
            let phases: Vec<_> = self
                .answers
                .borrow()
                .accepted
                .values()
                .map(|one| one.task.status().phase)
                .collect();
            let is_up =
                |phase: &&TaskPhase| matches!(phase, TaskPhase::Running | TaskPhase::Stopping);
            let is_full = phases.iter().filter(is_up).count() >= limit;
            if is_full || !phases.contains(&TaskPhase::WaitingForPermit) {
                return;
            }
            yield_turns(5).await;
        }
        panic!("a task waits for a permit that nobody has");
    }

    fn add(&mut self, plan: Plan, by_message: bool) {
        let (steps, script) = script(&plan);
        let spec = plan.spec(&self.notes, script);
        let (answers, addr) = (Rc::clone(&self.answers), self.addr.clone());
        let supervisor = self.supervisor.clone().filter(|_| !by_message);
        self.spawn("add", async move {
            let added = match supervisor {
                Some(supervisor) => supervisor.add(spec).await,
                None => match addr.send(AddTask(spec)).await {
                    Ok(added) => added,
                    Err(_) => return,
                },
            };
            match added {
                Ok(task) => answers.borrow_mut().accept(plan, task, steps),
                Err(error) => answers.borrow_mut().refuse(&plan, error),
            }
        });
    }

    fn add_all(&mut self, plans: Vec<Plan>, by_message: bool) {
        let scripts: Vec<_> = plans.iter().map(script).collect();
        let (senders, scripts): (Vec<_>, Vec<_>) = scripts.into_iter().unzip();
        let specs = plans.iter().zip(scripts).map(|(plan, script)| plan.spec(&self.notes, script));
        let specs: Vec<_> = specs.collect();
        let (answers, addr) = (Rc::clone(&self.answers), self.addr.clone());
        let supervisor = self.supervisor.clone().filter(|_| !by_message);
        self.spawn("add_all", async move {
            let added = match supervisor {
                Some(supervisor) => supervisor.add_all(specs).await,
                None => match addr.send(AddTasks(specs)).await {
                    Ok(added) => added,
                    Err(_) => return,
                },
            };
            let answers = &mut *answers.borrow_mut();
            match added {
                Ok(tasks) => {
                    assert_eq!(tasks.len(), plans.len());
                    for ((plan, task), steps) in plans.into_iter().zip(tasks).zip(senders) {
                        answers.accept(plan, task, steps);
                    }
                }
                Err(error) => answers.refuse_all(&plans, error),
            }
        });
    }

    fn one_of(&self, which: Index) -> Option<TaskHandle> {
        let answers = self.answers.borrow();
        let accepted: Vec<_> = answers.accepted.values().collect();
        (!accepted.is_empty()).then(|| which.get(&accepted).task.clone())
    }

    fn cancel(&mut self, which: Index, by: By) {
        let Some(task) = self.one_of(which) else { return };
        let (answers, addr) = (Rc::clone(&self.answers), self.addr.clone());
        let supervisor = self.supervisor.clone();
        let is_kept = self.history > 100;
        self.spawn("cancel", async move {
            let reply = match (by, supervisor) {
                (By::Handle, _) => task.cancel().await,
                // Whoever has the name now.
                (By::Name, Some(supervisor)) => {
                    let reply = supervisor.cancel(task.name()).await;
                    let is_found = !matches!(reply, Err(StopError::NotFound { .. }));
                    assert!(is_found || !is_kept, "no {} in the history", task.name());
                    return;
                }
                (By::Message | By::Name, _) => match addr.send(CancelTask::new(&task)).await {
                    Ok(Ok(cancelling)) => Ok(cancelling.end().await),
                    Ok(Err(error)) => Err(error),
                    Err(_) => return,
                },
            };
            match reply {
                Ok(reply) => answers.borrow_mut().cancels.push((task.id(), reply)),
                Err(StopError::NotFound { .. }) => assert!(!is_kept, "{task:?} is not found"),
                Err(StopError::ShuttingDown | StopError::CommandQueueFull { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        });
    }

    fn cancel_all(&mut self, grace: u64) {
        let Some(supervisor) = self.supervisor.clone() else { return };
        let answers = Rc::clone(&self.answers);
        self.spawn("cancel_all", async move {
            let Ok(report) = supervisor.cancel_all_within(ms(grace)).await else { return };
            assert!(report.stuck.is_empty() && report.pending.is_empty(), "{report:?}");
            let ended = report.ended.iter().map(|(task, outcome)| (task.id(), outcome.to_string()));
            answers.borrow_mut().outcomes.extend(ended);
        });
    }

    fn wait(&mut self, which: Index, what: What) {
        let answers = Rc::clone(&self.answers);
        if let (What::Empty | What::Events, supervisor) = (what, self.supervisor.clone()) {
            let Some(supervisor) = supervisor else { return };
            return self.spawn("wait_until_empty or events_delivered", async move {
                match what {
                    What::Events => {
                        let delivered = supervisor.events_delivered().await;
                        assert_eq!(delivered, Ok(()), "nobody is slow");
                    }
                    _ => supervisor.wait_until_empty().await,
                }
            });
        }
        let Some(task) = self.one_of(which) else { return };
        self.spawn("outcome or removed", async move {
            let outcome = match what {
                What::Removed => {
                    let outcome = task.removed().await;
                    assert!(task.status().is_removed);
                    outcome
                }
                _ => task.outcome().await,
            };
            answers.borrow_mut().outcomes.push((task.id(), outcome.to_string()));
        });
    }

    fn shut_down(&mut self) {
        let Some(supervisor) = self.supervisor.clone() else { return };
        let answers = Rc::clone(&self.answers);
        self.spawn("shutdown", async move {
            let report = supervisor.shutdown().await;
            answers.borrow_mut().reports.push(report);
            let late = supervisor.add(TaskSpec::once("late", async |_| Ok(()))).await;
            let refused = late.expect_err("a task was added after the end");
            assert!(
                matches!(
                    refused,
                    AddError::ShuttingDown { .. } | AddError::CommandQueueFull { .. }
                ),
                "{refused:?}"
            );
            assert!(refused.into_spec().is_some_and(|spec| spec.name() == "late"));
        });
    }

    /// Ends the supervisor, if nothing else did, and waits for everybody who waits.
    async fn end(&mut self) -> Checked {
        if let Some(supervisor) = self.weak.upgrade() {
            self.supervisor = Some(supervisor);
            self.shut_down();
            self.shut_down();
        }
        for (what, waiting) in std::mem::take(&mut self.waiting) {
            match tokio::time::timeout(DAY, waiting).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => resume_unwind(error.into_panic()),
                Err(_) => prop_assert!(false, "{} waits for ever", what),
            }
        }
        let tasks: Vec<_> =
            self.answers.borrow().accepted.values().map(|one| one.task.clone()).collect();
        for task in tasks {
            let removed = tokio::time::timeout(DAY, task.removed()).await;
            prop_assert!(removed.is_ok(), "{:?} never ends", task);
        }
        // After the drop of the last handle nobody waits for the last events.
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(())
    }
}

/// A script that begins with the steps of `plan`.
fn script(plan: &Plan) -> (UnboundedSender<Step>, UnboundedReceiver<Step>) {
    let (sender, script) = unbounded_channel();
    for step in &plan.steps {
        sender.send(*step).expect("the receiver is here");
    }
    (sender, script)
}

impl Answers {
    fn accept(&mut self, plan: Plan, task: TaskHandle, steps: UnboundedSender<Step>) {
        assert_eq!(task.name(), plan.name);
        assert!(!plan.is_senseless(), "{plan:?} was accepted");
        let twice = self.accepted.insert(task.id(), Accepted { plan, task, steps });
        assert!(twice.is_none(), "an id was given out twice");
    }

    fn refuse(&mut self, plan: &Plan, error: AddError) {
        let why = match &error {
            AddError::AlreadyExists { owner, .. } => AddRefusal::AlreadyExists { owner: *owner },
            AddError::InvalidSpec { why, .. } => {
                assert!(plan.is_senseless(), "{plan:?}: {why}");
                AddRefusal::InvalidSpec(*why)
            }
            AddError::LimitReached { limit, .. } => AddRefusal::LimitReached { limit: *limit },
            AddError::ShuttingDown { .. } => AddRefusal::ShuttingDown,
            // It never came to the registry.
            AddError::CommandQueueFull { .. } => return,
            other => panic!("{other:?}"),
        };
        let spec = error.into_spec().expect("refused specs come back");
        assert_eq!(spec.name(), plan.name);
        self.note_refusal(plan.name, why);
    }

    fn refuse_all(&mut self, plans: &[Plan], error: AddAllError) {
        let told = match &error {
            AddAllError::Refused { index, why, name, .. } => {
                assert_eq!(plans.get(*index).map_or("", |plan| plan.name), name);
                let is_senseless = |plan: &Plan| plan.is_senseless();
                let knows = plans.iter().position(is_senseless).is_none_or(|first| first >= *index);
                assert!(
                    knows || *why == AddRefusal::ShuttingDown,
                    "{index}: {why}, but an earlier one makes no sense"
                );
                Some((*index, why.clone()))
            }
            AddAllError::CommandQueueFull { .. } => None,
            other => panic!("{other:?}"),
        };
        let specs = error.into_specs();
        let names: Vec<_> = specs.iter().map(TaskSpec::name).collect();
        assert_eq!(names, plans.iter().map(|plan| plan.name).collect::<Vec<_>>());
        let Some((culprit, why)) = told else { return };
        for (index, plan) in plans.iter().enumerate() {
            let batch = AddRefusal::Batch { culprit };
            self.note_refusal(plan.name, if index == culprit { why.clone() } else { batch });
        }
    }

    fn note_refusal(&mut self, name: &str, why: AddRefusal) {
        self.refused.push((name.to_owned(), why));
    }
}

/// Lets the others have their turns.
async fn yield_turns(turns: usize) {
    for _ in 0..turns {
        let mut has_yielded = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut has_yielded, true) {
                std::task::Poll::Ready(())
            } else {
                cx.waker().wake_by_ref();
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

// --- what must be so ----------------------------------------------------------------------------

/// The story of the supervisor, followed along its events.
struct Story<'a> {
    setup: &'a Setup,
    answers: &'a Answers,
    noted: &'a Noted,
    tasks: BTreeMap<TaskId, Life>,
    /// Accepted and not removed, by name.
    members: BTreeMap<String, TaskId>,
    /// Requested and not decided.
    undecided: Vec<TaskId>,
    refused: Vec<(String, AddRefusal)>,
    shutdown: Option<ShutdownCause>,
    ended_in_shutdown: BTreeSet<TaskId>,
    forced_in_shutdown: BTreeSet<TaskId>,
    is_over: bool,
    /// The last one whose first attempt began.
    last_begun: Option<TaskId>,
}

/// One task so far.
struct Life {
    name: String,
    /// Its place in its batch.
    place: usize,
    is_member: bool,
    asked: Option<CancelCause>,
    attempt: u64,
    is_running: bool,
    streak: u32,
    /// The delay and source of the pause that must come next.
    pause: Option<(Duration, BackoffSource)>,
    /// The pause that was announced.
    delay: Option<Duration>,
    had_failure: bool,
    /// How it must end now, if it must.
    due_outcome: Option<Ended>,
    outcome: Option<String>,
    is_forced: bool,
    is_removed: bool,
}

/// An outcome without its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Completed,
    Failed,
    Fatal,
    Canceled(CancelCause, bool),
    ForceAborted(CancelCause),
}

impl Ended {
    fn of(outcome: &TaskOutcome) -> Result<Self, TestCaseError> {
        Ok(match outcome {
            TaskOutcome::Completed => Self::Completed,
            TaskOutcome::Failed(_) => Self::Failed,
            TaskOutcome::Fatal(_) => Self::Fatal,
            TaskOutcome::Canceled { cause, failure } => Self::Canceled(*cause, failure.is_some()),
            TaskOutcome::ForceAborted { cause } => Self::ForceAborted(*cause),
            other => return Err(TestCaseError::fail(format!("a task was {other}"))),
        })
    }
}

impl<'a> Story<'a> {
    fn new(setup: &'a Setup, answers: &'a Answers, noted: &'a Noted) -> Self {
        Self {
            setup,
            answers,
            noted,
            tasks: BTreeMap::new(),
            members: BTreeMap::new(),
            undecided: Vec::new(),
            refused: Vec::new(),
            shutdown: None,
            ended_in_shutdown: BTreeSet::new(),
            forced_in_shutdown: BTreeSet::new(),
            is_over: false,
            last_begun: None,
        }
    }

    fn follow(&mut self, event: &Event) -> Checked {
        prop_assert!(!self.is_over, "an event after the last one");
        match &event.task {
            Some(task) => self.follow_task(task, &event.kind),
            None => self.follow_supervisor(&event.kind),
        }
    }

    fn follow_supervisor(&mut self, kind: &EventKind) -> Checked {
        match kind {
            EventKind::ShutdownRequested { cause } => {
                prop_assert_eq!(self.shutdown, None, "a second shutdown");
                self.shutdown = Some(*cause);
                self.ended_in_shutdown = self.members.values().copied().collect();
            }
            EventKind::AllStoppedWithinGrace => {
                prop_assert!(self.forced_in_shutdown.is_empty(), "some were forced");
                self.is_over = true;
            }
            EventKind::GraceExceeded { stuck } => {
                let stuck: BTreeSet<_> = stuck.iter().map(TaskRef::id).collect();
                prop_assert_eq!(&stuck, &self.forced_in_shutdown);
                prop_assert!(!stuck.is_empty(), "nobody exceeded it");
                self.is_over = true;
            }
            other => prop_assert!(false, "{:?}", other),
        }
        prop_assert!(!self.is_over || (self.shutdown.is_some() && self.members.is_empty()));
        Ok(())
    }

    fn follow_task(&mut self, task: &TaskRef, kind: &EventKind) -> Checked {
        let id = task.id();
        match kind {
            EventKind::TaskAddRequested => {
                let is_next = self.tasks.last_key_value().is_none_or(|(last, _)| *last < id);
                prop_assert!(is_next, "{} was given out before", id);
                self.tasks.insert(id, Life::new(task.name(), self.undecided.len()));
                self.undecided.push(id);
            }
            EventKind::TaskAdded => self.added(task)?,
            EventKind::TaskAddFailed { why } => self.refused(task, why)?,
            // First come, first served, with a limit of attempts and without.
            EventKind::TaskStarting { attempt: 1 } => {
                let before = self.last_begun.replace(id);
                prop_assert!(before < Some(id), "{:?} began before {}", before, id);
            }
            EventKind::TaskRemoved { forced } => {
                let member = self.members.remove(task.name());
                prop_assert_eq!(member, Some(id), "the name was somebody else's");
                if self.shutdown.is_some() && *forced {
                    self.forced_in_shutdown.insert(id);
                }
            }
            _ => {}
        }
        let life = self.tasks.get_mut(&id);
        let life = life.ok_or_else(|| TestCaseError::fail("an event before its request"))?;
        prop_assert_eq!(life.name.as_str(), task.name());
        if matches!(kind, EventKind::TaskAddRequested | EventKind::TaskAddFailed { .. }) {
            return Ok(());
        }
        prop_assert!(life.is_member, "an event of a task that is no member");
        let Some(accepted) = self.answers.accepted.get(&id) else {
            return Err(TestCaseError::fail("added, and its caller was not told"));
        };
        let attempt = |number| self.noted.attempts.get(&(id.get(), number)).copied();
        life.follow(kind, &accepted.plan, attempt, self.setup.max_concurrent.is_some())
    }

    /// Takes a task out of the undecided ones, in their order.
    fn decided(&mut self, id: TaskId) -> Checked {
        prop_assert_eq!(self.undecided.first(), Some(&id), "not the next one to be decided");
        self.undecided.remove(0);
        Ok(())
    }

    fn added(&mut self, task: &TaskRef) -> Checked {
        self.decided(task.id())?;
        prop_assert_eq!(self.shutdown, None, "added after the shutdown was asked for");
        prop_assert!(self.setup.max_tasks.is_none_or(|limit| self.members.len() < limit));
        let before = self.members.insert(task.name().to_owned(), task.id());
        prop_assert_eq!(before, None, "a name has two owners"); // lesson 9
        let life = self.tasks.get_mut(&task.id()).expect("requested");
        life.is_member = true;
        Ok(())
    }

    fn refused(&mut self, task: &TaskRef, why: &AddRefusal) -> Checked {
        self.decided(task.id())?;
        self.refused.push((task.name().to_owned(), why.clone()));
        let place = self.tasks.get(&task.id()).map_or(0, |life| life.place);
        prop_assert_eq!(*why == AddRefusal::ShuttingDown || place > 0, {
            let is_late = self.shutdown.is_some();
            is_late || place > 0
        });
        match why {
            AddRefusal::AlreadyExists { owner } => {
                let holds = self.members.get(task.name()) == Some(owner);
                // Or an earlier one of the same batch, whose ids are consecutive.
                let first = task.id().get() - place as u64;
                let is_twice = (first..task.id().get()).contains(&owner.get())
                    && self.tasks.get(owner).is_some_and(|life| life.name == task.name());
                prop_assert!(holds || is_twice, "{} does not hold the name", owner);
            }
            AddRefusal::LimitReached { limit } => {
                prop_assert_eq!(Some(*limit), self.setup.max_tasks);
                prop_assert_eq!(self.members.len() + place, *limit, "there was room"); // lesson 12
            }
            AddRefusal::ShuttingDown => prop_assert!(self.shutdown.is_some(), "not yet"),
            AddRefusal::Batch { culprit } => prop_assert_ne!(place, *culprit),
            AddRefusal::InvalidSpec(_) => {}
            other => prop_assert!(false, "{}", other),
        }
        Ok(())
    }

    /// When all events are in.
    fn close(&self) -> Checked {
        prop_assert!(self.is_over, "the last event is missing");
        prop_assert!(self.undecided.is_empty());
        prop_assert!(self.noted.most_of_a_name <= 1, "two bodies of one name");
        let limit = self.setup.max_concurrent.unwrap_or(usize::MAX);
        prop_assert!(self.noted.most_at_once <= limit, "{} at once", self.noted.most_at_once);
        prop_assert!(self.noted.alive.values().all(|alive| *alive == 0), "a body is left");

        let added = self.tasks.iter().filter(|(_, life)| life.is_member);
        let added: BTreeSet<_> = added.map(|(id, _)| *id).collect();
        prop_assert_eq!(&added, &self.answers.accepted.keys().copied().collect());
        let count = |all: &[(String, AddRefusal)]| {
            let mut counts = BTreeMap::new();
            for (name, why) in all {
                *counts.entry(format!("{name}: {why:?}")).or_insert(0_usize) += 1;
            }
            counts
        };
        let (told, events) = (count(&self.answers.refused), count(&self.refused));
        for what in told.keys().chain(events.keys()) {
            let [told, event] = [&told, &events].map(|counts| counts.get(what).unwrap_or(&0));
            // Once the supervisor has ended it tells callers only.
            let is_end = what.ends_with("ShuttingDown") || what.ends_with("Batch { culprit: 0 }");
            prop_assert!(
                event == told || (is_end && event < told),
                "{}: {} of {}",
                what,
                event,
                told
            );
        }

        for (id, accepted) in &self.answers.accepted {
            self.tasks[id].close(&accepted.task.status())?;
        }
        for (id, outcome) in &self.answers.outcomes {
            prop_assert_eq!(Some(outcome), self.tasks[id].outcome.as_ref(), "another outcome");
        }
        self.check_cancels()?;
        self.answers.reports.iter().try_for_each(|report| self.check_report(report))
    }

    fn check_cancels(&self) -> Checked {
        let mut asking = BTreeMap::<TaskId, usize>::new();
        for (id, reply) in &self.answers.cancels {
            let CancelEnd::Physical(outcome) = &reply.end else {
                return Err(TestCaseError::fail(format!("{reply:?}")));
            };
            prop_assert_eq!(Some(&outcome.to_string()), self.tasks[id].outcome.as_ref());
            *asking.entry(*id).or_default() += usize::from(reply.asked_by_this_call);
        }
        for (id, times) in asking {
            prop_assert!(times <= 1, "{} callers were the first for {}", times, id);
            let by_user = self.tasks[&id].asked == Some(CancelCause::User);
            prop_assert!(times == 0 || by_user, "{} was asked by nobody", id);
        }
        Ok(())
    }

    fn check_report(&self, report: &ShutdownReport) -> Checked {
        // lesson 21
        let same = format!("{:?}", self.answers.reports[0]);
        prop_assert_eq!(format!("{:?}", report), same, "two callers, two reports");
        prop_assert_eq!(Some(report.cause), self.shutdown);
        let ended: BTreeMap<_, _> =
            report.ended.iter().map(|(task, outcome)| (task.id(), outcome.to_string())).collect();
        prop_assert_eq!(ended.len(), report.ended.len(), "a task ended twice");
        let ids: BTreeSet<_> = ended.keys().copied().collect();
        prop_assert_eq!(&ids, &self.ended_in_shutdown);
        for (id, outcome) in &ended {
            prop_assert_eq!(Some(outcome), self.tasks[id].outcome.as_ref());
        }
        let forced: BTreeSet<_> = report.forced.iter().map(TaskRef::id).collect();
        prop_assert_eq!(&forced, &self.forced_in_shutdown);
        prop_assert_eq!(report.is_clean(), forced.is_empty());
        prop_assert!(report.stuck.is_empty() && report.held_up.is_empty());
        prop_assert_eq!(report.undelivered, 0);
        Ok(())
    }
}

impl Life {
    fn new(name: &str, place: usize) -> Self {
        Self {
            name: name.to_owned(),
            place,
            is_member: false,
            asked: None,
            attempt: 0,
            is_running: false,
            streak: 0,
            pause: None,
            delay: None,
            had_failure: false,
            due_outcome: None,
            outcome: None,
            is_forced: false,
            is_removed: false,
        }
    }

    fn follow(
        &mut self,
        kind: &EventKind,
        plan: &Plan,
        attempt: impl Fn(u64) -> Option<Attempt>,
        may_wait: bool,
    ) -> Checked {
        prop_assert!(!self.is_removed, "{} after the removal", kind.label());
        let is_about_going =
            matches!(kind, EventKind::TaskRemoveRequested { .. } | EventKind::TaskRemoved { .. });
        prop_assert!(self.outcome.is_none() || is_about_going, "{} after the end", kind.label());
        match kind {
            EventKind::TaskAdded => {}
            EventKind::TaskStarting { attempt: number } => {
                let before = attempt(self.attempt).and_then(|before| before.ended);
                self.start(*number)?;
                let Some(body) = attempt(*number) else {
                    return Err(TestCaseError::fail("it started without a body"));
                };
                prop_assert_eq!(body.had_previous_failure, self.had_failure);
                if let (Some(before), Some(delay)) = (before, self.delay.take()) {
                    let waited = body.began - before;
                    prop_assert!(waited >= delay, "{:?} in place of {:?}", waited, delay);
                    prop_assert!(may_wait || waited <= delay + TICK, "late: {:?}", waited);
                }
            }
            EventKind::TaskStopped { attempt: number, .. }
            | EventKind::TaskFailed { attempt: number, .. }
            | EventKind::TimeoutHit { attempt: number, .. } => {
                prop_assert!(self.is_running, "the end of an attempt that does not run");
                prop_assert_eq!(*number, self.attempt);
                self.is_running = false;
                let body = attempt(*number).expect("it was there at its start");
                self.attempt_ended(kind, plan, &body)?;
            }
            EventKind::BackoffScheduled { after_attempt, delay, source, .. } => {
                prop_assert!(!self.is_running);
                prop_assert_eq!(*after_attempt, self.attempt);
                let expected = self.pause.take();
                prop_assert_eq!(Some((*delay, *source)), expected, "streak {}", self.streak);
                self.delay = Some(*delay);
            }
            EventKind::ActorExhausted { outcome } => {
                prop_assert!(!matches!(outcome, TaskOutcome::Fatal(_) | TaskOutcome::Lost));
                self.ended(outcome)?;
            }
            EventKind::ActorDead { outcome } => {
                prop_assert!(matches!(outcome, TaskOutcome::Fatal(_) | TaskOutcome::Lost));
                self.ended(outcome)?;
            }
            EventKind::TaskRemoveRequested { cause } => {
                prop_assert_eq!(self.asked, None, "asked twice");
                self.asked = Some(*cause);
            }
            EventKind::TaskRemoved { forced } => {
                prop_assert!(self.outcome.is_some(), "removed without an outcome");
                prop_assert_eq!(*forced, self.is_forced);
                self.is_removed = true;
            }
            other => prop_assert!(false, "{:?}", other),
        }
        Ok(())
    }

    fn start(&mut self, number: u64) -> Checked {
        prop_assert!(!self.is_running, "two attempts at once");
        prop_assert_eq!(number, self.attempt + 1, "attempt numbers ascend by one");
        prop_assert!(self.due_outcome.is_none() && self.pause.is_none());
        prop_assert_eq!(self.delay.is_some(), number > 1, "attempt {} without a pause", number);
        // lesson 8
        prop_assert_eq!(self.asked, None, "an attempt began after the request to stop");
        (self.attempt, self.is_running) = (number, true);
        Ok(())
    }

    /// Compares the event with what the body noted, and says what must follow.
    fn attempt_ended(&mut self, kind: &EventKind, plan: &Plan, body: &Attempt) -> Checked {
        let sign = body.sign.filter(|cause| *cause != CancelCause::TimedOut);
        let has_timed_out = body.sign == Some(CancelCause::TimedOut);
        let told = Told::of(kind)?;
        prop_assert_eq!(body.ended.map(|ended| ended - body.began), Some(told.took));
        let timeout = plan.timeout.map(ms);
        let expected = match (body.end, sign) {
            (_, None) if has_timed_out => How::TimedOut,
            // The stop came in the very moment in which the timeout's grace was over.
            (None, Some(_)) if told.how == How::TimedOut && timeout <= Some(told.took) => {
                How::TimedOut
            }
            (None, Some(_)) => How::Forced,
            (Some(_), Some(_)) => How::Canceled,
            (Some(End::Success), None) => How::Succeeded,
            (Some(End::Failure | End::RetryAfter(_)), None) => How::Failed,
            (Some(End::Panic), None) => How::Panicked,
            (Some(End::Fatal), None) => How::Fatal,
            (Some(End::Canceled), None) => How::Canceled,
            (None, None) => return Err(TestCaseError::fail("dropped for no reason")),
        };
        prop_assert_eq!(told.how, expected, "{:?}", body);
        match (expected, timeout) {
            (How::TimedOut, Some(timeout)) => {
                let longest = timeout + ms(plan.timeout_grace) + TICK;
                prop_assert!((timeout..=longest).contains(&told.took), "{:?}", told.took);
            }
            (How::TimedOut, None) => prop_assert!(false, "timed out without a timeout"),
            (How::Canceled | How::Forced, _) => {}
            (_, Some(timeout)) => prop_assert!(told.took <= timeout + TICK, "{:?}", told.took),
            (_, None) => {}
        }
        self.had_failure = false;
        self.due_outcome = None;
        match (expected, sign) {
            (How::Forced, Some(cause)) => self.due_outcome = Some(Ended::ForceAborted(cause)),
            (How::Canceled, cause) => {
                let failed = cause.is_some() && body.end.is_some_and(End::is_failure);
                let cause = cause.unwrap_or(CancelCause::Itself);
                self.due_outcome = Some(Ended::Canceled(cause, failed));
            }
            _ => self.follow_policy(expected, plan, body, told.took),
        }
        Ok(())
    }

    /// Promised: streak and policy.
    fn follow_policy(&mut self, how: How, plan: &Plan, body: &Attempt, took: Duration) {
        let overran = plan.timeout.is_some_and(|timeout| took > ms(timeout));
        let is_healthy = how != How::TimedOut && !overran && took >= ms(plan.healthy_after);
        if how == How::Succeeded {
            self.streak = 0;
            match plan.restart {
                RestartPolicy::Always { interval } => {
                    self.pause = Some((interval.max(ms(1)), BackoffSource::Success));
                }
                _ => self.due_outcome = Some(Ended::Completed),
            }
            return;
        }
        self.streak = if is_healthy { 1 } else { self.streak + 1 };
        self.had_failure = true;
        let is_left = plan.max_retries.is_none_or(|retries| self.streak <= retries);
        if how == How::Fatal {
            self.due_outcome = Some(Ended::Fatal);
        } else if plan.restart == RestartPolicy::Never || !is_left {
            self.due_outcome = Some(Ended::Failed);
        } else {
            let delay = match (how, body.end) {
                (How::Failed, Some(End::RetryAfter(delay))) => ms(delay).max(ms(1)),
                _ => plan.delay(self.streak - 1),
            };
            self.pause = Some((delay, BackoffSource::Failure));
        }
    }

    fn ended(&mut self, outcome: &TaskOutcome) -> Checked {
        prop_assert!(!self.is_running, "the end before its last attempt's");
        prop_assert_eq!(self.pause, None, "a pause is due");
        let ended = Ended::of(outcome)?;
        match (self.due_outcome, self.asked) {
            (Some(due), _) => prop_assert_eq!(ended, due),
            // Asked between two attempts, or before the first.
            (None, Some(cause)) => prop_assert_eq!(ended, Ended::Canceled(cause, false)),
            (None, None) => prop_assert!(false, "{} out of nothing", outcome),
        }
        self.is_forced = matches!(outcome, TaskOutcome::ForceAborted { .. });
        self.outcome = Some(outcome.to_string());
        Ok(())
    }

    fn close(&self, status: &TaskStatus) -> Checked {
        prop_assert!(self.is_removed, "never removed");
        prop_assert!(status.is_removed);
        prop_assert_eq!(status.phase, TaskPhase::Ended);
        prop_assert_eq!(status.outcome.as_ref().map(ToString::to_string), self.outcome.clone());
        prop_assert_eq!((status.attempt, status.streak), (self.attempt, self.streak));
        prop_assert_eq!(status.restarts, self.attempt.saturating_sub(1));
        prop_assert_eq!(status.cancel_cause, self.asked);
        prop_assert!(status.uptime.is_none() && status.next_attempt_in.is_none());
        Ok(())
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Succeeded,
    Failed,
    Panicked,
    Fatal,
    TimedOut,
    Canceled,
    Forced,
}

/// What an event tells of the end of an attempt.
struct Told {
    how: How,
    took: Duration,
}

impl Told {
    fn of(kind: &EventKind) -> Result<Self, TestCaseError> {
        let (how, took) = match kind {
            EventKind::TaskStopped { how: AttemptStop::Succeeded, took, .. } => {
                (How::Succeeded, took)
            }
            EventKind::TaskStopped { how: AttemptStop::Canceled, took, .. } => {
                (How::Canceled, took)
            }
            EventKind::TaskStopped { how: AttemptStop::Forced, took, .. } => (How::Forced, took),
            EventKind::TaskFailed { panicked: true, fatal: false, took, .. } => {
                (How::Panicked, took)
            }
            EventKind::TaskFailed { panicked: false, fatal: true, took, .. } => (How::Fatal, took),
            EventKind::TaskFailed { panicked: false, fatal: false, took, .. } => {
                (How::Failed, took)
            }
            EventKind::TimeoutHit { took, .. } => (How::TimedOut, took),
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        Ok(Self { how, took: *took })
    }
}

async fn case(setup: Setup, acts: Vec<Act>) -> Checked {
    tokio::time::pause();
    let mut case = Case::begin(&setup).await;
    for act in acts {
        case.act(act).await;
    }
    case.end().await?;
    prop_assert_eq!(case.probe.lost(), 0);
    let (answers, noted) = (case.answers.borrow(), case.notes.lock());
    let mut story = Story::new(&setup, &answers, &noted);
    let events = case.probe.events();
    let told = events.iter().enumerate().try_for_each(|(place, event)| {
        prop_assert_eq!(event.seq, place as u64 + 1);
        story.follow(event).map_err(|error| at(error, &events[..=place]))
    });
    told.and_then(|()| story.close().map_err(|error| at(error, &events)))
}

/// The error, with the events up to it.
fn at(error: TestCaseError, events: &[Event]) -> TestCaseError {
    let events: Vec<_> = events.iter().map(|event| format!("{} {event}", event.seq)).collect();
    TestCaseError::fail(format!("{error}\n{}", events.join("\n")))
}

/// One task alone, looked at after each of its attempts.
async fn lonely_case(plan: Plan, attempts: Vec<(u64, End)>) -> Checked {
    tokio::time::pause();
    let supervisor = common::current();
    let notes = Notes::default();
    let (steps, script) = script(&plan);
    for (up, end) in &attempts {
        let sent = [Step::Work(*up), Step::Return(*end)].map(|step| steps.send(step));
        prop_assert!(sent.iter().all(Result::is_ok));
    }
    let task = supervisor.add(plan.spec(&notes, script)).await.expect("there is nobody else");
    let mut model = Life::new(plan.name, 0);
    let mut has_failed = false;
    for (number, (up, end)) in (1_u64..).zip(&attempts) {
        let is_over = |status: &TaskStatus| status.attempt == number && status.uptime.is_none();
        let mut status = task.status();
        while !is_over(&status) {
            tokio::time::sleep(ms(1)).await;
            status = task.status();
        }
        let body = notes.lock().attempts[&(task.id().get(), number)];
        let took = body.ended.expect("it is over") - body.began;
        prop_assert!((ms(*up)..=ms(*up) + TICK).contains(&took), "up for {:?}", took);
        let how = match end {
            End::Success => How::Succeeded,
            End::Panic => How::Panicked,
            _ => How::Failed,
        };
        model.follow_policy(how, &plan, &body, took);
        has_failed |= end.is_failure();
        prop_assert_eq!((status.streak, status.restarts), (model.streak, number - 1));
        prop_assert_eq!(status.last_failure.is_some(), has_failed);
        prop_assert_eq!(status.outcome.is_some(), model.due_outcome.is_some());
        let Some((delay, _)) = model.pause.take() else {
            prop_assert_eq!(status.phase, TaskPhase::Ended);
            return Ok(());
        };
        prop_assert_eq!(status.phase, TaskPhase::BackingOff);
        let left = status.next_attempt_in.expect("it is planned") + status.in_phase_for;
        prop_assert_eq!(left, delay, "attempt {}, streak {}", number, model.streak);
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    prop_assert_eq!(task.status().attempt, attempts.len() as u64 + 1);
    Ok(())
}

// --- arbitrary ones -----------------------------------------------------------------------------

fn any_end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => Just(End::Success),
        5 => Just(End::Failure),
        1 => prop_oneof![Just(0_u64), 1..500_u64].prop_map(End::RetryAfter),
        2 => Just(End::Panic),
        1 => Just(End::Fatal),
        1 => Just(End::Canceled),
    ]
}

/// No end of the task by itself.
fn any_retryable_end() -> impl Strategy<Value = End> {
    prop_oneof![
        2 => Just(End::Success),
        4 => Just(End::Failure),
        1 => (20..500_u64).prop_map(End::RetryAfter),
        1 => Just(End::Panic),
    ]
}

/// Around the durations that the plans use, so that moments coincide.
fn any_time() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(50), Just(100), Just(200), 1..400_u64]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => any_end().prop_map(Step::Return),
        2 => (any_time(), any_end()).prop_map(|(delay, end)| Step::Late(delay, end)),
        1 => Just(Step::GoDeaf),
        2 => any_time().prop_map(Step::Work),
    ]
}

fn any_restart() -> impl Strategy<Value = RestartPolicy> {
    prop_oneof![
        1 => Just(RestartPolicy::Never),
        3 => Just(RestartPolicy::OnFailure),
        2 => any_time().prop_map(|interval| RestartPolicy::Always { interval: ms(interval) }),
    ]
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let name = prop_oneof![30 => Just(0_usize), 20 => Just(1), 20 => Just(2), 1 => Just(3)];
    let pause = prop_oneof![
        1 => Just(Pause::Immediate),
        2 => (1..200_u64).prop_map(Pause::Constant),
        2 => (1..50_u64).prop_map(Pause::Doubling),
    ];
    let max_retries = prop_oneof![1 => Just(None), 5 => (0..4_u32).prop_map(Some)];
    let times = (
        option::of(prop_oneof![Just(50), Just(100), 20..300_u64]),
        any_time(),
        prop_oneof![any_time(), Just(2_000)],
        prop_oneof![2 => Just(60_000), 1 => any_time()],
    );
    let rest = (any_end(), vec(any_step(), 0..4));
    (name, any_restart(), pause, max_retries, times, rest).prop_map(
        |(name, restart, backoff, max_retries, times, (on_cancel, steps))| {
            let (timeout, timeout_grace, grace, healthy_after) = times;
            Plan {
                name: NAMES[name],
                restart,
                backoff,
                max_retries,
                timeout,
                timeout_grace,
                grace,
                healthy_after,
                on_cancel,
                steps,
            }
        },
    )
}

fn any_act() -> impl Strategy<Value = Act> {
    let by = prop_oneof![Just(By::Handle), Just(By::Name), Just(By::Message)];
    let what = prop_oneof![
        Just(What::Outcome),
        Just(What::Removed),
        Just(What::Empty),
        Just(What::Events)
    ];
    let name = proptest::sample::select(&NAMES[..3]);
    prop_oneof![
        12 => (any_plan(), any::<bool>()).prop_map(|(plan, by_message)| Act::Add { plan, by_message }),
        2 => (vec(any_plan(), 0..4), any::<bool>())
            .prop_map(|(plans, by_message)| Act::AddAll { plans, by_message }),
        20 => (name, any_step()).prop_map(|(name, step)| Act::Step(name, step)),
        5 => (any::<Index>(), by).prop_map(|(which, by)| Act::Cancel(which, by)),
        1 => any_time().prop_map(Act::CancelAll),
        4 => (any::<Index>(), what).prop_map(|(which, what)| Act::Await(which, what)),
        12 => (1..12_usize).prop_map(Act::Turns),
        12 => any_time().prop_map(Act::Advance),
        1 => Just(Act::ShutDown),
        1 => Just(Act::DropHandle),
    ]
}

fn any_setup() -> impl Strategy<Value = Setup> {
    let commands = option::weighted(0.2, (1..4_usize, any::<bool>()));
    let history = prop_oneof![3 => Just(1024), 1 => 0..3_usize];
    (option::of(1..4_usize), option::of(1..4_usize), commands, history, Just(5_000_u64)).prop_map(
        |(max_concurrent, max_tasks, commands, history, drain)| Setup {
            max_concurrent,
            max_tasks,
            commands,
            history,
            drain,
        },
    )
}

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_is_done_every_task_has_one_story_one_outcome_and_no_rival(
        setup in any_setup(),
        acts in vec(any_act(), 1..60),
    ) {
        System::new().block_on(case(setup, acts))?;
    }

    #[test]
    fn between_two_attempts_the_status_shows_what_the_policy_has_counted(
        plan in any_plan(),
        attempts in vec((any_time(), any_retryable_end()), 1..12),
    ) {
        // Delays that can be looked at, and nothing but the bodies' own ends.
        let backoff = match plan.backoff {
            Pause::Immediate => Pause::Constant(20),
            Pause::Constant(delay) => Pause::Constant(delay.max(20)),
            Pause::Doubling(first) => Pause::Doubling(first.max(20)),
        };
        let restart = match plan.restart {
            RestartPolicy::Always { interval } => {
                RestartPolicy::Always { interval: interval.max(ms(20)) }
            }
            other => other,
        };
        let plan = Plan { name: "a", restart, backoff, timeout: None, steps: Vec::new(), ..plan };
        System::new().block_on(lonely_case(plan, attempts))?;
    }
}
