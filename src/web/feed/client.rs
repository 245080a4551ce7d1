use std::{convert::Infallible, fmt::Write as _};

use actix_web::web::Bytes;
use futures::{Stream, stream};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::frame::{self, GapReason};
use crate::web::veil::Veil;

/// How far a client may fall behind: so many chunks, each of them the joined frames of one round of events.
const CHUNKS_PER_CLIENT: usize = 64;

/// One stream, as the feed sees it.
pub(super) struct Client {
    chunks: mpsc::Sender<Bytes>,
    pub(super) task: Option<u64>,
    pub(super) veil: Veil,
    /// Events that it missed because it was too slow, and was not told of yet.
    skipped: u64,
}

/// One stream, as the response has it.
pub(crate) struct Frames(mpsc::Receiver<Bytes>);

impl Frames {
    /// What the response is made of. It ends when the feed lets go of the client.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        let mut chunks = self.0;
        stream::poll_fn(move |cx| chunks.poll_recv(cx).map(|chunk| chunk.map(Ok)))
    }
}

impl Client {
    pub(super) fn new(greeting: String, task: Option<u64>, veil: Veil) -> (Self, Frames) {
        let (chunks, frames) = mpsc::channel(CHUNKS_PER_CLIENT);
        let client = Self { chunks, task, veil, skipped: 0 };
        // A new channel has room for the greeting.
        let _ = client.chunks.try_send(greeting.into());
        (client, Frames(frames))
    }

    pub(super) fn is_gone(&self) -> bool {
        self.chunks.is_closed()
    }

    /// Hands over frames that tell of so many events, or counts them.
    pub(super) fn send(&mut self, frames: &Bytes, events: u64) {
        let chunk = if self.skipped == 0 { frames.clone() } else { self.with_gap(frames) };
        match self.chunks.try_send(chunk) {
            Ok(()) => self.skipped = 0,
            Err(TrySendError::Full(_)) => self.skipped += events,
            Err(TrySendError::Closed(_)) => {} // found out by `is_gone`
        }
    }

    /// Tells what was skipped, if there is something to tell and room for it.
    pub(super) fn tell_gap(&mut self) {
        if self.skipped > 0 {
            self.send(&Bytes::new(), 0);
        }
    }

    fn with_gap(&self, frames: &Bytes) -> Bytes {
        let mut chunk = frame::gap(Some(self.skipped), GapReason::Slow);
        // Frames are text; writing to a text cannot fail.
        let _ = chunk.write_str(std::str::from_utf8(frames).unwrap_or_default());
        chunk.into()
    }
}
