use std::{fmt, io, process::ExitCode};

use crate::supervisor::ShutdownReport;

/// What [`serve`](super::serve) ended with.
#[derive(Debug)]
#[non_exhaustive]
pub struct ServeReport {
    /// Why it ended.
    pub reason: StopReason,
    /// Whether the server said in time that no request was in flight any more. It says so as well when its own
    /// `shutdown_timeout` has cut them off.
    pub requests_drained: bool,
    /// The second signal, if one cut it short.
    pub forced_by: Option<&'static str>,
    /// How the tasks ended; `None`: that was not known in time after a second signal.
    pub tasks: Option<ShutdownReport>,
}

/// Why a server ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum StopReason {
    /// This signal came.
    Signal(&'static str),
    /// The server ended by itself: it failed, its handle was told to stop, or it handled a signal itself because
    /// `disable_signals()` is missing.
    ServerEnded(io::Result<()>),
}

impl ServeReport {
    /// Whether the server did not fail, nobody cut it short, and every task stopped by itself. Requests that were cut off
    /// don't count: a client that never finishes its own is not this program's fault.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let is_asked =
            matches!(self.reason, StopReason::Signal(_) | StopReason::ServerEnded(Ok(())));
        is_asked
            && self.forced_by.is_none()
            && self.tasks.as_ref().is_some_and(ShutdownReport::is_clean)
    }

    /// 0 if it is clean, else 1.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(u8::from(!self.is_clean()))
    }
}

impl fmt::Display for ServeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            StopReason::Signal(signal) => write!(f, "{signal}")?,
            StopReason::ServerEnded(Ok(())) => write!(f, "the HTTP server ended by itself")?,
            StopReason::ServerEnded(Err(error)) => write!(f, "the HTTP server failed: {error}")?,
        }
        if let Some(signal) = self.forced_by {
            write!(f, "; cut short by {signal}")?;
        }
        let requests = if self.requests_drained { "were all answered" } else { "were cut off" };
        write!(f, "; requests in flight {requests}")?;
        match &self.tasks {
            Some(tasks) => write!(f, "\n{tasks}"),
            None => write!(f, "\nthe supervisor had not stopped"),
        }
    }
}
