//! A command on its way to `Registry`: room, envelope, answer.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::future::BoxFuture;
use tokio::sync::{AcquireError, TryAcquireError, oneshot};

use super::board::Board;
use crate::{
    fair::poll_answer,
    registry::{Command, Envelope},
};

/// Sends a command at its first poll, or when there is room, and waits for the answer.
///
/// Written by hand, since an async function would keep the message twice, and each one around it twice again: when a
/// submission had 144 bytes, its future had 600.
pub(crate) struct Sending<'a, M: Command> {
    board: &'a Board,
    stage: Stage<'a, M>,
}

enum Stage<'a, M: Command> {
    Unsent(M),
    /// The bound is reached. Boxed: this is rare.
    WaitingForRoom(M, BoxFuture<'a, Result<(), AcquireError>>),
    Sent(oneshot::Receiver<M::Result>),
    Over,
}

impl<'a, M: Command> Sending<'a, M> {
    pub(super) fn new(board: &'a Board, message: M) -> Self {
        Self { board, stage: Stage::Unsent(message) }
    }

    /// There is a place for it.
    fn send(&self, message: M) -> Stage<'a, M> {
        let (envelope, answer) = Envelope::seal(message);
        self.board.registry.do_send(envelope);
        Stage::Sent(answer)
    }
}

impl<M: Command> Future for Sending<'_, M> {
    type Output = Result<Option<M::Result>, M>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            self.stage = match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Unsent(message) => match self.board.gate.enter() {
                    Ok(()) => self.send(message),
                    Err(TryAcquireError::Closed) => return Poll::Ready(Ok(message.refused())),
                    Err(TryAcquireError::NoPermits) if self.board.gate.fails_fast => {
                        return Poll::Ready(Err(message));
                    }
                    Err(TryAcquireError::NoPermits) => {
                        Stage::WaitingForRoom(message, self.board.gate.wait_for_room())
                    }
                },
                Stage::WaitingForRoom(message, mut room) => match room.as_mut().poll(cx) {
                    Poll::Ready(Ok(())) => self.send(message),
                    Poll::Ready(Err(_closed)) => return Poll::Ready(Ok(message.refused())),
                    Poll::Pending => {
                        self.stage = Stage::WaitingForRoom(message, room);
                        return Poll::Pending;
                    }
                },
                Stage::Sent(mut answer) => {
                    let answered = poll_answer(&mut answer, cx);
                    if answered.is_pending() {
                        self.stage = Stage::Sent(answer);
                    }
                    return Poll::Ready(Ok(ready!(answered).ok()));
                }
                // As any future that is polled after its end.
                Stage::Over => panic!("a command was polled after its answer"),
            };
        }
    }
}

/// Nothing in it is pinned: the message is moved on, the rest is boxed or may be moved.
impl<M: Command> Unpin for Sending<'_, M> {}
