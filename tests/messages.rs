//! An application's own actors drive a supervisor by messages alone.
#![cfg(feature = "test-util")]

mod common;

use std::{
    sync::{Arc, Mutex, mpsc},
    task::{Context as PollContext, Wake, Waker},
    time::Duration,
};

use actix::prelude::*;
use actix_taskvisor::{
    Probe, Registry,
    messages::{
        AddTask, AddTasks, Cancel, CancelAll, CancelTask, CurrentStatus, FindTask, ShutDown,
        TaskList,
    },
    prelude::*,
};
use common::*;

fn idle(name: &'static str) -> TaskSpec {
    TaskSpec::new(name, async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    })
}

fn deaf(name: &'static str) -> TaskSpec {
    TaskSpec::new(name, async |_| std::future::pending().await)
}

fn names(tasks: &[TaskHandle]) -> Vec<&str> {
    tasks.iter().map(TaskHandle::name).collect()
}

// --- to Addr<Registry> --------------------------------------------------------------------------

#[actix::test]
async fn a_task_is_added_and_refused_by_message() {
    tokio::time::pause();
    let supervisor = current();
    let registry: Addr<Registry> = supervisor.addr();
    let task = registry.send(AddTask(idle("job"))).await.expect("running").expect("accepted");
    assert_eq!((task.name(), task.id().get()), ("job", 1));
    let refused = registry.send(AddTask(idle("job"))).await.expect("running");
    let Err(error) = refused else { panic!("{refused:?}") };
    assert!(matches!(error, AddError::AlreadyExists { owner, .. } if owner == task.id()));
    let spec = error.into_spec().expect("lent");
    assert_eq!(spec.name(), "job");
    assert_eq!(names(&registry.send(TaskList).await.expect("running")), ["job"]);
}

#[actix::test]
async fn tasks_are_added_all_or_none_by_message() {
    tokio::time::pause();
    let supervisor = current();
    let registry = supervisor.addr();
    let both = AddTasks(vec![idle("a"), idle("b")]);
    let tasks = registry.send(both).await.expect("running").expect("accepted");
    assert_eq!(names(&tasks), ["a", "b"]);
    let clash = AddTasks(vec![idle("c"), idle("a")]);
    let refused = registry.send(clash).await.expect("running");
    let Err(error) = refused else { panic!("{refused:?}") };
    assert!(matches!(&error, AddAllError::Refused { index: 1, name, .. } if name == "a"));
    assert_eq!(error.into_specs().len(), 2);
    assert_eq!(names(&registry.send(TaskList).await.expect("running")), ["a", "b"]);
}

// `CancelTask`: "The reply comes at once; `Cancelling::end` waits for the end."
#[actix::test]
async fn a_task_is_canceled_by_message_and_its_end_waited_for_by_the_reply() {
    tokio::time::pause();
    let supervisor = current();
    let registry = supervisor.addr();
    let slow = TaskSpec::new("slow", async |ctx: TaskContext| {
        ctx.cancelled().await;
        tokio::time::sleep(secs(1)).await;
        Ok(())
    });
    let task = supervisor.add(slow).await.expect("added");
    tokio::time::sleep(ms(1)).await;
    let began = tokio::time::Instant::now();
    let by_name = registry.send(CancelTask::new("slow")).await.expect("running").expect("there");
    let by_id = registry.send(CancelTask::new(task.id())).await.expect("running").expect("there");
    let again = registry.send(CancelTask::new(&task)).await.expect("running").expect("there");
    assert_eq!(began.elapsed(), Duration::ZERO, "the replies came at once");
    assert!(by_name.asked_by_this_call());
    assert!(!by_id.asked_by_this_call() && !again.asked_by_this_call());
    assert_eq!(by_id.task().id(), task.id());
    let (one, two) = tokio::join!(by_name.end(), by_id.end());
    assert!(began.elapsed() >= secs(1));
    for reply in [one, two] {
        assert!(matches!(reply.end, CancelEnd::Physical(TaskOutcome::Canceled { .. })));
    }
    let ended = registry.send(CancelTask::new("slow")).await.expect("running").expect("history");
    assert!(!ended.asked_by_this_call());
    assert!(matches!(ended.end().await.end, CancelEnd::Physical(_)));
    let unknown = registry.send(CancelTask::new("nobody")).await.expect("running");
    assert!(matches!(unknown, Err(StopError::NotFound { .. })));
}

#[actix::test]
async fn a_cancelling_that_is_dropped_cancels_all_the_same() {
    tokio::time::pause();
    let supervisor = current();
    let task = supervisor.add(idle("job")).await.expect("added");
    drop(supervisor.addr().send(CancelTask::new("job")).await.expect("running"));
    assert_eq!(within("the end", task.removed()).await.label(), "canceled");
}

#[actix::test]
async fn all_tasks_are_canceled_by_message_each_within_its_own_grace_or_the_one_given() {
    tokio::time::pause();
    let supervisor = current();
    let registry = supervisor.addr();
    for (within, expected) in [(None, secs(5)), (Some(ms(100)), ms(100))] {
        supervisor.add_all([idle("obeys"), deaf("deaf")]).await.expect("added");
        tokio::time::sleep(ms(1)).await;
        let began = tokio::time::Instant::now();
        let all = registry.send(CancelAll { within }).await.expect("running");
        assert!(all.iter().all(Cancelling::asked_by_this_call));
        let mut labels = Vec::new();
        for cancelling in &all {
            let reply = cancelling.end().await;
            labels.push(reply.outcome().map(TaskOutcome::label).expect("it is over"));
        }
        assert_eq!(labels, ["canceled", "force_aborted"]);
        let took = began.elapsed();
        assert!(took >= expected && took <= expected + ms(2), "{took:?}");
    }
    assert!(registry.send(CancelAll::default()).await.expect("running").is_empty());
}

#[actix::test]
async fn a_task_is_found_by_message_alive_or_in_the_history() {
    tokio::time::pause();
    let supervisor = current();
    let registry = supervisor.addr();
    let find = async |target: TaskTarget| registry.send(FindTask::new(target)).await;
    assert!(find("job".into()).await.expect("running").is_none());
    let task = supervisor.add(idle("job")).await.expect("added");
    for target in [TaskTarget::from("job"), task.id().into(), (&task).into()] {
        let found = find(target).await.expect("running").expect("alive");
        assert_eq!(found.id(), task.id());
    }
    task.cancel().await.expect("there");
    let found = find("job".into()).await.expect("running").expect("in the history");
    assert!(found.status().is_removed);
    let second = supervisor.add(idle("job")).await.expect("the name is free");
    let found = find("job".into()).await.expect("running").expect("alive");
    assert_eq!(found.id(), second.id());
}

// `ShutDown`: "without waiting for the report. A second one changes nothing."
#[actix::test]
async fn a_supervisor_is_shut_down_by_message() {
    tokio::time::pause();
    let supervisor = current();
    let registry = supervisor.addr();
    let slow = TaskSpec::new("slow", async |ctx: TaskContext| {
        ctx.cancelled().await;
        tokio::time::sleep(secs(1)).await;
        Ok(())
    });
    let task = supervisor.add(slow).await.expect("added");
    tokio::time::sleep(ms(1)).await;
    let began = tokio::time::Instant::now();
    for _ in 0..2 {
        assert_eq!(registry.send(ShutDown::default()).await, Ok(()));
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    let refused = registry.send(AddTask(idle("late"))).await.expect("still there");
    assert!(matches!(refused, Err(AddError::ShuttingDown { .. })));
    let report = supervisor.shutdown().await;
    assert_eq!(report.cause, ShutdownCause::Requested);
    assert!(report.is_clean(), "{report}");
    assert_eq!(task.outcome().await.label(), "canceled");
    assert!(!registry.connected());
}

// "after the end of the supervisor … `send` answers `MailboxError::Closed`".
#[actix::test]
async fn the_address_of_a_supervisor_that_has_ended_is_closed() {
    tokio::time::pause();
    let supervisor = current();
    let registry = supervisor.addr();
    supervisor.shutdown().await;
    let closed = |error: MailboxError| assert_eq!(error, MailboxError::Closed);
    closed(registry.send(AddTask(idle("job"))).await.expect_err("it is over"));
    closed(registry.send(AddTasks(vec![idle("job")])).await.expect_err("it is over"));
    closed(registry.send(CancelTask::new("job")).await.expect_err("it is over"));
    closed(registry.send(CancelAll::default()).await.expect_err("it is over"));
    closed(registry.send(TaskList).await.expect_err("it is over"));
    closed(registry.send(FindTask::new("job")).await.expect_err("it is over"));
    closed(registry.send(ShutDown::default()).await.expect_err("it is over"));
}

// Promised: "Last owner: `SupervisorHandle` only."
#[actix::test]
async fn an_address_does_not_keep_the_supervisor_alive() {
    tokio::time::pause();
    let supervisor = current();
    let registry = supervisor.addr();
    let task = supervisor.add(idle("job")).await.expect("added");
    let addr = task.addr();
    drop(supervisor);
    assert_eq!(within("the end", task.removed()).await.label(), "canceled");
    tokio::time::sleep(ms(1)).await;
    assert!(!registry.connected());
    assert!(!addr.connected());
}

// The messages of a handle and those of an application meet in one mailbox: none is special.
#[actix::test]
async fn commands_by_handle_and_by_message_are_handled_in_the_order_in_which_they_were_sent() {
    tokio::time::pause();
    let supervisor = current();
    let registry = supervisor.addr();
    // A handle sends its command at the first poll, an address at the call.
    let mut first = Box::pin(supervisor.add(idle("a")));
    assert!(futures::future::FutureExt::now_or_never(first.as_mut()).is_none());
    let second = registry.send(AddTask(idle("b")));
    let mut third = Box::pin(supervisor.add(idle("c")));
    assert!(futures::future::FutureExt::now_or_never(third.as_mut()).is_none());
    let canceled = registry.send(CancelTask::new("c"));
    let (first, second, third, canceled) = tokio::join!(first, second, third, canceled);
    let ids = [
        first.expect("added").id(),
        second.expect("running").expect("added").id(),
        third.expect("added").id(),
    ];
    assert_eq!(ids.map(TaskId::get), [1, 2, 3]);
    assert!(canceled.expect("running").expect("there").asked_by_this_call());
}

// "messages sent straight to an `Addr` are outside that bound".
#[actix::test]
async fn messages_to_the_address_are_not_counted_by_the_bound_on_commands() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.command_capacity(1).fail_fast(true));
    let registry = supervisor.addr();
    let sends: Vec<_> = (0..100).map(|_| registry.send(TaskList)).collect();
    let (one, two) = tokio::join!(supervisor.list(), supervisor.list());
    assert!(one.is_ok());
    assert_eq!(two.err(), Some(QueryError::CommandQueueFull { capacity: 1 }));
    for send in sends {
        assert!(send.await.is_ok());
    }
}

// "dropping the future of `send` before the message was handled cancels the message" (what actix
// does); the handle's methods have no such trait (lesson 13).
#[actix::test]
async fn a_command_by_handle_is_carried_out_though_nobody_waits_and_one_by_message_is_not() {
    tokio::time::pause();
    let supervisor = current();
    let registry = supervisor.addr();
    {
        let by_handle = std::pin::pin!(supervisor.add(idle("by handle")));
        assert!(futures::future::FutureExt::now_or_never(by_handle).is_none());
        let by_message = registry.send(AddTask(idle("by message")));
        assert!(futures::future::FutureExt::now_or_never(by_message).is_none());
        registry.do_send(AddTask(idle("sent off")));
    }
    let tasks = registry.send(TaskList).await.expect("running");
    assert_eq!(names(&tasks), ["by handle", "sent off"]);
}

#[actix::test]
async fn a_recipient_of_one_command_is_enough_to_use_it() {
    tokio::time::pause();
    let supervisor = current();
    let adds: Recipient<AddTask> = supervisor.addr().recipient();
    let task = adds.send(AddTask(idle("job"))).await.expect("running").expect("accepted");
    let cancels: Recipient<Cancel> = task.addr().recipient();
    assert_eq!(cancels.send(Cancel).await, Ok(()));
    assert_eq!(within("the end", task.removed()).await.label(), "canceled");
}

// --- to Addr<TaskActor> -------------------------------------------------------------------------

#[actix::test]
async fn a_task_is_canceled_by_a_message_to_itself() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("running");
    let task = supervisor.add(idle("job")).await.expect("added");
    let addr: Addr<TaskActor> = task.addr();
    assert_eq!(addr.send(Cancel).await, Ok(()));
    // A second one does no harm.
    let _ = addr.send(Cancel).await;
    let outcome = within("the end", task.removed()).await;
    let cause = match outcome {
        TaskOutcome::Canceled { cause, failure: None } => cause,
        other => panic!("{other:?}"),
    };
    assert_eq!(cause, CancelCause::User);
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    assert_eq!(probe.count(EventType::TaskRemoveRequested), 1);
}

#[actix::test]
async fn a_task_that_is_deaf_is_forced_after_a_message_to_itself() {
    tokio::time::pause();
    let supervisor = current();
    let task = supervisor.add(deaf("deaf").grace(ms(100))).await.expect("added");
    tokio::time::sleep(ms(1)).await;
    let began = tokio::time::Instant::now();
    task.addr().do_send(Cancel);
    assert_eq!(within("the end", task.removed()).await.label(), "force_aborted");
    assert!(began.elapsed() >= ms(100) && began.elapsed() <= ms(102));
}

#[actix::test]
async fn a_task_tells_its_status_by_message_in_each_phase() {
    tokio::time::pause();
    let supervisor = current();
    let spec = TaskSpec::new("job", async |ctx: TaskContext| match ctx.attempt() {
        1 => Err(TaskError::failed("no")),
        _ => {
            ctx.cancelled().await;
            tokio::time::sleep(secs(1)).await;
            Ok(())
        }
    })
    .backoff(every(secs(1)));
    let task = supervisor.add(spec).await.expect("added");
    let addr = task.addr();
    let phase = async || {
        let status = addr.send(CurrentStatus).await.expect("alive");
        assert_eq!(status.task, *task.task());
        (status.phase, status.attempt)
    };
    tokio::time::sleep(ms(1)).await;
    assert_eq!(phase().await, (TaskPhase::BackingOff, 1));
    tokio::time::sleep(secs(2)).await;
    assert_eq!(phase().await, (TaskPhase::Running, 2));
    addr.send(Cancel).await.expect("alive");
    tokio::time::sleep(ms(1)).await;
    assert_eq!(phase().await, (TaskPhase::Stopping, 2));
}

// Lesson 25: a reference that works for all attempts.
#[actix::test]
async fn an_address_of_a_task_is_good_for_all_its_attempts() {
    tokio::time::pause();
    let supervisor = current();
    let spec = TaskSpec::periodic("job", ms(10), async |_| Ok(()));
    let task = supervisor.add(spec).await.expect("added");
    let addr = task.addr();
    let mut last = 0;
    for _ in 0..20 {
        tokio::time::sleep(ms(30)).await;
        let status = addr.send(CurrentStatus).await.expect("alive");
        assert!(status.attempt > last);
        last = status.attempt;
    }
    addr.do_send(Cancel);
    assert_eq!(within("the end", task.removed()).await.label(), "canceled");
}

#[actix::test]
async fn the_address_of_a_task_that_is_over_is_closed() {
    tokio::time::pause();
    let supervisor = current();
    let task = supervisor.add(idle("job")).await.expect("added");
    let before = task.addr();
    task.cancel().await.expect("there");
    tokio::time::sleep(ms(1)).await;
    for addr in [before, task.addr()] {
        assert!(!addr.connected());
        assert_eq!(addr.send(Cancel).await, Err(MailboxError::Closed));
        assert_eq!(addr.send(CurrentStatus).await.err(), Some(MailboxError::Closed));
    }
}

#[actix::test]
async fn a_task_knows_its_own_address() {
    tokio::time::pause();
    let supervisor = current();
    let spec = TaskSpec::new("job", async |ctx: TaskContext| {
        let addr = ctx.addr().upgrade().expect("it is running");
        let status = addr.send(CurrentStatus).await?;
        assert_eq!((status.phase, status.task.id()), (TaskPhase::Running, ctx.id()));
        addr.send(Cancel).await?;
        ctx.cancelled().await;
        Ok(())
    });
    let task = supervisor.add(spec).await.expect("added");
    assert_eq!(within("the end", task.removed()).await.label(), "canceled");
}

#[actix::test]
async fn the_address_that_a_context_gives_after_the_end_is_nobodys() {
    tokio::time::pause();
    let supervisor = current();
    let (tell, told) = tokio::sync::oneshot::channel();
    let mut tell = Some(tell);
    let spec = TaskSpec::new("job", async move |ctx: TaskContext| {
        assert_eq!(ctx.addr(), ctx.addr());
        tell.take().expect("one attempt").send((ctx.clone(), ctx.addr())).expect("waited for");
        Ok(())
    });
    let task = supervisor.add(spec).await.expect("added");
    let (ctx, own) = within("the start", told).await.expect("told");
    within("the end", task.removed()).await;
    assert!(own.upgrade().is_none() && ctx.addr().upgrade().is_none());
    // What is left of a mailbox stays in memory for as long as its address does: no handle keeps it.
    assert_ne!(ctx.addr(), own);
}

// --- an address is made when somebody asks for it ------------------------------------------------

/// A task that keeps its thread until it is let go, and then goes on or ends.
fn holds_its_thread(goes_on: bool) -> (TaskSpec, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (tell, begun) = mpsc::channel();
    let (let_go, held) = mpsc::channel();
    let spec = TaskSpec::once("job", async move |ctx: TaskContext| {
        tell.send(()).expect("somebody waits");
        held.recv().expect("it is let go");
        if goes_on {
            ctx.cancelled().await;
        }
        Ok(())
    });
    (spec, begun, let_go)
}

#[actix::test]
async fn what_is_sent_while_a_task_holds_its_thread_is_answered_when_it_lets_go() {
    let supervisor = dedicated();
    let (spec, begun, let_go) = holds_its_thread(true);
    let task = supervisor.add(spec).await.expect("added");
    begun.recv().expect("it begins");
    let status = task.addr().send(CurrentStatus);
    assert_eq!(task.addr(), task.addr(), "whoever asks later gets the same");
    let_go.send(()).expect("it waits");
    let status = within("the answer", status).await.expect("alive");
    assert_eq!(status.phase, TaskPhase::Running);
    task.addr().do_send(Cancel);
    assert_eq!(within("the end", task.removed()).await.label(), "canceled");
    supervisor.shutdown().await;
}

#[actix::test]
async fn what_is_sent_to_a_task_that_ends_without_another_look_comes_back() {
    let supervisor = dedicated();
    let (spec, begun, let_go) = holds_its_thread(false);
    let task = supervisor.add(spec).await.expect("added");
    begun.recv().expect("it begins");
    let addr = task.addr();
    let status = addr.send(CurrentStatus);
    let_go.send(()).expect("it waits");
    assert_eq!(within("the answer", status).await.err(), Some(MailboxError::Closed));
    assert!(within("the end", task.removed()).await.is_success());
    assert!(!addr.connected());
    supervisor.shutdown().await;
}

/// Keeps whoever wakes it until it is let go.
struct Holds {
    tell: mpsc::Sender<()>,
    let_go: Mutex<mpsc::Receiver<()>>,
}

impl Wake for Holds {
    fn wake(self: Arc<Self>) {
        self.tell.send(()).expect("somebody waits");
        self.let_go.lock().expect("one waker").recv().expect("it is let go");
    }
}

#[actix::test]
async fn the_end_is_told_before_anybody_learns_that_a_task_took_no_message() {
    let supervisor = dedicated();
    let probe = Probe::attach(&supervisor).await.expect("running");
    let (spec, begun, let_go) = holds_its_thread(false);
    let task = supervisor.add(spec).await.expect("added");
    begun.recv().expect("it begins");
    let (tell, told) = mpsc::channel();
    let (go_on, held) = mpsc::channel();
    let waker = Waker::from(Arc::new(Holds { tell, let_go: Mutex::new(held) }));
    let mut status = Box::pin(task.addr().send(CurrentStatus));
    assert!(status.as_mut().poll(&mut PollContext::from_waker(&waker)).is_pending());
    let_go.send(()).expect("it waits");
    told.recv().expect("it is woken");
    supervisor.events_delivered().await.expect("in time");
    let ends = probe.count(EventType::ActorExhausted);
    go_on.send(()).expect("it waits");
    assert_eq!(ends, 1);
    assert_eq!(within("the answer", status).await.err(), Some(MailboxError::Closed));
    supervisor.shutdown().await;
}

#[actix::test]
async fn nobody_who_asks_a_task_that_comes_and_goes_waits_for_ever() {
    let supervisor = dedicated();
    let (mut alive, mut over) = (0, 0);
    for number in 0..500 {
        let spec = TaskSpec::once(format!("job-{number}"), async move |_ctx| {
            // Some are over at their first poll, others a little later.
            for _ in 0..number % 5 {
                tokio::task::yield_now().await;
            }
            Ok(())
        });
        let task = supervisor.add(spec).await.expect("added");
        loop {
            match within("an answer", task.addr().send(CurrentStatus)).await {
                Ok(_) => alive += 1,
                Err(error) => {
                    assert_eq!(error, MailboxError::Closed);
                    over += 1;
                    break;
                }
            }
        }
        assert!(within("the end", task.removed()).await.is_success());
    }
    assert_eq!(over, 500, "and {alive} answers before");
    supervisor.shutdown().await;
}

// --- a program's own actors, from wherever they live --------------------------------------------

/// Keeps one task per tenant, and knows the supervisor by its address only.
struct Tenants {
    registry: Addr<Registry>,
}

impl Actor for Tenants {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "Result<TaskHandle, String>")]
struct Open(&'static str);

#[derive(Message)]
#[rtype(result = "Option<CancelReply>")]
struct Close(&'static str);

#[derive(Message)]
#[rtype(result = "Vec<(String, TaskPhase)>")]
struct Count;

impl Handler<Open> for Tenants {
    type Result = ResponseFuture<Result<TaskHandle, String>>;

    fn handle(&mut self, msg: Open, _: &mut Self::Context) -> Self::Result {
        let added = self.registry.send(AddTask(idle(msg.0)));
        Box::pin(async move {
            let reply = added.await.map_err(|error| error.to_string())?;
            reply.map_err(|error| error.to_string())
        })
    }
}

impl Handler<Close> for Tenants {
    type Result = ResponseFuture<Option<CancelReply>>;

    fn handle(&mut self, msg: Close, _: &mut Self::Context) -> Self::Result {
        let canceled = self.registry.send(CancelTask::new(msg.0));
        Box::pin(async move {
            let cancelling = canceled.await.ok()?.ok()?;
            Some(cancelling.end().await)
        })
    }
}

impl Handler<Count> for Tenants {
    type Result = ResponseActFuture<Self, Vec<(String, TaskPhase)>>;

    fn handle(&mut self, _: Count, _: &mut Self::Context) -> Self::Result {
        let listed = self.registry.send(TaskList).into_actor(self);
        Box::pin(listed.map(|tasks, _, _| {
            let tasks = tasks.unwrap_or_default();
            tasks.iter().map(|task| (task.name().to_owned(), task.status().phase)).collect()
        }))
    }
}

async fn drive(tenants: &Addr<Tenants>) {
    let open = |name| tenants.send(Open(name));
    let a = within("a", open("a")).await.expect("alive").expect("accepted");
    within("b", open("b")).await.expect("alive").expect("accepted");
    let refused = within("a again", open("a")).await.expect("alive");
    assert!(refused.is_err_and(|text| text.contains("held by task #1")));
    let names: Vec<_> = within("the count", tenants.send(Count)).await.expect("alive");
    let names: Vec<_> = names.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "b"]);
    let closed = within("the end", tenants.send(Close("a"))).await.expect("alive");
    let reply = closed.expect("it was there");
    assert!(reply.asked_by_this_call && matches!(reply.end, CancelEnd::Physical(_)));
    assert_eq!(a.status().phase, TaskPhase::Ended);
    assert!(within("nobody", tenants.send(Close("c"))).await.expect("alive").is_none());
    within("the name is free", open("a")).await.expect("alive").expect("accepted");
}

#[actix::test]
async fn an_actor_beside_the_supervisor_drives_it_by_messages() {
    tokio::time::pause();
    let supervisor = current();
    let tenants = Tenants { registry: supervisor.addr() }.start();
    drive(&tenants).await;
}

#[actix::test]
async fn an_actor_drives_a_supervisor_on_other_threads_by_messages() {
    let supervisor = dedicated();
    let tenants = Tenants { registry: supervisor.addr() }.start();
    drive(&tenants).await;
    assert!(within("the end", supervisor.shutdown()).await.is_clean());
}

#[actix::test]
async fn an_actor_on_another_arbiter_drives_a_supervisor_of_either_placement_by_messages() {
    for supervisor in [dedicated(), current()] {
        let arbiter = Arbiter::new();
        let registry = supervisor.addr();
        let tenants = Tenants::start_in_arbiter(&arbiter.handle(), move |_| Tenants { registry });
        drive(&tenants).await;
        assert!(within("the end", supervisor.shutdown()).await.is_clean());
        let refused = within("too late", tenants.send(Open("c"))).await.expect("alive");
        assert!(refused.is_err());
        arbiter.stop();
        arbiter.join().expect("it ends");
    }
}

// A task that supervises others, by the address that it reaches through its own context.
#[actix::test]
async fn a_task_drives_its_own_supervisor_by_messages() {
    let supervisor = dedicated_with(|b| b.placement(Placement::Dedicated { workers: 2 }));
    let spec = TaskSpec::new("parent", async |ctx: TaskContext| {
        let registry = ctx.supervisor().upgrade().ok_or("it is over")?.addr();
        let child = registry.send(AddTask(idle("child"))).await??;
        let cancelling = registry.send(CancelTask::new(&child)).await??;
        let reply = cancelling.end().await;
        assert!(matches!(reply.end, CancelEnd::Physical(_)));
        let own = registry.send(CancelTask::new(ctx.id())).await??;
        assert!(matches!(own.end().await.end, CancelEnd::Pending));
        Ok(())
    });
    let task = supervisor.add(spec).await.expect("added");
    let outcome = within("the end", task.removed()).await;
    assert!(matches!(outcome, TaskOutcome::Canceled { failure: None, .. }), "{outcome:?}");
}
