//! What is printed: one line of JSON for each subject in each configuration, medians over all rounds.

use serde::{Deserialize, Serialize};

use crate::{
    child::Outcome,
    job::{Case, Config, Job, Options, Sample},
    subjects,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) subject: String,
    pub(crate) case: Case,
    pub(crate) n: usize,
    pub(crate) config: Config,
    #[serde(flatten)]
    pub(crate) options: Options,
    /// In words.
    pub(crate) unit: String,
    pub(crate) rounds: usize,
    pub(crate) ns_per_unit: Option<f64>,
    pub(crate) ns_per_unit_min: Option<f64>,
    pub(crate) ns_per_unit_max: Option<f64>,
    pub(crate) cpu_ns_per_unit: Option<f64>,
    pub(crate) p50_ns: Option<f64>,
    pub(crate) p99_ns: Option<f64>,
    pub(crate) bytes_per_task: Option<Bytes>,
    pub(crate) cause_ns_per_unit: Option<f64>,
    /// The most over all rounds.
    pub(crate) lost: u64,
    pub(crate) left_out: String,
    pub(crate) settings: String,
    /// Instead of figures.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) unsupported: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) failed: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Bytes {
    pub(crate) live: f64,
    pub(crate) resident: f64,
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
        let live = figures(|sample| sample.live_bytes).median();
        let resident = figures(|sample| sample.resident_bytes).median();
        let mut line = Self {
            subject: job.subject.clone(),
            case: job.case,
            n: job.n,
            config: job.config,
            options: job.options,
            unit: job.case.unit().to_owned(),
            rounds: samples.len(),
            ns_per_unit: time.median(),
            ns_per_unit_min: time.first(),
            ns_per_unit_max: time.last(),
            cpu_ns_per_unit: figures(|sample| sample.cpu_ns_per_unit).median(),
            p50_ns: figures(|sample| sample.p50_ns.map(|ns| ns as f64)).median(),
            p99_ns: figures(|sample| sample.p99_ns.map(|ns| ns as f64)).median(),
            bytes_per_task: live.zip(resident).map(|(live, resident)| Bytes { live, resident }),
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
