//! How a delay is spread, so that tasks which failed together do not retry together.

use std::time::Duration;

/// Says how far a computed delay is spread at random, to keep tasks from retrying in step.
///
/// Below, `d` is the delay without jitter, `min(max, first · factor^k)`. Whatever the jitter, the
/// delay stays within `[1 ms, max]`. Use `None` when only one task talks to the thing it retries.
///
/// The default is `Equal`.
///
/// # Examples
///
/// ```
/// use actix_taskvisor::prelude::*;
///
/// assert_eq!(BackoffPolicy::default().jitter(Jitter::Full).jitter_kind(), Jitter::Full);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jitter {
    /// Exactly `d`.
    None,
    /// Uniform in `[0, d]`: spreads most, and may retry almost at once.
    Full,
    /// Uniform in `[d / 2, d]`: spreads, and still waits at least half as long as asked.
    #[default]
    Equal,
    /// Uniform in `[first, min(max, 3 · previous)]`, where `previous` is the last delay of this
    /// streak (`first` at its beginning). Grows by chance; the factor plays no part in it.
    Decorrelated,
}

/// Spreads one delay; `random` is uniform over all of `u64`. The caller brings the result into bounds.
///
/// `delay` is the un-jittered one. Only `Decorrelated` looks at `previous`, `first` and `max`; if its
/// upper end is below `first`, the result is `first`.
pub(crate) fn spread(
    jitter: Jitter,
    delay: Duration,
    previous: Duration,
    first: Duration,
    max: Duration,
    random: u64,
) -> Duration {
    match jitter {
        Jitter::None => delay,
        Jitter::Full => between(Duration::ZERO, delay, random),
        Jitter::Equal => between(delay / 2, delay, random),
        Jitter::Decorrelated => between(first, max.min(previous.saturating_mul(3)), random),
    }
}

/// Picks from `[low, high]`, both ends included, to the nanosecond; `low` if `high` is below it.
fn between(low: Duration, high: Duration, random: u64) -> Duration {
    let span = high.saturating_sub(low).as_nanos();
    low.saturating_add(from_nanos(multiply_shift(span + 1, random)))
}

/// Returns `choices * random / 2^64`, exact: a number below `choices`.
///
/// The product may have 159 bits, so the two halves of `choices` are multiplied apart. `choices` is
/// at most 2^94 + 1 (`Duration::MAX` in nanoseconds), which keeps each partial product in 128 bits.
fn multiply_shift(choices: u128, random: u64) -> u128 {
    let random = u128::from(random);
    let (high, low) = (choices >> 64, choices & u128::from(u64::MAX));
    high * random + ((low * random) >> 64)
}

/// Returns that many nanoseconds, or `Duration::MAX` if a `Duration` cannot hold them.
fn from_nanos(nanos: u128) -> Duration {
    const PER_SECOND: u128 = 1_000_000_000;
    match (u64::try_from(nanos / PER_SECOND), u32::try_from(nanos % PER_SECOND)) {
        (Ok(seconds), Ok(rest)) => Duration::new(seconds, rest),
        _ => Duration::MAX,
    }
}
