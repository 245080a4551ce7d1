use std::{fmt, sync::Arc, time::Duration};

use crate::{cell::TaskStatus, id::TaskRef};

/// What a slot is doing. The module's page [draws it](crate::slot#the-states-of-a-slot).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SlotState {
    /// Nobody owns it, nobody waits. It takes no memory and is in no list.
    Idle,
    /// Nobody owns it, nobody waits, and a throttled start was a short while ago.
    Cooling,
    /// Nobody owns it; a submission waits for its time.
    Delaying,
    /// It has owners, none of which was asked to stop.
    Running,
    /// An owner was asked to stop and is still there.
    Stopping,
}

impl SlotState {
    /// A stable name in snake_case.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Cooling => "cooling",
            Self::Delaying => "delaying",
            Self::Running => "running",
            Self::Stopping => "stopping",
        }
    }
}

impl fmt::Display for SlotState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// One slot at one moment: its owners and those who wait, exact in itself.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SlotStatus {
    /// Its name.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::event::serialize_text"))]
    pub name: Arc<str>,
    /// What it is doing.
    pub state: SlotState,
    /// How long it has not been idle.
    pub in_use_for: Duration,
    /// How many owners it may have.
    pub concurrency: usize,
    /// The owners in the order of their starts. A stuck one is seen by its
    /// [`stopping_for`](TaskStatus::stopping_for), its outcome and [`is_polling`](TaskStatus::is_polling).
    pub owners: Vec<TaskStatus>,
    /// Those who wait, in the order in which they will start; at the end one whose time has not come.
    pub queue: Vec<SlotWaiter>,
    /// How many submissions share the outcome of an owner or of one who waits.
    pub attached: usize,
    /// How long no throttled submission starts.
    pub opens_in: Option<Duration>,
}

/// A submission that waits in a slot.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SlotWaiter {
    /// Id and name of the task.
    pub task: TaskRef,
    /// Its place, from 1; `None` while its time has not come.
    pub position: Option<usize>,
    /// How long it has waited.
    pub age: Duration,
    /// Its priority.
    pub priority: i32,
    /// How long until it is rejected with `QueueTimeout`, if it named a longest wait.
    pub times_out_in: Option<Duration>,
    /// How long until its time comes.
    pub due_in: Option<Duration>,
}

/// What of a slot is canceled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum SlotScope {
    /// The owners and everyone who waits.
    All,
    /// Only those who wait: the owners run on.
    Queue,
}
