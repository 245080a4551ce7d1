//! The books alone: who is a member, who has a permit, what is due, how many panics are survived.

use super::*;

// --- Table -----------------------------------------------------------------------------------------

type Names = Table<TaskRef, char>;

/// So many fall out of a long history before they are let go of.
const FALLEN: usize = 16;

/// From here on a history is long.
const LONG: usize = 256;

impl Titled for TaskRef {
    fn task(&self) -> &TaskRef {
        self
    }
}

/// Makes `name` a member.
fn join(table: &mut Names, name: &str) -> TaskRef {
    let task = TaskRef::new(table.assign_id(), Arc::from(name));
    table.insert(task.clone(), 'm');
    table.claim_name(&task);
    task
}

fn may_add(table: &Names, names: &[&str]) -> Result<(), (usize, Refusal)> {
    table.may_add(names.iter().copied())
}

/// The number of what a table finds.
fn found(table: &Names, target: &TaskTarget) -> Option<u64> {
    table.find(target).map(|task| task.id().get())
}

/// The numbers of those that are let go of now.
fn let_go(table: &mut Names) -> Vec<u64> {
    table.fallen().into_iter().flatten().map(|task| task.id().get()).collect()
}

fn taken_by(owner: &TaskRef) -> Refusal {
    Refusal::Plain(AddRefusal::AlreadyExists { owner: owner.id() })
}

fn limit_of(limit: usize) -> Refusal {
    Refusal::Plain(AddRefusal::LimitReached { limit })
}

#[test]
fn an_id_is_given_out_once_whatever_becomes_of_the_command() {
    // R1
    let mut table = Names::new(None, 2);
    let first = join(&mut table, "a");
    let refused = table.assign_id();
    table.remove(&first);
    let second = join(&mut table, "a");
    assert_eq!([first.id().get(), refused.get(), second.id().get()], [1, 2, 3]);
}

// lesson 9
#[test]
fn a_name_is_held_until_its_task_is_removed() {
    let mut table = Names::new(None, 2);
    let owner = join(&mut table, "a");
    assert_eq!(may_add(&table, &["a"]), Err((0, taken_by(&owner))));
    assert_eq!(may_add(&table, &["b", "a"]), Err((1, taken_by(&owner))));
    assert_eq!(table.remove(&owner), Some('m'));
    assert_eq!(may_add(&table, &["b", "a"]), Ok(()));
}

#[test]
fn removing_a_task_twice_changes_nothing_and_frees_no_name_of_its_successor() {
    let mut table = Names::new(None, 2);
    let old = join(&mut table, "a");
    table.remove(&old);
    let new = join(&mut table, "a");
    assert_eq!(table.remove(&old), None);
    assert_eq!(may_add(&table, &["a"]), Err((0, taken_by(&new))));
    assert_eq!((table.len(), found(&table, &named("a"))), (1, Some(2)));
}

#[test]
fn an_empty_name_is_refused() {
    let table = Names::new(Some(1), 2);
    let why = Refusal::Plain(AddRefusal::InvalidSpec(InvalidSpec::EmptyName));
    assert_eq!(may_add(&table, &[""]), Err((0, why.clone())));
    assert_eq!(may_add(&table, &["a", ""]), Err((1, why)));
}

// lesson 12
#[test]
fn the_limit_counts_members_and_the_batch_together() {
    let mut table = Names::new(Some(3), 2);
    let first = join(&mut table, "a");
    assert_eq!(may_add(&table, &["b", "c"]), Ok(()));
    assert_eq!(may_add(&table, &["b", "c", "d", "e"]), Err((2, limit_of(3))));
    join(&mut table, "b");
    join(&mut table, "c");
    assert_eq!(may_add(&table, &["d"]), Err((0, limit_of(3))));
    table.remove(&first);
    assert_eq!(may_add(&table, &["d"]), Ok(()));
}

#[test]
fn a_name_twice_in_a_batch_is_refused_with_the_id_of_the_first() {
    let mut table = Names::new(None, 2);
    let names = ["a", "b", "a", "b"];
    let Err((culprit, refusal)) = may_add(&table, &names) else {
        panic!("accepted");
    };
    assert_eq!((culprit, &refusal), (2, &Refusal::TwiceInBatch { first: 0 }));
    let ids = names.map(|_| table.assign_id());
    let owner = ids[0];
    assert_eq!(refusal.with_ids(&ids), AddRefusal::AlreadyExists { owner });
}

#[test]
fn the_first_culprit_of_a_batch_is_named_whatever_is_wrong_with_later_ones() {
    let mut table = Names::new(Some(3), 2);
    let owner = join(&mut table, "a");
    assert_eq!(may_add(&table, &["b", "a", "b", "", "c"]), Err((1, taken_by(&owner))));
    assert_eq!(may_add(&table, &["b", "b", "a"]), Err((1, Refusal::TwiceInBatch { first: 0 })));
    assert_eq!(may_add(&table, &["b", "c", "d", "b"]), Err((2, limit_of(3))));
}

#[test]
fn an_empty_batch_is_never_refused() {
    let mut table = Names::new(Some(1), 2);
    join(&mut table, "a");
    assert_eq!(may_add(&table, &[]), Ok(()));
}

/// Adds and removes tasks until so many have ended. Who was let go of with each of them.
fn ends(history: usize, count: usize) -> (Names, Vec<Vec<u64>>) {
    let mut table = Names::new(None, history);
    let end = |number: usize| {
        let task = join(&mut table, &number.to_string());
        assert_eq!(table.remove(&task), Some('m'));
        let_go(&mut table)
    };
    let gone = (1..=count).map(end).collect();
    (table, gone)
}

#[test]
fn what_falls_out_of_a_long_history_is_let_go_of_together_oldest_first() {
    let (table, gone) = ends(LONG, LONG + FALLEN + 1);
    let together = LONG + FALLEN - 1;
    assert!(gone.iter().enumerate().all(|(end, gone)| gone.is_empty() == (end != together)));
    assert_eq!(gone[together], (1..=FALLEN as u64).collect::<Vec<_>>());
    let is_there = |number: usize| found(&table, &named(&number.to_string())).is_some();
    assert_eq!([FALLEN, FALLEN + 1, FALLEN + 2].map(is_there), [false, false, true]);
}

#[test]
fn what_falls_out_of_a_short_history_is_let_go_of_at_once() {
    for history in [1, LONG - 1] {
        let (_, gone) = ends(history, history + 3);
        let expected = [vec![1], vec![2], vec![3]];
        assert!(gone[..history].iter().all(Vec::is_empty));
        assert_eq!(gone[history..], expected, "a history of {history}");
    }
}

#[test]
fn without_a_history_the_ended_are_unknown_and_let_go_of_at_once() {
    let mut table = Names::new(None, 0);
    let task = join(&mut table, "a");
    assert_eq!(table.remove(&task), Some('m'));
    assert_eq!(let_go(&mut table), [1]);
    assert_eq!(table.find(&TaskTarget::from(&task)), None);
}

#[test]
fn find_prefers_the_living_and_among_the_ended_the_latest() {
    let mut table = Names::new(None, 8);
    for _ in 0..2 {
        let task = join(&mut table, "a");
        table.remove(&task);
    }
    assert_eq!(found(&table, &named("a")), Some(2));
    let living = join(&mut table, "a");
    assert_eq!(found(&table, &named("a")), Some(3));
    assert_eq!(table.living(&named("a")).map(|entry| &entry.cell), Some(&living));
    let ended = TaskId::from_number(1).unwrap();
    assert_eq!(found(&table, &TaskTarget::Id(ended)), Some(1));
    assert!(table.living(&TaskTarget::Id(ended)).is_none());
}

/// The table in two lists.
#[derive(Default)]
struct NamesModel {
    living: Vec<TaskRef>,
    ended: VecDeque<TaskRef>,
}

impl NamesModel {
    /// The first of `names` that cannot be added to the living.
    fn refuses(&self, names: &[&str], limit: Option<usize>) -> Option<usize> {
        names.iter().enumerate().position(|(index, name)| {
            name.is_empty()
                || self.living.iter().any(|task| task.name() == *name)
                || names[..index].contains(name)
                || limit.is_some_and(|limit| self.living.len() + index >= limit)
        })
    }

    fn find(&self, is_it: impl Fn(&&TaskRef) -> bool) -> Option<u64> {
        let living = self.living.iter().find(&is_it);
        living.or_else(|| self.ended.iter().rev().find(&is_it)).map(|task| task.id().get())
    }
}

#[derive(Clone, Debug)]
enum Member {
    Add(Vec<&'static str>),
    Remove(prop::sample::Index),
}

fn any_member() -> impl Strategy<Value = Member> {
    let names = prop::sample::select(vec!["", "a", "b", "c", "d", "e"]);
    prop_oneof![
        3 => prop::collection::vec(names, 0..5).prop_map(Member::Add),
        2 => any::<prop::sample::Index>().prop_map(Member::Remove),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_table_is_what_two_lists_say(
        steps in prop::collection::vec(any_member(), 1..60),
        limit in prop::option::of(1_usize..5),
        history in 0_usize..4,
    ) {
        let mut table = Names::new(limit, history);
        let mut model = NamesModel::default();
        let mut ids = BTreeSet::new();
        for step in steps {
            match step {
                Member::Add(names) => {
                    let decision = may_add(&table, &names);
                    prop_assert_eq!(
                        decision.as_ref().err().map(|(culprit, _)| *culprit),
                        model.refuses(&names, limit)
                    );
                    for name in names {
                        let id = table.assign_id();
                        prop_assert!(ids.insert(id), "an id came twice");
                        if decision.is_ok() {
                            let task = TaskRef::new(id, Arc::from(name));
                            table.insert(task.clone(), 'm');
                            table.claim_name(&task);
                            model.living.push(task);
                        }
                    }
                }
                Member::Remove(which) if !model.living.is_empty() => {
                    let task = model.living.remove(which.index(model.living.len()));
                    model.ended.push_back(task.clone());
                    let has_fallen = model.ended.len() > history;
                    let fallen = has_fallen.then(|| model.ended.pop_front().unwrap().id().get());
                    prop_assert_eq!(table.remove(&task), Some('m'));
                    prop_assert_eq!(let_go(&mut table), Vec::from_iter(fallen));
                }
                Member::Remove(_) => {}
            }
            let living: Vec<_> = model.living.iter().map(|task| task.id().get()).collect();
            prop_assert_eq!(table.sorted(), model.living.clone());
            prop_assert_eq!((table.len(), table.is_empty()), (living.len(), living.is_empty()));
            for name in ["a", "b", "c", "d", "e"] {
                prop_assert_eq!(found(&table, &named(name)), model.find(|task| task.name() == name));
            }
            for id in &ids {
                let target = TaskTarget::Id(*id);
                prop_assert_eq!(found(&table, &target), model.find(|task| task.id() == *id));
                prop_assert_eq!(table.get(*id).is_some(), living.contains(&id.get()));
            }
        }
    }
}

// --- PermitPool ------------------------------------------------------------------------------------

#[test]
fn a_permit_that_comes_back_goes_to_the_first_in_the_queue() {
    let mut pool = PermitPool::new(1);
    assert_eq!(pool.ask(id(1), None), Permit::Held);
    let [second, third] = [pool.ask(id(2), None), pool.ask(id(3), None)];
    assert!(matches!(second, Permit::Waiting { .. }) && matches!(third, Permit::Waiting { .. }));
    assert_eq!(pool.give_back(Permit::Held, None), Some(id(2)));
    assert_eq!(pool.give_back(Permit::Held, None), Some(id(3)));
    assert_eq!(pool.give_back(Permit::Held, None), None);
    assert_eq!(pool.ask(id(4), None), Permit::Held);
}

#[test]
fn who_leaves_the_queue_is_passed_over() {
    let mut pool = PermitPool::new(1);
    pool.ask(id(1), None);
    let leaving = pool.ask(id(2), None);
    pool.ask(id(3), None);
    assert_eq!(pool.give_back(leaving, None), None);
    assert_eq!(pool.give_back(Permit::Held, None), Some(id(3)));
}

#[test]
fn giving_back_nothing_frees_nothing() {
    let mut pool = PermitPool::new(1);
    pool.ask(id(1), None);
    pool.ask(id(2), None);
    assert_eq!(pool.give_back(Permit::None, None), None);
    assert!(matches!(pool.ask(id(3), None), Permit::Waiting { .. }));
}

#[derive(Clone, Debug)]
enum Turn {
    Ask,
    Return(prop::sample::Index),
    Leave(prop::sample::Index),
    ReturnNothing,
}

fn any_turn() -> impl Strategy<Value = Turn> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => Just(Turn::Ask),
        3 => index().prop_map(Turn::Return),
        1 => index().prop_map(Turn::Leave),
        1 => Just(Turn::ReturnNothing),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn permits_are_what_a_queue_and_a_count_say(
        limit in 1_usize..5,
        turns in prop::collection::vec(any_turn(), 1..120),
    ) {
        let mut pool = PermitPool::new(limit);
        let (mut holders, mut queue) = (Vec::new(), VecDeque::new());
        let mut next = 0;
        let pass_on = |queue: &mut VecDeque<(TaskId, Permit)>| queue.pop_front().map(|(task, _)| task);
        for turn in turns {
            match turn {
                Turn::Ask => {
                    next += 1;
                    let permit = pool.ask(id(next), None);
                    let is_room = holders.len() < limit;
                    prop_assert_eq!(permit == Permit::Held, is_room && queue.is_empty());
                    match permit {
                        Permit::Held => holders.push(id(next)),
                        Permit::Waiting { .. } => queue.push_back((id(next), permit)),
                        Permit::None => prop_assert!(false, "neither a permit nor a place"),
                    }
                }
                Turn::Return(which) if !holders.is_empty() => {
                    holders.remove(which.index(holders.len()));
                    let granted = pool.give_back(Permit::Held, None);
                    prop_assert_eq!(granted, pass_on(&mut queue), "not the first in the queue");
                    holders.extend(granted);
                }
                Turn::Leave(which) if !queue.is_empty() => {
                    let (_, ticket) = queue.remove(which.index(queue.len())).unwrap();
                    prop_assert_eq!(pool.give_back(ticket, None), None);
                }
                Turn::ReturnNothing => prop_assert_eq!(pool.give_back(Permit::None, None), None),
                Turn::Return(_) | Turn::Leave(_) => {}
            }
            prop_assert!(holders.len() <= limit, "above the limit");
            prop_assert!(queue.is_empty() || holders.len() == limit, "waits beside a free permit");
        }
        // Nobody is lost, and every permit comes back.
        while holders.pop().is_some() {
            let granted = pool.give_back(Permit::Held, None);
            prop_assert_eq!(granted, pass_on(&mut queue));
            holders.extend(granted);
        }
        prop_assert!(queue.is_empty());
        for _ in 0..limit {
            prop_assert_eq!(pool.ask(id(1), None), Permit::Held);
        }
        prop_assert_ne!(pool.ask(id(1), None), Permit::Held);
    }
}

// --- Deadlines -------------------------------------------------------------------------------------

#[test]
fn of_two_deadlines_of_a_task_the_last_one_set_counts() {
    let now = Instant::now();
    for (first, second) in [(1, 2), (2, 1), (1, 1)] {
        let mut deadlines = Deadlines::default();
        deadlines.set(id(1), now + SECOND * first);
        deadlines.set(id(1), now + SECOND * second);
        assert_eq!(deadlines.pop_due(now + SECOND * second - ms(1)), None);
        assert_eq!(deadlines.pop_due(now + SECOND * second), Some(id(1)));
        assert_eq!(deadlines.pop_due(now + SECOND * 9), None);
    }
}

#[test]
fn a_forgotten_deadline_never_comes_due() {
    let now = Instant::now();
    let mut deadlines = Deadlines::default();
    deadlines.set(id(1), now);
    deadlines.set(id(2), now + SECOND);
    deadlines.forget(id(1));
    deadlines.forget(id(3));
    assert_eq!(deadlines.pop_due(now + SECOND), Some(id(2)));
    assert_eq!(deadlines.pop_due(now + SECOND), None);
}

// lesson 11
#[test]
fn a_thousand_forgotten_deadlines_do_not_stay() {
    let now = Instant::now();
    let mut deadlines = Deadlines::default();
    for number in 1..=1000 {
        deadlines.set(id(number), now + SECOND * u32::try_from(number).unwrap());
    }
    for number in 1..=1000 {
        deadlines.forget(id(number));
    }
    // What is left of them would be looked at first.
    let left = deadlines.next();
    assert!(left.is_none_or(|at| at > now + SECOND * 900), "kept since {left:?}");
}

#[derive(Clone, Debug)]
enum Stop {
    Set(u64, u64),
    Forget(u64),
    /// Time passes.
    Pass(u64),
}

fn any_stop() -> impl Strategy<Value = Stop> {
    prop_oneof![
        6 => (1_u64..150, 0_u64..400).prop_map(|(task, after)| Stop::Set(task, after)),
        3 => (1_u64..150).prop_map(Stop::Forget),
        1 => (0_u64..100).prop_map(Stop::Pass),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn deadlines_are_what_a_sorted_list_says(stops in prop::collection::vec(any_stop(), 1..500)) {
        let mut deadlines = Deadlines::default();
        let mut model: Vec<(Instant, TaskId)> = Vec::new();
        let mut now = Instant::now();
        for stop in stops {
            match stop {
                Stop::Set(task, after) => {
                    let at = now + ms(after);
                    deadlines.set(id(task), at);
                    model.retain(|(_, other)| *other != id(task));
                    model.push((at, id(task)));
                    model.sort_unstable();
                }
                Stop::Forget(task) => {
                    deadlines.forget(id(task));
                    model.retain(|(_, other)| *other != id(task));
                }
                Stop::Pass(time) => {
                    now += ms(time);
                    while let Some(&(at, task)) = model.first().filter(|(at, _)| *at <= now) {
                        prop_assert_eq!(deadlines.pop_due(now), Some(task), "due at {:?}", at);
                        model.remove(0);
                    }
                    prop_assert_eq!(deadlines.pop_due(now), None);
                }
            }
            if let Some((first, _)) = model.first() {
                // It may be earlier, for one that was forgotten, and never later.
                prop_assert!(deadlines.next().is_some_and(|next| next <= *first));
            }
        }
        for (at, task) in model {
            prop_assert_eq!(deadlines.pop_due(at), Some(task));
        }
        prop_assert_eq!(deadlines.pop_due(now + SECOND), None);
        prop_assert_eq!(deadlines.next(), None);
    }
}

// --- PanicBudget -----------------------------------------------------------------------------------

#[test]
fn the_third_panic_within_a_second_is_one_too_many() {
    let now = Instant::now();
    let verdicts = |millis: &[u64]| {
        let mut budget = PanicBudget::default();
        millis.iter().map(|at| budget.spend(now + ms(*at))).collect::<Vec<_>>()
    };
    assert_eq!(verdicts(&[0, 0, 0]), [true, true, false]);
    assert_eq!(verdicts(&[0, 500, 999]), [true, true, false]);
    assert_eq!(verdicts(&[0, 500, 1000]), [true, true, true]);
    assert_eq!(verdicts(&[0, 999, 1000, 1998]), [true, true, true, false]);
}

proptest! {
    #![proptest_config(cases())]

    // lesson 18
    #[test]
    fn the_budget_of_panics_is_a_sliding_window(gaps in prop::collection::vec(0_u64..1200, 1..40)) {
        let mut budget = PanicBudget::default();
        let (mut now, mut all) = (Instant::now(), Vec::new());
        for gap in gaps {
            now += ms(gap);
            all.push(now);
            let recent = all.iter().filter(|at| now - **at < SECOND).count();
            prop_assert_eq!(budget.spend(now), recent <= 2);
        }
    }
}
