//! Single-flight: those who join a run share its end, whatever that is, and run nothing themselves.

mod common;
#[path = "common/slots.rs"]
mod kit;

use std::sync::Arc;

use actix_taskvisor::{messages::CancelTask, prelude::*};
use common::*;
use kit::*;
use tokio::time::{pause, sleep};

fn join(spec: TaskSpec) -> Submission {
    for_k(spec, WhenBusy::Attach)
}

fn queue(spec: TaskSpec) -> Submission {
    for_k(spec, WhenBusy::Queue)
}

/// Asks a task to stop, and does not wait.
async fn ask_to_stop(supervisor: &SupervisorHandle, task: &SubmissionHandle) {
    let asked = supervisor.addr().send(CancelTask::new(task)).await;
    assert!(asked.expect("it is alive").expect("it is there").asked_by_this_call());
}

/// A run of a while with this end.
fn ends(end: fn() -> TaskResult) -> TaskSpec {
    TaskSpec::new("run", async move |_| {
        sleep(ms(10)).await;
        end()
    })
}

fn told(outcome: &TaskOutcome) -> String {
    format!("{outcome:?}")
}

// --- what is shared -----------------------------------------------------------------------------

#[actix::test]
async fn those_who_join_a_run_share_whatever_it_ends_with() {
    pause();
    let cases: [(TaskSpec, &str); 6] = [
        (ends(|| Ok(())), "Completed"),
        (ends(|| Err(TaskError::failed("no route").with_exit_code(3))), "no route"),
        (ends(|| Err(TaskError::fatal("wrong password"))), "Fatal"),
        (ends(|| panic!("out of bounds")), "out of bounds"),
        (ends(|| Err(TaskError::canceled())), "Itself"),
        (deaf("run").timeout(ms(10)), "timed out after 10ms"),
    ];
    for (spec, expected) in cases {
        let supervisor = current();
        let run = submit(&supervisor, queue(spec.max_retries(0))).await;
        let one = submit(&supervisor, join(quick("run"))).await;
        let two = submit(&supervisor, join(quick("other"))).await;
        assert_eq!(one.admission(), Admission::Attached { to: run.id() });
        assert_eq!(two.admission(), Admission::Attached { to: run.id() });
        let outcome = within("the run", run.outcome()).await;
        assert!(told(&outcome).contains(expected), "{outcome}");
        for follower in [one, two] {
            let shared = within("the same", follower.outcome()).await;
            assert_eq!(told(&shared), told(&outcome));
            let seen = follower.status();
            assert_eq!((seen.phase, seen.attempt), (TaskPhase::Ended, 0));
            let last = (seen.last_failure, outcome.failure());
            assert_eq!(last.0.map(|it| it.to_string()), last.1.map(|it| it.to_string()));
        }
    }
}

#[actix::test]
async fn those_who_join_a_run_share_the_end_that_somebody_else_brings_about() {
    pause();
    // Canceled, replaced, and both for one that does not listen.
    for (listens, replaces) in [(true, false), (true, true), (false, false), (false, true)] {
        let supervisor = current();
        let spec = if listens { idle("run") } else { deaf("run").grace(secs(1)) };
        let run = submit(&supervisor, queue(spec)).await;
        let follower = submit(&supervisor, join(quick("run"))).await;
        sleep(ms(1)).await;
        if replaces {
            submit(&supervisor, for_k(quick("new"), WhenBusy::Replace)).await;
        } else {
            within("the end", run.cancel()).await.unwrap();
        }
        let cause = if replaces { CancelCause::Replaced } else { CancelCause::User };
        let expected = match listens {
            true => TaskOutcome::Canceled { cause, failure: None },
            false => TaskOutcome::ForceAborted { cause },
        };
        assert_eq!(told(&within("the share", follower.outcome()).await), told(&expected));
    }
}

#[actix::test]
async fn a_run_that_is_tried_again_is_shared_to_its_last_attempt() {
    pause();
    let supervisor = current();
    let mut attempts = 0;
    let flaky = TaskSpec::new("run", async move |_| {
        attempts += 1;
        sleep(secs(1)).await;
        if attempts < 3 { Err("not yet".into()) } else { Ok(()) }
    });
    let run = submit(&supervisor, queue(flaky.backoff(every(secs(10))))).await;
    sleep(secs(5)).await;
    assert_eq!(run.status().phase, TaskPhase::BackingOff);
    let late = submit(&supervisor, join(quick("run"))).await;
    assert_eq!(late.admission(), Admission::Attached { to: run.id() });
    assert!(tokio::time::timeout(secs(10), late.outcome()).await.is_err(), "not before its end");
    assert!(within("the third attempt", late.outcome()).await.is_success());
    assert_eq!(run.status().attempt, 3);
}

#[actix::test]
async fn a_thousand_join_one_run_and_none_of_their_own_is_made() {
    pause();
    let supervisor = current_with(|builder| builder.max_tasks(1).max_queued(0));
    let (made, own) = (Counter::default(), Counter::default());
    let kept = Arc::new(());
    let (spec, release) = held("refresh");
    let run = submit(&supervisor, queue(spec)).await;
    let mut followers = Vec::new();
    for _ in 0..1000 {
        let kept = Arc::clone(&kept);
        let spec = TaskSpec::once("refresh", async move |_| {
            let _kept = Arc::clone(&kept);
            Ok(())
        });
        followers.push(submit(&supervisor, join(spec)).await);
        submit(&supervisor, join(counted("refresh", &own))).await;
    }
    sleep(ms(1)).await;
    assert_eq!(Arc::strong_count(&kept), 1, "what will not run is let go");
    assert_eq!(k(&supervisor).await.attached, 1000, "those whom somebody can ask");
    let listed: Vec<_> = supervisor.list().await.unwrap().iter().map(|s| s.task.id()).collect();
    assert_eq!(listed, [run.id()], "they are no members and count for no limit");
    drop(release);
    within("the run", supervisor.wait_until_empty()).await;
    for follower in &followers {
        assert!(within("a share", follower.outcome()).await.is_success());
    }
    assert_eq!((made.get(), own.get()), (0, 0));
    assert!(supervisor.slots().await.unwrap().is_empty());
}

#[actix::test]
async fn after_the_end_of_a_run_the_next_one_is_a_run_of_its_own() {
    pause();
    let (supervisor, made) = (current(), Counter::default());
    for number in 1..=20 {
        let run = submit(&supervisor, join(counted("run", &made))).await;
        assert_eq!(run.admission(), Admission::Started);
        assert!(within("its end", run.outcome()).await.is_success());
        assert_eq!(made.get(), number);
    }
}

// --- whom it joins ------------------------------------------------------------------------------

#[actix::test]
async fn a_namesake_is_joined_wherever_it_is_else_the_oldest_owner_of_a_full_slot() {
    pause();
    let supervisor = current();
    let mut releases = Vec::new();
    let mut there = Vec::new();
    for (name, policy) in [
        ("a", WhenBusy::Queue),
        ("b", WhenBusy::Queue),
        ("displaced", WhenBusy::Queue),
        ("queued", WhenBusy::Queue),
        ("head", WhenBusy::Replace),
        ("late", WhenBusy::Debounce { quiet: secs(5), max_wait: secs(5) }),
        ("b", WhenBusy::Queue),
    ] {
        let (spec, release) = held(name);
        releases.push(release);
        there.push(submit(&supervisor, for_k(spec, policy).concurrency(2)).await);
    }
    // `a` was asked to stop, so it is not joined, and `b` is the oldest owner who goes on.
    let expected = [("b", 1), ("queued", 3), ("head", 4), ("late", 5), ("x", 1), ("a", 1)];
    for (name, to) in expected {
        let follower = submit(&supervisor, join(quick(name))).await;
        assert_eq!(follower.admission(), Admission::Attached { to: there[to].id() }, "{name}");
        let seen = status(&supervisor, &follower).await;
        assert_eq!((seen.phase, seen.position), (TaskPhase::Attached, None), "{name}");
    }
    assert_eq!(k(&supervisor).await.attached, 0, "nobody kept a handle");
}

#[actix::test]
async fn where_there_is_room_only_a_namesake_is_joined() {
    pause();
    let supervisor = current();
    let debounce = WhenBusy::Debounce { quiet: secs(1), max_wait: secs(1) };
    let late = submit(&supervisor, for_k(idle("late"), debounce).concurrency(3)).await;
    let same = submit(&supervisor, join(quick("late"))).await;
    assert_eq!(same.admission(), Admission::Attached { to: late.id() });
    let other = submit(&supervisor, join(idle("other"))).await;
    let third = submit(&supervisor, join(idle("third"))).await;
    assert_eq!((other.admission(), third.admission()), (Admission::Started, Admission::Started));
    let again = submit(&supervisor, join(quick("third"))).await;
    assert_eq!(again.admission(), Admission::Attached { to: third.id() });
    let fourth = submit(&supervisor, join(idle("fourth"))).await;
    assert_eq!(fourth.admission(), Admission::Started);
    let anybody = submit(&supervisor, join(quick("anybody"))).await;
    assert_eq!(anybody.admission(), Admission::Attached { to: other.id() }, "the oldest owner");
    assert!(same.status().outcome.is_none());
    within("the late one", late.cancel()).await.unwrap();
    assert_eq!(within("its share", same.outcome()).await.label(), "canceled");
}

#[actix::test]
async fn an_owner_that_was_asked_to_stop_is_not_joined() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let (spec, release) = held("run");
    let run = submit(&supervisor, queue(spec)).await;
    sleep(ms(1)).await;
    ask_to_stop(&supervisor, &run).await;
    let fresh = submit(&supervisor, join(diary.lasting("run", ms(5)))).await;
    let second = submit(&supervisor, join(diary.lasting("run", ms(5)))).await;
    let third = submit(&supervisor, join(diary.lasting("other", ms(5)))).await;
    assert_eq!(fresh.admission(), Admission::Queued { position: 1 });
    assert_eq!(second.admission(), Admission::Attached { to: fresh.id() });
    assert_eq!(third.admission(), Admission::Attached { to: fresh.id() }, "the next in line");
    drop(release);
    for share in [&fresh, &second, &third] {
        assert!(within("the fresh run", share.outcome()).await.is_success());
    }
    assert_eq!(run.outcome().await.label(), "canceled");
    assert_eq!(diary.names(), ["run"], "once");
}

#[actix::test]
async fn who_comes_after_a_replace_joins_the_replacement() {
    pause();
    let supervisor = current();
    let (spec, release) = held("old");
    submit(&supervisor, queue(spec)).await;
    let new = submit(&supervisor, for_k(quick("new"), WhenBusy::Replace)).await;
    let follower = submit(&supervisor, join(quick("anybody"))).await;
    assert_eq!(follower.admission(), Admission::Attached { to: new.id() });
    drop(release);
    assert!(within("the replacement", follower.outcome()).await.is_success());
}

// --- those who wait, and are followed -----------------------------------------------------------

#[actix::test]
async fn who_follows_one_that_never_runs_is_told_why() {
    pause();
    for end in ["canceled", "superseded", "queue_timeout", "shutting_down", "already_exists"] {
        let supervisor = current();
        let (spec, release) = held("run");
        submit(&supervisor, queue(spec)).await;
        let followed = submit(&supervisor, queue(quick("next")).max_wait(secs(60))).await;
        let follower = submit(&supervisor, join(quick("next"))).await;
        assert_eq!(follower.admission(), Admission::Attached { to: followed.id() });
        match end {
            "canceled" => drop(followed.cancel().await.unwrap()),
            "superseded" => {
                submit(&supervisor, for_k(quick("new"), WhenBusy::Replace)).await;
            }
            "queue_timeout" => sleep(secs(61)).await,
            "already_exists" => {
                supervisor.add(idle("next")).await.unwrap();
                drop(release);
            }
            _ => {
                supervisor.addr().do_send(actix_taskvisor::messages::ShutDown::default());
            }
        }
        let outcome = within("its end", follower.outcome()).await;
        assert_eq!(told(&outcome), told(&followed.outcome().await));
        let label = match outcome {
            TaskOutcome::Rejected { kind } => kind.label(),
            other => other.label(),
        };
        assert_eq!(label, end);
    }
}

#[actix::test]
async fn a_follower_of_one_that_waits_goes_with_it_into_its_run() {
    pause();
    let supervisor = current();
    let (first, release) = held("first");
    let (second, end) = held("second");
    submit(&supervisor, queue(first)).await;
    let followed = submit(&supervisor, queue(second)).await;
    let follower = submit(&supervisor, join(quick("second"))).await;
    drop(release);
    sleep(ms(10)).await;
    assert_eq!(followed.status().phase, TaskPhase::Running);
    assert_eq!(status(&supervisor, &follower).await.phase, TaskPhase::Attached);
    let slot = k(&supervisor).await;
    assert_eq!((slot.owners[0].task.id(), slot.attached), (followed.id(), 1));
    drop(end);
    assert!(within("its end", follower.outcome()).await.is_success());
}

// --- a follower's own life ----------------------------------------------------------------------

#[actix::test]
async fn a_follower_that_is_canceled_gives_up_its_share_and_the_run_goes_on() {
    pause();
    let supervisor = current();
    let (spec, release) = held("run");
    let run = submit(&supervisor, queue(spec)).await;
    let by_handle = submit(&supervisor, join(quick("run"))).await;
    let by_id = submit(&supervisor, join(quick("run"))).await;
    let stays = submit(&supervisor, join(quick("run"))).await;
    let one = within("at once", by_handle.cancel()).await.unwrap();
    let two = within("at once", supervisor.cancel(by_id.id())).await.unwrap();
    let canceled = TaskOutcome::Canceled { cause: CancelCause::User, failure: None };
    for reply in [one, two] {
        assert!(reply.asked_by_this_call);
        let CancelEnd::Physical(outcome) = reply.end else { panic!("{reply:?}") };
        assert_eq!(told(&outcome), told(&canceled));
    }
    assert_eq!(told(&by_handle.outcome().await), told(&canceled));
    assert_eq!(by_handle.status().cancel_cause, Some(CancelCause::User));
    let again = within("at once", by_handle.cancel()).await.unwrap();
    assert!(!again.asked_by_this_call);
    assert_eq!((run.status().cancel_cause, k(&supervisor).await.attached), (None, 1));
    drop(release);
    assert!(within("the run", run.outcome()).await.is_success());
    assert!(within("the other share", stays.outcome()).await.is_success());
    assert_eq!(told(&by_id.outcome().await), told(&canceled), "the first outcome stands");
}

#[actix::test]
async fn a_follower_is_known_by_its_id_and_never_by_its_name() {
    pause();
    let supervisor = current();
    let (spec, release) = held("run");
    let run = submit(&supervisor, queue(spec)).await;
    let follower = submit(&supervisor, join(quick("follower"))).await;
    let seen = status(&supervisor, follower.id()).await;
    assert_eq!((seen.task.name(), seen.slot.as_deref()), ("follower", Some("k")));
    assert_eq!((seen.phase, seen.attempt, seen.worker), (TaskPhase::Attached, 0, None));
    assert!(seen.outcome.is_none() && seen.uptime.is_none() && seen.stopping_for.is_none());
    assert!(!follower.task().addr().connected());
    assert!(supervisor.find("follower").await.unwrap().is_none());
    assert!(supervisor.status("follower").await.unwrap().is_none());
    let error = supervisor.cancel("follower").await.expect_err("nobody has that name");
    assert!(matches!(error, StopError::NotFound { .. }));
    assert_eq!(supervisor.find("run").await.unwrap().expect("it runs").id(), run.id());
    assert!(supervisor.contains(run.id()).await.unwrap());
    assert!(!supervisor.contains(follower.id()).await.unwrap(), "it is no member");
    drop(release);
    assert!(within("its end", follower.outcome()).await.is_success());
}

#[actix::test]
async fn a_share_does_not_need_the_handle_of_the_run_nor_its_own() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    drop(submit(&supervisor, queue(diary.lasting("run", secs(1)))).await);
    let follower = submit(&supervisor, join(quick("run"))).await;
    let (outcome, task) = (follower.outcome(), follower.task().clone());
    let clone = follower.clone();
    drop(follower);
    sleep(ms(1)).await;
    assert_eq!(k(&supervisor).await.attached, 1);
    assert!(within("the run", outcome).await.is_success());
    assert!(within("the run", clone.outcome()).await.is_success());
    assert!(within("the run", task.outcome()).await.is_success());
}

#[actix::test]
async fn a_followers_end_is_known_as_long_as_its_handle() {
    pause();
    let supervisor = current_with(|builder| builder.outcome_history(0));
    let (spec, release) = held("run");
    submit(&supervisor, queue(spec)).await;
    let follower = submit(&supervisor, join(quick("run"))).await;
    let removed = tokio::time::timeout(secs(5), follower.removed()).await;
    assert!(removed.is_err(), "not before the run is over");
    drop(release);
    assert!(within("the run", follower.removed()).await.is_success());
    assert!(within("the supervisor", supervisor.shutdown()).await.is_clean());
    sleep(secs(1000)).await;
    let seen = follower.status();
    assert!(follower.outcome().await.is_success() && follower.removed().await.is_success());
    assert_eq!((seen.phase, seen.is_removed), (TaskPhase::Ended, true));
    assert!(seen.outcome.is_some_and(|outcome| outcome.is_success()));
    let reply = within("at once", follower.cancel()).await.expect("its cell knows");
    assert!(!reply.asked_by_this_call && reply.outcome().is_some_and(TaskOutcome::is_success));
}

// --- the displaced who follow -------------------------------------------------------------------

#[actix::test]
async fn one_who_waited_and_follows_now_is_a_follower_in_every_way() {
    pause();
    let supervisor = current();
    let debounce = WhenBusy::Debounce { quiet: secs(5), max_wait: secs(60) };
    let older = submit(&supervisor, for_k(quick("older"), debounce)).await;
    let its_own = submit(&supervisor, join(quick("older"))).await;
    let other = submit(&supervisor, for_k(quick("other"), debounce).attach_displaced()).await;
    let newest = submit(&supervisor, for_k(idle("newest"), debounce).attach_displaced()).await;
    for follower in [&older, &its_own, &other] {
        let seen = status(&supervisor, follower.id()).await;
        assert_eq!((seen.phase, seen.position), (TaskPhase::Attached, None), "{follower:?}");
        assert_eq!(seen.next_attempt_in, None, "it waits for nothing of its own");
        assert!(seen.outcome.is_none());
        assert!(!supervisor.contains(follower.id()).await.unwrap());
    }
    assert!(supervisor.find("older").await.unwrap().is_none());
    // By name there is nothing to stop, and nothing to wait for.
    let by_name = tokio::time::timeout(secs(1), supervisor.cancel("older")).await;
    let by_name = by_name.expect("answered at once");
    assert!(matches!(by_name, Err(StopError::NotFound { .. })), "{by_name:?}");
    let listed: Vec<_> = supervisor.list().await.unwrap().iter().map(|s| s.task.id()).collect();
    assert_eq!(listed, [newest.id()]);
    let slot = k(&supervisor).await;
    assert_eq!((slot.queue.len(), slot.attached), (1, 3));
    let reply = within("at once", other.cancel()).await.unwrap();
    assert!(reply.asked_by_this_call);
    assert!(newest.status().cancel_cause.is_none());
    within("the newest", newest.cancel()).await.unwrap();
    for follower in [&older, &its_own] {
        let outcome = within("its share", follower.removed()).await;
        assert!(matches!(outcome, TaskOutcome::Canceled { cause: CancelCause::User, .. }));
    }
    assert!(supervisor.is_empty().await.unwrap() && supervisor.slots().await.unwrap().is_empty());
}

#[actix::test]
async fn a_displaced_replacement_shares_the_run_of_the_newer_one_if_that_says_so() {
    pause();
    let (supervisor, made) = (current(), Counter::default());
    let (spec, release) = held("owner");
    submit(&supervisor, queue(spec)).await;
    let mut displaced = vec![submit(&supervisor, queue(counted("queued", &made))).await];
    let new = || for_k(counted("new", &made), WhenBusy::Replace).attach_displaced();
    displaced.push(submit(&supervisor, new()).await);
    let stays = submit(&supervisor, queue(counted("stays", &made))).await;
    let newest = submit(&supervisor, new()).await;
    assert_eq!(k(&supervisor).await.attached, 2);
    drop(release);
    for task in &displaced {
        assert!(within("the newest", task.outcome()).await.is_success());
        assert_eq!(task.status().attempt, 0);
    }
    assert!(newest.outcome().await.is_success());
    assert!(within("the one behind", stays.outcome()).await.is_success());
    assert_eq!(made.get(), 2);
}
