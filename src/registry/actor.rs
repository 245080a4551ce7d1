use std::{
    collections::HashMap,
    pin::Pin,
    sync::Arc,
    task::{Context as PollContext, Poll},
    time::Duration,
};

use actix::{fut::ActorFuture, prelude::*};
use tokio::time::Instant;

use super::{
    answers::Answers,
    closing::{Finale, Stage},
    ledger::{Deadlines, Permit, PermitPool, SlotLimits, Slots, Table},
    membership::{Followers, Parked},
};
use crate::{
    cell::TaskCell,
    clock::Alarm,
    contain::Answer,
    event::{Draft, EventKind, EventType},
    id::TaskRef,
    resilient::PanicBudget,
    supervisor::{Board, ShutdownCause},
    task::{Rulebook, TaskRules},
    worker::Crew,
};

/// The actor that owns membership, names, limits and stops of one supervisor.
///
/// [`SupervisorHandle::addr`](crate::SupervisorHandle::addr) gives its address; the messages that
/// applications may send are in [`messages`](crate::messages).
pub struct Registry {
    pub(super) board: Arc<Board>,
    pub(super) settings: RegistrySettings,
    pub(super) rules: Rulebook,
    pub(super) table: Table<Arc<TaskCell>, Mark>,
    pub(super) permits: Option<PermitPool>,
    /// Who owns and waits for which slot.
    pub(super) slots: Slots,
    /// Those who share the outcome of a member of a slot.
    pub(super) followers: Followers,
    /// The latest task of each name that is required, until it has completed.
    pub(super) required: HashMap<Arc<str>, Arc<TaskCell>>,
    /// The program is about to end.
    pub(super) is_leaving: bool,
    pub(super) deadlines: Deadlines,
    pub(super) crew: Crew,
    pub(super) answers: Answers,
    /// How many members have an overdue stop.
    pub(super) overdue: usize,
    pub(super) stage: Stage,
    pub(super) wait_for_empty: Vec<Answer<()>>,
    pub(super) finale: Option<Finale>,
    /// Messages since the mailbox was empty, or since others had their turn.
    pub(super) handled: u32,
    pub(super) panics: PanicBudget,
}

/// What the builder decided.
pub(crate) struct RegistrySettings {
    pub(crate) rules: Arc<TaskRules>,
    pub(crate) max_tasks: Option<usize>,
    pub(crate) max_concurrent: Option<usize>,
    pub(crate) slot_limits: SlotLimits,
    pub(crate) outcome_history: usize,
    pub(crate) subscriber_drain: Duration,
}

/// What only `Registry` knows of a member.
pub(crate) enum Mark {
    /// It waits in a slot, and this is its work.
    Parked(Parked),
    /// It was given to a worker.
    Started { permit: Permit, is_overdue: bool },
}

impl Mark {
    pub(super) fn started(permit: Permit) -> Self {
        Self::Started { permit, is_overdue: false }
    }

    /// It waits no longer: its work, to be given to a worker.
    pub(super) fn start(&mut self) -> Option<Parked> {
        match std::mem::replace(self, Self::started(Permit::None)) {
            Self::Parked(parked) => Some(parked),
            started @ Self::Started { .. } => {
                *self = started;
                None
            }
        }
    }

    pub(super) fn is_parked(&self) -> bool {
        matches!(self, Self::Parked(_))
    }

    pub(super) fn permit(&mut self) -> Option<&mut Permit> {
        match self {
            Self::Parked(_) => None,
            Self::Started { permit, .. } => Some(permit),
        }
    }

    pub(super) fn is_overdue(&self) -> bool {
        matches!(self, Self::Started { is_overdue: true, .. })
    }
}

impl Registry {
    pub(crate) fn new(
        board: Arc<Board>,
        settings: RegistrySettings,
        crew: Crew,
        finale: Finale,
    ) -> Self {
        Self {
            table: Table::new(settings.max_tasks, settings.outcome_history),
            permits: settings.max_concurrent.map(PermitPool::new),
            board,
            slots: Slots::new(settings.slot_limits),
            followers: Followers::default(),
            rules: Rulebook::new(Arc::clone(&settings.rules)),
            settings,
            required: HashMap::new(),
            is_leaving: false,
            deadlines: Deadlines::default(),
            answers: Answers::default(),
            crew,
            overdue: 0,
            stage: Stage::Serving,
            wait_for_empty: Vec::new(),
            finale: Some(finale),
            handled: 0,
            panics: PanicBudget::default(),
        }
    }

    // ---- events ----

    /// Tells of an event, if anybody wants its type. It has left when this returns.
    pub(super) fn tell(
        &self,
        kind: EventType,
        task: Option<(&TaskRef, u64)>,
        make: impl FnOnce() -> EventKind,
    ) {
        if self.board.wants(kind) {
            let draft = match task {
                Some((task, version)) => {
                    Draft::of_task(task.clone(), version, make(), Instant::now())
                }
                None => Draft::of_supervisor(make()),
            };
            self.board.publish([Some(draft), None]);
        }
    }

    /// An event to tell of, if anybody wants its type.
    pub(super) fn draft_of(
        &self,
        task: impl FnOnce() -> TaskRef,
        version: u64,
        kind: EventKind,
        at: Instant,
    ) -> Option<Draft> {
        let is_wanted = self.board.wants(kind.event_type());
        is_wanted.then(|| Draft::of_task(task(), version, kind, at))
    }

    pub(super) fn tell_of(&self, cell: &TaskCell, version: u64, kind: EventKind) {
        self.tell(kind.event_type(), Some((&cell.task, version)), || kind);
    }

    /// Lets go what this poll has brought for other threads.
    fn end_turn(&mut self) {
        self.answers.send(&self.crew);
        self.crew.send_orders();
    }

    // ---- time ----

    /// When something is due.
    fn next_moment(&self) -> Option<Instant> {
        let moments = [self.deadlines.next(), self.slots.next_due(), self.stage.drain_until()];
        moments.into_iter().flatten().min()
    }

    fn look_at_the_clock(&mut self) {
        self.look_at_deadlines();
        self.look_at_slots(Instant::now());
        self.after_removals();
    }
}

impl Actor for Registry {
    type Context = Context<Self>;

    /// Runs again after each restart: sets up what a restart loses, does what a panic may have left undone.
    fn started(&mut self, ctx: &mut Self::Context) {
        if self.panics.is_spent() {
            return;
        }
        ctx.spawn(Clock::default());
        self.overdue = self.table.entries().filter(|entry| entry.mark.is_overdue()).count();
        self.mend();
        self.after_removals();
    }
}

impl Supervised for Registry {
    fn restarting(&mut self, ctx: &mut Self::Context) {
        self.end_turn(); // of the poll that panicked
        if !self.panics.spend(Instant::now()) {
            self.stage.note_cause(ShutdownCause::Panicked);
            ctx.stop();
        }
    }
}

/// The one timer: rings when a stop is overdue, something is due in a slot, or a drain is over.
///
/// A stop that ended in time leaves its alarm behind: one wake-up for nothing is cheaper than a timer set and called
/// off for each stop.
#[derive(Default)]
struct Clock {
    alarm: Alarm,
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
        // The mailbox is empty, or a turn is due: others get theirs after this poll anyway.
        registry.handled = 0;
        loop {
            registry.end_turn();
            let Some(next) = registry.next_moment().filter(|next| !clock.alarm.covers(*next))
            else {
                return Poll::Pending;
            };
            if Instant::now() < next {
                clock.alarm = Alarm::new(next);
                clock.alarm.arm(cx);
                return Poll::Pending;
            }
            registry.look_at_the_clock();
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("tasks", &self.table.len()).finish_non_exhaustive()
    }
}
