use std::{sync::Arc, time::Duration};

use super::{attempts::plain_delay, policy};
use crate::{
    policy::{BackoffPolicy, Jitter, RestartPolicy},
    task::TaskRules,
};

#[test]
fn a_policy_reads_as_people_say_it() {
    let rules = TaskRules::with_grace(Duration::from_secs(30));
    let seconds = Duration::from_secs;
    let table = [
        (rules, "on failure; 200 ms × 2 up to 30 s, equal jitter; unlimited retries; no timeout"),
        (TaskRules { restart: RestartPolicy::Never, ..rules }, "never again; no timeout"),
        (
            TaskRules {
                restart: RestartPolicy::Always { interval: seconds(60) },
                backoff: BackoffPolicy::constant(seconds(5)).expect("makes sense"),
                max_retries: Some(1),
                timeout: Some(seconds(5)),
                ..rules
            },
            "always, every 60 s; 5 s, no jitter; 1 retry; timeout 5 s",
        ),
        (
            TaskRules { backoff: BackoffPolicy::immediate(), max_retries: Some(3), ..rules },
            "on failure; at once; 3 retries; no timeout",
        ),
    ];
    for (rules, expected) in table {
        assert_eq!(policy(&Arc::new(rules)), expected);
    }
}

#[test]
fn the_curve_grows_to_the_maximum_and_stays() {
    let policy = BackoffPolicy::default().jitter(Jitter::None);
    let delays: Vec<_> = (0..12).map(|index| plain_delay(&policy, index).as_millis()).collect();
    assert_eq!(delays[..4], [200, 400, 800, 1600]);
    assert_eq!(delays[8..], [30_000; 4]);
    let steep = BackoffPolicy::exponential(Duration::ZERO, 1e300, Duration::from_secs(1));
    assert_eq!(plain_delay(&steep.expect("makes sense"), 11), Duration::from_millis(1));
}
