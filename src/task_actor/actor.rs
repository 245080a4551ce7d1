use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as PollContext, Poll, Waker},
};

use actix::{dev::channel::AddressReceiver, fut::ActorFuture, prelude::*};
use tokio::time::Instant;

use super::{
    attempt::{Attempt, Body, Returned},
    guard::EndGuard,
    messages::{Permits, StartTask},
    phase::{Asked, Conclusion, Effect, Input, Phase},
};
use crate::{
    cell::{Look, Over, TaskCell},
    clock::{Alarm, moment},
    event::{Draft, EventKind, EventType},
    policy::Delays,
    registry::PermitWanted,
    task::{Failure, TaskContext},
};

/// The actor of one task: it owns the task's phase and polls one attempt at a time.
///
/// [`TaskHandle::addr`](crate::TaskHandle::addr) gives its address, for actors that want to talk to the
/// task by messages: it accepts [`Cancel`](crate::messages::Cancel) and
/// [`CurrentStatus`](crate::messages::CurrentStatus).
pub struct TaskActor {
    // Dropped in this order: the future before the object that it may borrow, the guard last.
    pub(super) attempt: Option<Attempt>,
    pub(super) body: Body,
    pub(super) cell: Arc<TaskCell>,
    pub(super) phase: Phase,
    pub(super) permits: Permits,
    /// Whether the cell knows whom to wake: from the first poll on.
    is_driven: bool,
    pub(super) alarm: Alarm,
    pub(super) delays: Delays,
    /// The failure of the attempt right before the next one, for its context.
    pub(super) previous_failure: Option<Failure>,
    /// Somebody has asked for its address.
    pub(super) mailbox: Option<AddressReceiver<Self>>,
    pub(super) guard: EndGuard,
}

impl TaskActor {
    /// As `Registry` ordered it.
    pub(super) fn new(order: StartTask) -> Self {
        Self {
            attempt: None,
            body: Body::Unmade(order.maker),
            cell: order.cell,
            phase: Phase::Created,
            permits: order.permits,
            is_driven: false,
            alarm: Alarm::Off,
            delays: Delays::default(),
            previous_failure: None,
            mailbox: None,
            guard: order.guard,
        }
    }

    /// One poll: the beginning, the alarm, then the attempt, each at most once. An attempt that ends is
    /// therefore followed by another in a later poll only, and siblings get their turn between.
    ///
    /// The clock is read once for all of it, and once more when the attempt ends: a reading is some 5 % of what
    /// supervision costs a short task.
    pub(super) fn drive(&mut self, cx: &mut PollContext<'_>) {
        let now = Instant::now();
        let is_first = !std::mem::replace(&mut self.is_driven, true);
        let needs_permit = self.permits.is_needed();
        let input = if self.phase == Phase::Created {
            Input::Begin { needs_permit }
        } else if self.alarm.has_rung(now) {
            Input::AlarmRang { needs_permit }
        } else {
            Input::Woken
        };
        self.take(input, is_first.then(|| cx.waker().clone()), now);
        if self.phase.has_attempt() {
            self.poll_attempt(now, cx);
        }
        self.alarm.arm(cx);
    }

    fn poll_attempt(&mut self, now: Instant, cx: &mut PollContext<'_>) {
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        if let Poll::Ready(returned) = attempt.poll(&self.cell, now, cx) {
            self.returned(returned);
        }
    }

    /// The attempt is over by itself. What counts is whether it had been asked to stop by now: the
    /// body may have seen the request in the cell, and obeyed it, before this actor looked.
    fn returned(&mut self, mut returned: Returned) {
        self.attempt = None;
        let over = self.cell.attempt_over(returned.failure.as_mut());
        let asked = match (over.stop, over.makes_room) {
            (Some(_), _) => Asked::ToStop,
            (None, true) => Asked::ToRestart,
            (None, false) => Asked::Nobody,
        };
        let (phase, effect) = self.phase.on(Input::Returned { asked });
        self.phase = phase;
        if let Effect::Conclude { attempt, ending } = effect {
            self.conclude(attempt, ending, returned, over, Instant::now());
        }
    }

    /// Decides what an input means and carries it out. What somebody asked for stands in the cell and goes before
    /// everything else: no attempt begins behind a request to stop. `driver` tells the cell whom to wake from now on.
    pub(super) fn take(&mut self, input: Input, driver: Option<Waker>, now: Instant) {
        if self.phase == Phase::Ended {
            return;
        }
        let Look { wishes, mailbox, is_abandoned } = self.cell.look(driver);
        if mailbox.is_some() {
            self.mailbox = mailbox;
        }
        if is_abandoned {
            return self.abandon();
        }
        let input = self.phase.heeding(wishes, self.permits.is_needed(), input);
        self.carry_out(input, now);
    }

    pub(super) fn carry_out(&mut self, input: Input, now: Instant) {
        let (phase, effect) = self.phase.on(input);
        self.phase = phase;
        match effect {
            Effect::AskForPermit { .. } => self.ask_for_permit(now),
            Effect::StartAttempt { attempt } => self.start_attempt(attempt, now),
            Effect::AwaitEnd { attempt } => self.await_end(attempt, now),
            Effect::Hold { after_attempt } => self.hold(after_attempt, now),
            Effect::ReturnPermit => self.release_permit(),
            Effect::AwaitDelay => self.alarm.set(self.cell.goes_on(now)),
            Effect::AwaitTimeout => self.await_timeout(now),
            Effect::Force { attempt, ending } => self.force(attempt, ending, now),
            Effect::EndIdle => self.end_idle(now),
            // An attempt's end comes through `returned`, which has what it returned.
            Effect::Nothing | Effect::Conclude { .. } => {}
        }
    }

    /// The first attempt's place in the queue was taken when the task was added. So each request has exactly one
    /// grant.
    fn ask_for_permit(&mut self, now: Instant) {
        self.cell.waits_for_permit(now);
        if self.permits == Permits::Queued {
            return;
        }
        self.permits = Permits::Queued;
        // May not be dropped: the permit would never come.
        self.cell.board.registry.do_send(PermitWanted { task: self.cell.id() });
    }

    /// Nothing runs, and nothing begins until the task is resumed: the next attempt stays planned, without a permit.
    fn hold(&mut self, after_attempt: u64, now: Instant) {
        self.alarm = Alarm::Off;
        if let Some(version) = self.cell.pauses(now) {
            let paused = || EventKind::TaskPaused { after_attempt };
            let paused = self.draft(EventType::TaskPaused, version, now, paused);
            self.cell.board.publish([paused, None]);
        }
        self.release_permit();
    }

    /// What was asked for since the last look into the cell stands there: the next poll heeds it.
    fn start_attempt(&mut self, attempt: u64, now: Instant) {
        let Some(version) = self.cell.attempt_started(attempt, now) else {
            self.phase = Phase::after(attempt.saturating_sub(1), true);
            self.alarm = Alarm::NextPoll;
            return;
        };
        self.alarm.set(self.cell.rules.timeout.and_then(|timeout| moment(now, timeout)));
        // Before user code gets the thread: it may keep it.
        let starting = || EventKind::TaskStarting { attempt };
        let starting = self.draft(EventType::TaskStarting, version, now, starting);
        self.cell.board.publish([starting, None]);
        let context =
            TaskContext::new(Arc::clone(&self.cell), attempt, self.previous_failure.take());
        match self.body.start(&self.cell, context, now) {
            Ok(attempt) => self.attempt = Some(attempt),
            Err(returned) => self.returned(returned),
        }
    }

    /// The grace runs until the time that `Registry` wrote into the cell with the request, or to the end of a
    /// timeout's grace, if that is earlier.
    fn await_end(&mut self, attempt: u64, now: Instant) {
        let force_at = self.cell.attempt_stopping(attempt, now);
        if force_at.is_some_and(|force_at| force_at <= now) {
            self.carry_out(Input::AlarmRang { needs_permit: false }, now);
        } else {
            self.alarm.set(force_at);
        }
    }

    fn await_timeout(&mut self, now: Instant) {
        let grace = self.cell.rules.timeout_grace;
        let force_at = moment(now, grace);
        if !self.cell.attempt_timed_out(force_at, now) {
            self.carry_out(Input::RestartAsked, now);
        } else if grace.is_zero() {
            self.carry_out(Input::AlarmRang { needs_permit: false }, now);
        } else {
            self.alarm.set(force_at);
        }
    }

    fn force(&mut self, number: u64, ending: Conclusion, now: Instant) {
        if let Some(attempt) = self.attempt.take() {
            attempt.force(&self.cell, now);
        }
        let over: Over = self.cell.attempt_over(None);
        self.conclude(number, ending, Returned::dropped(), over, Instant::now());
    }

    /// Ends without a word: there is nobody left to tell.
    fn abandon(&mut self) {
        self.phase = Phase::Ended;
        self.alarm = Alarm::Off;
        if let Some(attempt) = self.attempt.take() {
            attempt.force(&self.cell, Instant::now());
        }
    }

    // ---- events ----

    /// An event to tell of, if anybody wants its type.
    pub(super) fn draft(
        &self,
        kind: EventType,
        version: u64,
        at: Instant,
        make: impl FnOnce() -> EventKind,
    ) -> Option<Draft> {
        let is_wanted = self.cell.board.wants(kind);
        is_wanted.then(|| Draft::of_task(self.cell.task.clone(), version, make(), at))
    }
}

impl Actor for TaskActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Drive);
    }
}

/// The actor future that polls the alarm and the attempt. It is polled after each message as well.
struct Drive;

impl ActorFuture<TaskActor> for Drive {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut TaskActor,
        ctx: &mut Context<TaskActor>,
        cx: &mut PollContext<'_>,
    ) -> Poll<()> {
        actor.drive(cx);
        if actor.phase == Phase::Ended {
            ctx.stop();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl std::fmt::Debug for TaskActor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskActor")
            .field("task", &self.cell.task)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
