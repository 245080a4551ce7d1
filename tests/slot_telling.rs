//! How the events of slots are written, weighed and filtered: their text, their severity, their fields as JSON;
//! and that nothing depends on anybody hearing them.
#![cfg(feature = "test-util")]

mod common;
#[path = "common/slots.rs"]
mod kit;

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use actix::prelude::*;
use actix_taskvisor::{Probe, prelude::*};
use common::*;
use kit::*;

fn debounce(quiet: Duration) -> WhenBusy {
    WhenBusy::Debounce { quiet, max_wait: secs(3600) }
}

/// One of each: an owner `a`, `b` queued, `c` attached, `d` refused, `e` too late, at last the end of all.
async fn one_of_each(supervisor: &SupervisorHandle) {
    submit(supervisor, for_k(idle("a"), WhenBusy::Queue)).await;
    submit(supervisor, for_k(idle("b"), WhenBusy::Queue)).await;
    submit(supervisor, for_k(quick("c"), WhenBusy::Attach)).await;
    refused(supervisor, for_k(quick("d"), WhenBusy::DropIfRunning)).await;
    let late = submit(supervisor, for_k(quick("e"), WhenBusy::Queue).max_wait(ms(1_500))).await;
    late.removed().await;
    supervisor.shutdown().await;
}

fn of_slots(events: &[Event]) -> impl Iterator<Item = &Event> {
    let types = [EventType::SlotSubmitted, EventType::SlotRejected, EventType::SlotTransition];
    events.iter().filter(move |event| types.contains(&event.kind.event_type()))
}

#[actix::test]
async fn the_text_of_a_slots_events_names_the_slot_the_policy_and_the_decision() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("running");
    one_of_each(&supervisor).await;
    let texts: Vec<_> = of_slots(&probe.events()).map(Event::to_string).collect();
    let owner = TaskId::from_number(1).expect("not zero");
    let busy = RejectionKind::SlotBusy { owner };
    let late = RejectionKind::QueueTimeout { max_wait: ms(1_500) };
    let busy = format!("slot_rejected d (#4) slot=k: {busy}");
    let late = format!("slot_rejected e (#5) slot=k: {late}");
    assert!(busy.contains("task #1 owns it") && late.contains("max_wait = 1.5s"), "{busy}, {late}");
    let expected = [
        "slot_submitted a (#1) slot=k when_busy=queue: started",
        "slot_transition a (#1) slot=k from=idle to=running",
        "slot_submitted b (#2) slot=k when_busy=queue: queued at 1",
        "slot_submitted c (#3) slot=k when_busy=attach: attached to #1",
        busy.as_str(),
        "slot_submitted e (#5) slot=k when_busy=queue: queued at 2",
        late.as_str(),
        "slot_rejected b (#2) slot=k: the supervisor is shutting down",
        "slot_transition a (#1) slot=k from=running to=stopping",
        "slot_transition a (#1) slot=k from=stopping to=idle",
    ];
    assert_eq!(texts, expected);
}

#[actix::test]
async fn only_a_limit_a_mistake_or_a_wait_in_vain_is_a_warning() {
    tokio::time::pause();
    let limits = |builder: SupervisorBuilder| builder.max_queued_per_slot(2).max_slots(1);
    let supervisor = current_with(limits);
    let probe = Probe::attach(&supervisor).await.expect("running");
    let by_hand = [
        for_k(quick("full"), WhenBusy::Queue),
        for_k(quick("other"), WhenBusy::Queue).slot("l"),
        for_k(quick(""), WhenBusy::Queue),
        for_k(quick("a"), WhenBusy::Queue).concurrency(7),
        for_k(quick("busy"), WhenBusy::DropIfRunning),
    ];
    submit(&supervisor, for_k(idle("a"), WhenBusy::Queue)).await;
    submit(&supervisor, for_k(quick("b"), WhenBusy::Queue)).await;
    submit(&supervisor, for_k(quick("late"), WhenBusy::Queue).max_wait(ms(5))).await;
    for submission in by_hand {
        refused(&supervisor, submission).await;
    }
    tokio::time::sleep(ms(10)).await;
    submit(&supervisor, for_k(quick("head"), WhenBusy::ReplaceAll)).await;
    supervisor.shutdown().await;
    let events = probe.events();
    for event in of_slots(&events) {
        let expected = match &event.kind {
            EventKind::SlotRejected { kind, .. } => match kind {
                RejectionKind::SlotBusy { .. }
                | RejectionKind::Superseded { .. }
                | RejectionKind::ShuttingDown => Severity::Info,
                _ => Severity::Warn,
            },
            _ => Severity::Debug,
        };
        assert_eq!(event.kind.severity(), expected, "{event}");
        assert!(event.kind.severity() >= event.kind.event_type().severity(), "{event}");
    }
    let warnings = of_slots(&events).filter(|event| event.kind.severity() == Severity::Warn);
    assert_eq!(warnings.count(), 5);
    // Never having run is no failure of the task.
    for event in &events {
        if let EventKind::ActorExhausted { outcome: TaskOutcome::Rejected { .. } } = event.kind {
            assert_eq!(event.kind.severity(), Severity::Info, "{event}");
        }
    }
}

#[cfg(feature = "serde")]
#[actix::test]
async fn a_slots_events_are_flat_objects_with_typed_kinds() {
    use serde_json::{Value, json};
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("running");
    one_of_each(&supervisor).await;
    let events = probe.events();
    let written = |event: &Event| {
        let mut value = serde_json::to_value(event).expect("plain values");
        let fields = value.as_object_mut().expect("an object");
        assert!(fields.remove("seq").is_some() && fields.remove("at").is_some());
        assert_eq!(fields["event"], event.kind.label(), "the tag is the label");
        value
    };
    let values: Vec<Value> = of_slots(&events).map(written).collect();
    let task = |id, name| json!({ "id": id, "name": name });
    let submitted = |task: Value, when_busy, admission: Value| json!({ "event": "slot_submitted", "task": task, "slot": "k", "when_busy": when_busy, "admission": admission });
    let rejected = |task: Value, kind: Value| json!({ "event": "slot_rejected", "task": task, "slot": "k", "kind": kind });
    let expected = [
        submitted(task(1, "a"), "queue", json!("started")),
        json!({ "event": "slot_transition", "task": task(1, "a"), "slot": "k", "from": "idle", "to": "running" }),
        submitted(task(2, "b"), "queue", json!({ "queued": { "position": 1 } })),
        submitted(task(3, "c"), "attach", json!({ "attached": { "to": 1 } })),
        rejected(task(4, "d"), json!({ "slot_busy": { "owner": 1 } })),
        submitted(task(5, "e"), "queue", json!({ "queued": { "position": 2 } })),
    ];
    assert_eq!(values[..6], expected);
    assert_eq!(values[6]["kind"]["queue_timeout"]["max_wait"]["nanos"], 500_000_000);
    assert_eq!(values[7], rejected(task(2, "b"), json!("shutting_down")));
    let end = events
        .iter()
        .find(|event| {
            event.kind.event_type() == EventType::ActorExhausted
                && event.task.as_ref().is_some_and(|task| task.name() == "b")
        })
        .expect("it ended");
    let outcome = json!({ "rejected": { "kind": "shutting_down" } });
    assert_eq!(serde_json::to_value(end).expect("plain values")["outcome"], outcome);
}

#[actix::test]
async fn filters_by_kind_task_and_name_hold_for_a_slots_events() {
    tokio::time::pause();
    let supervisor = current();
    let seen = |filter: EventFilter| {
        let tape = Arc::<Mutex<Vec<String>>>::default();
        let writes = Arc::clone(&tape);
        let write = move |event: &Event| {
            let name = event.task.as_ref().map_or("-", |task| task.name());
            let line = format!("{} {name}", event.kind.label());
            writes.lock().expect("sound").push(line);
        };
        (tape, SubscriptionSpec::from_fn(write).filter(filter))
    };
    let first = submit(&supervisor, for_k(idle("first"), WhenBusy::Queue).slot("l")).await;
    let all = EventFilter::all;
    let rejections = [EventType::SlotRejected];
    let transitions = [EventType::SlotTransition];
    let (rejected, one) = seen(all().kinds(rejections));
    let (moved, two) = seen(all().kinds(transitions).task_named("a"));
    let (by_name, three) = seen(all().task_named("b"));
    let (by_id, four) = seen(all().task(first.id()));
    let (warned, five) = seen(all().kinds(rejections).at_least(Severity::Warn));
    for spec in [one, two, three, four, five] {
        supervisor.subscribe(spec).await.expect("running").detach();
    }
    one_of_each(&supervisor).await;
    let read = |tape: Arc<Mutex<Vec<String>>>| tape.lock().expect("sound").clone();
    let late = "slot_rejected e";
    assert_eq!(read(rejected), ["slot_rejected d", late, "slot_rejected b"]);
    assert_eq!(read(warned), [late]);
    assert_eq!(read(moved), ["slot_transition a"; 3]);
    let life = ["slot_submitted b", "slot_rejected b", "actor_exhausted b", "task_removed b"];
    assert_eq!(read(by_name), life);
    let of_first = read(by_id);
    assert!(of_first.iter().all(|line| line.ends_with(" first")), "{of_first:?}");
    let transitions = of_first.iter().filter(|line| line.starts_with("slot_transition"));
    assert_eq!(transitions.count(), 2, "stopping, then idle");
}

/// Collects what is logged in this process.
struct Collector(Mutex<Vec<(log::Level, String)>>);

impl log::Log for Collector {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.target() == LogSubscriber::TARGET {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push((record.level(), record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

#[actix::test]
async fn the_log_subscriber_writes_a_slots_events_at_their_levels() {
    static COLLECTOR: OnceLock<&'static Collector> = OnceLock::new();
    tokio::time::pause();
    let collector = COLLECTOR.get_or_init(|| {
        let collector: &'static Collector = Box::leak(Box::new(Collector(Mutex::default())));
        log::set_logger(collector).expect("the only one here");
        log::set_max_level(log::LevelFilter::Trace);
        collector
    });
    let supervisor = current();
    let types = [EventType::SlotSubmitted, EventType::SlotRejected, EventType::SlotTransition];
    let filter = EventFilter::all().kinds(types);
    let spec = SubscriptionSpec::from(LogSubscriber::new()).filter(filter);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    let probe = Probe::attach(&supervisor).await.expect("running");
    one_of_each(&supervisor).await;
    let lines = collector.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let texts: Vec<_> = lines.iter().map(|(_, text)| text.clone()).collect();
    assert_eq!(texts, of_slots(&probe.events()).map(Event::to_string).collect::<Vec<_>>());
    use log::Level::{Debug, Info, Warn};
    let levels: Vec<_> = lines.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, [Debug, Debug, Debug, Debug, Info, Debug, Warn, Info, Debug, Debug]);
}

// --- nobody listens -----------------------------------------------------------------------------

/// Keeps every delivery: after the first one, each event is lost.
struct Deaf(Rc<RefCell<Vec<Lifecycle>>>);

impl Actor for Deaf {
    type Context = Context<Self>;
}

impl Handler<Lifecycle> for Deaf {
    type Result = ();

    fn handle(&mut self, msg: Lifecycle, _: &mut Self::Context) {
        self.0.borrow_mut().push(msg);
    }
}

async fn deafen(supervisor: &SupervisorHandle) -> Rc<RefCell<Vec<Lifecycle>>> {
    let kept = Rc::<RefCell<_>>::default();
    let deaf = Deaf(Rc::clone(&kept)).start().recipient::<Lifecycle>();
    let spec = SubscriptionSpec::from(deaf).capacity(1);
    supervisor.subscribe(spec).await.expect("running").detach();
    kept
}

/// How many of a slot's owners run, and how many have run.
#[derive(Clone, Default)]
struct Runs {
    now: Counter,
    ever: Counter,
}

impl Runs {
    fn body(&self, name: &str) -> TaskSpec {
        let runs = self.clone();
        TaskSpec::once(name, async move |_| {
            assert_eq!(runs.now.add(), 1, "two owners at once");
            tokio::task::yield_now().await;
            runs.now.subtract();
            runs.ever.add();
            Ok(())
        })
    }
}

// lesson 2
#[actix::test]
async fn with_every_event_lost_all_who_queue_on_one_slot_run() {
    tokio::time::pause();
    two_hundred_run_on_one_slot(current()).await;
}

// lesson 2
#[actix::test]
async fn with_every_event_lost_all_who_queue_on_one_slot_run_on_threads() {
    two_hundred_run_on_one_slot(dedicated()).await;
}

async fn two_hundred_run_on_one_slot(supervisor: SupervisorHandle) {
    let kept = deafen(&supervisor).await;
    let runs = Runs::default();
    let mut waiting = Vec::new();
    for number in 0..200 {
        let spec = runs.body(&format!("job-{number}"));
        waiting.push(submit(&supervisor, for_k(spec, WhenBusy::Queue)).await);
    }
    for submission in waiting {
        let outcome = within("its turn", submission.outcome()).await;
        assert!(outcome.is_success(), "{submission:?}: {outcome}");
    }
    assert_eq!(runs.ever.get(), 200);
    let events = kept.borrow().iter().filter(|delivery| delivery.event().is_some()).count();
    assert_eq!(events, 1, "the rest was lost");
}

// lesson 2
#[actix::test]
async fn with_every_event_lost_every_policy_decides_as_ever() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.subscriber_drain(Duration::ZERO));
    let kept = deafen(&supervisor).await;
    let owner = submit(&supervisor, for_k(idle("a"), WhenBusy::Queue)).await;
    let queued = submit(&supervisor, for_k(quick("b"), WhenBusy::Queue).max_wait(ms(50))).await;
    let follower = submit(&supervisor, for_k(quick("c"), WhenBusy::Attach)).await;
    let busy = refused(&supervisor, for_k(quick("d"), WhenBusy::DropIfRunning)).await;
    assert_eq!(busy.kind(), Some(RejectionKind::SlotBusy { owner: owner.id() }));
    let early = submit(&supervisor, for_k(quick("e"), debounce(ms(100)))).await;
    let newest = submit(&supervisor, for_k(quick("f"), debounce(ms(100)))).await;
    let superseded = RejectionKind::Superseded { by: newest.id() };
    let timed_out = RejectionKind::QueueTimeout { max_wait: ms(50) };
    for (submission, expected) in [(&early, superseded), (&queued, timed_out)] {
        let outcome = submission.outcome().await;
        assert!(matches!(outcome, TaskOutcome::Rejected { kind } if kind == expected), "{outcome}");
    }
    submit(&supervisor, for_k(quick("g"), WhenBusy::Replace)).await;
    for submission in [&owner, &follower] {
        let outcome = submission.outcome().await;
        let cause = CancelCause::Replaced;
        assert!(
            matches!(outcome, TaskOutcome::Canceled { cause: c, .. } if c == cause),
            "{outcome}"
        );
    }
    assert!(newest.outcome().await.is_success());
    newest.removed().await;
    assert!(supervisor.slots().await.expect("running").is_empty());
    assert!(supervisor.shutdown().await.is_clean());
    let lost: u64 = kept.borrow().iter().map(Lifecycle::lost).sum();
    assert!(lost > 20, "{lost}");
}
