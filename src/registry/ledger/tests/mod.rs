//! The promises of slots and permits, one test each: every policy in every state of a slot does what a table says.
//! Here the table; `ids.rs`: how ids are spread; `limits.rs`: limits, priorities, memory; `time.rs`: what is due when; `permits.rs`: who may run under
//! `max_concurrent`; `random.rs`: the invariants through random lives.

mod ids;
mod limits;
mod permits;
mod random;
mod time;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{Ask, Due, Members, SlotLimits, Slots, Verdict, slot::Turn};
use crate::{
    id::TaskId,
    slot::{RejectionKind, WhenBusy},
};

const NO_LIMITS: SlotLimits = SlotLimits { slots: None, per_slot: usize::MAX, total: usize::MAX };

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn id(number: u64) -> TaskId {
    TaskId::from_number(number).unwrap()
}

fn debounce(quiet: u64, max_wait: u64) -> WhenBusy {
    WhenBusy::Debounce { quiet: ms(quiet), max_wait: ms(max_wait) }
}

fn throttle(every: u64) -> WhenBusy {
    WhenBusy::Throttle { every: ms(every) }
}

// --- what the tests act on ----------------------------------------------------------------------

/// A submission, for the slot `k` unless said otherwise.
#[derive(Clone, Debug)]
struct New {
    id: TaskId,
    slot: Arc<str>,
    name: String,
    when_busy: WhenBusy,
    priority: i32,
    max_wait: Option<Duration>,
    concurrency: Option<usize>,
}

fn new(number: u64, when_busy: WhenBusy) -> New {
    New {
        id: id(number),
        slot: Arc::from("k"),
        name: format!("task-{number}"),
        when_busy,
        priority: 0,
        max_wait: None,
        concurrency: None,
    }
}

impl New {
    fn ask(&self) -> Ask<'_> {
        Ask {
            id: self.id,
            slot: &self.slot,
            name: &self.name,
            when_busy: self.when_busy,
            priority: self.priority,
            max_wait: self.max_wait,
            concurrency: self.concurrency,
        }
    }

    fn of(self, concurrency: usize) -> Self {
        Self { concurrency: Some(concurrency), ..self }
    }

    fn to(self, slot: &str) -> Self {
        Self { slot: Arc::from(slot), ..self }
    }
}

/// The slots with a clock and the members that the registry would know.
struct World {
    slots: Slots,
    start: Instant,
    now: Instant,
    names: BTreeMap<TaskId, String>,
    over: BTreeSet<TaskId>,
}

impl Members for World {
    fn is_over(&self, id: TaskId) -> bool {
        self.over.contains(&id)
    }

    fn is_named(&self, id: TaskId, name: &str) -> bool {
        self.names.get(&id).is_some_and(|own| own == name)
    }
}

impl World {
    fn new(limits: SlotLimits) -> Self {
        let now = Instant::now();
        let (names, over) = (BTreeMap::new(), BTreeSet::new());
        Self { slots: Slots::new(limits), start: now, now, names, over }
    }

    /// Decides and carries the decision out.
    fn submit(&mut self, new: &New) -> Result<Verdict, RejectionKind> {
        let verdict = self.slots.decide(&new.ask(), self.now, self)?;
        self.slots.enter(&new.ask(), &verdict, self.now);
        self.names.insert(new.id, new.name.clone());
        if let Verdict::Replace { owner, .. } = verdict {
            self.slots.note_stopping(owner);
        }
        check_invariants(&self.slots, self.now);
        Ok(verdict)
    }

    /// The same, in the words of the table.
    fn told(&mut self, new: &New) -> String {
        let decided = self.submit(new);
        show(&decided, self.now)
    }

    fn came(mut self, number: u64, when_busy: WhenBusy) -> Self {
        self.submit(&new(number, when_busy)).unwrap();
        self
    }

    fn left(mut self, number: u64) -> Self {
        self.slots.leave(id(number));
        check_invariants(&self.slots, self.now);
        self
    }

    fn stopped(mut self, number: u64) -> Self {
        self.slots.note_stopping(id(number));
        self
    }

    /// An owner has its outcome, and its place is not free yet.
    fn over(mut self, number: u64) -> Self {
        self.over.insert(id(number));
        self
    }

    /// That many milliseconds after the start. Takes out what is due, and starts nobody.
    fn at(mut self, millis: u64) -> Self {
        self.now = self.start + ms(millis);
        while self.slots.pop_due(self.now).is_some() {}
        check_invariants(&self.slots, self.now);
        self
    }

    /// What is due by now, in its order.
    fn due(&mut self) -> Vec<Due> {
        std::iter::from_fn(|| self.slots.pop_due(self.now)).collect()
    }

    fn line(&self, slot: &str) -> Vec<TaskId> {
        let slot = self.slots.get(slot);
        slot.iter().flat_map(|slot| slot.line(self.now)).map(|waiter| waiter.id).collect()
    }

    fn owners(&self, slot: &str) -> Vec<TaskId> {
        let slot = self.slots.get(slot);
        slot.iter().flat_map(|slot| &slot.owners).map(|owner| owner.id).collect()
    }

    /// When everyone has left and every time has come, nothing is left.
    fn empties(mut self) {
        for id in self.slots.everyone() {
            self.slots.leave(id);
            check_invariants(&self.slots, self.now);
        }
        while let Some(at) = self.slots.next_due() {
            self.slots.pop_due(at);
            check_invariants(&self.slots, at);
        }
        assert_eq!(dump(&self.slots), dump(&Slots::new(NO_LIMITS)));
    }
}

fn world() -> World {
    World::new(NO_LIMITS)
}

/// A slot that may have two owners and has one, 1.
fn half_full() -> World {
    let mut world = world();
    world.submit(&new(1, WhenBusy::Queue).of(2)).unwrap();
    world
}

/// Everything that there is to see.
fn dump(slots: &Slots) -> String {
    let each: BTreeMap<_, _> = slots.iter().map(|(name, slot)| (name, dump_slot(slot))).collect();
    let mut everyone = slots.everyone();
    everyone.sort_unstable();
    format!("{each:?} {everyone:?} {:?} {}", slots.dues, slots.waiting)
}

fn dump_slot(slot: &super::Slot) -> String {
    let super::Slot { concurrency, since, owners, head, queue, newest, opens_at } = slot;
    format!("{concurrency} {since:?} {owners:?} {head:?} {queue:?} {newest:?} {opens_at:?}")
}

/// S1 to S5, after what is due by `now` was taken out.
fn check_invariants(slots: &Slots, now: Instant) {
    let (mut everyone, mut dues, mut waiting) = (Vec::new(), BTreeSet::new(), 0);
    for (name, slot) in slots.iter() {
        assert!(slot.owners.len() <= slot.concurrency, "S1: {:?} own {name}", slot.owners);
        let newest = slot.newest.iter().map(|newest| &newest.waiter);
        let waiters: Vec<_> =
            slot.head.as_deref().into_iter().chain(slot.queue.values()).chain(newest).collect();
        for waiter in &waiters {
            let found = slots.waiter(waiter.id).map(|found| found.id);
            assert_eq!(found, Some(waiter.id), "S2: {waiter:?} is looked for elsewhere");
            assert!(slots.is_waiting(waiter.id), "S2: {waiter:?} does not wait");
            dues.extend(waiter.times_out_at().map(|at| (at, Due::TimedOut(waiter.id))));
        }
        let owners: Vec<_> = slot.owners.iter().map(|owner| owner.id).collect();
        for owner in &owners {
            assert!(!slots.is_waiting(*owner), "S2: the owner {owner} waits");
        }
        for (rank, waiter) in &slot.queue {
            assert_eq!(
                *rank,
                (Reverse(waiter.priority), waiter.id),
                "S2: {waiter:?} stands at another place"
            );
        }
        let before = everyone.len();
        everyone.extend(owners.into_iter().chain(waiters.iter().map(|w| w.id)));
        for id in &everyone[before..] {
            assert_eq!(slots.slot_of(*id), Some(name), "S2: {id} is in another slot");
        }
        let in_order = slot.line(now).chain(slot.ahead_of_time(now)).count();
        assert_eq!(in_order, waiters.len(), "{name}: somebody is in no line");
        waiting += waiters.len();

        let is_in_use = everyone.len() > before || slot.opens_at.is_some();
        assert!(is_in_use, "S3: {name} is kept for nobody");
        dues.extend(slot.opens_at.map(|at| (at, Due::Opened(Arc::clone(name)))));
        let time = slot.newest.iter().filter(|newest| newest.due > now);
        dues.extend(time.map(|newest| (newest.due, Due::Ready(newest.waiter.id))));
    }
    everyone.sort_unstable();
    let mut placed = slots.everyone();
    placed.sort_unstable();
    assert_eq!(everyone, placed, "S2");
    assert_eq!(slots.slots.len(), slots.names.len(), "S4");
    let named: HashMap<_, _> = slots.slots.iter().map(|(key, (name, _))| (name, key)).collect();
    assert_eq!(named, slots.names.iter().map(|(name, &key)| (name, key)).collect(), "S4");
    assert_eq!(dues, slots.dues, "S5");
    assert_eq!(waiting, slots.waiting, "those who wait are miscounted");
}

// --- the table ----------------------------------------------------------------------------------

/// The newcomer, 9, comes with each of these.
const POLICIES: [WhenBusy; 7] = [
    WhenBusy::Queue,
    WhenBusy::Replace,
    WhenBusy::ReplaceAll,
    WhenBusy::DropIfRunning,
    WhenBusy::Attach,
    WhenBusy::Debounce { quiet: Duration::from_millis(50), max_wait: Duration::from_millis(80) },
    WhenBusy::Throttle { every: Duration::from_millis(70) },
];
const ATTACH: usize = 4;

/// What becomes of the newcomer in one state of a slot.
struct Row {
    state: &'static str,
    slot: fn() -> World,
    /// With a name of its own, by policy.
    verdicts: [&'static str; 7],
    /// Of `Attach` with the name of somebody in the slot.
    namesakes: &'static [(u64, &'static str)],
}

/// The state, the slot, and the words for each policy and each namesake.
type Line = (&'static str, fn() -> World, [&'static str; 7], &'static [(u64, &'static str)]);

/// The words of the table: `-6` is displaced; `stop 1`: the owner 1 is asked to stop, and the newcomer is next;
/// `in 50`: its time comes in 50 ms; `due 2`: its time has come, and it is the second in the line; `busy 1`: refused.
fn show(decided: &Result<Verdict, RejectionKind>, now: Instant) -> String {
    let mut text = match decided {
        Ok(Verdict::Start { .. }) => "start".to_owned(),
        Ok(Verdict::Queue { position }) => format!("queue {position}"),
        Ok(Verdict::Replace { owner, .. }) => format!("stop {}", owner.get()),
        Ok(Verdict::Attach { to }) => format!("join {}", to.get()),
        Ok(Verdict::Delay { turn: Turn { due, position: None, .. }, .. }) => {
            assert!(*due > now, "its time has come");
            format!("in {}", (*due - now).as_millis())
        }
        Ok(Verdict::Delay { turn: Turn { due, position: Some(position), .. }, .. }) => {
            assert!(*due <= now, "its time has not come");
            format!("due {position}")
        }
        Err(RejectionKind::SlotBusy { owner }) => format!("busy {}", owner.get()),
        Err(kind) => kind.label().to_owned(),
    };
    for id in decided.iter().flat_map(Verdict::displaced) {
        text += &format!(" -{}", id.get());
    }
    text
}

/// Owners are 1 and 2, 3 came with `Replace`, 4, 5 and 7 queue, 6 is the debounced or throttled one.
#[rustfmt::skip]
fn table() -> Vec<Row> {
    use WhenBusy::{Queue, Replace};
    // Two owners, everyone who can wait, and the first owner asked to stop.
    fn crowded() -> World {
        half_full().came(2, Queue).came(3, Replace).came(4, Queue).came(5, Queue).came(6, debounce(100, 1000)).at(40)
    }
    let rows: [Line; 39] = [
        //                                     Queue      Replace      ReplaceAll      DropIfRunning Attach   Debounce    Throttle
        ("idle", world,
                                            ["start",   "start",     "start",          "start",  "start",   "in 50",    "start"], &[]),
        ("cooling", || world().came(1, throttle(100)).left(1).at(40),
                                            ["start",   "start",     "start",          "start",  "start",   "in 50",    "in 60"], &[]),
        ("delaying by debounce", || world().came(6, debounce(100, 1000)).at(40),
                                            ["start",   "start",     "start",          "start",  "start",   "in 40 -6", "start -6"], &[(6, "join 6")]),
        ("delaying by throttle", || world().came(1, throttle(100)).left(1).at(20).came(6, throttle(100)).at(40),
                                            ["start",   "start",     "start",          "start",  "start",   "in 50 -6", "in 60 -6"], &[(6, "join 6")]),
        ("cooling, delaying by debounce", || world().came(1, throttle(100)).left(1).came(6, debounce(100, 1000)).at(40),
                                            ["start",   "start",     "start",          "start",  "start",   "in 40 -6", "in 60 -6"], &[(6, "join 6")]),
        ("its time has come, not started", || world().came(6, debounce(30, 1000)).at(40),
                                            ["start",   "start",     "start",          "start",  "start",   "in 40 -6", "start -6"], &[(6, "join 6")]),
        ("its burst is over, not started", || world().came(6, debounce(30, 1000)).at(90),
                                            ["start",   "start",     "start",          "start",  "start",   "start -6", "start -6"], &[(6, "join 6")]),
        ("room", half_full,
                                            ["start",   "start",     "start",          "start",  "start",   "in 50",    "start"], &[(1, "join 1")]),
        ("room, closed", || half_full().came(2, throttle(100)).left(1).at(40),
                                            ["start",   "start",     "start",          "start",  "start",   "in 50",    "in 60"], &[(2, "join 2")]),
        ("room, the owner stops", || half_full().stopped(1),
                                            ["start",   "start",     "start",          "start",  "start",   "in 50",    "start"], &[(1, "start")]),
        ("room, delaying", || half_full().came(6, debounce(100, 1000)).at(40),
                                            ["start",   "start",     "start",          "start",  "start",   "in 40 -6", "start -6"], &[(1, "join 1"), (6, "join 6")]),
        ("full", || world().came(1, Queue),
                                            ["queue 1", "stop 1",    "stop 1",         "busy 1", "join 1",  "in 50",    "due 1"], &[(1, "join 1")]),
        ("full, closed", || world().came(1, throttle(100)).at(40),
                                            ["queue 1", "stop 1",    "stop 1",         "busy 1", "join 1",  "in 50",    "in 60"], &[(1, "join 1")]),
        ("full of two", || half_full().came(2, Queue),
                                            ["queue 1", "stop 1",    "stop 1",         "busy 1", "join 1",  "in 50",    "due 1"], &[(1, "join 1"), (2, "join 2")]),
        ("full, queue", || world().came(1, Queue).came(4, Queue).came(5, Queue),
                                            ["queue 3", "stop 1 -4", "stop 1 -4 -5",   "busy 1", "join 1",  "in 50",    "due 3"], &[(1, "join 1"), (4, "join 4"), (5, "join 5")]),
        ("full, due", || world().came(1, Queue).came(6, debounce(30, 1000)).at(40),
                                            ["queue 2", "stop 1 -6", "stop 1 -6",      "busy 1", "join 1",  "in 40 -6", "due 1 -6"], &[(1, "join 1"), (6, "join 6")]),
        ("full, burst over", || world().came(1, Queue).came(6, debounce(30, 1000)).at(90),
                                            ["queue 2", "stop 1 -6", "stop 1 -6",      "busy 1", "join 1",  "due 1 -6", "due 1 -6"], &[(1, "join 1"), (6, "join 6")]),
        ("full, delaying", || world().came(1, Queue).came(6, debounce(100, 1000)).at(40),
                                            ["queue 1", "stop 1",    "stop 1 -6",      "busy 1", "join 1",  "in 40 -6", "due 1 -6"], &[(1, "join 1"), (6, "join 6")]),
        ("full, queue around one that is due", || world().came(1, Queue).came(4, Queue).came(6, debounce(30, 1000)).came(7, Queue).at(40),
                                            ["queue 4", "stop 1 -4", "stop 1 -4 -6 -7", "busy 1", "join 1", "in 40 -6", "due 2 -6"], &[(1, "join 1"), (4, "join 4"), (6, "join 6"), (7, "join 7")]),
        ("full, queue, delaying", || world().came(1, Queue).came(4, Queue).came(5, Queue).came(6, debounce(100, 1000)).at(40),
                                            ["queue 3", "stop 1 -4", "stop 1 -4 -5 -6", "busy 1", "join 1", "in 40 -6", "due 3 -6"], &[(1, "join 1"), (4, "join 4"), (5, "join 5"), (6, "join 6")]),
        ("full, delaying, queue", || world().came(1, Queue).came(6, debounce(100, 1000)).came(7, Queue).at(40),
                                            ["queue 2", "stop 1 -7", "stop 1 -7 -6",   "busy 1", "join 1",  "in 40 -6", "due 1 -6"], &[(1, "join 1"), (6, "join 6"), (7, "join 7")]),
        ("full, closed, delaying", || world().came(1, throttle(100)).at(20).came(6, throttle(100)).at(40),
                                            ["queue 1", "stop 1",    "stop 1 -6",      "busy 1", "join 1",  "in 50 -6", "in 60 -6"], &[(1, "join 1"), (6, "join 6")]),
        ("full, opened, due", || world().came(1, throttle(100)).at(20).came(6, throttle(100)).at(110),
                                            ["queue 2", "stop 1 -6", "stop 1 -6",      "busy 1", "join 1",  "due 1 -6", "due 1 -6"], &[(1, "join 1"), (6, "join 6")]),
        ("stopping", || world().came(1, Queue).stopped(1),
                                            ["queue 1", "stop 1",    "stop 1",         "busy 1", "queue 1", "in 50",    "due 1"], &[(1, "queue 1")]),
        ("stopping, queue", || world().came(1, Queue).came(4, Queue).came(5, Queue).stopped(1),
                                            ["queue 3", "stop 1 -4", "stop 1 -4 -5",   "busy 1", "join 4",  "in 50",    "due 3"], &[(1, "join 4"), (4, "join 4"), (5, "join 5")]),
        ("stopping, head", || world().came(1, Queue).came(3, Replace),
                                            ["queue 2", "stop 1 -3", "stop 1 -3",      "busy 1", "join 3",  "in 50",    "due 2"], &[(1, "join 3"), (3, "join 3")]),
        ("stopping, head, queue", || world().came(1, Queue).came(3, Replace).came(4, Queue).came(5, Queue),
                                            ["queue 4", "stop 1 -3", "stop 1 -3 -4 -5", "busy 1", "join 3", "in 50",    "due 4"], &[(1, "join 3"), (3, "join 3"), (4, "join 4"), (5, "join 5")]),
        ("stopping, head, due", || world().came(1, Queue).came(3, Replace).came(6, debounce(30, 1000)).at(40),
                                            ["queue 3", "stop 1 -3", "stop 1 -3 -6",   "busy 1", "join 3",  "in 40 -6", "due 2 -6"], &[(1, "join 3"), (3, "join 3"), (6, "join 6")]),
        ("stopping, due", || world().came(1, Queue).came(6, debounce(30, 1000)).stopped(1).at(40),
                                            ["queue 2", "stop 1 -6", "stop 1 -6",      "busy 1", "join 6",  "in 40 -6", "due 1 -6"], &[(1, "join 6"), (6, "join 6")]),
        ("stopping, delaying", || world().came(1, Queue).came(6, debounce(100, 1000)).stopped(1).at(40),
                                            ["queue 1", "stop 1",    "stop 1 -6",      "busy 1", "join 6",  "in 40 -6", "due 1 -6"], &[(1, "join 6"), (6, "join 6")]),
        ("one of two stops", || half_full().came(2, Queue).stopped(1),
                                            ["queue 1", "stop 1",    "stop 1",         "busy 1", "join 2",  "in 50",    "due 1"], &[(1, "join 2"), (2, "join 2")]),
        ("both stop", || half_full().came(2, Queue).stopped(1).stopped(2),
                                            ["queue 1", "stop 1",    "stop 1",         "busy 1", "queue 1", "in 50",    "due 1"], &[(1, "queue 1"), (2, "queue 1")]),
        ("room, the owner is over", || half_full().over(1),
                                            ["start",   "start",     "start",          "start",  "start",   "in 50",    "start"], &[(1, "start")]),
        ("over", || world().came(1, Queue).over(1),
                                            ["queue 1", "stop 1",    "stop 1",         "busy 1", "queue 1", "in 50",    "due 1"], &[(1, "queue 1")]),
        ("over, queue", || world().came(1, Queue).came(4, Queue).came(5, Queue).over(1),
                                            ["queue 3", "stop 1 -4", "stop 1 -4 -5",   "busy 1", "join 4",  "in 50",    "due 3"], &[(1, "join 4"), (4, "join 4"), (5, "join 5")]),
        ("one of two is over", || half_full().came(2, Queue).over(1),
                                            ["queue 1", "stop 1",    "stop 1",         "busy 1", "join 2",  "in 50",    "due 1"], &[(1, "join 2"), (2, "join 2")]),
        ("one is over, one stops", || half_full().came(2, Queue).over(1).stopped(2),
                                            ["queue 1", "stop 1",    "stop 1",         "busy 1", "queue 1", "in 50",    "due 1"], &[(1, "queue 1"), (2, "queue 1")]),
        ("crowded", crowded,
                                            ["queue 4", "stop 1 -3", "stop 1 -3 -4 -5 -6", "busy 1", "join 2", "in 40 -6", "due 4 -6"], &[(1, "join 2"), (2, "join 2"), (3, "join 3"), (4, "join 4"), (5, "join 5"), (6, "join 6")]),
        ("crowded, both stop", || crowded().stopped(2),
                                            ["queue 4", "stop 1 -3", "stop 1 -3 -4 -5 -6", "busy 1", "join 3", "in 40 -6", "due 4 -6"], &[(1, "join 3"), (2, "join 3"), (3, "join 3"), (4, "join 4"), (5, "join 5"), (6, "join 6")]),
    ];
    rows.into_iter().map(|(state, slot, verdicts, namesakes)| Row { state, slot, verdicts, namesakes }).collect()
}

/// Everyone is where the verdict says.
fn check_places(world: &World, new: &New, verdict: &Verdict) {
    let (line, slot) = (world.line("k"), world.slots.get("k").unwrap());
    let own = world.slots.slot_of(new.id).map(|_| new.id);
    match verdict {
        Verdict::Start { .. } => assert_eq!(world.owners("k").last(), Some(&new.id)),
        Verdict::Queue { position }
        | Verdict::Delay { turn: Turn { position: Some(position), .. }, .. } => {
            assert_eq!(line.get(position - 1), Some(&new.id));
        }
        Verdict::Replace { .. } => assert_eq!(line.first(), Some(&new.id)),
        Verdict::Delay { turn: Turn { position: None, .. }, .. } => {
            assert!(slot.ahead_of_time(world.now).any(|waiter| waiter.id == new.id));
        }
        Verdict::Attach { to } => assert!(own.is_none() && world.slots.slot_of(*to).is_some()),
    }
    for &displaced in verdict.displaced() {
        assert_eq!(world.slots.slot_of(displaced), None, "{displaced} is still there");
    }
}

#[test]
fn every_policy_in_every_state_of_a_slot_does_what_the_table_says() {
    for row in table() {
        for (when_busy, expected) in POLICIES.into_iter().zip(row.verdicts) {
            let (mut world, newcomer) = ((row.slot)(), new(9, when_busy));
            let before = (dump(&world.slots), world.slots.everyone().len());
            let decided = world.slots.decide(&newcomer.ask(), world.now, &world);
            assert_eq!(dump(&world.slots), before.0, "it changed something: {}", row.state);
            assert_eq!(world.submit(&newcomer), decided, "asked again, it says another thing");
            assert_eq!(show(&decided, world.now), expected, "{}, {when_busy}", row.state);
            match decided {
                Ok(verdict) => {
                    check_places(&world, &newcomer, &verdict);
                    let joined = usize::from(verdict.makes_member());
                    let everyone = before.1 + joined - verdict.displaced().len();
                    assert_eq!(world.slots.everyone().len(), everyone, "{}", row.state);
                }
                Err(_) => assert_eq!(dump(&world.slots), before.0),
            }
            world.empties();
        }
    }
}

#[test]
fn only_attach_looks_at_names_and_joins_its_namesake_first() {
    for row in table() {
        let in_slot: BTreeSet<_> = (row.slot)().slots.everyone().into_iter().collect();
        let listed: BTreeSet<_> = row.namesakes.iter().map(|(number, _)| id(*number)).collect();
        assert_eq!(in_slot, listed, "the table leaves somebody out: {}", row.state);
        for &(namesake, joins) in row.namesakes {
            for (index, when_busy) in POLICIES.into_iter().enumerate() {
                let name = format!("task-{namesake}");
                let mut world = (row.slot)();
                let told = world.told(&New { name, ..new(9, when_busy) });
                let expected = if index == ATTACH { joins } else { row.verdicts[index] };
                assert_eq!(told, expected, "{}, {when_busy}, name of {namesake}", row.state);
            }
        }
    }
}
