use actix::prelude::*;
use actix_rt::System;

use super::{
    actor::{Place, Worker},
    messages::{Dispose, HostSubscriber, StartTasks, StopWorker},
    runners::IDLE_RUNNERS,
};
use crate::{contain::contained, fair::Turn};

impl Handler<StartTasks> for Worker {
    type Result = ();

    fn handle(&mut self, msg: StartTasks, ctx: &mut Self::Context) {
        self.begun += msg.orders.len();
        msg.orders.into_iter().for_each(|order| self.runners.start(order));
        if self.begun >= IDLE_RUNNERS {
            self.begun = 0;
            ctx.wait(Turn::default()); // W4
        }
    }
}

impl Handler<HostSubscriber> for Worker {
    type Result = ();

    fn handle(&mut self, msg: HostSubscriber, _: &mut Self::Context) {
        (msg.0)();
    }
}

impl Handler<Dispose> for Worker {
    type Result = ();

    fn handle(&mut self, msg: Dispose, _: &mut Self::Context) {
        if let Err(text) = contained(|| drop(msg)) {
            log::warn!("a value panicked while it was dropped: {text}");
        }
    }
}

impl Handler<StopWorker> for Worker {
    type Result = ();

    fn handle(&mut self, _: StopWorker, ctx: &mut Self::Context) {
        ctx.stop();
        match self.place {
            // Our own `System`: ending it ends the thread.
            Place::OwnThread => {
                if let Some(system) = System::try_current() {
                    system.stop();
                }
            }
            Place::CallersArbiter => {}
        }
    }
}
