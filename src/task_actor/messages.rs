use std::sync::Arc;

use actix::prelude::Message;

use super::guard::EndGuard;
use crate::{
    cell::{TaskCell, TaskStatus},
    contain::Contained,
    task::MakeTask,
};

/// Asks the task to stop, as [`SupervisorHandle::cancel`](crate::SupervisorHandle::cancel) does,
/// without waiting for the end. Sent by anybody.
#[derive(Clone, Copy, Debug, Default, Message)]
#[rtype(result = "()")]
pub struct Cancel;

/// Asks for the task's status. It is answered by the task's own thread; to ask without depending on
/// that use [`TaskHandle::status`](crate::TaskHandle::status). Sent by anybody.
#[derive(Clone, Copy, Debug, Default, Message)]
#[rtype(result = "TaskStatus")]
pub struct CurrentStatus;

/// The next attempt may start. Sent by `Registry` in answer to `PermitWanted`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct PermitGranted;

/// What it takes to start a task: carried out by `Registry` itself where the worker is on its thread, else part of a
/// `StartTasks`. Dropped unrun, its guard reports the task as lost.
pub(crate) struct StartTask {
    pub(crate) cell: Arc<TaskCell>,
    pub(crate) maker: Contained<Box<dyn MakeTask>>,
    pub(crate) guard: EndGuard,
    /// Whether attempts need permits, and whether the first one has its permit already.
    pub(crate) permits: Permits,
}

/// How a task comes by the permits for its attempts, and whether it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permits {
    /// There is no limit: none is needed.
    NotNeeded,
    /// It has one.
    Held,
    /// It has asked; the grant will come.
    Queued,
    /// It has given its last one back.
    Unasked,
}

impl Permits {
    /// Whether one is missing before an attempt may begin.
    pub(crate) fn is_needed(self) -> bool {
        match self {
            Self::NotNeeded | Self::Held => false,
            Self::Queued | Self::Unasked => true,
        }
    }
}
