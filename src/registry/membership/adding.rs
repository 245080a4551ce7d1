//! How tasks become members.

use std::sync::Arc;

use tokio::time::Instant;

use super::super::{
    actor::{Mark, Registry},
    closing::Stage,
    ledger::{Permit, Refusal},
};
use crate::{
    cell::{TaskCell, TaskPhase},
    contain::Contained,
    error::{AddAllError, AddError, AddRefusal, InvalidSpec},
    event::{Draft, EventKind, EventType},
    id::{TaskId, TaskRef},
    supervisor::TaskHandle,
    task::{MakeTask, TaskRules, TaskSpec},
    task_actor::{EndGuard, Permits, StartTask},
};

impl Registry {
    pub(in crate::registry) fn add(&mut self, spec: TaskSpec) -> Result<TaskHandle, AddError> {
        let now = Instant::now();
        let rules = self.rules.of(&spec);
        let decision = self.may_add(&[(spec.name(), &rules)]);
        let id = self.table.assign_id();
        let requested = self.request(id, &spec, decision.is_ok(), now);
        match decision {
            Ok(()) => Ok(self.enroll(id, spec, rules, requested, now)),
            Err((_, refusal)) => {
                let why = refusal.with_ids(&[]);
                self.tell_refused(id, &spec, why.clone(), requested, now);
                Err(AddError::refused(why, spec))
            }
        }
    }

    pub(in crate::registry) fn add_all(
        &mut self,
        specs: Vec<TaskSpec>,
    ) -> Result<Vec<TaskHandle>, AddAllError> {
        let now = Instant::now();
        let rules: Vec<_> = specs.iter().map(|spec| self.rules.of(spec)).collect();
        let asked: Vec<_> = specs.iter().map(TaskSpec::name).zip(&rules).collect();
        let decision = self.may_add(&asked);
        let ids: Vec<_> = specs.iter().map(|_| self.table.assign_id()).collect();
        for (&id, spec) in ids.iter().zip(&specs) {
            self.board.publish([self.request(id, spec, decision.is_ok(), now), None]);
        }
        match decision {
            Ok(()) => {
                let enrolled = ids.into_iter().zip(specs).zip(rules);
                let enroll = |((id, spec), rules)| self.enroll(id, spec, rules, None, now);
                Ok(enrolled.map(enroll).collect())
            }
            Err((culprit, refusal)) => {
                let why = refusal.with_ids(&ids);
                for (index, (&id, spec)) in ids.iter().zip(&specs).enumerate() {
                    let batch = AddRefusal::Batch { culprit };
                    let own = if index == culprit { why.clone() } else { batch };
                    self.tell_refused(id, spec, own, None, now);
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
        let culprit = asked.iter().position(|(_, rules)| endless(rules).is_some());
        let before = &asked[..culprit.unwrap_or(asked.len())];
        self.table.may_add(before.iter().map(|(name, _)| *name))?;
        if let Some((index, why)) =
            culprit.and_then(|index| Some((index, endless(asked[index].1)?)))
        {
            return plain(index, AddRefusal::InvalidSpec(why));
        }
        if !self.crew.is_there() {
            return plain(0, AddRefusal::NoWorker);
        }
        Ok(())
    }

    /// The event of a command to add a task, if anybody wants it. That of a member is part of its first version.
    fn request(
        &self,
        id: TaskId,
        spec: &TaskSpec,
        is_accepted: bool,
        now: Instant,
    ) -> Option<Draft> {
        let about = || spec.to_task(id);
        self.draft_of(about, u64::from(is_accepted), EventKind::TaskAddRequested, now)
    }

    fn tell_refused(
        &self,
        id: TaskId,
        spec: &TaskSpec,
        why: AddRefusal,
        requested: Option<Draft>,
        now: Instant,
    ) {
        let about = || spec.to_task(id);
        let failed = self.draft_of(about, 0, EventKind::TaskAddFailed { why }, now);
        self.board.publish([requested, failed]);
    }

    fn enroll(
        &mut self,
        id: TaskId,
        spec: TaskSpec,
        rules: Arc<TaskRules>,
        requested: Option<Draft>,
        now: Instant,
    ) -> TaskHandle {
        let task = TaskRef::new(id, spec.name);
        let board = Arc::clone(&self.board);
        let phase = TaskPhase::Waiting;
        let cell = Arc::new(TaskCell::new(task, board, rules, None, phase, now));
        let permit = self.ask_for_permit(&cell);
        self.table.insert(Arc::clone(&cell), Mark::started(permit));
        self.launch(&cell, permit, spec.maker, requested);
        TaskHandle::new(cell)
    }

    /// Gives a member its name, which is free, and a worker. The event of a request goes before that of the
    /// membership.
    pub(super) fn launch(
        &mut self,
        cell: &Arc<TaskCell>,
        permit: Permit,
        maker: Contained<Box<dyn MakeTask>>,
        requested: Option<Draft>,
    ) {
        let worker = self.crew.choose();
        cell.take_seat(worker);
        // From here on its end is reported, whatever happens on the way (R2).
        let guard = EndGuard::new(Arc::clone(cell));
        self.table.claim_name(&cell.task);
        if cell.rules.required {
            let before =
                self.required.insert(Arc::clone(cell.task.shared_name()), Arc::clone(cell));
            self.let_go(before);
        } else if !self.required.is_empty() {
            let before = self.required.remove(cell.task.name());
            self.let_go(before);
        }
        if self.board.wants(EventType::TaskAdded) || requested.is_some() {
            let at = requested.as_ref().map_or_else(Instant::now, |requested| requested.at);
            let about = || cell.task.clone();
            let added = self.draft_of(about, cell.version(), EventKind::TaskAdded, at);
            self.board.publish([requested, added]);
        }
        let order = StartTask {
            cell: Arc::clone(cell),
            maker,
            guard,
            permits: match (&self.permits, permit) {
                (None, _) => Permits::NotNeeded,
                (Some(_), Permit::Held) => Permits::Held,
                (Some(_), Permit::None | Permit::Waiting { .. }) => Permits::Queued,
            },
        };
        self.crew.start(worker, order);
    }
}

/// Why a task with these rules could restart for ever without a pause, if it could.
pub(super) fn endless(rules: &TaskRules) -> Option<InvalidSpec> {
    match (rules.backoff.is_immediate(), rules.max_retries) {
        (false, _) => None,
        (true, None) => Some(InvalidSpec::ImmediateWithoutLimit),
        (true, Some(_)) if rules.healthy_after.is_zero() => {
            Some(InvalidSpec::ImmediateAlwaysHealthy)
        }
        (true, Some(_)) => None,
    }
}
