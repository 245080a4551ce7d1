use std::{
    pin::Pin,
    task::{Context as PollContext, Poll},
};

use actix::{fut::ActorFuture, prelude::*};

/// Ends the current poll of an actor and asks for another one, so that others on the thread get theirs.
///
/// For `ctx.wait`: a second one before the first is over would be waited for first, which does no harm.
#[derive(Default)]
pub(crate) struct Turn {
    is_over: bool,
}

impl<A> ActorFuture<A> for Turn
where
    A: Actor<Context = Context<A>>,
{
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        _: &mut A,
        _: &mut Context<A>,
        cx: &mut PollContext<'_>,
    ) -> Poll<()> {
        if self.is_over {
            return Poll::Ready(());
        }
        self.is_over = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
