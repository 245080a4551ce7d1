use std::sync::Arc;

use actix::prelude::Message;

use super::{client::Frames, frame::EventId};
use crate::{event::Event, web::veil::Veil};

/// Opens a stream. Sent by `GET events`.
#[derive(Message)]
#[rtype(result = "Result<Frames, JoinRefusal>")]
pub(crate) struct Join {
    /// The last event that the client has, if it was here before; `Some(None)`: it says something unreadable.
    pub(crate) after: Option<Option<EventId>>,
    /// Only events of the task with this id.
    pub(crate) task: Option<u64>,
    pub(crate) veil: Veil,
}

/// Why a stream was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinRefusal {
    TooMany { limit: usize },
    Ended,
}

/// Asks for the newest events. Sent by `GET events`.
#[derive(Message)]
#[rtype(result = "RecentEvents")]
pub(crate) struct Recent {
    pub(crate) after: Option<Option<EventId>>,
    pub(crate) task: Option<u64>,
    pub(crate) limit: usize,
}

/// The newest events, oldest first.
#[derive(Debug, actix::MessageResponse)]
pub(crate) struct RecentEvents {
    /// Whether something is missing between what was asked for and these.
    pub(crate) has_gap: bool,
    pub(crate) events: Vec<Arc<Event>>,
}

/// Asks how the feed stands.
#[derive(Message)]
#[rtype(result = "Standing")]
pub(crate) struct FeedState;

/// How the feed stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, actix::MessageResponse)]
pub(crate) struct Standing {
    /// The number of the last event; 0: none.
    pub(crate) last_seq: u64,
    /// Events that the feed itself missed.
    pub(crate) lost: u64,
    pub(crate) clients: usize,
}

/// Ends every stream, and lets none begin. Sent by the joint shutdown.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct EndStreams;
