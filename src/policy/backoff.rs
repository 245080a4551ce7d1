//! How long a task waits before a retry.
//!
//! The crate `backoff` computes the un-jittered series. Its jitter, its give-up clock and its defaults
//! are not used: the first exceeds the maximum, the second counts healthy time, the last accept zero
//! and NaN. What it is given has been checked by [`BackoffPolicy::exponential`].

use std::time::{Duration, Instant};

use ::backoff::Clock;
use ::backoff::backoff::Backoff;
use ::backoff::exponential::ExponentialBackoff;
use thiserror::Error;

use super::jitter::{Jitter, spread};

/// The shortest delay there is, `immediate()` apart (I1).
pub(crate) const DELAY_FLOOR: Duration = Duration::from_millis(1);

/// Says how long a task waits before each retry of a streak of failures.
///
/// The delay before retry k (the first is 0) is `min(max, first · factor^k)`, spread by the
/// [`Jitter`], and always within `[1 ms, max]`. A success, or a failure after a healthy time, starts
/// again at `first`. Backoff never gives up: `max_retries` of the task does.
///
/// The default is 200 ms, doubled up to 30 s, with [`Jitter::Equal`].
///
/// # Examples
///
/// ```
/// use actix_taskvisor::prelude::*;
/// use std::time::Duration;
///
/// let policy = BackoffPolicy::exponential(Duration::from_millis(100), 2.0, Duration::from_secs(30))?
///     .jitter(Jitter::Full);
/// assert_eq!(policy.max(), Duration::from_secs(30));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "a policy does nothing until a task is given it"]
pub struct BackoffPolicy {
    first: Duration,
    factor: f64,
    max: Duration,
    jitter: Jitter,
    seed: Option<u64>,
    is_immediate: bool,
}

impl BackoffPolicy {
    /// The first delay of the default policy: 200 ms.
    pub const DEFAULT_FIRST: Duration = Duration::from_millis(200);
    /// The growth of the default policy: each delay is twice the one before.
    pub const DEFAULT_FACTOR: f64 = 2.0;
    /// The longest delay of the default policy: 30 s.
    pub const DEFAULT_MAX: Duration = Duration::from_secs(30);

    /// Makes delays that begin with `first` and grow by `factor` up to `max`, with [`Jitter::Equal`].
    ///
    /// `first` may be below 1 ms: the series is computed from it, and delays that come out below 1 ms
    /// are 1 ms. A `first` of zero cannot grow, so every delay is then 1 ms.
    ///
    /// # Errors
    ///
    /// In the order of the checks:
    /// - [`BackoffError::FactorNotFinite`] if `factor` is NaN or infinite.
    /// - [`BackoffError::FactorBelowOne`] if `factor` is below 1.
    /// - [`BackoffError::MaxTooShort`] if `max` is below 1 ms.
    /// - [`BackoffError::FirstAboveMax`] if `first` is above `max`.
    ///
    /// # Examples
    ///
    /// ```
    /// use actix_taskvisor::prelude::*;
    /// use std::time::Duration;
    ///
    /// let second = Duration::from_secs(1);
    /// assert!(BackoffPolicy::exponential(second, 1.5, second * 60).is_ok());
    /// assert!(BackoffPolicy::exponential(second, f64::NAN, second * 60).is_err());
    /// ```
    pub fn exponential(first: Duration, factor: f64, max: Duration) -> Result<Self, BackoffError> {
        check(first, factor, max)?;
        Ok(Self { first, factor, max, jitter: Jitter::default(), seed: None, is_immediate: false })
    }

    /// Makes every delay `delay`, without jitter unless [`jitter`](Self::jitter) adds it.
    ///
    /// With jitter, `delay` is the longest delay.
    ///
    /// # Errors
    ///
    /// [`BackoffError::MaxTooShort`] if `delay` is below 1 ms.
    ///
    /// # Examples
    ///
    /// ```
    /// use actix_taskvisor::prelude::*;
    /// use std::time::Duration;
    ///
    /// assert!(BackoffPolicy::constant(Duration::from_secs(5)).is_ok());
    /// assert!(BackoffPolicy::constant(Duration::ZERO).is_err());
    /// ```
    pub fn constant(delay: Duration) -> Result<Self, BackoffError> {
        Ok(Self::exponential(delay, 1.0, delay)?.jitter(Jitter::None))
    }

    /// Retries without any delay; jitter and seed have no effect.
    ///
    /// Other tasks of the thread still get their turn between two attempts. A task with this policy is
    /// refused unless its `max_retries` is finite. Prefer a short [`constant`](Self::constant) delay
    /// for anything that talks to another system.
    ///
    /// # Examples
    ///
    /// ```
    /// use actix_taskvisor::prelude::*;
    ///
    /// assert!(BackoffPolicy::immediate().is_immediate());
    /// ```
    pub const fn immediate() -> Self {
        Self {
            first: Duration::ZERO,
            factor: 1.0,
            max: Duration::ZERO,
            jitter: Jitter::None,
            seed: None,
            is_immediate: true,
        }
    }

    /// Sets how delays are spread.
    ///
    /// Default: [`Jitter::Equal`]; of [`constant`](Self::constant), [`Jitter::None`].
    ///
    /// # Examples
    ///
    /// ```
    /// use actix_taskvisor::prelude::*;
    ///
    /// let exact = BackoffPolicy::default().jitter(Jitter::None);
    /// assert_eq!(exact.jitter_kind(), Jitter::None);
    /// ```
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Makes the jitter reproducible: the same seed and the same task give the same delays.
    ///
    /// Tasks that share a seed are still spread among each other. Meant for tests and simulations.
    ///
    /// Default: no seed, different delays in each run.
    ///
    /// # Examples
    ///
    /// ```
    /// use actix_taskvisor::prelude::*;
    ///
    /// assert_eq!(BackoffPolicy::default().seed(7), BackoffPolicy::default().seed(7));
    /// ```
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Returns the delay before the first retry of a streak, without jitter and without the 1 ms floor.
    #[must_use]
    pub const fn first(&self) -> Duration {
        self.first
    }

    /// Returns how many times longer each delay is than the one before it.
    #[must_use]
    pub const fn factor(&self) -> f64 {
        self.factor
    }

    /// Returns the longest delay, jitter included; zero for [`immediate`](Self::immediate).
    #[must_use]
    pub const fn max(&self) -> Duration {
        self.max
    }

    /// Returns how delays are spread.
    #[must_use]
    pub const fn jitter_kind(&self) -> Jitter {
        self.jitter
    }

    /// Says whether this is [`immediate`](Self::immediate), which needs a finite `max_retries`.
    #[must_use]
    pub const fn is_immediate(&self) -> bool {
        self.is_immediate
    }
}

impl Default for BackoffPolicy {
    fn default() -> Self {
        Self {
            first: Self::DEFAULT_FIRST,
            factor: Self::DEFAULT_FACTOR,
            max: Self::DEFAULT_MAX,
            jitter: Jitter::default(),
            seed: None,
            is_immediate: false,
        }
    }
}

fn check(first: Duration, factor: f64, max: Duration) -> Result<(), BackoffError> {
    if !factor.is_finite() {
        return Err(BackoffError::FactorNotFinite { factor });
    }
    if factor < 1.0 {
        return Err(BackoffError::FactorBelowOne { factor });
    }
    if max < DELAY_FLOOR {
        return Err(BackoffError::MaxTooShort { max });
    }
    if first > max {
        return Err(BackoffError::FirstAboveMax { first, max });
    }
    Ok(())
}

/// Says why a [`BackoffPolicy`] was refused.
///
/// # Examples
///
/// ```
/// use actix_taskvisor::prelude::*;
/// use std::time::Duration;
///
/// let second = Duration::from_secs(1);
/// let refused = BackoffPolicy::exponential(second, 0.5, second).unwrap_err();
/// assert_eq!(refused.to_string(), "backoff factor 0.5 shrinks the delay: give at least 1.0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum BackoffError {
    /// The factor is NaN or infinite.
    #[error(
        "backoff factor {factor} is not a finite number: give one of at least 1.0, such as 2.0"
    )]
    FactorNotFinite {
        /// The factor that was given.
        factor: f64,
    },
    /// The factor is below 1, so delays would shrink.
    #[error("backoff factor {factor} shrinks the delay: give at least 1.0")]
    FactorBelowOne {
        /// The factor that was given.
        factor: f64,
    },
    /// The longest (or constant) delay is below 1 ms.
    #[error(
        "longest backoff delay {max:?} is below 1ms: give at least 1ms, or use BackoffPolicy::immediate()"
    )]
    MaxTooShort {
        /// The longest delay that was given.
        max: Duration,
    },
    /// The first delay is above the longest one.
    #[error(
        "first backoff delay {first:?} is above the longest, {max:?}: lower the first or raise the longest"
    )]
    FirstAboveMax {
        /// The first delay that was given.
        first: Duration,
        /// The longest delay that was given.
        max: Duration,
    },
}

/// Returns the delay a task asked for, exact, brought into `[1 ms, cap]`; a cap below 1 ms is 1 ms.
pub(crate) fn retry_after(asked: Duration, cap: Duration) -> Duration {
    asked.min(cap).max(DELAY_FLOOR)
}

/// The delays of one task: what is kept from one failure to the next. It starts at the foot of the series.
///
/// Allocates nothing before the first delay, and nothing at all for `immediate()`.
#[derive(Debug, Default)]
pub(crate) struct Delays {
    climb: Option<Box<Climb>>,
}

impl Delays {
    /// Returns the delay before the retry of this index; within `[1 ms, max]` (I1, I2), jitter included.
    ///
    /// Index 0 begins a new streak. Indices may be skipped (by a retry with a delay of its own) or go
    /// back: the un-jittered delay depends on the index alone. The policy is the task's own, the same each time;
    /// `task_seed` tells apart tasks that share a policy with a seed.
    pub(crate) fn next(&mut self, policy: &BackoffPolicy, task_seed: u64, index: u32) -> Duration {
        if policy.is_immediate {
            return Duration::ZERO;
        }
        self.climb
            .get_or_insert_with(|| Box::new(Climb::new(policy, task_seed)))
            .delay(policy, index)
    }
}

/// Where a task stands on its series of delays.
#[derive(Debug)]
struct Climb {
    series: ExponentialBackoff<FixedClock>,
    index: u32,
    previous: Duration,
    random: fastrand::Rng,
}

impl Climb {
    fn new(policy: &BackoffPolicy, task_seed: u64) -> Self {
        Self {
            series: series(policy),
            index: 0,
            previous: policy.first,
            random: generator(policy.seed, task_seed),
        }
    }

    fn delay(&mut self, policy: &BackoffPolicy, index: u32) -> Duration {
        if index == 0 || index < self.index {
            self.restart(policy);
        }
        self.climb_to(index);
        let plain = self.plain(policy);
        let random = self.random.u64(..);
        let delay = spread(policy.jitter, plain, self.previous, policy.first, policy.max, random);
        // I1, I2. `clamp` cannot panic: `max` is at least the floor, or the policy was refused.
        self.previous = delay.clamp(DELAY_FLOOR, policy.max);
        self.previous
    }

    fn restart(&mut self, policy: &BackoffPolicy) {
        self.series.reset();
        self.index = 0;
        self.previous = policy.first;
    }

    /// Takes at most one step per index, and none once a step changes nothing any more.
    fn climb_to(&mut self, index: u32) {
        for _ in self.index..index {
            if !self.step() {
                break;
            }
        }
        self.index = index;
    }

    /// Moves the series one step up; `false` if it stays where it is, now and for ever.
    fn step(&mut self) -> bool {
        let before = self.series.current_interval;
        // Without growth no step is taken: rounding alone would creep upwards, second by second.
        if before >= self.series.max_interval || self.series.multiplier <= 1.0 {
            return false;
        }
        // The returned value has up to 1 ns of randomness even with a factor of 0; the field has none.
        let _ = self.series.next_backoff();
        // Rounding of very long delays may go down; a delay never does.
        self.series.current_interval = self.series.current_interval.max(before);
        self.series.current_interval > before
    }

    /// Returns the delay of the present index without jitter and floor.
    fn plain(&self, policy: &BackoffPolicy) -> Duration {
        if self.index == 0 {
            policy.first
        } else if self.series.current_interval >= self.series.max_interval {
            policy.max
        } else {
            unscaled(self.series.current_interval).min(policy.max)
        }
    }
}

/// The series counts in this fraction of a nanosecond.
///
/// `backoff` cuts each step to whole units: in nanoseconds, 10 ns times 1.05 would stay 10 ns for ever,
/// and 1 ms times 1.1 drift away from the formula. Each step is off by less than 1 ns, past 4.8 hours
/// by less than 1 µs (there `backoff` loses the part below a second of its units). Delays of over
/// 2^44 s (half a million years) do not fit any more and count as the maximum.
const SCALE: u32 = 1 << 20;

fn scaled(delay: Duration) -> Duration {
    delay.saturating_mul(SCALE)
}

/// Returns the nearest nanosecond.
fn unscaled(delay: Duration) -> Duration {
    delay.saturating_add(Duration::from_nanos(u64::from(SCALE / 2))) / SCALE
}

/// Makes the un-jittered series, at its first delay, without a give-up time.
fn series(policy: &BackoffPolicy) -> ExponentialBackoff<FixedClock> {
    let clock = FixedClock(Instant::now());
    let mut series = ExponentialBackoff {
        current_interval: scaled(policy.first),
        initial_interval: scaled(policy.first),
        randomization_factor: 0.0,
        multiplier: policy.factor,
        max_interval: scaled(policy.max),
        start_time: clock.now(),
        max_elapsed_time: None,
        clock,
    };
    series.reset();
    series
}

/// The clock `backoff` asks for and, without a give-up time, never depends on: it stands still.
#[derive(Clone, Copy, Debug)]
struct FixedClock(Instant);

impl Clock for FixedClock {
    fn now(&self) -> Instant {
        self.0
    }
}

/// Makes the generator of one task; reproducible if the policy has a seed.
fn generator(seed: Option<u64>, task_seed: u64) -> fastrand::Rng {
    match seed {
        Some(seed) => fastrand::Rng::with_seed(mixed(seed, task_seed)),
        None => fastrand::Rng::new(),
    }
}

/// Mixes two seeds (SplitMix64's finisher), so that neighbouring ids get unrelated sequences.
fn mixed(seed: u64, task_seed: u64) -> u64 {
    let mut bits = seed ^ task_seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
