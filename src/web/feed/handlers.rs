use actix::prelude::*;

use super::{
    Feed, Join, Recent,
    client::Frames,
    frame,
    messages::{EndStreams, FeedState, JoinRefusal, RecentEvents, Standing},
};
use crate::subscriber::LifecycleBatch;

impl Handler<LifecycleBatch> for Feed {
    type Result = ();

    fn handle(&mut self, msg: LifecycleBatch, ctx: &mut Self::Context) {
        let (lost, has_ended) = (msg.lost(), msg.ended());
        self.take(lost, msg.into_events());
        if has_ended {
            self.end_streams();
            ctx.stop();
        }
    }
}

impl Handler<Join> for Feed {
    type Result = Result<Frames, JoinRefusal>;

    fn handle(&mut self, msg: Join, _: &mut Self::Context) -> Self::Result {
        self.join(msg.after, msg.task, msg.veil)
    }
}

impl Handler<Recent> for Feed {
    type Result = RecentEvents;

    fn handle(&mut self, msg: Recent, _: &mut Self::Context) -> Self::Result {
        let known =
            msg.after.as_ref().map(|after| after.as_ref().filter(|id| *id.boot == *self.boot));
        let replay = self.ring.after(known.flatten().map_or(0, |id| id.seq));
        let is_unknown = matches!(known, Some(None));
        let has_overrun = matches!(known, Some(Some(_))) && replay.overrun > 0;
        let mut has_gap = is_unknown || has_overrun;
        has_gap |= msg.after.is_some() && replay.entries.iter().any(|entry| entry.lost_before > 0);
        let wanted = replay.entries.into_iter().map(|entry| entry.event);
        let mut events: Vec<_> = wanted.filter(|event| frame::is_wanted(event, msg.task)).collect();
        let surplus = events.len().saturating_sub(msg.limit);
        has_gap |= msg.after.is_some() && surplus > 0;
        events.drain(..surplus);
        RecentEvents { has_gap, events }
    }
}

impl Handler<FeedState> for Feed {
    type Result = Standing;

    fn handle(&mut self, _: FeedState, _: &mut Self::Context) -> Self::Result {
        self.clients.retain(|client| !client.is_gone());
        Standing { last_seq: self.ring.last_seq(), lost: self.lost, clients: self.clients.len() }
    }
}

impl Handler<EndStreams> for Feed {
    type Result = ();

    fn handle(&mut self, _: EndStreams, _: &mut Self::Context) {
        self.end_streams();
    }
}
