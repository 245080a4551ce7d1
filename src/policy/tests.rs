//! The promises of this folder, one test each.

use std::time::Duration;

use proptest::prelude::*;

use super::jitter::spread;
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const JITTERS: [Jitter; 4] = [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated];

/// The delays of a task with this policy and this seed.
struct Drawn {
    policy: BackoffPolicy,
    task_seed: u64,
    delays: Delays,
}

impl Drawn {
    fn new(policy: &BackoffPolicy, task_seed: u64) -> Self {
        Self { policy: *policy, task_seed, delays: Delays::default() }
    }

    fn next(&mut self, index: u32) -> Duration {
        self.delays.next(&self.policy, self.task_seed, index)
    }
}

fn exponential(first: Duration, factor: f64, max: Duration) -> BackoffPolicy {
    BackoffPolicy::exponential(first, factor, max).unwrap()
}

fn exact(first: Duration, factor: f64, max: Duration) -> Drawn {
    let policy = exponential(first, factor, max).jitter(Jitter::None);
    Drawn::new(&policy, 0)
}

fn refused(first: Duration, factor: f64, max: Duration) -> BackoffError {
    BackoffPolicy::exponential(first, factor, max).unwrap_err()
}

fn series(policy: &BackoffPolicy, task_seed: u64, indices: u32) -> Vec<Duration> {
    let mut delays = Drawn::new(policy, task_seed);
    (0..indices).map(|index| delays.next(index)).collect()
}

// --- decide -------------------------------------------------------------------------------------

const fn end(streak: u32, finish: Finish) -> Decision {
    Decision { streak, next: Next::Finish(finish) }
}

const fn retry(streak: u32, index: u32) -> Decision {
    Decision { streak, next: Next::Retry { index } }
}

const ALWAYS: RestartPolicy = RestartPolicy::Always { interval: SECOND };
const AGAIN: Decision = Decision { streak: 0, next: Next::RunAgain { after: SECOND } };

/// From a streak of 2: (policy, ending, [unhealthy and 5 retries, unhealthy and 2, healthy and 5,
/// healthy and 2]).
#[rustfmt::skip]
const TABLE: [(RestartPolicy, Ending, [Decision; 4]); 18] = {
    use Ending::*;
    use Finish::Completed as Done;
    use RestartPolicy::{Never, OnFailure};
    [
        (Never, Succeeded, [end(0, Done), end(0, Done), end(0, Done), end(0, Done)]),
        (Never, Failed, [end(3, Finish::Failed), end(3, Finish::Failed), end(1, Finish::Failed), end(1, Finish::Failed)]),
        (Never, TimedOut, [end(3, Finish::Failed), end(3, Finish::Failed), end(3, Finish::Failed), end(3, Finish::Failed)]),
        (Never, Panicked, [end(3, Finish::Failed), end(3, Finish::Failed), end(1, Finish::Failed), end(1, Finish::Failed)]),
        (Never, Fatal, [end(3, Finish::Fatal), end(3, Finish::Fatal), end(1, Finish::Fatal), end(1, Finish::Fatal)]),
        (Never, Canceled, [end(2, Finish::Canceled), end(2, Finish::Canceled), end(2, Finish::Canceled), end(2, Finish::Canceled)]),

        (OnFailure, Succeeded, [end(0, Done), end(0, Done), end(0, Done), end(0, Done)]),
        (OnFailure, Failed, [retry(3, 2), end(3, Finish::Failed), retry(1, 0), retry(1, 0)]),
        (OnFailure, TimedOut, [retry(3, 2), end(3, Finish::Failed), retry(3, 2), end(3, Finish::Failed)]),
        (OnFailure, Panicked, [retry(3, 2), end(3, Finish::Failed), retry(1, 0), retry(1, 0)]),
        (OnFailure, Fatal, [end(3, Finish::Fatal), end(3, Finish::Fatal), end(1, Finish::Fatal), end(1, Finish::Fatal)]),
        (OnFailure, Canceled, [end(2, Finish::Canceled), end(2, Finish::Canceled), end(2, Finish::Canceled), end(2, Finish::Canceled)]),

        (ALWAYS, Succeeded, [AGAIN, AGAIN, AGAIN, AGAIN]),
        (ALWAYS, Failed, [retry(3, 2), end(3, Finish::Failed), retry(1, 0), retry(1, 0)]),
        (ALWAYS, TimedOut, [retry(3, 2), end(3, Finish::Failed), retry(3, 2), end(3, Finish::Failed)]),
        (ALWAYS, Panicked, [retry(3, 2), end(3, Finish::Failed), retry(1, 0), retry(1, 0)]),
        (ALWAYS, Fatal, [end(3, Finish::Fatal), end(3, Finish::Fatal), end(1, Finish::Fatal), end(1, Finish::Fatal)]),
        (ALWAYS, Canceled, [end(2, Finish::Canceled), end(2, Finish::Canceled), end(2, Finish::Canceled), end(2, Finish::Canceled)]),
    ]
};

#[test]
fn every_policy_answers_every_ending_as_the_table_says() {
    for (policy, ending, expected) in TABLE {
        let given = [(false, 5), (false, 2), (true, 5), (true, 2)];
        for ((is_healthy, most), expected) in given.into_iter().zip(expected) {
            assert_eq!(
                decide(policy, Some(most), 2, ending, is_healthy),
                expected,
                "{policy:?}, {ending:?}, healthy: {is_healthy}, max_retries: {most}"
            );
        }
    }
}

#[test]
fn the_default_policy_retries_failures_only() {
    assert_eq!(RestartPolicy::default(), RestartPolicy::OnFailure);
}

#[test]
fn a_timed_out_attempt_is_never_healthy() {
    let after =
        |is_healthy| decide(RestartPolicy::OnFailure, None, 7, Ending::TimedOut, is_healthy);
    assert_eq!(after(true), retry(8, 7));
    assert_eq!(after(true), after(false));
}

#[test]
fn zero_retries_means_one_attempt() {
    for is_healthy in [false, true] {
        let decision = decide(RestartPolicy::OnFailure, Some(0), 0, Ending::Failed, is_healthy);
        assert_eq!(decision, end(1, Finish::Failed));
    }
}

#[test]
fn the_last_allowed_retry_is_made_and_no_other() {
    let after = |streak| decide(RestartPolicy::OnFailure, Some(3), streak, Ending::Failed, false);
    assert_eq!(after(2), retry(3, 2));
    assert_eq!(after(3), end(4, Finish::Failed));
}

#[test]
fn unlimited_retries_never_run_out() {
    let after = |streak| decide(ALWAYS, None, streak, Ending::Panicked, false);
    assert_eq!(after(0), retry(1, 0));
    assert_eq!(after(u32::MAX - 1), retry(u32::MAX, u32::MAX - 1));
    assert_eq!(after(u32::MAX), retry(u32::MAX, u32::MAX - 1));
}

#[test]
fn a_healthy_failure_gets_all_its_retries_back() {
    let decision = decide(RestartPolicy::OnFailure, Some(1), 9, Ending::Failed, true);
    assert_eq!(decision, retry(1, 0));
}

#[test]
fn a_task_that_always_runs_keeps_a_millisecond_between_runs() {
    let intervals = [
        (Duration::ZERO, MILLI),
        (Duration::from_nanos(999_999), MILLI),
        (MILLI, MILLI),
        (Duration::from_nanos(1_000_001), Duration::from_nanos(1_000_001)),
        (Duration::MAX, Duration::MAX),
    ];
    for (interval, after) in intervals {
        let policy = RestartPolicy::Always { interval };
        let decision = decide(policy, None, 4, Ending::Succeeded, false);
        assert_eq!(decision.next, Next::RunAgain { after });
        assert_eq!(decision.streak, 0);
    }
}

fn any_ending() -> impl Strategy<Value = Ending> {
    prop::sample::select(vec![
        Ending::Succeeded,
        Ending::Failed,
        Ending::TimedOut,
        Ending::Panicked,
    ])
}

/// The streak, read off the history instead of counted along: the failures since the last success,
/// or since (and with) the last failure that was healthy and no timeout.
fn streak_of(history: &[(Ending, bool)]) -> u32 {
    let mut streak = 0;
    for (ending, is_healthy) in history.iter().rev() {
        if *ending == Ending::Succeeded {
            break;
        }
        streak += 1;
        if *is_healthy && *ending != Ending::TimedOut {
            break;
        }
    }
    streak
}

proptest! {
    #[test]
    fn the_streak_is_what_the_history_says(
        history in prop::collection::vec((any_ending(), any::<bool>()), 1..60),
        most in prop::option::of(0_u32..6),
    ) {
        let mut streak = 0;
        for length in 1..=history.len() {
            let (ending, is_healthy) = history[length - 1];
            let decision = decide(ALWAYS, most, streak, ending, is_healthy);
            streak = streak_of(&history[..length]);
            prop_assert_eq!(decision.streak, streak);
            let is_spent = most.is_some_and(|most| streak > most);
            let expected = match (streak, is_spent) {
                (0, _) => Next::RunAgain { after: SECOND },
                (_, true) => Next::Finish(Finish::Failed),
                (_, false) => Next::Retry { index: streak - 1 },
            };
            prop_assert_eq!(decision.next, expected);
        }
    }
}

// --- the policy ---------------------------------------------------------------------------------

#[test]
fn the_default_backoff_doubles_from_two_hundred_milliseconds_to_thirty_seconds() {
    let policy = BackoffPolicy::default();
    assert_eq!(policy.first(), Duration::from_millis(200));
    assert_eq!(policy.factor(), 2.0);
    assert_eq!(policy.max(), Duration::from_secs(30));
    assert_eq!(policy.jitter_kind(), Jitter::Equal);
    assert!(!policy.is_immediate());
    let again = exponential(policy.first(), policy.factor(), policy.max());
    assert_eq!(policy, again);
}

#[test]
fn ordinary_series_are_exact_to_the_nanosecond() {
    let delays = series(&BackoffPolicy::default().jitter(Jitter::None), 0, 10);
    let expected = [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000];
    assert_eq!(delays, expected.map(Duration::from_millis));

    let slow = exponential(HOUR, 2.0, HOUR * 24).jitter(Jitter::None);
    let delays = series(&slow, 0, 3);
    assert_eq!(delays, [HOUR, HOUR * 2, HOUR * 4]);
}

#[test]
fn a_constant_backoff_is_exact_unless_jitter_is_asked_for() {
    let policy = BackoffPolicy::constant(SECOND * 5).unwrap();
    assert_eq!(policy.jitter_kind(), Jitter::None);
    assert_eq!(series(&policy, 0, 4), [SECOND * 5; 4]);
    let spread = series(&policy.jitter(Jitter::Full).seed(1), 0, 4);
    assert!(spread.iter().all(|delay| *delay < SECOND * 5), "{spread:?}");
}

#[test]
fn an_immediate_backoff_has_no_delay_whatever_is_set_on_it() {
    let policy = BackoffPolicy::immediate().jitter(Jitter::Full).seed(3);
    assert!(policy.is_immediate());
    assert_eq!(series(&policy, 0, 5), [Duration::ZERO; 5]);
}

#[test]
fn bad_factors_are_refused_by_name() {
    for factor in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = refused(MILLI, factor, SECOND);
        assert!(matches!(error, BackoffError::FactorNotFinite { .. }), "{error:?}");
    }
    for factor in [0.0, -0.0, -2.0, 1.0_f64.next_down()] {
        let error = refused(MILLI, factor, SECOND);
        assert_eq!(error, BackoffError::FactorBelowOne { factor });
    }
    assert!(BackoffPolicy::exponential(MILLI, 1.0, SECOND).is_ok());
    assert!(BackoffPolicy::exponential(MILLI, f64::MAX, SECOND).is_ok());
}

#[test]
fn bad_durations_are_refused_by_name() {
    let short = MILLI - Duration::from_nanos(1);
    let too_short = BackoffError::MaxTooShort { max: short };
    assert_eq!(refused(Duration::ZERO, 2.0, short), too_short);
    assert_eq!(refused(SECOND, 2.0, short), too_short);
    assert_eq!(BackoffPolicy::constant(short), Err(too_short));

    let first = SECOND + Duration::from_nanos(1);
    let above = BackoffError::FirstAboveMax { first, max: SECOND };
    assert_eq!(refused(first, 2.0, SECOND), above);
    assert!(BackoffPolicy::exponential(SECOND, 2.0, SECOND).is_ok());
    assert!(BackoffPolicy::constant(MILLI).is_ok());
}

#[test]
fn refusals_say_what_to_write_instead() {
    let texts = [
        refused(MILLI, f64::NAN, SECOND).to_string(),
        refused(MILLI, 0.5, SECOND).to_string(),
        refused(MILLI, 2.0, Duration::ZERO).to_string(),
        refused(SECOND, 2.0, MILLI).to_string(),
    ];
    let advice = ["such as 2.0", "at least 1.0", "BackoffPolicy::immediate()", "lower the first"];
    for (text, advice) in texts.iter().zip(advice) {
        assert!(text.contains(advice), "{text}");
        assert!(text.starts_with(char::is_lowercase) && !text.ends_with('.'), "{text}");
    }
}

// --- delays -------------------------------------------------------------------------------------

#[test]
fn a_first_delay_of_zero_retries_every_millisecond() {
    let mut delays = exact(Duration::ZERO, 2.0, SECOND);
    for index in [0, 1, 2, 50, u32::MAX] {
        assert_eq!(delays.next(index), MILLI);
    }
}

#[test]
fn a_first_delay_below_the_floor_still_grows() {
    let mut delays = exact(Duration::from_nanos(10), 1.05, SECOND);
    assert_eq!(delays.next(0), MILLI);
    assert_eq!(delays.next(200), MILLI);
    assert!(delays.next(300) > MILLI * 10);
    assert_eq!(delays.next(400), SECOND);
}

#[test]
fn index_zero_begins_again_at_the_first_delay() {
    let mut delays = exact(SECOND, 3.0, HOUR);
    assert_eq!([0, 1, 2].map(|index| delays.next(index)), [SECOND, SECOND * 3, SECOND * 9]);
    assert_eq!([0, 1].map(|index| delays.next(index)), [SECOND, SECOND * 3]);
}

#[test]
fn decorrelated_jitter_forgets_the_last_streak_at_index_zero() {
    let policy = exponential(SECOND, 2.0, HOUR).jitter(Jitter::Decorrelated).seed(5);
    let mut delays = Drawn::new(&policy, 0);
    for _ in 0..200 {
        for index in 0..12 {
            delays.next(index);
        }
        assert!(delays.next(0) <= SECOND * 3);
    }
}

#[test]
fn an_enormous_index_is_answered_at_once() {
    for factor in [1.0, 1.0_f64.next_up(), 1.5, f64::MAX] {
        let delay = exact(SECOND, factor, HOUR).next(u32::MAX);
        assert!((SECOND..=HOUR).contains(&delay), "{factor}: {delay:?}");
    }
    // Here `backoff` would climb a factor of 1 by rounding alone, a few microseconds at a time.
    let long = Duration::from_secs(1 << 33);
    assert_eq!(exact(long, 1.0, long * 2).next(u32::MAX), long);
}

#[test]
fn extreme_durations_never_panic() {
    let extremes = [
        Duration::ZERO,
        Duration::from_nanos(1),
        MILLI,
        Duration::from_secs(1 << 44),
        Duration::MAX / 2,
        Duration::MAX,
    ];
    for (first, max) in extremes.iter().flat_map(|f| extremes.map(|m| (*f, m))) {
        for (factor, jitter) in [1.0, 1.7, f64::MAX].iter().flat_map(|f| JITTERS.map(|j| (*f, j))) {
            let Ok(policy) = BackoffPolicy::exponential(first, factor, max) else {
                continue;
            };
            let mut delays = Drawn::new(&policy.jitter(jitter), u64::MAX);
            for index in [0, 1, 2, 100, u32::MAX, 5, 0] {
                let delay = delays.next(index);
                assert!((MILLI..=max).contains(&delay), "{policy:?} {index}: {delay:?}");
            }
        }
    }
}

#[test]
fn rounding_of_long_delays_never_shortens_them() {
    let almost_a_second = Duration::from_nanos(999_999_999);
    for exponent in 0..44 {
        let first = Duration::from_secs(1 << exponent) + almost_a_second;
        let policy = exponential(first, 1.0_f64.next_up(), Duration::MAX).jitter(Jitter::None);
        let delays = series(&policy, 0, 10);
        assert!(delays.is_sorted(), "{delays:?}");
    }
}

#[test]
fn nothing_is_allocated_for_delays_of_nothing() {
    let mut delays = Drawn::new(&BackoffPolicy::immediate(), 1);
    assert_eq!((delays.next(0), delays.next(7)), (Duration::ZERO, Duration::ZERO));
    assert!(format!("{:?}", delays.delays).ends_with("climb: None }"));
}

#[test]
fn a_delay_asked_for_is_exact_within_its_bounds() {
    let asked = Duration::from_nanos(1_234_567_891);
    assert_eq!(retry_after(asked, HOUR), asked);
    assert_eq!(retry_after(Duration::ZERO, HOUR), DELAY_FLOOR);
    assert_eq!(retry_after(HOUR + MILLI, HOUR), HOUR);
    assert_eq!(retry_after(SECOND, Duration::ZERO), DELAY_FLOOR);
    assert_eq!(retry_after(Duration::MAX, Duration::MAX), Duration::MAX);
}

fn any_jitter() -> impl Strategy<Value = Jitter> {
    prop::sample::select(JITTERS.to_vec())
}

/// Durations of every order of magnitude up to `Duration::MAX`.
fn any_duration() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0_u32..64, 0_u32..1_000_000_000, any::<bool>()).prop_map(
        |(bits, shift, nanos, is_long)| match is_long {
            true => Duration::new(bits >> shift, nanos),
            false => Duration::from_nanos(bits >> shift),
        },
    )
}

fn any_policy() -> impl Strategy<Value = BackoffPolicy> {
    let factor = prop_oneof![Just(1.0), 1.001..4.0_f64, 4.0..1e300_f64];
    (any_duration(), any_duration(), factor, any_jitter()).prop_map(|(one, two, factor, jitter)| {
        let max = one.max(two).max(MILLI);
        exponential(one.min(two), factor, max).jitter(jitter)
    })
}

proptest! {
    #[test]
    fn every_delay_lies_between_a_millisecond_and_the_maximum(
        policy in any_policy(),
        indices in prop::collection::vec(prop_oneof![0_u32..40, any::<u32>()], 1..20),
        task_seed in any::<u64>(),
    ) {
        let mut delays = Drawn::new(&policy, task_seed);
        for index in indices {
            let delay = delays.next(index);
            prop_assert!(delay >= MILLI && delay <= policy.max(), "{:?}: {:?}", index, delay);
        }
    }

    #[test]
    fn delays_without_jitter_never_shrink(policy in any_policy()) {
        let delays = series(&policy.jitter(Jitter::None), 0, 80);
        prop_assert!(delays.is_sorted(), "{:?}", delays);
        prop_assert_eq!(delays[0], policy.first().max(MILLI));
    }

    #[test]
    fn delays_without_jitter_follow_the_formula(
        first in 1_000_u64..100_000_000_000,
        factor in 1.01..5.0_f64,
        times in 1.0..1e6_f64,
    ) {
        let first = Duration::from_nanos(first);
        let max = first.mul_f64(times).max(MILLI);
        for (index, delay) in (0..).zip(series(&exponential(first, factor, max).jitter(Jitter::None), 0, 60)) {
            let direct = (first.as_secs_f64() * factor.powi(index)).clamp(1e-3, max.as_secs_f64());
            let off = (delay.as_secs_f64() - direct).abs();
            prop_assert!(off <= 1e-6_f64.max(direct * 1e-6), "{}: {:?}, not {}", index, delay, direct);
        }
    }

    #[test]
    fn the_delay_depends_on_the_index_and_not_on_the_way_to_it(
        policy in any_policy(),
        indices in prop::collection::vec(0_u32..60, 1..20),
    ) {
        let policy = policy.jitter(Jitter::None);
        let climbed = series(&policy, 0, 60);
        let mut delays = Drawn::new(&policy, 0);
        for index in indices {
            prop_assert_eq!(delays.next(index), climbed[index as usize]);
        }
    }

    #[test]
    fn a_seed_makes_delays_reproducible(policy in any_policy(), seed in any::<u64>(), task in any::<u64>()) {
        let policy = policy.seed(seed);
        prop_assert_eq!(series(&policy, task, 30), series(&policy, task, 30));
    }

    #[test]
    fn tasks_that_share_a_seed_get_delays_of_their_own(seed in any::<u64>(), task in any::<u64>()) {
        let policy = BackoffPolicy::default().jitter(Jitter::Full).seed(seed);
        let own = series(&policy, task, 8);
        prop_assert_ne!(&own, &series(&policy, task.wrapping_add(1), 8));
        prop_assert_ne!(&own, &series(&policy.seed(seed.wrapping_add(1)), task, 8));
    }

    #[test]
    fn a_delay_asked_for_stays_within_its_bounds(asked in any_duration(), cap in any_duration()) {
        let delay = retry_after(asked, cap);
        prop_assert!(delay >= MILLI && delay <= cap.max(MILLI));
        prop_assert!(delay == asked || asked < MILLI || asked > cap);
    }
}

#[test]
fn delays_without_a_seed_differ_from_run_to_run() {
    let policy = BackoffPolicy::default().jitter(Jitter::Full);
    assert_ne!(series(&policy, 1, 8), series(&policy, 1, 8));
}

// --- jitter -------------------------------------------------------------------------------------

/// Draws many delays and asserts that they fill `[low, high]`, with their mean in its middle third.
fn assert_fills(policy: BackoffPolicy, index: u32, low: Duration, high: Duration) {
    let mut delays = Drawn::new(&policy.seed(11), 4);
    let drawn: Vec<Duration> = (0..2_000).map(|_| delays.next(index)).collect();
    let (least, most) = (drawn.iter().min().unwrap(), drawn.iter().max().unwrap());
    let mean = drawn.iter().sum::<Duration>() / 2_000;
    let (edge, third) = ((high - low) / 50, (high - low) / 3);
    assert!((low..=low + edge).contains(least), "{least:?}");
    assert!((high - edge..=high).contains(most), "{most:?}");
    assert!((low + third..=high - third).contains(&mean), "{mean:?}");
}

#[test]
fn full_jitter_fills_everything_up_to_the_delay() {
    let policy = exponential(SECOND, 2.0, HOUR).jitter(Jitter::Full);
    assert_fills(policy, 3, Duration::ZERO, SECOND * 8);
    assert_fills(policy, 40, Duration::ZERO, HOUR);
}

#[test]
fn equal_jitter_fills_the_upper_half_of_the_delay() {
    let policy = exponential(SECOND, 2.0, HOUR);
    assert_fills(policy, 3, SECOND * 4, SECOND * 8);
    assert_fills(policy, 40, HOUR / 2, HOUR);
}

#[test]
fn decorrelated_jitter_fills_the_range_up_to_three_times_the_first() {
    let policy = exponential(SECOND, 2.0, HOUR).jitter(Jitter::Decorrelated);
    assert_fills(policy, 0, SECOND, SECOND * 3);
}

#[test]
fn decorrelated_jitter_is_the_first_delay_when_its_upper_end_is_below() {
    let long = SECOND * 10;
    let delay = spread(Jitter::Decorrelated, SECOND, SECOND, long, HOUR, u64::MAX);
    assert_eq!(delay, long);
    let delay = spread(Jitter::Decorrelated, SECOND, HOUR, long, SECOND, u64::MAX);
    assert_eq!(delay, long);
}

#[test]
fn the_ends_of_the_random_range_hit_the_ends_of_the_interval() {
    let delay = Duration::from_nanos(1_000_001);
    let at = |jitter, random| spread(jitter, delay, delay, MILLI, SECOND, random);
    assert_eq!(at(Jitter::Full, 0), Duration::ZERO);
    assert_eq!(at(Jitter::Full, u64::MAX), delay);
    assert_eq!(at(Jitter::Equal, 0), Duration::from_nanos(500_000));
    assert_eq!(at(Jitter::Equal, u64::MAX), delay);
    assert_eq!(at(Jitter::Decorrelated, 0), MILLI);
    assert_eq!(at(Jitter::Decorrelated, u64::MAX), delay * 3);
    assert_eq!(at(Jitter::None, u64::MAX / 2), delay);
}

#[test]
fn each_nanosecond_of_a_small_interval_has_the_same_share() {
    let quarter = 1 << 62;
    for step in 0..4_u64 {
        for random in [step * quarter, step * quarter + (quarter - 1)] {
            let delay =
                spread(Jitter::Full, Duration::from_nanos(3), SECOND, SECOND, SECOND, random);
            assert_eq!(delay, Duration::from_nanos(step));
        }
    }
}

#[test]
fn the_longest_duration_is_spread_over_all_of_itself() {
    let at = |random| spread(Jitter::Full, Duration::MAX, MILLI, MILLI, Duration::MAX, random);
    assert_eq!(at(0), Duration::ZERO);
    // The exact product, to the nanosecond: (2^64 · 10^9) / 2, and all but one part in 2^64.
    assert_eq!(at(1 << 63), Duration::from_secs(1 << 63));
    assert_eq!(at(u64::MAX), Duration::from_secs(u64::MAX));
}

proptest! {
    #[test]
    fn jitter_stays_within_its_interval(
        jitter in any_jitter(),
        delay in any_duration(),
        previous in any_duration(),
        first in any_duration(),
        max in any_duration(),
        random in any::<u64>(),
    ) {
        let (low, high) = match jitter {
            Jitter::None => (delay, delay),
            Jitter::Full => (Duration::ZERO, delay),
            Jitter::Equal => (delay / 2, delay),
            Jitter::Decorrelated => (first, first.max(max.min(previous.saturating_mul(3)))),
        };
        let spread = spread(jitter, delay, previous, first, max, random);
        prop_assert!(spread >= low && spread <= high, "{:?}", spread);
    }

    #[test]
    fn a_greater_random_number_never_gives_a_shorter_delay(
        delay in any_duration(),
        one in any::<u64>(),
        two in any::<u64>(),
    ) {
        let at = |random| spread(Jitter::Full, delay, MILLI, MILLI, delay, random);
        prop_assert!(at(one.min(two)) <= at(one.max(two)));
    }
}
