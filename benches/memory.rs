//! What a task weighs: live bytes and allocations, counted by the global allocator of this program.
//!
//! It prints three tables: what a held task keeps (beside the least that does the same by hand), what
//! is left when all were cancelled, and how many allocations one add-to-outcome and one restart make.
//! See README.md beside this file for what is counted and what is not.
//!
//! `cargo bench` passes `--bench`; without it (as under `cargo test --benches`) and with `--quick` only
//! the smallest size runs.

use std::{
    alloc::{GlobalAlloc, Layout, System as SystemAllocator},
    error::Error,
    fmt::{self, Write},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context as PollContext, Poll},
    time::{Duration, Instant},
};

use actix::{fut::ActorFuture, prelude::*};
use actix_taskvisor::prelude::*;
use futures::future::LocalBoxFuture;
use tokio::sync::{Semaphore, oneshot};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// Tasks or restarts over which the allocations of one are averaged.
const REPEATS: u64 = 10_000;
/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let has = |wanted: &str| args.iter().any(|arg| arg == wanted);
    let sizes = if has("--bench") && !has("--quick") { &SIZES[..] } else { &SIZES[..1] };

    let system = System::new();
    system.block_on(async {
        // What tokio and actix set up once on this thread counts for nobody.
        bare_held(Place::Current, 1).await;
        supervised_held(Place::Current, 1, DEFAULT_HISTORY).await;
        held_tables(sizes).await;
        step_tables().await;
    });
}

async fn held_tables(sizes: &[usize]) {
    println!("\nheld tasks, each waiting for its cancellation: per task\n");
    println!("| what | tasks | live bytes | live blocks | allocations to get there |");
    println!("|---|--:|--:|--:|--:|");
    let mut left = String::new();
    for place in Place::ALL {
        for &tasks in sizes {
            // The run queues of this thread grow to what so many tasks need: counted for nobody.
            bare_held(place, tasks).await;
            let held = supervised_held(place, tasks, DEFAULT_HISTORY).await;
            print_held("supervised", place, tasks, &held);
            let forgetful = supervised_held(place, tasks, 0).await;
            let _ = writeln!(
                left,
                "| {place} | {tasks} | {} | {} |",
                held.left.bytes, forgetful.left.bytes
            );
        }
        for &tasks in sizes {
            let held = bare_held(place, tasks).await;
            print_held("bare", place, tasks, &held);
        }
    }
    println!("\nlive bytes left after the cancel of all, handles dropped: in all\n");
    println!("| supervised | tasks | history of 1,024 (default) | history of 0 |");
    println!("|---|--:|--:|--:|");
    println!("{left}");
}

fn print_held(what: &str, place: Place, tasks: usize, held: &Held) {
    let per_task = |count: i64| count as f64 / tasks as f64;
    println!(
        "| {what} {place} | {tasks} | {:.0} | {:.2} | {:.2} |",
        per_task(held.full.bytes),
        per_task(held.full.blocks),
        per_task(held.full.allocations),
    );
}

async fn step_tables() {
    println!("allocations of one step, on average over {REPEATS}\n");
    println!(
        "| step | supervised current | supervised dedicated | bare current | bare dedicated |"
    );
    println!("|---|--:|--:|--:|--:|");
    let [current, dedicated] = Place::ALL;
    println!(
        "| add to outcome | {:.2} | {:.2} | {:.2} | {:.2} |",
        supervised_outcome(current).await,
        supervised_outcome(dedicated).await,
        bare_outcome(current).await,
        bare_outcome(dedicated).await,
    );
    println!(
        "| restart | {:.2} | {:.2} | {:.2} | {:.2} |",
        supervised_restart(current).await,
        supervised_restart(dedicated).await,
        bare_restart(current).await,
        bare_restart(dedicated).await,
    );
    let before = Count::now();
    drop(TaskError::failed("again"));
    let own = before.until_now().allocations;
    println!("\nof a restart, {own} are those of the body's own `TaskError::failed(\"again\")`");
}

// ---- held tasks ----

const DEFAULT_HISTORY: usize = 1_024;

/// What was counted with all tasks there, and after their end.
struct Held {
    full: Count,
    left: Count,
}

/// Bodies that wait for their cancellation, over all tasks of one measurement.
static WAITING: AtomicUsize = AtomicUsize::new(0);

async fn supervised_held(place: Place, tasks: usize, history: usize) -> Held {
    let supervisor = place.supervisor(history);
    // The first one pays for what all use; it ends before counting begins.
    let first = TaskSpec::once("first", async |_ctx| Ok(()));
    supervisor.add(first).await.expect("a free name").removed().await;

    let mut handles = Vec::with_capacity(tasks);
    let mut name = Name::default();
    WAITING.store(0, Relaxed);
    settle().await;

    let before = Count::now();
    for number in 0..tasks {
        let spec = TaskSpec::new(name.of(number), async |ctx: TaskContext| {
            WAITING.fetch_add(1, Relaxed);
            ctx.cancelled().await;
            Ok(())
        });
        handles.push(supervisor.add(spec).await.expect("a free name"));
    }
    until_waiting(tasks).await;
    let full = before.until_now();

    let report = supervisor.cancel_all_within(PATIENCE).await.expect("the supervisor runs");
    assert_eq!(report.ended.len(), tasks);
    supervisor.wait_until_empty().await;
    drop((report, handles));
    settle().await;
    let mut left = before.until_now();
    // The room for the handles was there before.
    left.bytes += (tasks * size_of::<TaskHandle>()) as i64;
    supervisor.shutdown().await;
    Held { full, left }
}

async fn bare_held(place: Place, tasks: usize) -> Held {
    let arbiter = place.arbiter();
    let mut handles = Vec::with_capacity(tasks);
    WAITING.store(0, Relaxed);
    settle().await;

    let before = Count::now();
    for _ in 0..tasks {
        let (stop, stopped) = oneshot::channel::<()>();
        let mut stopped = Some(stopped);
        let make = Box::new(move || {
            let stopped = stopped.take();
            Box::pin(async move {
                WAITING.fetch_add(1, Relaxed);
                if let Some(stopped) = stopped {
                    let _ = stopped.await;
                }
                Ok(())
            }) as BareFuture
        });
        handles.push(BareTask::launch(&arbiter, make, Some(stop)));
    }
    until_waiting(tasks).await;
    let full = before.until_now();

    for (addr, outcome) in handles {
        addr.do_send(BareStop);
        outcome.await.expect("an outcome");
    }
    close(arbiter);
    Held { full, left: Count::default() }
}

async fn until_waiting(tasks: usize) {
    let patient_until = Instant::now() + PATIENCE;
    while WAITING.load(Relaxed) < tasks {
        assert!(Instant::now() < patient_until, "tasks that never start");
        actix_rt::time::sleep(Duration::from_millis(1)).await;
    }
    settle().await;
}

/// Waits until no thread allocates or frees any more.
async fn settle() {
    let patient_until = Instant::now() + PATIENCE;
    let mut quiet = 0;
    let mut last = Count::now();
    while quiet < 5 {
        assert!(Instant::now() < patient_until, "somebody allocates without end");
        actix_rt::time::sleep(Duration::from_millis(2)).await;
        let now = Count::now();
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
    }
}

// ---- steps ----

async fn supervised_outcome(place: Place) -> f64 {
    let supervisor = place.supervisor(DEFAULT_HISTORY);
    let mut name = Name::default();
    let mut before = Count::now();
    // The first round fills the history, so that in the second each end evicts one.
    for _round in 0..2 {
        settle().await;
        before = Count::now();
        for number in 0..REPEATS {
            let spec = TaskSpec::once(name.of(number as usize), async |_ctx| Ok(()));
            let task = supervisor.add(spec).await.expect("a free name");
            assert!(task.outcome().await.is_success());
        }
        supervisor.wait_until_empty().await;
    }
    settle().await;
    let steps = before.until_now().per_step();
    supervisor.shutdown().await;
    steps
}

async fn supervised_restart(place: Place) -> f64 {
    let supervisor = place.supervisor(DEFAULT_HISTORY);
    let gate = Gate::new();
    let inside = Arc::clone(&gate);
    let mut left = 0;
    let failing = TaskSpec::new("failing", async move |_ctx| {
        if left == 0 {
            inside.pass().await;
            left = REPEATS;
        }
        left -= 1;
        Err(TaskError::failed("again"))
    })
    .backoff(BackoffPolicy::immediate())
    .max_retries(u32::MAX)
    .grace(Duration::ZERO);
    let task = supervisor.add(failing).await.expect("a free name");
    let steps = restarts(&gate).await;
    drop(task);
    supervisor.shutdown().await;
    steps
}

async fn bare_outcome(place: Place) -> f64 {
    let arbiter = place.arbiter();
    settle().await;
    let before = Count::now();
    for _ in 0..REPEATS {
        let make = Box::new(|| Box::pin(async { Ok(()) }) as BareFuture);
        let (_addr, outcome) = BareTask::launch(&arbiter, make, None);
        outcome.await.expect("an outcome");
    }
    settle().await;
    let steps = before.until_now().per_step();
    close(arbiter);
    steps
}

async fn bare_restart(place: Place) -> f64 {
    let arbiter = place.arbiter();
    let gate = Gate::new();
    let inside = Arc::clone(&gate);
    let mut left = 0;
    let make = Box::new(move || {
        let gate = (left == 0).then(|| Arc::clone(&inside));
        left = if left == 0 { REPEATS } else { left } - 1;
        Box::pin(async move {
            if let Some(gate) = gate {
                gate.pass().await;
            }
            Err("again".into())
        }) as BareFuture
    });
    drop(BareTask::launch(&arbiter, make, None));
    let steps = restarts(&gate).await;
    close(arbiter);
    steps
}

/// Lets the task behind the gate fail `REPEATS` times.
async fn restarts(gate: &Gate) -> f64 {
    gate.wait().await;
    settle().await;
    let before = Count::now();
    gate.open.add_permits(1);
    gate.wait().await;
    settle().await;
    before.until_now().per_step()
}

/// Where a task waits between two rounds.
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

    async fn wait(&self) {
        self.here.acquire().await.expect("never closed").forget();
    }
}

/// Names of 12 bytes, written in place: what a name weighs is what the spec makes of it.
#[derive(Default)]
struct Name(String);

impl Name {
    fn of(&mut self, number: usize) -> &str {
        self.0.clear();
        write!(self.0, "task-{number:07}").expect("strings take everything");
        assert_eq!(self.0.len(), 12);
        &self.0
    }
}

#[derive(Clone, Copy)]
enum Place {
    Current,
    Dedicated,
}

impl Place {
    const ALL: [Self; 2] = [Self::Current, Self::Dedicated];

    fn supervisor(self, history: usize) -> SupervisorHandle {
        let placement = match self {
            Self::Current => Placement::Current,
            Self::Dedicated => Placement::Dedicated { workers: 1 },
        };
        let builder = TaskSupervisor::builder().placement(placement).outcome_history(history);
        builder.start().expect("a System runs, and threads can be had")
    }

    fn arbiter(self) -> Option<Arbiter> {
        match self {
            Self::Current => None,
            Self::Dedicated => Some(Arbiter::new()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Current => "current",
            Self::Dedicated => "dedicated",
        })
    }
}

// ---- the floor: the least that does the same by hand, as in core.rs ----

type BareFuture = LocalBoxFuture<'static, Result<(), Box<dyn Error + Send + Sync>>>;
type BareMaker = Box<dyn FnMut() -> BareFuture + Send>;

struct BareTask {
    make: BareMaker,
    attempt: Option<BareFuture>,
    stop: Option<oneshot::Sender<()>>,
    outcome: Option<oneshot::Sender<()>>,
}

impl BareTask {
    fn launch(
        arbiter: &Option<Arbiter>,
        make: BareMaker,
        stop: Option<oneshot::Sender<()>>,
    ) -> (Addr<Self>, oneshot::Receiver<()>) {
        let (outcome, answer) = oneshot::channel();
        let outcome = Some(outcome);
        let task = move || Self { make, attempt: None, stop, outcome };
        let addr = match arbiter {
            None => task().start(),
            Some(arbiter) => Self::start_in_arbiter(&arbiter.handle(), move |_| task()),
        };
        (addr, answer)
    }
}

impl Actor for BareTask {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(BareDrive);
    }
}

/// Polls the attempt; a failed one is followed by another in a later poll.
struct BareDrive;

impl ActorFuture<BareTask> for BareDrive {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        task: &mut BareTask,
        ctx: &mut Context<BareTask>,
        cx: &mut PollContext<'_>,
    ) -> Poll<()> {
        let attempt = task.attempt.get_or_insert_with(&mut task.make);
        match attempt.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => {
                if let Some(outcome) = task.outcome.take() {
                    let _ = outcome.send(());
                }
                ctx.stop();
                Poll::Ready(())
            }
            Poll::Ready(Err(_)) => {
                task.attempt = None;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct BareStop;

impl Handler<BareStop> for BareTask {
    type Result = ();

    fn handle(&mut self, _: BareStop, _: &mut Self::Context) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

fn close(arbiter: Option<Arbiter>) {
    if let Some(arbiter) = arbiter {
        arbiter.stop();
        arbiter.join().expect("no panic");
    }
}

// ---- counting ----

/// What was allocated, over all threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    /// Bytes asked for and not yet freed, without what the allocator adds.
    bytes: i64,
    blocks: i64,
    /// Calls that gave out memory; a reallocation is one.
    allocations: i64,
}

static ALLOCATED_BYTES: AtomicU64 = AtomicU64::new(0);
static FREED_BYTES: AtomicU64 = AtomicU64::new(0);
static ALLOCATED_BLOCKS: AtomicU64 = AtomicU64::new(0);
static FREED_BLOCKS: AtomicU64 = AtomicU64::new(0);
static REALLOCATIONS: AtomicU64 = AtomicU64::new(0);

impl Count {
    fn now() -> Self {
        let read = |counter: &AtomicU64| counter.load(Relaxed).cast_signed();
        let blocks = read(&ALLOCATED_BLOCKS);
        Self {
            bytes: read(&ALLOCATED_BYTES) - read(&FREED_BYTES),
            blocks: blocks - read(&FREED_BLOCKS),
            allocations: blocks + read(&REALLOCATIONS),
        }
    }

    fn until_now(self) -> Self {
        let now = Self::now();
        Self {
            bytes: now.bytes - self.bytes,
            blocks: now.blocks - self.blocks,
            allocations: now.allocations - self.allocations,
        }
    }

    fn per_step(self) -> f64 {
        self.allocations as f64 / REPEATS as f64
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; the counters touch no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { SystemAllocator.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: as above.
        unsafe { SystemAllocator.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        FREED_BLOCKS.fetch_add(1, Relaxed);
        FREED_BYTES.fetch_add(layout.size() as u64, Relaxed);
        // SAFETY: as above.
        unsafe { SystemAllocator.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        REALLOCATIONS.fetch_add(1, Relaxed);
        FREED_BYTES.fetch_add(layout.size() as u64, Relaxed);
        ALLOCATED_BYTES.fetch_add(size as u64, Relaxed);
        // SAFETY: as above.
        unsafe { SystemAllocator.realloc(block, layout, size) }
    }
}

fn took(bytes: usize) {
    ALLOCATED_BLOCKS.fetch_add(1, Relaxed);
    ALLOCATED_BYTES.fetch_add(bytes as u64, Relaxed);
}
