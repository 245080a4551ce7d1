//! The broker: one actor that passes events on, one in a message or up to 64.

use std::sync::Arc;

use actix::prelude::*;

use super::listener::Listener;
use crate::subjects::by_hand::Event;

/// Events in one batch.
const BATCH: usize = 64;

pub(super) struct Broker {
    listeners: Vec<Addr<Listener>>,
    has_batches: bool,
    waiting: Vec<Arc<Event>>,
    is_flush_due: bool,
}

impl Broker {
    pub(super) fn to(listeners: Vec<Addr<Listener>>, has_batches: bool) -> Self {
        Self { listeners, has_batches, waiting: Vec::new(), is_flush_due: false }
    }

    fn flush(&mut self) {
        let events: Arc<[_]> = self.waiting.drain(..).collect();
        for listener in &self.listeners {
            listener.do_send(Batch(Arc::clone(&events)));
        }
    }
}

impl Actor for Broker {
    type Context = Context<Self>;
}

/// From a task: what happened.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Publish(pub(super) Vec<Event>);

impl Handler<Publish> for Broker {
    type Result = ();

    fn handle(&mut self, msg: Publish, ctx: &mut Self::Context) {
        let events = msg.0.into_iter().map(Arc::new);
        if !self.has_batches {
            for event in events {
                for listener in &self.listeners {
                    listener.do_send(Single(Arc::clone(&event)));
                }
            }
            return;
        }
        self.waiting.extend(events);
        if self.waiting.len() >= BATCH {
            self.flush();
        } else if !self.is_flush_due {
            self.is_flush_due = true;
            ctx.address().do_send(Flush);
        }
    }
}

/// To itself: whatever waits goes out.
#[derive(Message)]
#[rtype(result = "()")]
struct Flush;

impl Handler<Flush> for Broker {
    type Result = ();

    fn handle(&mut self, _: Flush, _: &mut Self::Context) {
        self.is_flush_due = false;
        if !self.waiting.is_empty() {
            self.flush();
        }
    }
}

/// To a listener: one event.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Single(#[expect(dead_code, reason = "listeners count")] pub(super) Arc<Event>);

/// To a listener: up to 64.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Batch(pub(super) Arc<[Arc<Event>]>);
