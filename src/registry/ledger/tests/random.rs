//! Random lives: the invariants after each step, for whoever does with the slots what the registry does.

use proptest::prelude::*;

use super::*;

pub(super) fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

const NAMES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    Submit(Wish),
    /// An owner is over.
    End(prop::sample::Index),
    /// An owner is asked to stop.
    Stop(prop::sample::Index),
    /// An owner has its outcome.
    Outcome(prop::sample::Index),
    /// One who waits is canceled.
    Cancel(prop::sample::Index),
    Pass(u64),
    EndBursts,
    OpenEverything,
}

#[derive(Clone, Debug)]
struct Wish {
    slot: usize,
    name: usize,
    when_busy: WhenBusy,
    priority: i32,
    max_wait: Option<Duration>,
    concurrency: Option<usize>,
}

fn any_time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        8 => (0_u64..60).prop_map(ms),
        1 => Just(Duration::ZERO),
        1 => Just(Duration::MAX),
    ]
}

fn any_policy() -> impl Strategy<Value = WhenBusy> {
    prop_oneof![
        4 => Just(WhenBusy::Queue),
        1 => Just(WhenBusy::Replace),
        1 => Just(WhenBusy::ReplaceAll),
        1 => Just(WhenBusy::DropIfRunning),
        1 => Just(WhenBusy::Attach),
        2 => (any_time(), any_time())
            .prop_map(|(quiet, max_wait)| WhenBusy::Debounce { quiet, max_wait }),
        2 => any_time().prop_map(|every| WhenBusy::Throttle { every }),
    ]
}

fn any_wish() -> impl Strategy<Value = Wish> {
    let priority = prop_oneof![4 => Just(0), 1 => -1..3, 1 => any::<i32>()];
    let max_wait = prop::option::weighted(0.3, any_time());
    let concurrency = prop::option::weighted(0.2, 1_usize..4);
    (0_usize..3, 0_usize..3, any_policy(), priority, max_wait, concurrency).prop_map(
        |(slot, name, when_busy, priority, max_wait, concurrency)| Wish {
            slot,
            name,
            when_busy,
            priority,
            max_wait,
            concurrency,
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        12 => any_wish().prop_map(Step::Submit),
        4 => index().prop_map(Step::End),
        1 => index().prop_map(Step::Stop),
        1 => index().prop_map(Step::Outcome),
        2 => index().prop_map(Step::Cancel),
        4 => (0_u64..40).prop_map(Step::Pass),
        1 => Just(Step::EndBursts),
        1 => Just(Step::OpenEverything),
    ]
}

fn any_limits() -> impl Strategy<Value = SlotLimits> {
    let few = || prop_oneof![0_usize..4, Just(usize::MAX)];
    (prop::option::of(1_usize..4), few(), few()).prop_map(|(slots, per_slot, total)| SlotLimits {
        slots,
        per_slot,
        total,
    })
}

impl World {
    fn do_what_is_due(&mut self) {
        while let Some(due) = self.slots.pop_due(self.now) {
            match due {
                Due::TimedOut(id) => {
                    let waiter = self.slots.waiter(id).expect("it does not wait any more");
                    assert!(waiter.times_out_at().is_some_and(|at| at <= self.now));
                    self.slots.leave(id);
                }
                Due::Ready(id) => {
                    let slot = Arc::clone(self.slots.slot_of(id).expect("it is gone"));
                    self.advance(&slot);
                }
                Due::Opened(slot) => {
                    let opens_at = self.slots.get(&slot).and_then(|slot| slot.opens_at);
                    assert_eq!(opens_at, None, "it has opened");
                }
            }
        }
    }

    fn advance(&mut self, slot: &str) {
        while let Some(id) = self.slots.ready(slot, self.now) {
            assert_eq!(self.line(slot).first(), Some(&id));
            self.slots.promote(id, self.now);
            assert_eq!(self.owners(slot).last(), Some(&id));
        }
    }

    fn ended(&mut self, id: TaskId) {
        let slot = self.slots.slot_of(id).cloned();
        self.slots.leave(id);
        self.advance(&slot.unwrap());
    }

    /// Those who wait, or those who own.
    fn those(&self, wait: bool) -> Vec<TaskId> {
        let mut ids = self.slots.everyone();
        ids.retain(|id| self.slots.is_waiting(*id) == wait);
        ids.sort_unstable();
        ids
    }

    /// Nobody stands before room that is there.
    fn check_rest(&self) {
        check_invariants(&self.slots, self.now);
        for (name, slot) in self.slots.iter() {
            assert_eq!(self.slots.ready(name, self.now), None, "{}", dump_slot(slot));
        }
        assert!(self.slots.next_due().is_none_or(|at| at > self.now));
        assert_eq!(self.those(true), self.slots.everyone_waiting());
    }
}

fn wish(number: u64, wish: &Wish) -> New {
    let Wish { slot, name, when_busy, priority, max_wait, concurrency } = wish.clone();
    let (slot, name) = (Arc::from(NAMES[slot]), NAMES[name].to_owned());
    New { id: id(number), slot, name, when_busy, priority, max_wait, concurrency }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn whatever_happens_the_invariants_hold_and_the_limits_too(
        limits in any_limits(),
        steps in prop::collection::vec(any_step(), 1..60),
    ) {
        let mut world = World::new(limits);
        let mut inside = BTreeSet::new();
        for (number, step) in (1..).zip(steps) {
            match step {
                Step::Submit(asked) => {
                    let newcomer = wish(number, &asked);
                    if let Ok(verdict) = world.submit(&newcomer) {
                        inside.insert(newcomer.id);
                        for displaced in verdict.displaced() {
                            prop_assert!(inside.contains(displaced));
                        }
                    }
                }
                Step::End(which) => {
                    let owners = world.those(false);
                    if !owners.is_empty() {
                        world.ended(owners[which.index(owners.len())]);
                    }
                }
                Step::Stop(which) => {
                    let owners = world.those(false);
                    if !owners.is_empty() {
                        world.slots.note_stopping(owners[which.index(owners.len())]);
                    }
                }
                Step::Outcome(which) => {
                    let owners = world.those(false);
                    if !owners.is_empty() {
                        world.over.insert(owners[which.index(owners.len())]);
                    }
                }
                Step::Cancel(which) => {
                    let waiting = world.those(true);
                    if !waiting.is_empty() {
                        world.slots.leave(waiting[which.index(waiting.len())]);
                    }
                }
                Step::Pass(time) => world.now += ms(time),
                Step::EndBursts => world.slots.end_bursts(world.now),
                Step::OpenEverything => drop(world.slots.open_everything()),
            }
            world.do_what_is_due();
            world.check_rest();
            let slots = world.slots.iter().count();
            prop_assert!(limits.slots.is_none_or(|limit| slots <= limit));
            prop_assert!(world.those(true).len() <= limits.total);
            let queued = world.slots.iter().map(|(_, slot)| slot.queue.len());
            prop_assert!(queued.max().unwrap_or(0) <= limits.per_slot);
        }
        world.empties();
    }
}
