use crate::{
    policy::{BackoffPolicy, Jitter, RestartPolicy},
    task::TaskRules,
    web::time::short,
};

/// What happens to the task after each attempt, in a line.
pub(in crate::web) fn policy(rules: &TaskRules) -> String {
    let restart = match rules.restart {
        RestartPolicy::Never => return format!("never again; {}", timeout(rules)),
        RestartPolicy::OnFailure => "on failure".to_owned(),
        RestartPolicy::Always { interval } => format!("always, every {}", short(interval)),
    };
    let retries = match rules.max_retries {
        None => "unlimited retries".to_owned(),
        Some(0) => "no retries".to_owned(),
        Some(1) => "1 retry".to_owned(),
        Some(most) => format!("{most} retries"),
    };
    format!("{restart}; {}; {retries}; {}", backoff(&rules.backoff), timeout(rules))
}

fn backoff(policy: &BackoffPolicy) -> String {
    if policy.is_immediate() {
        return "at once".to_owned();
    }
    let first = short(policy.first());
    let spread = match jitter(policy) {
        "none" => "no jitter".to_owned(),
        kind => format!("{kind} jitter"),
    };
    if policy.factor() <= 1.0 {
        return format!("{first}, {spread}");
    }
    format!("{first} × {} up to {}, {spread}", policy.factor(), short(policy.max()))
}

fn timeout(rules: &TaskRules) -> String {
    rules.timeout.map_or_else(|| "no timeout".to_owned(), |time| format!("timeout {}", short(time)))
}

pub(super) fn jitter(policy: &BackoffPolicy) -> &'static str {
    match policy.jitter_kind() {
        Jitter::None => "none",
        Jitter::Full => "full",
        Jitter::Equal => "equal",
        Jitter::Decorrelated => "decorrelated",
    }
}
