//! Both preludes side by side: every name of both can be used, and none is ambiguous.
#![cfg(feature = "test-util")]

use actix::prelude::*;
use actix_taskvisor::prelude::*;

/// A type that can be named here.
fn named<T>() {
    let _: Option<T> = None;
}

// --- actix's -----------------------------------------------------------------------------------

#[derive(Message)]
#[rtype(result = "Reply")]
struct Question;

#[derive(MessageResponse)]
struct Reply(u32);

#[derive(Default)]
struct Oracle;

impl Actor for Oracle {
    type Context = Context<Self>;
}

impl Supervised for Oracle {}
impl SystemService for Oracle {}
impl ArbiterService for Oracle {}

impl Handler<Question> for Oracle {
    type Result = Reply;

    fn handle(&mut self, _: Question, _: &mut Context<Self>) -> Reply {
        Reply(42)
    }
}

impl StreamHandler<u32> for Oracle {
    fn handle(&mut self, _: u32, _: &mut Context<Self>) {}
}

impl actix::io::WriteHandler<std::io::Error> for Oracle {}

struct Blocking;

impl Actor for Blocking {
    type Context = SyncContext<Self>;
}

#[allow(deprecated, reason = "the name is still in actix's prelude")]
fn actix_types() {
    named::<Arbiter>();
    named::<ArbiterHandle>();
    named::<System>();
    named::<SystemRunner>();
    named::<Condition<()>>();
    named::<ActorState>();
    named::<Running>();
    named::<SpawnHandle>();
    named::<Addr<Oracle>>();
    named::<MailboxError>();
    named::<Recipient<Question>>();
    named::<RecipientRequest<Question>>();
    named::<Request<Oracle, Question>>();
    named::<SendError<Question>>();
    named::<Context<Oracle>>();
    named::<AtomicResponse<Oracle, Reply>>();
    named::<MessageResult<Question>>();
    named::<Response<Reply>>();
    named::<ResponseActFuture<Oracle, Reply>>();
    named::<ResponseFuture<Reply>>();
    named::<Supervisor<Oracle>>();
    named::<SyncArbiter<Blocking>>();
    named::<SyncContext<Blocking>>();
    named::<IntervalFunc<Oracle>>();
    named::<TimerFunc<Oracle>>();
    named::<dev::OneshotSender<()>>();
    named::<fut::Ready<()>>();
    named::<actors::mocker::Mocker<Oracle>>();
    named::<ActorResponse<Oracle, Reply>>();
    named::<io::Writer<tokio::io::DuplexStream, std::io::Error>>();
}

fn actix_services<A>()
where
    A: Actor + Supervised + SystemService + ArbiterService + StreamHandler<u32>,
{
}

#[expect(dead_code, reason = "its bounds are compiled, which is all that is asked of it")]
fn actix_traits<A, C, F, N, S, T, M>()
where
    A: Actor<Context = C>,
    C: ActorContext + AsyncContext<A>,
    F: ActorFuture<Oracle> + ActorFutureExt<Oracle>,
    F: ActorTryFuture<Oracle> + ActorTryFutureExt<Oracle>,
    N: ContextFutureSpawner<Oracle>,
    S: ActorStream<Oracle> + ActorStreamExt<Oracle> + Stream,
    T: WrapFuture<Oracle> + WrapStream<Oracle>,
    M: Message<Result = Reply>,
    Oracle: Handler<M>,
{
}

// --- ours ---------------------------------------------------------------------------------------

fn our_types() {
    named::<ActError>();
    named::<ActReply>();
    named::<AttemptEnd>();
    named::<AttemptRecord>();
    named::<DelayReason>();
    named::<Operator>();
    named::<OperatorVerb>();
    named::<PlannedAttempt>();
    named::<Readiness>();
    named::<AddAllError>();
    named::<AddError>();
    named::<AddRefusal>();
    named::<AttemptStop>();
    named::<BackoffError>();
    named::<BackoffPolicy>();
    named::<BackoffSource>();
    named::<Broker>();
    named::<CancelAllReport>();
    named::<CancelCause>();
    named::<CancelEnd>();
    named::<CancelReply>();
    named::<Cancelling>();
    named::<Event>();
    named::<EventFilter>();
    named::<EventKind>();
    named::<EventType>();
    named::<EventsPending>();
    named::<Failure>();
    named::<FailureKind>();
    named::<InvalidSpec>();
    named::<Jitter>();
    named::<Lifecycle>();
    named::<LifecycleBatch>();
    named::<LogSubscriber>();
    named::<OutcomeWait>();
    named::<Placement>();
    named::<QueryError>();
    named::<RestartPolicy>();
    named::<RunError>();
    named::<Severity>();
    named::<ShutdownCause>();
    named::<ShutdownReport>();
    named::<StartError>();
    named::<StopError>();
    named::<SubscribeError>();
    named::<Subscription>();
    named::<SubscriptionSpec>();
    named::<SupervisorBuilder>();
    named::<SupervisorHandle>();
    named::<TaskActor>();
    named::<TaskContext>();
    named::<TaskDefaults>();
    named::<TaskError>();
    named::<TaskHandle>();
    named::<TaskId>();
    named::<TaskOutcome>();
    named::<TaskPhase>();
    named::<TaskRef>();
    named::<TaskResult>();
    named::<TaskSpec>();
    named::<TaskStatus>();
    named::<TaskSupervisor>();
    named::<TaskTarget>();
    named::<Admission>();
    named::<RejectionKind>();
    named::<SlotScope>();
    named::<SlotState>();
    named::<SlotStatus>();
    named::<SlotWaiter>();
    named::<Submission>();
    named::<SubmissionHandle>();
    named::<SubmitError>();
    named::<WhenBusy>();
    named::<WeakSupervisorHandle>();
}

fn our_traits<T: Task, S: Subscribe>() {}

struct Deaf;

impl Subscribe for Deaf {
    fn on_event(&mut self, _: &Event) {}
}

struct Brief;

impl Task for Brief {
    async fn run(&mut self, _: TaskContext) -> TaskResult {
        Ok(())
    }
}

// Promised: "no ambiguous name (so no public `Supervisor`, `Registry`, `Context`, `Message` in ours)".
#[actix::test]
async fn both_preludes_are_used_side_by_side_in_one_program() {
    actix_types();
    actix_services::<Oracle>();
    our_types();
    our_traits::<Brief, Deaf>();
    let supervisor = TaskSupervisor::builder().placement(Placement::Current).start().expect("here");
    let oracle = Oracle.start();
    let asks = oracle.clone();
    let spec = TaskSpec::new("asks", async move |_: TaskContext| {
        let Reply(answer) = asks.send(Question).await?;
        assert_eq!(answer, 42);
        Ok(())
    });
    let task = supervisor.add(spec).await.expect("added");
    assert!(task.outcome().await.is_success());
    assert!(oracle.connected());
}

/// The names that a prelude's source exports, by reading it: so that a new one is not forgotten here.
fn exported(source: &str) -> Vec<&str> {
    let list = source.split_once("pub use crate::{").expect("one list").1;
    let list = list.split_once("};").expect("its end").0;
    let names = list.split([',', '{', '}', '\n', ' ']).map(str::trim);
    names.filter(|name| name.starts_with(char::is_uppercase)).collect()
}

#[test]
fn every_name_of_our_prelude_is_mentioned_here() {
    let ours = exported(include_str!("../src/prelude.rs"));
    assert!(ours.len() > 50, "{ours:?}");
    let here = include_str!("prelude.rs");
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let words: std::collections::HashSet<&str> = here.split(|c| !is_word(c)).collect();
    for name in ours {
        assert!(words.contains(name), "{name} is not mentioned");
    }
}

#[test]
fn our_prelude_takes_no_name_that_actix_s_has() {
    let taken = ["Supervisor", "Registry", "Context", "Message", "Actor", "Handler", "Response"];
    let ours = exported(include_str!("../src/prelude.rs"));
    assert!(taken.iter().all(|name| !ours.contains(name)), "{ours:?}");
}
