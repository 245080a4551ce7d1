use std::{collections::HashMap, sync::Arc};

use actix::{Actor, Addr, Context};
use tokio::time::Instant;

use super::{
    histogram::{COMMAND_BOUNDS, Histogram},
    spark::Spark,
    tally::{Tally, end_of},
};
use crate::{
    event::{Event, EventKind},
    id::{TaskId, TaskRef},
    supervisor::Board,
    web::{
        feed::{Held, hosted},
        options::WebOptions,
    },
};

/// See the module's essay.
pub(crate) struct Meter {
    pub(super) by_name: HashMap<Arc<str>, Tally>,
    max_names: usize,
    pub(super) others: Option<Tally>,
    /// How the last attempt of each living task ended.
    ends: HashMap<TaskId, &'static str>,
    pub(super) lost: u64,
    pub(super) commands: Histogram,
    pub(super) spark: Spark,
    _held: Held,
}

impl Meter {
    pub(in crate::web) fn start_for(board: &Arc<Board>, options: &WebOptions) -> Addr<Self> {
        let max_names = options.metric_names;
        hosted(board, "web meter", move |held| Self::new(max_names, held))
    }

    pub(super) fn new(max_names: usize, held: Held) -> Self {
        Self {
            by_name: HashMap::new(),
            max_names,
            others: None,
            ends: HashMap::new(),
            lost: 0,
            commands: Histogram::new(COMMAND_BOUNDS),
            spark: Spark::new(Instant::now()),
            _held: held,
        }
    }

    pub(super) fn count(&mut self, event: &Event) {
        let Some(task) = &event.task else { return };
        match &event.kind {
            EventKind::TaskStarting { .. } => self.spark.count(1, 0, Instant::now()),
            EventKind::TaskFailed { .. } | EventKind::TimeoutHit { .. } => {
                self.spark.count(0, 1, Instant::now());
            }
            _ => {}
        }
        let last_end = self.ends.get(&task.id()).copied();
        self.tally(task).count(&event.kind, last_end);
        if let Some(end) = end_of(&event.kind) {
            self.ends.insert(task.id(), end);
        } else if let EventKind::TaskRemoved { .. }
        | EventKind::ActorExhausted { .. }
        | EventKind::ActorDead { .. } = event.kind
        {
            self.ends.remove(&task.id());
        }
    }

    /// Events were lost: an end among them would never be heard of again.
    pub(super) fn missed(&mut self, events: u64) {
        if events > 0 {
            self.lost += events;
            self.ends.clear();
        }
    }

    fn tally(&mut self, task: &TaskRef) -> &mut Tally {
        let is_known = self.by_name.contains_key(task.name());
        if !is_known && self.by_name.len() >= self.max_names {
            return self.others.get_or_insert_default();
        }
        self.by_name.entry(Arc::clone(task.shared_name())).or_default()
    }
}

impl Actor for Meter {
    type Context = Context<Self>;
}
