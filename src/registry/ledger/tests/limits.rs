//! Limits, priorities, concurrency, memory.

use super::*;
use crate::slot::DEFAULT_SLOT_CONCURRENCY;
use RejectionKind::{ConcurrencyFixed, QueuesFull, SlotQueueFull, SlotsFull};

/// One slot that is full, so that the next one waits or is refused.
fn full(limits: SlotLimits) -> World {
    World::new(limits).came(1, WhenBusy::Queue)
}

// --- how many slots -----------------------------------------------------------------------------

// lesson 12
#[test]
fn one_slot_more_than_there_may_be_is_refused_with_the_limit() {
    for limit in [1_usize, 2, 5] {
        for policy in POLICIES {
            let mut world = World::new(SlotLimits { slots: Some(limit), ..NO_LIMITS });
            for number in 0..limit as u64 {
                // Running, cooling and delaying slots count alike.
                let policies = [WhenBusy::Queue, throttle(100), debounce(100, 100)];
                let slot = format!("slot {number}");
                let first = new(number + 1, policies[number as usize % 3]).to(&slot);
                world.submit(&first).unwrap();
                if number % 3 == 1 {
                    world = world.left(number + 1);
                }
            }
            let beyond = new(100, policy).to("beyond");
            assert_eq!(world.submit(&beyond), Err(SlotsFull { limit }), "{policy}");
            assert_eq!(world.told(&new(101, WhenBusy::Queue).to("slot 0")), "queue 1");
            // An idle slot makes room for another one.
            for id in [id(101), id(1)] {
                world.slots.leave(id);
            }
            assert!(world.submit(&beyond).is_ok(), "{policy}");
        }
    }
}

#[test]
fn without_a_limit_of_slots_there_is_none() {
    for slots in [None, Some(usize::MAX)] {
        let mut world = World::new(SlotLimits { slots, ..NO_LIMITS });
        for number in 1..=100 {
            let first = new(number, WhenBusy::DropIfRunning).to(&number.to_string());
            assert_eq!(world.told(&first), "start");
        }
    }
}

// --- how many may queue in one ------------------------------------------------------------------

#[test]
fn a_slot_queues_as_many_as_it_may_and_refuses_the_next_with_the_limit() {
    for limit in [0_usize, 1, 2, 7] {
        let limits = SlotLimits { per_slot: limit, ..NO_LIMITS };
        // `Attach` queues where every owner stops and nobody waits.
        for policy in [WhenBusy::Queue, WhenBusy::Attach] {
            let mut world = full(limits).stopped(1);
            for number in 0..limit as u64 {
                world.submit(&new(10 + number, WhenBusy::Queue)).unwrap();
            }
            if policy == WhenBusy::Attach && limit > 0 {
                assert_eq!(world.told(&new(100, policy)), "join 10");
            } else {
                let refused = world.submit(&new(100, policy));
                assert_eq!(refused, Err(SlotQueueFull { limit }), "{policy}");
            }
            assert_eq!(world.told(&new(101, WhenBusy::Queue).to("another")), "start");
        }
    }
}

#[test]
fn the_place_in_front_and_the_one_of_the_newest_are_outside_of_the_slots_limit() {
    let limits = SlotLimits { per_slot: 0, ..NO_LIMITS };
    let told = |policy| full(limits).told(&new(9, policy));
    assert_eq!(told(WhenBusy::Replace), "stop 1");
    assert_eq!(told(WhenBusy::ReplaceAll), "stop 1");
    assert_eq!(told(debounce(50, 50)), "in 50");
    assert_eq!(told(throttle(50)), "due 1");
    assert_eq!(told(WhenBusy::Attach), "join 1");

    // Nor do they use up any of it.
    let limits = SlotLimits { per_slot: 1, ..NO_LIMITS };
    let mut world = full(limits).came(3, WhenBusy::Replace).came(6, throttle(0));
    assert_eq!(world.told(&new(7, WhenBusy::Queue)), "queue 3");
    assert_eq!(world.submit(&new(8, WhenBusy::Queue)), Err(SlotQueueFull { limit: 1 }));
    // The head that leaves makes no room in the queue; the queued one does.
    world = world.left(3);
    assert_eq!(world.submit(&new(9, WhenBusy::Queue)), Err(SlotQueueFull { limit: 1 }));
    world = world.left(7);
    assert_eq!(world.told(&new(10, WhenBusy::Queue)), "queue 2");
}

// --- how many may wait in all -------------------------------------------------------------------

#[test]
fn whoever_would_wait_beyond_the_total_is_refused_with_the_limit() {
    let limits = SlotLimits { total: 0, ..NO_LIMITS };
    let refused = Err(QueuesFull { limit: 0 });
    for policy in [WhenBusy::Queue, WhenBusy::Replace, WhenBusy::ReplaceAll] {
        assert_eq!(full(limits).submit(&new(9, policy)), refused, "{policy}");
    }
    for policy in [debounce(50, 50), throttle(50)] {
        assert_eq!(full(limits).submit(&new(9, policy)), refused, "{policy}");
    }
    // It waits in a slot that is idle, or cooling.
    assert_eq!(World::new(limits).submit(&new(9, debounce(50, 50))), refused);
    let mut cooling = World::new(limits).came(1, throttle(100)).left(1);
    assert_eq!(cooling.submit(&new(9, throttle(50))), refused);
    // Those who do not wait are not touched by it.
    assert_eq!(full(limits).told(&new(9, WhenBusy::DropIfRunning)), "busy 1");
    assert_eq!(full(limits).told(&new(9, WhenBusy::Attach)), "join 1");
    assert_eq!(full(limits).told(&new(9, WhenBusy::Queue).to("another")), "start");
    assert_eq!(World::new(limits).told(&new(9, throttle(50))), "start");
    assert_eq!(World::new(limits).told(&new(9, debounce(0, 50))), "start");
}

#[test]
fn the_total_counts_those_who_wait_in_all_slots_in_whatever_way() {
    let limits = SlotLimits { total: 4, ..NO_LIMITS };
    let crowded = || {
        let mut world = full(limits).came(3, WhenBusy::Replace).came(4, WhenBusy::Queue);
        world.submit(&new(6, debounce(100, 100)).to("a")).unwrap();
        world.submit(&new(7, throttle(100)).to("b")).unwrap();
        world.submit(&new(8, throttle(100)).to("b")).unwrap();
        world
    };
    let refused = Err(QueuesFull { limit: 4 });
    for (number, slot) in [(20, "k"), (21, "a"), (22, "c")] {
        // A place in a queue, one by time in a slot that has no such place taken.
        let policy = if slot == "k" { WhenBusy::Queue } else { debounce(50, 50) };
        let decided = crowded().submit(&new(number, policy).to(slot));
        assert_eq!(decided.is_err(), slot != "a", "{slot}: {decided:?}");
    }
    // Whoever leaves makes room for one.
    for leaving in [3, 4, 6, 8] {
        let mut world = crowded().left(leaving);
        assert!(world.submit(&new(20, WhenBusy::Queue)).is_ok(), "{leaving} left");
        assert_eq!(world.submit(&new(21, WhenBusy::Queue)), refused, "{leaving} left");
    }
    // An owner that leaves does not.
    assert_eq!(crowded().left(7).submit(&new(20, WhenBusy::Queue)), refused);
}

#[test]
fn whoever_takes_the_place_of_one_who_waits_finds_room_at_the_limit() {
    let limits = SlotLimits { total: 1, ..NO_LIMITS };
    let refused = Err(QueuesFull { limit: 1 });
    let queued = || full(limits).came(4, WhenBusy::Queue);
    assert_eq!(queued().told(&new(9, WhenBusy::Replace)), "stop 1 -4");
    assert_eq!(queued().told(&new(9, WhenBusy::ReplaceAll)), "stop 1 -4");
    assert_eq!(queued().submit(&new(9, WhenBusy::Queue)), refused);
    assert_eq!(queued().submit(&new(9, throttle(50))), refused);

    let delaying = || full(limits).came(6, debounce(100, 100));
    assert_eq!(delaying().told(&new(9, debounce(50, 80))), "in 50 -6");
    assert_eq!(delaying().told(&new(9, throttle(50))), "due 1 -6");
    assert_eq!(delaying().told(&new(9, WhenBusy::ReplaceAll)), "stop 1 -6");
    // It leaves the one whose time has not come alone, and needs a place of its own.
    assert_eq!(delaying().submit(&new(9, WhenBusy::Replace)), refused);
}

#[test]
fn limits_beyond_all_numbers_are_no_limits() {
    let mut world = full(NO_LIMITS);
    for number in 2..=200 {
        assert_eq!(world.told(&new(number, WhenBusy::Queue)), format!("queue {}", number - 1));
    }
    assert_eq!(world.told(&new(201, throttle(0))), "due 200");
    world.empties();
}

// --- how many may own one -----------------------------------------------------------------------

#[test]
fn the_first_submission_of_a_slot_says_how_many_may_own_it_while_it_lives() {
    let fixed = |current| Err(ConcurrencyFixed { current });
    for policy in POLICIES {
        for current in [1, 2, usize::MAX] {
            let mut world = world();
            world.submit(&new(1, throttle(100)).of(current)).unwrap();
            let other =
                new(9, policy).of(current.wrapping_sub(1).max(2) + usize::from(current == 2));
            assert_eq!(world.submit(&other), fixed(current), "{policy}");
            // It holds while the slot is cooling, with nobody in it.
            let mut world = world.left(1);
            assert_eq!(world.submit(&other), fixed(current), "{policy}");
            assert!(world.submit(&new(10, policy).of(current)).is_ok());
            assert!(world.submit(&new(11, WhenBusy::Attach)).is_ok(), "none said: what holds");
        }
    }
    let mut world = world();
    world.submit(&new(1, debounce(100, 100)).of(2)).unwrap();
    assert_eq!(world.submit(&new(2, WhenBusy::Queue).of(1)), fixed(2), "it holds while delaying");
    // A slot that was forgotten is a new one.
    let mut world = world.left(1);
    world.submit(&new(3, WhenBusy::Queue).of(1)).unwrap();
    assert_eq!(world.submit(&new(4, WhenBusy::Queue).of(2)), fixed(1));
}

#[test]
fn as_many_own_a_slot_as_it_says_and_one_where_nothing_is_said() {
    for said in [None, Some(1), Some(2), Some(5)] {
        let mut world = world();
        let concurrency = said.unwrap_or(DEFAULT_SLOT_CONCURRENCY);
        for number in 1..=concurrency as u64 {
            let next = New { concurrency: said, ..new(number, WhenBusy::Queue) };
            assert_eq!(world.told(&next), "start");
        }
        assert_eq!(world.told(&new(90, WhenBusy::Queue)), "queue 1");
        assert_eq!(world.told(&new(91, WhenBusy::DropIfRunning)), "busy 1");
        assert_eq!(world.slots.ready("k", world.now), None, "no room");
        // The oldest is replaced, whoever it is.
        let mut world = world.left(1);
        assert_eq!(world.slots.ready("k", world.now), Some(id(90)));
        world.slots.promote(id(90), world.now);
        let oldest = if concurrency == 1 { "stop 90" } else { "stop 2" };
        assert_eq!(world.told(&new(92, WhenBusy::Replace)), oldest);
        world.empties();
    }
}

// --- who is next --------------------------------------------------------------------------------

#[test]
fn the_line_is_the_head_then_by_priority_then_by_arrival() {
    let mut world = full(NO_LIMITS);
    let queued = |number, priority| New { priority, ..new(number, WhenBusy::Queue) };
    for (submission, expected) in [
        (queued(10, 0), "queue 1"),
        (queued(11, 5), "queue 1"),
        (queued(12, 0), "queue 3"),
        (queued(13, i32::MIN), "queue 4"),
        (queued(14, i32::MAX), "queue 1"),
        (New { priority: 5, ..new(15, throttle(50)) }, "due 3"),
        (queued(16, 5), "queue 4"),
        (queued(17, 6), "queue 2"),
        // It displaces the next one, whatever its priority, and its own does not matter.
        (New { priority: i32::MIN, ..new(18, WhenBusy::Replace) }, "stop 1 -14"),
        (queued(19, i32::MAX), "queue 2"),
    ] {
        assert_eq!(world.told(&submission), expected, "{submission:?}");
    }
    let expected = [18, 19, 17, 11, 15, 16, 10, 12, 13].map(id);
    assert_eq!(world.line("k"), expected);
    // They start in that order.
    let mut world = world.left(1);
    for next in expected {
        assert_eq!(world.slots.ready("k", world.now), Some(next));
        world.slots.promote(next, world.now);
        check_invariants(&world.slots, world.now);
        assert_eq!(world.owners("k"), [next]);
        assert_eq!(world.slots.ready("k", world.now), None, "there is room for one");
        world.slots.leave(next);
    }
    // The throttled one among them closed it.
    assert_eq!(world.due(), []);
    assert_eq!(world.at(50).slots.iter().count(), 0);
}

// --- memory -------------------------------------------------------------------------------------

fn room(world: &World) -> usize {
    let Slots { names, slots, places, .. } = &world.slots;
    names.capacity().max(slots.capacity()).max(places.capacity())
}

// lesson 11
#[test]
fn a_million_keys_one_after_the_other_take_no_room() {
    // Fewer where each step is slow.
    const KEYS: u64 = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
    let mut world = world();
    let numbers: Vec<Arc<str>> = (0..1000_u32).map(|n| Arc::from(n.to_string())).collect();
    for number in 1..=KEYS {
        // A thousand `Arc`s over and over: to the table, which forgets them, each is new.
        let slot = Arc::clone(&numbers[number as usize % 1000]);
        let when_busy = if number % 2 == 0 { WhenBusy::Queue } else { throttle(0) };
        let name = String::new();
        let (priority, max_wait, concurrency) = (0, None, None);
        let id = id(number);
        let new = New { id, slot, name, when_busy, priority, max_wait, concurrency };
        let verdict = world.slots.decide(&new.ask(), world.now, &world).unwrap();
        world.slots.enter(&new.ask(), &verdict, world.now);
        world.slots.leave(new.id);
        while world.slots.pop_due(world.now).is_some() {}
    }
    assert!(room(&world) < 64, "room for {}", room(&world));
    world.empties();
}

#[test]
fn many_slots_at_once_give_their_room_back() {
    let mut world = world();
    for number in 1..=20_000 {
        let new = new(number, debounce(100, 100)).to(&number.to_string());
        let verdict = world.slots.decide(&new.ask(), world.now, &world).unwrap();
        world.slots.enter(&new.ask(), &verdict, world.now);
    }
    assert!(room(&world) >= 20_000);
    for number in 1..=20_000 {
        world.slots.leave(id(number));
    }
    assert!(room(&world) < 4096, "room for {}", room(&world));
    world.empties();
}
