//! The actor, with slots.

use super::*;

/// The names of those who wait, in the order in which they will start.
async fn line(supervisor: &SupervisorHandle, slot: &str) -> Vec<String> {
    let status = supervisor.slot(slot).await.unwrap();
    status.iter().flat_map(|slot| &slot.queue).map(|w| w.task.name().to_owned()).collect()
}

#[actix::test]
async fn after_a_panic_a_slots_queue_goes_on_in_its_order() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let (tape, _subscription) = Tape::of(&supervisor).await;
    let gate = Arc::default();
    let mut all =
        vec![supervisor.submit(in_slot(gated("owner", &gate), WhenBusy::Queue)).await.unwrap()];
    for (name, priority) in [("b", 0), ("c", 0), ("a", 1)] {
        let submission = in_slot(quick(name), WhenBusy::Queue).priority(priority);
        all.push(supervisor.submit(submission).await.unwrap());
    }
    panic_in(&supervisor);
    let last = supervisor.submit(in_slot(quick("d"), WhenBusy::Queue)).await.unwrap();
    assert_eq!(last.admission(), Admission::Queued { position: 4 });
    assert_eq!(line(&supervisor, "k").await, ["a", "b", "c", "d"]);
    all.push(last);
    gate.notify_one();
    panic_in(&supervisor);
    for submission in &all {
        let outcome = within("the outcome", submission.outcome()).await;
        assert!(outcome.is_success(), "{submission:?}: {outcome}");
    }
    nothing_is_left(&supervisor).await;
    supervisor.events_delivered().await.unwrap();
    let is_start = |(kind, _): &&(EventType, String)| *kind == EventType::TaskStarting;
    let started: Vec<_> =
        tape.lock().iter().filter(is_start).map(|(_, name)| name.clone()).collect();
    assert_eq!(started, ["owner", "a", "b", "c", "d"]);
    assert!(supervisor.shutdown().await.is_clean());
}

#[actix::test]
async fn a_submission_is_decided_in_its_turn_wherever_among_the_others_the_panic_comes() {
    tokio::time::pause();
    for place in 0..20 {
        let supervisor = current(|builder| builder);
        let mut submitting = Vec::new();
        for number in 0..20 {
            if number == place {
                panic_in(&supervisor);
            }
            let submission = in_slot(quick(&format!("task-{number}")), WhenBusy::Queue);
            submitting.push(supervisor.addr().send(SubmitTask(submission)));
        }
        let decided = within("the decisions", futures::future::join_all(submitting)).await;
        let all: Vec<_> = decided.into_iter().map(|decided| decided.unwrap().unwrap()).collect();
        for (position, submission) in all.iter().enumerate() {
            let expected = match position {
                0 => Admission::Started,
                position => Admission::Queued { position },
            };
            assert_eq!(submission.admission(), expected, "panic before {place}");
        }
        for submission in &all {
            assert!(within("the outcome", submission.outcome()).await.is_success());
        }
        nothing_is_left(&supervisor).await;
    }
}

#[actix::test]
async fn debounced_and_throttled_submissions_start_on_time_whatever_panics_meanwhile() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let began = Instant::now();
    let every = WhenBusy::Throttle { every: SECOND * 2 };
    let first = supervisor.submit(Submission::new(quick("first")).slot("t").when_busy(every)).await;
    within("the first", first.unwrap().removed()).await;
    let starts = Arc::<Mutex<Vec<(&str, Duration)>>>::default();
    let noted = |name: &'static str| {
        let starts = Arc::clone(&starts);
        TaskSpec::once(name, async move |_| {
            starts.lock().unwrap().push((name, began.elapsed()));
            Ok(())
        })
    };
    let debounced = in_slot(noted("debounced"), debounced(SECOND));
    let throttled = Submission::new(noted("throttled")).slot("t").when_busy(every);
    let debounced = supervisor.submit(debounced).await.unwrap();
    let throttled = supervisor.submit(throttled).await.unwrap();
    assert_eq!(throttled.admission().label(), "delayed");
    // The last panics come when nothing else will be sent that could wake the registry.
    for at in [500, 999, 1999] {
        tokio::time::sleep_until(began + ms(at)).await;
        assert_eq!(throttled.status().phase, TaskPhase::Delayed);
        panic_in(&supervisor);
    }
    for submission in [&debounced, &throttled] {
        assert!(within("the outcome", submission.outcome()).await.is_success());
    }
    let starts = starts.lock().unwrap().clone();
    let names: Vec<_> = starts.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["debounced", "throttled"]);
    for ((name, at), due) in starts.iter().zip([SECOND, SECOND * 2]) {
        assert!(*at >= due && *at <= due + ms(5), "{name} after {at:?}");
    }
    // The throttled start closed the slot, and a panic does not open it, nor keep it.
    tokio::time::sleep(SECOND).await;
    panic_in(&supervisor);
    let status = supervisor.slot("t").await.unwrap().unwrap();
    assert_eq!(status.state, SlotState::Cooling);
    tokio::time::sleep_until(began + ms(4010)).await;
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn a_wait_in_a_queue_is_over_on_time_whatever_panics_meanwhile() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let owner = supervisor.submit(in_slot(idle("owner"), WhenBusy::Queue)).await.unwrap();
    let began = Instant::now();
    let max_wait = ms(100);
    for policy in [WhenBusy::Queue, debounced(SECOND), WhenBusy::Throttle { every: SECOND }] {
        let began = Instant::now();
        let submission = in_slot(quick("waits"), policy).max_wait(max_wait);
        let waits = supervisor.submit(submission).await.unwrap();
        for at in [50, 99] {
            tokio::time::sleep_until(began + ms(at)).await;
            panic_in(&supervisor);
        }
        let outcome = within("the outcome", waits.removed()).await;
        let TaskOutcome::Rejected { kind } = outcome else {
            panic!("{policy}: {outcome}");
        };
        assert_eq!(kind, RejectionKind::QueueTimeout { max_wait }, "{policy}");
        let took = began.elapsed();
        assert!(took >= max_wait && took <= max_wait + ms(5), "{policy}: after {took:?}");
        // So that no three panics come within a second.
        tokio::time::sleep(SECOND).await;
    }
    assert!(began.elapsed() >= SECOND * 3);
    owner.cancel().await.unwrap();
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn those_who_wait_for_submissions_while_the_registry_panics_are_answered() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let gate = Arc::default();
    let owner = supervisor.submit(in_slot(gated("owner", &gate), WhenBusy::Queue)).await.unwrap();
    let shares = supervisor.submit(in_slot(quick("shares"), WhenBusy::Attach)).await.unwrap();
    let queued = supervisor.submit(in_slot(quick("queued"), WhenBusy::Queue)).await.unwrap();
    let same = supervisor.submit(in_slot(quick("queued"), WhenBusy::Attach)).await.unwrap();
    let canceled = supervisor.submit(in_slot(quick("canceled"), WhenBusy::Queue)).await.unwrap();
    assert_eq!(shares.admission(), Admission::Attached { to: owner.id() });
    assert_eq!(same.admission(), Admission::Attached { to: queued.id() });
    let waiting = async {
        let cancel = async {
            tokio::time::sleep(SECOND * 2).await;
            canceled.cancel().await.unwrap()
        };
        tokio::join!(owner.outcome(), shares.outcome(), queued.removed(), same.removed(), cancel)
    };
    let disturbing = async {
        for _ in 0..2 {
            tokio::time::sleep(ms(1)).await;
            panic_in(&supervisor);
        }
        // What goes on is told as if nothing had been.
        tokio::time::sleep(SECOND * 3).await;
        assert_eq!(line(&supervisor, "k").await, ["queued"]);
        gate.notify_one();
        panic_in(&supervisor);
    };
    let ends = async { tokio::join!(waiting, disturbing, supervisor.wait_until_empty()) };
    let ((owner, shares, queued, same, canceled), (), ()) = within("all of them", ends).await;
    assert!([owner, shares, queued, same].iter().all(TaskOutcome::is_success));
    assert!(canceled.asked_by_this_call);
    assert!(matches!(canceled.end, CancelEnd::Physical(TaskOutcome::Canceled { .. })));
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn a_replacement_starts_although_the_registry_panics_while_the_owner_stops() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let slow = TaskSpec::once("owner", async |ctx: TaskContext| {
        ctx.cancelled().await;
        tokio::time::sleep(SECOND).await;
        Ok(())
    });
    let owner = supervisor.submit(in_slot(slow, WhenBusy::Queue)).await.unwrap();
    tokio::time::sleep(ms(1)).await;
    let newer = supervisor.submit(in_slot(quick("newer"), WhenBusy::Replace)).await.unwrap();
    assert_eq!(newer.admission(), Admission::Replacing { owner: owner.id() });
    panic_in(&supervisor);
    tokio::time::sleep(ms(500)).await;
    panic_in(&supervisor);
    assert_eq!(supervisor.slot("k").await.unwrap().unwrap().state, SlotState::Stopping);
    assert_eq!(newer.status().phase, TaskPhase::Queued);
    let outcome = within("the owner", owner.removed()).await;
    assert!(matches!(outcome, TaskOutcome::Canceled { cause: CancelCause::Replaced, .. }));
    assert!(within("the newer one", newer.outcome()).await.is_success());
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn a_drain_of_the_slots_goes_on_after_a_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let gate = Arc::default();
    let submissions = [
        in_slot(gated("owner", &gate), WhenBusy::Queue),
        in_slot(quick("queued"), WhenBusy::Queue),
        in_slot(quick("debounced"), debounced(SECOND * 60)),
    ];
    let mut all = Vec::new();
    for submission in submissions {
        all.push(supervisor.submit(submission).await.unwrap());
    }
    let disturbing = async {
        tokio::time::sleep(ms(1)).await;
        panic_in(&supervisor);
        let refused = supervisor.submit(in_slot(quick("late"), WhenBusy::Queue)).await;
        let kind = refused.unwrap_err().kind();
        assert_eq!(kind, Some(RejectionKind::ShuttingDown));
        gate.notify_one();
        panic_in(&supervisor);
    };
    let ends = async { tokio::join!(supervisor.shutdown_after_queues(SECOND * 600), disturbing) };
    let (report, ()) = within("the report", ends).await;
    assert_eq!(report.cause, ShutdownCause::Requested);
    assert!(report.is_clean());
    for submission in all {
        assert!(within("the outcome", submission.outcome()).await.is_success());
    }
}
