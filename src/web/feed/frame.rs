//! Frames of a stream of server-sent events. Pure.

use serde_json::json;

use crate::{
    event::Event,
    web::{veil::Veil, views},
};

/// How long a browser waits before it comes back.
pub(super) const GREETING: &str = ": connected\nretry: 2000\n\n";
/// Often enough that no proxy takes the stream for dead.
pub(super) const KEEP_ALIVE: &str = ": still here\n\n";
pub(super) const BYE: &str = "event: bye\ndata: {\"reason\":\"draining\"}\n\n";

/// Names an event over all starts of the supervisor: `<boot>-<seq>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventId {
    pub(super) boot: String,
    pub(super) seq: u64,
}

impl EventId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (boot, seq) = text.trim().rsplit_once('-')?;
        Some(Self { boot: boot.to_owned(), seq: seq.parse().ok()? })
    }
}

/// Why something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GapReason {
    Overrun,
    Slow,
    Restarted,
}

/// Something is missing here; how much, where it is known.
pub(super) fn gap(lost: Option<u64>, reason: GapReason) -> String {
    let reason = match reason {
        GapReason::Overrun => "overrun",
        GapReason::Slow => "slow",
        GapReason::Restarted => "restarted",
    };
    format!("event: gap\ndata: {}\n\n", json!({ "lost": lost, "reason": reason }))
}

/// The event, as JSON, redacted.
pub(crate) fn json_of(event: &Event, boot: &str, veil: &Veil) -> serde_json::Value {
    views::event(&veil.event(event), boot)
}

/// The event as a frame. JSON has no raw line break, so one `data:` line is enough.
pub(super) fn lifecycle(event: &Event, boot: &str, veil: &Veil) -> String {
    let seq = event.seq;
    format!("id: {boot}-{seq}\nevent: lifecycle\ndata: {}\n\n", json_of(event, boot, veil))
}

/// Whether a client that follows this task is to have the event.
pub(super) fn is_wanted(event: &Event, task: Option<u64>) -> bool {
    task.is_none_or(|id| event.task.as_ref().is_some_and(|task| task.id().get() == id))
}
