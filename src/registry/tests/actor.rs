//! The actor: what survives a panic in one of its handlers, what comes in which order.

use super::*;

#[actix::test]
async fn after_a_panic_queued_commands_are_answered_and_a_running_task_ends_in_order() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let (tape, _subscription) = Tape::of(&supervisor).await;
    let gate = Arc::default();
    let task = supervisor.add(gated("runs", &gate)).await.unwrap();
    tokio::time::sleep(ms(1)).await;

    panic_in(&supervisor);
    let (added, again, listed, unknown) = within("the answers", async {
        tokio::join!(
            supervisor.add(idle("later")),
            supervisor.add(idle("runs")),
            supervisor.list(),
            supervisor.cancel("nobody"),
        )
    })
    .await;
    let later = added.unwrap();
    assert_eq!(later.id().get(), 2);
    assert!(matches!(again, Err(AddError::AlreadyExists { owner, .. }) if owner == task.id()));
    let names: Vec<_> =
        listed.unwrap().iter().map(|status| status.task.name().to_owned()).collect();
    assert_eq!(names, ["runs", "later"]);
    assert_eq!(unknown.unwrap_err(), StopError::NotFound { target: named("nobody") });

    gate.notify_one();
    assert!(within("the removal", task.removed()).await.is_success());
    let end = within("the cancel", supervisor.cancel(&later)).await.unwrap().end;
    assert!(matches!(end, CancelEnd::Physical(TaskOutcome::Canceled { .. })));
    within("the void", supervisor.wait_until_empty()).await;
    let report = within("the report", supervisor.shutdown()).await;
    assert_eq!(report.cause, ShutdownCause::Requested);
    assert!(report.is_clean());
    assert_eq!(
        tape.of_task("runs"),
        [
            EventType::TaskAddRequested,
            EventType::TaskAdded,
            EventType::TaskStarting,
            EventType::TaskAddRequested,
            EventType::TaskAddFailed,
            EventType::TaskStopped,
            EventType::ActorExhausted,
            EventType::TaskRemoved,
        ]
    );
}

#[actix::test]
async fn a_command_is_answered_or_refused_wherever_among_the_others_the_panic_comes() {
    tokio::time::pause();
    for place in 0..70 {
        let supervisor = current(|builder| builder);
        let mut adding = Vec::new();
        for number in 0..70 {
            if number == place {
                panic_in(&supervisor);
            }
            let name = format!("task-{number}");
            adding.push(supervisor.addr().send(AddTask(idle(&name))));
        }
        let added = within("the answers", futures::future::join_all(adding)).await;
        assert!(added.iter().all(|added| matches!(added, Ok(Ok(_)))), "panic before {place}");
        let report = within("the report", supervisor.shutdown()).await;
        assert_eq!(report.ended.len(), 70);
    }
}

#[actix::test]
async fn those_who_wait_while_the_registry_panics_are_answered() {
    tokio::time::pause();
    let supervisor = current(|builder| builder.max_concurrent(1));
    let gate = Arc::default();
    let first = supervisor.add(gated("first", &gate)).await.unwrap();
    let second = supervisor.add(idle("second")).await.unwrap();
    let waiting = async {
        let canceled = async {
            tokio::time::sleep(SECOND * 2).await;
            second.cancel().await
        };
        tokio::join!(first.outcome(), first.removed(), canceled, supervisor.wait_until_empty())
    };
    let disturbing = async {
        tokio::time::sleep(ms(1)).await;
        panic_in(&supervisor);
        tokio::time::sleep(SECOND).await;
        assert_eq!(second.status().phase, TaskPhase::WaitingForPermit);
        gate.notify_one();
        panic_in(&supervisor);
        tokio::time::sleep(ms(1)).await;
        assert_eq!(second.status().phase, TaskPhase::Running);
    };
    let all = within("all of them", async { tokio::join!(waiting, disturbing).0 }).await;
    let (outcome, removed, canceled, ()) = all;
    assert!(outcome.is_success() && removed.is_success());
    assert!(canceled.unwrap().asked_by_this_call);
}

#[actix::test]
async fn panics_a_second_apart_go_on_for_ever() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let task = supervisor.add(idle("runs")).await.unwrap();
    for _ in 0..20 {
        panic_in(&supervisor);
        panic_in(&supervisor);
        tokio::time::sleep(SECOND).await;
    }
    assert_eq!(supervisor.list().await.unwrap().len(), 1);
    assert_eq!(task.status().phase, TaskPhase::Running);
    assert_eq!(supervisor.shutdown().await.cause, ShutdownCause::Requested);
}

/// Counts those that are alive.
struct Living(Arc<AtomicUsize>);

impl Living {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// A task in each phase that lasts, its bodies counted.
async fn one_in_each_phase(
    supervisor: &SupervisorHandle,
    bodies: &Arc<AtomicUsize>,
) -> Vec<crate::TaskHandle> {
    let body = |name: &str, restart, deaf| {
        let bodies = Arc::clone(bodies);
        TaskSpec::new(name, async move |ctx: TaskContext| {
            let _living = Living::new(&bodies);
            if restart != RestartPolicy::Never {
                return Err(TaskError::failed("again later"));
            }
            ctx.cancelled().await;
            if deaf {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
        .restart(restart)
        .backoff(BackoffPolicy::constant(SECOND * 3600).unwrap())
    };
    let specs = [
        body("backs off", RestartPolicy::OnFailure, false),
        body("stops", RestartPolicy::Never, true),
        body("runs", RestartPolicy::Never, false),
        idle("waits"),
    ];
    let mut tasks = Vec::new();
    for spec in specs {
        tasks.push(supervisor.add(spec).await.unwrap());
        tokio::time::sleep(ms(1)).await;
    }
    supervisor.addr().send(CancelTask::new("stops")).await.unwrap().unwrap();
    tokio::time::sleep(ms(1)).await;
    let phases: Vec<_> = tasks.iter().map(|task| task.status().phase).collect();
    assert_eq!(
        phases,
        [
            TaskPhase::BackingOff,
            TaskPhase::Stopping,
            TaskPhase::Running,
            TaskPhase::WaitingForPermit
        ]
    );
    assert_eq!(bodies.load(SeqCst), 2);
    tasks
}

#[actix::test]
async fn the_third_panic_within_a_second_ends_the_supervisor_and_settles_every_task() {
    tokio::time::pause();
    let supervisor = current(|builder| builder.max_concurrent(2));
    let bodies = Arc::default();
    let tasks = one_in_each_phase(&supervisor, &bodies).await;

    let waiting = tasks.iter().map(|task| async { (task.outcome().await, task.removed().await) });
    let waiting = futures::future::join_all(waiting);
    let panicking = async {
        tokio::time::sleep(ms(1)).await;
        for _ in 0..3 {
            panic_in(&supervisor);
        }
        // Behind the last panic: the supervisor has ended.
        let spec = match supervisor.add(idle("late")).await {
            Err(error @ AddError::ShuttingDown { .. }) => error.into_spec(),
            other => panic!("{other:?}"),
        };
        assert_eq!(spec.unwrap().name(), "late");
    };
    let canceling = supervisor.cancel("stops");
    let ends = async { tokio::join!(waiting, canceling, supervisor.wait_until_empty(), panicking) };
    let (outcomes, canceled, (), ()) = within("all of them", ends).await;
    // Nobody is left to hear of a physical end.
    assert!(matches!(canceled.unwrap().end, CancelEnd::LogicalOnly(TaskOutcome::Lost)));
    for (task, (outcome, removed)) in tasks.iter().zip(&outcomes) {
        assert_eq!((outcome.label(), removed.label()), ("lost", "lost"), "{task:?}");
        let status = task.status();
        assert_eq!(status.phase, TaskPhase::Ended);
        assert!(matches!(status.outcome, Some(TaskOutcome::Lost)), "{status:?}");
    }

    let report = within("the report", supervisor.shutdown()).await;
    assert_eq!(report.cause, ShutdownCause::Panicked);
    assert!(!report.is_clean());
    let mut ended: Vec<_> = report.ended.iter().map(|(task, _)| task.name()).collect();
    ended.sort_unstable();
    assert_eq!(ended, ["backs off", "runs", "stops", "waits"]);
    assert!(matches!(supervisor.cancel("runs").await, Err(StopError::ShuttingDown)));
}

#[actix::test]
async fn a_supervisor_that_panicked_to_its_end_leaves_no_body_running() {
    tokio::time::pause();
    let supervisor = current(|builder| builder.max_concurrent(2));
    let bodies = Arc::default();
    one_in_each_phase(&supervisor, &bodies).await;
    for _ in 0..3 {
        panic_in(&supervisor);
    }
    within("the report", supervisor.shutdown()).await;
    tokio::time::sleep(SECOND * 10).await;
    assert_eq!(bodies.load(SeqCst), 0, "bodies without a supervisor");
}

#[actix::test]
async fn a_supervisor_that_panicked_to_its_end_says_so_to_its_subscribers() {
    // B5
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let ended = Arc::<AtomicUsize>::default();
    let guard = Living::new(&ended);
    let subscription = supervisor
        .subscribe(SubscriptionSpec::from_fn(move |_| {
            let _held = &guard;
        }))
        .await
        .unwrap();
    for _ in 0..3 {
        panic_in(&supervisor);
    }
    within("the report", supervisor.shutdown()).await;
    tokio::time::sleep(SECOND * 10).await;
    assert_eq!(ended.load(SeqCst), 0, "the subscriber still waits for events");
    drop(subscription);
}

#[actix::test]
async fn a_dedicated_supervisor_that_panicked_to_its_end_ends_its_threads() {
    let supervisor = TaskSupervisor::builder().grace(SECOND).start().unwrap();
    let task = supervisor.add(idle("runs")).await.unwrap();
    for _ in 0..3 {
        panic_in(&supervisor);
    }
    let report = within("the report", supervisor.shutdown()).await;
    assert_eq!((report.cause, report.left_behind.len()), (ShutdownCause::Panicked, 0));
    assert_eq!(report.ended.len(), 1);
    assert!(matches!(task.status().outcome, Some(TaskOutcome::Lost)));
}

/// Wherever the panic comes among them: their orders may not have left yet.
#[actix::test]
async fn tasks_on_another_thread_start_though_the_registry_panics_behind_them() {
    for place in [1, 5, 20, 50] {
        let supervisor = TaskSupervisor::builder().grace(SECOND).start().unwrap();
        let mut adding = Vec::new();
        for number in 0..place {
            let spec = TaskSpec::once(format!("task-{number}"), async |_| Ok(()));
            adding.push(supervisor.addr().send(AddTask(spec)));
        }
        panic_in(&supervisor);
        for added in within("the answers", futures::future::join_all(adding)).await {
            let task = added.unwrap().unwrap();
            assert!(within("the outcome", task.outcome()).await.is_success());
        }
        assert!(within("the report", supervisor.shutdown()).await.is_clean());
    }
}

#[actix::test]
async fn a_worker_that_was_late_starts_short_tasks_in_the_runners_of_those_before() {
    let builder = TaskSupervisor::builder().placement(Placement::Dedicated { workers: 1 });
    let supervisor = builder.start().unwrap();
    let (spec, told, open) = blocking();
    supervisor.add(spec).await.unwrap();
    told.recv_timeout(PATIENCE).unwrap();
    // The orders wait for the worker's thread, but for the last few.
    let tasks = supervisor.add_all((0..1_000).map(|number| quick(&number.to_string()))).await;
    open.send(()).unwrap();
    within("the void", supervisor.wait_until_empty()).await;
    assert!(tasks.unwrap().iter().all(|task| task.status().phase == TaskPhase::Ended));

    let worker = supervisor.addr().send(TheWorker).await.unwrap().unwrap();
    let made = worker.send(RunnersMade).await.unwrap();
    assert!(made <= IDLE_RUNNERS as u64 + 1, "{made}");
    supervisor.shutdown().await;
}

/// The thread of a task has to be blocked for this, so it needs a second one and real time.
#[actix::test]
async fn the_deadline_of_a_stop_outlives_a_panic() {
    // R4, lesson 20
    let supervisor = TaskSupervisor::builder().grace(ms(50)).start().unwrap();
    let (spec, told, open) = blocking();
    let task = supervisor.add(spec).await.unwrap();
    told.recv_timeout(PATIENCE).unwrap();
    let mut canceling = Box::pin(task.cancel());
    assert!(poll_once(canceling.as_mut()).is_pending());
    panic_in(&supervisor);
    let end = within("the reply", canceling).await.unwrap().end;
    let CancelEnd::LogicalOnly(TaskOutcome::ForceAborted { cause }) = end else {
        panic!("{end:?}");
    };
    assert_eq!(cause, CancelCause::User);
    open.send(()).unwrap();
    within("the removal", task.removed()).await;
}

/// The clock of the registry is left armed by a stop that ended in time: for a later moment than the next stop's, then for an
/// earlier one. Threads have to be blocked for this, as above.
#[actix::test]
async fn a_stop_is_overdue_at_its_own_time_whatever_alarm_one_before_it_left_behind() {
    // R4
    for graces in [[5_000, 20], [750, 1_500]] {
        let [before, own] = graces.map(ms);
        let supervisor = TaskSupervisor::builder().placement(Placement::Dedicated { workers: 2 });
        let supervisor = supervisor.start().unwrap();
        let ends = supervisor.add(idle("ends").grace(before)).await.unwrap();
        let end = within("the end", ends.cancel()).await.unwrap().end;
        assert!(matches!(end, CancelEnd::Physical(_)), "{end:?}");

        let (spec, told, open) = blocking();
        let blocks = supervisor.add(spec.grace(own)).await.unwrap();
        told.recv_timeout(PATIENCE).unwrap();
        let asked_at = Instant::now();
        let end = within("the reply", blocks.cancel()).await.unwrap().end;
        assert!(matches!(end, CancelEnd::LogicalOnly(_)), "{end:?}");
        let took = asked_at.elapsed();
        assert!(took >= own + ms(250) && took < ms(4_500), "{took:?} with {graces:?}");
        open.send(()).unwrap();
        within("the removal", blocks.removed()).await;
        assert!(within("the report", supervisor.shutdown()).await.is_clean());
    }
}

/// A task that blocks its thread: it tells that it does, and ends when it is let go.
fn blocking() -> (TaskSpec, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (open, gate) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let spec = TaskSpec::once("blocks", async move |_| {
        tell.send(()).unwrap();
        let _ = gate.recv_timeout(PATIENCE);
        Ok(())
    });
    (spec, told, open)
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut PollContext::from_waker(futures::task::noop_waker_ref()))
}

#[actix::test]
async fn a_refused_batch_names_its_first_culprit_whatever_is_wrong_with_it() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let owner = supervisor.add(idle("a")).await.unwrap();
    let endless =
        |name| idle(name).restart(RestartPolicy::OnFailure).backoff(BackoffPolicy::immediate());
    let taken = AddRefusal::AlreadyExists { owner: owner.id() };
    let senseless = AddRefusal::InvalidSpec(InvalidSpec::ImmediateWithoutLimit);
    for (specs, expected) in [
        (vec![idle("b"), endless("c"), idle("a")], (1, "c", senseless)),
        (vec![idle("b"), idle("a"), endless("c")], (1, "a", taken)),
    ] {
        let refused = supervisor.add_all(specs).await;
        let Err(AddAllError::Refused { index, name, why, .. }) = refused else {
            panic!("accepted");
        };
        assert_eq!((index, name.as_str(), why), expected);
    }
}

/// Sends commands without waiting for the answers.
fn flood(supervisor: &SupervisorHandle, commands: usize) {
    for _ in 0..commands {
        let mut question = Box::pin(supervisor.list());
        assert!(poll_once(question.as_mut()).is_pending());
    }
}

/// A permit that is given back while the next task's own request for it is still under way is granted
/// on both accounts; an attempt that ends in between must not let its successor run on the second.
#[actix::test]
async fn however_busy_the_registry_is_no_attempt_runs_beyond_the_limit() {
    tokio::time::pause();
    for (holder_waits, flood_waits) in (0..6).flat_map(|a| (0..6).map(move |b| (a, b))) {
        let supervisor = current(|builder| builder.max_concurrent(1));
        let (bodies, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let count = |bodies: &Arc<AtomicUsize>, most: &AtomicUsize| {
            let living = Living::new(bodies);
            most.fetch_max(bodies.load(SeqCst), SeqCst);
            living
        };
        let gate = Arc::<Notify>::default();
        let holder = {
            let gate = Arc::clone(&gate);
            TaskSpec::once("holder", async move |_| {
                gate.notified().await;
                yield_turns(holder_waits).await;
                Ok(())
            })
        };
        let flaky = |name: &str| {
            let (bodies, most) = (Arc::clone(&bodies), Arc::clone(&most));
            TaskSpec::new(name, async move |ctx: TaskContext| {
                let _living = count(&bodies, &most);
                if ctx.attempt() == 1 {
                    return Err(TaskError::failed("at once"));
                }
                tokio::time::sleep(SECOND).await;
                Ok(())
            })
            .backoff(BackoffPolicy::immediate())
            .max_retries(1)
        };
        supervisor.add(holder).await.unwrap();
        tokio::time::sleep(ms(1)).await;

        let flooding = {
            let (supervisor, gate) = (supervisor.clone(), Arc::clone(&gate));
            actix::spawn(async move {
                gate.notified().await;
                yield_turns(flood_waits).await;
                flood(&supervisor, 300);
            })
        };
        yield_turns(1).await;
        let registry = supervisor.addr();
        registry.do_send(AddTask(flaky("first")));
        registry.do_send(AddTask(flaky("second")));
        gate.notify_waiters();
        flooding.await.unwrap();
        within("the void", supervisor.wait_until_empty()).await;
        let most = most.load(SeqCst);
        assert_eq!(most, 1, "{most} at once, {holder_waits} and {flood_waits} turns");
    }
}

// lesson 8
#[actix::test]
async fn a_stop_right_behind_the_permit_comes_before_the_first_attempt() {
    tokio::time::pause();
    for turns in 0..8 {
        let supervisor = current(|builder| builder.max_concurrent(1));
        let (tape, _subscription) = Tape::of(&supervisor).await;
        let gate = Arc::default();
        supervisor.add(gated("first", &gate)).await.unwrap();
        supervisor.add(idle("second")).await.unwrap();
        let (registry, opened) = (supervisor.addr(), Arc::clone(&gate));
        actix::spawn(async move {
            opened.notified().await;
            yield_turns(turns).await;
            registry.do_send(CancelTask::new("second"));
        });
        tokio::time::sleep(ms(1)).await;
        // In one of these rounds the permit is on its way when the request is handled.
        gate.notify_waiters();
        within("the void", supervisor.wait_until_empty()).await;
        supervisor.events_delivered().await.unwrap();
        let told = tape.of_task("second");
        let asked = told.iter().position(|kind| *kind == EventType::TaskRemoveRequested).unwrap();
        assert!(!told[asked..].contains(&EventType::TaskStarting), "{turns} turns: {told:?}");
    }
}
