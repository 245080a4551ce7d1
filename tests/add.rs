//! Adding: what is refused and comes back, batches, adds whose caller went away, and what is left of a
//! supervisor after its end.
#![cfg(feature = "test-util")]

mod common;

use std::{error::Error, time::Duration};

use actix::prelude::*;
use actix_taskvisor::{Probe, prelude::*};
use common::{Counter, current, current_with, dedicated, every, ms, secs, within};
use futures::{FutureExt as _, future::join_all};
use tokio::time::{Instant, pause, sleep};

// ---- helpers ----

async fn add(supervisor: &SupervisorHandle, spec: TaskSpec) -> TaskHandle {
    supervisor.add(spec).await.expect("nothing is wrong with the spec")
}

fn idle(name: &str) -> TaskSpec {
    TaskSpec::new(name, async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    })
}

/// Counts its attempts.
fn counting(name: &str, runs: &Counter) -> TaskSpec {
    let runs = runs.clone();
    TaskSpec::once(name, async move |_ctx| {
        runs.add();
        Ok(())
    })
}

fn names(specs: &[TaskSpec]) -> Vec<&str> {
    specs.iter().map(TaskSpec::name).collect()
}

async fn probed(supervisor: &SupervisorHandle) -> Probe {
    Probe::attach(supervisor).await.expect("a new supervisor")
}

/// What became of each command to add: id, name, and why it was refused.
async fn refusals(supervisor: &SupervisorHandle, probe: &Probe) -> Vec<(u64, String, AddRefusal)> {
    supervisor.events_delivered().await.expect("the probe keeps up");
    let refused = probe.events().into_iter().filter_map(|event| match (event.task, event.kind) {
        (Some(task), EventKind::TaskAddFailed { why }) => {
            Some((task.id().get(), task.name().to_owned(), why))
        }
        _ => None,
    });
    refused.collect()
}

// ---- one spec ----

#[actix::test]
async fn a_taken_name_is_refused_and_the_spec_comes_back_intact() {
    pause();
    let supervisor = current();
    let probe = probed(&supervisor).await;
    let first = add(&supervisor, idle("name")).await;
    let seen = Counter::default();
    let counted = seen.clone();
    let mut kept = vec![1, 2, 3];
    let spec = TaskSpec::new("name", async move |_ctx| {
        counted.add();
        kept.pop().map(|_| ()).ok_or("nothing is left")?;
        Err(TaskError::failed("no luck"))
    });
    let spec = spec.max_retries(2).backoff(every(ms(7))).timeout(secs(3)).grace(ms(5));
    let before = format!("{spec:?}");

    let error = supervisor.add(spec).await.expect_err("the name is taken");
    match &error {
        AddError::AlreadyExists { owner, .. } => assert_eq!(*owner, first.id()),
        other => panic!("{other:?}"),
    }
    assert!(error.to_string().contains("\"name\""), "{error}");
    let spec = error.into_spec().expect("it comes back");
    assert_eq!(format!("{spec:?}"), before, "settings and all");
    assert_eq!(seen.get(), 0);

    first.cancel().await.expect("it is alive");
    let task = add(&supervisor, spec).await;
    assert_eq!(within("its end", task.removed()).await.label(), "failed");
    assert_eq!((seen.get(), task.status().attempt), (3, 3));
    let owner = first.id();
    let expected = [(2, "name".to_owned(), AddRefusal::AlreadyExists { owner })];
    assert_eq!(refusals(&supervisor, &probe).await, expected);
}

// lesson 9
#[actix::test]
async fn a_name_stays_taken_until_the_last_attempt_is_physically_over() {
    pause();
    let supervisor = current();
    let slow = TaskSpec::new("name", async |ctx: TaskContext| {
        ctx.cancelled().await;
        sleep(secs(2)).await;
        Ok(())
    });
    let slow = add(&supervisor, slow).await;
    sleep(ms(10)).await;
    let mut cancel = Box::pin(slow.cancel());
    for _ in 0..19 {
        assert!(tokio::time::timeout(ms(100), cancel.as_mut()).await.is_err());
        let error = supervisor.add(idle("name")).await.expect_err("it still stops");
        assert!(matches!(error, AddError::AlreadyExists { .. }), "{error:?}");
    }
    cancel.await.expect("it is alive");
    add(&supervisor, idle("name")).await;
}

#[actix::test]
async fn a_name_is_taken_in_every_phase_of_its_owner() {
    pause();
    let supervisor = current_with(|builder| builder.max_concurrent(1));
    let failing = TaskSpec::new("backs off", async |_ctx| Err(TaskError::failed("no luck")));
    add(&supervisor, failing.backoff(every(secs(3600)))).await;
    add(&supervisor, idle("runs")).await;
    add(&supervisor, idle("waits")).await;
    sleep(secs(1)).await;
    let phases = [TaskPhase::BackingOff, TaskPhase::Running, TaskPhase::WaitingForPermit];
    let list = supervisor.list().await.expect("it is alive");
    assert_eq!(list.iter().map(|status| status.phase).collect::<Vec<_>>(), phases);
    for name in ["backs off", "runs", "waits"] {
        let error = supervisor.add(idle(name)).await.expect_err("the name is taken");
        assert!(matches!(error, AddError::AlreadyExists { .. }), "{error:?}");
    }
}

#[actix::test]
async fn names_belong_to_one_supervisor_and_ids_as_well() {
    pause();
    let (one, other) = (current(), current());
    assert_eq!(add(&one, idle("name")).await.id(), add(&other, idle("name")).await.id());
    let refused = one.add(idle("name")).await.expect_err("the name is taken here");
    one.shutdown().await;
    other.cancel("name").await.expect("it is alive there");
    let spec = refused.into_spec().expect("it comes back");
    assert_eq!(add(&other, spec).await.id().get(), 2, "a refused spec fits any supervisor");
}

#[actix::test]
async fn dropping_the_handle_of_a_task_leaves_the_task_alone() {
    pause();
    let supervisor = current();
    drop(add(&supervisor, idle("task")).await);
    sleep(secs(3600)).await;
    let status = supervisor.status("task").await.expect("it is alive").expect("it is known");
    assert_eq!((status.phase, status.cancel_cause), (TaskPhase::Running, None));
}

#[actix::test]
async fn an_empty_name_is_refused() {
    pause();
    let supervisor = current();
    let probe = probed(&supervisor).await;
    let error = supervisor.add(idle("")).await.expect_err("it has no name");
    assert!(
        matches!(error, AddError::InvalidSpec { why: InvalidSpec::EmptyName, .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("name is empty"), "{error}");
    assert_eq!(error.into_spec().expect("it comes back").name(), "");
    let why = AddRefusal::InvalidSpec(InvalidSpec::EmptyName);
    assert_eq!(refusals(&supervisor, &probe).await, [(1, String::new(), why)]);
    assert!(supervisor.is_empty().await.expect("it is alive"));
}

fn is_endless<T>(answer: &Result<T, AddError>) -> bool {
    let why = InvalidSpec::ImmediateWithoutLimit;
    matches!(answer, Err(AddError::InvalidSpec { why: found, .. }) if *found == why)
}

#[actix::test]
async fn retries_without_delay_of_which_each_starts_a_new_streak_are_refused() {
    pause();
    let supervisor = current();
    let spec = idle("task").backoff(BackoffPolicy::immediate()).max_retries(3);
    let error = supervisor.add(spec.healthy_after(ms(0))).await.expect_err("it would never end");
    let why = InvalidSpec::ImmediateAlwaysHealthy;
    assert!(matches!(&error, AddError::InvalidSpec { why: found, .. } if *found == why));
    assert!(error.to_string().contains("healthy_after"), "{error}");
    let spec = error.into_spec().expect("it comes back");
    add(&supervisor, spec.healthy_after(ms(1))).await;
}

// Promised: "`BackoffPolicy::immediate()` … needs a finite `max_retries`"
#[actix::test]
async fn retries_without_delay_and_without_end_are_refused_also_when_the_defaults_say_so() {
    pause();
    let immediate = BackoffPolicy::immediate();
    let supervisor = current();
    let probe = probed(&supervisor).await;
    let answer = supervisor.add(idle("task").backoff(immediate)).await;
    assert!(is_endless(&answer), "{answer:?}");
    let spec = answer.expect_err("it is endless").into_spec().expect("it comes back");
    let answer = supervisor.add(spec.max_retries(3).unlimited_retries()).await;
    assert!(is_endless(&answer), "{answer:?}");
    let spec = answer.expect_err("it is endless").into_spec().expect("it comes back");
    add(&supervisor, spec.max_retries(0)).await;
    let why = AddRefusal::InvalidSpec(InvalidSpec::ImmediateWithoutLimit);
    let expected = [1, 2].map(|id| (id, "task".to_owned(), why.clone()));
    assert_eq!(refusals(&supervisor, &probe).await, expected);

    let defaults = TaskDefaults::new().backoff(immediate);
    let supervisor = current_with(|builder| builder.task_defaults(defaults));
    let answer = supervisor.add(idle("silent")).await;
    assert!(is_endless(&answer), "{answer:?}");
    add(&supervisor, idle("limited").max_retries(3)).await;
    add(&supervisor, idle("delayed").backoff(every(ms(1)))).await;

    let defaults = TaskDefaults::new().backoff(immediate).max_retries(3);
    let supervisor = current_with(|builder| builder.task_defaults(defaults));
    add(&supervisor, idle("silent")).await;
    let answer = supervisor.add(idle("unlimited").unlimited_retries()).await;
    assert!(is_endless(&answer), "{answer:?}");

    let defaults = TaskDefaults::new().max_retries(3);
    let supervisor = current_with(|builder| builder.task_defaults(defaults));
    add(&supervisor, idle("limited by default").backoff(immediate)).await;
}

#[actix::test]
async fn ids_count_the_commands_and_are_never_used_twice() {
    pause();
    let supervisor = current();
    assert_eq!(add(&supervisor, idle("a")).await.id().get(), 1);
    supervisor.add(idle("a")).await.expect_err("the name is taken");
    supervisor.add_all([idle("b"), idle("b")]).await.expect_err("twice the same");
    let handles = supervisor.add_all([idle("b"), idle("c")]).await.expect("two tasks");
    assert_eq!(handles.iter().map(|task| task.id().get()).collect::<Vec<_>>(), [5, 6]);
    handles[0].cancel().await.expect("it is alive");
    assert_eq!(add(&supervisor, idle("b")).await.id().get(), 7);
}

#[actix::test]
async fn a_handle_names_the_task_that_was_added() {
    pause();
    let supervisor = current();
    let task = add(&supervisor, idle("täsk № 1")).await;
    assert_eq!(task.name(), "täsk № 1");
    assert_eq!(task.task().to_string(), "täsk № 1 (#1)");
    assert!(task.addr().connected());
}

/// Compiles only if every error is `Send + Sync + 'static`.
async fn add_both(supervisor: &SupervisorHandle) -> Result<(), Box<dyn Error + Send + Sync>> {
    supervisor.add(idle("task")).await?;
    supervisor.add_all([idle("other"), idle("task")]).await?;
    Ok(())
}

// Promised: "so that `add(..).await?` works in any function"
#[actix::test]
async fn refusals_go_through_the_question_mark_of_any_function() {
    pause();
    let supervisor = current();
    let error = add_both(&supervisor).await.expect_err("the name is taken");
    let error = error.downcast::<AddAllError>().expect("the error itself is inside");
    assert_eq!(names(&error.into_specs()), ["other", "task"]);
}

// ---- batches ----

#[actix::test]
async fn a_batch_is_added_as_a_whole_in_its_order() {
    pause();
    let supervisor = current();
    let probe = probed(&supervisor).await;
    let runs = Counter::default();
    let specs = ["a", "b", "c"].map(|name| counting(name, &runs));
    let handles = supervisor.add_all(specs).await.expect("three tasks");
    assert_eq!(handles.iter().map(TaskHandle::name).collect::<Vec<_>>(), ["a", "b", "c"]);
    for task in &handles {
        assert!(within("its end", task.removed()).await.is_success());
    }
    assert_eq!(runs.get(), 3);
    supervisor.events_delivered().await.expect("the probe keeps up");
    for name in ["a", "b", "c"] {
        let begun = [EventType::TaskAddRequested, EventType::TaskAdded, EventType::TaskStarting];
        assert_eq!(probe.types_of(name)[..3], begun);
    }
}

#[actix::test]
async fn an_empty_batch_is_a_batch() {
    pause();
    let supervisor = current();
    assert!(supervisor.add_all([]).await.expect("nothing to refuse").is_empty());
    assert!(supervisor.is_empty().await.expect("it is alive"));
}

/// Adds a batch that is refused: which one was the culprit, and why; all specs come back in order, and
/// none of them ran.
async fn refused_batch(
    supervisor: &SupervisorHandle,
    specs: Vec<TaskSpec>,
) -> (usize, AddRefusal, Vec<TaskSpec>) {
    let there = supervisor.list().await.expect("it is alive").len();
    let given: Vec<_> = specs.iter().map(|spec| format!("{spec:?}")).collect();
    let error = supervisor.add_all(specs).await.expect_err("one is refused");
    let text = error.to_string();
    let AddAllError::Refused { index, why, name, .. } = &error else { panic!("{error:?}") };
    let (index, why) = (*index, why.clone());
    assert!(text.contains(&format!("number {index}")) && text.contains(&**name), "{text}");
    let specs = error.into_specs();
    assert_eq!(specs.iter().map(|spec| format!("{spec:?}")).collect::<Vec<_>>(), given);
    assert_eq!(supervisor.list().await.expect("it is alive").len(), there);
    (index, why, specs)
}

#[actix::test]
async fn a_batch_with_one_culprit_is_refused_as_a_whole_and_comes_back_in_order() {
    pause();
    let supervisor = current();
    let owner = add(&supervisor, idle("taken")).await;
    let probe = probed(&supervisor).await;
    let runs = Counter::default();
    let specs = ["a", "b", "taken", "c"].map(|name| counting(name, &runs)).into();
    let (index, why, specs) = refused_batch(&supervisor, specs).await;
    assert_eq!((index, why), (2, AddRefusal::AlreadyExists { owner: owner.id() }));
    sleep(secs(1)).await;
    assert_eq!(runs.get(), 0, "nothing starts unless all are accepted");

    // Ids assigned, one refusal for the culprit, `Batch` for the others.
    let batch = || AddRefusal::Batch { culprit: 2 };
    let taken = AddRefusal::AlreadyExists { owner: owner.id() };
    let expected = [(2, "a", batch()), (3, "b", batch()), (4, "taken", taken), (5, "c", batch())];
    let seen = refusals(&supervisor, &probe).await;
    let seen: Vec<_> = seen.iter().map(|(id, name, why)| (*id, &**name, why.clone())).collect();
    assert_eq!(seen, expected);
    assert_eq!(probe.count(EventType::TaskAddRequested), 4);
    assert_eq!(probe.count(EventType::TaskAdded), 0);
    for name in ["a", "b", "c"] {
        let told = [EventType::TaskAddRequested, EventType::TaskAddFailed];
        assert_eq!(probe.types_of(name), told);
    }

    owner.cancel().await.expect("it is alive");
    for task in supervisor.add_all(specs).await.expect("the name is free now") {
        within("its end", task.removed()).await;
    }
    assert_eq!(runs.get(), 4);
}

#[actix::test]
async fn a_name_that_comes_twice_in_a_batch_is_taken_the_second_time() {
    pause();
    let supervisor = current();
    let probe = probed(&supervisor).await;
    let specs = ["a", "b", "c", "b", "a"].map(idle).into();
    let (index, why, _) = refused_batch(&supervisor, specs).await;
    let owner = TaskId::from_number(2).expect("not zero");
    assert_eq!((index, why), (3, AddRefusal::AlreadyExists { owner }), "the id of the first `b`");
    let seen = refusals(&supervisor, &probe).await;
    assert_eq!(seen[3], (4, "b".to_owned(), AddRefusal::AlreadyExists { owner }));
    assert_eq!(
        seen.iter().filter(|(_, _, why)| *why == AddRefusal::Batch { culprit: 3 }).count(),
        4
    );
}

#[actix::test]
async fn a_limit_that_is_reached_within_a_batch_refuses_all_of_it() {
    pause();
    let supervisor = current_with(|builder| builder.max_tasks(3));
    let living = add(&supervisor, idle("living")).await;
    let specs = ["a", "b", "c", "d"].map(idle).into();
    let (index, why, mut specs) = refused_batch(&supervisor, specs).await;
    assert_eq!((index, why), (2, AddRefusal::LimitReached { limit: 3 }));
    specs.pop();
    living.cancel().await.expect("it is alive");
    assert_eq!(supervisor.add_all(specs).await.expect("three fit").len(), 3);
}

#[actix::test]
async fn a_spec_that_makes_no_sense_refuses_its_whole_batch() {
    pause();
    let supervisor = current();
    let specs = ["a", "", "c"].map(idle).into();
    let (index, why, _) = refused_batch(&supervisor, specs).await;
    assert_eq!((index, why), (1, AddRefusal::InvalidSpec(InvalidSpec::EmptyName)));
    let specs = vec![idle("a"), idle("b"), idle("c").backoff(BackoffPolicy::immediate())];
    let (index, why, _) = refused_batch(&supervisor, specs).await;
    assert_eq!((index, why), (2, AddRefusal::InvalidSpec(InvalidSpec::ImmediateWithoutLimit)));
}

// "`AddAllError` names the first spec that was refused and why": of several culprits the first.
#[actix::test]
async fn the_first_culprit_of_a_batch_is_named_whatever_is_wrong_with_later_ones() {
    pause();
    let supervisor = current_with(|builder| builder.max_tasks(4));
    let owner = add(&supervisor, idle("taken")).await.id();
    let endless = || idle("endless").backoff(BackoffPolicy::immediate());
    let no_end = AddRefusal::InvalidSpec(InvalidSpec::ImmediateWithoutLimit);
    let no_name = AddRefusal::InvalidSpec(InvalidSpec::EmptyName);
    let taken = AddRefusal::AlreadyExists { owner };
    for (specs, expected) in [
        (vec![endless(), idle(""), idle("taken")], (0, no_end)),
        (vec![idle("a"), idle(""), endless()], (1, no_name)),
        (vec![idle("taken"), endless(), idle("")], (0, taken)),
        (
            vec![idle("a"), idle("b"), idle("c"), idle("d"), endless()],
            (3, AddRefusal::LimitReached { limit: 4 }),
        ),
    ] {
        let given = format!("{:?}", names(&specs));
        let (index, why, _) = refused_batch(&supervisor, specs).await;
        assert_eq!((index, why), expected, "{given}");
    }
}

// ---- callers who went away ----

// lesson 13
#[actix::test]
async fn an_add_that_was_sent_is_carried_out_though_its_caller_went_away() {
    pause();
    let supervisor = current();
    let runs = Counter::default();
    assert!(supervisor.add(counting("task", &runs)).now_or_never().is_none());
    let specs = ["a", "b"].map(|name| counting(name, &runs));
    assert!(supervisor.add_all(specs).now_or_never().is_none());
    within("the end of all", supervisor.wait_until_empty()).await;
    assert_eq!(runs.get(), 3);
    for name in ["task", "a", "b"] {
        let status = supervisor.status(name).await.expect("it is alive").expect("it is known");
        assert!(status.outcome.is_some_and(|outcome| outcome.is_success()), "{name}");
    }
}

// lesson 13
#[actix::test]
async fn a_cancel_that_was_sent_is_carried_out_though_its_caller_went_away() {
    pause();
    let supervisor = current();
    let tasks = supervisor.add_all(["a", "b", "c"].map(idle)).await.expect("three tasks");
    assert!(supervisor.cancel("a").now_or_never().is_none());
    assert!(tasks[1].cancel().now_or_never().is_none());
    within("the end of a", tasks[0].removed()).await;
    within("the end of b", tasks[1].removed()).await;
    assert_eq!(tasks[2].status().cancel_cause, None);
    assert!(supervisor.cancel_all_within(secs(1)).now_or_never().is_none());
    within("the end of c", tasks[2].removed()).await;
}

// lesson 13
#[actix::test]
async fn a_shutdown_that_was_asked_for_goes_on_though_its_caller_went_away() {
    pause();
    let supervisor = current();
    let task = add(&supervisor, idle("task")).await;
    assert!(supervisor.shutdown().now_or_never().is_none());
    let outcome = within("its end", task.removed()).await;
    assert!(matches!(outcome, TaskOutcome::Canceled { cause: CancelCause::Shutdown, .. }));
}

#[actix::test]
async fn a_refused_spec_that_nobody_waits_for_is_dropped_where_user_code_runs() {
    pause();
    struct Loud(Counter);
    impl Drop for Loud {
        fn drop(&mut self) {
            self.0.add();
            panic!("asked to, by a test");
        }
    }
    let supervisor = current();
    add(&supervisor, idle("task")).await;
    let drops = Counter::default();
    let loud = Loud(drops.clone());
    let spec = TaskSpec::new("task", async move |_ctx| {
        let _held = &loud;
        Ok(())
    });
    assert!(supervisor.add(spec).now_or_never().is_none());
    sleep(ms(1)).await;
    assert_eq!(drops.get(), 1);
    assert_eq!(supervisor.list().await.expect("it is alive").len(), 1);
}

#[actix::test]
async fn an_add_that_was_never_polled_adds_nothing() {
    pause();
    let supervisor = current();
    drop(supervisor.add(idle("task")));
    drop(supervisor.add_all([idle("other")]));
    sleep(secs(1)).await;
    assert!(supervisor.is_empty().await.expect("it is alive"));
    assert_eq!(add(&supervisor, idle("task")).await.id().get(), 1);
}

// "Dropping the future … while it waits for room … adds nothing"
#[actix::test]
async fn an_add_that_was_dropped_while_it_waited_for_room_adds_nothing() {
    pause();
    let supervisor = current_with(|builder| builder.command_capacity(1));
    let mut under_way = Box::pin(supervisor.add(idle("first")));
    assert!(under_way.as_mut().now_or_never().is_none());
    assert!(supervisor.add(idle("dropped")).now_or_never().is_none());
    under_way.await.expect("it was under way");
    sleep(secs(1)).await;
    let list = supervisor.list().await.expect("it is alive");
    assert_eq!(list.iter().map(|status| status.task.name()).collect::<Vec<_>>(), ["first"]);
}

// ---- during and after the end ----

#[actix::test]
async fn an_add_during_a_shutdown_is_refused_and_questions_are_still_answered() {
    pause();
    let supervisor = current();
    let probe = probed(&supervisor).await;
    let slow = TaskSpec::new("slow", async |ctx: TaskContext| {
        ctx.cancelled().await;
        sleep(secs(2)).await;
        Ok(())
    });
    let slow = add(&supervisor, slow).await;
    sleep(ms(10)).await;
    let mut shutdown = Box::pin(supervisor.shutdown());
    assert!(tokio::time::timeout(secs(1), shutdown.as_mut()).await.is_err());

    let error = supervisor.add(idle("late")).await.expect_err("it shuts down");
    assert!(matches!(error, AddError::ShuttingDown { .. }), "{error:?}");
    assert_eq!(error.into_spec().expect("it comes back").name(), "late");
    let error = supervisor.add_all(["x", "y"].map(idle)).await.expect_err("it shuts down");
    let why = AddRefusal::ShuttingDown;
    assert!(matches!(&error, AddAllError::Refused { why: found, .. } if *found == why));
    assert_eq!(names(&error.into_specs()), ["x", "y"]);
    let refused = refusals(&supervisor, &probe).await;
    assert_eq!(refused[0], (2, "late".to_owned(), why));
    assert_eq!(refused.len(), 3);

    let list = supervisor.list().await.expect("it has not ended");
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].phase, TaskPhase::Stopping);
    let reply = slow.cancel().await.expect("it has not ended");
    assert!(!reply.asked_by_this_call, "the shutdown asked first");
    assert_eq!(shutdown.await.ended.len(), 1);
}

struct Deaf;

impl Actor for Deaf {
    type Context = Context<Self>;
}

impl Handler<Lifecycle> for Deaf {
    type Result = ();

    fn handle(&mut self, _: Lifecycle, _: &mut Self::Context) {}
}

/// Uses every method of a handle whose supervisor has ended.
async fn use_after_the_end(supervisor: &SupervisorHandle, past: &TaskHandle) {
    let error = supervisor.add(idle("a").max_retries(3)).await.expect_err("it has ended");
    assert!(matches!(error, AddError::ShuttingDown { .. }), "{error:?}");
    assert_eq!(error.into_spec().expect("it comes back").name(), "a");

    let error = supervisor.add_all(["a", "b", "c"].map(idle)).await.expect_err("it has ended");
    let why = AddRefusal::ShuttingDown;
    assert!(matches!(&error, AddAllError::Refused { why: found, .. } if *found == why));
    assert_eq!(names(&error.into_specs()), ["a", "b", "c"]);

    match supervisor.run(["a", "b"].map(idle)).await {
        Err(RunError::Add(error)) => assert_eq!(names(&error.into_specs()), ["a", "b"]),
        other => panic!("{other:?}"),
    }

    let ended = StopError::ShuttingDown;
    assert_eq!(supervisor.cancel("nobody").await.expect_err("it has ended"), ended);
    assert_eq!(supervisor.cancel_all_within(secs(1)).await.expect_err("it has ended"), ended);
    let reply = past.cancel().await.expect("its outcome is known");
    assert_eq!(reply.outcome().map(TaskOutcome::label), Some("completed"));

    let ended = QueryError::ShuttingDown;
    assert_eq!(supervisor.list().await.expect_err("it has ended"), ended);
    assert_eq!(supervisor.status("past").await.expect_err("it has ended"), ended);
    assert_eq!(supervisor.find("past").await.expect_err("it has ended"), ended);
    assert_eq!(supervisor.contains(past.id()).await.expect_err("it has ended"), ended);
    assert_eq!(supervisor.is_empty().await.expect_err("it has ended"), ended);

    let error = supervisor.subscribe(|_event: &Event| {}).await.expect_err("it has ended");
    assert!(matches!(error, SubscribeError::ShuttingDown), "{error:?}");
    let recipient = Deaf.start().recipient::<Lifecycle>();
    let error = supervisor.subscribe(recipient).await.expect_err("it has ended");
    assert!(matches!(error, SubscribeError::ShuttingDown), "{error:?}");

    supervisor.wait_until_empty().await;
    supervisor.events_delivered().await.expect("every subscription has had its last delivery");
    assert!(past.outcome().after_events(secs(1)).await.is_success());
}

#[actix::test]
async fn after_the_end_every_call_returns_with_what_was_lent() {
    pause();
    for fails_fast in [false, true] {
        let supervisor = current_with(|builder| builder.fail_fast(fails_fast).command_capacity(1));
        let past = add(&supervisor, counting("past", &Counter::default())).await;
        within("its end", past.removed()).await;
        let first = supervisor.shutdown().await;
        within("all calls", use_after_the_end(&supervisor, &past)).await;
        let again = within("the same report", supervisor.shutdown()).await;
        assert_eq!(again.took, first.took);
    }
}

// Real time: the supervisor has threads of its own.
#[actix::test]
async fn after_the_end_of_its_threads_every_call_returns_with_what_was_lent() {
    let supervisor = dedicated();
    let past = add(&supervisor, counting("past", &Counter::default())).await;
    within("its end", past.removed()).await;
    within("the shutdown", supervisor.shutdown()).await;
    within("all calls", use_after_the_end(&supervisor, &past)).await;
}

// As before, but with most of them still waiting for room when the supervisor ends.
#[actix::test]
async fn adds_that_wait_for_room_when_the_supervisor_ends_are_refused_and_come_back() {
    pause();
    let supervisor = current_with(|builder| builder.command_capacity(1));
    let adds = (0..20).map(|number| supervisor.add(idle(&format!("task {number}"))));
    let mut adds: Vec<_> = adds.map(Box::pin).collect();
    for add in &mut adds {
        assert!(add.as_mut().now_or_never().is_none());
    }
    within("the end", supervisor.shutdown()).await;
    let answers = within("all answers", join_all(adds)).await;
    for (number, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(task) => assert_eq!((number, task.outcome().await.label()), (0, "canceled")),
            Err(error @ AddError::ShuttingDown { .. }) => {
                let spec = error.into_spec().expect("it comes back");
                assert_eq!(spec.name(), format!("task {number}"));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[actix::test]
async fn adds_that_race_with_a_shutdown_are_decided_one_way_or_the_other() {
    pause();
    for before in 0..20 {
        let supervisor = current();
        let mut adds: Vec<_> = (0..40)
            .map(|number| Box::pin(supervisor.add(idle(&format!("task {number}")))))
            .collect();
        for add in adds.iter_mut().take(before) {
            assert!(add.as_mut().now_or_never().is_none());
        }
        let mut shutdown = Box::pin(supervisor.shutdown());
        assert!(shutdown.as_mut().now_or_never().is_none());
        let answers = within("all answers", join_all(adds)).await;
        let report = within("the report", shutdown).await;
        // "Commands accepted before it are decided; later ones get `ShuttingDown`."
        for (number, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(task) => {
                    assert!(number < before);
                    assert_eq!(task.outcome().await.label(), "canceled");
                }
                Err(AddError::ShuttingDown { .. }) => assert!(number >= before),
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(report.ended.len(), before);
    }
}

// ---- run ----

#[actix::test]
async fn run_adds_waits_until_all_tasks_are_gone_and_shuts_down() {
    pause();
    let supervisor = current();
    let earlier = TaskSpec::once("earlier", async |_ctx| {
        sleep(secs(7)).await;
        Ok(())
    });
    let earlier = add(&supervisor, earlier).await;
    let probe = probed(&supervisor).await;
    let runs = Counter::default();
    let failing = TaskSpec::once("failing", async |_ctx| Err(TaskError::failed("no luck")));
    let began = Instant::now();
    let specs = [counting("a", &runs), counting("b", &runs), failing];
    let report = within("the run", supervisor.run(specs)).await.expect("nothing is refused");
    assert!(began.elapsed() >= secs(7), "the earlier one counts as well");
    assert!(earlier.outcome().await.is_success());
    assert_eq!((runs.get(), report.cause), (2, ShutdownCause::Requested));
    assert!(report.is_clean() && report.ended.is_empty(), "{report}");
    // lesson 4
    let events = probe.events();
    let last = events.last().map(|event| event.kind.event_type());
    assert_eq!(last, Some(EventType::AllStoppedWithinGrace));
    assert_eq!(probe.count(EventType::TaskRemoved), 4);
}

#[actix::test]
async fn run_of_nothing_shuts_down_at_once() {
    pause();
    let report = current().run([]).await.expect("nothing is refused");
    assert!(report.is_clean() && report.took == Duration::ZERO, "{report}");
}

#[actix::test]
async fn a_refused_run_gives_the_specs_back_and_the_supervisor_goes_on() {
    pause();
    let supervisor = current();
    let task = add(&supervisor, idle("taken")).await;
    match supervisor.run(["a", "taken"].map(idle)).await {
        Err(RunError::Add(error)) => {
            assert!(matches!(error, AddAllError::Refused { index: 1, .. }), "{error:?}");
            assert_eq!(names(&error.into_specs()), ["a", "taken"]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(task.status().phase, TaskPhase::Running);
    add(&supervisor, idle("a")).await;
}

#[actix::test]
async fn a_shutdown_from_elsewhere_ends_a_run() {
    pause();
    let supervisor = current();
    let run = supervisor.run(["a", "b"].map(idle));
    let stop = async {
        sleep(secs(3)).await;
        supervisor.shutdown().await
    };
    let (run, stop) = within("both", futures::future::join(run, stop)).await;
    let report = run.expect("nothing is refused");
    assert_eq!((report.ended.len(), report.took), (2, stop.took));
}
