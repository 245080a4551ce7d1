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
    /// Decides, tells, then writes the wish into the cell. Where the task moved on between the decision and the wish, it
    /// is decided anew, once, and refused where it moved on again: the caller sees where it was then.
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
        let mut seen = cell.seen();
        let mut decision = decide(verb, seen);
        if matches!(decision, Decision::IsSo | Decision::Do) {
            self.tell_operator(&cell, verb, operator);
        }
        let mut is_asked = false;
        if decision == Decision::Do {
            self.tell_request(&cell, verb);
            is_asked = ask(&cell, verb);
            if !is_asked {
                seen = cell.seen();
                decision = decide(verb, seen);
                is_asked = decision == Decision::Do && ask(&cell, verb);
            }
            if decision == Decision::Do && !is_asked {
                seen = cell.seen();
                decision = if seen.has_outcome { Decision::Ended } else { Decision::Refuse };
            }
        }
        let Seen { phase, is_paused, .. } = seen;
        let task = cell.task.clone();
        match decision {
            Decision::Ended => Err(ActError::Ended { task }),
            Decision::Refuse => Err(ActError::NotApplicable { task, verb, phase, is_paused }),
            Decision::IsSo | Decision::Do => {
                Ok(ActReply { asked_by_this_call: is_asked, task: TaskHandle::new(cell) })
            }
        }
    }

    /// O3.
    pub(in crate::registry) fn tell_operator(
        &self,
        cell: &TaskCell,
        verb: OperatorVerb,
        operator: Option<Operator>,
    ) {
        if let Some(Operator { who, why }) = operator {
            let kind = || {
                let (who, why) = (who.into(), why.map(Into::into));
                EventKind::OperatorAction { who, verb, why }
            };
            self.tell(EventType::OperatorAction, Some((&cell.task, 0)), kind);
        }
    }

    /// Told before it can be seen; the version is that of the change or lower, as with a request to stop.
    fn tell_request(&self, cell: &TaskCell, verb: OperatorVerb) {
        let kind = match verb {
            OperatorVerb::Restart => EventKind::TaskRestartRequested,
            OperatorVerb::RetryNow => EventKind::TaskRetryRequested,
            OperatorVerb::Pause => EventKind::TaskPauseRequested,
            OperatorVerb::Resume => EventKind::TaskResumed,
            // Stops are told of elsewhere.
            OperatorVerb::Cancel => return,
        };
        self.tell_of(cell, cell.version() + 1, kind);
    }
}

/// Writes the wish. `false`: the task moved on, or it was so already.
fn ask(cell: &TaskCell, verb: OperatorVerb) -> bool {
    match verb {
        OperatorVerb::Restart => cell.ask_to_restart(moment(Instant::now(), cell.rules.grace)),
        OperatorVerb::RetryNow => cell.ask_to_retry(),
        OperatorVerb::Pause => cell.set_paused(true),
        OperatorVerb::Resume => cell.set_paused(false),
        // Stops are asked for elsewhere.
        OperatorVerb::Cancel => false,
    }
}
