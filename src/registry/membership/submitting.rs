//! How submissions are taken in: the decision, and what follows from it in the same step.

use std::{sync::Arc, time::SystemTime};

use actix::Addr;
use tokio::time::Instant;

use super::{
    super::{
        Registry,
        actor::Mark,
        closing::Stage,
        ledger::{Ask, Members, Permit, Verdict},
    },
    adding::endless,
    waiting::Parked,
};
use crate::{
    cell::{TaskCell, TaskPhase},
    error::InvalidSpec,
    event::{EventKind, EventType},
    id::{TaskId, TaskRef},
    slot::{Admission, RejectionKind, Submission, SubmissionHandle, SubmitError, WhenBusy},
    task::{CancelCause, TaskOutcome, TaskRules},
};

impl Members for Registry {
    fn is_stopping(&self, id: TaskId) -> bool {
        self.table.get(id).is_some_and(|entry| entry.cell.stop().is_some())
    }

    fn is_named(&self, id: TaskId, name: &str) -> bool {
        self.table.get(id).is_some_and(|entry| entry.cell.task.name() == name)
    }
}

/// A submission that has its id and its place.
struct Entrant {
    cell: Arc<TaskCell>,
    slot: Arc<str>,
    when_busy: WhenBusy,
    admission: Admission,
    attaches_displaced: bool,
    parked: Parked,
}

impl Registry {
    pub(in crate::registry) fn submit(
        &mut self,
        submission: Submission,
    ) -> Result<SubmissionHandle, SubmitError> {
        let now = Instant::now();
        let rules = submission.spec.settings.over(&self.settings.rules);
        let task = TaskRef::new(self.table.assign_id(), Arc::clone(&submission.spec.name));
        let slot = submission.shared_slot();
        let ask = Ask {
            id: task.id(),
            slot: &slot,
            name: task.name(),
            when_busy: submission.when_busy,
            priority: submission.priority,
            max_wait: submission.max_wait,
            concurrency: submission.concurrency,
        };
        let verdict = match self.may_submit(&ask, &rules, now) {
            Ok(verdict) => verdict,
            Err(kind) => {
                let event = || EventKind::SlotRejected { slot, kind };
                self.tell(EventType::SlotRejected, Some((&task, 0)), event);
                return Err(SubmitError::rejected(kind, submission));
            }
        };
        let from = self.slot_state(&slot);
        self.slots.enter(&ask, &verdict, now);
        let phase = match verdict {
            Verdict::Start { .. } => TaskPhase::Waiting,
            Verdict::Queue { .. } | Verdict::Replace { .. } => TaskPhase::Queued,
            Verdict::Attach { .. } => TaskPhase::Attached,
            Verdict::Delay { position: Some(_), .. } => TaskPhase::Queued,
            Verdict::Delay { position: None, .. } => TaskPhase::Delayed,
        };
        let board = Arc::clone(&self.board);
        let entrant = Entrant {
            cell: Arc::new(TaskCell::new(task, board, Some(Arc::clone(&slot)), phase)),
            when_busy: submission.when_busy,
            admission: admission(&verdict, now),
            attaches_displaced: submission.attaches_displaced,
            parked: Parked { maker: submission.spec.maker, rules },
            slot,
        };
        let (slot, cell) = (Arc::clone(&entrant.slot), Arc::clone(&entrant.cell));
        let handle = SubmissionHandle::new(slot, entrant.admission, cell);
        self.take_in(entrant, verdict, from);
        Ok(handle)
    }

    /// What becomes of it. It changes nothing.
    fn may_submit(
        &self,
        ask: &Ask<'_>,
        rules: &TaskRules,
        now: Instant,
    ) -> Result<Verdict, RejectionKind> {
        if !matches!(self.stage, Stage::Serving) {
            return Err(RejectionKind::ShuttingDown);
        }
        if ask.name.is_empty() {
            return Err(RejectionKind::InvalidSpec(InvalidSpec::EmptyName));
        }
        if let Some(why) = endless(rules) {
            return Err(RejectionKind::InvalidSpec(why));
        }
        if ask.slot.is_empty() {
            return Err(RejectionKind::EmptySlotName);
        }
        if ask.concurrency == Some(0) {
            return Err(RejectionKind::ZeroConcurrency);
        }
        if !self.workers.iter().any(Addr::connected) {
            return Err(RejectionKind::NoWorker);
        }
        let verdict = self.slots.decide(ask, now, self)?;
        match &verdict {
            Verdict::Attach { .. } => return Ok(verdict),
            Verdict::Start { .. } => self.may_start(ask.name)?,
            Verdict::Queue { .. } | Verdict::Replace { .. } | Verdict::Delay { .. } => {}
        }
        let room = self.table.has_room(verdict.displaced().len());
        room.map_err(|limit| RejectionKind::LimitReached { limit })?;
        Ok(verdict)
    }

    /// Carries the decision out. The slots know of it already.
    fn take_in(&mut self, entrant: Entrant, verdict: Verdict, mut from: crate::slot::SlotState) {
        let Entrant { cell, slot, when_busy, admission, attaches_displaced, parked } = entrant;
        let event = || EventKind::SlotSubmitted { slot: Arc::clone(&slot), when_busy, admission };
        let is_member = !matches!(verdict, Verdict::Attach { .. });
        let about = (&cell.task, u64::from(is_member));
        self.tell(EventType::SlotSubmitted, Some(about), event);
        if let Verdict::Attach { to } = verdict {
            cell.attached();
            self.attach(to, cell);
            self.dispose(parked);
            return;
        }
        let mark = Mark { grace: parked.rules.grace, permit: Permit::None, is_overdue: false };
        self.table.insert(&cell.task, Arc::clone(&cell), mark);
        for &displaced in verdict.displaced() {
            self.displace(displaced, &cell, when_busy, attaches_displaced);
        }
        match verdict {
            Verdict::Start { .. } => {
                self.tell_transition(&slot, &mut from, &cell);
                self.start(&cell, parked);
                return;
            }
            Verdict::Delay { due, position: None, .. } => {
                cell.enter(TaskPhase::Delayed, Some(due));
            }
            Verdict::Queue { .. }
            | Verdict::Replace { .. }
            | Verdict::Delay { .. }
            | Verdict::Attach { .. } => {}
        }
        self.parked.insert(cell.id(), parked);
        self.tell_transition(&slot, &mut from, &cell);
        if let Verdict::Replace { owner, .. } = verdict {
            self.stop_task(owner, CancelCause::Replaced, None);
        }
    }

    /// One who waited has left its place to a newer one.
    fn displace(&mut self, id: TaskId, by: &TaskCell, when_busy: WhenBusy, attaches: bool) {
        let Some(cell) = self.table.get(id).map(|entry| Arc::clone(&entry.cell)) else {
            return;
        };
        if attaches {
            self.merge(&cell, by.id(), when_busy);
        } else {
            let kind = RejectionKind::Superseded { by: by.id() };
            self.end_waiting(&cell, TaskOutcome::Rejected { kind });
        }
    }
}

fn admission(verdict: &Verdict, now: Instant) -> Admission {
    match *verdict {
        Verdict::Start { .. } => Admission::Started,
        Verdict::Queue { position } | Verdict::Delay { position: Some(position), .. } => {
            Admission::Queued { position }
        }
        Verdict::Replace { owner, .. } => Admission::Replacing { owner },
        Verdict::Attach { to } => Admission::Attached { to },
        Verdict::Delay { due, position: None, .. } => {
            let delay = due.saturating_duration_since(now);
            Admission::Delayed { delay, until: SystemTime::now().checked_add(delay) }
        }
    }
}
