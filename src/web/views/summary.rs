use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::web::{
    feed::Standing,
    listing::{Attention, Roster, Row},
    meter::{STEP, Spark},
    time::{millis, now},
};

/// Tasks that are named with each kind of trouble, at the most.
const NAMED: usize = 10;

/// What a summary is made of.
pub(in crate::web) struct Glance<'a> {
    pub(in crate::web) boot: &'a str,
    pub(in crate::web) is_full: bool,
    pub(in crate::web) operator: Option<&'a str>,
    pub(in crate::web) roster: &'a Roster,
    pub(in crate::web) feed: Standing,
    pub(in crate::web) spark: Option<Spark>,
}

/// Everything at a glance.
pub(in crate::web) fn summary(seen: &Glance<'_>) -> Value {
    let roster = seen.roster;
    let living: Vec<&Row> = roster.rows.iter().filter(|row| row.is_living()).collect();
    let ended = roster.rows.iter().filter_map(|row| Some(row.status.outcome.as_ref()?.label()));
    json!({
        "server_time": now(),
        "boot": seen.boot,
        "name": "taskvisor",
        "mode": if seen.is_full { "full" } else { "read_only" },
        "operator": seen.operator,
        "state": roster.state(),
        "ready": roster.is_ready(),
        "not_up": roster.not_up.iter().map(not_up).collect::<Vec<_>>(),
        "total": living.len(),
        "counts": counted(living.iter().map(|row| row.state())),
        "ended": counted(ended),
        "needs_attention": roster.troubled(),
        "attention": Attention::ALL.into_iter().filter_map(|kind| trouble(kind, roster)).collect::<Vec<_>>(),
        "events": {
            "last_id": (seen.feed.last_seq > 0).then(|| format!("{}-{}", seen.boot, seen.feed.last_seq)),
            "lost": seen.feed.lost,
            "clients": seen.feed.clients,
        },
        "spark": {
            "step_ms": millis(STEP),
            "starts": seen.spark.as_ref().map(Spark::starts).unwrap_or_default(),
            "failures": seen.spark.as_ref().map(Spark::failures).unwrap_or_default(),
        },
    })
}

fn counted<'a>(labels: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, u64> {
    let mut counts = BTreeMap::new();
    labels.for_each(|label| *counts.entry(label).or_default() += 1);
    counts
}

fn not_up(row: &Row) -> Value {
    json!({
        "id": row.id(),
        "name": row.name(),
        "phase": row.status.phase.label(),
        "why": row.why(Attention::NotReady),
    })
}

/// The tasks with this trouble; nothing where there are none.
fn trouble(kind: Attention, roster: &Roster) -> Option<Value> {
    let with_it: Vec<&Row> =
        roster.rows.iter().filter(|row| row.attention.contains(&kind)).collect();
    let named = with_it
        .iter()
        .take(NAMED)
        .map(|row| json!({ "id": row.id(), "name": row.name(), "text": row.why(kind) }));
    (!with_it.is_empty()).then(|| {
        json!({
            "kind": kind.label(),
            "count": with_it.len(),
            "title": kind.title(),
            "query": format!("state={}", kind.label()),
            "tasks": named.collect::<Vec<_>>(),
        })
    })
}
