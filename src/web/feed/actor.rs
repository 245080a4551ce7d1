use std::{sync::Arc, time::Duration};

use actix::{dev::channel::channel, prelude::*};
use actix_web::web::Bytes;
use tokio::sync::oneshot;

use super::{
    client::{Client, Frames},
    frame::{self, EventId, GapReason},
    messages::JoinRefusal,
    ring::{Entry, Ring},
};
use crate::{
    broker::{Outlet, Subscribe},
    contain::Answer,
    error::SubscribeError,
    event::{Event, EventFilter},
    subscriber::{Account, LifecycleBatch, Lodging},
    supervisor::Board,
    web::{options::WebOptions, veil::Veil},
};

/// What the feed may hold unhandled before events are lost for all of its clients at once.
const CAPACITY: usize = 8192;
/// How often a client that missed something is told, if nothing else is to be told to it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How many of these make a comment that keeps the connection open: 15 s.
const LOOKS_PER_KEEP_ALIVE: u32 = 15;

/// The broker's answer. It is never read: it says that somebody holds the subscription, for as long as the actor lives.
pub(in crate::web) type Held = oneshot::Receiver<Result<Arc<Account>, SubscribeError>>;

/// See the module's essay.
pub(crate) struct Feed {
    pub(super) boot: Arc<str>,
    pub(super) ring: Ring,
    pub(super) clients: Vec<Client>,
    max_streams: usize,
    pub(super) lost: u64,
    pub(super) is_over: bool,
    looks: u32,
    _held: Held,
}

/// Subscribes an actor that begins on the supervisor's thread for these two. Its address is good at once; sending to
/// it fails where the supervisor does not take it any more.
pub(in crate::web) fn hosted<A>(
    board: &Arc<Board>,
    name: &str,
    make: impl FnOnce(Held) -> A + Send + 'static,
) -> Addr<A>
where
    A: Actor<Context = Context<A>> + Handler<LifecycleBatch>,
{
    let (sender, mailbox) = channel(0);
    let addr = Addr::new(sender);
    let (answer, held) = Answer::channel();
    let start = Box::new(move || {
        drop(actix_rt::spawn(Context::with_receiver(mailbox).into_future(make(held))));
    });
    // Before the subscription is sent: what is caused once this has returned is told to it.
    board.interest.raise_for_good();
    let outlet =
        Outlet::Hosted { recipient: addr.clone().recipient(), start, lodging: Lodging::Web };
    // Fails when the supervisor has ended: then everything in it is dropped, and the address is closed.
    board.broker.do_send(Subscribe {
        outlet,
        name: name.to_owned(),
        filter: EventFilter::all(),
        capacity: CAPACITY,
        has_snapshot: false,
        answer,
    });
    addr
}

impl Feed {
    pub(in crate::web) fn start_for(
        board: &Arc<Board>,
        boot: Arc<str>,
        options: &WebOptions,
    ) -> Addr<Self> {
        let (capacity, max_streams) = (options.ring_capacity, options.max_streams);
        hosted(board, "web feed", move |held| Self::new(boot, capacity, max_streams, held))
    }

    pub(super) fn new(boot: Arc<str>, capacity: usize, max_streams: usize, held: Held) -> Self {
        let ring = Ring::new(capacity);
        let clients = Vec::new();
        Self { boot, ring, clients, max_streams, lost: 0, is_over: false, looks: 0, _held: held }
    }

    // ---- events ----

    pub(super) fn take(&mut self, lost: u64, events: Vec<Arc<Event>>) {
        if lost > 0 {
            self.lost += lost;
            self.ring.lost(lost);
        }
        let mut entries = Vec::with_capacity(events.len());
        for (at, event) in events.into_iter().enumerate() {
            self.ring.push(Arc::clone(&event));
            entries.push(Entry { lost_before: if at == 0 { lost } else { 0 }, event });
        }
        self.clients.retain(|client| !client.is_gone());
        if entries.is_empty() && lost > 0 {
            let gap = Bytes::from(frame::gap(Some(lost), GapReason::Overrun));
            self.clients.iter_mut().for_each(|client| client.send(&gap, lost));
        } else {
            self.hand_out(&entries);
        }
    }

    /// Writes the frames once for all clients that see the same.
    fn hand_out(&mut self, entries: &[Entry]) {
        let mut written: Vec<(Option<u64>, Veil, Bytes, u64)> = Vec::new();
        for client in &mut self.clients {
            let is_same = |(task, veil, ..): &&(Option<u64>, Veil, Bytes, u64)| {
                *task == client.task && veil.is_same(&client.veil)
            };
            let (frames, count) = match written.iter().find(is_same) {
                Some((_, _, frames, count)) => (frames.clone(), *count),
                None => {
                    let (text, count) = joined(entries, &self.boot, client.task, &client.veil);
                    let frames = Bytes::from(text);
                    written.push((client.task, client.veil.clone(), frames.clone(), count));
                    (frames, count)
                }
            };
            if !frames.is_empty() {
                client.send(&frames, count);
            }
        }
    }

    // ---- clients ----

    pub(super) fn join(
        &mut self,
        after: Option<Option<EventId>>,
        task: Option<u64>,
        veil: Veil,
    ) -> Result<Frames, JoinRefusal> {
        if self.is_over {
            return Err(JoinRefusal::Ended); // W3
        }
        self.clients.retain(|client| !client.is_gone());
        if self.clients.len() >= self.max_streams {
            return Err(JoinRefusal::TooMany { limit: self.max_streams });
        }
        let greeting = self.greeting(after, task, &veil);
        let (client, frames) = Client::new(greeting, task, veil);
        self.clients.push(client);
        Ok(frames)
    }

    /// Tells the client at once that it is connected, and what it missed.
    fn greeting(&self, after: Option<Option<EventId>>, task: Option<u64>, veil: &Veil) -> String {
        let mut text = frame::GREETING.to_owned();
        let Some(after) = after else { return text };
        let known = after.filter(|id| *id.boot == *self.boot);
        if known.is_none() {
            text.push_str(&frame::gap(None, GapReason::Restarted));
        }
        let seq = known.map(|id| id.seq);
        let replay = self.ring.after(seq.unwrap_or(0));
        if seq.is_some() && replay.overrun > 0 {
            text.push_str(&frame::gap(Some(replay.overrun), GapReason::Overrun));
        }
        text.push_str(&joined(&replay.entries, &self.boot, task, veil).0);
        text
    }

    pub(super) fn end_streams(&mut self) {
        self.is_over = true;
        let bye = Bytes::from_static(frame::BYE.as_bytes());
        for mut client in self.clients.drain(..) {
            client.send(&bye, 0);
        }
    }

    fn look_after_clients(&mut self) {
        self.clients.retain(|client| !client.is_gone());
        self.clients.iter_mut().for_each(Client::tell_gap);
        self.looks += 1;
        if self.looks >= LOOKS_PER_KEEP_ALIVE {
            self.looks = 0;
            let comment = Bytes::from_static(frame::KEEP_ALIVE.as_bytes());
            self.clients.iter_mut().for_each(|client| client.send(&comment, 0));
        }
    }
}

/// The frames of all that the client wants, and how many events that is.
fn joined(entries: &[Entry], boot: &str, task: Option<u64>, veil: &Veil) -> (String, u64) {
    let (mut text, mut count) = (String::new(), 0);
    for Entry { lost_before, event } in entries {
        if *lost_before > 0 {
            text.push_str(&frame::gap(Some(*lost_before), GapReason::Overrun));
            count += lost_before;
        }
        if frame::is_wanted(event, task) {
            text.push_str(&frame::lifecycle(event, boot, veil));
            count += 1;
        }
    }
    (text, count)
}

impl Actor for Feed {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // A burst of missed ticks does no harm.
        ctx.run_interval(LOOK_AGAIN, |feed, _| feed.look_after_clients());
    }
}
