use actix::prelude::*;
use tokio::time::Instant;

use super::{
    actor::TaskActor,
    messages::{Cancel, CurrentStatus, PermitGranted, Permits},
    phase::Input,
};
use crate::{cell::TaskStatus, registry::CancelTask};

impl Handler<Cancel> for TaskActor {
    type Result = ();

    fn handle(&mut self, _: Cancel, _: &mut Self::Context) {
        // Stops are `Registry`'s: it asks by way of the cell. If it has ended, so will this task.
        self.cell.board.registry.do_send(CancelTask::new(self.cell.id()));
    }
}

impl Handler<CurrentStatus> for TaskActor {
    type Result = MessageResult<CurrentStatus>;

    fn handle(&mut self, _: CurrentStatus, _: &mut Self::Context) -> Self::Result {
        let status: TaskStatus = self.cell.status();
        MessageResult(status)
    }
}

impl Handler<PermitGranted> for TaskActor {
    type Result = ();

    fn handle(&mut self, _: PermitGranted, _: &mut Self::Context) {
        self.permits = Permits::Held;
        self.take(Input::PermitGranted, None, Instant::now());
    }
}
