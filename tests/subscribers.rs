//! Who listens, how much each may hold, what is said of what it missed, and whom its troubles reach.
#![cfg(feature = "test-util")]

mod common;

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use actix::prelude::*;
use actix_taskvisor::{Probe, prelude::*};
use common::*;

// --- listeners ----------------------------------------------------------------------------------

/// What one delivery said.
#[derive(Clone, Debug, PartialEq)]
struct Note {
    lost: u64,
    event: Option<(u64, EventType)>,
    ended: bool,
}

/// What a listener got and what it holds, shared with the test on the same thread.
#[derive(Default)]
struct Shelf {
    notes: RefCell<Vec<Note>>,
    held: RefCell<Vec<Lifecycle>>,
    is_holding: Cell<bool>,
}

impl Shelf {
    fn holding() -> Rc<Self> {
        let shelf = Self::default();
        shelf.is_holding.set(true);
        Rc::new(shelf)
    }

    fn notes(&self) -> Vec<Note> {
        self.notes.borrow().clone()
    }

    fn types(&self) -> Vec<EventType> {
        let notes = self.notes();
        notes.iter().filter_map(|note| note.event).map(|(_, kind)| kind).collect()
    }

    fn lost(&self) -> u64 {
        self.notes.borrow().iter().map(|note| note.lost).sum()
    }

    fn has_ended(&self) -> bool {
        self.notes.borrow().last().is_some_and(|note| note.ended)
    }

    /// Drops what it holds, and holds nothing any more.
    fn let_go(&self) {
        self.is_holding.set(false);
        self.held.borrow_mut().clear();
    }

    /// The number after the last one told, as event or as lost. Each event must come where the losses
    /// before it put it: that holds for a subscription without a filter.
    fn next_seq(&self, first: u64) -> u64 {
        self.notes().iter().fold(first, |next, note| {
            let next = next + note.lost;
            match note.event {
                None => next,
                Some((seq, _)) => {
                    assert_eq!(seq, next, "{note:?} in {:?}", self.notes());
                    next + 1
                }
            }
        })
    }
}

struct Listener(Rc<Shelf>);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<Lifecycle> for Listener {
    type Result = ();

    fn handle(&mut self, msg: Lifecycle, _: &mut Self::Context) {
        self.0.notes.borrow_mut().push(Note {
            lost: msg.lost(),
            event: msg.event().map(|event| (event.seq, event.kind.event_type())),
            ended: msg.ended(),
        });
        if self.0.is_holding.get() && !msg.ended() {
            self.0.held.borrow_mut().push(msg);
        }
    }
}

fn listener(shelf: &Rc<Shelf>) -> SubscriptionSpec {
    let listener = Listener(Rc::clone(shelf)).start();
    SubscriptionSpec::from(listener.recipient::<Lifecycle>())
}

/// A list that a value on another thread fills.
#[derive(Clone, Debug)]
struct Tape<T>(Arc<Mutex<Vec<T>>>);

impl<T: Clone> Tape<T> {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, value: T) {
        self.lock().push(value);
    }

    fn all(&self) -> Vec<T> {
        self.lock().clone()
    }
}

/// A value that notes everything it is told.
struct Scribe {
    events: Tape<(u64, EventType)>,
    lost: Counter,
    is_dropped: Arc<AtomicBool>,
}

impl Subscribe for Scribe {
    fn on_event(&mut self, event: &Event) {
        self.events.push((event.seq, event.kind.event_type()));
    }

    fn on_lost(&mut self, lost: u64) {
        (0..lost).for_each(|_| {
            self.lost.add();
        });
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.is_dropped.store(true, Ordering::SeqCst);
    }
}

impl Scribe {
    fn new() -> Self {
        Self { events: Tape::new(), lost: Counter::default(), is_dropped: Arc::default() }
    }
}

// --- tasks --------------------------------------------------------------------------------------

/// Six events: requested, added, starting, stopped, exhausted, removed.
const QUICK: [EventType; 6] = [
    EventType::TaskAddRequested,
    EventType::TaskAdded,
    EventType::TaskStarting,
    EventType::TaskStopped,
    EventType::ActorExhausted,
    EventType::TaskRemoved,
];

fn quick(name: impl Into<Arc<str>>) -> TaskSpec {
    TaskSpec::once(name, async |_| Ok(()))
}

fn failing(name: &'static str) -> TaskSpec {
    TaskSpec::once(name, async |_| Err(TaskError::failed("no")))
}

fn idle(name: impl Into<Arc<str>>) -> TaskSpec {
    TaskSpec::new(name, async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    })
}

/// Runs a task to its removal.
async fn run_one(supervisor: &SupervisorHandle, spec: TaskSpec) -> TaskOutcome {
    let task = supervisor.add(spec).await.expect("nothing is against it");
    within("the removal", task.removed()).await
}

async fn run_many(supervisor: &SupervisorHandle, count: usize) {
    let specs = (0..count).map(|number| quick(format!("quick-{number}")));
    supervisor.add_all(specs).await.expect("added");
    within("the end of all", supervisor.wait_until_empty()).await;
}

/// Lets everything on this arbiter happen that can; the clock is paused.
async fn settle() {
    tokio::time::sleep(ms(2)).await;
}

// --- forms of subscribers -----------------------------------------------------------------------

#[actix::test]
async fn an_actor_gets_every_event_once_and_in_order() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Rc::<Shelf>::default();
    let _subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    assert_eq!(shelf.types(), QUICK);
    assert_eq!(shelf.next_seq(1), 7);
}

#[actix::test]
async fn a_recipient_is_a_subscriber_without_further_words() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Rc::<Shelf>::default();
    let actor = Listener(Rc::clone(&shelf)).start();
    let recipient = actor.recipient::<Lifecycle>();
    let subscription = supervisor.subscribe(recipient).await;
    run_one(&supervisor, quick("job")).await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    assert_eq!(shelf.types().len(), 6);
    drop(subscription);
}

#[derive(Default)]
struct Batches {
    sizes: Rc<RefCell<Vec<usize>>>,
    seqs: Rc<RefCell<Vec<u64>>>,
    kept: Rc<RefCell<Vec<Arc<Event>>>>,
    lost: Rc<Cell<u64>>,
    has_ended: Rc<Cell<bool>>,
}

impl Actor for Batches {
    type Context = Context<Self>;
}

impl Handler<LifecycleBatch> for Batches {
    type Result = ();

    fn handle(&mut self, msg: LifecycleBatch, _: &mut Self::Context) {
        assert!(!self.has_ended.get(), "something came after the last delivery");
        self.lost.set(self.lost.get() + msg.lost());
        self.has_ended.set(msg.ended());
        self.sizes.borrow_mut().push(msg.events().len());
        self.seqs.borrow_mut().extend(msg.events().map(|event| event.seq));
        self.kept.borrow_mut().extend(msg.into_events().iter().cloned());
    }
}

// Promised: "`LifecycleBatch` (≤ 64) for heavy streams".
#[actix::test]
async fn a_batch_actor_gets_every_event_at_most_sixty_four_at_a_time() {
    tokio::time::pause();
    let supervisor = current();
    let batches = Batches::default();
    let (sizes, seqs) = (Rc::clone(&batches.sizes), Rc::clone(&batches.seqs));
    let (lost, has_ended) = (Rc::clone(&batches.lost), Rc::clone(&batches.has_ended));
    let recipient = batches.start().recipient::<LifecycleBatch>();
    let spec = SubscriptionSpec::from(recipient).capacity(10_000);
    let subscription = supervisor.subscribe(spec).await.expect("running");
    run_many(&supervisor, 300).await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    assert_eq!(*seqs.borrow(), (1..=1800).collect::<Vec<u64>>());
    let largest = sizes.borrow().iter().copied().max();
    assert!(largest > Some(1) && largest <= Some(64), "{largest:?}");
    assert!(!has_ended.get());
    drop(subscription);
    settle().await;
    assert!(has_ended.get());
    assert_eq!(lost.get(), 0);
}

#[actix::test]
async fn a_value_and_a_closure_get_every_event_in_order() {
    tokio::time::pause();
    let supervisor = current();
    let scribe = Scribe::new();
    let of_value = scribe.events.clone();
    let of_closure = Tape::new();
    let _value = supervisor.subscribe(scribe).await.expect("running");
    let tape = of_closure.clone();
    let closure = SubscriptionSpec::from_fn(move |event| {
        tape.push((event.seq, event.kind.event_type()));
    });
    let _closure = supervisor.subscribe(closure).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    let expected: Vec<_> = (1..).zip(QUICK).collect();
    assert_eq!(of_value.all(), expected);
    assert_eq!(of_closure.all(), expected);
}

// Promised: "run on a thread of their own (one for all …), or with `.on_worker()` on a worker".
#[actix::test]
async fn values_live_on_the_thread_for_subscribers_or_on_a_worker_where_they_asked_for_it() {
    let supervisor = dedicated_with(|builder| builder.name("sup"));
    let spy = |tape: &Tape<String>| {
        let tape = tape.clone();
        SubscriptionSpec::from_fn(move |_| {
            tape.push(thread::current().name().unwrap_or("-").to_owned());
        })
    };
    let (one, two, worker) = (Tape::new(), Tape::new(), Tape::new());
    let specs = [spy(&one), spy(&two), spy(&worker).on_worker()];
    for spec in specs {
        supervisor.subscribe(spec).await.expect("running").detach();
    }
    run_one(&supervisor, quick("job")).await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    assert_eq!(one.all(), ["sup-subscribers"; 6]);
    assert_eq!(two.all(), ["sup-subscribers"; 6]);
    assert_eq!(worker.all(), ["sup-worker-0"; 6]);
}

// Lesson 24: no thread that nobody needs.
#[actix::test]
async fn the_thread_for_subscribers_exists_only_once_a_value_needs_it() {
    let supervisor = dedicated_with(|builder| builder.name("lazy"));
    let shelf = Rc::<Shelf>::default();
    let _actor = supervisor.subscribe(listener(&shelf)).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    // A thread's name is cut to fifteen letters by the system.
    let is_there = || threads_named("lazy-subscriber") > 0;
    assert!(!is_there());
    let _value = supervisor.subscribe(Scribe::new()).await.expect("running");
    eventually("the thread", is_there);
    within("the shutdown", supervisor.shutdown()).await;
    eventually("its end", || !is_there());
}

fn threads_named(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("a Linux system");
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|comm| comm.trim_end() == name).count()
}

// --- LogSubscriber ------------------------------------------------------------------------------

#[derive(Clone, Debug)]
struct Line {
    level: log::Level,
    target: String,
    text: String,
    values: Vec<(String, String)>,
}

/// Collects what is logged in this process; tests find theirs by the names of their tasks.
struct Collector(Mutex<Vec<Line>>);

impl log::Log for Collector {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        struct Values(Vec<(String, String)>);
        impl<'kvs> log::kv::VisitSource<'kvs> for Values {
            fn visit_pair(
                &mut self,
                key: log::kv::Key<'kvs>,
                value: log::kv::Value<'kvs>,
            ) -> Result<(), log::kv::Error> {
                self.0.push((key.to_string(), value.to_string()));
                Ok(())
            }
        }
        let mut values = Values(Vec::new());
        record.key_values().visit(&mut values).expect("plain values");
        let line = Line {
            level: record.level(),
            target: record.target().to_owned(),
            text: record.args().to_string(),
            values: values.0,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn flush(&self) {}
}

/// What was logged under the target of `LogSubscriber` with this word in it.
fn logged(word: &str) -> Vec<Line> {
    let lines = collector().0.lock().unwrap_or_else(PoisonError::into_inner);
    let own = lines.iter().filter(|line| line.target == LogSubscriber::TARGET);
    own.filter(|line| line.text.contains(word)).cloned().collect()
}

fn collector() -> &'static Collector {
    static COLLECTOR: OnceLock<&'static Collector> = OnceLock::new();
    COLLECTOR.get_or_init(|| {
        let collector: &'static Collector = Box::leak(Box::new(Collector(Mutex::default())));
        log::set_logger(collector).expect("the only one here");
        log::set_max_level(log::LevelFilter::Trace);
        collector
    })
}

#[actix::test]
async fn the_log_subscriber_writes_each_event_at_its_level_with_key_values() {
    tokio::time::pause();
    collector();
    let supervisor = current();
    let _subscription = supervisor.subscribe(LogSubscriber::new()).await.expect("running");
    run_one(&supervisor, failing("logged-job")).await;
    supervisor.shutdown().await;
    let lines = logged("logged-job (#1)");
    let levels: Vec<_> = lines.iter().map(|line| line.level).collect();
    use log::Level::{Debug, Error, Info, Warn};
    assert_eq!(levels, [Debug, Info, Debug, Warn, Error, Debug]);
    let failed = &lines[3];
    assert_eq!(failed.text, "task_failed logged-job (#1) attempt=1 took=0ns: no");
    let values = [("seq", "4"), ("event", "task_failed"), ("task", "logged-job"), ("id", "1")];
    let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(failed.values, values);
}

#[actix::test]
async fn the_log_subscriber_writes_how_much_it_missed() {
    tokio::time::pause();
    collector();
    let supervisor = current();
    let spec = SubscriptionSpec::from(LogSubscriber::new()).capacity(1);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    // 41 times 6 events, a number that no other test here loses.
    let specs = (0..41).map(|number| quick(format!("burst-{number}")));
    supervisor.add_all(specs).await.expect("added");
    supervisor.wait_until_empty().await;
    supervisor.shutdown().await;
    let lines = logged(" events were lost");
    assert!(lines.iter().all(|line| line.level == log::Level::Warn));
    let lost = |line: &Line| {
        let (key, value) = line.values.first().expect("a value");
        assert_eq!(key, "lost");
        value.parse::<u64>().expect("a number")
    };
    let lost: u64 = lines.iter().map(lost).sum();
    let written = logged("burst-").len() as u64 + logged("shutdown").len() as u64;
    assert!(lost > 0 && lost < 41 * 6, "{lost} lost, about {written} written");
}

// --- filters ------------------------------------------------------------------------------------

/// What a filter lets through of a certain bustle: (type, task name).
async fn admitted(
    filter: impl FnOnce(&SupervisorHandle) -> EventFilter,
) -> Vec<(EventType, String)> {
    let supervisor = current();
    let tape = Tape::new();
    let seen = tape.clone();
    let spec = SubscriptionSpec::from_fn(move |event: &Event| {
        let name = event.task.as_ref().map_or("", |task| task.name());
        seen.push((event.kind.event_type(), name.to_owned()));
    });
    let filter = filter(&supervisor);
    supervisor.subscribe(spec.filter(filter)).await.expect("running").detach();
    for spec in [quick("good"), failing("bad"), quick("good"), quick("other")] {
        run_one(&supervisor, spec).await;
    }
    supervisor.shutdown().await;
    tape.all()
}

fn named(kinds: &[EventType], name: &str) -> Vec<(EventType, String)> {
    kinds.iter().map(|&kind| (kind, name.to_owned())).collect()
}

#[actix::test]
async fn a_filter_by_kind_lets_these_kinds_through() {
    tokio::time::pause();
    let kinds = [EventType::TaskFailed, EventType::ShutdownRequested];
    let seen = admitted(|_| EventFilter::all().kinds(kinds)).await;
    let expected =
        [named(&[EventType::TaskFailed], "bad"), named(&[EventType::ShutdownRequested], "")];
    assert_eq!(seen, expected.concat());
    assert_eq!(admitted(|_| EventFilter::all().kinds([])).await, []);
}

// By the severity of the event: `ActorExhausted` is an error only for a task that failed for good.
#[actix::test]
async fn a_filter_by_severity_lets_through_what_is_that_severe() {
    tokio::time::pause();
    let seen = admitted(|_| EventFilter::all().at_least(Severity::Warn)).await;
    let severe = [EventType::TaskFailed, EventType::ActorExhausted];
    assert_eq!(seen, named(&severe, "bad"));
    let all = admitted(|_| EventFilter::all().at_least(Severity::Debug)).await;
    assert_eq!(all.len(), 4 * 6 + 2);
}

#[actix::test]
async fn a_filter_by_name_lets_each_task_of_that_name_through_and_no_event_of_the_supervisor() {
    tokio::time::pause();
    let seen = admitted(|_| EventFilter::all().task_named("good")).await;
    assert_eq!(seen, [named(&QUICK, "good"), named(&QUICK, "good")].concat());
    let both = admitted(|_| EventFilter::all().task_named("good").task_named("bad")).await;
    assert_eq!(both.len(), 3 * 6);
    assert_eq!(admitted(|_| EventFilter::all().task_named("nobody")).await, []);
}

#[actix::test]
async fn a_filter_by_id_lets_that_task_through_and_not_its_namesake() {
    tokio::time::pause();
    let third = TaskId::from_number(3).expect("not zero");
    let seen = admitted(|_| EventFilter::all().task(third)).await;
    assert_eq!(seen, named(&QUICK, "good"));
    let second = TaskId::from_number(2).expect("not zero");
    let filter = EventFilter::all().task(second).task_named("other");
    let seen = admitted(|_| filter).await;
    assert_eq!(seen.len(), 2 * 6);
    assert!(seen.iter().all(|(_, name)| name == "bad" || name == "other"));
}

#[actix::test]
async fn the_conditions_of_a_filter_hold_together() {
    tokio::time::pause();
    let filter = EventFilter::all()
        .kinds([EventType::ActorExhausted, EventType::TaskStarting])
        .at_least(Severity::Info)
        .task_named("bad");
    let seen = admitted(|_| filter).await;
    assert_eq!(seen, named(&[EventType::ActorExhausted], "bad"));
}

// Promised: "with filters it is not dense: gaps come from `lost` alone".
#[actix::test]
async fn what_a_filter_keeps_out_is_not_lost() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Rc::<Shelf>::default();
    let filter = EventFilter::all().kinds([EventType::TaskRemoved]);
    let spec = listener(&shelf).filter(filter).capacity(1);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    let _probe = Probe::attach(&supervisor).await.expect("running");
    for _ in 0..5 {
        run_one(&supervisor, quick("job")).await;
        assert_eq!(supervisor.events_delivered().await, Ok(()));
    }
    let seqs: Vec<_> = shelf.notes().iter().filter_map(|note| note.event).collect();
    assert_eq!(seqs, [6, 12, 18, 24, 30].map(|seq| (seq, EventType::TaskRemoved)));
    assert_eq!(shelf.lost(), 0);
}

#[actix::test]
async fn what_a_filter_keeps_out_takes_no_room() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Shelf::holding();
    let filter = EventFilter::all().kinds([EventType::TaskRemoved]);
    let spec = listener(&shelf).filter(filter).capacity(3);
    let subscription = supervisor.subscribe(spec).await.expect("running");
    run_many(&supervisor, 3).await;
    settle().await;
    assert_eq!((subscription.outstanding(), shelf.lost()), (3, 0));
}

// --- bounds -------------------------------------------------------------------------------------

// Invariant B1: "never holds more undropped events than its capacity".
#[actix::test]
async fn a_subscriber_that_holds_its_events_is_sent_no_more_than_its_capacity() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Shelf::holding();
    let spec = listener(&shelf).capacity(4);
    let subscription = supervisor.subscribe(spec).await.expect("running");
    run_many(&supervisor, 50).await;
    settle().await;
    assert_eq!(shelf.held.borrow().len(), 4);
    assert_eq!(subscription.outstanding(), 4);
    assert_eq!(shelf.next_seq(1), 5);
}

// Promised: "Full: new events are counted and told …, if none comes, by a delivery of its own".
#[actix::test]
async fn what_was_lost_is_told_exactly_and_alone_where_no_further_event_comes() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Shelf::holding();
    let spec = listener(&shelf).capacity(4);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    run_many(&supervisor, 50).await;
    settle().await;
    assert_eq!(shelf.lost(), 0, "nothing can be told while there is no room");
    shelf.let_go();
    settle().await;
    let alone = Note { lost: 296, event: None, ended: false };
    assert_eq!(shelf.notes()[4..], [alone]);
    run_one(&supervisor, quick("after")).await;
    settle().await;
    assert_eq!(shelf.lost(), 296, "told once");
    assert_eq!(shelf.next_seq(1), 307);
}

#[actix::test]
async fn one_returned_event_is_room_enough_to_tell_a_loss() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Shelf::holding();
    let spec = listener(&shelf).capacity(4);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    run_many(&supervisor, 2).await;
    settle().await;
    drop(shelf.held.borrow_mut().remove(2));
    settle().await;
    assert_eq!(shelf.notes().last().map(|note| note.lost), Some(8));
    assert_eq!(shelf.next_seq(1), 13);
}

#[actix::test]
async fn what_was_lost_is_told_with_the_next_event_where_one_comes_first() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Rc::<Shelf>::default();
    // One burst after the other: more than it may hold, then room again, then the next burst.
    let spec = listener(&shelf).capacity(3);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    run_many(&supervisor, 200).await;
    settle().await;
    assert_eq!(shelf.next_seq(1), 1201);
    let with_event = |note: &Note| note.lost > 0 && note.event.is_some();
    assert!(shelf.notes().iter().any(with_event), "{:?}", shelf.notes());
}

#[actix::test]
async fn losses_are_told_exactly_where_they_were_however_a_subscriber_holds_and_lets_go() {
    tokio::time::pause();
    for capacity in [1, 2, 5, 17] {
        let supervisor = current();
        let probe = Probe::attach(&supervisor).await.expect("running");
        let shelf = Rc::<Shelf>::default();
        let spec = listener(&shelf).capacity(capacity);
        let _subscription = supervisor.subscribe(spec).await.expect("running");
        let mut draw = fastrand::Rng::with_seed(capacity as u64);
        for _ in 0..300 {
            match draw.u32(0..6) {
                0..2 => run_many(&supervisor, draw.usize(1..4)).await,
                2 => shelf.is_holding.set(draw.bool()),
                3 => shelf.held.borrow_mut().clear(),
                4 => {
                    let held = shelf.held.borrow().len();
                    if held > 0 {
                        drop(shelf.held.borrow_mut().remove(draw.usize(0..held)));
                    }
                }
                _ => settle().await,
            }
            let events = shelf.held.borrow().iter().filter(|msg| msg.event().is_some()).count();
            assert!(events <= capacity, "{events} events held");
        }
        shelf.let_go();
        settle().await;
        assert_eq!(probe.lost(), 0);
        let published = probe.events().len() as u64;
        assert_eq!(shelf.next_seq(1), published + 1, "capacity {capacity}");
        assert!(shelf.lost() > 0);
    }
}

// The mailbox's own capacity plays no part.
#[actix::test]
async fn an_actor_with_room_for_one_message_in_its_mailbox_loses_nothing_within_its_bound() {
    tokio::time::pause();
    struct Narrow(Rc<RefCell<Vec<u64>>>);
    impl Actor for Narrow {
        type Context = Context<Self>;
        fn started(&mut self, ctx: &mut Self::Context) {
            ctx.set_mailbox_capacity(1);
        }
    }
    impl Handler<Lifecycle> for Narrow {
        type Result = ();
        fn handle(&mut self, msg: Lifecycle, _: &mut Self::Context) {
            assert_eq!(msg.lost(), 0);
            self.0.borrow_mut().extend(msg.event().map(|event| event.seq));
        }
    }
    let supervisor = current();
    let seqs = Rc::<RefCell<Vec<u64>>>::default();
    let recipient = Narrow(Rc::clone(&seqs)).start().recipient::<Lifecycle>();
    let spec = SubscriptionSpec::from(recipient).capacity(3000);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    settle().await;
    run_many(&supervisor, 500).await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    assert_eq!(*seqs.borrow(), (1..=3000).collect::<Vec<u64>>());
}

// "`into_event()` (hands the event out, returns the credit)".
#[actix::test]
async fn an_event_that_was_taken_out_of_its_delivery_gives_its_room_back() {
    tokio::time::pause();
    struct Album(Rc<RefCell<Vec<Arc<Event>>>>);
    impl Actor for Album {
        type Context = Context<Self>;
    }
    impl Handler<Lifecycle> for Album {
        type Result = ();
        fn handle(&mut self, msg: Lifecycle, _: &mut Self::Context) {
            assert_eq!(msg.lost(), 0);
            self.0.borrow_mut().extend(msg.into_event());
        }
    }
    let supervisor = current();
    let album = Rc::<RefCell<Vec<Arc<Event>>>>::default();
    let recipient = Album(Rc::clone(&album)).start().recipient::<Lifecycle>();
    let spec = SubscriptionSpec::from(recipient).capacity(6);
    let subscription = supervisor.subscribe(spec).await.expect("running");
    for _ in 0..40 {
        run_one(&supervisor, quick("job")).await;
        assert_eq!(supervisor.events_delivered().await, Ok(()));
    }
    assert_eq!(album.borrow().len(), 240);
    assert_eq!(subscription.outstanding(), 0);
}

#[actix::test]
async fn events_that_were_taken_out_of_their_batch_give_their_room_back() {
    tokio::time::pause();
    let supervisor = current();
    let batches = Batches::default();
    let (kept, lost) = (Rc::clone(&batches.kept), Rc::clone(&batches.lost));
    let recipient = batches.start().recipient::<LifecycleBatch>();
    let spec = SubscriptionSpec::from(recipient).capacity(6);
    let subscription = supervisor.subscribe(spec).await.expect("running");
    for _ in 0..40 {
        run_one(&supervisor, quick("job")).await;
        assert_eq!(supervisor.events_delivered().await, Ok(()));
    }
    assert_eq!((kept.borrow().len(), lost.get()), (240, 0));
    assert_eq!(subscription.outstanding(), 0);
}

#[actix::test]
async fn a_batch_that_is_held_counts_by_its_events() {
    tokio::time::pause();
    struct Miser(Rc<RefCell<Vec<LifecycleBatch>>>);
    impl Actor for Miser {
        type Context = Context<Self>;
    }
    impl Handler<LifecycleBatch> for Miser {
        type Result = ();
        fn handle(&mut self, msg: LifecycleBatch, _: &mut Self::Context) {
            self.0.borrow_mut().push(msg);
        }
    }
    let supervisor = current();
    let held = Rc::<RefCell<Vec<LifecycleBatch>>>::default();
    let recipient = Miser(Rc::clone(&held)).start().recipient::<LifecycleBatch>();
    let spec = SubscriptionSpec::from(recipient).capacity(100);
    let subscription = supervisor.subscribe(spec).await.expect("running");
    run_many(&supervisor, 100).await;
    settle().await;
    let events = || held.borrow().iter().map(|batch| batch.events().len()).sum::<usize>();
    let lost = || held.borrow().iter().map(LifecycleBatch::lost).sum::<u64>();
    assert_eq!((events(), lost(), subscription.outstanding()), (100, 0, 100));
    let first = held.borrow_mut().remove(0);
    let (seqs, before) = (first.events().len(), first.lost());
    drop(first);
    settle().await;
    assert_eq!((events(), lost() + before), (100 - seqs, 500));
}

#[actix::test]
async fn one_full_subscription_takes_nothing_from_another() {
    tokio::time::pause();
    let supervisor = current();
    let full = Shelf::holding();
    let free = Rc::<Shelf>::default();
    let spec = listener(&full).capacity(1);
    let _full = supervisor.subscribe(spec).await.expect("running");
    let spec = listener(&free).capacity(400);
    let _free = supervisor.subscribe(spec).await.expect("running");
    run_many(&supervisor, 60).await;
    settle().await;
    assert_eq!((free.lost(), free.next_seq(1)), (0, 361));
    assert_eq!(full.next_seq(1), 2);
}

#[actix::test]
async fn a_subscription_without_room_for_anything_is_refused() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Rc::<Shelf>::default();
    let refused = supervisor.subscribe(listener(&shelf).capacity(0)).await;
    assert!(matches!(refused, Err(SubscribeError::ZeroCapacity)));
    let largest = supervisor.subscribe(listener(&shelf).capacity(usize::MAX)).await;
    run_one(&supervisor, quick("job")).await;
    settle().await;
    assert_eq!(shelf.types(), QUICK);
    drop(largest);
}

// --- the end of a subscription ------------------------------------------------------------------

#[actix::test]
async fn dropping_the_subscription_ends_it_with_a_last_delivery_that_says_so() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Rc::<Shelf>::default();
    let subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    run_one(&supervisor, quick("before")).await;
    drop(subscription);
    run_one(&supervisor, quick("after")).await;
    settle().await;
    let end = Note { lost: 0, event: None, ended: true };
    assert_eq!(shelf.notes()[6..], [end]);
}

// Promised: "The last delivery of a subscription says that it ended, and how much was lost."
#[actix::test]
async fn the_last_delivery_also_tells_what_was_lost_and_could_not_be_told() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Shelf::holding();
    let spec = listener(&shelf).capacity(2);
    let subscription = supervisor.subscribe(spec).await.expect("running");
    run_many(&supervisor, 5).await;
    settle().await;
    drop(subscription);
    settle().await;
    let end = Note { lost: 28, event: None, ended: true };
    assert_eq!(shelf.notes()[2..], [end]);
}

#[actix::test]
async fn events_published_before_the_subscription_was_dropped_still_come() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Rc::<Shelf>::default();
    let subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    supervisor.add(idle("job")).await.expect("added");
    drop(subscription);
    settle().await;
    assert_eq!(shelf.types()[..2], QUICK[..2]);
    assert!(shelf.has_ended());
}

#[actix::test]
async fn a_detached_subscription_lasts_until_after_the_last_event_of_all() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Rc::<Shelf>::default();
    supervisor.subscribe(listener(&shelf)).await.expect("running").detach();
    run_one(&supervisor, quick("job")).await;
    supervisor.shutdown().await;
    let kinds = shelf.types();
    assert_eq!(kinds[..6], QUICK);
    let end = [EventType::ShutdownRequested, EventType::AllStoppedWithinGrace];
    assert_eq!(kinds[6..], end);
    assert!(shelf.has_ended());
    assert_eq!(shelf.notes().iter().filter(|note| note.ended).count(), 1);
}

#[actix::test]
async fn a_subscription_that_outlives_the_supervisor_does_no_harm() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Rc::<Shelf>::default();
    let subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    supervisor.shutdown().await;
    subscription.resync();
    drop(subscription);
    settle().await;
    assert_eq!(shelf.notes().iter().filter(|note| note.ended).count(), 1);
}

// A `Subscription` does not keep the supervisor alive.
#[actix::test]
async fn a_subscription_ends_with_the_supervisor_whose_last_handle_went() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Rc::<Shelf>::default();
    let _subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    drop(supervisor);
    settle().await;
    assert!(shelf.has_ended());
}

#[actix::test]
async fn a_value_is_dropped_when_its_subscription_ends() {
    tokio::time::pause();
    let supervisor = current();
    let scribe = Scribe::new();
    let (events, is_dropped) = (scribe.events.clone(), Arc::clone(&scribe.is_dropped));
    let subscription = supervisor.subscribe(scribe).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    assert!(!is_dropped.load(Ordering::SeqCst));
    drop(subscription);
    settle().await;
    assert!(is_dropped.load(Ordering::SeqCst));
    assert_eq!(events.all().len(), 6);
}

// "# Cancel safety: dropping the future leaves no subscription behind."
#[actix::test]
async fn a_subscription_that_nobody_waited_for_is_not_left_behind() {
    tokio::time::pause();
    let supervisor = current();
    let scribe = Scribe::new();
    let (events, is_dropped) = (scribe.events.clone(), Arc::clone(&scribe.is_dropped));
    {
        let asked = std::pin::pin!(supervisor.subscribe(scribe));
        assert!(futures::future::FutureExt::now_or_never(asked).is_none());
    }
    settle().await;
    run_one(&supervisor, quick("job")).await;
    settle().await;
    assert!(is_dropped.load(Ordering::SeqCst));
    assert_eq!(events.all(), []);
}

#[actix::test]
async fn nobody_can_subscribe_once_the_shutdown_is_over_or_closing() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.subscriber_drain(secs(1)));
    let shelf = Shelf::holding();
    let _subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    let late = Rc::<Shelf>::default();
    let (_, closing) = tokio::join!(supervisor.shutdown(), async {
        tokio::time::sleep(ms(500)).await;
        supervisor.subscribe(listener(&late)).await.map(drop)
    });
    assert!(matches!(closing, Err(SubscribeError::ShuttingDown)));
    let over = supervisor.subscribe(listener(&late)).await.map(drop);
    assert!(matches!(over, Err(SubscribeError::ShuttingDown)));
    assert_eq!(late.notes(), []);
}

// --- subscribers that die -----------------------------------------------------------------------

/// An actor that stops, or panics, at an event of this type.
struct Mortal {
    at: EventType,
    panics: bool,
    seen: Rc<RefCell<Vec<EventType>>>,
}

impl Actor for Mortal {
    type Context = Context<Self>;
}

impl Handler<Lifecycle> for Mortal {
    type Result = ();

    fn handle(&mut self, msg: Lifecycle, ctx: &mut Self::Context) {
        let Some(event) = msg.event() else { return };
        let kind = event.kind.event_type();
        self.seen.borrow_mut().push(kind);
        if kind == self.at {
            assert!(!self.panics, "asked to");
            ctx.stop();
        }
    }
}

fn mortal(at: EventType, panics: bool) -> (SubscriptionSpec, Rc<RefCell<Vec<EventType>>>) {
    let seen = Rc::<RefCell<Vec<EventType>>>::default();
    let actor = Mortal { at, panics, seen: Rc::clone(&seen) };
    let recipient = actor.start().recipient::<Lifecycle>();
    (SubscriptionSpec::from(recipient), seen)
}

#[actix::test]
async fn an_actor_that_stops_ends_its_subscription_and_nobody_is_told() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("running");
    let (spec, seen) = mortal(EventType::TaskStarting, false);
    let subscription = supervisor.subscribe(spec).await.expect("running");
    for _ in 0..3 {
        run_one(&supervisor, quick("job")).await;
    }
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    assert_eq!(*seen.borrow(), QUICK[..3]);
    assert_eq!(subscription.outstanding(), 0);
    assert_eq!(probe.events().len(), 18);
    assert_eq!(probe.count(EventType::SubscriberPanicked), 0);
}

// Promised: "An actor that panics is dead after one panic (actix): one `SubscriberPanicked`".
#[actix::test]
async fn an_actor_that_panics_ends_its_subscription_and_the_others_are_told_once() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("running");
    let (spec, seen) = mortal(EventType::TaskStarting, true);
    let spec = spec.name("fragile");
    let subscription = supervisor.subscribe(spec).await.expect("running");
    for _ in 0..3 {
        run_one(&supervisor, quick("job")).await;
    }
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    assert_eq!(*seen.borrow(), QUICK[..3]);
    assert_eq!(subscription.outstanding(), 0);
    assert_eq!(probe.events().len(), 18 + 1);
    let reports: Vec<_> = probe
        .events()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::SubscriberPanicked { subscriber, text } => Some((subscriber, text)),
            _ => None,
        })
        .collect();
    assert_eq!(reports, [("fragile".into(), None)]);
}

// The same with threads, and with many deliveries in the mailbox of the one that dies.
#[actix::test]
async fn a_panic_over_many_queued_events_is_told_once() {
    let supervisor = dedicated();
    for round in 1..=20 {
        let probe = Probe::attach(&supervisor).await.expect("running");
        let (spec, _) = mortal(EventType::TaskStarting, true);
        let subscription = supervisor.subscribe(spec).await.expect("running");
        // This thread is not given back until all of it is queued.
        let specs = (0..100).map(|number| quick(format!("quick-{number}")));
        let is_all_queued = || subscription.outstanding() >= 600;
        let added = std::pin::pin!(supervisor.add_all(specs));
        let _ = futures::future::FutureExt::now_or_never(added);
        eventually("600 events in the mailbox", is_all_queued);
        within("the end", supervisor.wait_until_empty()).await;
        let panicked = |event: &Event| event.kind.event_type() == EventType::SubscriberPanicked;
        probe.wait_for("the report", panicked).await;
        run_one(&supervisor, quick("after")).await;
        assert_eq!(supervisor.events_delivered().await, Ok(()));
        assert_eq!(probe.count(EventType::SubscriberPanicked), 1, "round {round}");
        assert_eq!(subscription.outstanding(), 0);
    }
}

// Decided (`into_event`): with the event taken out there is nothing left that could tell of a panic.
#[actix::test]
async fn an_actor_that_panics_after_it_took_the_event_out_ends_its_subscription_unannounced() {
    tokio::time::pause();
    struct Late(Counter);
    impl Actor for Late {
        type Context = Context<Self>;
    }
    impl Handler<Lifecycle> for Late {
        type Result = ();
        fn handle(&mut self, msg: Lifecycle, _: &mut Self::Context) {
            self.0.add();
            let event = msg.into_event().expect("no other delivery comes");
            assert!(event.kind.event_type() != EventType::TaskRemoved, "asked to");
        }
    }
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("running");
    let calls = Counter::default();
    let recipient = Late(calls.clone()).start().recipient::<Lifecycle>();
    let subscription = supervisor.subscribe(recipient).await.expect("running");
    for _ in 0..3 {
        run_one(&supervisor, quick("job")).await;
        assert_eq!(supervisor.events_delivered().await, Ok(()));
    }
    assert_eq!((calls.get(), subscription.outstanding()), (6, 0));
    assert_eq!(probe.count(EventType::SubscriberPanicked), 0);
    assert_eq!(probe.events().len(), 18);
    assert!(supervisor.shutdown().await.is_clean());
}

// "Its place in the order in which the broker saw events": also for the news of a death.
#[actix::test]
async fn the_news_of_a_dead_subscriber_comes_in_its_place_among_the_events() {
    tokio::time::pause();
    #[derive(Message)]
    #[rtype(result = "()")]
    struct Die;
    impl Handler<Die> for Listener {
        type Result = ();
        fn handle(&mut self, _: Die, _: &mut Self::Context) {
            // What it holds dies with it.
            let _held = self.0.held.take();
            panic!("asked to");
        }
    }
    let supervisor = current();
    let shelf = Rc::<Shelf>::default();
    let _listener = supervisor.subscribe(listener(&shelf)).await.expect("running");
    let dying = Listener(Shelf::holding()).start();
    let spec = SubscriptionSpec::from(dying.clone().recipient::<Lifecycle>());
    let _dying = supervisor.subscribe(spec).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    settle().await;
    // It dies after a large batch of events was published, and before it is sent out.
    let specs = (0..100).map(|number| quick(format!("quick-{number}")));
    let mut added = Box::pin(supervisor.add_all(specs));
    assert!(futures::future::FutureExt::now_or_never(added.as_mut()).is_none());
    dying.do_send(Die);
    added.await.expect("added");
    supervisor.wait_until_empty().await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    assert_eq!(shelf.next_seq(1), 6 + 600 + 1 + 1);
    let told = |kind: &EventType| *kind == EventType::SubscriberPanicked;
    assert_eq!(shelf.types().into_iter().filter(told).count(), 1);
}

/// A value that panics as its script says, event by event; then never again.
struct Clumsy {
    script: Vec<bool>,
    calls: Tape<EventType>,
    is_dropped: Arc<AtomicBool>,
}

impl Subscribe for Clumsy {
    fn on_event(&mut self, event: &Event) {
        let turn = self.calls.lock().len();
        self.calls.push(event.kind.event_type());
        let panics = self.script.get(turn).copied().unwrap_or(false);
        assert!(!panics, "turn {turn}");
    }

    fn name(&self) -> String {
        "clumsy".to_owned()
    }
}

impl Drop for Clumsy {
    fn drop(&mut self) {
        self.is_dropped.store(true, Ordering::SeqCst);
    }
}

/// Gives six events at a time to a value that panics by `script`; answers what it was given, whether
/// it was dropped, and the texts of the reports.
async fn clumsy(script: &[bool], tasks: usize) -> (Vec<EventType>, bool, Vec<String>) {
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("running");
    let (calls, is_dropped) = (Tape::new(), Arc::<AtomicBool>::default());
    let value = Clumsy {
        script: script.to_vec(),
        calls: calls.clone(),
        is_dropped: Arc::clone(&is_dropped),
    };
    supervisor.subscribe(value).await.expect("running").detach();
    for _ in 0..tasks {
        run_one(&supervisor, quick("job")).await;
        assert_eq!(supervisor.events_delivered().await, Ok(()));
    }
    settle().await;
    let reports = probe.events().into_iter().filter_map(|event| match event.kind {
        EventKind::SubscriberPanicked { subscriber, text } => {
            assert_eq!(&*subscriber, "clumsy");
            Some(text.expect("a value's panic has its text").to_string())
        }
        _ => None,
    });
    let reports = reports.collect();
    (calls.all(), is_dropped.load(Ordering::SeqCst), reports)
}

const P: bool = true;

#[actix::test]
async fn a_value_is_dropped_after_three_panics_in_a_row() {
    tokio::time::pause();
    let (calls, is_dropped, reports) = clumsy(&[P, P, P, P, P, P], 3).await;
    assert_eq!(calls, QUICK[..3]);
    assert!(is_dropped);
    assert_eq!(reports, ["turn 0", "turn 1", "turn 2"]);
}

#[actix::test]
async fn a_value_that_catches_itself_before_the_third_panic_in_a_row_stays() {
    tokio::time::pause();
    let script = [P, P, false, P, P, false, false, P, false, P, P];
    let (calls, is_dropped, reports) = clumsy(&script, 3).await;
    assert_eq!(calls, [QUICK, QUICK, QUICK].concat());
    assert!(!is_dropped);
    assert_eq!(reports.len(), 7);
    let script = [P, P, false, P, P, P];
    let (calls, is_dropped, _) = clumsy(&script, 3).await;
    assert_eq!(calls, QUICK);
    assert!(is_dropped);
}

// Lesson 3.
#[actix::test]
async fn a_value_is_not_handed_the_report_of_its_own_panic() {
    tokio::time::pause();
    let (calls, is_dropped, reports) = clumsy(&[P, P], 2).await;
    assert_eq!(calls, [QUICK, QUICK].concat());
    assert!(!is_dropped);
    assert_eq!(reports.len(), 2);
}

// Lesson 3: bounded, also where each panics over the report of the other's panic.
#[actix::test]
async fn subscribers_that_panic_over_each_other_come_to_an_end() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("running");
    let calls = Counter::default();
    for _ in 0..2 {
        let calls = calls.clone();
        let spec = SubscriptionSpec::from_fn(move |event| {
            calls.add();
            let kind = event.kind.event_type();
            assert!(kind != EventType::SubscriberPanicked, "over a panic");
        });
        supervisor.subscribe(spec).await.expect("running").detach();
    }
    let third = SubscriptionSpec::from_fn(|event| {
        assert!(event.kind.event_type() != EventType::TaskStarting, "the first");
    });
    supervisor.subscribe(third).await.expect("running").detach();
    run_one(&supervisor, quick("job")).await;
    tokio::time::sleep(secs(1)).await;
    let before = probe.events().len();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(probe.events().len(), before);
    let reports = probe.count(EventType::SubscriberPanicked);
    assert!((3..=7).contains(&reports), "{reports} reports");
    assert!(calls.get() < 50, "{} calls", calls.get());
}

#[actix::test]
async fn panics_in_the_other_methods_of_a_value_count_as_well() {
    tokio::time::pause();
    struct Touchy(Counter);
    impl Subscribe for Touchy {
        fn on_event(&mut self, _: &Event) {
            self.0.add();
            panic!("at an event");
        }
        fn on_lost(&mut self, _: u64) {
            self.0.add();
            panic!("at a loss");
        }
        fn on_snapshot(&mut self, _: &[TaskStatus]) {
            self.0.add();
            panic!("at a snapshot");
        }
    }
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("running");
    let calls = Counter::default();
    let spec = SubscriptionSpec::from(Touchy(calls.clone())).capacity(1).with_snapshot();
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    settle().await;
    run_many(&supervisor, 10).await;
    run_many(&supervisor, 10).await;
    settle().await;
    assert_eq!(calls.get(), 3);
    assert_eq!(probe.count(EventType::SubscriberPanicked), 3);
}

// Lesson 28: nothing of ours can panic there.
#[actix::test]
async fn a_value_whose_drop_panics_harms_nobody() {
    tokio::time::pause();
    struct Bomb;
    impl Subscribe for Bomb {
        fn on_event(&mut self, _: &Event) {
            panic!("at an event");
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("at the drop");
        }
    }
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("running");
    let _panics = supervisor.subscribe(Bomb).await.expect("running");
    let spec = SubscriptionSpec::from(Bomb).filter(EventFilter::all().kinds([]));
    let ends = supervisor.subscribe(spec).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    drop(ends);
    run_one(&supervisor, quick("job")).await;
    settle().await;
    assert_eq!(probe.count(EventType::TaskRemoved), 2);
    assert!(supervisor.shutdown().await.is_clean());
}

// Refused values are dropped, too: nothing of it reaches the supervisor.
#[actix::test]
async fn a_refused_value_whose_drop_panics_harms_nobody() {
    tokio::time::pause();
    struct Bomb;
    impl Subscribe for Bomb {
        fn on_event(&mut self, _: &Event) {}
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("at the drop");
        }
    }
    let supervisor = current_with(|builder| builder.subscriber_drain(secs(1)));
    let shelf = Shelf::holding();
    let _subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    for _ in 0..5 {
        let spec = SubscriptionSpec::from(Bomb).capacity(0);
        assert!(supervisor.subscribe(spec).await.is_err());
    }
    let (report, ()) = tokio::join!(supervisor.shutdown(), async {
        tokio::time::sleep(ms(500)).await;
        for _ in 0..5 {
            assert!(supervisor.subscribe(Bomb).await.is_err());
        }
    });
    assert_eq!((report.cause, report.undelivered), (ShutdownCause::Requested, 8));
    assert!(report.is_clean() && report.took >= secs(1), "{report}");
    assert!(supervisor.subscribe(Bomb).await.is_err());
}

// One thread for all values: who ends it ends them all, and later ones get a new one.
#[actix::test]
async fn a_value_that_ends_the_thread_for_subscribers_leaves_a_thread_for_later_ones() {
    let supervisor = dedicated_with(|builder| builder.name("stop"));
    let shelf = Rc::<Shelf>::default();
    let _actor = supervisor.subscribe(listener(&shelf)).await.expect("running");
    for _ in 0..3 {
        let spec = SubscriptionSpec::from_fn(|_| System::current().stop());
        let culprit = supervisor.subscribe(spec).await.expect("running");
        run_one(&supervisor, quick("job")).await;
        // Its deliveries are dropped with its thread.
        assert_eq!(supervisor.events_delivered().await, Ok(()));
        drop(culprit);
        // Who comes while the thread is ending shares its fate.
        eventually("the end of the thread", || threads_named("stop-subscriber") == 0);
        let scribe = Scribe::new();
        let events = scribe.events.clone();
        supervisor.subscribe(scribe).await.expect("running").detach();
        run_one(&supervisor, quick("job")).await;
        assert_eq!(supervisor.events_delivered().await, Ok(()));
        assert_eq!(events.all().len(), 6);
    }
    assert_eq!(shelf.lost(), 0);
    let report = within("the shutdown", supervisor.shutdown()).await;
    assert!(report.is_clean(), "{report}");
}

// Promised: "`Registry` and `Broker` call no user code", drops of errors inside events included.
#[actix::test]
async fn an_error_inside_an_event_is_never_dropped_on_the_thread_of_the_supervisor() {
    #[derive(Debug)]
    struct Tracked(Tape<String>);
    impl std::fmt::Display for Tracked {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("tracked")
        }
    }
    impl std::error::Error for Tracked {}
    impl Drop for Tracked {
        fn drop(&mut self) {
            self.0.push(thread::current().name().unwrap_or("-").to_owned());
        }
    }
    let supervisor = dedicated_with(|b| b.name("drops").outcome_history(3));
    let drops = Tape::new();
    // One that wants them and loses most, one that wants another type only, one that handles them.
    let shelf = Shelf::holding();
    let full = listener(&shelf).capacity(1);
    let _full = supervisor.subscribe(full).await.expect("running");
    let none = SubscriptionSpec::from_fn(|_| {}).filter(EventFilter::all().task_named("nobody"));
    let _none = supervisor.subscribe(none).await.expect("running");
    let value = supervisor.subscribe(Scribe::new()).await.expect("running");
    for round in 0..60 {
        let tape = drops.clone();
        let spec = TaskSpec::new(format!("task-{round}"), async move |ctx: TaskContext| match ctx
            .attempt()
        {
            1..4 => Err(Tracked(tape.clone()).into()),
            _ if round % 2 == 0 => Err(TaskError::fatal(Tracked(tape.clone()))),
            _ => Ok(()),
        })
        .backoff(BackoffPolicy::immediate())
        .max_retries(9);
        run_one(&supervisor, spec).await;
        if round == 30 {
            drop(shelf.held.take());
        }
    }
    drop(value);
    shelf.let_go();
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    // All but those of the three tasks in the history. (At the very end no worker is left for them.)
    let fewest = 30 * 3 + 30 * 4 - 3 * 4;
    eventually("the drop of most errors", || drops.all().len() >= fewest);
    let threads: HashSet<_> = drops.all().into_iter().collect();
    assert!(!threads.contains("drops-registry"), "{threads:?}");
}

// --- slow and blocked subscribers ---------------------------------------------------------------

/// A value that blocks its thread at its first event, until the test lets it go.
struct Blocked {
    gate: mpsc::Receiver<()>,
    is_blocked: Arc<AtomicBool>,
    scribe: Scribe,
}

impl Subscribe for Blocked {
    fn on_event(&mut self, event: &Event) {
        self.is_blocked.store(true, Ordering::SeqCst);
        let _ = self.gate.recv();
        self.scribe.on_event(event);
    }

    fn on_lost(&mut self, lost: u64) {
        self.scribe.on_lost(lost);
    }
}

fn blocked() -> (Blocked, mpsc::Sender<()>) {
    let (open, gate) = mpsc::channel();
    let value = Blocked { gate, is_blocked: Arc::default(), scribe: Scribe::new() };
    (value, open)
}

#[actix::test]
async fn a_blocked_value_affects_nobody_and_its_losses_are_counted() {
    let supervisor = dedicated();
    let (value, open) = blocked();
    let (events, lost) = (value.scribe.events.clone(), value.scribe.lost.clone());
    let spec = SubscriptionSpec::from(value).capacity(10);
    let subscription = supervisor.subscribe(spec).await.expect("running");
    let shelf = Rc::<Shelf>::default();
    let spec = listener(&shelf).capacity(10_000);
    let _listener = supervisor.subscribe(spec).await.expect("running");
    run_many(&supervisor, 500).await;
    within("the listener", async {
        while shelf.notes().len() < 3000 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((shelf.lost(), shelf.next_seq(1)), (0, 3001));
    assert_eq!(events.all(), []);
    assert!(subscription.outstanding() <= 10);
    drop(open);
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    let delivered = || events.all().len() as u64;
    eventually("the news of the loss", || delivered() + lost.get() == 3000);
    assert!(delivered() <= 10);
}

#[actix::test]
async fn a_blocked_value_on_the_thread_for_subscribers_blocks_no_worker_and_no_command() {
    let supervisor = dedicated();
    let (value, open) = blocked();
    let is_blocked = Arc::clone(&value.is_blocked);
    let _subscription = supervisor.subscribe(value).await.expect("running");
    run_one(&supervisor, quick("first")).await;
    eventually("the value blocks", || is_blocked.load(Ordering::SeqCst));
    supervisor.add(idle("idle")).await.expect("added");
    assert!(run_one(&supervisor, quick("job")).await.is_success());
    let reply = within("the cancel", supervisor.cancel("idle")).await.expect("there");
    assert!(matches!(reply.end, CancelEnd::Physical(_)));
    assert_eq!(supervisor.list().await.expect("running").len(), 0);
    drop(open);
}

// Lesson 20 for subscribers: bound of the shutdown, the culprit is named.
#[actix::test]
async fn a_blocked_value_holds_a_shutdown_up_for_no_longer_than_the_drain() {
    let supervisor = dedicated_with(|b| b.name("held").subscriber_drain(ms(100)));
    let (value, open) = blocked();
    let is_blocked = Arc::clone(&value.is_blocked);
    supervisor.subscribe(value).await.expect("running").detach();
    run_one(&supervisor, quick("first")).await;
    eventually("the value blocks", || is_blocked.load(Ordering::SeqCst));
    let report = within("the shutdown", supervisor.shutdown()).await;
    assert!(report.took >= ms(100), "{report}");
    assert!(report.took < secs(5), "{report}");
    assert_eq!(report.left_behind, ["held-subscribers"]);
    assert_eq!(report.undelivered, 8, "{report}");
    assert!(!report.is_clean());
    drop(open);
}

/// Takes its time over each event.
struct Sluggish(Counter);

impl Subscribe for Sluggish {
    fn on_event(&mut self, _: &Event) {
        self.0.add();
        thread::sleep(ms(5));
    }
}

// The bound of a shutdown holds against a value that is merely slow: the rest is not handled any more.
#[actix::test]
async fn a_slow_value_with_a_long_backlog_does_not_hold_up_its_thread_after_the_drain() {
    let supervisor = dedicated_with(|builder| builder.subscriber_drain(ms(50)));
    let calls = Counter::default();
    let spec = SubscriptionSpec::from(Sluggish(calls.clone())).capacity(10_000);
    supervisor.subscribe(spec).await.expect("running").detach();
    run_many(&supervisor, 500).await;
    let report = within("the shutdown", supervisor.shutdown()).await;
    assert!(report.is_clean(), "{report}");
    assert!(report.undelivered > 0 && calls.get() < 3000, "{report}");
}

// The same where the subscription was dropped, with its backlog still to be handled.
#[actix::test]
async fn a_slow_value_whose_subscription_was_dropped_does_not_hold_up_its_thread_after_the_end() {
    let supervisor = dedicated_with(|builder| builder.subscriber_drain(ms(50)));
    let calls = Counter::default();
    let spec = SubscriptionSpec::from(Sluggish(calls.clone())).capacity(10_000);
    let subscription = supervisor.subscribe(spec).await.expect("running");
    run_many(&supervisor, 500).await;
    drop(subscription);
    let report = within("the shutdown", supervisor.shutdown()).await;
    assert!(report.is_clean(), "{report}");
    assert!(calls.get() < 3000, "{report}");
}

// --- waiting for subscribers --------------------------------------------------------------------

#[actix::test]
async fn events_delivered_waits_until_each_event_so_far_was_handled() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Shelf::holding();
    let _subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    settle().await;
    let waits = supervisor.events_delivered();
    let lets_go = async {
        for _ in 0..6 {
            tokio::time::sleep(ms(100)).await;
            drop(shelf.held.borrow_mut().remove(0));
        }
    };
    let began = tokio::time::Instant::now();
    let (delivered, ()) = tokio::join!(waits, lets_go);
    assert_eq!(delivered, Ok(()));
    assert!(began.elapsed() >= ms(600));
}

#[actix::test]
async fn events_delivered_gives_up_when_the_drain_is_over() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.subscriber_drain(ms(250)));
    let shelf = Shelf::holding();
    let _subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    let began = tokio::time::Instant::now();
    let pending = supervisor.events_delivered().await;
    assert!(matches!(pending, Err(EventsPending { waited, .. }) if waited == ms(250)));
    let waited = began.elapsed();
    assert!(waited >= ms(250) && waited <= ms(252), "{waited:?}");
    shelf.let_go();
    assert_eq!(supervisor.events_delivered().await, Ok(()));
}

#[actix::test]
async fn events_delivered_is_over_at_once_where_nobody_holds_anything() {
    tokio::time::pause();
    let supervisor = current();
    let began = tokio::time::Instant::now();
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    let shelf = Rc::<Shelf>::default();
    let _subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    assert_eq!(began.elapsed(), Duration::ZERO);
    supervisor.shutdown().await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
}

#[actix::test]
async fn events_delivered_does_not_wait_for_later_events() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Rc::<Shelf>::default();
    let _subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    settle().await;
    let waits = supervisor.events_delivered();
    shelf.is_holding.set(true);
    let (delivered, _) = tokio::join!(waits, run_one(&supervisor, quick("later")));
    assert_eq!(delivered, Ok(()));
}

// "all events up to now have been handled": the first one is still held.
#[actix::test]
async fn events_delivered_is_not_deceived_by_later_events_that_were_handled() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.subscriber_drain(ms(250)));
    let shelf = Shelf::holding();
    let _subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    settle().await;
    shelf.is_holding.set(false);
    shelf.held.borrow_mut().truncate(1);
    let waits = supervisor.events_delivered();
    let (delivered, _) = tokio::join!(waits, run_one(&supervisor, quick("later")));
    assert_eq!(shelf.held.borrow().len(), 1);
    assert!(delivered.is_err(), "one event was never handled");
}

#[actix::test]
async fn events_delivered_ends_with_the_subscription_that_it_waits_for() {
    tokio::time::pause();
    let supervisor = current();
    let (spec, _) = mortal(EventType::TaskRemoved, true);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    let began = tokio::time::Instant::now();
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

// The drain is part of the shutdown: who asks meanwhile waits for the same deliveries.
#[actix::test]
async fn waiting_for_deliveries_during_the_drain_waits_for_what_is_being_drained() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.subscriber_drain(secs(10)));
    let shelf = Shelf::holding();
    let _subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    let task = supervisor.add(idle("job")).await.expect("added");
    settle().await;
    let began = tokio::time::Instant::now();
    let lets_go = async {
        tokio::time::sleep(secs(2)).await;
        shelf.let_go();
    };
    let waits = async {
        tokio::time::sleep(secs(1)).await;
        let delivered = supervisor.events_delivered().await;
        (delivered, began.elapsed())
    };
    let after_events = async {
        let outcome = task.outcome().after_events(secs(5)).await;
        (outcome, began.elapsed())
    };
    let (report, (delivered, one), (outcome, two), ()) =
        tokio::join!(supervisor.shutdown(), waits, after_events, lets_go);
    assert_eq!((delivered, report.undelivered), (Ok(()), 0));
    assert_eq!(outcome.label(), "canceled");
    assert!(one >= secs(2) && two >= secs(2), "{one:?} {two:?}");
}

// Lessons 4 and 7.
#[actix::test]
async fn an_outcome_after_events_comes_when_everybody_has_the_last_event_of_the_task() {
    let supervisor = dedicated();
    let scribe = Scribe::new();
    let events = scribe.events.clone();
    let _value = supervisor.subscribe(scribe).await.expect("running");
    let shelf = Rc::<Shelf>::default();
    let _actor = supervisor.subscribe(listener(&shelf)).await.expect("running");
    for round in 1..=200 {
        let task = supervisor.add(quick("job")).await.expect("the name is free");
        let outcome = within("it", task.outcome().after_events(secs(10))).await;
        assert!(outcome.is_success());
        let last = events.all().last().copied();
        assert_eq!(last, Some((round * 6, EventType::TaskRemoved)));
        assert_eq!(shelf.next_seq(1), round * 6 + 1);
    }
}

// Promised: `TaskRemoved`, then the waiters of `removed` and `cancel`.
#[actix::test]
async fn what_a_task_was_removed_by_is_published_before_anybody_hears_of_its_removal() {
    let supervisor = dedicated();
    let scribe = Scribe::new();
    let events = scribe.events.clone();
    let _value = supervisor.subscribe(scribe).await.expect("running");
    let mut published = 0;
    for round in 0..600 {
        let (spec, count) = if round % 2 == 0 { (quick("job"), 6) } else { (idle("job"), 7) };
        let task = supervisor.add(spec).await.expect("the name is free");
        if round % 2 == 0 {
            within("the removal", task.removed()).await;
            published += count;
        } else {
            eventually("the attempt", || task.status().attempt == 1);
            within("the end", task.cancel()).await.expect("there");
            published += count;
        }
        assert_eq!(supervisor.events_delivered().await, Ok(()));
        let last = events.all().last().copied();
        assert_eq!(last, Some((published, EventType::TaskRemoved)), "round {round}");
    }
}

#[actix::test]
async fn an_outcome_after_events_waits_no_longer_than_its_deadline() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Shelf::holding();
    let _subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    let nap = TaskSpec::once("job", async |_| {
        tokio::time::sleep(ms(100)).await;
        Ok(())
    });
    let task = supervisor.add(nap).await.expect("added");
    let began = tokio::time::Instant::now();
    let outcome = task.outcome().after_events(ms(300)).await;
    assert!(outcome.is_success());
    let waited = began.elapsed();
    assert!(waited >= ms(400) && waited <= ms(404), "{waited:?}");
    shelf.let_go();
    let began = tokio::time::Instant::now();
    assert!(task.outcome().after_events(ms(300)).await.is_success());
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[actix::test]
async fn an_outcome_after_events_is_to_be_had_after_the_shutdown() {
    tokio::time::pause();
    let supervisor = current();
    let task = supervisor.add(idle("job")).await.expect("added");
    supervisor.shutdown().await;
    let outcome = task.outcome().after_events(secs(1)).await;
    assert!(matches!(outcome, TaskOutcome::Canceled { .. }));
}

// Lesson 4: 319 of 2,000 runs elsewhere.
#[actix::test]
async fn a_subscriber_has_every_event_of_a_finished_run() {
    for _ in 0..100 {
        let supervisor = dedicated();
        let scribe = Scribe::new();
        let events = scribe.events.clone();
        let _subscription = supervisor.subscribe(scribe).await.expect("running");
        let specs = [quick("one"), quick("two")];
        let report = within("the run", supervisor.run(specs)).await.expect("added");
        assert_eq!(report.undelivered, 0);
        let events = events.all();
        let seqs: Vec<_> = events.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(seqs, (1..=14).collect::<Vec<u64>>());
        let count = |kind: EventType| events.iter().filter(|(_, other)| *other == kind).count();
        assert_eq!(count(EventType::TaskRemoved), 2);
        assert_eq!(events[13].1, EventType::AllStoppedWithinGrace);
    }
}

// --- the drain at the end -----------------------------------------------------------------------

#[actix::test]
async fn a_shutdown_waits_for_a_slow_subscriber_and_no_longer() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.subscriber_drain(secs(10)));
    let shelf = Shelf::holding();
    let _subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    let (report, ()) = tokio::join!(supervisor.shutdown(), async {
        tokio::time::sleep(secs(2)).await;
        shelf.let_go();
    });
    assert!(report.took >= secs(2) && report.took < secs(3), "{report}");
    assert_eq!(report.undelivered, 0);
    assert!(report.is_clean());
}

// `undelivered`: "how many events subscribers had not handled when their time was over".
#[actix::test]
async fn a_shutdown_counts_the_events_that_were_not_handled_when_the_drain_was_over() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.subscriber_drain(ms(300)));
    let shelf = Shelf::holding();
    let _subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    settle().await;
    drop(shelf.held.borrow_mut().remove(0));
    let report = supervisor.shutdown().await;
    assert!(report.took >= ms(300) && report.took < ms(310), "{report}");
    // Of 6 + 2 one was handled; the last delivery is no event.
    assert_eq!(report.undelivered, 7);
    assert!(report.is_clean(), "undelivered events don't count");
    assert!(report.to_string().contains("not handled by their subscribers: 7"));
}

#[actix::test]
async fn news_that_are_no_events_are_not_counted_as_undelivered() {
    tokio::time::pause();
    struct Clutching(Rc<RefCell<Vec<Lifecycle>>>);
    impl Actor for Clutching {
        type Context = Context<Self>;
    }
    impl Handler<Lifecycle> for Clutching {
        type Result = ();
        fn handle(&mut self, msg: Lifecycle, _: &mut Self::Context) {
            if msg.event().is_none() {
                self.0.borrow_mut().push(msg);
            }
        }
    }
    let supervisor = current_with(|builder| builder.subscriber_drain(ms(300)));
    let held = Rc::<RefCell<Vec<Lifecycle>>>::default();
    let recipient = Clutching(Rc::clone(&held)).start().recipient::<Lifecycle>();
    let spec = SubscriptionSpec::from(recipient).with_snapshot();
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    let report = supervisor.shutdown().await;
    assert!(held.borrow().len() == 2, "the snapshot and the end");
    assert_eq!(report.undelivered, 0);
}

// Promised: "(`subscriber_drain` …, only if somebody has undelivered events)".
#[actix::test]
async fn a_shutdown_spends_no_time_on_subscribers_that_have_handled_everything() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.subscriber_drain(secs(10)));
    let shelf = Rc::<Shelf>::default();
    let _subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    let report = supervisor.shutdown().await;
    assert_eq!((report.took, report.undelivered), (Duration::ZERO, 0));
    assert_eq!(shelf.next_seq(1), 9);
}

#[actix::test]
async fn a_shutdown_without_time_for_subscribers_still_sends_them_everything() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.subscriber_drain(Duration::ZERO));
    let shelf = Rc::<Shelf>::default();
    let _subscription = supervisor.subscribe(listener(&shelf)).await.expect("running");
    run_one(&supervisor, quick("job")).await;
    supervisor.shutdown().await;
    settle().await;
    assert_eq!(shelf.next_seq(1), 9);
    assert!(shelf.has_ended());
}

// --- without events -----------------------------------------------------------------------------

// Promised: "No subscriber that wants it, no event object".
#[actix::test]
async fn no_event_is_made_that_nobody_wants() {
    tokio::time::pause();
    let supervisor = current();
    run_many(&supervisor, 20).await;
    // The first number is given to the first event that somebody wants.
    let shelf = Rc::<Shelf>::default();
    let filter = EventFilter::all().kinds([EventType::TaskRemoved]);
    let spec = listener(&shelf).filter(filter);
    let subscription = supervisor.subscribe(spec).await.expect("running");
    run_many(&supervisor, 20).await;
    settle().await;
    assert_eq!(shelf.next_seq(1), 21);
    drop(subscription);
    run_many(&supervisor, 20).await;
    let later = Rc::<Shelf>::default();
    let _subscription = supervisor.subscribe(listener(&later)).await.expect("running");
    run_many(&supervisor, 1).await;
    settle().await;
    assert_eq!(later.next_seq(21), 27);
}

/// Status of a task in each of its phases; `bustle` is what listens meanwhile.
async fn assert_statuses_are_right(supervisor: &SupervisorHandle) {
    let spec = TaskSpec::new("job", async |ctx: TaskContext| {
        tokio::time::sleep(ms(10)).await;
        match ctx.attempt() {
            attempt @ 1..3 => Err(TaskError::failed(format!("no {attempt}"))),
            _ => {
                ctx.cancelled().await;
                Ok(())
            }
        }
    })
    .backoff(every(ms(100)));
    let task = supervisor.add(spec).await.expect("added");
    let status = |phase, attempt, streak, failure: Option<&str>| {
        let status = task.status();
        let text = status.last_failure.as_ref().map(Failure::text);
        let seen = (status.phase, status.attempt, status.streak, text);
        assert_eq!(seen, (phase, attempt, streak, failure));
    };
    tokio::time::sleep(ms(5)).await;
    status(TaskPhase::Running, 1, 0, None);
    tokio::time::sleep(ms(50)).await;
    status(TaskPhase::BackingOff, 1, 1, Some("no 1"));
    tokio::time::sleep(ms(100)).await;
    status(TaskPhase::BackingOff, 2, 2, Some("no 2"));
    tokio::time::sleep(ms(100)).await;
    status(TaskPhase::Running, 3, 2, Some("no 2"));
    assert_eq!(task.status().restarts, 2);
    let listed = supervisor.list().await.expect("running");
    assert!(listed.iter().any(|status| status.task.id() == task.id()));
    task.cancel().await.expect("there");
    status(TaskPhase::Ended, 3, 2, Some("no 2"));
    let found = supervisor.status("job").await.expect("running").expect("in the history");
    assert!(found.is_removed);
    assert_eq!(found.outcome.as_ref().map(TaskOutcome::label), Some("canceled"));
}

// Lesson 6: "status comes from the owner".
#[actix::test]
async fn statuses_are_right_when_nobody_listens() {
    tokio::time::pause();
    assert_statuses_are_right(&current()).await;
}

// Lesson 6.
#[actix::test]
async fn statuses_are_right_when_every_event_is_lost() {
    tokio::time::pause();
    let supervisor = current();
    let shelf = Shelf::holding();
    let spec = listener(&shelf).capacity(1);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    run_one(&supervisor, quick("fills it")).await;
    assert_statuses_are_right(&supervisor).await;
    assert_eq!(shelf.next_seq(1), 2);
}

// Lesson 2: "with every event dropped, every decision is still right".
#[actix::test]
async fn every_decision_is_right_beside_a_noisy_task_when_every_event_is_lost() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.max_concurrent(2).max_tasks(31));
    let shelf = Shelf::holding();
    let spec = listener(&shelf).capacity(1);
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    let noisy = TaskSpec::periodic("noisy", ms(1), async |_| Ok(()));
    let noisy = supervisor.add(noisy).await.expect("added");
    let running = Counter::default();
    let most = Counter::default();
    let mut jobs = Vec::new();
    for number in 0..20_u64 {
        let (running, most) = (running.clone(), most.clone());
        let spec = TaskSpec::new(format!("job-{number}"), async move |ctx: TaskContext| {
            if running.add() > most.get() {
                most.add();
            }
            tokio::time::sleep(ms(3)).await;
            running.subtract();
            if ctx.attempt() <= number % 3 {
                return Err(TaskError::failed("again"));
            }
            match number % 4 {
                3 => Err(TaskError::fatal("over")),
                _ => Ok(()),
            }
        })
        .backoff(every(ms(2)));
        jobs.push(supervisor.add(spec).await.expect("added"));
    }
    let mut canceled = Vec::new();
    for number in 0..10 {
        let idle = supervisor.add(idle(format!("idle-{number}"))).await;
        canceled.push(idle.expect("added"));
    }
    let over = supervisor.add(quick("one too many")).await;
    assert!(matches!(over, Err(AddError::LimitReached { limit: 31, .. })));
    for idle in &canceled {
        let reply = idle.cancel().await.expect("there");
        let end = matches!(reply.end, CancelEnd::Physical(TaskOutcome::Canceled { .. }));
        assert!(end && reply.asked_by_this_call, "{reply:?}");
    }
    for (number, job) in (0..).zip(&jobs) {
        let outcome = within("a job", job.removed()).await;
        let expected = if number % 4 == 3 { "fatal" } else { "completed" };
        assert_eq!(outcome.label(), expected);
        assert_eq!(job.status().attempt, number % 3 + 1);
    }
    assert!(most.get() <= 2, "{} ran at once", most.get());
    noisy.cancel().await.expect("there");
    assert_eq!(supervisor.is_empty().await, Ok(true));
    assert_eq!(shelf.next_seq(1), 2, "every event after the first was lost");
    assert!(supervisor.add(quick("again")).await.is_ok());
}

// One handle of each kind: what a subscription says of itself is of use in a log.
#[actix::test]
async fn a_subscription_and_its_spec_say_who_they_are() {
    tokio::time::pause();
    let supervisor = current();
    let spec = SubscriptionSpec::from(Scribe::new()).name("books").capacity(7);
    assert!(format!("{spec:?}").contains("books"));
    let subscription = supervisor.subscribe(spec).await.expect("running");
    assert!(format!("{subscription:?}").contains("books"));
    let names: HashSet<_> = [Scribe::new().name(), LogSubscriber::new().name()].into();
    assert!(names.iter().all(|name| name.contains("::")), "{names:?}");
}

#[test]
fn what_a_subscriber_is_given_can_be_sent_to_any_thread() {
    fn is_sent<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Event>();
    is_shared::<Arc<Event>>();
    is_shared::<EventFilter>();
    is_shared::<Subscription>();
    is_shared::<TaskStatus>();
    is_sent::<SubscriptionSpec>();
    is_sent::<Lifecycle>();
    is_sent::<LifecycleBatch>();
    is_shared::<SubscribeError>();
    is_shared::<EventsPending>();
}
