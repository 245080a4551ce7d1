//! How submissions are taken in: the decision, and what follows from it in the same step.

use std::{sync::Arc, time::SystemTime};

use tokio::time::Instant;

use super::{
    super::{
        Registry,
        actor::Mark,
        closing::Stage,
        ledger::{Ask, Members, Turn, Verdict},
    },
    adding::endless,
    waiting::Parked,
};
use crate::{
    cell::{TaskCell, TaskPhase},
    error::InvalidSpec,
    event::{EventKind, EventType},
    id::{TaskId, TaskRef},
    slot::{Admission, RejectionKind, Submission, SubmissionHandle, SubmitError, Terms, WhenBusy},
    task::{CancelCause, TaskOutcome, TaskRules},
};

impl Members for Registry {
    fn is_over(&self, id: TaskId) -> bool {
        self.table.get(id).is_none_or(|entry| entry.cell.has_outcome())
    }

    fn is_named(&self, id: TaskId, name: &str) -> bool {
        self.table.get(id).is_some_and(|entry| entry.cell.task.name() == name)
    }
}

impl Registry {
    pub(in crate::registry) fn submit(
        &mut self,
        submission: Submission,
    ) -> Result<SubmissionHandle, SubmitError> {
        let now = Instant::now();
        let rules = self.rules.of(&submission.spec);
        let task = TaskRef::new(self.table.assign_id(), Arc::clone(&submission.spec.name));
        let slot = submission.shared_slot();
        let Terms { concurrency, max_wait, priority, .. } = submission.terms();
        let ask = Ask {
            id: task.id(),
            slot: &slot,
            name: task.name(),
            when_busy: submission.when_busy,
            priority,
            max_wait,
            concurrency,
        };
        match self.may_submit(&ask, &rules, now) {
            Ok(verdict) => {
                let mut from = self.slot_state(&slot);
                self.slots.enter(&ask, &verdict, now);
                let admission = admission(&verdict, now);
                let board = Arc::clone(&self.board);
                let (own_slot, phase) = (Some(Arc::clone(&slot)), phase(&verdict));
                let cell = Arc::new(TaskCell::new(task, board, rules, own_slot, phase, now));
                self.take_in(&cell, submission, admission, &verdict);
                self.tell_transition(&slot, &mut from, &cell);
                match verdict {
                    Verdict::Start { .. } => {
                        self.start(&cell);
                    }
                    Verdict::Replace { owner, .. } => {
                        self.stop_task(owner, CancelCause::Replaced, None);
                    }
                    Verdict::Queue { .. } | Verdict::Attach { .. } | Verdict::Delay { .. } => {}
                }
                Ok(SubmissionHandle::new(slot, admission, cell))
            }
            Err(kind) => {
                let event = || EventKind::SlotRejected { slot, kind };
                self.tell(EventType::SlotRejected, Some((&task, 0)), event);
                Err(SubmitError::rejected(kind, submission))
            }
        }
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
        if !self.crew.is_there() {
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
    fn take_in(
        &mut self,
        cell: &Arc<TaskCell>,
        submission: Submission,
        admission: Admission,
        verdict: &Verdict,
    ) {
        let Terms { attaches_displaced, .. } = submission.terms();
        let Submission { spec, when_busy, .. } = submission;
        let parked = Parked { maker: spec.maker };
        self.tell_submitted(cell, when_busy, admission, u64::from(verdict.makes_member()));
        if let &Verdict::Attach { to } = verdict {
            cell.attached();
            self.attach(to, Arc::clone(cell));
            self.crew.dispose(parked);
            return;
        }
        self.table.insert(Arc::clone(cell), Mark::Parked(parked));
        if let Verdict::Delay { turn: Turn { due, position: None, .. }, .. } = verdict {
            cell.enter(TaskPhase::Delayed, Some(*due), Instant::now());
        }
        for &displaced in verdict.displaced() {
            self.displace(displaced, cell, when_busy, attaches_displaced);
        }
    }

    pub(super) fn tell_submitted(
        &mut self,
        cell: &TaskCell,
        when_busy: WhenBusy,
        admission: Admission,
        version: u64,
    ) {
        if let Some(slot) = &cell.slot {
            let slot = Arc::clone(slot);
            let kind =
                || EventKind::SlotSubmitted { slot, when_busy: Box::new(when_busy), admission };
            self.tell(EventType::SlotSubmitted, Some((&cell.task, version)), kind);
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

fn phase(verdict: &Verdict) -> TaskPhase {
    match verdict {
        Verdict::Start { .. } => TaskPhase::Waiting,
        Verdict::Queue { .. } | Verdict::Replace { .. } => TaskPhase::Queued,
        Verdict::Attach { .. } => TaskPhase::Attached,
        Verdict::Delay { turn, .. } if turn.position.is_some() => TaskPhase::Queued,
        Verdict::Delay { .. } => TaskPhase::Delayed,
    }
}

fn admission(verdict: &Verdict, now: Instant) -> Admission {
    match *verdict {
        Verdict::Start { .. } => Admission::Started,
        Verdict::Queue { position }
        | Verdict::Delay { turn: Turn { position: Some(position), .. }, .. } => {
            Admission::Queued { position }
        }
        Verdict::Replace { owner, .. } => Admission::Replacing { owner },
        Verdict::Attach { to } => Admission::Attached { to },
        Verdict::Delay { turn: Turn { due, position: None, .. }, .. } => {
            let delay = due.saturating_duration_since(now);
            Admission::Delayed { delay, until: SystemTime::now().checked_add(delay) }
        }
    }
}
