//! The end of the supervisor.

use super::*;

/// A submission in each place that lasts, and what its outcome is if the supervisor ends.
async fn one_in_each_place(supervisor: &SupervisorHandle) -> Vec<(SubmissionHandle, &'static str)> {
    let throttle = WhenBusy::Throttle { every: SECOND * 60 };
    let to = |slot: &str, spec, when_busy| Submission::new(spec).slot(slot).when_busy(when_busy);
    let (mut all, runs) = (Vec::new(), Arc::<Notify>::default());
    for (submission, admission, end) in [
        (to("k", deaf("owner", &runs), WhenBusy::Queue), "started", "lost"),
        (to("k", quick("follows the owner"), WhenBusy::Attach), "attached", "lost"),
        (to("k", quick("queued"), WhenBusy::Queue), "queued", "rejected"),
        (to("k", quick("queued"), WhenBusy::Attach), "attached", "rejected"),
        (to("k", quick("was queued"), WhenBusy::Queue).priority(1), "queued", "rejected"),
        (to("k", quick("was queued"), WhenBusy::Attach), "attached", "rejected"),
        // From here on the last two follow this one.
        (to("k", idle("head"), WhenBusy::Replace).attach_displaced(), "replacing", "rejected"),
        (to("d", quick("debounced"), debounced(SECOND * 60)), "delayed", "rejected"),
        (to("d", quick("debounced"), WhenBusy::Attach), "attached", "rejected"),
        (to("t", idle("throttled owner"), throttle), "started", "lost"),
        (to("t", quick("throttled"), throttle), "delayed", "rejected"),
        (to("t", quick("times out"), WhenBusy::Queue).max_wait(SECOND * 60), "queued", "rejected"),
    ] {
        let name = submission.spec.name().to_owned();
        let submission = supervisor.submit(submission).await.unwrap();
        assert_eq!(submission.admission().label(), admission, "{name}");
        if all.is_empty() {
            within("the start", runs.notified()).await;
        }
        all.push((submission, end));
    }
    all
}

/// Each has its outcome, the same for whoever asks; the report names each member once, with it.
fn each_has_one_outcome(
    all: &[(SubmissionHandle, &'static str)],
    told: &[[TaskOutcome; 3]],
    report: &crate::ShutdownReport,
) {
    for ((submission, expected), told) in all.iter().zip(told) {
        for outcome in told {
            assert_eq!(outcome.label(), *expected, "{submission:?}");
        }
        if let TaskOutcome::Rejected { kind } = &told[0] {
            assert_eq!(*kind, RejectionKind::ShuttingDown, "{submission:?}");
        }
        let status = submission.status();
        assert_eq!(status.phase, TaskPhase::Ended);
        assert_eq!(status.outcome.map(|outcome| outcome.label()), Some(*expected));
        let in_report = report.ended.iter().filter(|(task, _)| task.id() == submission.id());
        let labels: Vec<_> = in_report.map(|(_, outcome)| outcome.label()).collect();
        let is_member = !["follows the owner", "was queued"].contains(&submission.task().name())
            && submission.admission().label() != "attached";
        let expected = if is_member { vec![*expected] } else { vec![] };
        assert_eq!(labels, expected, "{submission:?}");
    }
}

/// By those who asked early, twice, and by one who waits for the removal.
fn ends_of(
    all: &[(SubmissionHandle, &'static str)],
) -> impl Future<Output = Vec<[TaskOutcome; 3]>> + use<> {
    let all: Vec<_> = all.iter().map(|(submission, _)| submission.clone()).collect();
    futures::future::join_all(all.into_iter().map(async |submission| {
        let (first, second) = (submission.outcome(), submission.clone().outcome());
        <[TaskOutcome; 3]>::from(tokio::join!(first, second, submission.removed()))
    }))
}

/// A command over which the registry panics.
#[derive(Message)]
#[rtype(result = "()")]
struct Fatal;

impl Command for Fatal {
    fn decide(self, _: &mut Registry) {
        panic!("asked to, by a test");
    }
}

#[actix::test]
async fn a_command_that_makes_it_panic_gives_its_place_back() {
    tokio::time::pause();
    let supervisor = current(|builder| builder.command_capacity(1));
    let answer = within("the answer", supervisor.board().command(Fatal)).await;
    assert!(matches!(answer, Ok(None)));
    within("the answer", supervisor.add(idle("next"))).await.unwrap();
}

#[actix::test]
async fn while_it_goes_questions_are_told_that_it_shuts_down() {
    let supervisor = current(|builder| builder);
    supervisor.board().gate.close(); // as its drop begins
    let answer = within("the answer", supervisor.list()).await;
    assert!(matches!(answer, Err(QueryError::ShuttingDown)), "{answer:?}");
}

struct PanicsWhenWoken;

impl Wake for PanicsWhenWoken {
    fn wake(self: Arc<Self>) {
        panic!("a waker of a test");
    }
}

#[actix::test]
async fn a_waker_that_panics_keeps_nobody_else_waiting_for_room_when_it_ends() {
    tokio::time::pause();
    let supervisor = current(|builder| builder.command_capacity(1));
    (0..3).for_each(|_| panic_in(&supervisor));
    let mut has_room = Box::pin(supervisor.add(idle("has room")));
    assert!(has_room.as_mut().now_or_never().is_none());
    let waker = Waker::from(Arc::new(PanicsWhenWoken));
    let mut badly_polled = Box::pin(supervisor.add(idle("badly polled")));
    assert!(badly_polled.as_mut().poll(&mut PollContext::from_waker(&waker)).is_pending());
    let begin = Instant::now();
    for add in [Box::pin(supervisor.add(idle("waits behind it"))), badly_polled, has_room] {
        let answer = within("the answer", add).await;
        assert!(matches!(answer, Err(AddError::ShuttingDown { .. })), "{answer:?}");
    }
    assert!(begin.elapsed() < SECOND, "found by the look at the end of the time, not woken");
}

#[actix::test]
async fn whoever_waits_for_room_behind_a_command_that_nobody_opens_is_refused_and_has_its_spec_back()
 {
    tokio::time::pause();
    let supervisor = current(|builder| builder.command_capacity(1));
    (0..3).for_each(|_| panic_in(&supervisor));
    // The first has the only place and stands behind the panics, so that its place never comes back.
    let names = ["has room", "waits for it"];
    let begin = Instant::now();
    let adds = futures::future::join_all(names.map(|name| supervisor.add(idle(name))));
    let answers = within("the answers", adds).await;
    assert!(begin.elapsed() < SECOND, "found by the look at the end of the time, not woken");
    for (answer, name) in answers.into_iter().zip(names) {
        match answer {
            Err(error @ AddError::ShuttingDown { .. }) => {
                assert_eq!(error.into_spec().expect("it comes back").name(), name);
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[actix::test]
async fn the_third_panic_within_a_second_gives_each_submission_exactly_one_outcome() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let all = one_in_each_place(&supervisor).await;
    let panicking = async {
        tokio::time::sleep(ms(1)).await;
        for _ in 0..3 {
            panic_in(&supervisor);
        }
        let refused = supervisor.submit(in_slot(quick("late"), WhenBusy::Queue)).await;
        assert_eq!(refused.unwrap_err().kind(), Some(RejectionKind::ShuttingDown));
    };
    let ends = async { tokio::join!(ends_of(&all), panicking, supervisor.wait_until_empty()) };
    let (told, (), ()) = within("all of them", ends).await;
    let report = within("the report", supervisor.shutdown()).await;
    assert_eq!(report.cause, ShutdownCause::Panicked);
    each_has_one_outcome(&all, &told, &report);
    // Nor does time, or a cancel, change it.
    tokio::time::sleep(SECOND * 120).await;
    for (submission, expected) in &all {
        let canceled = within("the answer", submission.cancel()).await.unwrap();
        assert_eq!(canceled.outcome().map(TaskOutcome::label), Some(*expected), "{submission:?}");
        assert_eq!(submission.outcome().await.label(), *expected, "{submission:?}");
    }
}

#[actix::test]
async fn panics_to_the_end_of_a_dedicated_supervisor_give_each_submission_exactly_one_outcome() {
    let supervisor = TaskSupervisor::builder().grace(SECOND).start().unwrap();
    let all = one_in_each_place(&supervisor).await;
    let ends = ends_of(&all);
    for _ in 0..3 {
        panic_in(&supervisor);
    }
    let told = within("all of them", ends).await;
    let report = within("the report", supervisor.shutdown()).await;
    assert_eq!(report.cause, ShutdownCause::Panicked);
    each_has_one_outcome(&all, &told, &report);
}

#[test]
fn a_dropped_runtime_gives_each_submission_exactly_one_outcome() {
    for rounds in [0, 20] {
        let system = actix::System::new();
        let (supervisor, all) = system.block_on(async {
            let supervisor = current(|builder| builder);
            let all = one_in_each_place(&supervisor).await;
            yield_turns(rounds).await;
            (supervisor, all)
        });
        let ends = ends_of(&all);
        drop(system);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let told = within("all of them", ends).await;
            within("the void", supervisor.wait_until_empty()).await;
            let report = within("the report", supervisor.shutdown()).await;
            assert_eq!(report.cause, ShutdownCause::RuntimeDropped);
            each_has_one_outcome(&all, &told, &report);
        });
    }
}

#[actix::test]
async fn a_shutdown_and_a_panic_beside_it_give_each_submission_exactly_one_outcome() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let all = one_in_each_place(&supervisor).await;
    let ends = ends_of(&all);
    let shutting_down = supervisor.shutdown();
    let panicking = async {
        for _ in 0..2 {
            panic_in(&supervisor);
            yield_turns(1).await;
        }
    };
    let ends = async { tokio::join!(ends, shutting_down, panicking) };
    let (told, report, ()) = within("all of them", ends).await;
    assert_eq!(report.cause, ShutdownCause::Requested);
    // Here the owners end as they do when they are asked to.
    let all = all.into_iter().map(|(submission, end)| match (end, submission.slot()) {
        ("lost", "k") => (submission, "force_aborted"),
        ("lost", _) => (submission, "canceled"),
        _ => (submission, end),
    });
    each_has_one_outcome(&all.collect::<Vec<_>>(), &told, &report);
}
