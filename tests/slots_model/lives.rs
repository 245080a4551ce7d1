//! How those who were taken in start and end, and what the clock does to them.

use std::time::Duration;

use actix_taskvisor::prelude::*;

use super::{Due, End, Model, One, Place, Slot, Stage, canceled};

impl Model {
    // ---- starting ----

    pub(super) fn start(&mut self, id: TaskId) {
        let now = self.now;
        self.starts += 1;
        let start = self.starts;
        let one = self.one_mut(id);
        (one.place, one.start) = (Place::Owns, start);
        let (slot, when_busy) = (one.ask.slot.clone(), one.ask.when_busy);
        if let (Some(slot), WhenBusy::Throttle { every }) = (&slot, when_busy) {
            self.slot_mut(slot).opens_at = Some(now + every);
        }
        match self.limits.max_concurrent {
            Some(limit) if self.permits_held >= limit => {
                match self.lines.iter_mut().find(|(line, _)| *line == slot) {
                    Some((_, line)) => line.push(id),
                    None => self.lines.push((slot, vec![id])),
                }
            }
            _ => {
                self.permits_held += 1;
                self.grant(id);
            }
        }
    }

    /// Its body begins when everybody has had a turn, unless it is asked to stop in the same step.
    pub(super) fn grant(&mut self, id: TaskId) {
        self.one_mut(id).has_permit = true;
        self.granted.push(id);
    }

    /// Everybody has had a turn.
    pub fn settle(&mut self) {
        self.pass(self.now, false);
        for id in std::mem::take(&mut self.granted) {
            if self.one(id).has_permit {
                self.one_mut(id).has_begun = true;
                self.bodies.push(id);
            }
        }
    }

    /// Whoever is next starts, as long as there is room.
    pub(super) fn advance(&mut self, slot: &str) {
        while let Some(&next) = self.line(slot).first()
            && self.owners(slot).len() < self.slot_mut(slot).concurrency
        {
            match self.holder(&self.one(next).ask.name) {
                None => self.start(next),
                Some(owner) => {
                    self.over(next, End::Rejected { kind: RejectionKind::AlreadyExists { owner } });
                }
            }
        }
    }

    // ---- ending ----

    /// The body of a task that runs returns.
    pub fn release(&mut self, id: TaskId, fails: bool) {
        let end = match (self.one(id).stop, fails) {
            (Some((cause, _)), failed) => End::Canceled { cause, failed },
            (None, true) => End::Failed,
            (None, false) => End::Completed,
        };
        self.end(id, end);
        self.pass(self.now, false);
    }

    pub fn cancel(&mut self, id: TaskId) -> bool {
        let is_first = match self.one(id).place {
            Place::Over(_) => false,
            Place::Owns => self.ask_to_stop(id, CancelCause::User),
            Place::Waits | Place::Follows(_) => {
                self.over(id, canceled(CancelCause::User));
                true
            }
        };
        self.end_those_who_listen();
        is_first
    }

    /// Whether a cancel by id finds it: followers leave no trace.
    pub fn is_known(&self, id: TaskId) -> bool {
        let one = self.one(id);
        one.was_member || !matches!(one.place, Place::Over(_))
    }

    /// Who was asked, and whether that was the first time.
    pub fn cancel_slot(&mut self, slot: &str, scope: SlotScope) -> Vec<(TaskId, bool)> {
        let waiting = [self.line(slot), self.delayed(slot)].concat();
        let owners = if scope == SlotScope::All { self.owners(slot) } else { Vec::new() };
        let mut asked = Vec::new();
        for id in waiting {
            self.over(id, canceled(CancelCause::User));
            asked.push((id, true));
        }
        for id in owners {
            asked.push((id, self.ask_to_stop(id, CancelCause::User)));
        }
        self.end_those_who_listen();
        asked
    }

    pub fn shut_down(&mut self) {
        if !matches!(self.stage, Stage::Serving | Stage::Draining { .. }) {
            return;
        }
        self.stage = Stage::Stopping;
        self.slots.iter_mut().for_each(|slot| slot.opens_at = None);
        self.forget_idle_slots();
        for id in self.all(|one| one.place == Place::Waits) {
            self.over(id, End::Rejected { kind: RejectionKind::ShuttingDown });
        }
        for id in self.all(|one| one.place == Place::Owns) {
            self.ask_to_stop(id, CancelCause::Shutdown);
        }
        self.end_those_who_listen();
    }

    pub fn shut_down_after_queues(&mut self, within: Duration) {
        if self.stage != Stage::Serving {
            return;
        }
        let now = self.now;
        self.stage = Stage::Draining { until: now + within };
        for one in &mut self.ones {
            if one.place == Place::Waits && matches!(one.ask.when_busy, WhenBusy::Debounce { .. }) {
                one.due = one.due.min(now);
            }
        }
        self.pass(now, false);
        self.look_whether_stopped();
    }

    pub(super) fn ask_to_stop(&mut self, id: TaskId, cause: CancelCause) -> bool {
        let now = self.now;
        let one = self.one_mut(id);
        let is_first = one.stop.is_none();
        one.stop.get_or_insert((cause, now));
        is_first
    }

    /// Those who were asked to stop, and are not deaf or have not begun.
    pub(super) fn end_those_who_listen(&mut self) {
        // A deadline in a queue counts before the end of an owner at the same moment.
        self.pass(self.now, false);
        let listens = |one: &One| one.ask.deaf_for.is_none() || !one.has_begun;
        let ends = |one: &One| one.place == Place::Owns && one.stop.is_some() && listens(one);
        let mut ids = self.all(ends);
        ids.sort_by_key(|&id| self.one(id).has_begun);
        for id in ids {
            let one = self.one(id);
            let failed = one.has_begun && one.ask.fails_when_stopped;
            let (cause, _) = one.stop.expect("it was asked");
            self.end(id, End::Canceled { cause, failed });
        }
        self.look_whether_stopped();
    }

    /// An owner is physically over.
    pub(super) fn end(&mut self, id: TaskId, end: End) {
        self.over(id, end);
        let one = self.one_mut(id);
        if std::mem::take(&mut one.has_permit) {
            self.permits_held -= 1;
            if let Some((slot, mut line)) = (!self.lines.is_empty()).then(|| self.lines.remove(0)) {
                let next = line.remove(0);
                if !line.is_empty() {
                    self.lines.push((slot, line));
                }
                self.permits_held += 1;
                self.grant(next);
            }
        } else {
            self.lines.iter_mut().for_each(|(_, line)| line.retain(|&other| other != id));
            self.lines.retain(|(_, line)| !line.is_empty());
        }
        if let Some(slot) = self.one(id).ask.slot.clone() {
            self.advance(&slot);
        }
        self.look_whether_stopped();
    }

    /// It has its outcome, and all who follow it.
    pub(super) fn over(&mut self, id: TaskId, end: End) {
        let is_member = !matches!(self.one(id).place, Place::Follows(_));
        if is_member && self.stage != Stage::Serving {
            self.ended_late.push((id, end));
        }
        self.one_mut(id).place = Place::Over(end);
        for follower in self.all(|one| one.place == Place::Follows(id)) {
            self.one_mut(follower).place = Place::Over(end);
        }
        self.forget_idle_slots();
    }

    pub(super) fn follow(&mut self, id: TaskId, to: TaskId) {
        for one in &mut self.ones {
            if one.id == id || one.place == Place::Follows(id) {
                one.place = Place::Follows(to);
            }
        }
    }

    pub(super) fn forget_idle_slots(&mut self) {
        let ones = &self.ones;
        let is_used = |slot: &Slot| ones.iter().any(|one| one.is_in(&slot.name));
        self.slots.retain(|slot| is_used(slot) || slot.opens_at.is_some());
    }

    pub(super) fn look_whether_stopped(&mut self) {
        let is_in_slot = |one: &One| one.ask.slot.is_some() && one.is_member();
        match self.stage {
            Stage::Draining { .. } if !self.ones.iter().any(is_in_slot) => self.shut_down(),
            Stage::Stopping if self.members().is_empty() => self.stage = Stage::Over,
            _ => {}
        }
    }

    // ---- time ----

    /// Lets time pass: what is due happens at its moment, or (the clock jumps) late, but in the same order.
    pub fn pass(&mut self, until: Duration, jumps: bool) {
        while let Some((at, due)) = self.dues().into_iter().min().filter(|(at, _)| *at <= until) {
            if !jumps && at > self.now {
                self.settle();
            }
            self.now = if jumps { until } else { at.max(self.now) };
            match due {
                Due::TimesOut(id) => {
                    let max_wait = self.one(id).ask.max_wait.expect("it timed out");
                    self.over(id, End::Rejected { kind: RejectionKind::QueueTimeout { max_wait } });
                }
                Due::TimeComes(id) => {
                    self.one_mut(id).has_been_due = true;
                    let slot = self.one(id).ask.slot.clone().expect("it waits in one");
                    self.advance(&slot);
                }
                Due::Opens => {
                    let now = self.now;
                    self.slots.iter_mut().for_each(|slot| {
                        slot.opens_at.take_if(|at| *at <= now);
                    });
                    self.forget_idle_slots();
                }
                Due::Forced(id) => {
                    let (cause, _) = self.one(id).stop.expect("it was asked");
                    self.end(id, End::Forced { cause });
                }
                Due::Drained => self.shut_down(),
            }
            self.look_whether_stopped();
        }
        self.now = until;
    }

    /// When the next one is forced, or a drain is over: the clock may not jump over that.
    pub fn next_end(&self) -> Option<Duration> {
        let ends = |due: &Due| matches!(due, Due::Forced(_) | Due::Drained);
        self.dues().into_iter().filter(|(_, due)| ends(due)).map(|(at, _)| at).min()
    }

    pub(super) fn dues(&self) -> Vec<(Duration, Due)> {
        let mut dues = Vec::new();
        for one in &self.ones {
            if one.place == Place::Waits {
                dues.extend(one.ask.max_wait.map(|wait| (one.came + wait, Due::TimesOut(one.id))));
                if !one.has_been_due {
                    dues.push((one.due, Due::TimeComes(one.id)));
                }
            }
            let stop = one.stop.filter(|_| one.place == Place::Owns && one.has_begun);
            if let (Some((_, since)), Some(deaf_for)) = (stop, one.ask.deaf_for) {
                dues.push((since + deaf_for, Due::Forced(one.id)));
            }
        }
        dues.extend(self.slots.iter().filter_map(|slot| Some((slot.opens_at?, Due::Opens))));
        if let Stage::Draining { until } = self.stage {
            dues.push((until, Due::Drained));
        }
        dues
    }
}
