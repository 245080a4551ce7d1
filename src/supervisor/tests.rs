//! How many answers are taken in one poll.

use std::{future::poll_fn, task::Poll};

use tokio::sync::oneshot;

use super::sending::{MOST_BEYOND, poll_answer};

#[actix::test]
async fn a_task_takes_as_many_answers_as_can_be_under_way_in_one_poll_and_no_more() {
    const TOKIOS: usize = 128;
    let answered = |number| {
        let (sender, receiver) = oneshot::channel();
        sender.send(number).expect("somebody waits");
        receiver
    };
    let mut answers: Vec<_> = (0..3_000).map(answered).collect();
    let mut taken = Vec::new();
    poll_fn(|cx| {
        let before = answers.len();
        answers.retain_mut(|answer| poll_answer(answer, cx).is_pending());
        taken.push(before - answers.len());
        if answers.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let most = TOKIOS + MOST_BEYOND;
    assert_eq!(taken, [most, most, 3_000 - 2 * most]);
}
