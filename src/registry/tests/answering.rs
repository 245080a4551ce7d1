//! When answers leave.

use super::*;

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
