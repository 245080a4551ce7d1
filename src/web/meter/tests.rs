use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::{
    Gauges,
    histogram::{ATTEMPT_BOUNDS, COMMAND_BOUNDS, Histogram},
    messages::Counts,
    render,
    spark::{STEP, Spark},
    tally::Tally,
};
use crate::event::EventKind;

fn starts(count: u64) -> Tally {
    let mut tally = Tally::default();
    for attempt in 1..=count {
        tally.count(&EventKind::TaskStarting { attempt }, Some("failure"));
    }
    tally
}

fn counts(by_name: impl IntoIterator<Item = (&'static str, Tally)>) -> Counts {
    let by_name: HashMap<_, _> =
        by_name.into_iter().map(|(name, tally)| (name.into(), tally)).collect();
    Counts { by_name, others: None, lost: 0, commands: Histogram::new(COMMAND_BOUNDS) }
}

#[test]
fn buckets_are_cumulative_and_a_bound_belongs_to_its_bucket() {
    let mut histogram = Histogram::new(ATTEMPT_BOUNDS);
    for millis in [5, 6, 1_000_000] {
        histogram.observe(Duration::from_millis(millis));
    }
    assert_eq!((histogram.counts[0], histogram.counts[1], histogram.counts[15]), (1, 1, 1));
    let tally = Tally { took: histogram, ..Tally::default() };
    let text = render(&counts([("a", tally)]), &Gauges::default(), str::to_owned);
    for line in [
        "taskvisor_attempt_duration_seconds_bucket{task=\"a\",le=\"0.005\"} 1",
        "taskvisor_attempt_duration_seconds_bucket{task=\"a\",le=\"0.01\"} 2",
        "taskvisor_attempt_duration_seconds_bucket{task=\"a\",le=\"300\"} 2",
        "taskvisor_attempt_duration_seconds_bucket{task=\"a\",le=\"+Inf\"} 3",
        "taskvisor_attempt_duration_seconds_count{task=\"a\"} 3",
    ] {
        assert!(text.lines().any(|own| own == line), "no `{line}` in {text}");
    }
}

#[test]
fn names_that_look_alike_when_hidden_are_counted_together() {
    let text = render(&counts([("a", starts(2)), ("b", starts(3))]), &Gauges::default(), |_| {
        "x".to_owned()
    });
    let lines: Vec<_> =
        text.lines().filter(|line| line.starts_with("taskvisor_task_starts_total")).collect();
    assert_eq!(lines, ["taskvisor_task_starts_total{task=\"x\"} 5"]);
    assert!(
        text.contains("taskvisor_task_restarts_total{task=\"x\",reason=\"failure\"} 3"),
        "{text}"
    );
}

#[test]
fn labels_are_escaped_and_every_family_has_one_head() {
    let text = render(&counts([("a\"\\\n", starts(1))]), &Gauges::default(), str::to_owned);
    assert!(text.contains(r#"taskvisor_task_starts_total{task="a\"\\\n"} 1"#), "{text}");
    let heads: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let mut distinct = heads.clone();
    distinct.dedup();
    assert_eq!(heads, distinct);
    assert!(text.ends_with('\n'));
}

#[test]
fn old_numbers_of_a_curve_move_out_and_new_ones_stay() {
    let begun = Instant::now();
    let mut spark = Spark::new(begun);
    spark.count(1, 0, begun);
    spark.count(2, 1, begun + STEP);
    let starts = spark.starts();
    assert_eq!((starts.len(), starts[58], starts[59]), (60, 1, 2));
    assert_eq!(spark.failures()[59], 1);
    spark.move_to(begun + STEP * 60);
    assert_eq!(spark.starts()[0], 2);
    spark.move_to(begun + STEP * 1000);
    assert!(spark.starts().iter().all(|count| *count == 0));
}
