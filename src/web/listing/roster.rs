//! Asks `Registry`, and makes rows of what it answers.

use std::{collections::HashMap, sync::Arc};

use super::{
    attention::{Seen, needs},
    row::Row,
};
use crate::{
    cell::{Sighting, TaskCell, TaskStatus},
    error::QueryError,
    id::TaskId,
    registry::{Command, Overview, OverviewWanted, StatusOf},
    web::{desk::Desk, problem::Problem},
};

/// All there is to see, as of one moment.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    pub(crate) rows: Vec<Row>,
    pub(crate) is_draining: bool,
    /// The supervisor has ended: there is nothing to see any more.
    pub(crate) has_ended: bool,
    /// The required ones that are not up, by their latest tasks.
    pub(crate) not_up: Vec<Row>,
}

/// Asks a question, and tells how long the answer took.
pub(crate) async fn ask<M: Command>(desk: &Desk, question: M) -> Result<M::Result, Problem> {
    let asked_at = tokio::time::Instant::now();
    let sent = desk.board.command(question).await;
    desk.took(asked_at.elapsed());
    match sent {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) if desk.board.has_ended() => Err(Problem::shutting_down()),
        Ok(None) => Err(Problem::busy(QueryError::Unanswered.to_string())),
        Err(_) => {
            let capacity = desk.board.gate.capacity;
            Err(Problem::busy(QueryError::CommandQueueFull { capacity }.to_string()))
        }
    }
}

impl Roster {
    /// Reads everything. The end of the supervisor is an answer as well.
    pub(crate) async fn read(desk: &Desk) -> Result<Self, Problem> {
        match ask(desk, OverviewWanted).await {
            Ok(overview) => Ok(Self::of(desk, overview)),
            Err(_) if desk.board.has_ended() => {
                Ok(Self { has_ended: true, is_draining: true, ..Self::default() })
            }
            Err(problem) => Err(problem),
        }
    }

    /// The same, where there is nothing to be said without a supervisor.
    pub(crate) async fn read_living(desk: &Desk) -> Result<Self, Problem> {
        let roster = Self::read(desk).await?;
        if roster.has_ended { Err(Problem::shutting_down()) } else { Ok(roster) }
    }

    fn of(desk: &Desk, overview: Overview) -> Self {
        let Overview { living, past, required, is_draining } = overview;
        let is_up = |cell: &Arc<TaskCell>| cell.status().is_up;
        let not_up = required.iter().filter(|cell| !is_up(cell));
        let not_up = not_up.map(|cell| row(desk, cell, cell.status(), false)).collect();
        Self { rows: rows_of(desk, living, past), is_draining, has_ended: false, not_up }
    }

    /// How many need attention, each counted once.
    pub(crate) fn troubled(&self) -> usize {
        self.rows.iter().filter(|row| !row.attention.is_empty()).count()
    }

    /// Whether everything that must be up is, and work is taken.
    pub(crate) fn is_ready(&self) -> bool {
        !self.is_draining && self.not_up.is_empty()
    }

    pub(crate) fn state(&self) -> &'static str {
        match (self.has_ended, self.is_draining) {
            (true, _) => "stopped",
            (false, true) => "draining",
            (false, false) => "serving",
        }
    }
}

/// Living ones first, then past ones.
fn rows_of(desk: &Desk, living: Vec<Sighting>, past: Vec<Arc<TaskCell>>) -> Vec<Row> {
    let mut latest: HashMap<Arc<str>, TaskId> = HashMap::new();
    let cells = living.iter().map(|seen| &seen.cell).chain(&past);
    for cell in cells {
        let id = latest.entry(Arc::clone(cell.task.shared_name())).or_insert(cell.id());
        *id = (*id).max(cell.id());
    }
    let is_superseded =
        |cell: &TaskCell| latest.get(cell.task.name()).is_some_and(|id| *id > cell.id());
    let living =
        living.iter().map(|seen| row(desk, &seen.cell, seen.status(), is_superseded(&seen.cell)));
    let past = past.iter().map(|cell| row(desk, cell, cell.status(), is_superseded(cell)));
    living.chain(past).collect()
}

fn row(desk: &Desk, cell: &Arc<TaskCell>, status: TaskStatus, is_superseded: bool) -> Row {
    let seen = Seen {
        grace: cell.rules.grace,
        is_superseded,
        is_required: status.is_required,
        is_up: status.is_up,
        long_backoff: desk.options.long_backoff,
    };
    Row {
        attention: needs(&status, seen),
        status: desk.options.veil.status(status),
        cell: Some(Arc::clone(cell)),
    }
}

/// One task, living or past.
pub(crate) async fn sighted(desk: &Desk, id: u64) -> Result<Row, Problem> {
    let task = TaskId::from_number(id).ok_or_else(|| Problem::no_task(id))?;
    let seen = ask(desk, StatusOf { target: task.into() }).await?;
    let seen = seen.ok_or_else(|| Problem::no_task(id))?;
    let is_superseded = seen.cell.has_outcome() && has_successor(desk, &seen.cell).await?;
    Ok(row(desk, &seen.cell, seen.status(), is_superseded))
}

/// Whether a later task has the name of this one.
async fn has_successor(desk: &Desk, cell: &TaskCell) -> Result<bool, Problem> {
    let latest = ask(desk, StatusOf { target: cell.task.name().into() }).await?;
    Ok(latest.is_some_and(|latest| latest.cell.id() > cell.id()))
}
