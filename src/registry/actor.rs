use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as PollContext, Poll},
    time::Duration,
};

use actix::{dev::channel::channel, fut::ActorFuture, prelude::*};
use tokio::{sync::oneshot, time::Instant};

use super::{
    closing::{Finale, Stage},
    deadlines::Deadlines,
    permits::{Permit, PermitPool},
    table::{Refusal, Table},
};
use crate::{
    cell::TaskCell,
    clock::{Alarm, moment},
    error::{AddAllError, AddError, AddRefusal, InvalidSpec},
    event::{Draft, EventKind, EventType},
    id::{TaskId, TaskRef},
    resilient::PanicBudget,
    supervisor::{Board, ShutdownCause, TaskHandle},
    task::{CancelCause, TaskRules, TaskSpec},
    task_actor::{EndGuard, PermitGranted, Permits, StartTask, StopTask},
    worker::{Dispose, Worker},
};

/// How long after a task's grace its thread is given to report, before its outcome is written for it.
const YIELD_MARGIN: Duration = Duration::from_millis(250);
/// The default capacity of actix, for the messages that applications send to a task.
const TASK_MAILBOX: usize = 16;

/// The actor that owns membership, names, limits and stops of one supervisor.
///
/// [`SupervisorHandle::addr`](crate::SupervisorHandle::addr) gives its address; the messages that
/// applications may send are in [`messages`](crate::messages).
pub struct Registry {
    pub(super) board: Arc<Board>,
    pub(super) settings: RegistrySettings,
    pub(super) table: Table<Arc<TaskCell>, Mark>,
    permits: Option<PermitPool>,
    pub(super) deadlines: Deadlines,
    pub(super) seats: Vec<Seat>,
    next_seat: usize,
    /// How many members have an overdue stop.
    pub(super) overdue: usize,
    pub(super) stage: Stage,
    pub(super) wait_for_empty: Vec<oneshot::Sender<()>>,
    pub(super) finale: Option<Finale>,
    pub(super) handled: u32,
    pub(super) panics: PanicBudget,
    /// Events of one handler.
    outbox: Vec<Draft>,
}

/// What the builder decided.
pub(crate) struct RegistrySettings {
    pub(crate) rules: Arc<TaskRules>,
    pub(crate) max_tasks: Option<usize>,
    pub(crate) max_concurrent: Option<usize>,
    pub(crate) outcome_history: usize,
    pub(crate) subscriber_drain: Duration,
}

/// What only `Registry` knows of a member.
pub(crate) struct Mark {
    pub(super) grace: Duration,
    pub(super) permit: Permit,
    pub(super) is_overdue: bool,
}

/// A worker, as seen from here.
pub(crate) struct Seat {
    pub(crate) worker: Addr<Worker>,
    pub(crate) is_alive: bool,
}

impl Registry {
    pub(crate) fn new(
        board: Arc<Board>,
        settings: RegistrySettings,
        seats: Vec<Seat>,
        finale: Finale,
    ) -> Self {
        Self {
            table: Table::new(settings.max_tasks, settings.outcome_history),
            permits: settings.max_concurrent.map(PermitPool::new),
            board,
            settings,
            deadlines: Deadlines::default(),
            seats,
            next_seat: 0,
            overdue: 0,
            stage: Stage::Serving,
            wait_for_empty: Vec::new(),
            finale: Some(finale),
            handled: 0,
            panics: PanicBudget::default(),
            outbox: Vec::new(),
        }
    }

    // ---- adding ----

    pub(super) fn add(&mut self, spec: TaskSpec) -> Result<TaskHandle, AddError> {
        let rules = spec.settings.over(&self.settings.rules);
        let decision = self.may_add(&[(spec.name(), &rules)]);
        let task = self.request(&spec);
        match decision {
            Ok(()) => Ok(self.enroll(task, spec, rules)),
            Err((_, refusal)) => {
                let why = refusal.with_ids(&[]);
                self.tell_refused(&task, why.clone());
                Err(AddError::refused(why, spec))
            }
        }
    }

    pub(super) fn add_all(&mut self, specs: Vec<TaskSpec>) -> Result<Vec<TaskHandle>, AddAllError> {
        let rules: Vec<_> = specs
            .iter()
            .map(|spec| spec.settings.over(&self.settings.rules))
            .collect();
        let asked: Vec<_> = specs.iter().map(TaskSpec::name).zip(&rules).collect();
        let decision = self.may_add(&asked);
        let tasks: Vec<_> = specs.iter().map(|spec| self.request(spec)).collect();
        match decision {
            Ok(()) => {
                let enrolled = tasks.into_iter().zip(specs).zip(rules);
                Ok(enrolled
                    .map(|((task, spec), rules)| self.enroll(task, spec, rules))
                    .collect())
            }
            Err((culprit, refusal)) => {
                let why = refusal.with_ids(&tasks);
                for (index, task) in tasks.iter().enumerate() {
                    let batch = AddRefusal::Batch { culprit };
                    self.tell_refused(task, if index == culprit { why.clone() } else { batch });
                }
                Err(AddAllError::refused(culprit, why, specs))
            }
        }
    }

    fn may_add(&self, asked: &[(&str, &Arc<TaskRules>)]) -> Result<(), (usize, Refusal)> {
        let plain = |index, why| Err((index, Refusal::Plain(why)));
        if !matches!(self.stage, Stage::Serving) {
            return plain(0, AddRefusal::ShuttingDown);
        }
        let is_endless =
            |rules: &TaskRules| rules.backoff.is_immediate() && rules.max_retries.is_none();
        if let Some(index) = asked.iter().position(|(_, rules)| is_endless(rules)) {
            return plain(
                index,
                AddRefusal::InvalidSpec(InvalidSpec::ImmediateWithoutLimit),
            );
        }
        self.table.may_add(asked.iter().map(|(name, _)| *name))?;
        if !self.seats.iter().any(|seat| seat.is_alive) {
            return plain(0, AddRefusal::NoWorker);
        }
        Ok(())
    }

    /// Gives a spec its id.
    fn request(&mut self, spec: &TaskSpec) -> TaskRef {
        let task = TaskRef::new(self.table.assign_id(), Arc::clone(&spec.name));
        self.tell(EventType::TaskAddRequested, Some((&task, 0)), || {
            EventKind::TaskAddRequested
        });
        task
    }

    fn tell_refused(&mut self, task: &TaskRef, why: AddRefusal) {
        let kind = || EventKind::TaskAddFailed { why };
        self.tell(EventType::TaskAddFailed, Some((task, 0)), kind);
    }

    fn enroll(&mut self, task: TaskRef, spec: TaskSpec, rules: Arc<TaskRules>) -> TaskHandle {
        let seat = self.choose_seat();
        let (sender, mailbox) = channel(TASK_MAILBOX);
        let addr = Addr::new(sender).downgrade();
        let cell = Arc::new(TaskCell::new(
            task.clone(),
            Arc::clone(&self.board),
            addr,
            seat,
        ));
        let permit = self
            .permits
            .as_mut()
            .map_or(Permit::None, |pool| pool.ask(task.id()));
        let mark = Mark {
            grace: rules.grace,
            permit,
            is_overdue: false,
        };
        self.table.insert(&task, Arc::clone(&cell), mark);
        self.tell(EventType::TaskAdded, Some((&task, 1)), || {
            EventKind::TaskAdded
        });
        self.flush();
        self.seats[seat].worker.do_send(StartTask {
            mailbox,
            cell: Arc::clone(&cell),
            rules,
            maker: spec.maker,
            guard: EndGuard::new(Arc::clone(&cell)),
            permits: match (&self.permits, permit) {
                (None, _) => Permits::NotNeeded,
                (Some(_), Permit::Held) => Permits::FirstGranted,
                (Some(_), Permit::None | Permit::Waiting { .. }) => Permits::AskAlways,
            },
        });
        TaskHandle::new(cell)
    }

    /// Round-robin over the living workers; `may_add` saw that there is one.
    fn choose_seat(&mut self) -> usize {
        let count = self.seats.len();
        let turns = (0..count).map(|step| (self.next_seat + step) % count);
        let seat = turns
            .clone()
            .find(|&seat| self.seats[seat].is_alive)
            .unwrap_or_default();
        self.next_seat = (seat + 1) % count;
        seat
    }

    // ---- stopping ----

    /// Asks a member to stop, within its own grace or another one; `None`: it is no member.
    /// Whether this was the first request.
    pub(super) fn stop_task(
        &mut self,
        id: TaskId,
        cause: CancelCause,
        within: Option<Duration>,
    ) -> Option<bool> {
        let entry = self.table.get(id)?;
        let cell = Arc::clone(&entry.cell);
        let force_at = moment(Instant::now(), within.unwrap_or(entry.mark.grace));
        let is_overdue = entry.mark.is_overdue;
        let asked = cell.ask_to_stop(cause, force_at);
        if asked.is_first {
            let kind = || EventKind::TaskRemoveRequested { cause };
            self.tell(
                EventType::TaskRemoveRequested,
                Some((&cell.task, asked.version)),
                kind,
            );
            self.flush();
        }
        if asked.is_first || asked.force_at == force_at {
            if let (Some(force_at), false) = (asked.force_at, is_overdue) {
                self.deadlines.set(id, force_at + YIELD_MARGIN);
            }
            // May not be dropped: the task would not stop. `None`: it is gone, and its guard says so.
            if let Some(task) = cell.addr.upgrade() {
                task.do_send(StopTask);
            }
        }
        Some(asked.is_first)
    }

    /// R4: writes the outcome of those whose deadline has passed without a report.
    fn look_at_deadlines(&mut self) {
        while let Some(id) = self.deadlines.pop_due(Instant::now()) {
            let Some(entry) = self.table.get_mut(id) else {
                continue;
            };
            entry.mark.is_overdue = true;
            let cell = Arc::clone(&entry.cell);
            self.overdue += 1;
            if let Some((outcome, version)) = cell.overdue() {
                self.tell_ended(&cell, version, EventKind::ended(outcome));
                self.flush();
            }
            cell.wake();
        }
        self.look_whether_stopped();
    }

    // ---- permits ----

    pub(super) fn permit_wanted(&mut self, id: TaskId) {
        let (Some(pool), Some(entry)) = (&mut self.permits, self.table.get_mut(id)) else {
            return;
        };
        // The first attempt's place in the queue was taken when the task was added.
        if entry.mark.permit == Permit::None {
            entry.mark.permit = pool.ask(id);
        }
        if entry.mark.permit == Permit::Held {
            grant(&entry.cell);
        }
    }

    /// Gives back what a task holds, and passes it on (R3).
    pub(super) fn give_back(&mut self, permit: Permit) {
        let next = self
            .permits
            .as_mut()
            .and_then(|pool| pool.give_back(permit));
        if let Some(entry) = next.and_then(|id| self.table.get_mut(id)) {
            entry.mark.permit = Permit::Held;
            grant(&entry.cell);
        }
    }

    // ---- events ----

    pub(super) fn tell(
        &mut self,
        kind: EventType,
        task: Option<(&TaskRef, u64)>,
        make: impl FnOnce() -> EventKind,
    ) {
        if self.board.wants(kind) {
            self.outbox.push(match task {
                Some((task, version)) => Draft::of_task(task, version, make()),
                None => Draft::of_supervisor(make()),
            });
        }
    }

    pub(super) fn tell_ended(&mut self, cell: &TaskCell, version: u64, kind: EventKind) {
        self.tell(kind.event_type(), Some((&cell.task, version)), || kind);
    }

    pub(super) fn flush(&mut self) {
        if !self.outbox.is_empty() {
            self.board.publish(std::mem::take(&mut self.outbox));
        }
    }

    // ---- user values ----

    /// Has a value that may hold something of the user's dropped where user code runs; where no worker
    /// is left it is dropped here, contained by its wrapper.
    pub(super) fn dispose(&self, value: impl Send + 'static) {
        if let Some(seat) = self.seats.iter().find(|seat| seat.is_alive) {
            seat.worker.do_send(Dispose(Box::new(value)));
        }
    }
}

fn grant(cell: &TaskCell) {
    // May not be dropped: the attempt would wait for ever. `None`: it is gone, and its guard says so.
    if let Some(task) = cell.addr.upgrade() {
        task.do_send(PermitGranted);
    }
}

impl Actor for Registry {
    type Context = Context<Self>;

    /// Runs again after each restart: sets up what a restart loses.
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Clock::default());
    }
}

impl Supervised for Registry {
    fn restarting(&mut self, ctx: &mut Self::Context) {
        if !self.panics.spend(Instant::now()) {
            self.stage.note_cause(ShutdownCause::Panicked);
            ctx.stop();
        }
    }
}

/// The one timer: rings at the next deadline of a stop.
#[derive(Default)]
struct Clock {
    alarm: Alarm,
    set_for: Option<Instant>,
}

impl ActorFuture<Registry> for Clock {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        registry: &mut Registry,
        _: &mut Context<Registry>,
        cx: &mut PollContext<'_>,
    ) -> Poll<()> {
        let clock = self.get_mut();
        loop {
            let next = registry.deadlines.next();
            if next != clock.set_for {
                clock.set_for = next;
                clock.alarm.set(next);
            }
            if !clock.alarm.has_rung(cx) {
                return Poll::Pending;
            }
            clock.set_for = None;
            registry.look_at_deadlines();
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("tasks", &self.table.len())
            .finish_non_exhaustive()
    }
}
