#![cfg(feature = "test-util")]
//! Slots under eight threads that submit at once for a while, in real time: order, exclusion, and exactly
//! one outcome for each submission.

mod common;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
    time::{Duration, Instant},
};

use actix_taskvisor::{Probe, prelude::*};
use common::*;

// ---- helpers ----

/// Who is inside the bodies of one slot, the most there ever were, and in which order they came.
#[derive(Default)]
struct Gauge {
    inside: AtomicUsize,
    most: AtomicUsize,
    came: Mutex<Vec<TaskId>>,
}

struct Inside(Arc<Gauge>);

impl Gauge {
    fn enter(self: &Arc<Self>, id: TaskId) -> Inside {
        let now = self.inside.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(now, SeqCst);
        self.came.lock().unwrap().push(id);
        Inside(Arc::clone(self))
    }

    fn came(&self) -> Vec<TaskId> {
        self.came.lock().unwrap().clone()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, SeqCst);
    }
}

/// Runs a future on this thread: with a small runtime of its own, or with none at all.
fn drive<F: Future>(has_runtime: bool, main: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    if has_runtime {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        return runtime.block_on(within("a thread", main));
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut main = pin!(main);
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Poll::Ready(output) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        assert!(Instant::now() < deadline, "waited too long for a thread without a runtime");
        std::thread::park_timeout(secs(1));
    }
}

// ---- many threads submit at once ----

const THREADS: u64 = 8;
const SLOTS: usize = 12;
/// The first ones are given nothing but `Queue`, all of one priority.
const QUEUES: usize = 4;
/// From this one on they have three owners.
const WIDE: usize = 10;
/// How many submissions a thread has under way.
const UNDER_WAY: usize = 30;

fn owners(slot: usize) -> usize {
    if slot < WIDE { 1 } else { 3 }
}

fn slot_name(slot: usize) -> String {
    format!("slot-{slot}")
}

fn any_policy(dice: &mut fastrand::Rng) -> WhenBusy {
    match dice.u8(..9) {
        0 => WhenBusy::Replace,
        1 => WhenBusy::ReplaceAll,
        2 => WhenBusy::DropIfRunning,
        3 => WhenBusy::Attach,
        4 => WhenBusy::Debounce { quiet: ms(1), max_wait: ms(3) },
        5 => WhenBusy::Throttle { every: ms(2) },
        _ => WhenBusy::Queue,
    }
}

/// Some are gone at once, some fail, some are deaf to their cancellation and are forced.
fn any_body(dice: &mut fastrand::Rng, name: String, gauge: &Arc<Gauge>) -> TaskSpec {
    let (kind, gauge) = (dice.u8(..6), Arc::clone(gauge));
    let spec = TaskSpec::once(name, async move |ctx| {
        let _inside = gauge.enter(ctx.id());
        match kind {
            0 => return Err("on purpose".into()),
            1 => tokio::task::yield_now().await,
            2 => drop(ctx.run_until_cancelled(tokio::time::sleep(ms(1))).await),
            3 => tokio::time::sleep(ms(2)).await,
            4 => std::thread::yield_now(),
            _ => {}
        }
        Ok(())
    });
    spec.grace(ms(1))
}

struct Storm {
    supervisor: SupervisorHandle,
    gauges: Vec<Arc<Gauge>>,
    until: Instant,
    seed: u32,
    /// Whether there are cancels, and a shutdown in the middle.
    is_wild: bool,
}

/// One that was taken in.
struct Sent {
    slot: usize,
    when_busy: WhenBusy,
    priority: i32,
    handle: SubmissionHandle,
    outcome: TaskOutcome,
}

impl Storm {
    fn begin(duration: Duration, is_wild: bool) -> Self {
        let seed = fastrand::u32(..);
        println!("seed {seed}"); // of what each thread does; not of who comes first
        Self {
            supervisor: dedicated_with(|builder| {
                builder.placement(Placement::Dedicated { workers: 3 })
            }),
            gauges: (0..SLOTS).map(|_| Arc::default()).collect(),
            until: Instant::now() + duration,
            seed,
            is_wild,
        }
    }

    /// What one thread does; everything it submitted, each with its outcome.
    async fn submitter(&self, thread: u64) -> Vec<Sent> {
        let mut dice = fastrand::Rng::with_seed(u64::from(self.seed) + thread);
        let mut sent = Vec::new();
        let mut under_way = VecDeque::<SubmissionHandle>::new();
        for number in 0.. {
            if Instant::now() >= self.until {
                match (self.is_wild, thread) {
                    (false, _) => break,
                    (true, 0) => self.shut_down().await,
                    (true, _) => {} // goes on until it is refused
                }
            }
            let slot = dice.usize(..SLOTS);
            let is_plain = slot < QUEUES;
            let when_busy = if is_plain { WhenBusy::Queue } else { any_policy(&mut dice) };
            let priority = if is_plain { 0 } else { dice.i32(-1..=1) };
            let spec = any_body(&mut dice, format!("{thread}-{number}"), &self.gauges[slot]);
            let mut submission = Submission::new(spec).slot(slot_name(slot)).when_busy(when_busy);
            submission = submission.priority(priority).concurrency(owners(slot));
            if dice.bool() {
                submission = submission.attach_displaced();
            }
            let handle = match self.supervisor.submit(submission).await {
                Ok(handle) => handle,
                Err(error) => match (error.kind(), when_busy) {
                    (Some(RejectionKind::SlotBusy { .. }), WhenBusy::DropIfRunning) => continue,
                    (Some(RejectionKind::ShuttingDown), _) if self.is_wild => break,
                    _ => panic!("{error}"),
                },
            };
            under_way.push_back(handle.clone());
            sent.push((slot, when_busy, priority, handle));
            if self.is_wild {
                self.interfere(&mut dice, &under_way).await;
            }
            if under_way.len() > UNDER_WAY {
                under_way.pop_front().unwrap().outcome().await;
            }
        }
        let mut with_outcomes = Vec::new();
        for (slot, when_busy, priority, handle) in sent {
            let outcome = handle.outcome().await;
            with_outcomes.push(Sent { slot, when_busy, priority, handle, outcome });
        }
        with_outcomes
    }

    /// Cancels a submission, a queue or a slot, now and then.
    async fn interfere(&self, dice: &mut fastrand::Rng, under_way: &VecDeque<SubmissionHandle>) {
        let slot = slot_name(dice.usize(..SLOTS));
        match dice.u8(..100) {
            0..8 => {
                let reply = under_way[dice.usize(..under_way.len())].cancel().await.unwrap();
                assert!(matches!(reply.end, CancelEnd::Physical(_)), "{reply:?}");
            }
            8 => drop(self.supervisor.cancel_slot(slot, SlotScope::Queue).await),
            9 => drop(self.supervisor.cancel_slot(slot, SlotScope::All).await),
            _ => {}
        }
    }

    async fn shut_down(&self) {
        let report = self.supervisor.shutdown().await;
        assert!(report.stuck.is_empty() && report.left_behind.is_empty(), "{report}");
        let ids: HashSet<_> = report.ended.iter().map(|(task, _)| task.id()).collect();
        assert_eq!(ids.len(), report.ended.len(), "each once");
    }

    /// All threads at once, to their ends; the submissions of each.
    fn rage(&self) -> Vec<Vec<Sent>> {
        std::thread::scope(|scope| {
            let start =
                |thread| scope.spawn(move || drive(thread % 2 == 0, self.submitter(thread)));
            let threads: Vec<_> = (0..THREADS).map(start).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    /// What holds in either case.
    fn judge(&self, by_thread: &[Vec<Sent>], events: &[Event]) {
        for sent in by_thread {
            assert!(sent.is_sorted_by_key(|sent| sent.handle.id()), "a thread's own order");
        }
        let sent: HashMap<_, _> =
            by_thread.iter().flatten().map(|sent| (sent.handle.id(), sent)).collect();
        for (slot, gauge) in self.gauges.iter().enumerate() {
            let (most, came) = (gauge.most.load(SeqCst), gauge.came());
            assert!((1..=owners(slot)).contains(&most), "{most} at once in slot {slot}");
            assert_eq!(most > 1, slot >= WIDE, "where there may be more, there are");
            assert_eq!(gauge.inside.load(SeqCst), 0);
            let started = events.iter().filter(|event| matches!(event.kind, EventKind::TaskAdded));
            let started = started.filter_map(|event| Some(event.task.as_ref()?.id()));
            let started: Vec<_> = started.filter(|id| sent[id].slot == slot).collect();
            for priority in -1..=1 {
                let is_queued = |id: &&TaskId| {
                    sent[id].when_busy == WhenBusy::Queue && sent[id].priority == priority
                };
                assert!(started.iter().filter(is_queued).is_sorted(), "starts in slot {slot}");
                let is_in_order = came.iter().filter(is_queued).is_sorted();
                assert!(is_in_order || slot >= WIDE, "bodies in slot {slot}");
            }
        }
        self.judge_outcomes(&sent, events);
        let mut outcomes = BTreeMap::new();
        for sent in sent.values() {
            *outcomes.entry(sent.outcome.label()).or_insert(0) += 1;
        }
        println!("{} submissions: {outcomes:?}", sent.len());
        let all = ["canceled", "completed", "failed", "force_aborted", "rejected"];
        assert!(outcomes.keys().eq(&all), "each way to end was seen");
    }

    /// Exactly one outcome each, and the right one.
    fn judge_outcomes(&self, sent: &HashMap<TaskId, &Sent>, events: &[Event]) {
        let mut ends = HashMap::<TaskId, (u32, u32)>::new();
        let mut followed = HashMap::<TaskId, TaskId>::new();
        for event in events {
            let Some(id) = event.task.as_ref().map(TaskRef::id) else { continue };
            let (outcomes, removals) = ends.entry(id).or_default();
            match &event.kind {
                EventKind::ActorExhausted { .. } | EventKind::ActorDead { .. } => *outcomes += 1,
                EventKind::TaskRemoved { .. } => *removals += 1,
                EventKind::SlotSubmitted { admission: Admission::Attached { to }, .. } => {
                    followed.insert(id, *to);
                }
                _ => {}
            }
        }
        let came: Vec<_> = self.gauges.iter().flat_map(|gauge| gauge.came()).collect();
        let ran: HashSet<_> = came.iter().copied().collect();
        assert_eq!(ran.len(), came.len(), "nobody ran twice");
        for (id, one) in sent {
            let is_member = !matches!(one.handle.admission(), Admission::Attached { .. });
            let expected = (u32::from(!followed.contains_key(id)), u32::from(is_member));
            assert_eq!(ends[id], expected, "ends of {:?}: {}", one.handle, one.outcome);
            assert_eq!(ran.contains(id), one.handle.status().attempt == 1, "{:?}", one.handle);
            // One that is followed may follow another one by now.
            let last = std::iter::successors(Some(id), |id| followed.get(id)).last().unwrap();
            self.judge_outcome(one, (last != id).then(|| sent[last]), ran.contains(id));
        }
    }

    fn judge_outcome(&self, one: &Sent, followed: Option<&Sent>, has_run: bool) {
        let Sent { handle, outcome, .. } = one;
        let is_users = matches!(outcome, TaskOutcome::Canceled { cause: CancelCause::User, .. });
        if let Some(followed) = followed {
            let is_shared = outcome.label() == followed.outcome.label();
            let is_given_up = self.is_wild && is_users;
            let expected = &followed.outcome;
            assert!(is_shared || is_given_up, "{handle:?}: {outcome}, not {expected}");
            return assert!(!has_run, "{handle:?} ran");
        }
        match outcome {
            TaskOutcome::Completed | TaskOutcome::Failed(_) => assert!(has_run, "{handle:?}"),
            TaskOutcome::Rejected { kind } => {
                assert!(!has_run, "{handle:?} ran, and was rejected: {kind}");
                match kind {
                    RejectionKind::Superseded { by } => assert!(*by > handle.id()),
                    RejectionKind::ShuttingDown if self.is_wild => {}
                    _ => panic!("{handle:?}: {kind}"),
                }
            }
            TaskOutcome::Canceled { cause, .. } | TaskOutcome::ForceAborted { cause } => {
                let is_expected = *cause == CancelCause::Replaced || self.is_wild;
                assert!(is_expected, "{handle:?}: {outcome}");
            }
            _ => panic!("{handle:?}: {outcome}"),
        }
    }
}

fn probe(supervisor: &SupervisorHandle) -> Probe {
    drive(true, Probe::attach(supervisor)).unwrap()
}

fn all_events(supervisor: &SupervisorHandle, probe: &Probe) -> Vec<Event> {
    drive(true, supervisor.events_delivered()).unwrap();
    assert_eq!(probe.lost(), 0);
    probe.events()
}

// lesson 9
#[test]
fn eight_threads_that_submit_at_once_meet_order_exclusion_and_one_outcome_each() {
    let storm = Storm::begin(ms(1500), false);
    let probe = probe(&storm.supervisor);
    let sent = storm.rage();
    drive(true, storm.supervisor.wait_until_empty());
    storm.judge(&sent, &all_events(&storm.supervisor, &probe));
    for slot in 0..QUEUES {
        let all = sent.iter().flatten().filter(|sent| sent.slot == slot);
        let mut all: Vec<_> = all.map(|sent| sent.handle.id()).collect();
        all.sort_unstable();
        assert_eq!(storm.gauges[slot].came(), all, "each one ran, in the order of arrival");
    }
    drive(true, async {
        // The last opening of a throttled slot is yet to come.
        while !storm.supervisor.slots().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    drive(true, storm.supervisor.shutdown());
}

// lesson 21
#[test]
fn cancels_and_a_shutdown_amid_eight_threads_leave_nobody_without_an_outcome() {
    let storm = Storm::begin(ms(1000), true);
    let probe = probe(&storm.supervisor);
    let sent = storm.rage();
    storm.judge(&sent, &all_events(&storm.supervisor, &probe));
}
