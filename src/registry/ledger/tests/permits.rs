//! Who gets the next permit: the slots in turn, first come first served within each.

use std::{collections::VecDeque, sync::Arc};

use proptest::prelude::*;

use super::{
    super::{Permit, PermitPool},
    id,
};
use crate::id::TaskId;

type Slot = Option<Arc<str>>;

fn slot(name: &str) -> Slot {
    Some(Arc::from(name))
}

/// Asks for each task in the name of its slot; `-`: without one.
fn ask_all(pool: &mut PermitPool, tasks: &[(u64, &str)]) -> Vec<Permit> {
    let slots =
        tasks.iter().map(|(task, name)| (*task, (*name != "-").then(|| slot(name)).flatten()));
    slots.map(|(task, slot)| pool.ask(id(task), slot.as_ref())).collect()
}

/// To whom permits go, as one is given back after the other.
fn served(pool: &mut PermitPool, times: usize) -> Vec<u64> {
    let next = (0..times).map_while(|_| pool.give_back(Permit::Held, slot("holder").as_ref()));
    next.map(TaskId::get).collect()
}

/// One permit, and 1 holds it.
fn one() -> PermitPool {
    let mut pool = PermitPool::new(1);
    assert_eq!(pool.ask(id(1), slot("holder").as_ref()), Permit::Held);
    pool
}

#[test]
fn slots_that_wait_get_permits_in_turn() {
    let mut pool = one();
    ask_all(&mut pool, &[(10, "a"), (11, "a"), (12, "a"), (20, "b"), (21, "b"), (30, "c")]);
    assert_eq!(served(&mut pool, 9), [10, 20, 30, 11, 21, 12]);
}

#[test]
fn one_noisy_slot_delays_a_quiet_one_by_one_turn_at_most() {
    let mut pool = one();
    let noise: Vec<_> = (100..1100).map(|task| (task, "noisy")).collect();
    ask_all(&mut pool, &noise);
    ask_all(&mut pool, &[(10, "quiet"), (11, "quiet")]);
    assert_eq!(served(&mut pool, 4), [100, 10, 101, 11]);
}

#[test]
fn within_a_slot_first_come_is_first_served() {
    let mut pool = one();
    ask_all(&mut pool, &[(12, "a"), (10, "a"), (11, "a"), (9, "a")]);
    assert_eq!(served(&mut pool, 5), [12, 10, 11, 9]);
}

#[test]
fn all_tasks_without_a_slot_are_one_line() {
    let mut pool = one();
    ask_all(&mut pool, &[(10, "-"), (11, "-"), (12, "-"), (20, "b"), (21, "b")]);
    assert_eq!(served(&mut pool, 9), [10, 20, 11, 21, 12]);
}

#[test]
fn whoever_leaves_a_line_is_passed_over_and_its_slot_keeps_its_turn() {
    let mut pool = one();
    let asked = ask_all(&mut pool, &[(10, "a"), (11, "a"), (20, "b"), (21, "b")]);
    assert_eq!(pool.give_back(asked[0], slot("a").as_ref()), None);
    assert_eq!(pool.give_back(asked[3], slot("b").as_ref()), None);
    assert_eq!(pool.give_back(asked[3], slot("b").as_ref()), None, "it has left");
    assert_eq!(served(&mut pool, 9), [11, 20]);
}

#[test]
fn a_slot_whose_line_empties_and_fills_again_comes_behind_those_who_wait() {
    let mut pool = one();
    ask_all(&mut pool, &[(10, "a"), (20, "b"), (21, "b"), (30, "c")]);
    assert_eq!(served(&mut pool, 1), [10]);
    ask_all(&mut pool, &[(11, "a")]);
    assert_eq!(served(&mut pool, 9), [20, 30, 11, 21]);

    // The same where it emptied because the only one left.
    let mut pool = one();
    let asked = ask_all(&mut pool, &[(10, "a"), (20, "b"), (30, "c")]);
    pool.give_back(asked[0], slot("a").as_ref());
    ask_all(&mut pool, &[(11, "a")]);
    assert_eq!(served(&mut pool, 9), [20, 30, 11]);
}

#[test]
fn a_task_that_asks_again_for_each_attempt_does_not_starve_the_other_slots() {
    let mut pool = PermitPool::new(1);
    ask_all(&mut pool, &[(1, "a"), (10, "b"), (11, "b"), (20, "c")]);
    let mut order = Vec::new();
    for _ in 0..6 {
        // Whoever holds it gives it back and asks at once.
        let holder = *order.last().unwrap_or(&1);
        let next = pool.give_back(Permit::Held, None).unwrap();
        let name = ["a", "b", "c"][(holder / 10) as usize];
        ask_all(&mut pool, &[(holder, name)]);
        order.push(next.get());
    }
    // Each slot in its turn; where two wait in one, the second does not let those behind wait longer.
    assert_eq!(order, [10, 20, 11, 1, 10, 20]);
}

// --- against a model ----------------------------------------------------------------------------

/// The lines in the order of their turns.
type Model = VecDeque<(Slot, VecDeque<(TaskId, Permit)>)>;

fn next_of(lines: &mut Model) -> Option<TaskId> {
    let (slot, mut line) = lines.pop_front()?;
    let (task, _) = line.pop_front()?;
    if !line.is_empty() {
        lines.push_back((slot, line));
    }
    Some(task)
}

#[derive(Clone, Debug)]
enum Turn {
    Ask(usize),
    Return(prop::sample::Index),
    Leave(prop::sample::Index),
}

fn any_turn() -> impl Strategy<Value = Turn> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (0_usize..4).prop_map(Turn::Ask),
        3 => index().prop_map(Turn::Return),
        1 => index().prop_map(Turn::Leave),
    ]
}

proptest! {
    #![proptest_config(super::random::cases())]

    #[test]
    fn permits_are_what_lines_that_take_turns_say(
        limit in 1_usize..4,
        turns in prop::collection::vec(any_turn(), 1..80),
    ) {
        let slots = [None, slot("a"), slot("b"), slot("c")];
        let mut pool = PermitPool::new(limit);
        let (mut holders, mut lines, mut next) = (Vec::new(), Model::new(), 0);
        for turn in turns {
            match turn {
                Turn::Ask(which) => {
                    next += 1;
                    let (task, slot) = (id(next), &slots[which]);
                    let permit = pool.ask(task, slot.as_ref());
                    if holders.len() < limit {
                        prop_assert_eq!(permit, Permit::Held);
                        holders.push(task);
                    } else {
                        let is_waiting = matches!(permit, Permit::Waiting { .. });
                        prop_assert!(is_waiting, "{:?} beyond the limit", permit);
                        match lines.iter_mut().find(|(of, _)| of == slot) {
                            Some((_, line)) => line.push_back((task, permit)),
                            None => lines.push_back((slot.clone(), [(task, permit)].into())),
                        }
                    }
                }
                Turn::Return(which) if !holders.is_empty() => {
                    holders.remove(which.index(holders.len()));
                    let granted = pool.give_back(Permit::Held, None);
                    prop_assert_eq!(granted, next_of(&mut lines));
                    holders.extend(granted);
                }
                Turn::Leave(which) if !lines.is_empty() => {
                    let at = which.index(lines.len());
                    let (slot, line) = &mut lines[at];
                    let (_, ticket) = line.remove(which.index(line.len())).unwrap();
                    prop_assert_eq!(pool.give_back(ticket, slot.as_ref()), None);
                    if line.is_empty() {
                        lines.remove(at);
                    }
                }
                Turn::Return(_) | Turn::Leave(_) => {}
            }
            prop_assert!(lines.is_empty() || holders.len() == limit, "waits beside a free permit");
        }
        // Nobody is lost, and every permit comes back.
        while holders.pop().is_some() {
            let granted = pool.give_back(Permit::Held, None);
            prop_assert_eq!(granted, next_of(&mut lines));
            holders.extend(granted);
        }
        prop_assert!(lines.is_empty());
        for number in 0..limit as u64 {
            prop_assert_eq!(pool.ask(id(1000 + number), None), Permit::Held);
        }
        prop_assert_ne!(pool.ask(id(2000), None), Permit::Held);
    }
}
