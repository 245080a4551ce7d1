//! What admission by key costs: the time of one submission, from `submit` to its outcome, of one refusal, of
//! one that shares a run, and of a look at a long queue.
//!
//! Each case is written once and measured on three desks in the same run: this crate (`supervised`), and the
//! least that does the same by hand, a `HashMap` of queues that is owned by one Tokio task (`tokio`) or by
//! one actor (`actix`).
//!
//! Criterion counts single units here, as in core.rs: the time it prints is that of one submission or one
//! question. Making submissions and their names is not timed; dropping them is. See README.md beside
//! this file.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::prelude::*;
use actix_rt::SystemRunner;
use actix_taskvisor::prelude::*;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
use futures::{
    future::ready,
    stream::{self, Stream, StreamExt},
};
use tokio::sync::Semaphore;

use floor::Bare;

#[path = "slots/floor.rs"]
mod floor;

/// Submissions in one round of most cases.
const SUBMISSIONS: usize = 10_000;
/// Those of a round in which each waits for the one before it.
const ONE_BY_ONE: usize = 1_000;
/// How many wait in one slot, to see whether the time of one grows with them.
const BACKLOGS: [usize; 3] = [1_000, 10_000, 100_000];
/// Over how many slots the submissions of a round go.
const SLOTS: [usize; 2] = [100, 1];
/// How many commands are under way at once: as many as the crate lets in by default.
const UNDER_WAY: usize = 1_024;
/// Questions in one round.
const QUESTIONS: usize = 100;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(15)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_000))
        .nresamples(10_000)
        .configure_from_args();
    let system = System::new();
    for place in Place::ALL {
        let open = || Supervised::open(place);
        all_cases(&mut criterion, &system, Variant { name: "supervised", place }, open);
        let open = || Bare::on_a_task(place);
        all_cases(&mut criterion, &system, Variant { name: "tokio", place }, open);
        let open = || Bare::on_an_actor(place);
        all_cases(&mut criterion, &system, Variant { name: "actix", place }, open);
    }
    criterion.final_summary();
}

// ---- the cases ----

fn all_cases<D: Desk>(
    criterion: &mut Criterion,
    system: &SystemRunner,
    variant: Variant,
    open: impl Fn() -> D,
) {
    let desk = system.block_on(async { open() });
    let mut bench = Bench { criterion, system, variant };
    queue(&mut bench, &desk);
    backlog(&mut bench, &desk);
    refusal(&mut bench, &desk);
    attach(&mut bench, &desk);
    questions(&mut bench, &desk);
    system.block_on(desk.close());
}

/// Submit to outcome with `Queue`, of tasks that return `Ok` at their first poll: each after the outcome of the
/// one before it, in a slot that is free; and 10,000 with up to 1,024 commands under way, which
/// queue as they come.
fn queue<D: Desk>(bench: &mut Bench<'_>, desk: &D) {
    bench.measure("submit", "one_by_one", ONE_BY_ONE, async || {
        let submissions = submissions::<D>(ONE_BY_ONE, &slots(100), Policy::Queue);
        let began = Instant::now();
        for submission in submissions {
            let handle = desk.submit(submission).await.ok().expect("a slot with room");
            assert!(D::outcome(handle).await);
        }
        let took = began.elapsed();
        desk.settle().await;
        took
    });
    for count in SLOTS {
        let label = format!("queue_{SUBMISSIONS}_over_{count}");
        bench.measure("submit", label, SUBMISSIONS, async || {
            let submissions = submissions::<D>(SUBMISSIONS, &slots(count), Policy::Queue);
            let began = Instant::now();
            let handles = submit_all(desk, submissions).await;
            outcomes::<D>(handles).await;
            let took = began.elapsed();
            desk.settle().await;
            took
        });
    }
}

/// The same in one slot whose owner ends when all have been taken in: the queue is as long as it gets.
fn backlog<D: Desk>(bench: &mut Bench<'_>, desk: &D) {
    for count in BACKLOGS {
        bench.measure("backlog", count, count, async || {
            let slots = slots(1);
            let owners = Owners::put_into(desk, &slots).await;
            let submissions = submissions::<D>(count, &slots, Policy::Queue);
            let began = Instant::now();
            let handles = submit_all(desk, submissions).await;
            owners.let_go();
            outcomes::<D>(handles).await;
            let took = began.elapsed();
            desk.settle().await;
            took
        });
    }
}

/// `DropIfRunning` in a busy slot: the submission goes there, comes back with the refusal, and is dropped.
fn refusal<D: Desk>(bench: &mut Bench<'_>, desk: &D) {
    let slots = slots(1);
    let owners = bench.system.block_on(Owners::put_into(desk, &slots));
    bench.measure("refusal", "drop_if_running", SUBMISSIONS, async || {
        let submissions = submissions::<D>(SUBMISSIONS, &slots, Policy::DropIfRunning);
        let began = Instant::now();
        let refused = replies(desk, submissions).filter(|reply| ready(reply.is_err()));
        let refused = refused.count().await;
        let took = began.elapsed();
        assert_eq!(refused, SUBMISSIONS);
        took
    });
    owners.let_go();
    bench.system.block_on(desk.settle());
}

/// `Attach` to one run, which ends when all have joined it.
fn attach<D: Desk>(bench: &mut Bench<'_>, desk: &D) {
    bench.measure("attach", "to_one_run", SUBMISSIONS, async || {
        let slots = slots(1);
        let owners = Owners::put_into(desk, &slots).await;
        let submissions = submissions::<D>(SUBMISSIONS, &slots, Policy::Attach);
        let began = Instant::now();
        let handles = submit_all(desk, submissions).await;
        owners.let_go();
        outcomes::<D>(handles).await;
        let took = began.elapsed();
        desk.settle().await;
        took
    });
}

/// With 10,000 that wait: the place of one of them (all over the queue, in turn), and a look at all slots.
fn questions<D: Desk>(bench: &mut Bench<'_>, desk: &D) {
    for count in SLOTS {
        let slots = slots(count);
        let (owners, handles) = bench.system.block_on(async {
            let owners = Owners::put_into(desk, &slots).await;
            let submissions = submissions::<D>(SUBMISSIONS, &slots, Policy::Queue);
            (owners, submit_all(desk, submissions).await)
        });
        let label = format!("place_{SUBMISSIONS}_over_{count}");
        bench.measure("look", label, QUESTIONS, async || {
            // One more than an even step: so the slots come in turn.
            let asked = handles.iter().step_by(SUBMISSIONS / QUESTIONS + 1);
            let began = Instant::now();
            let places = stream::iter(asked).map(|handle| desk.place(handle)).buffered(UNDER_WAY);
            let places: Vec<_> = places.collect().await;
            let took = began.elapsed();
            assert_eq!(places.len(), QUESTIONS);
            assert!(places.iter().all(|place| (1..=SUBMISSIONS / count).contains(place)));
            took
        });
        let label = format!("all_{SUBMISSIONS}_over_{count}");
        bench.measure("look", label, 1, async || {
            let began = Instant::now();
            let seen = desk.waiting().await;
            let took = began.elapsed();
            assert_eq!(seen, SUBMISSIONS);
            took
        });
        owners.let_go();
        bench.system.block_on(async {
            outcomes::<D>(handles).await;
            desk.settle().await;
        });
    }
}

fn slots(count: usize) -> Vec<Arc<str>> {
    (0..count).map(|number| format!("tenant-{number}").into()).collect()
}

/// Submissions to the slots in turn.
fn submissions<D: Desk>(count: usize, slots: &[Arc<str>], policy: Policy) -> Vec<D::Submission> {
    let slots = slots.iter().cycle().take(count).enumerate();
    slots.map(|(number, slot)| D::submission(number, slot, policy, Work::Quick)).collect()
}

/// Submits all, each as soon as fewer than `UNDER_WAY` are undecided; the replies in order.
fn replies<D: Desk>(
    desk: &D,
    submissions: Vec<D::Submission>,
) -> impl Stream<Item = Result<D::Handle, D::Refused>> {
    stream::iter(submissions).map(|submission| desk.submit(submission)).buffered(UNDER_WAY)
}

async fn submit_all<D: Desk>(desk: &D, submissions: Vec<D::Submission>) -> Vec<D::Handle> {
    let replies = replies(desk, submissions);
    replies.map(|reply| reply.ok().expect("a slot with room")).collect().await
}

async fn outcomes<D: Desk>(handles: Vec<D::Handle>) {
    for handle in handles {
        assert!(D::outcome(handle).await);
    }
}

/// One owner in each slot, which ends when it is let go.
struct Owners {
    count: usize,
    gate: Arc<Gate>,
}

impl Owners {
    async fn put_into<D: Desk>(desk: &D, slots: &[Arc<str>]) -> Self {
        let gate = Gate::new();
        for (number, slot) in slots.iter().enumerate() {
            let work = Work::Held(Arc::clone(&gate));
            let owner = D::submission(SUBMISSIONS * 10 + number, slot, Policy::Queue, work);
            desk.submit(owner).await.ok().expect("a free slot");
        }
        gate.wait_for(slots.len()).await;
        Self { count: slots.len(), gate }
    }

    fn let_go(self) {
        self.gate.let_in(self.count);
    }
}

// ---- measuring ----

struct Variant {
    name: &'static str,
    place: Place,
}

struct Bench<'a> {
    criterion: &'a mut Criterion,
    system: &'a SystemRunner,
    variant: Variant,
}

type Group<'a> = BenchmarkGroup<'a, criterion::measurement::WallTime>;

impl Bench<'_> {
    /// Runs whole rounds of so many `units` until as many units are done as criterion asks for, and answers
    /// the time of those. Only the time that `round` answers counts.
    fn measure(
        &mut self,
        group: &str,
        parameter: impl std::fmt::Display,
        units: usize,
        mut round: impl AsyncFnMut() -> Duration,
    ) {
        let Variant { name, place } = self.variant;
        let (system, units) = (self.system, units as u64);
        let mut group: Group<'_> = self.criterion.benchmark_group(group);
        group.sampling_mode(SamplingMode::Flat);
        group.throughput(Throughput::Elements(1));
        let id = BenchmarkId::new(format!("{name}_{}", place.label()), parameter);
        group.bench_function(id, |bencher| {
            bencher.iter_custom(|asked| {
                let rounds = asked.div_ceil(units);
                let took = system.block_on(async {
                    let mut took = Duration::ZERO;
                    for _ in 0..rounds {
                        took += round().await;
                    }
                    took
                });
                took.mul_f64(asked as f64 / (rounds * units) as f64)
            });
        });
    }
}

/// Where tasks run: on the thread of the benchmark, or on another one.
#[derive(Clone, Copy)]
enum Place {
    Current,
    Dedicated,
}

impl Place {
    const ALL: [Self; 2] = [Self::Current, Self::Dedicated];

    fn label(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Dedicated => "dedicated",
        }
    }
}

/// Where owners wait until they are let go.
struct Gate {
    here: Semaphore,
    open: Semaphore,
}

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self { here: Semaphore::new(0), open: Semaphore::new(0) })
    }

    async fn pass(&self) {
        self.here.add_permits(1);
        self.open.acquire().await.expect("never closed").forget();
    }

    fn let_in(&self, tasks: usize) {
        self.open.add_permits(tasks);
    }

    async fn wait_for(&self, tasks: usize) {
        let tasks = u32::try_from(tasks).expect("few");
        self.here.acquire_many(tasks).await.expect("never closed").forget();
    }
}

// ---- what is measured ----

#[derive(Clone, Copy)]
enum Policy {
    Queue,
    DropIfRunning,
    Attach,
}

enum Work {
    Quick,
    Held(Arc<Gate>),
}

/// Takes submissions by slot.
trait Desk {
    type Submission;
    type Handle;
    type Refused;

    fn submission(number: usize, slot: &Arc<str>, policy: Policy, work: Work) -> Self::Submission;
    async fn submit(&self, submission: Self::Submission) -> Result<Self::Handle, Self::Refused>;
    /// Whether it was a success.
    async fn outcome(handle: Self::Handle) -> bool;
    /// The place in its queue.
    async fn place(&self, handle: &Self::Handle) -> usize;
    /// How many wait, by a look at all slots.
    async fn waiting(&self) -> usize;
    /// Waits until nobody is there any more.
    async fn settle(&self);
    async fn close(self);
}

/// This crate, with its defaults but for the two bounds of its queues.
struct Supervised(SupervisorHandle);

impl Supervised {
    fn open(place: Place) -> Self {
        let placement = match place {
            Place::Current => Placement::Current,
            Place::Dedicated => Placement::Dedicated { workers: 1 },
        };
        let most = BACKLOGS.into_iter().max().unwrap_or_default();
        let builder = TaskSupervisor::builder().placement(placement);
        let builder = builder.max_queued_per_slot(most).max_queued(most);
        Self(builder.start().expect("a System runs, and threads can be had"))
    }
}

impl Desk for Supervised {
    type Submission = Submission;
    type Handle = SubmissionHandle;
    type Refused = SubmitError;

    fn submission(number: usize, slot: &Arc<str>, policy: Policy, work: Work) -> Submission {
        let name = format!("task-{number}");
        let spec = match work {
            Work::Quick => TaskSpec::once(name, async |_ctx| Ok(())),
            Work::Held(gate) => TaskSpec::once(name, async move |_ctx| {
                gate.pass().await;
                Ok(())
            }),
        };
        Submission::new(spec).slot(Arc::clone(slot)).when_busy(match policy {
            Policy::Queue => WhenBusy::Queue,
            Policy::DropIfRunning => WhenBusy::DropIfRunning,
            Policy::Attach => WhenBusy::Attach,
        })
    }

    async fn submit(&self, submission: Submission) -> Result<SubmissionHandle, SubmitError> {
        self.0.submit(submission).await
    }

    async fn outcome(handle: SubmissionHandle) -> bool {
        handle.outcome().await.is_success()
    }

    async fn place(&self, handle: &SubmissionHandle) -> usize {
        let status = self.0.status(handle).await.expect("the supervisor runs");
        status.and_then(|status| status.position).expect("it waits")
    }

    async fn waiting(&self) -> usize {
        let slots = self.0.slots().await.expect("the supervisor runs");
        slots.iter().map(|slot| slot.queue.len()).sum()
    }

    async fn settle(&self) {
        self.0.wait_until_empty().await;
    }

    async fn close(self) {
        assert!(self.0.shutdown().await.is_clean());
    }
}
