use std::sync::Arc;

use actix::prelude::*;

use super::{
    Registry,
    messages::{
        AddTask, AddTasks, AttemptReleased, AwaitEmpty, BrokerClosed, CancelAll, CancelSlot,
        CancelTask, Command, Envelope, FindTask, OverviewWanted, PauseTask, PermitWanted,
        RestartTask, ResumeTask, RetryTask, ShutDown, SlotList, SnapshotWanted, StatusList,
        StatusOf, SubmitTask, TaskEnded, TaskList,
    },
};
use crate::{
    broker::SnapshotTaken,
    error::{AddAllError, AddError, AddRefusal, StopError},
    fair::Turn,
    operator::{ActError, OperatorVerb},
    slot::{RejectionKind, SubmitError},
    supervisor::{Cancelling, ShutdownCause, TaskHandle},
    task::CancelCause,
};

/// How many messages are handled in one poll: then others on the thread get their turn, workers their orders, and callers
/// their answers.
const MESSAGES_PER_TURN: u32 = 64;

/// A command of a handle: the message decides, the answer goes through the channel.
impl<M: Command> Handler<Envelope<M>> for Registry {
    type Result = ();

    fn handle(&mut self, envelope: Envelope<M>, ctx: &mut Self::Context) {
        let Some((message, answer)) = envelope.open() else {
            return;
        };
        self.board.gate.leave();
        if M::LOOKS_AT_ALL {
            self.answers.send(&self.crew);
        }
        let reply = self.decided(message);
        self.answers.give(answer, reply, &self.crew);
        self.count(ctx);
    }
}

impl Registry {
    /// One more message of those that others can send without end.
    fn count(&mut self, ctx: &mut Context<Self>) {
        self.handled += 1;
        if self.handled >= MESSAGES_PER_TURN {
            self.handled = 0;
            ctx.wait(Turn::default()); // the only way out of the mailbox's loop: see `fair`
        }
    }

    fn decided<M: Command>(&mut self, message: M) -> M::Result {
        self.catch_up();
        let reply = message.decide(self);
        self.after_removals();
        reply
    }
}

/// The same command, sent straight to the address by an application.
macro_rules! answered_by_their_decision {
    ($($command:ty),*) => {$(
        impl Handler<$command> for Registry {
            type Result = MessageResult<$command>;

            fn handle(&mut self, msg: $command, ctx: &mut Self::Context) -> Self::Result {
                let reply = self.decided(msg);
                self.count(ctx);
                MessageResult(reply)
            }
        }
    )*};
}
answered_by_their_decision!(
    AddTask,
    AddTasks,
    SubmitTask,
    CancelTask,
    CancelAll,
    CancelSlot,
    TaskList,
    FindTask,
    SlotList,
    RestartTask,
    RetryTask,
    PauseTask,
    ResumeTask
);

impl Command for AddTask {
    fn decide(self, registry: &mut Registry) -> Self::Result {
        registry.add(self.0)
    }

    fn refused(self) -> Option<Self::Result> {
        Some(Err(AddError::refused(AddRefusal::ShuttingDown, self.0)))
    }
}

impl Command for AddTasks {
    const LOOKS_AT_ALL: bool = true;

    fn decide(self, registry: &mut Registry) -> Self::Result {
        registry.add_all(self.0)
    }

    fn refused(self) -> Option<Self::Result> {
        Some(Err(AddAllError::refused(0, AddRefusal::ShuttingDown, self.0)))
    }
}

impl Command for SubmitTask {
    fn decide(self, registry: &mut Registry) -> Self::Result {
        registry.submit(self.0)
    }

    fn refused(self) -> Option<Self::Result> {
        Some(Err(SubmitError::rejected(RejectionKind::ShuttingDown, self.0)))
    }
}

impl Command for CancelTask {
    fn decide(self, registry: &mut Registry) -> Self::Result {
        let Some(member) = registry.table.living(&self.target) else {
            return self.of_no_member(registry);
        };
        let cell = Arc::clone(&member.cell);
        registry.tell_operator(&cell, OperatorVerb::Cancel, self.operator);
        let is_first = registry.stop_task(cell.id(), CancelCause::User, None).unwrap_or(false);
        Ok(Cancelling::new(is_first, TaskHandle::new(cell)))
    }

    fn refused(self) -> Option<Self::Result> {
        Some(Err(StopError::ShuttingDown))
    }
}

impl CancelTask {
    /// Whoever shares an outcome gives up its share; whoever has ended stays as it is.
    fn of_no_member(self, registry: &mut Registry) -> Result<Cancelling, StopError> {
        if let Some(follower) = registry.follower(&self.target) {
            registry.tell_operator(&follower, OperatorVerb::Cancel, self.operator);
            registry.detach(&self.target);
            return Ok(Cancelling::new(true, TaskHandle::new(follower)));
        }
        match registry.table.find(&self.target) {
            Some(ended) => Ok(Cancelling::new(false, TaskHandle::new(ended))),
            None => Err(StopError::NotFound { target: self.target }),
        }
    }
}

/// The requests of the room `operator`.
macro_rules! decided_by_verb {
    ($($message:ident $verb:ident;)*) => {$(
        impl Command for $message {
            fn decide(self, registry: &mut Registry) -> Self::Result {
                registry.act(OperatorVerb::$verb, self.target, self.operator)
            }

            fn refused(self) -> Option<Self::Result> {
                Some(Err(ActError::ShuttingDown))
            }
        }
    )*};
}
decided_by_verb! {
    RestartTask Restart;
    RetryTask RetryNow;
    PauseTask Pause;
    ResumeTask Resume;
}

impl Command for OverviewWanted {
    const LOOKS_AT_ALL: bool = true;

    fn decide(self, registry: &mut Registry) -> Self::Result {
        registry.overview()
    }
}

impl Command for CancelAll {
    const LOOKS_AT_ALL: bool = true;

    fn decide(self, registry: &mut Registry) -> Self::Result {
        let cells = registry.table.sorted();
        let cancelling = cells.into_iter().map(|cell| {
            let asked = registry.stop_task(cell.id(), CancelCause::User, self.within);
            Cancelling::new(asked.unwrap_or(false), TaskHandle::new(cell))
        });
        cancelling.collect()
    }
}

impl Command for CancelSlot {
    const LOOKS_AT_ALL: bool = true;

    fn decide(self, registry: &mut Registry) -> Self::Result {
        registry.cancel_slot(&self.slot, self.scope)
    }
}

impl Command for SlotList {
    const LOOKS_AT_ALL: bool = true;

    fn decide(self, registry: &mut Registry) -> Self::Result {
        match self.slot {
            Some(slot) => registry.slot_named(&slot).into_iter().collect(),
            None => registry.slot_statuses(),
        }
    }
}

impl Command for StatusList {
    const LOOKS_AT_ALL: bool = true;

    fn decide(self, registry: &mut Registry) -> Self::Result {
        registry.sightings()
    }
}

impl Command for StatusOf {
    fn decide(self, registry: &mut Registry) -> Self::Result {
        registry.sight(&self.target)
    }
}

impl Command for TaskList {
    const LOOKS_AT_ALL: bool = true;

    fn decide(self, registry: &mut Registry) -> Self::Result {
        registry.table.sorted().into_iter().map(TaskHandle::new).collect()
    }
}

impl Command for FindTask {
    fn decide(self, registry: &mut Registry) -> Self::Result {
        registry.sight(&self.target).map(|seen| TaskHandle::new(seen.cell))
    }
}

impl Handler<ShutDown> for Registry {
    type Result = ();

    fn handle(&mut self, msg: ShutDown, ctx: &mut Self::Context) {
        self.catch_up();
        match msg.after_queues {
            Some(within) => self.shut_down_after_queues(msg.cause, within),
            // A drain that ends by itself is a shutdown already, and goes on without handles.
            None if self.stage.drain_until().is_some()
                && msg.cause == ShutdownCause::LastHandleDropped => {}
            None => self.shut_down(msg.cause),
        }
        self.after_removals();
        self.count(ctx);
    }
}

#[cfg(feature = "web")]
impl Handler<super::messages::LeaveService> for Registry {
    type Result = ();

    fn handle(&mut self, _: super::messages::LeaveService, _: &mut Self::Context) {
        self.is_leaving = true;
    }
}

impl Handler<AwaitEmpty> for Registry {
    type Result = ();

    fn handle(&mut self, msg: AwaitEmpty, ctx: &mut Self::Context) {
        self.wait_for_empty.retain(|answer| !answer.is_closed());
        self.wait_for_empty.push(msg.answer);
        self.after_removals();
        self.count(ctx);
    }
}

impl Handler<TaskEnded> for Registry {
    type Result = ();

    fn handle(&mut self, msg: TaskEnded, ctx: &mut Self::Context) {
        self.member_ended(msg.cell, msg.report);
        self.count(ctx);
    }
}

impl Handler<PermitWanted> for Registry {
    type Result = ();

    fn handle(&mut self, msg: PermitWanted, ctx: &mut Self::Context) {
        self.permit_wanted(msg.task);
        self.count(ctx);
    }
}

impl Handler<AttemptReleased> for Registry {
    type Result = ();

    fn handle(&mut self, msg: AttemptReleased, ctx: &mut Self::Context) {
        if let Some(entry) = self.table.get_mut(msg.task)
            && let Some(permit) = entry.mark.permit().map(std::mem::take)
        {
            let cell = Arc::clone(&entry.cell);
            self.give_back(permit, &cell);
        }
        self.count(ctx);
    }
}

impl Handler<SnapshotWanted> for Registry {
    type Result = ();

    fn handle(&mut self, msg: SnapshotWanted, ctx: &mut Self::Context) {
        // May not be dropped: the subscription waits for it. Membership is exact here and now.
        let members = self.sightings();
        self.board.broker.do_send(SnapshotTaken { subscription: msg.subscription, members });
        self.count(ctx);
    }
}

impl Handler<BrokerClosed> for Registry {
    type Result = ();

    fn handle(&mut self, msg: BrokerClosed, ctx: &mut Self::Context) {
        self.broker_closed(msg.undelivered, ctx);
    }
}

#[cfg(test)]
impl Handler<super::messages::Fault> for Registry {
    type Result = ();

    fn handle(&mut self, _: super::messages::Fault, _: &mut Self::Context) {
        panic!("asked to, by a test");
    }
}
