//! What is due when: bursts, openings, longest waits, extreme durations.

use super::*;

fn opened() -> Due {
    Due::Opened(Arc::from("k"))
}

fn waits(number: u64, max_wait: u64) -> New {
    New { max_wait: Some(ms(max_wait)), ..new(number, WhenBusy::Queue) }
}

// --- debounce -----------------------------------------------------------------------------------

#[test]
fn a_burst_is_put_off_by_each_newer_one_but_no_longer_than_the_first_one_may_wait() {
    let mut world = world();
    assert_eq!(world.told(&new(1, debounce(50, 120))), "in 50");
    world = world.at(40);
    assert_eq!(world.told(&new(2, debounce(50, 120))), "in 50 -1");
    world = world.at(80);
    assert_eq!(world.told(&new(3, debounce(50, 120))), "in 40 -2");
    world = world.at(119);
    assert_eq!(world.told(&new(4, debounce(50, 120))), "in 1 -3");
    assert_eq!((world.due(), world.line("k")), (vec![], vec![]));
    world.now += ms(1);
    assert_eq!((world.due(), world.line("k")), (vec![Due::Ready(id(4))], vec![id(4)]));
    world.slots.promote(id(4), world.now);
    // The next burst begins anew.
    assert_eq!(world.told(&new(5, debounce(50, 120))), "in 50");
    world.empties();
}

#[test]
fn the_longest_wait_of_a_burst_is_that_of_its_newest_submission_from_the_first_on() {
    let mut world = world();
    world.submit(&new(1, debounce(50, 1000))).unwrap();
    world = world.at(30);
    assert_eq!(world.told(&new(2, debounce(500, 40))), "in 10 -1");
    assert_eq!(world.told(&new(3, debounce(500, 300))), "in 270 -2");
    assert_eq!(world.told(&new(4, debounce(500, 30))), "start -3");
    world.empties();
}

#[test]
fn a_debounced_one_whose_time_comes_in_a_full_slot_joins_the_line() {
    let mut world = world().came(1, WhenBusy::Queue).came(2, debounce(50, 50));
    world.submit(&new(3, WhenBusy::Queue)).unwrap();
    assert_eq!(world.line("k"), [id(3)]);
    world.now += ms(50);
    assert_eq!(world.due(), [Due::Ready(id(2))]);
    check_invariants(&world.slots, world.now);
    assert_eq!(world.line("k"), [id(2), id(3)], "by arrival");
    world.empties();
}

#[test]
fn whoever_displaces_one_that_waited_has_its_place_in_the_line_or_a_better_one_of_its_own() {
    for policy in [debounce(50, 50), throttle(50)] {
        let mut world = world().came(1, WhenBusy::Queue).came(2, policy);
        world.submit(&new(3, WhenBusy::Queue)).unwrap();
        world = world.at(50);
        assert_eq!(world.line("k"), [2, 3].map(id), "{policy}");
        // However many come, the line does not pass the last of them.
        for number in 4..9 {
            world.submit(&new(10 * number, WhenBusy::Queue)).unwrap();
            world.submit(&new(10 * number + 1, throttle(50))).unwrap();
            assert_eq!(world.line("k")[..2], [10 * number + 1, 3].map(id), "{policy}");
            check_invariants(&world.slots, world.now);
        }
        let low = New { priority: -1, ..new(100, throttle(50)) };
        assert_eq!(world.told(&low), "due 1 -81", "it takes the place over, {policy}");
        world.submit(&New { priority: 1, ..new(101, WhenBusy::Queue) }).unwrap();
        let high = New { priority: 2, ..new(102, throttle(50)) };
        assert_eq!(world.line("k")[..3], [101, 100, 3].map(id), "{policy}");
        assert_eq!(world.told(&high), "due 1 -100", "its own is better, {policy}");
        world.empties();
    }
}

#[test]
fn a_new_burst_begins_at_the_end_of_the_line() {
    let mut world = world().came(1, WhenBusy::Queue).came(2, throttle(0)).came(3, WhenBusy::Queue);
    world.slots.leave(id(1));
    world.slots.promote(id(2), world.now);
    assert_eq!(world.told(&new(4, throttle(0))), "due 2");
    world.slots.leave(id(4));
    assert_eq!(world.told(&new(5, throttle(0))), "due 2");
    world.slots.leave(id(5));
}

#[test]
fn when_nothing_newer_can_come_debounced_ones_are_due_and_throttled_ones_are_not() {
    let mut world = world().came(1, debounce(500, 500));
    world.submit(&new(2, throttle(100)).to("throttled")).unwrap();
    world.submit(&new(3, throttle(100)).to("throttled")).unwrap();
    world.now += ms(10);
    world.slots.end_bursts(world.now);
    assert_eq!(world.due(), [Due::Ready(id(1))]);
    check_invariants(&world.slots, world.now);
    assert_eq!((world.line("k"), world.line("throttled")), (vec![id(1)], vec![]));
    world.now += ms(90);
    assert_eq!(world.due(), [Due::Ready(id(3)), Due::Opened(Arc::from("throttled"))]);
    world.empties();
}

// --- throttle -----------------------------------------------------------------------------------

#[test]
fn a_throttled_start_closes_the_slot_to_throttled_ones_from_start_to_start() {
    let mut world = world().came(1, throttle(100)).left(1).at(99);
    assert_eq!(world.told(&new(2, throttle(30))), "in 1");
    world.now += ms(1);
    // The waiting one comes first, so that the slot is not forgotten on the way.
    assert_eq!(world.slots.pop_due(world.now), Some(Due::Ready(id(2))));
    world.slots.promote(id(2), world.now);
    check_invariants(&world.slots, world.now);
    assert_eq!(world.due(), [], "that opening is past");
    // Its own pause counts from now on.
    world = world.left(2).at(110);
    assert_eq!(world.told(&new(3, throttle(100))), "in 20");
    world.now += ms(20);
    assert_eq!(world.due(), [Due::Ready(id(3)), opened()]);
    world.empties();
}

#[test]
fn a_slot_that_opens_with_nobody_in_it_is_forgotten() {
    let mut world = world().came(1, throttle(100)).left(1);
    world.now += ms(99);
    assert_eq!((world.due(), world.slots.iter().count()), (vec![], 1));
    world.now += ms(1);
    assert_eq!((world.due(), world.slots.iter().count()), (vec![opened()], 0));
    assert_eq!(world.told(&new(2, throttle(100))), "start");
}

#[test]
fn other_policies_neither_close_a_slot_nor_wait_for_its_opening() {
    let others = [WhenBusy::Queue, WhenBusy::Replace, WhenBusy::ReplaceAll];
    for policy in others.into_iter().chain([WhenBusy::DropIfRunning, WhenBusy::Attach]) {
        let mut open = world().came(1, policy).left(1);
        assert_eq!(open.told(&new(2, throttle(100))), "start", "{policy}");
        let mut closed = open.left(2).at(50).came(3, policy);
        assert_eq!(closed.owners("k"), [id(3)], "{policy}");
        assert_eq!(closed.told(&new(4, throttle(100))), "in 50", "{policy}");
        closed.empties();
    }
}

#[test]
fn a_throttled_one_that_finds_the_slot_full_at_its_opening_closes_it_when_it_starts() {
    let mut world = world().came(1, throttle(100)).came(2, throttle(70)).at(150);
    assert_eq!(world.line("k"), [id(2)]);
    world = world.left(1);
    assert_eq!(world.slots.ready("k", world.now), Some(id(2)));
    world.slots.promote(id(2), world.now);
    check_invariants(&world.slots, world.now);
    assert_eq!(world.told(&new(3, throttle(1000))), "in 70");
    world.empties();
}

#[test]
fn a_newer_throttled_one_displaces_the_one_that_waits_and_keeps_the_opening() {
    let mut world = world().came(1, throttle(100)).left(1);
    for number in 2..20 {
        world = world.at(number);
        let displaced = if number == 2 { String::new() } else { format!(" -{}", number - 1) };
        let told = world.told(&new(number, throttle(100)));
        assert_eq!(told, format!("in {}{displaced}", 100 - number));
    }
    world.empties();
}

#[test]
fn opening_everything_forgets_what_was_kept_for_that_alone() {
    let mut world = world().came(1, throttle(100)).left(1);
    world.submit(&new(2, throttle(100)).to("owned")).unwrap();
    world.submit(&new(3, throttle(100)).to("owned")).unwrap();
    world.submit(&new(4, WhenBusy::Queue).to("open")).unwrap();
    let mut opened = world.slots.open_everything();
    opened.sort_unstable();
    assert_eq!(opened.iter().map(|name| &**name).collect::<Vec<_>>(), ["k", "owned"]);
    check_invariants(&world.slots, world.now);
    assert!(world.slots.get("k").is_none());
    assert_eq!(world.told(&new(5, throttle(100))), "start");
    world.empties();
}

// --- the longest wait ---------------------------------------------------------------------------

#[test]
fn what_is_due_comes_in_the_order_of_its_time() {
    let mut world = world().came(1, throttle(60));
    for (number, max_wait) in [(10, 70), (11, 20), (12, 70), (13, 50)] {
        world.submit(&waits(number, max_wait)).unwrap();
    }
    let late = New { max_wait: Some(ms(45)), ..new(14, debounce(40, 40)) };
    world.submit(&late).unwrap();
    assert_eq!(world.slots.next_due(), Some(world.start + ms(20)));
    world.now += ms(100);
    let timed_out = |number| Due::TimedOut(id(number));
    let ready = Due::Ready(id(14));
    let expected = [
        timed_out(11),
        ready,
        timed_out(14),
        timed_out(13),
        opened(),
        timed_out(10),
        timed_out(12),
    ];
    assert_eq!(world.due(), expected);
    assert_eq!(world.slots.next_due(), None);
}

#[test]
fn of_what_is_due_at_one_moment_whoever_can_start_comes_first_and_waits_are_over_last() {
    let mut world = world().came(9, throttle(50)).left(9);
    world.submit(&New { max_wait: Some(ms(50)), ..new(2, debounce(50, 50)) }).unwrap();
    world.submit(&waits(3, 50).to("a")).unwrap();
    world.submit(&waits(1, 50).to("a")).unwrap();
    world.now += ms(50);
    let expected = [Due::Ready(id(2)), opened(), Due::TimedOut(id(1)), Due::TimedOut(id(2))];
    assert_eq!(world.due(), expected);
}

#[test]
fn whoever_starts_or_leaves_or_is_displaced_has_nothing_due_any_more() {
    let limited = |number, when_busy| New { max_wait: Some(ms(30)), ..new(number, when_busy) };
    let mut world = world().came(1, WhenBusy::Queue);
    world.submit(&limited(2, WhenBusy::Queue)).unwrap();
    world.submit(&limited(3, debounce(20, 20))).unwrap();
    world.submit(&limited(4, debounce(20, 20))).unwrap();
    world.submit(&limited(5, WhenBusy::Replace)).unwrap();
    assert_eq!(world.slots.dues.len(), 3, "5 waits for 30 ms, 4 for 30 ms and until 20 ms");
    world = world.left(1);
    world.slots.promote(id(5), world.now);
    world = world.left(4);
    assert_eq!(world.slots.dues.len(), 0);
    // A start at once, a share and a refusal have never waited.
    world.submit(&limited(6, WhenBusy::DropIfRunning)).unwrap_err();
    world.submit(&limited(7, WhenBusy::Attach)).unwrap();
    world.submit(&limited(8, WhenBusy::Queue).to("another")).unwrap();
    assert_eq!(world.slots.dues.len(), 0);
    world.empties();
}

#[test]
fn one_whose_wait_is_over_says_how_long_it_was() {
    let mut world = world().came(1, WhenBusy::Queue);
    world.submit(&waits(2, 30)).unwrap();
    let waiter = world.slots.waiter(id(2)).unwrap();
    assert_eq!(waiter.times_out_at(), Some(world.start + ms(30)));
    assert!(world.slots.waiter(id(1)).is_none(), "an owner waits for nothing");
}

// --- extremes -----------------------------------------------------------------------------------

// lesson 29
#[test]
fn durations_without_end_are_later_than_anybody_waits() {
    const NEVER: Duration = Duration::MAX;
    const YEARS: Duration = Duration::from_secs(20 * 365 * 86_400);
    let forever = WhenBusy::Debounce { quiet: NEVER, max_wait: NEVER };
    for (policy, first) in [(forever, 6), (WhenBusy::Throttle { every: NEVER }, 1)] {
        let mut world = world();
        for number in [1, 6] {
            world.submit(&New { max_wait: Some(NEVER), ..new(number, policy) }).unwrap();
        }
        assert_eq!(world.owners("k").len(), usize::from(first == 1));
        world.now += YEARS;
        assert_eq!((world.due(), world.line("k")), (vec![], vec![]), "{policy}");
        check_invariants(&world.slots, world.now);
        world.empties();
    }
    let mut world = world().came(1, WhenBusy::Queue);
    for number in 2..9 {
        let policy = POLICIES[number as usize - 2];
        let _ = world.submit(&New { max_wait: Some(NEVER), ..new(number, policy) });
    }
    world.now += YEARS;
    assert!(world.due().iter().all(|due| matches!(due, Due::Ready(_))), "somebody timed out");
}

#[test]
fn one_end_of_a_debounce_without_end_leaves_the_other_in_force() {
    let never = Duration::MAX;
    let quiet = |quiet, max_wait| WhenBusy::Debounce { quiet, max_wait };
    assert_eq!(world().told(&new(1, quiet(never, ms(50)))), "in 50");
    assert_eq!(world().told(&new(1, quiet(ms(50), never))), "in 50");
    assert_eq!(world().told(&new(1, quiet(never, Duration::ZERO))), "start");
    assert_eq!(world().told(&new(1, quiet(Duration::ZERO, never))), "start");
}

#[test]
fn durations_of_zero_are_over_at_once() {
    let full = || world().came(1, WhenBusy::Queue);
    assert_eq!(world().told(&new(9, debounce(0, 0))), "start");
    assert_eq!(full().told(&new(9, debounce(0, 0))), "due 1");

    let mut throttled = world().came(1, throttle(0)).left(1);
    assert_eq!(throttled.told(&new(2, throttle(0))), "start");
    assert_eq!(throttled.due(), [opened()]);
    throttled.empties();

    let mut impatient = full();
    assert_eq!(impatient.told(&waits(9, 0)), "queue 1");
    assert_eq!(impatient.due(), [Due::TimedOut(id(9))]);
    assert_eq!(world().told(&waits(9, 0)), "start", "it does not wait");
}
