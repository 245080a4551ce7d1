//! Pure decisions: what follows the end of an attempt, and after which delay.
//!
//! Nothing here knows an actor, a mailbox or the time. What is needed from outside (how the attempt
//! ended, whether it was healthy, a random number) is an argument; the answer is plain data. The one
//! piece with a memory is `Delays`, which each task keeps between its failures.
//!
//! # Policy and ending
//!
//! `restart::decide` answers for an attempt that nobody had asked to stop:
//!
//! | attempt ended with      | `Never`     | `OnFailure`                              | `Always`                |
//! |-------------------------|-------------|------------------------------------------|-------------------------|
//! | `Ok`                    | completed   | completed                                | next run after interval |
//! | failure, timeout, panic | failed      | retry, or failed when the streak is spent | same as `OnFailure`     |
//! | fatal                   | fatal       | fatal                                    | fatal                   |
//! | canceled                | canceled    | canceled                                 | canceled                |
//!
//! # Streak
//!
//! The streak is the number of failures in a row. After a failing attempt it is 1 if that attempt was
//! healthy (it stayed up long enough to count as a fresh start), else one more than before. A success
//! sets it to 0; a cancel leaves it alone. The task is retried while `streak <= max_retries`, and the
//! retry's index, which picks the delay, is `streak - 1`.
//!
//! # Delay
//!
//! For index k: `min(max, first · factor^k)`, spread by the [`Jitter`], then brought into
//! `[1 ms, max]`. A delay a task asks for itself (`retry_after`) is taken exactly, within
//! `[1 ms, cap]`.
//!
//! # Invariants
//!
//! - **I1** A delay is at least 1 ms, whatever the policy, jitter or request. The one exception is
//!   [`BackoffPolicy::immediate`], whose delay is always zero.
//! - **I2** A backoff delay is at most the policy's `max`, jitter included.
//! - **I3** An attempt that timed out is never healthy.
//! - **I4** No function here panics, for any duration, index, streak or random number.
//!
//! # What it does not promise
//!
//! - It does not measure anything: the caller says what was healthy, and when a delay begins.
//! - It never gives up by itself: only `max_retries` ends a streak, no elapsed time does.
//! - It does not check that `immediate()` comes with a finite `max_retries`; adding the task does.
//! - Jitter is for spreading load. It is not a source of secrets.

mod backoff;
mod jitter;
mod restart;

pub use self::backoff::{BackoffError, BackoffPolicy};
pub use self::jitter::Jitter;
pub use self::restart::RestartPolicy;

pub(crate) use self::backoff::{DELAY_FLOOR, Delays, retry_after};
pub(crate) use self::restart::{Decision, Ending, Finish, Next, decide};

#[cfg(test)]
mod tests;
