use std::{sync::Arc, time::Duration};

use super::TaskSpec;
use crate::policy::{BackoffPolicy, RestartPolicy};

/// Grace of a stop where neither the task nor the supervisor names one: 30 s.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(30);
/// How long an attempt must stay up for its failure to start a new streak: 60 s.
pub const DEFAULT_HEALTHY_AFTER: Duration = Duration::from_secs(60);
/// The longest delay that [`TaskError::retry_after`](crate::TaskError::retry_after) can ask for: 1 h.
pub const DEFAULT_RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// What a spec or the defaults say; `None` means "as the next in line says".
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    pub(crate) restart: Option<RestartPolicy>,
    pub(crate) backoff: Option<BackoffPolicy>,
    pub(crate) max_retries: Option<Limit>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) timeout_grace: Option<Duration>,
    pub(crate) grace: Option<Duration>,
    pub(crate) healthy_after: Option<Duration>,
    pub(crate) retry_after_max: Option<Duration>,
    pub(crate) required: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    Unlimited,
    AtMost(u32),
}

/// What holds for one task: every question answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TaskRules {
    pub(crate) restart: RestartPolicy,
    pub(crate) backoff: BackoffPolicy,
    pub(crate) max_retries: Option<u32>,
    /// `None`: an attempt may run for ever.
    pub(crate) timeout: Option<Duration>,
    pub(crate) timeout_grace: Duration,
    pub(crate) grace: Duration,
    pub(crate) healthy_after: Duration,
    pub(crate) retry_after_max: Duration,
    /// Whether the program is not ready without it.
    pub(crate) required: bool,
}

impl Settings {
    /// These settings, with the gaps filled from `rules`.
    pub(crate) fn over(&self, rules: &Arc<TaskRules>) -> Arc<TaskRules> {
        if *self == Self::default() {
            return Arc::clone(rules);
        }
        Arc::new(TaskRules {
            restart: self.restart.unwrap_or(rules.restart),
            backoff: self.backoff.unwrap_or(rules.backoff),
            max_retries: match self.max_retries {
                None => rules.max_retries,
                Some(Limit::Unlimited) => None,
                Some(Limit::AtMost(retries)) => Some(retries),
            },
            timeout: self.timeout.or(rules.timeout).filter(|timeout| !timeout.is_zero()),
            timeout_grace: self.timeout_grace.unwrap_or(rules.timeout_grace),
            grace: self.grace.unwrap_or(rules.grace),
            healthy_after: self.healthy_after.unwrap_or(rules.healthy_after),
            retry_after_max: self.retry_after_max.unwrap_or(rules.retry_after_max),
            required: self.required.unwrap_or(rules.required),
        })
    }
}

/// Fills the gaps of settings, and gives equal settings that come one after another the same rules: a fleet of
/// tasks that are all alike shares them.
pub(crate) struct Rulebook {
    defaults: Arc<TaskRules>,
    last: Option<Known>,
}

/// What the last spec said, and the rules that it got.
struct Known {
    restart: Option<RestartPolicy>,
    others: Option<Settings>,
    rules: Arc<TaskRules>,
}

impl Rulebook {
    pub(crate) fn new(defaults: Arc<TaskRules>) -> Self {
        Self { defaults, last: None }
    }

    /// The rules of a task with this spec.
    pub(crate) fn of(&mut self, spec: &TaskSpec) -> Arc<TaskRules> {
        let (restart, others) = spec.said();
        match &self.last {
            Some(known) if known.restart == restart && known.others.as_ref() == others => {
                Arc::clone(&known.rules)
            }
            _ => {
                let rules = spec.settings().over(&self.defaults);
                let others = others.copied();
                self.last = Some(Known { restart, others, rules: Arc::clone(&rules) });
                rules
            }
        }
    }
}

impl TaskRules {
    /// What holds where nobody says anything.
    pub(crate) fn with_grace(grace: Duration) -> Self {
        Self {
            restart: RestartPolicy::default(),
            backoff: BackoffPolicy::default(),
            max_retries: None,
            timeout: None,
            timeout_grace: Duration::ZERO,
            grace,
            healthy_after: DEFAULT_HEALTHY_AFTER,
            retry_after_max: DEFAULT_RETRY_AFTER_MAX,
            required: false,
        }
    }
}

/// The setters that a spec and the defaults share, on a type with `set` and `set_restart`.
macro_rules! settings_setters {
    () => {
        /// When a new attempt follows. Default: [`RestartPolicy::OnFailure`](crate::RestartPolicy::OnFailure).
        pub fn restart(self, policy: $crate::RestartPolicy) -> Self {
            self.set_restart(policy)
        }

        /// How long to wait before a retry. Default: 200 ms, doubled each time, at most 30 s, with
        /// [`Jitter::Equal`](crate::Jitter::Equal).
        pub fn backoff(self, policy: $crate::BackoffPolicy) -> Self {
            self.set(|settings| settings.backoff = Some(policy))
        }

        /// How many failures in a row may be retried; 0 means none. Default: unlimited.
        pub fn max_retries(self, retries: u32) -> Self {
            self.set(|settings| settings.max_retries = Some($crate::task::Limit::AtMost(retries)))
        }

        /// Retries failures without a limit, whatever the defaults say.
        pub fn unlimited_retries(self) -> Self {
            self.set(|settings| settings.max_retries = Some($crate::task::Limit::Unlimited))
        }

        /// How long one attempt may run, from its first poll; zero means for ever. Default: for ever.
        ///
        /// It is noticed at the next moment at which the task yields its thread.
        pub fn timeout(self, timeout: std::time::Duration) -> Self {
            self.set(|settings| settings.timeout = Some(timeout))
        }

        /// How long a timed-out attempt is given to return before its future is dropped. Default: 0.
        pub fn timeout_grace(self, grace: std::time::Duration) -> Self {
            self.set(|settings| settings.timeout_grace = Some(grace))
        }

        /// How long a task that was asked to stop is given before its future is dropped.
        /// Default: the supervisor's grace, 30 s.
        pub fn grace(self, grace: std::time::Duration) -> Self {
            self.set(|settings| settings.grace = Some(grace))
        }

        /// How long an attempt must have stayed up for its failure to start a new streak, with a
        /// fresh backoff and fresh retries. Default: 60 s.
        pub fn healthy_after(self, time: std::time::Duration) -> Self {
            self.set(|settings| settings.healthy_after = Some(time))
        }

        /// The longest delay that [`TaskError::retry_after`](crate::TaskError::retry_after) can ask for.
        /// Default: 1 h.
        pub fn retry_after_max(self, longest: std::time::Duration) -> Self {
            self.set(|settings| settings.retry_after_max = Some(longest))
        }

        /// Whether the program is not ready while this task is not [up](crate::TaskStatus::is_up). It stays so after
        /// the task's end, unless that was a success, until a task of the same name is added. For names that are few and
        /// known: each is remembered until then. Default: no.
        pub fn required(self, is_required: bool) -> Self {
            self.set(|settings| settings.required = Some(is_required))
        }
    };
}
pub(crate) use settings_setters;
