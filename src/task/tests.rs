//! How settings become rules.

use std::{sync::Arc, time::Duration};

use super::{Failure, Rulebook, TaskError, TaskRules, TaskSpec};
use crate::RestartPolicy;

fn spec() -> TaskSpec {
    TaskSpec::new("task", async |_ctx| Ok(()))
}

fn book() -> (Arc<TaskRules>, Rulebook) {
    let defaults = Arc::new(TaskRules::with_grace(Duration::from_secs(7)));
    (Arc::clone(&defaults), Rulebook::new(defaults))
}

#[test]
fn a_spec_that_says_nothing_has_the_rules_of_all() {
    let (defaults, mut book) = book();
    assert!(Arc::ptr_eq(&book.of(&spec()), &defaults));
    book.of(&spec().max_retries(3));
    assert!(Arc::ptr_eq(&book.of(&spec()), &defaults));
}

#[test]
fn equal_specs_one_after_another_share_their_rules_and_others_do_not() {
    let (_, mut book) = book();
    let patient = || spec().timeout(Duration::from_secs(1)).restart(RestartPolicy::Never);
    let first = book.of(&patient());
    assert!(Arc::ptr_eq(&book.of(&patient()), &first));
    let other = book.of(&patient().restart(RestartPolicy::OnFailure));
    assert_eq!((other.restart, other.timeout), (RestartPolicy::OnFailure, first.timeout));
    let again = book.of(&patient());
    assert!(!Arc::ptr_eq(&again, &first));
    assert_eq!(again, first);
}

#[test]
fn what_a_spec_says_stands_in_whatever_order_it_was_said() {
    let grace = Duration::from_secs(2);
    let one = spec().restart(RestartPolicy::Never).grace(grace).settings();
    let other = spec().grace(grace).restart(RestartPolicy::Never).settings();
    assert_eq!(one, other);
    assert_eq!((one.restart, one.grace), (Some(RestartPolicy::Never), Some(grace)));
}

#[test]
fn failures_are_alike_where_nobody_can_tell_them_apart() {
    let failed = || TaskError::failed("no answer");
    let of_an_error = || TaskError::from("no answer").into_failure();
    let failure = failed().into_failure();
    assert!(failure.is_like(&failed().into_failure()));
    assert!(Failure::lost().is_like(&Failure::lost()));
    let others = [
        TaskError::failed("no").into_failure(),
        failed().with_exit_code(1).into_failure(),
        Failure::panicked("no answer".to_owned()),
        of_an_error(),
    ];
    for other in &others {
        assert!(!failure.is_like(other) && !other.is_like(&failure), "{other:?}");
    }
    // Each has a value of its own inside.
    assert!(!of_an_error().is_like(&of_an_error()));
    let long = || TaskError::failed("no".repeat(1_000)).into_failure();
    assert!(!long().is_like(&long()));
}
