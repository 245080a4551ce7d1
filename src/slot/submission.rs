use std::{fmt, sync::Arc, time::Duration};

use crate::task::TaskSpec;

/// How many owners a slot has where no submission says otherwise: 1.
pub const DEFAULT_SLOT_CONCURRENCY: usize = 1;

/// A task to be admitted by key: the spec, the slot, and what to do when the slot is busy.
///
/// ```
/// use std::time::Duration;
/// use actix_taskvisor::prelude::*;
///
/// let spec = TaskSpec::once("sync tenant 42", async |_ctx| Ok(()));
/// let submission = Submission::new(spec)
///     .slot("tenant-42")
///     .when_busy(WhenBusy::Queue)
///     .max_wait(Duration::from_secs(30));
/// assert_eq!(submission.slot_name(), "tenant-42");
/// ```
#[must_use = "a submission does nothing until it is submitted to a supervisor"]
pub struct Submission {
    pub(crate) spec: TaskSpec,
    pub(crate) slot: Option<Arc<str>>,
    pub(crate) when_busy: WhenBusy,
    /// Boxed, as the settings of a spec are: a submission is moved some ten times on its way, and most say nothing of it.
    terms: Option<Box<Terms>>,
}

/// What a submission may say of its place, beside its policy.
#[derive(Clone, Copy, Default)]
pub(crate) struct Terms {
    pub(crate) concurrency: Option<usize>,
    pub(crate) max_wait: Option<Duration>,
    pub(crate) priority: i32,
    pub(crate) attaches_displaced: bool,
}

impl Submission {
    /// A submission for the slot that has the task's own name, which queues while that is busy.
    pub fn new(spec: TaskSpec) -> Self {
        Self { spec, slot: None, when_busy: WhenBusy::default(), terms: None }
    }

    /// The slot. Default: the task's name.
    pub fn slot(mut self, name: impl Into<Arc<str>>) -> Self {
        self.slot = Some(name.into());
        self
    }

    /// What becomes of it when the slot is busy. Default: [`WhenBusy::Queue`].
    pub fn when_busy(mut self, policy: WhenBusy) -> Self {
        self.when_busy = policy;
        self
    }

    /// How many owners the slot may have at once; at least 1. The first submission of a slot fixes it for
    /// as long as the slot lives: a later one that says another number is refused, one that says none takes what
    /// holds. Owners at the same time need different task names. Default: 1.
    pub fn concurrency(self, owners: usize) -> Self {
        self.set(|terms| terms.concurrency = Some(owners))
    }

    /// How long it may wait in its slot, from now to its start, by whatever policy it waits. After that it ends as
    /// [`Rejected`](crate::TaskOutcome::Rejected) with [`QueueTimeout`](crate::RejectionKind::QueueTimeout).
    /// Default: for ever.
    pub fn max_wait(self, longest: Duration) -> Self {
        self.set(|terms| terms.max_wait = Some(longest))
    }

    /// Its place among those who wait in the same slot: higher ones go first, equals in their order of
    /// arrival. Default: 0.
    pub fn priority(self, priority: i32) -> Self {
        self.set(|terms| terms.priority = priority)
    }

    /// Those that this one takes the place of (see [`WhenBusy::Debounce`], [`WhenBusy::Throttle`],
    /// [`WhenBusy::Replace`] and [`WhenBusy::ReplaceAll`]) share its outcome. Default: they end as
    /// [`Rejected`](crate::TaskOutcome::Rejected) with [`Superseded`](crate::RejectionKind::Superseded).
    pub fn attach_displaced(self) -> Self {
        self.set(|terms| terms.attaches_displaced = true)
    }

    /// The name of the slot.
    #[must_use]
    pub fn slot_name(&self) -> &str {
        self.slot.as_deref().unwrap_or(self.spec.name())
    }

    /// The task, without the rest.
    pub fn into_spec(self) -> TaskSpec {
        self.spec
    }

    /// What it says, all together.
    pub(crate) fn terms(&self) -> Terms {
        self.terms.as_deref().copied().unwrap_or_default()
    }

    fn set(mut self, change: impl FnOnce(&mut Terms)) -> Self {
        change(self.terms.get_or_insert_default());
        self
    }

    pub(crate) fn shared_slot(&self) -> Arc<str> {
        Arc::clone(self.slot.as_ref().unwrap_or(&self.spec.name))
    }
}

impl From<TaskSpec> for Submission {
    fn from(spec: TaskSpec) -> Self {
        Self::new(spec)
    }
}

impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission")
            .field("spec", &self.spec)
            .field("slot", &self.slot_name())
            .field("when_busy", &self.when_busy)
            .finish_non_exhaustive()
    }
}

/// What becomes of a submission whose slot is busy: has as many owners as it may have. The module's page
/// has a table [to choose from](crate::slot#which-policy-do-i-want).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum WhenBusy {
    /// It waits behind those who came before it.
    #[default]
    Queue,
    /// The oldest owner is asked to stop (cause [`Replaced`](crate::CancelCause::Replaced)), and this one is next.
    /// Whoever was next, by whatever policy it came, is displaced; those behind stay.
    Replace,
    /// As [`Replace`](Self::Replace), and everyone who waits in the slot is displaced.
    ReplaceAll,
    /// It is refused.
    DropIfRunning,
    /// Single-flight: it shares the outcome of a run that is under way or waits, and runs nothing itself.
    ///
    /// Chosen in this order: an owner with the same task name, one who waits with the same task name and, if the
    /// slot is full, the oldest owner, the one who waits and is next. An owner that was asked to stop, or has its
    /// outcome already, is not joined. Where nobody is left to join, it starts, or waits behind the owners that stop.
    ///
    /// It ends as the other one does, whatever that is: completed, failed, canceled by somebody, rejected because the
    /// other waited too long. Its own `max_wait` and `priority` count only where it waits itself. With a
    /// concurrency above 1 and one task name, a new run cannot start beside one that is stopping: see
    /// [`AlreadyExists`](crate::RejectionKind::AlreadyExists).
    Attach,
    /// It waits until no newer submission with `Debounce` or `Throttle` came for `quiet`, but at most for `max_wait`
    /// from the first one of the burst, and then for a place, in the order of that first one's arrival. A newer one
    /// displaces it and takes over that place; a burst lasts until one of it starts. This holds for a slot that is
    /// not busy as well.
    Debounce {
        /// How long nothing newer must have come.
        quiet: Duration,
        /// The longest a burst may put its run off.
        max_wait: Duration,
    },
    /// At most one throttled start in each `every`, counted from start to start; the first starts at once if
    /// there is room. Later ones wait for the next opening, and a newer one displaces the one that waits and
    /// takes over its place.
    Throttle {
        /// The shortest time from one start to the next. That of the start counts.
        every: Duration,
    },
}

impl WhenBusy {
    /// A stable name in snake_case.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Replace => "replace",
            Self::ReplaceAll => "replace_all",
            Self::DropIfRunning => "drop_if_running",
            Self::Attach => "attach",
            Self::Debounce { .. } => "debounce",
            Self::Throttle { .. } => "throttle",
        }
    }
}

impl fmt::Display for WhenBusy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
