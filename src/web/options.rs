use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use actix_web::HttpRequest;

use super::{
    access::{Access, AccessHook},
    veil::{Redact, Veil},
};

/// Events that are kept for clients that come back or ask late: 1,000.
pub const DEFAULT_RING_CAPACITY: usize = 1000;
/// Event streams at one time, over all HTTP workers: 64.
pub const DEFAULT_MAX_STREAMS: usize = 64;
/// A retry that waits this long needs attention: 60 s.
pub const DEFAULT_LONG_BACKOFF: Duration = Duration::from_secs(60);
/// Names of tasks that have metrics of their own; the others share one: 100.
pub const DEFAULT_METRIC_NAMES: usize = 100;

/// How a supervisor shows itself over HTTP, and to whom.
///
/// The default shows everything to everybody who reaches the scope, and lets nobody act. Put the scope
/// behind your own authentication, or decide by [`access`](Self::access).
///
/// ```
/// use actix_taskvisor::web::{Access, WebOptions};
///
/// let options = WebOptions::default().actions(true).access(|request| {
///     match request.headers().get("x-user").and_then(|user| user.to_str().ok()) {
///         Some(user) => Access::full(user),
///         None => Access::Forbidden,
///     }
/// });
/// # let _ = options;
/// ```
#[derive(Clone)]
#[must_use = "options do nothing until routes are made with them"]
pub struct WebOptions {
    pub(super) has_actions: bool,
    pub(super) access: Option<AccessHook>,
    pub(super) veil: Veil,
    pub(super) ring_capacity: usize,
    pub(super) max_streams: usize,
    pub(super) long_backoff: Duration,
    pub(super) metric_names: usize,
}

impl Default for WebOptions {
    fn default() -> Self {
        Self {
            has_actions: false,
            access: None,
            veil: Veil::default(),
            ring_capacity: DEFAULT_RING_CAPACITY,
            max_streams: DEFAULT_MAX_STREAMS,
            long_backoff: DEFAULT_LONG_BACKOFF,
            metric_names: DEFAULT_METRIC_NAMES,
        }
    }
}

impl WebOptions {
    /// Whether requests may act on tasks: cancel, restart, retry now, pause, resume. Default: no, whatever
    /// [`access`](Self::access) says.
    ///
    /// Browsers are let act from the page itself only: a request that another site caused is refused.
    pub fn actions(mut self, are_allowed: bool) -> Self {
        self.has_actions = are_allowed;
        self
    }

    /// Decides who a request comes from and what it may do. Called for every request but `livez` and the short form
    /// of `readyz`; a panic in it counts as [`Access::Forbidden`].
    ///
    /// Default: everybody may see everything, and act where [`actions`](Self::actions) allows it.
    pub fn access(mut self, hook: impl Fn(&HttpRequest) -> Access + Send + Sync + 'static) -> Self {
        self.access = Some(Arc::new(hook));
        self
    }

    /// Rewrites names, error texts and the reasons of operators before they leave, wherever they would be shown: pages,
    /// JSON, events, text, metrics. Filters and searches see what it returns, so that nothing can be guessed by asking.
    /// After a panic in it a fixed word is shown.
    ///
    /// Default: everything is shown as it is.
    ///
    /// ```
    /// use actix_taskvisor::web::{Redact, WebOptions};
    ///
    /// let options = WebOptions::default().redact(|shown| match shown {
    ///     Redact::ErrorText(_) => "(hidden)".into(),
    ///     other => other.text().into(),
    /// });
    /// # let _ = options;
    /// ```
    pub fn redact(
        mut self,
        hook: impl for<'a> Fn(Redact<'a>) -> Cow<'a, str> + Send + Sync + 'static,
    ) -> Self {
        self.veil = Veil::new(hook);
        self
    }

    /// How many events are kept for clients that come back. What counts is what the first routes of a supervisor said.
    /// Default: 1,000.
    pub fn ring_capacity(mut self, events: usize) -> Self {
        self.ring_capacity = events;
        self
    }

    /// How many event streams there may be at one time. What counts is what the first routes of a supervisor said.
    /// Default: 64.
    pub fn max_streams(mut self, streams: usize) -> Self {
        self.max_streams = streams;
        self
    }

    /// How long a retry may wait before it is shown as in need of attention. Default: 60 s.
    pub fn long_backoff(mut self, delay: Duration) -> Self {
        self.long_backoff = delay;
        self
    }

    /// How many task names have metrics of their own; all others are counted under `_other`. What counts is what
    /// the first routes of a supervisor said. Default: 100.
    pub fn metric_names(mut self, names: usize) -> Self {
        self.metric_names = names;
        self
    }
}

impl fmt::Debug for WebOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebOptions")
            .field("actions", &self.has_actions)
            .field("ring_capacity", &self.ring_capacity)
            .field("max_streams", &self.max_streams)
            .field("long_backoff", &self.long_backoff)
            .field("metric_names", &self.metric_names)
            .finish_non_exhaustive()
    }
}
