//! A subscriber: an actor that counts.

use std::sync::Arc;

use actix::prelude::*;

use super::broker::{Batch, Single};
use crate::bodies::Arrivals;

pub(super) struct Listener {
    seen: usize,
    due: usize,
    satisfied: Arc<Arrivals>,
}

impl Listener {
    /// It says so when it has seen as many events as are due.
    pub(super) fn new(due: usize, satisfied: &Arc<Arrivals>) -> Self {
        Self { seen: 0, due, satisfied: Arc::clone(satisfied) }
    }

    fn see(&mut self, events: usize) {
        let before = self.seen;
        self.seen += events;
        if before < self.due && self.seen >= self.due {
            self.satisfied.arrive();
        }
    }
}

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<Single> for Listener {
    type Result = ();

    fn handle(&mut self, _: Single, _: &mut Self::Context) {
        self.see(1);
    }
}

impl Handler<Batch> for Listener {
    type Result = ();

    fn handle(&mut self, msg: Batch, _: &mut Self::Context) {
        self.see(msg.0.len());
    }
}
