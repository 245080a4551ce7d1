//! The promises of `ledger/` and of the actor around it, one test each.

use std::{
    collections::{BTreeSet, VecDeque},
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    task::{Context as PollContext, Poll, Wake, Waker},
    time::Duration,
};

use actix::prelude::{Handler, Message, MessageResult};
use futures::FutureExt;
use proptest::prelude::*;
use tokio::{sync::Notify, time::Instant};

use super::{
    AddTask, CancelTask, Command, Fault, Registry, SubmitTask,
    answers::Answers,
    ledger::{Ask, Deadlines, Permit, PermitPool, Refusal, Table, Titled},
};
use crate::{
    AddAllError, AddError, AddRefusal, Admission, BackoffPolicy, CancelCause, CancelEnd,
    EventFilter, EventType, InvalidSpec, Placement, QueryError, RejectionKind, RestartPolicy,
    ShutdownCause, SlotState, StopError, Submission, SubmissionHandle, Subscription,
    SubscriptionSpec, SupervisorBuilder, SupervisorHandle, TaskContext, TaskError, TaskId,
    TaskOutcome, TaskPhase, TaskRef, TaskSpec, TaskSupervisor, TaskTarget, WhenBusy, cell::Last,
    contain::Answer, resilient::PanicBudget, worker::Crew,
};

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited too long for {what}"),
    }
}

// --- Table --------------------------------------------------------------------------------------

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

fn named(name: &str) -> TaskTarget {
    TaskTarget::from(name)
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
    assert_eq!(table.living(&named("a")), Some(living.id()));
    let ended = TaskId::from_number(1).unwrap();
    assert_eq!(found(&table, &TaskTarget::Id(ended)), Some(1));
    assert_eq!(table.living(&TaskTarget::Id(ended)), None);
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

// --- Answers ------------------------------------------------------------------------------------

/// Gives three answers. Which of them arrive before the end of the turn, and which by then.
fn answered_before_and_after(is_here: bool, end: impl FnOnce(Answers, &Crew)) -> [Vec<u32>; 2] {
    let crew = Crew::new(Vec::new(), is_here);
    let mut answers = Answers::default();
    let mut callers: Vec<_> = (0..3)
        .map(|number| {
            let (answer, answered) = Answer::channel();
            answers.give(answer, number, &crew);
            answered
        })
        .collect();
    let mut arrived = || callers.iter_mut().filter_map(|one| one.try_recv().ok()).collect();
    let before = arrived();
    end(answers, &crew);
    [before, arrived()]
}

#[test]
fn the_first_answer_of_a_turn_leaves_at_once_and_the_others_with_its_end() {
    let end = |mut answers: Answers, crew: &Crew| {
        answers.send(crew);
        let (answer, mut answered) = Answer::channel();
        answers.give(answer, (), crew);
        assert_eq!(answered.try_recv(), Ok(()), "the first of the next turn");
    };
    assert_eq!(answered_before_and_after(false, end), [vec![0], vec![1, 2]]);
}

#[test]
fn on_the_thread_of_the_tasks_every_answer_leaves_at_once() {
    assert_eq!(answered_before_and_after(true, |_, _| ()), [vec![0, 1, 2], vec![]]);
}

#[test]
fn an_answer_that_is_held_back_leaves_before_all_is_gone() {
    assert_eq!(answered_before_and_after(false, |answers, _| drop(answers)), [vec![0], vec![1, 2]]);
}

#[actix::test]
async fn what_was_decided_in_the_turn_of_a_panic_is_answered() {
    let builder = TaskSupervisor::builder().placement(Placement::Dedicated { workers: 1 });
    let supervisor = builder.start().unwrap();
    let adds = (0..60).map(async |number| {
        if number == 30 {
            panic_in(&supervisor);
        }
        supervisor.add(idle(&number.to_string())).await
    });
    let added = within("all answers", futures::future::join_all(adds)).await;
    assert!(added.iter().all(Result::is_ok));
    supervisor.shutdown().await;
}

// --- PermitPool ---------------------------------------------------------------------------------

fn id(number: u64) -> TaskId {
    TaskId::from_number(number).unwrap()
}

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

// --- Deadlines ----------------------------------------------------------------------------------

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

// --- PanicBudget --------------------------------------------------------------------------------

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

// --- the actor ----------------------------------------------------------------------------------

fn current(set: impl FnOnce(SupervisorBuilder) -> SupervisorBuilder) -> SupervisorHandle {
    let builder = TaskSupervisor::builder().placement(Placement::Current).grace(SECOND * 5);
    set(builder).start().unwrap()
}

/// What happened, by type and name.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<(EventType, String)>>>);

impl Tape {
    async fn of(supervisor: &SupervisorHandle) -> (Self, Subscription) {
        let tape = Self::default();
        let copy = tape.clone();
        let record = SubscriptionSpec::from_fn(move |event| {
            let name = event.task.as_ref().map_or("", TaskRef::name).to_owned();
            copy.lock().push((event.kind.event_type(), name));
        });
        let subscription = supervisor.subscribe(record.filter(EventFilter::all())).await.unwrap();
        (tape, subscription)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(EventType, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of_task(&self, name: &str) -> Vec<EventType> {
        let all = self.lock();
        all.iter().filter(|(_, task)| task == name).map(|(kind, _)| *kind).collect()
    }
}

/// A task that ends when it is asked to.
fn idle(name: &str) -> TaskSpec {
    TaskSpec::once(name, async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    })
}

/// A task that completes when `gate` opens.
fn gated(name: &str, gate: &Arc<Notify>) -> TaskSpec {
    let gate = Arc::clone(gate);
    TaskSpec::once(name, async move |_| {
        gate.notified().await;
        Ok(())
    })
}

fn panic_in(supervisor: &SupervisorHandle) {
    supervisor.board().registry.do_send(Fault);
}

#[actix::test]
async fn after_a_panic_queued_commands_are_answered_and_a_running_task_ends_in_order() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let (tape, _subscription) = Tape::of(&supervisor).await;
    let gate = Arc::default();
    let task = supervisor.add(gated("runs", &gate)).await.unwrap();
    tokio::time::sleep(ms(1)).await;

    panic_in(&supervisor);
    let (added, again, listed, unknown) = within("the answers", async {
        tokio::join!(
            supervisor.add(idle("later")),
            supervisor.add(idle("runs")),
            supervisor.list(),
            supervisor.cancel("nobody"),
        )
    })
    .await;
    let later = added.unwrap();
    assert_eq!(later.id().get(), 2);
    assert!(matches!(again, Err(AddError::AlreadyExists { owner, .. }) if owner == task.id()));
    let names: Vec<_> =
        listed.unwrap().iter().map(|status| status.task.name().to_owned()).collect();
    assert_eq!(names, ["runs", "later"]);
    assert_eq!(unknown.unwrap_err(), StopError::NotFound { target: named("nobody") });

    gate.notify_one();
    assert!(within("the removal", task.removed()).await.is_success());
    let end = within("the cancel", supervisor.cancel(&later)).await.unwrap().end;
    assert!(matches!(end, CancelEnd::Physical(TaskOutcome::Canceled { .. })));
    within("the void", supervisor.wait_until_empty()).await;
    let report = within("the report", supervisor.shutdown()).await;
    assert_eq!(report.cause, ShutdownCause::Requested);
    assert!(report.is_clean());
    assert_eq!(
        tape.of_task("runs"),
        [
            EventType::TaskAddRequested,
            EventType::TaskAdded,
            EventType::TaskStarting,
            EventType::TaskAddRequested,
            EventType::TaskAddFailed,
            EventType::TaskStopped,
            EventType::ActorExhausted,
            EventType::TaskRemoved,
        ]
    );
}

#[actix::test]
async fn a_command_is_answered_or_refused_wherever_among_the_others_the_panic_comes() {
    tokio::time::pause();
    for place in 0..70 {
        let supervisor = current(|builder| builder);
        let mut adding = Vec::new();
        for number in 0..70 {
            if number == place {
                panic_in(&supervisor);
            }
            let name = format!("task-{number}");
            adding.push(supervisor.addr().send(AddTask(idle(&name))));
        }
        let added = within("the answers", futures::future::join_all(adding)).await;
        assert!(added.iter().all(|added| matches!(added, Ok(Ok(_)))), "panic before {place}");
        let report = within("the report", supervisor.shutdown()).await;
        assert_eq!(report.ended.len(), 70);
    }
}

#[actix::test]
async fn those_who_wait_while_the_registry_panics_are_answered() {
    tokio::time::pause();
    let supervisor = current(|builder| builder.max_concurrent(1));
    let gate = Arc::default();
    let first = supervisor.add(gated("first", &gate)).await.unwrap();
    let second = supervisor.add(idle("second")).await.unwrap();
    let waiting = async {
        let canceled = async {
            tokio::time::sleep(SECOND * 2).await;
            second.cancel().await
        };
        tokio::join!(first.outcome(), first.removed(), canceled, supervisor.wait_until_empty())
    };
    let disturbing = async {
        tokio::time::sleep(ms(1)).await;
        panic_in(&supervisor);
        tokio::time::sleep(SECOND).await;
        assert_eq!(second.status().phase, TaskPhase::WaitingForPermit);
        gate.notify_one();
        panic_in(&supervisor);
        tokio::time::sleep(ms(1)).await;
        assert_eq!(second.status().phase, TaskPhase::Running);
    };
    let all = within("all of them", async { tokio::join!(waiting, disturbing).0 }).await;
    let (outcome, removed, canceled, ()) = all;
    assert!(outcome.is_success() && removed.is_success());
    assert!(canceled.unwrap().asked_by_this_call);
}

#[actix::test]
async fn panics_a_second_apart_go_on_for_ever() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let task = supervisor.add(idle("runs")).await.unwrap();
    for _ in 0..20 {
        panic_in(&supervisor);
        panic_in(&supervisor);
        tokio::time::sleep(SECOND).await;
    }
    assert_eq!(supervisor.list().await.unwrap().len(), 1);
    assert_eq!(task.status().phase, TaskPhase::Running);
    assert_eq!(supervisor.shutdown().await.cause, ShutdownCause::Requested);
}

/// Counts those that are alive.
struct Living(Arc<AtomicUsize>);

impl Living {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// A task in each phase that lasts, its bodies counted.
async fn one_in_each_phase(
    supervisor: &SupervisorHandle,
    bodies: &Arc<AtomicUsize>,
) -> Vec<crate::TaskHandle> {
    let body = |name: &str, restart, deaf| {
        let bodies = Arc::clone(bodies);
        TaskSpec::new(name, async move |ctx: TaskContext| {
            let _living = Living::new(&bodies);
            if restart != RestartPolicy::Never {
                return Err(TaskError::failed("again later"));
            }
            ctx.cancelled().await;
            if deaf {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
        .restart(restart)
        .backoff(BackoffPolicy::constant(SECOND * 3600).unwrap())
    };
    let specs = [
        body("backs off", RestartPolicy::OnFailure, false),
        body("stops", RestartPolicy::Never, true),
        body("runs", RestartPolicy::Never, false),
        idle("waits"),
    ];
    let mut tasks = Vec::new();
    for spec in specs {
        tasks.push(supervisor.add(spec).await.unwrap());
        tokio::time::sleep(ms(1)).await;
    }
    supervisor.addr().send(CancelTask::new("stops")).await.unwrap().unwrap();
    tokio::time::sleep(ms(1)).await;
    let phases: Vec<_> = tasks.iter().map(|task| task.status().phase).collect();
    assert_eq!(
        phases,
        [
            TaskPhase::BackingOff,
            TaskPhase::Stopping,
            TaskPhase::Running,
            TaskPhase::WaitingForPermit
        ]
    );
    assert_eq!(bodies.load(SeqCst), 2);
    tasks
}

#[actix::test]
async fn the_third_panic_within_a_second_ends_the_supervisor_and_settles_every_task() {
    tokio::time::pause();
    let supervisor = current(|builder| builder.max_concurrent(2));
    let bodies = Arc::default();
    let tasks = one_in_each_phase(&supervisor, &bodies).await;

    let waiting = tasks.iter().map(|task| async { (task.outcome().await, task.removed().await) });
    let waiting = futures::future::join_all(waiting);
    let panicking = async {
        tokio::time::sleep(ms(1)).await;
        for _ in 0..3 {
            panic_in(&supervisor);
        }
        // Behind the last panic: the supervisor has ended.
        let spec = match supervisor.add(idle("late")).await {
            Err(error @ AddError::ShuttingDown { .. }) => error.into_spec(),
            other => panic!("{other:?}"),
        };
        assert_eq!(spec.unwrap().name(), "late");
    };
    let canceling = supervisor.cancel("stops");
    let ends = async { tokio::join!(waiting, canceling, supervisor.wait_until_empty(), panicking) };
    let (outcomes, canceled, (), ()) = within("all of them", ends).await;
    // Nobody is left to hear of a physical end.
    assert!(matches!(canceled.unwrap().end, CancelEnd::LogicalOnly(TaskOutcome::Lost)));
    for (task, (outcome, removed)) in tasks.iter().zip(&outcomes) {
        assert_eq!((outcome.label(), removed.label()), ("lost", "lost"), "{task:?}");
        let status = task.status();
        assert_eq!(status.phase, TaskPhase::Ended);
        assert!(matches!(status.outcome, Some(TaskOutcome::Lost)), "{status:?}");
    }

    let report = within("the report", supervisor.shutdown()).await;
    assert_eq!(report.cause, ShutdownCause::Panicked);
    assert!(!report.is_clean());
    let mut ended: Vec<_> = report.ended.iter().map(|(task, _)| task.name()).collect();
    ended.sort_unstable();
    assert_eq!(ended, ["backs off", "runs", "stops", "waits"]);
    assert!(matches!(supervisor.cancel("runs").await, Err(StopError::ShuttingDown)));
}

#[actix::test]
async fn a_supervisor_that_panicked_to_its_end_leaves_no_body_running() {
    tokio::time::pause();
    let supervisor = current(|builder| builder.max_concurrent(2));
    let bodies = Arc::default();
    one_in_each_phase(&supervisor, &bodies).await;
    for _ in 0..3 {
        panic_in(&supervisor);
    }
    within("the report", supervisor.shutdown()).await;
    tokio::time::sleep(SECOND * 10).await;
    assert_eq!(bodies.load(SeqCst), 0, "bodies without a supervisor");
}

#[actix::test]
async fn a_supervisor_that_panicked_to_its_end_says_so_to_its_subscribers() {
    // B5
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let ended = Arc::<AtomicUsize>::default();
    let guard = Living::new(&ended);
    let subscription = supervisor
        .subscribe(SubscriptionSpec::from_fn(move |_| {
            let _held = &guard;
        }))
        .await
        .unwrap();
    for _ in 0..3 {
        panic_in(&supervisor);
    }
    within("the report", supervisor.shutdown()).await;
    tokio::time::sleep(SECOND * 10).await;
    assert_eq!(ended.load(SeqCst), 0, "the subscriber still waits for events");
    drop(subscription);
}

#[actix::test]
async fn a_dedicated_supervisor_that_panicked_to_its_end_ends_its_threads() {
    let supervisor = TaskSupervisor::builder().grace(SECOND).start().unwrap();
    let task = supervisor.add(idle("runs")).await.unwrap();
    for _ in 0..3 {
        panic_in(&supervisor);
    }
    let report = within("the report", supervisor.shutdown()).await;
    assert_eq!((report.cause, report.left_behind.len()), (ShutdownCause::Panicked, 0));
    assert_eq!(report.ended.len(), 1);
    assert!(matches!(task.status().outcome, Some(TaskOutcome::Lost)));
}

/// Wherever the panic comes among them: their orders may not have left yet.
#[actix::test]
async fn tasks_on_another_thread_start_though_the_registry_panics_behind_them() {
    for place in [1, 5, 20, 50] {
        let supervisor = TaskSupervisor::builder().grace(SECOND).start().unwrap();
        let mut adding = Vec::new();
        for number in 0..place {
            let spec = TaskSpec::once(format!("task-{number}"), async |_| Ok(()));
            adding.push(supervisor.addr().send(AddTask(spec)));
        }
        panic_in(&supervisor);
        for added in within("the answers", futures::future::join_all(adding)).await {
            let task = added.unwrap().unwrap();
            assert!(within("the outcome", task.outcome()).await.is_success());
        }
        assert!(within("the report", supervisor.shutdown()).await.is_clean());
    }
}

/// The thread of a task has to be blocked for this, so it needs a second one and real time.
#[actix::test]
async fn the_deadline_of_a_stop_outlives_a_panic() {
    // R4, lesson 20
    let supervisor = TaskSupervisor::builder().grace(ms(50)).start().unwrap();
    let (open, gate) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let spec = TaskSpec::once("blocks", async move |_| {
        tell.send(()).unwrap();
        let _ = gate.recv_timeout(PATIENCE);
        Ok(())
    });
    let task = supervisor.add(spec).await.unwrap();
    told.recv_timeout(PATIENCE).unwrap();
    let mut canceling = Box::pin(task.cancel());
    assert!(poll_once(canceling.as_mut()).is_pending());
    panic_in(&supervisor);
    let end = within("the reply", canceling).await.unwrap().end;
    let CancelEnd::LogicalOnly(TaskOutcome::ForceAborted { cause }) = end else {
        panic!("{end:?}");
    };
    assert_eq!(cause, CancelCause::User);
    open.send(()).unwrap();
    within("the removal", task.removed()).await;
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut PollContext::from_waker(futures::task::noop_waker_ref()))
}

#[actix::test]
async fn a_refused_batch_names_its_first_culprit_whatever_is_wrong_with_it() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let owner = supervisor.add(idle("a")).await.unwrap();
    let endless =
        |name| idle(name).restart(RestartPolicy::OnFailure).backoff(BackoffPolicy::immediate());
    let taken = AddRefusal::AlreadyExists { owner: owner.id() };
    let senseless = AddRefusal::InvalidSpec(InvalidSpec::ImmediateWithoutLimit);
    for (specs, expected) in [
        (vec![idle("b"), endless("c"), idle("a")], (1, "c", senseless)),
        (vec![idle("b"), idle("a"), endless("c")], (1, "a", taken)),
    ] {
        let refused = supervisor.add_all(specs).await;
        let Err(AddAllError::Refused { index, name, why, .. }) = refused else {
            panic!("accepted");
        };
        assert_eq!((index, name.as_str(), why), expected);
    }
}

/// Lets the others on this thread have their turns.
async fn yield_turns(turns: usize) {
    for _ in 0..turns {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                Poll::Ready(())
            } else {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
    }
}

/// Sends commands without waiting for the answers.
fn flood(supervisor: &SupervisorHandle, commands: usize) {
    for _ in 0..commands {
        let mut question = Box::pin(supervisor.list());
        assert!(poll_once(question.as_mut()).is_pending());
    }
}

/// A permit that is given back while the next task's own request for it is still under way is granted
/// on both accounts; an attempt that ends in between must not let its successor run on the second.
#[actix::test]
async fn however_busy_the_registry_is_no_attempt_runs_beyond_the_limit() {
    tokio::time::pause();
    for (holder_waits, flood_waits) in (0..6).flat_map(|a| (0..6).map(move |b| (a, b))) {
        let supervisor = current(|builder| builder.max_concurrent(1));
        let (bodies, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let count = |bodies: &Arc<AtomicUsize>, most: &AtomicUsize| {
            let living = Living::new(bodies);
            most.fetch_max(bodies.load(SeqCst), SeqCst);
            living
        };
        let gate = Arc::<Notify>::default();
        let holder = {
            let gate = Arc::clone(&gate);
            TaskSpec::once("holder", async move |_| {
                gate.notified().await;
                yield_turns(holder_waits).await;
                Ok(())
            })
        };
        let flaky = |name: &str| {
            let (bodies, most) = (Arc::clone(&bodies), Arc::clone(&most));
            TaskSpec::new(name, async move |ctx: TaskContext| {
                let _living = count(&bodies, &most);
                if ctx.attempt() == 1 {
                    return Err(TaskError::failed("at once"));
                }
                tokio::time::sleep(SECOND).await;
                Ok(())
            })
            .backoff(BackoffPolicy::immediate())
            .max_retries(1)
        };
        supervisor.add(holder).await.unwrap();
        tokio::time::sleep(ms(1)).await;

        let flooding = {
            let (supervisor, gate) = (supervisor.clone(), Arc::clone(&gate));
            actix::spawn(async move {
                gate.notified().await;
                yield_turns(flood_waits).await;
                flood(&supervisor, 300);
            })
        };
        yield_turns(1).await;
        let registry = supervisor.addr();
        registry.do_send(AddTask(flaky("first")));
        registry.do_send(AddTask(flaky("second")));
        gate.notify_waiters();
        flooding.await.unwrap();
        within("the void", supervisor.wait_until_empty()).await;
        let most = most.load(SeqCst);
        assert_eq!(most, 1, "{most} at once, {holder_waits} and {flood_waits} turns");
    }
}

// lesson 8
#[actix::test]
async fn a_stop_right_behind_the_permit_comes_before_the_first_attempt() {
    tokio::time::pause();
    for turns in 0..8 {
        let supervisor = current(|builder| builder.max_concurrent(1));
        let (tape, _subscription) = Tape::of(&supervisor).await;
        let gate = Arc::default();
        supervisor.add(gated("first", &gate)).await.unwrap();
        supervisor.add(idle("second")).await.unwrap();
        let (registry, opened) = (supervisor.addr(), Arc::clone(&gate));
        actix::spawn(async move {
            opened.notified().await;
            yield_turns(turns).await;
            registry.do_send(CancelTask::new("second"));
        });
        tokio::time::sleep(ms(1)).await;
        // In one of these rounds the permit is on its way when the request is handled.
        gate.notify_waiters();
        within("the void", supervisor.wait_until_empty()).await;
        supervisor.events_delivered().await.unwrap();
        let told = tape.of_task("second");
        let asked = told.iter().position(|kind| *kind == EventType::TaskRemoveRequested).unwrap();
        assert!(!told[asked..].contains(&EventType::TaskStarting), "{turns} turns: {told:?}");
    }
}

// --- the actor, with slots ----------------------------------------------------------------------

/// Does something to the registry, and panics then: a panic between two changes.
#[derive(Message)]
#[rtype(result = "()")]
struct Tear(fn(&mut Registry));

impl Handler<Tear> for Registry {
    type Result = ();

    fn handle(&mut self, msg: Tear, _: &mut Self::Context) {
        (msg.0)(self);
        panic!("asked to, by a test");
    }
}

/// How much of those in slots is left in the registry: slots, places, work.
#[derive(Message)]
#[rtype(result = "[usize; 3]")]
struct Rest;

impl Handler<Rest> for Registry {
    type Result = MessageResult<Rest>;

    fn handle(&mut self, _: Rest, _: &mut Self::Context) -> Self::Result {
        let (slots, places) = (self.slots.iter().count(), self.slots.everyone().len());
        let parked = self.table.entries().filter(|entry| entry.mark.is_parked()).count();
        MessageResult([slots, places, parked])
    }
}

async fn nothing_is_left(supervisor: &SupervisorHandle) {
    within("the void", supervisor.wait_until_empty()).await;
    assert_eq!(supervisor.addr().send(Rest).await.unwrap(), [0; 3]);
}

/// A task that is over as soon as it starts.
fn quick(name: &str) -> TaskSpec {
    TaskSpec::once(name, async |_| Ok(()))
}

/// A task that tells that it runs, never ends by itself and never looks whether it should.
fn deaf(name: &str, runs: &Arc<Notify>) -> TaskSpec {
    let runs = Arc::clone(runs);
    TaskSpec::once(name, async move |_| {
        runs.notify_one();
        std::future::pending().await
    })
}

fn in_slot(spec: TaskSpec, when_busy: WhenBusy) -> Submission {
    Submission::new(spec).slot("k").when_busy(when_busy)
}

fn debounced(quiet: Duration) -> WhenBusy {
    WhenBusy::Debounce { quiet, max_wait: quiet * 10 }
}

/// The names of those who wait, in the order in which they will start.
async fn line(supervisor: &SupervisorHandle, slot: &str) -> Vec<String> {
    let status = supervisor.slot(slot).await.unwrap();
    status.iter().flat_map(|slot| &slot.queue).map(|w| w.task.name().to_owned()).collect()
}

#[actix::test]
async fn after_a_panic_a_slots_queue_goes_on_in_its_order() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let (tape, _subscription) = Tape::of(&supervisor).await;
    let gate = Arc::default();
    let mut all =
        vec![supervisor.submit(in_slot(gated("owner", &gate), WhenBusy::Queue)).await.unwrap()];
    for (name, priority) in [("b", 0), ("c", 0), ("a", 1)] {
        let submission = in_slot(quick(name), WhenBusy::Queue).priority(priority);
        all.push(supervisor.submit(submission).await.unwrap());
    }
    panic_in(&supervisor);
    let last = supervisor.submit(in_slot(quick("d"), WhenBusy::Queue)).await.unwrap();
    assert_eq!(last.admission(), Admission::Queued { position: 4 });
    assert_eq!(line(&supervisor, "k").await, ["a", "b", "c", "d"]);
    all.push(last);
    gate.notify_one();
    panic_in(&supervisor);
    for submission in &all {
        let outcome = within("the outcome", submission.outcome()).await;
        assert!(outcome.is_success(), "{submission:?}: {outcome}");
    }
    nothing_is_left(&supervisor).await;
    supervisor.events_delivered().await.unwrap();
    let is_start = |(kind, _): &&(EventType, String)| *kind == EventType::TaskStarting;
    let started: Vec<_> =
        tape.lock().iter().filter(is_start).map(|(_, name)| name.clone()).collect();
    assert_eq!(started, ["owner", "a", "b", "c", "d"]);
    assert!(supervisor.shutdown().await.is_clean());
}

#[actix::test]
async fn a_submission_is_decided_in_its_turn_wherever_among_the_others_the_panic_comes() {
    tokio::time::pause();
    for place in 0..20 {
        let supervisor = current(|builder| builder);
        let mut submitting = Vec::new();
        for number in 0..20 {
            if number == place {
                panic_in(&supervisor);
            }
            let submission = in_slot(quick(&format!("task-{number}")), WhenBusy::Queue);
            submitting.push(supervisor.addr().send(SubmitTask(submission)));
        }
        let decided = within("the decisions", futures::future::join_all(submitting)).await;
        let all: Vec<_> = decided.into_iter().map(|decided| decided.unwrap().unwrap()).collect();
        for (position, submission) in all.iter().enumerate() {
            let expected = match position {
                0 => Admission::Started,
                position => Admission::Queued { position },
            };
            assert_eq!(submission.admission(), expected, "panic before {place}");
        }
        for submission in &all {
            assert!(within("the outcome", submission.outcome()).await.is_success());
        }
        nothing_is_left(&supervisor).await;
    }
}

#[actix::test]
async fn debounced_and_throttled_submissions_start_on_time_whatever_panics_meanwhile() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let began = Instant::now();
    let every = WhenBusy::Throttle { every: SECOND * 2 };
    let first = supervisor.submit(Submission::new(quick("first")).slot("t").when_busy(every)).await;
    within("the first", first.unwrap().removed()).await;
    let starts = Arc::<Mutex<Vec<(&str, Duration)>>>::default();
    let noted = |name: &'static str| {
        let starts = Arc::clone(&starts);
        TaskSpec::once(name, async move |_| {
            starts.lock().unwrap().push((name, began.elapsed()));
            Ok(())
        })
    };
    let debounced = in_slot(noted("debounced"), debounced(SECOND));
    let throttled = Submission::new(noted("throttled")).slot("t").when_busy(every);
    let debounced = supervisor.submit(debounced).await.unwrap();
    let throttled = supervisor.submit(throttled).await.unwrap();
    assert_eq!(throttled.admission().label(), "delayed");
    // The last panics come when nothing else will be sent that could wake the registry.
    for at in [500, 999, 1999] {
        tokio::time::sleep_until(began + ms(at)).await;
        assert_eq!(throttled.status().phase, TaskPhase::Delayed);
        panic_in(&supervisor);
    }
    for submission in [&debounced, &throttled] {
        assert!(within("the outcome", submission.outcome()).await.is_success());
    }
    let starts = starts.lock().unwrap().clone();
    let names: Vec<_> = starts.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["debounced", "throttled"]);
    for ((name, at), due) in starts.iter().zip([SECOND, SECOND * 2]) {
        assert!(*at >= due && *at <= due + ms(5), "{name} after {at:?}");
    }
    // The throttled start closed the slot, and a panic does not open it, nor keep it.
    tokio::time::sleep(SECOND).await;
    panic_in(&supervisor);
    let status = supervisor.slot("t").await.unwrap().unwrap();
    assert_eq!(status.state, SlotState::Cooling);
    tokio::time::sleep_until(began + ms(4010)).await;
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn a_wait_in_a_queue_is_over_on_time_whatever_panics_meanwhile() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let owner = supervisor.submit(in_slot(idle("owner"), WhenBusy::Queue)).await.unwrap();
    let began = Instant::now();
    let max_wait = ms(100);
    for policy in [WhenBusy::Queue, debounced(SECOND), WhenBusy::Throttle { every: SECOND }] {
        let began = Instant::now();
        let submission = in_slot(quick("waits"), policy).max_wait(max_wait);
        let waits = supervisor.submit(submission).await.unwrap();
        for at in [50, 99] {
            tokio::time::sleep_until(began + ms(at)).await;
            panic_in(&supervisor);
        }
        let outcome = within("the outcome", waits.removed()).await;
        let TaskOutcome::Rejected { kind } = outcome else {
            panic!("{policy}: {outcome}");
        };
        assert_eq!(kind, RejectionKind::QueueTimeout { max_wait }, "{policy}");
        let took = began.elapsed();
        assert!(took >= max_wait && took <= max_wait + ms(5), "{policy}: after {took:?}");
        // So that no three panics come within a second.
        tokio::time::sleep(SECOND).await;
    }
    assert!(began.elapsed() >= SECOND * 3);
    owner.cancel().await.unwrap();
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn those_who_wait_for_submissions_while_the_registry_panics_are_answered() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let gate = Arc::default();
    let owner = supervisor.submit(in_slot(gated("owner", &gate), WhenBusy::Queue)).await.unwrap();
    let shares = supervisor.submit(in_slot(quick("shares"), WhenBusy::Attach)).await.unwrap();
    let queued = supervisor.submit(in_slot(quick("queued"), WhenBusy::Queue)).await.unwrap();
    let same = supervisor.submit(in_slot(quick("queued"), WhenBusy::Attach)).await.unwrap();
    let canceled = supervisor.submit(in_slot(quick("canceled"), WhenBusy::Queue)).await.unwrap();
    assert_eq!(shares.admission(), Admission::Attached { to: owner.id() });
    assert_eq!(same.admission(), Admission::Attached { to: queued.id() });
    let waiting = async {
        let cancel = async {
            tokio::time::sleep(SECOND * 2).await;
            canceled.cancel().await.unwrap()
        };
        tokio::join!(owner.outcome(), shares.outcome(), queued.removed(), same.removed(), cancel)
    };
    let disturbing = async {
        for _ in 0..2 {
            tokio::time::sleep(ms(1)).await;
            panic_in(&supervisor);
        }
        // What goes on is told as if nothing had been.
        tokio::time::sleep(SECOND * 3).await;
        assert_eq!(line(&supervisor, "k").await, ["queued"]);
        gate.notify_one();
        panic_in(&supervisor);
    };
    let ends = async { tokio::join!(waiting, disturbing, supervisor.wait_until_empty()) };
    let ((owner, shares, queued, same, canceled), (), ()) = within("all of them", ends).await;
    assert!([owner, shares, queued, same].iter().all(TaskOutcome::is_success));
    assert!(canceled.asked_by_this_call);
    assert!(matches!(canceled.end, CancelEnd::Physical(TaskOutcome::Canceled { .. })));
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn a_replacement_starts_although_the_registry_panics_while_the_owner_stops() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let slow = TaskSpec::once("owner", async |ctx: TaskContext| {
        ctx.cancelled().await;
        tokio::time::sleep(SECOND).await;
        Ok(())
    });
    let owner = supervisor.submit(in_slot(slow, WhenBusy::Queue)).await.unwrap();
    tokio::time::sleep(ms(1)).await;
    let newer = supervisor.submit(in_slot(quick("newer"), WhenBusy::Replace)).await.unwrap();
    assert_eq!(newer.admission(), Admission::Replacing { owner: owner.id() });
    panic_in(&supervisor);
    tokio::time::sleep(ms(500)).await;
    panic_in(&supervisor);
    assert_eq!(supervisor.slot("k").await.unwrap().unwrap().state, SlotState::Stopping);
    assert_eq!(newer.status().phase, TaskPhase::Queued);
    let outcome = within("the owner", owner.removed()).await;
    assert!(matches!(outcome, TaskOutcome::Canceled { cause: CancelCause::Replaced, .. }));
    assert!(within("the newer one", newer.outcome()).await.is_success());
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn a_drain_of_the_slots_goes_on_after_a_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let gate = Arc::default();
    let submissions = [
        in_slot(gated("owner", &gate), WhenBusy::Queue),
        in_slot(quick("queued"), WhenBusy::Queue),
        in_slot(quick("debounced"), debounced(SECOND * 60)),
    ];
    let mut all = Vec::new();
    for submission in submissions {
        all.push(supervisor.submit(submission).await.unwrap());
    }
    let disturbing = async {
        tokio::time::sleep(ms(1)).await;
        panic_in(&supervisor);
        let refused = supervisor.submit(in_slot(quick("late"), WhenBusy::Queue)).await;
        let kind = refused.unwrap_err().kind();
        assert_eq!(kind, Some(RejectionKind::ShuttingDown));
        gate.notify_one();
        panic_in(&supervisor);
    };
    let ends = async { tokio::join!(supervisor.shutdown_after_queues(SECOND * 600), disturbing) };
    let (report, ()) = within("the report", ends).await;
    assert_eq!(report.cause, ShutdownCause::Requested);
    assert!(report.is_clean());
    for submission in all {
        assert!(within("the outcome", submission.outcome()).await.is_success());
    }
}

// --- a panic between two changes ----------------------------------------------------------------

/// An owner, one who waits with a follower, one whose time is to come.
async fn owner_and_waiters(supervisor: &SupervisorHandle) -> Vec<SubmissionHandle> {
    let mut all = Vec::new();
    for submission in [
        in_slot(idle("owner"), WhenBusy::Queue),
        in_slot(quick("queued"), WhenBusy::Queue),
        in_slot(quick("queued"), WhenBusy::Attach),
        in_slot(quick("debounced"), debounced(SECOND)),
    ] {
        all.push(supervisor.submit(submission).await.unwrap());
    }
    tokio::time::sleep(ms(1)).await;
    all
}

fn owner_of(registry: &Registry) -> TaskRef {
    let owner = registry.slots.get("k").unwrap().owners[0].id;
    registry.table.get(owner).unwrap().cell.task.clone()
}

#[actix::test]
async fn an_owner_that_is_no_member_any_more_leaves_its_slot_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let all = owner_and_waiters(&supervisor).await;
    // As in the middle of its removal.
    supervisor.addr().do_send(Tear(|registry| {
        let owner = owner_of(registry);
        registry.table.remove(&owner);
    }));
    for submission in &all[1..] {
        assert!(within("the outcome", submission.outcome()).await.is_success(), "{submission:?}");
    }
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn those_who_follow_one_that_is_no_member_any_more_end_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    supervisor.submit(in_slot(idle("owner"), WhenBusy::Queue)).await.unwrap();
    let follows = supervisor.submit(in_slot(quick("follows"), WhenBusy::Attach)).await.unwrap();
    supervisor.addr().do_send(Tear(|registry| {
        let owner = owner_of(registry);
        registry.table.remove(&owner);
    }));
    within("an outcome", follows.outcome()).await;
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn room_that_nobody_took_is_taken_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let all = owner_and_waiters(&supervisor).await;
    // As between the removal of the owner and the start of the next one.
    supervisor.addr().do_send(Tear(|registry| {
        let owner = owner_of(registry);
        registry.table.remove(&owner);
        registry.slots.leave(owner.id());
    }));
    for submission in &all[1..] {
        assert!(within("the outcome", submission.outcome()).await.is_success(), "{submission:?}");
    }
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn a_place_in_a_slot_without_a_member_is_given_up_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    // As between the decision about a submission and its entry in the table.
    supervisor.addr().do_send(Tear(|registry| {
        let (id, slot, now) = (registry.table.assign_id(), Arc::from("k"), Instant::now());
        let (when_busy, name) = (WhenBusy::Throttle { every: SECOND }, "nobody");
        let (priority, max_wait, concurrency) = (0, None, None);
        let ask = Ask { id, slot: &slot, name, when_busy, priority, max_wait, concurrency };
        let verdict = registry.slots.decide(&ask, now, registry).unwrap();
        registry.slots.enter(&ask, &verdict, now);
    }));
    let next = supervisor.submit(in_slot(quick("next"), WhenBusy::Queue)).await.unwrap();
    assert_eq!(next.admission(), Admission::Started);
    assert!(within("the outcome", next.outcome()).await.is_success());
    tokio::time::sleep(SECOND * 2).await;
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn what_was_due_and_was_not_done_is_done_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let delayed = supervisor.submit(in_slot(quick("delayed"), debounced(SECOND))).await.unwrap();
    tokio::time::sleep(ms(1)).await;
    // As after the time was taken out and before the start.
    supervisor.addr().do_send(Tear(|registry| {
        registry.slots.end_bursts(Instant::now());
        assert!(registry.slots.pop_due(Instant::now()).is_some());
    }));
    assert!(within("the outcome", delayed.outcome()).await.is_success());
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn one_who_has_its_place_and_was_not_started_is_started_or_ends_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let delayed = supervisor.submit(in_slot(quick("delayed"), debounced(SECOND))).await.unwrap();
    let queued = supervisor.submit(in_slot(idle("owner"), WhenBusy::Queue)).await.unwrap();
    within("the cancel", queued.cancel()).await.unwrap();
    // As between the change of its place and its start.
    supervisor.addr().do_send(Tear(|registry| {
        let id = registry.slots.everyone_waiting()[0];
        registry.slots.promote(id, Instant::now());
    }));
    within("an outcome", delayed.outcome()).await;
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn one_who_has_lost_its_place_ends_after_the_panic_and_the_place_of_one_who_is_gone_is_free()
{
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let all = owner_and_waiters(&supervisor).await;
    // One has lost its place, another its entry, as in the middle of their ends.
    supervisor.addr().do_send(Tear(|registry| {
        let waiting = registry.slots.everyone_waiting();
        registry.slots.leave(waiting[0]);
        let gone = registry.table.get(waiting[1]).unwrap().cell.task.clone();
        registry.table.remove(&gone);
    }));
    for submission in &all[1..3] {
        let outcome = within("the outcome", submission.outcome()).await;
        assert!(matches!(outcome, TaskOutcome::Lost), "{submission:?}: {outcome}");
    }
    within("the cancel", all[0].cancel()).await.unwrap();
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn one_who_waited_and_is_over_is_not_started_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let owner = supervisor.submit(in_slot(idle("owner"), WhenBusy::Queue)).await.unwrap();
    let has_run = Arc::new(AtomicBool::new(false));
    let note = Arc::clone(&has_run);
    let work = TaskSpec::once("waits", async move |_| {
        note.store(true, SeqCst);
        Ok(())
    });
    let waits = supervisor.submit(in_slot(work, WhenBusy::Queue)).await.unwrap();
    // As between its outcome and its removal.
    supervisor.addr().do_send(Tear(|registry| {
        let cell = registry.member(registry.slots.everyone_waiting()[0]).unwrap();
        let rejected = TaskOutcome::Rejected { kind: RejectionKind::ShuttingDown };
        assert!(cell.settle(rejected, Last::default(), Instant::now()).is_some());
    }));
    let outcome = within("its removal", waits.removed()).await;
    assert_eq!(outcome.label(), "rejected");
    within("the cancel", owner.cancel()).await.unwrap();
    nothing_is_left(&supervisor).await;
    assert!(!has_run.load(SeqCst));
}

#[actix::test]
async fn a_shutdown_that_had_asked_nobody_yet_goes_on_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let all = owner_and_waiters(&supervisor).await;
    supervisor.addr().do_send(Tear(|registry| {
        registry.stage.note_cause(ShutdownCause::Requested);
    }));
    let report = within("the report", supervisor.shutdown()).await;
    assert_eq!((report.cause, report.is_clean()), (ShutdownCause::Requested, true));
    let mut labels = Vec::new();
    for submission in &all {
        labels.push(within("the outcome", submission.removed()).await.label());
    }
    assert_eq!(labels, ["canceled", "rejected", "rejected", "rejected"]);
}

// --- the end of the supervisor ------------------------------------------------------------------

/// A submission in each place that lasts, and what its outcome is if the supervisor ends.
async fn one_in_each_place(supervisor: &SupervisorHandle) -> Vec<(SubmissionHandle, &'static str)> {
    let throttle = WhenBusy::Throttle { every: SECOND * 60 };
    let to = |slot: &str, spec, when_busy| Submission::new(spec).slot(slot).when_busy(when_busy);
    let (mut all, runs) = (Vec::new(), Arc::<Notify>::default());
    for (submission, admission, end) in [
        (to("k", deaf("owner", &runs), WhenBusy::Queue), "started", "lost"),
        (to("k", quick("follows the owner"), WhenBusy::Attach), "attached", "lost"),
        (to("k", quick("queued"), WhenBusy::Queue), "queued", "rejected"),
        (to("k", quick("queued"), WhenBusy::Attach), "attached", "rejected"),
        (to("k", quick("was queued"), WhenBusy::Queue).priority(1), "queued", "rejected"),
        (to("k", quick("was queued"), WhenBusy::Attach), "attached", "rejected"),
        // From here on the last two follow this one.
        (to("k", idle("head"), WhenBusy::Replace).attach_displaced(), "replacing", "rejected"),
        (to("d", quick("debounced"), debounced(SECOND * 60)), "delayed", "rejected"),
        (to("d", quick("debounced"), WhenBusy::Attach), "attached", "rejected"),
        (to("t", idle("throttled owner"), throttle), "started", "lost"),
        (to("t", quick("throttled"), throttle), "delayed", "rejected"),
        (to("t", quick("times out"), WhenBusy::Queue).max_wait(SECOND * 60), "queued", "rejected"),
    ] {
        let name = submission.spec.name().to_owned();
        let submission = supervisor.submit(submission).await.unwrap();
        assert_eq!(submission.admission().label(), admission, "{name}");
        if all.is_empty() {
            within("the start", runs.notified()).await;
        }
        all.push((submission, end));
    }
    all
}

/// Each has its outcome, the same for whoever asks; the report names each member once, with it.
fn each_has_one_outcome(
    all: &[(SubmissionHandle, &'static str)],
    told: &[[TaskOutcome; 3]],
    report: &crate::ShutdownReport,
) {
    for ((submission, expected), told) in all.iter().zip(told) {
        for outcome in told {
            assert_eq!(outcome.label(), *expected, "{submission:?}");
        }
        if let TaskOutcome::Rejected { kind } = &told[0] {
            assert_eq!(*kind, RejectionKind::ShuttingDown, "{submission:?}");
        }
        let status = submission.status();
        assert_eq!(status.phase, TaskPhase::Ended);
        assert_eq!(status.outcome.map(|outcome| outcome.label()), Some(*expected));
        let in_report = report.ended.iter().filter(|(task, _)| task.id() == submission.id());
        let labels: Vec<_> = in_report.map(|(_, outcome)| outcome.label()).collect();
        let is_member = !["follows the owner", "was queued"].contains(&submission.task().name())
            && submission.admission().label() != "attached";
        let expected = if is_member { vec![*expected] } else { vec![] };
        assert_eq!(labels, expected, "{submission:?}");
    }
}

/// By those who asked early, twice, and by one who waits for the removal.
fn ends_of(
    all: &[(SubmissionHandle, &'static str)],
) -> impl Future<Output = Vec<[TaskOutcome; 3]>> + use<> {
    let all: Vec<_> = all.iter().map(|(submission, _)| submission.clone()).collect();
    futures::future::join_all(all.into_iter().map(async |submission| {
        let (first, second) = (submission.outcome(), submission.clone().outcome());
        <[TaskOutcome; 3]>::from(tokio::join!(first, second, submission.removed()))
    }))
}

/// A command over which the registry panics.
#[derive(Message)]
#[rtype(result = "()")]
struct Fatal;

impl Command for Fatal {
    fn decide(self, _: &mut Registry) {
        panic!("asked to, by a test");
    }
}

#[actix::test]
async fn a_command_that_makes_it_panic_gives_its_place_back() {
    tokio::time::pause();
    let supervisor = current(|builder| builder.command_capacity(1));
    let answer = within("the answer", supervisor.board().command(Fatal)).await;
    assert!(matches!(answer, Ok(None)));
    within("the answer", supervisor.add(idle("next"))).await.unwrap();
}

#[actix::test]
async fn while_it_goes_questions_are_told_that_it_shuts_down() {
    let supervisor = current(|builder| builder);
    supervisor.board().gate.close(); // as its drop begins
    let answer = within("the answer", supervisor.list()).await;
    assert!(matches!(answer, Err(QueryError::ShuttingDown)), "{answer:?}");
}

struct PanicsWhenWoken;

impl Wake for PanicsWhenWoken {
    fn wake(self: Arc<Self>) {
        panic!("a waker of a test");
    }
}

#[actix::test]
async fn a_waker_that_panics_keeps_nobody_else_waiting_for_room_when_it_ends() {
    tokio::time::pause();
    let supervisor = current(|builder| builder.command_capacity(1));
    (0..3).for_each(|_| panic_in(&supervisor));
    let mut has_room = Box::pin(supervisor.add(idle("has room")));
    assert!(has_room.as_mut().now_or_never().is_none());
    let waker = Waker::from(Arc::new(PanicsWhenWoken));
    let mut badly_polled = Box::pin(supervisor.add(idle("badly polled")));
    assert!(badly_polled.as_mut().poll(&mut PollContext::from_waker(&waker)).is_pending());
    let begin = Instant::now();
    for add in [Box::pin(supervisor.add(idle("waits behind it"))), badly_polled, has_room] {
        let answer = within("the answer", add).await;
        assert!(matches!(answer, Err(AddError::ShuttingDown { .. })), "{answer:?}");
    }
    assert!(begin.elapsed() < SECOND, "found by the look at the end of the time, not woken");
}

#[actix::test]
async fn whoever_waits_for_room_behind_a_command_that_nobody_opens_is_refused_and_has_its_spec_back()
 {
    tokio::time::pause();
    let supervisor = current(|builder| builder.command_capacity(1));
    (0..3).for_each(|_| panic_in(&supervisor));
    // The first has the only place and stands behind the panics, so that its place never comes back.
    let names = ["has room", "waits for it"];
    let begin = Instant::now();
    let adds = futures::future::join_all(names.map(|name| supervisor.add(idle(name))));
    let answers = within("the answers", adds).await;
    assert!(begin.elapsed() < SECOND, "found by the look at the end of the time, not woken");
    for (answer, name) in answers.into_iter().zip(names) {
        match answer {
            Err(error @ AddError::ShuttingDown { .. }) => {
                assert_eq!(error.into_spec().expect("it comes back").name(), name);
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[actix::test]
async fn the_third_panic_within_a_second_gives_each_submission_exactly_one_outcome() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let all = one_in_each_place(&supervisor).await;
    let panicking = async {
        tokio::time::sleep(ms(1)).await;
        for _ in 0..3 {
            panic_in(&supervisor);
        }
        let refused = supervisor.submit(in_slot(quick("late"), WhenBusy::Queue)).await;
        assert_eq!(refused.unwrap_err().kind(), Some(RejectionKind::ShuttingDown));
    };
    let ends = async { tokio::join!(ends_of(&all), panicking, supervisor.wait_until_empty()) };
    let (told, (), ()) = within("all of them", ends).await;
    let report = within("the report", supervisor.shutdown()).await;
    assert_eq!(report.cause, ShutdownCause::Panicked);
    each_has_one_outcome(&all, &told, &report);
    // Nor does time, or a cancel, change it.
    tokio::time::sleep(SECOND * 120).await;
    for (submission, expected) in &all {
        let canceled = within("the answer", submission.cancel()).await.unwrap();
        assert_eq!(canceled.outcome().map(TaskOutcome::label), Some(*expected), "{submission:?}");
        assert_eq!(submission.outcome().await.label(), *expected, "{submission:?}");
    }
}

#[actix::test]
async fn panics_to_the_end_of_a_dedicated_supervisor_give_each_submission_exactly_one_outcome() {
    let supervisor = TaskSupervisor::builder().grace(SECOND).start().unwrap();
    let all = one_in_each_place(&supervisor).await;
    let ends = ends_of(&all);
    for _ in 0..3 {
        panic_in(&supervisor);
    }
    let told = within("all of them", ends).await;
    let report = within("the report", supervisor.shutdown()).await;
    assert_eq!(report.cause, ShutdownCause::Panicked);
    each_has_one_outcome(&all, &told, &report);
}

#[test]
fn a_dropped_runtime_gives_each_submission_exactly_one_outcome() {
    for rounds in [0, 20] {
        let system = actix::System::new();
        let (supervisor, all) = system.block_on(async {
            let supervisor = current(|builder| builder);
            let all = one_in_each_place(&supervisor).await;
            yield_turns(rounds).await;
            (supervisor, all)
        });
        let ends = ends_of(&all);
        drop(system);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let told = within("all of them", ends).await;
            within("the void", supervisor.wait_until_empty()).await;
            let report = within("the report", supervisor.shutdown()).await;
            assert_eq!(report.cause, ShutdownCause::RuntimeDropped);
            each_has_one_outcome(&all, &told, &report);
        });
    }
}

#[actix::test]
async fn a_shutdown_and_a_panic_beside_it_give_each_submission_exactly_one_outcome() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let all = one_in_each_place(&supervisor).await;
    let ends = ends_of(&all);
    let shutting_down = supervisor.shutdown();
    let panicking = async {
        for _ in 0..2 {
            panic_in(&supervisor);
            yield_turns(1).await;
        }
    };
    let ends = async { tokio::join!(ends, shutting_down, panicking) };
    let (told, report, ()) = within("all of them", ends).await;
    assert_eq!(report.cause, ShutdownCause::Requested);
    // Here the owners end as they do when they are asked to.
    let all = all.into_iter().map(|(submission, end)| match (end, submission.slot()) {
        ("lost", "k") => (submission, "force_aborted"),
        ("lost", _) => (submission, "canceled"),
        _ => (submission, end),
    });
    each_has_one_outcome(&all.collect::<Vec<_>>(), &told, &report);
}
