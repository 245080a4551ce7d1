//! What is printed: one line of JSON for each subject in each configuration, medians over all rounds.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    child::Outcome,
    job::{Case, Config, Job, Options, Sample},
    subjects,
};

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) subject: String,
    pub(crate) case: Case,
    pub(crate) n: usize,
    pub(crate) config: Config,
    #[serde(skip)]
    pub(crate) options: Options,
    /// Those that concern the case.
    #[serde(flatten)]
    told: Map<String, Value>,
    /// In words.
    pub(crate) unit: &'static str,
    pub(crate) rounds: usize,
    /// Medians over all rounds, as is everything that follows but where it says otherwise.
    pub(crate) ns_per_unit: Option<f64>,
    pub(crate) cpu_ns_per_unit: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ns_per_unit_min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ns_per_unit_max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_ns: Option<f64>,
    /// Growth of the resident size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_per_task: Option<f64>,
    /// By the counting allocator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) live_bytes_per_task: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause_ns_per_unit: Option<f64>,
    /// The most over all rounds.
    pub(crate) lost: u64,
    pub(crate) left_out: String,
    pub(crate) settings: String,
    /// Instead of figures: why the subject cannot do this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unsupported: Option<String>,
    /// Instead of figures: what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
}

impl Line {
    pub(crate) fn of(job: &Job, outcomes: &[Outcome]) -> Self {
        let subject = subjects::named(&job.subject).expect("it was looked up before");
        let samples: Vec<&Sample> = outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Done(sample) => Some(sample),
                Outcome::Unsupported(_) | Outcome::Failed(_) => None,
            })
            .collect();
        let figures =
            |of: fn(&Sample) -> Option<f64>| Figures::of(samples.iter().filter_map(|s| of(s)));
        let time = figures(|sample| sample.ns_per_unit);
        let mut line = Self {
            subject: job.subject.clone(),
            case: job.case,
            n: job.n,
            config: job.config,
            options: job.options,
            told: job.options.for_output(job.case),
            unit: job.case.unit(),
            rounds: samples.len(),
            ns_per_unit: time.median(),
            ns_per_unit_min: time.first(),
            ns_per_unit_max: time.last(),
            cpu_ns_per_unit: figures(|sample| sample.cpu_ns_per_unit).median(),
            p50_ns: figures(|sample| sample.p50_ns.map(|ns| ns as f64)).median(),
            p99_ns: figures(|sample| sample.p99_ns.map(|ns| ns as f64)).median(),
            bytes_per_task: figures(|sample| sample.resident_bytes).median(),
            live_bytes_per_task: figures(|sample| sample.live_bytes).median(),
            cause_ns_per_unit: figures(|sample| sample.cause_ns_per_unit).median(),
            lost: samples.iter().map(|sample| sample.lost).max().unwrap_or(0),
            left_out: subject.left_out(job.case),
            settings: subject.options(job),
            unsupported: None,
            failed: None,
        };
        for outcome in outcomes {
            match outcome {
                Outcome::Done(_) => {}
                Outcome::Unsupported(why) => line.unsupported = Some(why.clone()),
                Outcome::Failed(why) => line.failed = Some(why.clone()),
            }
        }
        line
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("plain data")
    }
}

/// One figure over all rounds, in order of size.
struct Figures(Vec<f64>);

impl Figures {
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }

    fn first(&self) -> Option<f64> {
        self.0.first().copied().map(tenths)
    }

    fn last(&self) -> Option<f64> {
        self.0.last().copied().map(tenths)
    }

    /// Of an even number of rounds, the lower one of the middle two.
    fn median(&self) -> Option<f64> {
        self.0.get(self.0.len().saturating_sub(1) / 2).copied().map(tenths)
    }
}

fn tenths(figure: f64) -> f64 {
    (figure * 10.0).round() / 10.0
}

/// What is read off a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    Time,
    Cpu,
    P50,
    P99,
    Resident,
    Live,
    Lost,
}

impl Line {
    pub(crate) fn figure(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::Time => self.ns_per_unit,
            Figure::Cpu => self.cpu_ns_per_unit,
            Figure::P50 => self.p50_ns,
            Figure::P99 => self.p99_ns,
            Figure::Resident => self.bytes_per_task,
            Figure::Live => self.live_bytes_per_task,
            Figure::Lost => (self.rounds > 0).then_some(self.lost as f64),
        }
    }
}

impl Figure {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Cpu => "time on a core",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Resident => "resident bytes",
            Self::Live => "live bytes",
            Self::Lost => "events lost",
        }
    }
}
