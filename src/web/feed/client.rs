use std::{
    convert::Infallible,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use actix_web::web::Bytes;
use futures::{Stream, stream};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::frame::{self, GapReason};
use crate::web::veil::Veil;

/// How far a client may fall behind: so many chunks, each of them the joined frames of one round of events.
const CHUNKS_PER_CLIENT: usize = 64;
/// And so many bytes in them: 1 MiB. One chunk is taken whatever its size.
pub(super) const BYTES_PER_CLIENT: usize = 1 << 20;

/// One stream, as the feed sees it.
pub(super) struct Client {
    chunks: mpsc::Sender<Bytes>,
    /// Bytes that are in the channel: added to here, taken from where they leave.
    held: Arc<AtomicUsize>,
    pub(super) task: Option<u64>,
    pub(super) veil: Veil,
    /// Events that it missed because it was too slow, and was not told of yet.
    skipped: u64,
}

/// One stream, as the response has it.
pub(crate) struct Frames {
    chunks: mpsc::Receiver<Bytes>,
    held: Arc<AtomicUsize>,
}

impl Frames {
    /// What the response is made of. It ends when the feed lets go of the client.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        let Self { mut chunks, held } = self;
        stream::poll_fn(move |cx| {
            chunks.poll_recv(cx).map(|chunk| {
                chunk.map(|chunk| {
                    held.fetch_sub(chunk.len(), Relaxed);
                    Ok(chunk)
                })
            })
        })
    }
}

impl Client {
    pub(super) fn new(greeting: String, task: Option<u64>, veil: Veil) -> (Self, Frames) {
        let (chunks, frames) = mpsc::channel(CHUNKS_PER_CLIENT);
        let held = Arc::<AtomicUsize>::default();
        let frames = Frames { chunks: frames, held: Arc::clone(&held) };
        let mut client = Self { chunks, held, task, veil, skipped: 0 };
        // A new channel has room for it.
        client.send(&greeting.into(), 0);
        (client, frames)
    }

    pub(super) fn is_gone(&self) -> bool {
        self.chunks.is_closed()
    }

    /// Hands over frames that tell of so many events, or counts them.
    pub(super) fn send(&mut self, frames: &Bytes, events: u64) {
        let chunk = if self.skipped == 0 { frames.clone() } else { self.with_gap(frames) };
        let size = chunk.len();
        let held = self.held.fetch_add(size, Relaxed);
        let is_too_much = held > 0 && held.saturating_add(size) > BYTES_PER_CLIENT;
        let sent =
            if is_too_much { Err(TrySendError::Full(chunk)) } else { self.chunks.try_send(chunk) };
        if sent.is_err() {
            self.held.fetch_sub(size, Relaxed);
        }
        match sent {
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
