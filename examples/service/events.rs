//! `GET /events`: server-sent events, fed by one actor.
//!
//! [`Hub`] is the subscriber. It owns a bounded channel per client and writes each event once for
//! all of them. It never waits for a client: one whose channel is full is cut off, and its browser
//! comes back by itself, with the header `Last-Event-ID`. A client that missed something is told so
//! by an event named `gap`; what it should do then is ask for `GET /tasks`.
//!
//! | message | from | reply |
//! |---|---|---|
//! | [`Join`] | `GET /events` | the client's frames, or why not |
//! | [`Lifecycle`] | the supervisor | |
//! | [`Close`] | `main`, at shutdown | once no stream is open and none can be opened |

use std::time::Duration;

use actix::prelude::*;
use actix_taskvisor::prelude::*;
use actix_web::web::Bytes;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::json;

/// Streams at one time: each costs a connection and a channel.
const MAX_CLIENTS: usize = 64;
/// How far a client may fall behind.
const FRAMES_PER_CLIENT: usize = 256;
/// Often enough that no proxy between takes the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a browser waits before it connects again.
const RECONNECT_AFTER: Duration = Duration::from_secs(3);

/// Hands the supervisor's events to the clients of `GET /events`.
#[derive(Debug, Default)]
pub struct Hub {
    clients: Vec<mpsc::Sender<Bytes>>,
    last_seq: u64,
    is_closed: bool,
}

/// Opens a stream.
#[derive(Debug, Message)]
#[rtype(result = "Result<mpsc::Receiver<Bytes>, JoinError>")]
pub struct Join {
    /// The last event that the client has, if it was here before.
    pub last_event_id: Option<u64>,
}

/// Why a stream was not opened.
#[derive(Debug)]
pub enum JoinError {
    TooMany { limit: usize, retry_after: Duration },
    Closed,
}

/// Ends every stream.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Close;

impl Actor for Hub {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(KEEP_ALIVE, |hub, _| {
            hub.send(Bytes::from_static(b": keep-alive\n\n"));
        });
    }
}

impl Handler<Join> for Hub {
    type Result = Result<mpsc::Receiver<Bytes>, JoinError>;

    fn handle(&mut self, msg: Join, _: &mut Self::Context) -> Self::Result {
        self.clients.retain(|client| !client.is_closed());
        if self.is_closed {
            return Err(JoinError::Closed);
        }
        if self.clients.len() >= MAX_CLIENTS {
            return Err(JoinError::TooMany { limit: MAX_CLIENTS, retry_after: RECONNECT_AFTER });
        }
        let (client, frames) = mpsc::channel(FRAMES_PER_CLIENT);
        // A new channel has room for the greeting.
        let _ = client.try_send(self.greeting(msg.last_event_id));
        self.clients.push(client);
        Ok(frames)
    }
}

impl Handler<Lifecycle> for Hub {
    type Result = ();

    fn handle(&mut self, msg: Lifecycle, _: &mut Self::Context) {
        if msg.lost() > 0 {
            self.send(gap(self.last_seq, Some(msg.lost())));
        }
        if let Some(event) = msg.event() {
            self.last_seq = event.seq;
            if !self.clients.is_empty() {
                self.send(frame(event));
            }
        }
        if msg.ended() {
            self.close();
        }
    }
}

impl Handler<Close> for Hub {
    type Result = ();

    fn handle(&mut self, _: Close, _: &mut Self::Context) {
        self.close();
    }
}

impl Hub {
    /// Tells the client that it is connected, so that it need not wait for the first event.
    fn greeting(&self, last_event_id: Option<u64>) -> Bytes {
        let retry = format!(": connected\nretry: {}\n\n", RECONNECT_AFTER.as_millis());
        match last_event_id {
            Some(id) if id != self.last_seq => {
                [retry.as_bytes(), &gap(self.last_seq, None)].concat().into()
            }
            _ => retry.into(),
        }
    }

    fn send(&mut self, frame: Bytes) {
        self.clients.retain(|client| match client.try_send(frame.clone()) {
            Ok(()) => true,
            Err(TrySendError::Closed(_)) => false,
            Err(TrySendError::Full(_)) => {
                log::warn!(
                    "a client of /events fell {FRAMES_PER_CLIENT} frames behind and is cut off"
                );
                false
            }
        });
    }

    /// A dropped sender ends its stream after the frames that were already sent.
    fn close(&mut self) {
        self.is_closed = true;
        self.clients.clear();
    }
}

fn frame(event: &Event) -> Bytes {
    let (seq, label) = (event.seq, event.kind.label());
    // JSON has no raw line break, so one `data:` line is enough.
    let data = json::event(event);
    format!("id: {seq}\nevent: {label}\ndata: {data}\n\n").into()
}

/// Something is missing before the event that follows; how much, where it is known.
fn gap(last_seq: u64, lost: Option<u64>) -> Bytes {
    let data = serde_json::json!({ "lost": lost });
    format!("id: {last_seq}\nevent: gap\ndata: {data}\n\n").into()
}
