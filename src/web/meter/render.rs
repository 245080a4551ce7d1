//! The text format 0.0.4 of Prometheus. Pure.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{histogram::Histogram, messages::Counts, tally::Tally};

/// The label of all names beyond the bound.
const OTHERS: &str = "_other";

/// Counts of a tally that have a second label.
type Labelled = fn(&Tally) -> &BTreeMap<&'static str, u64>;

/// What was read at the scrape.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) is_ready: bool,
    pub(crate) tasks_by_state: BTreeMap<&'static str, u64>,
    /// How many wait, by slot; the name as it is shown.
    pub(crate) slots: BTreeMap<String, u64>,
    pub(crate) streams: u64,
    /// Events that the feed lost.
    pub(crate) feed_lost: u64,
}

/// All metrics. `shown` rewrites names: those that come out alike are counted together.
pub(crate) fn render(counts: &Counts, gauges: &Gauges, shown: impl Fn(&str) -> String) -> String {
    let tallies = merged(counts, shown);
    let mut text = String::new();
    by_task(&mut text, &tallies);
    state(&mut text, counts, gauges);
    text
}

fn merged(counts: &Counts, shown: impl Fn(&str) -> String) -> BTreeMap<String, Tally> {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let named = counts.by_name.iter().map(|(name, tally)| (shown(name), tally));
    let others = counts.others.iter().map(|tally| (OTHERS.to_owned(), tally));
    for (name, tally) in named.chain(others) {
        tallies.entry(name).or_default().add(tally);
    }
    tallies
}

fn by_task(text: &mut String, tallies: &BTreeMap<String, Tally>) {
    head(text, "task_starts_total", "counter", "Attempts that began.");
    for (task, tally) in tallies {
        sample(text, "task_starts_total", &[("task", task)], tally.starts);
    }
    let families: [(&str, &str, &str, Labelled); 3] = [
        (
            "task_restarts_total",
            "Attempts after the first, by what ended the one before; unknown where that event was lost.",
            "reason",
            |tally| &tally.restarts,
        ),
        ("task_failures_total", "Attempts that failed, by kind.", "kind", |tally| &tally.failures),
        ("task_ends_total", "Tasks that ended, by outcome.", "outcome", |tally| &tally.outcomes),
    ];
    for (name, help, label, of) in families {
        head(text, name, "counter", help);
        for (task, tally) in tallies {
            for (value, count) in of(tally) {
                sample(text, name, &[("task", task), (label, value)], *count);
            }
        }
    }
    head(text, "backoff_seconds_total", "counter", "Delays planned between attempts.");
    for (task, tally) in tallies {
        sample(text, "backoff_seconds_total", &[("task", task)], tally.backoff.as_secs_f64());
    }
    head(text, "attempt_duration_seconds", "histogram", "How long ended attempts were up.");
    for (task, tally) in tallies {
        histogram(text, "attempt_duration_seconds", &[("task", task)], &tally.took);
    }
}

fn state(text: &mut String, counts: &Counts, gauges: &Gauges) {
    head(text, "tasks", "gauge", "Tasks that are not removed, by state.");
    for (state, count) in &gauges.tasks_by_state {
        sample(text, "tasks", &[("state", state)], *count);
    }
    head(text, "slot_queue_depth", "gauge", "Submissions that wait, by slot in use.");
    for (slot, count) in &gauges.slots {
        sample(text, "slot_queue_depth", &[("slot", slot)], *count);
    }
    head(text, "queued", "gauge", "Submissions that wait in all slots.");
    sample(text, "queued", &[], gauges.slots.values().sum::<u64>());
    head(text, "ready", "gauge", "Whether readyz says ready.");
    sample(text, "ready", &[], u64::from(gauges.is_ready));
    head(text, "event_streams", "gauge", "Event streams that are open.");
    sample(text, "event_streams", &[], gauges.streams);
    head(
        text,
        "events_lost_total",
        "counter",
        "Events that were lost on their way here: meter (these counts miss them), feed (the streams miss them).",
    );
    sample(text, "events_lost_total", &[("subscriber", "meter")], counts.lost);
    sample(text, "events_lost_total", &[("subscriber", "feed")], gauges.feed_lost);
    head(
        text,
        "command_latency_seconds",
        "histogram",
        "Round trips to the registry of the commands and questions of these routes alone; each scrape adds its own.",
    );
    histogram(text, "command_latency_seconds", &[], &counts.commands);
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a text cannot fail, here and below.
    let _ = writeln!(text, "# HELP taskvisor_{name} {help}\n# TYPE taskvisor_{name} {kind}");
}

fn sample(text: &mut String, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
    let _ = writeln!(text, "taskvisor_{name}{} {value}", Labels(labels));
}

fn histogram(text: &mut String, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
    let bucket = format!("{name}_bucket");
    let mut so_far = 0;
    let bounds = histogram.bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
    for (bound, count) in bounds.zip(&histogram.counts) {
        so_far += count;
        let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
        sample(text, &bucket, &labels, so_far);
    }
    sample(text, &format!("{name}_sum"), labels, histogram.sum.as_secs_f64());
    sample(text, &format!("{name}_count"), labels, histogram.total());
}

/// `{a="b",c="d"}`, escaped; nothing without labels.
struct Labels<'a>(&'a [(&'a str, &'a str)]);

impl std::fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        for (at, (name, value)) in self.0.iter().enumerate() {
            f.write_char(if at == 0 { '{' } else { ',' })?;
            write!(f, "{name}=\"")?;
            for char in value.chars() {
                match char {
                    '\\' => f.write_str("\\\\")?,
                    '"' => f.write_str("\\\"")?,
                    '\n' => f.write_str("\\n")?,
                    other => f.write_char(other)?,
                }
            }
            f.write_char('"')?;
        }
        f.write_char('}')
    }
}
