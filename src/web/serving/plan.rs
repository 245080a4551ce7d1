use std::time::Duration;

/// How long requests in flight may take where the plan does not say otherwise: 10 s.
const DEFAULT_REQUESTS: Duration = Duration::from_secs(10);
/// How long answers may take that waited for the end of a task. actix-server looks once a second whether a connection
/// has ended.
pub(super) const LAST_ANSWERS: Duration = Duration::from_millis(1_200);
/// How long event streams may take to end.
pub(super) const STREAMS: Duration = Duration::from_millis(500);
/// How long a supervisor may take, besides the graces of its tasks and its `subscriber_drain`.
const MARGINS: Duration = Duration::from_millis(500);

/// How long each step of a joint shutdown may take: see [`serve`](super::serve). A second signal, from 250 ms after the
/// first on, cuts all of it short.
///
/// ```
/// use std::time::Duration;
/// use actix_taskvisor::web::ShutdownPlan;
///
/// // Behind a load balancer that asks every 5 s whether this is ready.
/// let plan = ShutdownPlan::new().load_balancer(Duration::from_secs(7));
/// # let _ = plan;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a plan does nothing until `serve` has it"]
pub struct ShutdownPlan {
    pub(super) load_balancer: Duration,
    pub(super) requests: Duration,
}

impl Default for ShutdownPlan {
    fn default() -> Self {
        Self { load_balancer: Duration::ZERO, requests: DEFAULT_REQUESTS }
    }
}

impl ShutdownPlan {
    /// The default plan.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to serve on after `readyz` says 503, so that a load balancer sees it and sends nobody here any more.
    /// Default: 0.
    pub fn load_balancer(mut self, wait: Duration) -> Self {
        self.load_balancer = wait;
        self
    }

    /// How long requests in flight may take before the tasks are stopped. Those that take longer are cut off when the
    /// tasks have stopped, so that a request may wait for a task. Default: 10 s.
    ///
    /// `HttpServer::shutdown_timeout` (30 s, unless set) cuts them off as well: keep it two seconds above this and the
    /// longest grace together.
    pub fn requests(mut self, longest: Duration) -> Self {
        self.requests = longest;
        self
    }

    /// The longest that all of it takes, with tasks of this grace and subscribers that have this drain.
    #[must_use]
    pub fn budget(&self, grace: Duration, subscriber_drain: Duration) -> Duration {
        let own = [self.load_balancer, self.requests, STREAMS, MARGINS, LAST_ANSWERS];
        own.into_iter()
            .chain([grace, subscriber_drain])
            .fold(Duration::ZERO, Duration::saturating_add)
    }
}
