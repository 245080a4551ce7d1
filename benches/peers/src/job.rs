//! What is asked of a subject, and what it answers.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Case {
    /// From the first `add` to the last outcome of n tasks that return `Ok` at once.
    Oneshot,
    /// The same while subscribers count every event, until they have seen them all.
    OneshotEvents,
    /// n tasks that fail so many times each, from their release to the last outcome.
    Restart,
    /// n events that each go to every subscriber.
    Fanout,
    /// `add` one after the other, of tasks that stay.
    Add,
    /// Cancel of a running task until it has ended, one after the other.
    Cancel,
    /// n submissions that queue by key, until the last outcome.
    Slots,
    /// Bytes of a task that waits for its cancellation.
    Memory,
    /// One shutdown of n tasks that stop when asked.
    Shutdown,
}

impl Case {
    pub(crate) const ALL: [Self; 9] = [
        Self::Oneshot,
        Self::OneshotEvents,
        Self::Restart,
        Self::Fanout,
        Self::Add,
        Self::Cancel,
        Self::Slots,
        Self::Memory,
        Self::Shutdown,
    ];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Oneshot => "oneshot",
            Self::OneshotEvents => "oneshot_events",
            Self::Restart => "restart",
            Self::Fanout => "fanout",
            Self::Add => "add",
            Self::Cancel => "cancel",
            Self::Slots => "slots",
            Self::Memory => "memory",
            Self::Shutdown => "shutdown",
        }
    }

    /// One of what is counted, in words.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Oneshot => "a task from add to outcome",
            Self::OneshotEvents => "a task from add to outcome, its events seen by all subscribers",
            Self::Restart => "a restart",
            Self::Fanout => "a delivery of one event to one subscriber",
            Self::Add => "an add",
            Self::Cancel => "a cancel, until the task has ended",
            Self::Slots => "a submission from submit to outcome",
            Self::Memory => "a held task",
            Self::Shutdown => "a task of a shutdown",
        }
    }

    pub(crate) fn named(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|case| case.label() == label)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// How a subject is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Config {
    /// As its documentation shows it.
    Usual,
    /// With the fastest sensible settings that keep the same promises.
    Fastest,
}

impl Config {
    pub(crate) const ALL: [Self; 2] = [Self::Usual, Self::Fastest];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::Fastest => "fastest",
        }
    }

    pub(crate) fn named(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|config| config.label() == label)
    }
}

/// How many calls are under way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Drive {
    /// Each call waits for the answer to the one before it.
    OneByOne,
    /// Up to [`UNDER_WAY`] calls.
    Pipelined,
}

/// How many calls [`Drive::Pipelined`] has under way at most.
pub(crate) const UNDER_WAY: usize = 1_024;

impl Drive {
    pub(crate) const ALL: [Self; 2] = [Self::OneByOne, Self::Pipelined];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::OneByOne => "one_by_one",
            Self::Pipelined => "pipelined",
        }
    }

    pub(crate) fn named(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|drive| drive.label() == label)
    }
}

/// The numbers of a case beside n. A case ignores those that do not concern it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Options {
    /// `oneshot_events`, `fanout`.
    pub(crate) subscribers: usize,
    /// `restart`: how often each task is started again.
    pub(crate) restarts: usize,
    /// `add`: how many tasks are there before the first timed one.
    pub(crate) held: usize,
    /// `slots`: over how many keys the submissions go.
    pub(crate) slots: usize,
    /// `oneshot`, `oneshot_events`, `slots`.
    pub(crate) drive: Drive,
    /// 1: everything on the caller's thread. 2: the tasks on another one than the caller.
    pub(crate) threads: usize,
}

impl Options {
    /// What is taken where nothing is said.
    pub(crate) fn of(case: Case) -> Self {
        Self {
            subscribers: if case == Case::Fanout { 16 } else { 1 },
            restarts: 100,
            held: 0,
            slots: 100,
            drive: Drive::OneByOne,
            threads: 1,
        }
    }

    /// Those that concern a case, by name.
    pub(crate) fn for_output(&self, case: Case) -> Map<String, Value> {
        let mut all = Map::new();
        if matches!(case, Case::OneshotEvents | Case::Fanout) {
            all.insert("subscribers".to_owned(), self.subscribers.into());
        }
        match case {
            Case::Oneshot | Case::OneshotEvents => {
                all.insert("drive".to_owned(), self.drive.label().into());
            }
            Case::Restart => drop(all.insert("restarts".to_owned(), self.restarts.into())),
            Case::Add => drop(all.insert("held".to_owned(), self.held.into())),
            Case::Slots => {
                all.insert("slots".to_owned(), self.slots.into());
                all.insert("drive".to_owned(), self.drive.label().into());
            }
            Case::Fanout | Case::Cancel | Case::Memory | Case::Shutdown => {}
        }
        all.insert("threads".to_owned(), self.threads.into());
        all
    }
}

/// One pass of one subject through one case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) subject: String,
    pub(crate) case: Case,
    pub(crate) n: usize,
    pub(crate) config: Config,
    pub(crate) options: Options,
}

/// What one timed pass gave.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// `None` where only memory is measured.
    pub(crate) ns_per_unit: Option<f64>,
    /// Of the whole process, all threads.
    pub(crate) cpu_ns_per_unit: Option<f64>,
    /// Where units follow each other.
    pub(crate) p50_ns: Option<u64>,
    pub(crate) p99_ns: Option<u64>,
    /// Asked of the allocator and not given back.
    pub(crate) live_bytes: Option<f64>,
    /// Growth of the resident size.
    pub(crate) resident_bytes: Option<f64>,
    /// Events that a subscriber should have seen and did not, over all subscribers.
    pub(crate) lost: u64,
    /// `fanout`: how long the cause of the events takes without a subscriber, for each delivery; already taken out
    /// of `ns_per_unit`.
    pub(crate) cause_ns_per_unit: Option<f64>,
}

impl Sample {
    /// Takes out what was measured without the deliveries. Below zero it is noise, and shown as it is.
    pub(crate) fn without_cause(self, cause: &Self) -> Self {
        let less =
            |all: Option<f64>, cause: Option<f64>| all.zip(cause).map(|(all, cause)| all - cause);
        Self {
            ns_per_unit: less(self.ns_per_unit, cause.ns_per_unit),
            cpu_ns_per_unit: less(self.cpu_ns_per_unit, cause.cpu_ns_per_unit),
            cause_ns_per_unit: cause.ns_per_unit,
            ..self
        }
    }
}

/// A subject cannot do this; why, in words.
#[derive(Clone, Debug)]
pub(crate) struct Unsupported(pub(crate) String);

impl Unsupported {
    pub(crate) fn because(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// What a pass answers. A pass that goes wrong panics: its process ends and the figure is missing.
pub(crate) type Answer = Result<Sample, Unsupported>;
