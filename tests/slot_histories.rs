//! Random histories of slots, as they are told: each life is told in order and to its end, each slot walks along
//! its drawing, and whoever comes in the middle knows from a snapshot and the events after it who is a member.
//! `SLOT_HISTORIES=20000` tries more of them than the usual 60.
#![cfg(feature = "test-util")]

mod common;
#[path = "common/slots.rs"]
mod kit;

use std::{
    cell::Cell,
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_taskvisor::{Probe, prelude::*};
use common::*;
use kit::*;
use tokio::time::sleep;

// --- lives --------------------------------------------------------------------------------------

/// What was told of one submission.
#[derive(Clone, Debug, Default)]
struct Life {
    slot: String,
    refused: Option<RejectionKind>,
    follows: Option<TaskId>,
    waits: bool,
    is_added: bool,
    starts: u64,
    rejected: Option<RejectionKind>,
    outcome: Option<TaskOutcome>,
    is_removed: bool,
}

/// What was told of a supervisor, checked step by step.
struct Book {
    lives: BTreeMap<TaskId, Life>,
    slots: BTreeMap<String, SlotState>,
    /// Whether an end may be told by one thread while another tells that it was asked for.
    on_threads: bool,
}

impl Book {
    fn of(events: &[Event], on_threads: bool) -> Self {
        let (lives, slots) = (BTreeMap::new(), BTreeMap::new());
        let mut book = Self { lives, slots, on_threads };
        events.iter().for_each(|event| book.take(event));
        book
    }

    fn take(&mut self, event: &Event) {
        if let EventKind::SlotTransition { slot, from, to } = &event.kind {
            self.walk(slot, *from, *to, event);
            if let Some(task) = &event.task {
                let mover = &self.lives[&task.id()];
                assert_eq!(mover.slot, &**slot, "brought about from inside: {event}");
                let is_late = *to == SlotState::Stopping && mover.outcome.is_some();
                assert!(!is_late || self.on_threads, "{event}");
            }
            return;
        }
        let Some(task) = &event.task else { return };
        let life = self.lives.entry(task.id()).or_default();
        assert!(!life.is_removed && life.refused.is_none(), "told after the end: {event}");
        life.take(event, self.on_threads);
    }

    fn walk(&mut self, slot: &str, from: SlotState, to: SlotState, event: &Event) {
        let before = self.slots.insert(slot.to_owned(), to).unwrap_or(SlotState::Idle);
        assert_eq!(before, from, "{event}");
        assert!(is_drawn(from, to), "no such arrow: {event}");
        if event.task.is_none() {
            assert_eq!((from, to), (SlotState::Cooling, SlotState::Idle), "{event}");
        }
    }
}

/// The arrows of the drawing; `Cooling` is as `Idle`, and ends by itself.
fn is_drawn(from: SlotState, to: SlotState) -> bool {
    use SlotState::{Cooling, Delaying, Idle, Running, Stopping};
    matches!(
        (from, to),
        (Idle, Running | Delaying)
            | (Cooling, Running | Delaying | Idle)
            | (Delaying, Running | Idle | Cooling)
            | (Running, Stopping | Delaying | Idle | Cooling)
            | (Stopping, Running | Delaying | Idle | Cooling)
    )
}

impl Life {
    /// The next step from what is known.
    fn take(&mut self, event: &Event, on_threads: bool) {
        match &event.kind {
            EventKind::TaskAddRequested => {}
            EventKind::TaskAddFailed { .. } => self.is_removed = true,
            EventKind::SlotSubmitted { slot, admission: Admission::Attached { to }, .. } => {
                let is_new = self.slot.is_empty();
                assert!(is_new || self.waits, "{event}");
                assert_eq!(self.follows.replace(*to), None, "{event}");
                slot.as_ref().clone_into(&mut self.slot);
            }
            EventKind::SlotSubmitted { slot, admission, .. } => {
                assert!(self.slot.is_empty(), "taken in twice: {event}");
                slot.as_ref().clone_into(&mut self.slot);
                self.waits = *admission != Admission::Started;
            }
            EventKind::SlotRejected { kind, .. } if self.slot.is_empty() => {
                self.refused = Some(*kind);
            }
            EventKind::SlotRejected { slot, kind } => {
                assert!(self.waits && self.outcome.is_none(), "{event}");
                assert_eq!((&**slot, self.rejected.replace(*kind)), (&*self.slot, None), "{event}");
            }
            EventKind::TaskAdded => {
                assert!(!self.is_added && self.rejected.is_none(), "{event}");
                (self.is_added, self.waits) = (true, false);
            }
            EventKind::ActorExhausted { outcome } | EventKind::ActorDead { outcome } => {
                assert!(self.outcome.is_none() && self.follows.is_none(), "{event}");
                let kind = match outcome {
                    TaskOutcome::Rejected { kind } => Some(*kind),
                    _ => None,
                };
                assert_eq!(self.rejected, kind, "{event}");
                assert!(self.is_added || self.waits, "{event}");
                self.outcome = Some(outcome.clone());
            }
            EventKind::TaskRemoved { .. } => {
                let is_merged = self.waits && self.follows.is_some();
                assert!(self.outcome.is_some() != is_merged, "{event}");
                self.is_removed = true;
            }
            EventKind::TaskRemoveRequested { .. } => {
                assert!(self.is_added || self.waits, "{event}");
                assert!(self.outcome.is_none() || on_threads, "{event}");
            }
            EventKind::TaskStarting { .. } => {
                assert!(self.is_added && self.outcome.is_none(), "{event}");
                self.starts += 1;
            }
            _ => assert!(self.is_added, "{event}"),
        }
    }
}

// --- a view made of a snapshot and events -------------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq)]
enum Class {
    Waits,
    Started,
    Over,
}

impl Class {
    fn of(status: &TaskStatus) -> Self {
        match status.phase {
            TaskPhase::Queued | TaskPhase::Delayed => Self::Waits,
            TaskPhase::Ended => Self::Over,
            TaskPhase::Attached => panic!("a follower is no member: {status:?}"),
            _ => Self::Started,
        }
    }
}

type Members = BTreeMap<TaskId, (String, Option<String>, Class)>;

fn member(status: &TaskStatus) -> (TaskId, (String, Option<String>, Class)) {
    let slot = status.slot.as_deref().map(str::to_owned);
    (status.task.id(), (status.task.name().to_owned(), slot, Class::of(status)))
}

async fn truth(supervisor: &SupervisorHandle) -> Members {
    supervisor.list().await.expect("running").iter().map(member).collect()
}

/// The same when nothing is on its way and every event has been handled.
async fn settled(supervisor: &SupervisorHandle, pause: Duration) -> Members {
    loop {
        let before = truth(supervisor).await;
        sleep(pause).await;
        assert_eq!(supervisor.events_delivered().await, Ok(()));
        let is_over = |(.., class): &(_, _, Class)| *class == Class::Over;
        if before == truth(supervisor).await && !before.values().any(is_over) {
            return before;
        }
    }
}

/// Who is a member, as one subscriber knows it.
#[derive(Default)]
struct View {
    members: Members,
    /// What each slot was last told to be doing.
    slots: BTreeMap<String, SlotState>,
    merging: Option<TaskId>,
    events: u64,
    complaints: Vec<String>,
}

impl View {
    fn take(&mut self, event: &Event) {
        self.events += 1;
        if let EventKind::SlotTransition { slot, from, to } = &event.kind {
            let before = self.slots.insert(slot.to_string(), *to);
            if before.is_some_and(|before| before != *from) {
                self.complaints.push(format!("{event} after {before:?}"));
            }
        }
        let Some(task) = &event.task else { return };
        let (id, name) = (task.id(), task.name().to_owned());
        let before = self.members.get(&id).map(|(.., class)| *class);
        let mut complain = |is_fine: bool| {
            if !is_fine {
                self.complaints.push(format!("{event} after {before:?}"));
            }
        };
        let is_new = before.is_none();
        let mut enter = |slot: Option<&Arc<str>>, class| {
            let slot = slot.map(|slot| slot.to_string());
            self.members.insert(id, (name.clone(), slot, class));
        };
        match &event.kind {
            EventKind::SlotSubmitted { admission: Admission::Attached { .. }, .. } => {
                complain(is_new || before == Some(Class::Waits));
                self.merging = before.map(|_| id);
            }
            EventKind::SlotSubmitted { slot, admission, .. } => {
                complain(is_new);
                let is_started = *admission == Admission::Started;
                enter(Some(slot), if is_started { Class::Started } else { Class::Waits });
            }
            EventKind::TaskAdded if is_new => enter(None, Class::Started),
            EventKind::TaskAdded => {
                complain(before != Some(Class::Over));
                if let Some((.., class)) = self.members.get_mut(&id) {
                    *class = Class::Started;
                }
            }
            EventKind::SlotRejected { .. } => complain(is_new || before == Some(Class::Waits)),
            EventKind::ActorExhausted { .. } | EventKind::ActorDead { .. } => {
                complain(matches!(before, Some(Class::Waits | Class::Started)));
                if let Some((.., class)) = self.members.get_mut(&id) {
                    *class = Class::Over;
                }
            }
            EventKind::TaskRemoved { .. } => {
                complain(before == Some(Class::Over) || self.merging == Some(id));
                self.members.remove(&id);
            }
            EventKind::SlotTransition { .. }
            | EventKind::TaskAddRequested
            | EventKind::TaskAddFailed { .. } => {}
            _ => complain(!is_new),
        }
    }
}

#[derive(Clone, Default)]
struct Viewer(Arc<Mutex<View>>);

impl Viewer {
    fn look<R>(&self, look: impl FnOnce(&mut View) -> R) -> R {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn attach(supervisor: &SupervisorHandle) -> (Self, Subscription) {
        let viewer = Self::default();
        let spec = SubscriptionSpec::from(viewer.clone()).capacity(1 << 20).with_snapshot();
        let subscription = supervisor.subscribe(spec).await.expect("running");
        (viewer, subscription)
    }

    #[track_caller]
    fn assert_knows(&self, truth: &Members, of: &str) {
        self.look(|view| {
            assert_eq!(view.complaints, [] as [&str; 0], "{of}");
            assert_eq!(view.members, *truth, "{of}");
        });
    }
}

impl Subscribe for Viewer {
    fn on_event(&mut self, event: &Event) {
        self.look(|view| view.take(event));
    }

    fn on_lost(&mut self, lost: u64) {
        self.look(|view| view.complaints.push(format!("{lost} were lost")));
    }

    fn on_snapshot(&mut self, statuses: &[TaskStatus]) {
        // One that is removed since the moment of the membership: that has been told by this.
        let members = statuses.iter().filter(|status| !status.is_removed).map(member);
        self.look(|view| view.members = members.collect());
    }
}

#[actix::test]
async fn a_snapshot_shows_slots_and_positions_and_no_followers() {
    tokio::time::pause();
    let supervisor = current();
    let later = WhenBusy::Debounce { quiet: secs(9), max_wait: secs(9) };
    for (name, policy) in [("a", WhenBusy::Queue), ("b", WhenBusy::Queue), ("c", later)] {
        submit(&supervisor, for_k(idle(name), policy)).await;
    }
    submit(&supervisor, for_k(idle("a"), WhenBusy::Attach)).await;
    submit(&supervisor, for_k(idle("d"), WhenBusy::Queue).priority(1)).await;
    let shown = Arc::<Mutex<Vec<TaskStatus>>>::default();
    struct Shows(Arc<Mutex<Vec<TaskStatus>>>);
    impl Subscribe for Shows {
        fn on_event(&mut self, _: &Event) {}

        fn on_snapshot(&mut self, statuses: &[TaskStatus]) {
            self.0.lock().expect("sound").extend_from_slice(statuses);
        }
    }
    let spec = SubscriptionSpec::from(Shows(Arc::clone(&shown))).with_snapshot();
    let _subscription = supervisor.subscribe(spec).await.expect("running");
    sleep(ms(1)).await;
    let shown = shown.lock().expect("sound");
    let seen: Vec<_> = shown.iter().map(|it| (it.task.name(), it.phase, it.position)).collect();
    let expected = [
        ("a", TaskPhase::Running, None),
        ("b", TaskPhase::Queued, Some(2)),
        ("c", TaskPhase::Delayed, None),
        ("d", TaskPhase::Queued, Some(1)),
    ];
    assert_eq!(seen, expected);
    assert!(shown.iter().all(|status| status.slot.as_deref() == Some("k")));
}

// --- random histories ---------------------------------------------------------------------------

struct History {
    supervisor: SupervisorHandle,
    draw: fastrand::Rng,
    taken_in: Vec<SubmissionHandle>,
    refused: Vec<RejectionKind>,
}

impl History {
    fn new(supervisor: &SupervisorHandle, seed: u64) -> Self {
        Self {
            supervisor: supervisor.clone(),
            draw: fastrand::Rng::with_seed(seed),
            taken_in: Vec::new(),
            refused: Vec::new(),
        }
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.draw.u32(0..one_in) == 0
    }

    fn millis(&mut self, most: u64) -> Duration {
        ms(self.draw.u64(0..=most))
    }

    fn spec(&mut self) -> TaskSpec {
        let name = ["a", "b", "c", "d", "e", "f"][self.draw.usize(0..6)];
        let time = self.millis(30);
        match self.draw.u32(0..7) {
            0 => quick(name),
            1 => idle(name),
            2 => deaf(name).grace(time),
            3 => TaskSpec::once(name, async |_| Err(TaskError::fatal("no"))),
            4 => TaskSpec::new(name, async move |ctx: TaskContext| {
                sleep(time).await;
                if ctx.attempt() < 3 { Err(TaskError::failed("again")) } else { Ok(()) }
            })
            .backoff(every(ms(2))),
            _ => TaskSpec::once(name, async move |_| {
                sleep(time).await;
                Ok(())
            }),
        }
    }

    fn submission(&mut self) -> Submission {
        let policy = match self.draw.u32(0..9) {
            0 => WhenBusy::Replace,
            1 => WhenBusy::ReplaceAll,
            2 => WhenBusy::DropIfRunning,
            3 | 4 => WhenBusy::Attach,
            5 => WhenBusy::Debounce { quiet: self.millis(20), max_wait: self.millis(60) },
            6 => WhenBusy::Throttle { every: self.millis(40) },
            _ => WhenBusy::Queue,
        };
        let slot = ["x", "y", "z"][self.draw.usize(0..3)];
        let mut submission = Submission::new(self.spec()).slot(slot).when_busy(policy);
        if slot == "z" && self.chance(2) {
            submission = submission.concurrency(2);
        }
        if self.chance(4) {
            submission = submission.max_wait(self.millis(40));
        }
        if self.chance(3) {
            submission = submission.attach_displaced();
        }
        if self.chance(3) {
            submission = submission.priority(self.draw.i32(-1..2));
        }
        submission
    }

    async fn step(&mut self) {
        match self.draw.u32(0..12) {
            0..7 => {
                let submission = self.submission();
                match self.supervisor.submit(submission).await {
                    Ok(submission) => self.taken_in.push(submission),
                    Err(error) => self.refused.push(error.kind().expect("by the registry")),
                }
            }
            7 | 8 if !self.taken_in.is_empty() => {
                let chosen = self.taken_in[self.draw.usize(0..self.taken_in.len())].clone();
                actix::spawn(async move { drop(chosen.cancel().await) });
                tokio::task::yield_now().await;
            }
            9 => {
                let scope = if self.chance(2) { SlotScope::All } else { SlotScope::Queue };
                let supervisor = self.supervisor.clone();
                actix::spawn(async move { drop(supervisor.cancel_slot("y", scope).await) });
                tokio::task::yield_now().await;
            }
            // Takes a name that a submission may want.
            10 => {
                let spec = self.spec();
                drop(self.supervisor.add(spec).await);
            }
            _ => {
                let pause = self.millis(8);
                sleep(pause).await;
            }
        }
    }

    /// Whether everybody's end is as it was told.
    fn assert_ends(&self, book: &Book, of: &str) {
        for submission in &self.taken_in {
            let life = &book.lives[&submission.id()];
            let outcome = submission.status().outcome;
            let own = outcome.unwrap_or_else(|| panic!("{of}: no outcome of {submission:?}"));
            let is_own_wish = matches!(own, TaskOutcome::Canceled { cause: CancelCause::User, .. });
            let mut told = life;
            while let Some(to) = told.follows {
                told = &book.lives[&to];
            }
            let told = told.outcome.as_ref().map(TaskOutcome::to_string);
            if life.follows.is_none() || !is_own_wish {
                assert_eq!(told, Some(own.to_string()), "{of}: {submission:?}");
            }
            let is_direct_follower = life.follows.is_some() && !life.waits;
            assert_eq!(life.is_removed, !is_direct_follower, "{of}: {submission:?}");
            assert_eq!(life.slot, submission.slot(), "{of}");
            let status = submission.status();
            assert_eq!(life.starts, status.attempt, "{of}: {submission:?}");
            let has_run = life.is_added || life.outcome.is_none();
            assert!(has_run || life.starts == 0, "{of}: {submission:?}");
        }
        let refused = book.lives.values().filter_map(|life| life.refused);
        let refused: Vec<_> = refused.collect();
        let (told, untold) = self.refused.split_at(refused.len());
        assert_eq!(refused, told, "{of}");
        // After the last event of all.
        assert!(untold.iter().all(|kind| *kind == RejectionKind::ShuttingDown), "{of}: {untold:?}");
    }
}

fn limits(number: u64) -> impl FnOnce(SupervisorBuilder) -> SupervisorBuilder {
    move |builder| {
        let builder = builder.grace(ms(7));
        match number % 4 {
            0 => builder,
            1 => builder.max_concurrent(2),
            2 => builder.max_queued_per_slot(2).max_queued(4).max_slots(2),
            _ => builder.max_tasks(9).max_concurrent(3).outcome_history(2),
        }
    }
}

#[actix::test]
async fn every_history_is_told_in_order_and_understood_from_any_moment() {
    tokio::time::pause();
    let rounds = std::env::var("SLOT_HISTORIES").ok().and_then(|it| it.parse().ok()).unwrap_or(60);
    for seed in 0..rounds {
        let of = format!("history {seed}");
        let supervisor = current_with(limits(seed));
        let probe = Probe::attach(&supervisor).await.expect("running");
        let mut history = History::new(&supervisor, seed);
        let mut viewers = Vec::new();
        for _ in 0..history.draw.u32(5..80) {
            if history.chance(12) {
                viewers.push(Viewer::attach(&supervisor).await);
            }
            if let Some((_, subscription)) = viewers.last().filter(|_| history.chance(20)) {
                subscription.resync();
            }
            history.step().await;
        }
        // At rest: nothing is on its way.
        sleep(history.millis(50)).await;
        let members = settled(&supervisor, ms(1)).await;
        for (viewer, _) in &viewers {
            viewer.assert_knows(&members, &of);
        }
        let states = supervisor.slots().await.expect("running");
        let states = states.iter().map(|slot| (slot.name.to_string(), slot.state));
        let mut told = Book::of(&probe.events(), false).slots;
        told.retain(|_, state| *state != SlotState::Idle);
        assert_eq!(told, states.collect(), "{of}");
        if history.chance(2) {
            let (drains, longest) = (supervisor.clone(), history.millis(200));
            let drain = actix::spawn(async move { drains.shutdown_after_queues(longest).await });
            for _ in 0..history.draw.u32(0..30) {
                history.step().await;
            }
            within("the drain", drain).await.expect("it does not panic");
        }
        within("the end", supervisor.shutdown()).await;
        let events = probe.events();
        let book = Book::of(&events, false);
        history.assert_ends(&book, &of);
        for (viewer, _) in &viewers {
            viewer.assert_knows(&Members::new(), &of);
        }
        for (slot, state) in &book.slots {
            assert_eq!(*state, SlotState::Idle, "{of}: the end of {slot}");
        }
    }
}

// --- under churn, with threads ------------------------------------------------------------------

#[actix::test]
async fn snapshots_taken_at_any_moment_of_a_bustle_in_slots_lead_to_the_truth() {
    let supervisor = dedicated_with(|builder| {
        builder.placement(Placement::Dedicated { workers: 2 }).grace(ms(5)).max_concurrent(4)
    });
    let probe = Probe::attach(&supervisor).await.expect("running");
    let (is_over, steps) = (Rc::<Cell<bool>>::default(), Rc::<Cell<u32>>::default());
    let churns: Vec<_> = (1..=2)
        .map(|seed| {
            let mut history = History::new(&supervisor, seed);
            let (is_over, steps) = (Rc::clone(&is_over), Rc::clone(&steps));
            actix::spawn(async move {
                while !is_over.get() {
                    history.step().await;
                    steps.set(steps.get() + 1);
                }
            })
        })
        .collect();
    let mut draw = fastrand::Rng::with_seed(11);
    let mut viewers = Vec::new();
    for _ in 0..20 {
        let until = steps.get() + draw.u32(1..60);
        while steps.get() < until {
            tokio::task::yield_now().await;
        }
        viewers.push(Viewer::attach(&supervisor).await);
    }
    is_over.set(true);
    for churn in churns {
        within("the end of the bustle", churn).await.expect("it does not panic");
    }
    for (slot, scope) in [("x", SlotScope::Queue), ("y", SlotScope::All), ("z", SlotScope::Queue)] {
        within("the slot", supervisor.cancel_slot(slot, scope)).await.expect("running");
    }
    let members = within("rest", settled(&supervisor, ms(20))).await;
    for (number, (viewer, _)) in viewers.iter().enumerate() {
        viewer.assert_knows(&members, &format!("viewer {number}"));
    }
    let events = viewers.iter().map(|(viewer, _)| viewer.look(|view| view.events));
    assert!(events.is_sorted_by(|a, b| a >= b), "who came first saw the most");
    within("the end", supervisor.shutdown()).await;
    for (viewer, _) in &viewers {
        viewer.assert_knows(&Members::new(), "at the end");
    }
    let book = Book::of(&probe.events(), true);
    assert_eq!(probe.lost(), 0);
    let open = book.lives.values().filter(|life| {
        let is_member = life.is_added || life.waits;
        is_member && !life.is_removed
    });
    assert_eq!(open.count(), 0);
}
