//! A task: an actor that polls the attempt as a boxed future of its own.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as PollContext, Poll},
};

use actix::{fut::ActorFuture, prelude::*};
use futures::future::LocalBoxFuture;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    broker::{Broker, Publish},
    supervisor::{Body, Ended, Supervisor},
};
use crate::subjects::by_hand::{BodyResult, Event, EventKind};

pub(super) struct TaskActor {
    pub(super) id: u64,
    pub(super) name: Arc<str>,
    pub(super) body: Body,
    pub(super) attempt: Option<LocalBoxFuture<'static, BodyResult>>,
    pub(super) attempts: u64,
    pub(super) cancel: CancellationToken,
    pub(super) outcome: Option<oneshot::Sender<BodyResult>>,
    pub(super) supervisor: Addr<Supervisor>,
    pub(super) broker: Option<Addr<Broker>>,
    pub(super) outbox: Vec<Event>,
}

impl TaskActor {
    fn tell(&mut self, kind: impl FnOnce() -> EventKind) {
        if self.broker.is_some() {
            self.outbox.push(Event::now(&self.name, self.attempts, kind()));
        }
    }

    /// What one poll has to tell is one message.
    fn flush(&mut self) {
        if let Some(broker) = self.broker.as_ref().filter(|_| !self.outbox.is_empty()) {
            broker.do_send(Publish(std::mem::take(&mut self.outbox)));
        }
    }
}

impl Actor for TaskActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Drive);
    }
}

/// Polls the attempt; a failed one is followed by another in the next poll.
struct Drive;

impl ActorFuture<TaskActor> for Drive {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        task: &mut TaskActor,
        ctx: &mut Context<TaskActor>,
        cx: &mut PollContext<'_>,
    ) -> Poll<()> {
        if task.attempt.is_none() {
            task.attempts += 1;
            task.tell(|| EventKind::Starting);
            task.attempt = Some((task.body)(task.cancel.clone()));
        }
        let result = match &mut task.attempt {
            Some(attempt) => attempt.as_mut().poll(cx),
            None => Poll::Pending,
        };
        let polled = match result {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) if !task.cancel.is_cancelled() => {
                task.attempt = None;
                task.tell(|| EventKind::Failed(error.to_string().into()));
                task.tell(|| EventKind::BackingOff);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(result) => {
                task.attempt = None;
                task.tell(|| EventKind::Ended);
                if let Some(outcome) = task.outcome.take() {
                    let _ = outcome.send(result);
                }
                task.supervisor.do_send(Ended(task.id));
                ctx.stop();
                Poll::Ready(())
            }
        };
        task.flush();
        polled
    }
}
