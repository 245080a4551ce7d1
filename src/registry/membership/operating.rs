//! What members are asked for besides to stop: see the room `operator`.

use tokio::time::Instant;

use super::super::Registry;
use crate::{
    cell::TaskCell,
    clock::moment,
    event::{EventKind, EventType},
    id::TaskTarget,
    operator::{ActError, ActReply, Decision, Operator, OperatorVerb, Seen, decide},
    supervisor::TaskHandle,
};

impl Registry {
    /// Decides, tells, then writes the wish into the cell. Where the attempt ends between the decision and the wish,
    /// there is nothing to wish for any more: the answer is that nothing changed.
    pub(in crate::registry) fn act(
        &mut self,
        verb: OperatorVerb,
        target: TaskTarget,
        operator: Option<Operator>,
    ) -> Result<ActReply, ActError> {
        let found = self.table.find(&target).or_else(|| self.follower(&target));
        let Some(cell) = found else {
            return Err(ActError::NotFound { target });
        };
        let seen = cell.seen();
        let task = cell.task.clone();
        let asked_by_this_call = match decide(verb, seen) {
            Decision::Ended => return Err(ActError::Ended { task }),
            Decision::Refuse => {
                let Seen { phase, is_paused, .. } = seen;
                return Err(ActError::NotApplicable { task, verb, phase, is_paused });
            }
            Decision::IsSo => {
                self.tell_operator(&cell, verb, operator);
                false
            }
            Decision::Do => {
                self.tell_operator(&cell, verb, operator);
                self.ask(&cell, verb)
            }
        };
        Ok(ActReply { asked_by_this_call, task: TaskHandle::new(cell) })
    }

    /// O3.
    pub(in crate::registry) fn tell_operator(
        &self,
        cell: &TaskCell,
        verb: OperatorVerb,
        operator: Option<Operator>,
    ) {
        if let Some(Operator { who, why }) = operator {
            let kind = || EventKind::OperatorAction { who, verb, why };
            self.tell(EventType::OperatorAction, Some((&cell.task, 0)), kind);
        }
    }

    /// Told before it can be seen; the version is that of the change or lower, as with a request to stop.
    fn ask(&self, cell: &TaskCell, verb: OperatorVerb) -> bool {
        let told = |kind: EventKind| self.tell_of(cell, cell.version() + 1, kind);
        match verb {
            OperatorVerb::Restart => {
                told(EventKind::TaskRestartRequested);
                cell.ask_to_restart(moment(Instant::now(), cell.rules.grace))
            }
            OperatorVerb::RetryNow => {
                told(EventKind::TaskRetryRequested);
                cell.ask_to_retry()
            }
            OperatorVerb::Pause => {
                told(EventKind::TaskPauseRequested);
                cell.set_paused(true)
            }
            OperatorVerb::Resume => {
                told(EventKind::TaskResumed);
                cell.set_paused(false)
            }
            // Stops are asked for elsewhere.
            OperatorVerb::Cancel => false,
        }
    }
}
