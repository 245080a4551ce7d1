use std::time::Duration;

use serde_json::{Value, json};

use super::{policy::jitter, task::attempt};
use crate::{
    policy::BackoffPolicy,
    web::{
        listing::Row,
        time::{ago, millis, now},
        veil::Veil,
    },
};

/// Delays that are drawn.
const CURVE: u32 = 12;

/// The attempts of a task, the one that runs, and what its delays look like.
pub(in crate::web) fn attempts(row: &Row, veil: &Veil) -> Value {
    let cell = row.cell.as_ref();
    let running = cell.and_then(|cell| cell.running_attempt());
    let records = cell.map(|cell| cell.attempts()).unwrap_or_default();
    json!({
        "server_time": now(),
        "task": { "id": row.id(), "name": row.name() },
        "running": running.map(|(number, uptime)| json!({
            "attempt": number,
            "started_at": ago(uptime),
            "uptime_ms": millis(uptime),
        })),
        "attempts": records.iter().map(|record| attempt(record, veil)).collect::<Vec<_>>(),
        "backoff": cell.map(|cell| backoff(&cell.rules.backoff)),
    })
}

fn backoff(policy: &BackoffPolicy) -> Value {
    json!({
        "first_ms": millis(policy.first()),
        "factor": policy.factor(),
        "max_ms": millis(policy.max()),
        "jitter": jitter(policy),
        "is_immediate": policy.is_immediate(),
        "curve_ms": (0..CURVE).map(|index| millis(plain_delay(policy, index))).collect::<Vec<_>>(),
    })
}

/// The delay of this index without jitter.
pub(super) fn plain_delay(policy: &BackoffPolicy, index: u32) -> Duration {
    if policy.is_immediate() {
        return Duration::ZERO;
    }
    if policy.first().is_zero() {
        return Duration::from_millis(1); // nothing times an infinite growth is no number
    }
    let seconds = policy.first().as_secs_f64() * policy.factor().powf(f64::from(index));
    let delay = Duration::try_from_secs_f64(seconds).unwrap_or(policy.max());
    delay.min(policy.max()).max(Duration::from_millis(1))
}
