//! The promises of `fanout.rs` and of the actor around it, one test each.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU64,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};

use actix::prelude::*;
use proptest::{collection::vec, prelude::*, sample};
use tokio::time::Instant;

use super::{
    Fault,
    fanout::{Appetite, Patience, Seen, rounds_per_turn},
};
use crate::{
    BackoffPolicy, EventFilter, EventKind, EventType, Lifecycle, LifecycleBatch, Placement,
    ShutdownCause, SubscribeError, Subscription, SubscriptionSpec, SupervisorHandle, TaskContext,
    TaskError, TaskId, TaskOutcome, TaskRef, TaskSpec, TaskSupervisor,
    clock::WallClock,
    event::{Draft, Numbered},
    subscriber::{Portion, Round},
};

const SECOND: Duration = Duration::from_secs(1);

async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(SECOND * 20, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// Lets everything that can happen now happen: a paused clock goes on when nobody has anything to do.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn publish_one(supervisor: &SupervisorHandle, kind: EventKind) {
    supervisor.board().publish([Some(Draft::of_supervisor(kind)), None]);
}

// --- what a snapshot has shown ------------------------------------------------------------------

fn id(number: u64) -> TaskId {
    TaskId::from_number(number).unwrap()
}

/// An event of a task after the change with this version.
fn change(task: u64, version: u64, kind: EventKind) -> Numbered {
    let task = TaskRef::new(id(task), Arc::from("task"));
    Draft::of_task(task, version, kind, Instant::now()).numbered(1, &mut WallClock::read(), None)
}

fn start(task: u64, version: u64) -> Numbered {
    change(task, version, EventKind::TaskStarting { attempt: 1 })
}

fn removal(task: u64, version: u64) -> Numbered {
    change(task, version, EventKind::TaskRemoved { forced: false })
}

fn refusal(task: u64) -> Numbered {
    change(task, 0, EventKind::TaskAddRequested)
}

fn of_no_task() -> Numbered {
    Draft::of_supervisor(EventKind::AllStoppedWithinGrace).numbered(1, &mut WallClock::read(), None)
}

#[test]
fn after_a_snapshot_only_what_is_newer_than_it_counts() {
    // B3: (version shown, event, admitted live, admitted when it was held)
    let table = [
        (Some(5), start(1, 4), false, false),
        (Some(5), start(1, 5), false, false),
        (Some(5), start(1, 6), true, true),
        (Some(5), removal(1, 5), false, false),
        (Some(5), removal(1, 6), true, true),
        (Some(5), refusal(1), false, false),
        // Not in the snapshot: added after it, or gone before it.
        (None, start(1, 1), true, false),
        (None, removal(1, 9), true, false),
        // It never was a member.
        (None, refusal(1), true, true),
        (Some(5), of_no_task(), true, true),
        (None, of_no_task(), true, true),
    ];
    for (shown, numbered, live, held) in table {
        let seen = || Seen::new(shown.map(|version| (id(1), version)));
        assert_eq!(seen().admits(&numbered), live, "live, {shown:?}: {numbered:?}");
        assert_eq!(seen().admits_held(&numbered), held, "held, {shown:?}: {numbered:?}");
    }
}

// lesson 11
#[test]
fn the_record_of_a_snapshot_shrinks_with_its_tasks() {
    let mut seen = Seen::new([(id(1), 3), (id(2), 3)]);
    assert!(seen.admits(&removal(1, 7)));
    assert!(!seen.is_empty());
    assert!(seen.admits(&start(2, 4)));
    assert!(!seen.admits(&removal(2, 3)), "the snapshot showed it");
    assert!(seen.is_empty());
}

#[derive(Clone, Debug)]
struct Change {
    task: u64,
    is_removal: bool,
}

fn any_change() -> impl Strategy<Value = Change> {
    (1_u64..5, prop::bool::weighted(0.15))
        .prop_map(|(task, is_removal)| Change { task, is_removal })
}

/// Numbers the changes of each task from 1; nothing follows a task's removal.
fn numbered(changes: &[Change]) -> Vec<(u64, u64, Numbered)> {
    let mut versions = BTreeMap::<u64, Option<u64>>::new();
    let mut events = Vec::new();
    for Change { task, is_removal } in changes {
        let version = versions.entry(*task).or_insert(Some(0));
        if let Some(last) = version {
            *last += 1;
            let last = *last;
            let numbered = if *is_removal { removal(*task, last) } else { start(*task, last) };
            events.push((*task, last, numbered));
        }
        if *is_removal {
            *version = None;
        }
    }
    events
}

proptest! {
    #![proptest_config(cases())]

    /// `Registry` says who is a member at one moment, and sends the answer behind the events of those
    /// that are gone and before those of the ones to come. `Broker` reads the cells at a later moment;
    /// of what a member did before that, any part may have arrived already, or arrive later.
    #[test]
    fn snapshot_and_events_together_tell_every_change_once(
        changes in vec(any_change(), 1..60),
        [subscribed_at, members_at, read_at] in any::<[sample::Index; 3]>(),
        arrived in any::<[sample::Index; 5]>(),
    ) {
        let events = numbered(&changes);
        let members_at = members_at.index(events.len() + 1);
        let read_at = members_at + read_at.index(events.len() - members_at + 1);
        let is_removal =
            |numbered: &Numbered| numbered.event.kind.event_type() == EventType::TaskRemoved;
        let (mut shown, mut gone) = (BTreeMap::new(), BTreeSet::new());
        for (task, version, numbered) in &events[..members_at] {
            shown.insert(*task, *version);
            if is_removal(numbered) {
                shown.remove(task);
                gone.insert(*task);
            }
        }
        for (task, version, _) in &events[members_at..read_at] {
            shown.entry(*task).and_modify(|shown| *shown = *version);
        }

        let mut seen = Seen::new(shown.iter().map(|(task, version)| (id(*task), *version)));
        let mut told = shown.clone();
        let all = events.iter().enumerate().skip(subscribed_at.index(members_at + 1));
        let is_held = |place: usize, task: &u64| {
            let arrived = arrived[usize::try_from(*task).unwrap()].index(read_at + 1);
            gone.contains(task) || (shown.contains_key(task) && place < arrived)
        };
        let (held, live): (Vec<_>, Vec<_>) = all.partition(|(place, one)| is_held(*place, &one.0));
        let held = held.into_iter().map(|one| (true, one));
        let live = live.into_iter().map(|one| (false, one));
        for (is_held, (place, (task, version, numbered))) in held.chain(live) {
            let is_news = if is_held { seen.admits_held(numbered) } else { seen.admits(numbered) };
            let is_member = shown.contains_key(task);
            let expected = !gone.contains(task) && (place >= read_at || !is_member);
            prop_assert_eq!(is_news, expected, "change {} of task {}", version, task);
            if is_news {
                let last = told.insert(*task, *version).unwrap_or(0);
                prop_assert_eq!(last + 1, *version, "a change of task {} is missing", task);
            }
        }
    }
}

#[test]
fn news_of_a_panic_is_for_everybody_but_its_subscriber() {
    // B4, lesson 3
    let news = Numbered { not_for: NonZeroU64::new(2), ..of_no_task() };
    let open = EventFilter::all();
    assert!(news.is_for(1, &open) && !news.is_for(2, &open));
    assert!(of_no_task().is_for(2, &open));
    let starts = EventFilter::all().kinds([EventType::TaskStarting]);
    assert!(!news.is_for(1, &starts) && start(1, 1).is_for(1, &starts));
    assert!(!of_no_task().is_for(1, &EventFilter::all().task(id(1))));
}

// --- bounds of the fan-out ----------------------------------------------------------------------

fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

fn current() -> SupervisorHandle {
    TaskSupervisor::builder().placement(Placement::Current).start().unwrap()
}

/// What a subscriber got in one delivery, and the delivery itself, which holds its room.
struct Delivery {
    seqs: Vec<u64>,
    lost: u64,
    has_ended: bool,
    room: Option<Box<dyn Send>>,
}

/// Keeps its deliveries until the test takes them away.
#[derive(Clone, Default)]
struct Hoard(Arc<Mutex<Vec<Delivery>>>);

impl Hoard {
    fn lock(&self) -> MutexGuard<'_, Vec<Delivery>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Events that it holds undropped.
    fn held(&self) -> usize {
        self.lock().iter().filter(|one| one.room.is_some()).map(|one| one.seqs.len()).sum()
    }

    /// Drops its `count` oldest deliveries, or as many as there are.
    fn let_go(&self, count: usize) {
        let rooms: Vec<_> =
            self.lock().iter_mut().filter_map(|one| one.room.take()).take(count).collect();
        drop(rooms);
    }

    fn has_ended(&self) -> bool {
        self.lock().last().is_some_and(|one| one.has_ended)
    }

    /// Follows the deliveries along what the filter admits: how many events they tell of or count.
    fn follow(&self, admitted: &[u64]) -> Result<usize, TestCaseError> {
        let mut place = 0;
        for one in self.lock().iter() {
            place += usize::try_from(one.lost).unwrap();
            for seq in &one.seqs {
                // B2
                prop_assert_eq!(Some(seq), admitted.get(place), "not the next one");
                place += 1;
            }
        }
        Ok(place)
    }
}

impl Actor for Hoard {
    type Context = Context<Self>;
}

impl Handler<Lifecycle> for Hoard {
    type Result = ();

    fn handle(&mut self, msg: Lifecycle, _: &mut Self::Context) {
        let seqs = msg.event().iter().map(|event| event.seq).collect();
        let (lost, has_ended) = (msg.lost(), msg.ended());
        self.lock().push(Delivery { seqs, lost, has_ended, room: Some(Box::new(msg)) });
    }
}

impl Handler<LifecycleBatch> for Hoard {
    type Result = ();

    fn handle(&mut self, msg: LifecycleBatch, _: &mut Self::Context) {
        let seqs: Vec<_> = msg.events().map(|event| event.seq).collect();
        assert!(seqs.len() <= 64, "{} in one batch", seqs.len());
        let (lost, has_ended) = (msg.lost(), msg.ended());
        self.lock().push(Delivery { seqs, lost, has_ended, room: Some(Box::new(msg)) });
    }
}

#[derive(Clone, Debug)]
struct Listener {
    capacity: usize,
    is_batch: bool,
    is_filtered: bool,
}

fn any_listener() -> impl Strategy<Value = Listener> {
    let capacity = prop_oneof![3 => 1_usize..5, 2 => 5_usize..100];
    (capacity, any::<bool>(), any::<bool>())
        .prop_map(|(capacity, is_batch, is_filtered)| Listener { capacity, is_batch, is_filtered })
}

/// A subscriber in the middle of a test.
struct Listening {
    of: Listener,
    hoard: Hoard,
    subscription: Option<Subscription>,
    admitted: Vec<u64>,
}

impl Listening {
    async fn start(of: Listener, supervisor: &SupervisorHandle) -> Self {
        let hoard = Hoard::default();
        let addr = hoard.clone().start();
        let spec = if of.is_batch {
            SubscriptionSpec::from(addr.recipient::<LifecycleBatch>())
        } else {
            SubscriptionSpec::from(addr.recipient::<Lifecycle>())
        };
        let filter = if of.is_filtered {
            EventFilter::all().kinds([EventType::TaskAddRequested])
        } else {
            EventFilter::all()
        };
        let spec = spec.capacity(of.capacity).filter(filter);
        let subscription = Some(supervisor.subscribe(spec).await.unwrap());
        Self { of, hoard, subscription, admitted: Vec::new() }
    }

    /// B1 and B2, when nothing is under way.
    fn check(&self) -> Result<(), TestCaseError> {
        let held = self.hoard.held();
        prop_assert!(held <= self.of.capacity, "{} held of {}", held, self.of.capacity);
        let told = self.hoard.follow(&self.admitted)?;
        let all = self.admitted.len();
        let outstanding = self.subscription.as_ref().map_or(0, Subscription::outstanding);
        prop_assert!(told <= all, "{} told of {}", told, all);
        if outstanding < self.of.capacity as u64 {
            prop_assert_eq!(told, all, "there is room, and a loss is not told");
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Act {
    /// So many events, in groups of so many each; the last of each group is of another type.
    Publish(usize, usize),
    LetGo(sample::Index, usize),
    /// Everybody gets a turn.
    Settle,
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0_usize..150, 1_usize..70).prop_map(|(events, each)| Act::Publish(events, each)),
        3 => (any::<sample::Index>(), 0_usize..20).prop_map(|(who, count)| Act::LetGo(who, count)),
        3 => Just(Act::Settle),
    ]
}

async fn fan_out_case(listeners: Vec<Listener>, acts: Vec<Act>) -> Result<(), TestCaseError> {
    tokio::time::pause();
    let supervisor = current();
    let mut all = Vec::new();
    for listener in listeners {
        all.push(Listening::start(listener, &supervisor).await);
    }
    let mut seq = 0;
    for act in acts {
        match act {
            Act::Publish(events, each) => {
                let mut left = events;
                while left > 0 {
                    let count = left.min(each);
                    for place in 1..=count {
                        seq += 1;
                        let is_last = place == count;
                        let kind = if is_last {
                            EventKind::TaskAdded
                        } else {
                            EventKind::TaskAddRequested
                        };
                        publish_one(&supervisor, kind);
                        let admitting = |one: &&mut Listening| !(one.of.is_filtered && is_last);
                        all.iter_mut().filter(admitting).for_each(|one| one.admitted.push(seq));
                    }
                    left -= count;
                }
            }
            Act::LetGo(who, count) => who.get(&all).hoard.let_go(count),
            Act::Settle => {
                settle().await;
                all.iter().try_for_each(Listening::check)?;
            }
        }
    }
    settle().await;
    all.iter().try_for_each(Listening::check)?;
    // What is lost is told when there is room again, though nothing new comes.
    for one in &mut all {
        one.hoard.let_go(usize::MAX);
        settle().await;
        prop_assert_eq!(one.hoard.follow(&one.admitted)?, one.admitted.len());
        one.hoard.let_go(usize::MAX);
        drop(one.subscription.take());
        settle().await;
        prop_assert!(one.hoard.has_ended(), "no last delivery"); // B5
        one.hoard.let_go(usize::MAX);
    }
    let report = within("the report", supervisor.shutdown()).await;
    prop_assert_eq!(report.undelivered, 0);
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_subscription_holds_more_than_its_bound_and_every_loss_is_told(
        listeners in vec(any_listener(), 1..4),
        acts in vec(any_act(), 1..25),
    ) {
        System::new().block_on(fan_out_case(listeners, acts))?;
    }
}

#[actix::test]
async fn only_events_that_somebody_wants_are_made() {
    tokio::time::pause();
    let supervisor = current();
    let wants = |kind| supervisor.board().wants(kind);
    assert!(EventType::ALL.iter().all(|kind| !wants(*kind)));
    let listen = |kinds: Vec<EventType>| {
        let spec = SubscriptionSpec::from_fn(|_| ()).filter(EventFilter::all().kinds(kinds));
        supervisor.subscribe(spec)
    };
    let starts = listen(vec![EventType::TaskStarting]).await.unwrap();
    let ends = listen(vec![EventType::ActorDead, EventType::TaskStarting]).await.unwrap();
    assert!(wants(EventType::TaskStarting) && wants(EventType::ActorDead));
    assert!(!wants(EventType::TaskAdded));
    drop(ends);
    settle().await;
    assert!(wants(EventType::TaskStarting) && !wants(EventType::ActorDead));
    drop(starts);
    settle().await;
    assert!(EventType::ALL.iter().all(|kind| !wants(*kind)));
}

#[derive(Default)]
struct Counter {
    seen: Arc<AtomicUsize>,
    lost: Arc<AtomicUsize>,
}

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Handler<LifecycleBatch> for Counter {
    type Result = ();

    fn handle(&mut self, msg: LifecycleBatch, _: &mut Self::Context) {
        self.seen.fetch_add(msg.events().len(), SeqCst);
        self.lost.fetch_add(usize::try_from(msg.lost()).unwrap(), SeqCst);
    }
}

#[actix::test]
async fn a_subscriber_on_this_thread_gets_its_turn_between_rounds_wherever_pairs_begin() {
    tokio::time::pause();
    let supervisor = current();
    let counter = Counter::default();
    let (seen, lost) = (Arc::clone(&counter.seen), Arc::clone(&counter.lost));
    let spec = SubscriptionSpec::from(counter.start().recipient::<LifecycleBatch>());
    let _subscription = supervisor.subscribe(spec.capacity(128)).await.unwrap();
    // One before the pairs: each 64th event is the first of a pair.
    publish_one(&supervisor, EventKind::TaskAdded);
    for _ in 0..500 {
        let pair = [EventKind::TaskAdded, EventKind::AllStoppedWithinGrace];
        supervisor.board().publish(pair.map(|kind| Some(Draft::of_supervisor(kind))));
    }
    settle().await;
    assert_eq!((seen.load(SeqCst), lost.load(SeqCst)), (1_001, 0));
}

#[actix::test]
async fn a_small_subscription_that_keeps_up_turn_by_turn_loses_nothing_to_gathering() {
    tokio::time::pause();
    let supervisor = current();
    let counter = Counter::default();
    let (seen, lost) = (Arc::clone(&counter.seen), Arc::clone(&counter.lost));
    let spec = SubscriptionSpec::from(counter.start().recipient::<LifecycleBatch>());
    let _subscription = supervisor.subscribe(spec.capacity(4)).await.unwrap();
    for _ in 0..100 {
        publish_one(&supervisor, EventKind::TaskAdded);
        publish_one(&supervisor, EventKind::AllStoppedWithinGrace);
        tokio::task::yield_now().await;
    }
    settle().await;
    assert_eq!((seen.load(SeqCst), lost.load(SeqCst)), (200, 0));
}

#[test]
fn a_turn_has_as_many_rounds_as_those_who_keep_up_have_room_for() {
    let rounds = |appetites: &[(u64, u64, u64)]| {
        let of = |&(capacity, room, messages): &_| Appetite { capacity, room, messages };
        rounds_per_turn(appetites.iter().map(of))
    };
    let (batches, singles) = (1, 64);
    assert_eq!(rounds(&[]), 16);
    assert_eq!(rounds(&[(1_024, 1_024, batches)]), 16);
    assert_eq!(rounds(&[(1_024, 1_024, batches), (128, 128, batches)]), 2);
    assert_eq!(rounds(&[(1_024, 191, batches)]), 2);
    // Too small for a round, and with all its room: one, as good as it gets.
    assert_eq!(rounds(&[(10, 10, batches)]), 1);
    // They do not keep up; nobody waits for them.
    assert_eq!(rounds(&[(1_024, 63, batches), (10, 9, batches), (4, 0, batches)]), 16);
    assert_eq!(rounds(&[(1_024, 63, batches), (256, 256, batches)]), 4);
    // Single messages are that many more to send.
    assert_eq!(rounds(&[(1_024, 1_024, singles); 4]), 16);
    assert_eq!(rounds(&[(1_024, 1_024, singles); 16]), 4);
    assert_eq!(rounds(&[(1_024, 1_024, singles); 100]), 1);
}

#[actix::test]
async fn what_many_busy_tasks_tell_does_not_pile_up() {
    const TASKS: usize = 64;
    const ATTEMPTS: usize = 200;
    const EVENTS_OF_AN_ATTEMPT: usize = 3;
    tokio::time::pause();
    let supervisor = current();
    let counter = Counter::default();
    let (seen, lost) = (Arc::clone(&counter.seen), Arc::clone(&counter.lost));
    let spec = SubscriptionSpec::from(counter.start().recipient::<LifecycleBatch>());
    let _subscription = supervisor.subscribe(spec).await.unwrap();
    let (made, most_behind) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let specs = (0..TASKS).map(|n| {
        let (made, seen) = (Arc::clone(&made), Arc::clone(&seen));
        let most_behind = Arc::clone(&most_behind);
        let body = async move |_: TaskContext| {
            let so_far = made.fetch_add(EVENTS_OF_AN_ATTEMPT, SeqCst);
            most_behind.fetch_max(so_far.saturating_sub(seen.load(SeqCst)), SeqCst);
            Err(TaskError::failed("again"))
        };
        let retries = u32::try_from(ATTEMPTS - 1).unwrap();
        TaskSpec::new(format!("busy-{n}"), body)
            .backoff(BackoffPolicy::immediate())
            .max_retries(retries)
    });
    let tasks = supervisor.add_all(specs.collect::<Vec<_>>()).await.unwrap();
    for task in tasks {
        within("its end", task.removed()).await;
    }
    settle().await;
    assert_eq!(lost.load(SeqCst), 0);
    assert!(seen.load(SeqCst) > TASKS * ATTEMPTS * EVENTS_OF_AN_ATTEMPT);
    // What they all make in one turn of the thread is a tenth of that.
    let most_behind = most_behind.load(SeqCst);
    assert!(most_behind < 2_000, "{most_behind} events were under way");
}

#[test]
fn a_filter_that_admits_little_keeps_nothing_else_in_memory() {
    let names = ["rare", "common"].map(Arc::<str>::from);
    let of = |name: &Arc<str>| {
        let task = TaskRef::new(id(1), Arc::clone(name));
        Draft::of_task(task, 1, EventKind::TaskAdded, Instant::now()).numbered(
            1,
            &mut WallClock::read(),
            None,
        )
    };
    let all = (0..64).map(|place| of(&names[usize::from(place != 40)]));
    let round = Arc::new(all.collect::<Round>());
    let is_rare = |numbered: &Numbered| numbered.event.task.as_ref().unwrap().name() == "rare";
    let portion = Portion::of(&round, is_rare);
    drop(round);
    assert_eq!(
        (portion.len(), portion.get(0).is_some(), portion.get(1).is_some()),
        (1, true, false)
    );
    assert_eq!(names.map(|name| Arc::strong_count(&name)), [2, 1]);
}

// --- panics of the broker itself ----------------------------------------------------------------

fn panic_in(supervisor: &SupervisorHandle) {
    supervisor.board().broker.do_send(Fault);
}

fn publish(supervisor: &SupervisorHandle, events: usize) {
    for _ in 0..events {
        publish_one(supervisor, EventKind::AllStoppedWithinGrace);
    }
}

#[actix::test]
async fn a_panic_of_the_broker_loses_no_event_and_no_waiter() {
    tokio::time::pause();
    let supervisor = current();
    let listener = Listener { capacity: 1024, is_batch: true, is_filtered: false };
    let mut listening = Listening::start(listener, &supervisor).await;
    publish(&supervisor, 3);
    let waiting = supervisor.events_delivered();
    let disturbing = async {
        panic_in(&supervisor);
        publish(&supervisor, 3);
        settle().await;
        panic_in(&supervisor);
        settle().await;
        listening.hoard.let_go(usize::MAX);
    };
    let (delivered, ()) = within("the delivery", async { tokio::join!(waiting, disturbing) }).await;
    assert_eq!(delivered, Ok(()));
    listening.admitted = (1..=6).collect();
    assert_eq!(listening.hoard.follow(&listening.admitted).unwrap(), 6);

    listening.hoard.let_go(usize::MAX);
    let shutdown = async {
        let letting_go = async {
            settle().await;
            listening.hoard.let_go(usize::MAX);
        };
        tokio::join!(supervisor.shutdown(), letting_go).0
    };
    let report = within("the report", shutdown).await;
    assert_eq!((report.cause, report.undelivered), (ShutdownCause::Requested, 0));
}

#[actix::test]
async fn wherever_the_broker_panics_among_its_messages_the_stream_goes_on() {
    tokio::time::pause();
    for place in 0..150 {
        let supervisor = current();
        let listener = Listener { capacity: 1024, is_batch: place % 2 == 0, is_filtered: false };
        let listening = Listening::start(listener, &supervisor).await;
        publish(&supervisor, place);
        panic_in(&supervisor);
        publish(&supervisor, 150 - place);
        settle().await;
        let all: Vec<_> = (1..=150).collect();
        assert_eq!(listening.hoard.follow(&all).unwrap(), 150, "panic after {place}");
    }
}

#[actix::test]
async fn the_deadline_of_a_wait_for_events_outlives_a_panic() {
    tokio::time::pause();
    let supervisor = current();
    let listener = Listener { capacity: 1024, is_batch: false, is_filtered: false };
    let _listening = Listening::start(listener, &supervisor).await;
    publish(&supervisor, 1);
    let waiting = supervisor.events_delivered();
    let disturbing = async {
        settle().await;
        panic_in(&supervisor);
    };
    let (delivered, ()) = within("the answer", async { tokio::join!(waiting, disturbing) }).await;
    assert!(delivered.is_err(), "the subscriber still holds one");
}

#[actix::test]
async fn three_panics_of_the_broker_within_a_second_end_the_supervisor_in_order() {
    tokio::time::pause();
    let supervisor = current();
    let ended = Arc::<AtomicUsize>::default();
    let body = Arc::clone(&ended);
    let task = TaskSpec::once("runs", async move |ctx: TaskContext| {
        ctx.cancelled().await;
        body.fetch_add(1, SeqCst);
        Ok(())
    });
    let task = supervisor.add(task).await.unwrap();
    let listener = Listener { capacity: 1024, is_batch: true, is_filtered: false };
    let listening = Listening::start(listener, &supervisor).await;
    for _ in 0..3 {
        panic_in(&supervisor);
    }
    // Nobody asked for it.
    let removed = within("the removal", task.removed()).await;
    assert!(matches!(removed, TaskOutcome::Canceled { .. }), "{removed}");
    assert_eq!(ended.load(SeqCst), 1, "it had its grace");
    within("the void", supervisor.wait_until_empty()).await;
    assert_eq!(within("the answer", supervisor.events_delivered()).await, Ok(()));
    let refused = supervisor.subscribe(SubscriptionSpec::from_fn(|_| ())).await;
    assert!(matches!(refused, Err(SubscribeError::ShuttingDown)));
    let report = within("the report", supervisor.shutdown()).await;
    assert_eq!(report.cause, ShutdownCause::Panicked);
    assert_eq!(report.ended.len(), 1);
    settle().await;
    assert!(listening.hoard.has_ended(), "no last delivery"); // B5
}

#[actix::test]
async fn panics_of_the_broker_a_second_apart_go_on_for_ever() {
    tokio::time::pause();
    let supervisor = current();
    let listener = Listener { capacity: 1024, is_batch: true, is_filtered: false };
    let listening = Listening::start(listener, &supervisor).await;
    for _ in 0..20 {
        panic_in(&supervisor);
        panic_in(&supervisor);
        publish(&supervisor, 1);
        tokio::time::sleep(SECOND).await;
    }
    let all: Vec<_> = (1..=20).collect();
    assert_eq!(listening.hoard.follow(&all).unwrap(), 20);
}

// --- what the time of an event is ---------------------------------------------------------------

#[test]
fn a_moment_is_shown_as_the_systems_clock_showed_it() {
    let before = SystemTime::now();
    let made = Instant::now();
    let mut clock = WallClock::read();
    assert!(before <= clock.at(made) && clock.at(made) <= SystemTime::now());
    // Moments after the look, and long before it.
    assert_eq!(clock.at(made + SECOND).duration_since(clock.at(made)).unwrap(), SECOND);
    let earlier = made.checked_sub(SECOND).unwrap();
    assert_eq!(clock.at(made).duration_since(clock.at(earlier)).unwrap(), SECOND);
}

// --- how long a round waits ---------------------------------------------------------------------

#[actix::test]
async fn events_of_two_turns_of_the_caller_of_block_on_share_a_round() {
    tokio::time::pause();
    let supervisor = current();
    let listener = Listener { capacity: 128, is_batch: true, is_filtered: false };
    let listening = Listening::start(listener, &supervisor).await;
    publish(&supervisor, 1);
    tokio::task::yield_now().await;
    publish(&supervisor, 1);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let rounds: Vec<_> = listening.hoard.lock().iter().map(|one| one.seqs.clone()).collect();
    assert_eq!(rounds, [[1, 2]]);
}

#[test]
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
fn an_event_is_moved_without_a_call() {
    // Beyond 128 bytes compilers call `memcpy`, and each event is moved several times on its way.
    assert!(size_of::<Numbered>() <= 128);
}

#[test]
fn a_round_waits_as_long_as_turns_bring_more() {
    let mut patience = Patience::since(Instant::now());
    let rounds = [1, 2, 2, 3, 3].map(|pending| patience.waits(pending));
    assert_eq!(rounds, [true; 5], "one turn without a new event is borne");
    assert!(!patience.waits(3), "a second one is not");
}

#[test]
fn a_round_that_is_full_or_old_waits_no_longer() {
    let now = Instant::now();
    let waits = |pending, age| {
        let mut patience = Patience::since(now);
        let has_waited = patience.waits(pending - 1);
        patience.see(now + age);
        has_waited && patience.waits(pending)
    };
    let micros = Duration::from_micros;
    assert!(waits(63, micros(199)));
    assert!(!waits(64, Duration::ZERO) && !waits(63, micros(200)));
}
