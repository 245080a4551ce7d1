//! The signals that ask a program to end: SIGTERM and SIGINT, or Ctrl-C where there are none.
//!
//! Nothing in this crate listens to them unless the application asks for it.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll},
};

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// From the moment this exists, and for the rest of the process, none of these signals ends it by itself.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(not(unix))]
    interrupt: tokio::signal::windows::CtrlC,
}

impl Signals {
    /// Fails where there is no Tokio runtime on this thread, or the system has no handler left.
    pub(crate) fn listen() -> io::Result<Self> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(io::Error::other("signals need a running Tokio runtime on this thread"));
        }
        #[cfg(unix)]
        let signals = Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        #[cfg(not(unix))]
        let signals = Self { interrupt: tokio::signal::windows::ctrl_c()? };
        Ok(signals)
    }

    /// Waits for the next one and tells its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        #[cfg(unix)]
        if self.terminate.poll_recv(cx).is_ready() {
            return Poll::Ready("SIGTERM");
        }
        self.interrupt.poll_recv(cx).map(|_| "SIGINT")
    }
}
