//! Times as replies have them. Pure.

use std::time::{Duration, SystemTime};

/// RFC 3339 in UTC with milliseconds.
pub(in crate::web) fn moment(at: SystemTime) -> String {
    // Before 1970 or after 9999 there is nothing to be shown; `humantime` would panic.
    let latest = Duration::from_secs(253_402_300_799);
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().min(latest);
    humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + since).to_string()
}

/// What the server's clock shows.
pub(in crate::web) fn now() -> String {
    moment(SystemTime::now())
}

/// What the server's clock showed so long ago.
pub(in crate::web) fn ago(past: Duration) -> String {
    moment(SystemTime::now().checked_sub(past).unwrap_or(SystemTime::UNIX_EPOCH))
}

/// Whole milliseconds.
pub(in crate::web) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Short, for people: `12 ms`, `3.4 s`, `5 min`, `2 h`, `9 d`.
pub(in crate::web) fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..10 if duration.subsec_millis() >= 50 => format!("{:.1} s", duration.as_secs_f64()),
        1..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
