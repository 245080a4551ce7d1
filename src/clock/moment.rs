use std::time::Duration;

use tokio::time::Instant;

/// Thirty years.
const NEVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// The moment `delay` from `now`; `None`, which is never, beyond thirty years.
pub(crate) fn moment(now: Instant, delay: Duration) -> Option<Instant> {
    if delay > NEVER { None } else { now.checked_add(delay) }
}

/// The moment `delay` from `now`, but at most thirty years.
pub(crate) fn late(now: Instant, delay: Duration) -> Instant {
    now + delay.min(NEVER)
}
