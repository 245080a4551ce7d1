use std::time::Duration;

use super::{Attention, Row, Seen, Selection, StateTerm, needs, page, parse, selects};
use crate::{
    cell::{TaskPhase, TaskStatus},
    id::{TaskId, TaskRef},
    task::{CancelCause, Failure, TaskOutcome},
};

fn status(id: u64, name: &str, phase: TaskPhase) -> TaskStatus {
    TaskStatus {
        task: TaskRef::new(TaskId::from_number(id).expect("above zero"), name.into()),
        slot: None,
        position: None,
        phase,
        is_paused: false,
        is_required: false,
        is_up: true,
        in_phase_for: Duration::ZERO,
        age: Duration::ZERO,
        attempt: 1,
        restarts: 0,
        streak: 0,
        last_failure: None,
        next_attempt_in: None,
        uptime: None,
        cancel_cause: None,
        stopping_for: None,
        outcome: None,
        is_removed: false,
        worker: Some(0),
        is_polling: false,
        is_responding: true,
    }
}

fn row(id: u64, name: &str, phase: TaskPhase) -> Row {
    Row { status: status(id, name, phase), attention: Vec::new(), cell: None }
}

fn ended(id: u64, name: &str, outcome: TaskOutcome) -> Row {
    let status = TaskStatus {
        outcome: Some(outcome),
        is_removed: true,
        ..status(id, name, TaskPhase::Ended)
    };
    Row { status, attention: Vec::new(), cell: None }
}

fn chosen(query: &str, rows: &[Row]) -> Vec<u64> {
    let selection = parse(query).expect("makes sense");
    page(rows.to_vec(), &selection).rows.iter().map(Row::id).collect()
}

#[test]
fn a_query_that_makes_no_sense_says_what_to_write_instead() {
    let table = [
        ("state=runing", "backing_off"),
        ("state=running,,failed", "there is no state"),
        ("sort=nam", "in_phase"),
        ("sort=--name", "sort key"),
        ("page=0", "from 1"),
        ("per_page=501", "1 to 500"),
        ("per_page=x", "1 to 500"),
        ("colour=red", "per_page"),
        ("page=1&page=2", "twice"),
    ];
    for (query, part) in table {
        let error = parse(query).expect_err(query);
        assert!(error.contains(part), "{query}: {error}");
    }
    let long = format!("text={}", "x".repeat(201));
    assert!(parse(&long).is_err());
}

#[test]
fn the_forms_empty_fields_mean_the_defaults() {
    assert_eq!(parse("state=&text=&slot=&sort=&page=&per_page="), Ok(Selection::default()));
    assert_eq!(parse(""), Ok(Selection::default()));
    let states = parse("state=running%2C+attention").expect("makes sense").states;
    assert_eq!(states, [StateTerm::Phase("running"), StateTerm::AnyAttention]);
}

#[test]
fn rows_are_chosen_by_state_text_slot_and_id() {
    let failure = Failure::timed_out(Duration::from_secs(1));
    let mut rows = vec![
        row(1, "Alpha", TaskPhase::Running),
        row(2, "beta", TaskPhase::BackingOff),
        ended(3, "gamma", TaskOutcome::Completed),
        ended(4, "delta#7", TaskOutcome::Failed(failure.clone())),
        row(7, "Österreich", TaskPhase::Running),
    ];
    rows[1].status.slot = Some("tenant".into());
    rows[1].status.last_failure = Some(failure.clone());
    rows[3].attention = vec![Attention::Failed];
    let text = failure.text().split(' ').next().expect("has words").to_uppercase();
    let table: [(&str, &[u64]); 12] = [
        ("sort=id", &[1, 2, 7]),
        ("sort=id&state=all", &[1, 2, 3, 4, 7]),
        ("sort=id&state=running", &[1, 7]),
        ("sort=id&state=ended", &[3, 4]),
        ("sort=id&state=completed,between_runs", &[2, 3]),
        ("state=failed", &[4]),
        ("state=failed_for_good", &[4]),
        ("state=lost", &[]),
        ("slot=tenant", &[2]),
        ("text=%23", &[]),
        ("state=all&sort=id&text=%237", &[4, 7]),
        ("text=%C3%96STER", &[7]),
    ];
    for (query, expected) in table {
        assert_eq!(chosen(query, &rows), expected, "{query}");
    }
    assert_eq!(chosen(&format!("text={text}"), &rows), [2]);
}

#[test]
fn what_needs_attention_comes_first_and_then_the_names() {
    let mut rows = vec![
        row(1, "b", TaskPhase::Running),
        row(2, "a", TaskPhase::Running),
        row(3, "z", TaskPhase::BackingOff),
        row(4, "y", TaskPhase::Stopping),
    ];
    rows[2].attention = vec![Attention::LongBackoff];
    rows[3].attention = vec![Attention::StuckStopping];
    rows[0].status.next_attempt_in = Some(Duration::from_secs(2));
    rows[1].status.next_attempt_in = Some(Duration::from_secs(1));
    assert_eq!(chosen("", &rows), [4, 3, 2, 1]);
    assert_eq!(chosen("sort=-name", &rows), [3, 4, 1, 2]);
    assert_eq!(chosen("sort=next", &rows), [2, 1, 4, 3]);
    assert_eq!(chosen("sort=-next", &rows), [1, 2, 4, 3]);
    assert_eq!(chosen("sort=id&per_page=3&page=2", &rows), [4]);
    assert!(chosen("sort=id&per_page=3&page=9", &rows).is_empty());
}

#[test]
fn an_empty_list_has_one_page() {
    let page = page(Vec::new(), &Selection::default());
    assert_eq!((page.total, page.pages, page.rows.len()), (0, 1, 0));
    assert!(selects(&Selection::default(), &row(1, "a", TaskPhase::Running)));
}

#[test]
fn each_trouble_is_seen_and_what_is_well_is_not() {
    let seen = Seen {
        grace: Duration::from_secs(30),
        is_superseded: false,
        is_required: false,
        is_up: true,
        long_backoff: Duration::from_secs(60),
    };
    let secs = Duration::from_secs;
    let forced = TaskOutcome::ForceAborted { cause: CancelCause::User };
    let backing = |streak, past, next| TaskStatus {
        streak,
        in_phase_for: secs(past),
        next_attempt_in: Some(secs(next)),
        ..status(1, "a", TaskPhase::BackingOff)
    };
    let stopping =
        |time| TaskStatus { stopping_for: Some(secs(time)), ..status(1, "a", TaskPhase::Stopping) };
    let polling = |is_responding| TaskStatus {
        is_polling: true,
        is_responding,
        ..status(1, "a", TaskPhase::Running)
    };
    let old = Seen { is_superseded: true, ..seen };
    let down = Seen { is_required: true, is_up: false, ..seen };
    let stuck = TaskStatus { outcome: Some(forced.clone()), ..status(1, "a", TaskPhase::Ended) };
    let table: Vec<(TaskStatus, Seen, &[Attention])> = vec![
        (status(1, "a", TaskPhase::Running), seen, &[]),
        (status(1, "a", TaskPhase::Waiting), down, &[Attention::NotReady]),
        (ended(1, "a", TaskOutcome::Lost).status, seen, &[Attention::Failed]),
        (ended(1, "a", TaskOutcome::Lost).status, old, &[]),
        (ended(1, "a", TaskOutcome::Completed).status, seen, &[]),
        (stuck, seen, &[Attention::Failed, Attention::StuckStopping]),
        (backing(1, 1, 5), seen, &[]),
        (backing(5, 0, 1), seen, &[Attention::LongBackoff]),
        (backing(1, 50, 10), seen, &[Attention::LongBackoff]),
        (backing(0, 50, 100), seen, &[]),
        (stopping(29), seen, &[]),
        (stopping(31), seen, &[Attention::StuckStopping]),
        (polling(true), seen, &[]),
        (polling(false), seen, &[Attention::NotResponding]),
    ];
    for (status, seen, expected) in table {
        assert_eq!(needs(&status, seen), expected, "{status:?}");
    }
}
