//! `Feed`: the recent events, and the streams that follow them. One per supervisor, not one per HTTP worker.
//!
//! It subscribes to every event when the first routes are made, on a thread for itself and `Meter`, keeps the
//! last ones, and hands them to its clients. It never waits for a client: one whose channel is full misses events, which
//! are counted, and is told as soon as there is room.
//!
//! | message in | sender | reply |
//! |---|---|---|
//! | `LifecycleBatch` | `Broker` | none |
//! | `Join` | `GET events`, as a stream | the client's frames, or why not |
//! | `Recent` | `GET events`, as JSON | the last events |
//! | `FeedState` | `GET summary`, `GET metrics` | its counts |
//! | `EndStreams` | the joint shutdown | none |
//!
//! | frame | when |
//! |---|---|
//! | `lifecycle` | an event |
//! | `gap`, `overrun` | the ring no longer has what a returning client missed, or the feed itself lost events |
//! | `gap`, `slow` | this client's channel was full |
//! | `gap`, `restarted` | the client comes from another start of the supervisor |
//! | `bye` | the end: of the supervisor, or by `EndStreams` |
//!
//! Invariants:
//! - W1: a client sees every event that its filter admits, in order, or a `gap` in its place.
//! - W2: what a client may hold is bounded, by `CHUNKS_PER_CLIENT` chunks of joined frames and by
//!   `BYTES_PER_CLIENT`, or by one chunk where that is larger: a replay is one, and so is a round of events.
//! - W3: after the end no stream begins.
//!
//! Events are written out when a client is to have them, once for all clients that see the same; the ring has them as they
//! came. Not promised: that a client which does not read is noticed before its connection is.

mod actor;
mod client;
mod frame;
mod handlers;
mod messages;
mod ring;
#[cfg(test)]
mod tests;

pub(crate) use actor::Feed;
pub(super) use actor::{Held, hosted};
pub(super) use frame::{EventId, json_of};
pub(crate) use messages::EndStreams;
pub(super) use messages::{FeedState, Join, JoinRefusal, Recent, Standing};
