use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix::Actor as _;
use actix_web::web::Bytes;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::oneshot;

use super::{
    Feed, Join, JoinRefusal,
    client::{BYTES_PER_CLIENT, Client},
    frame::{self, EventId},
    ring::Ring,
};
use crate::{
    event::{Event, EventKind},
    web::veil::Veil,
};

fn event(seq: u64) -> Arc<Event> {
    let kind = EventKind::AllStoppedWithinGrace;
    Arc::new(Event { seq, at: SystemTime::UNIX_EPOCH, task: None, kind })
}

fn feed(capacity: usize) -> Feed {
    Feed::new("boot".into(), capacity, 2, oneshot::channel().1)
}

/// Everything that a stream has, once the feed has ended it.
async fn read(feed: &mut Feed, frames: super::client::Frames) -> String {
    feed.end_streams();
    let chunks: Vec<_> = frames.into_stream().collect().await;
    chunks
        .into_iter()
        .map(|chunk| String::from_utf8_lossy(&chunk.expect("never fails")).into_owned())
        .collect()
}

#[test]
fn a_ring_tells_how_much_it_has_lost_of_what_is_asked_for() {
    let mut ring = Ring::new(3);
    for seq in 1..=5 {
        ring.push(event(seq));
    }
    let seen = |seq| {
        let replay = ring.after(seq);
        (replay.overrun, replay.entries.iter().map(|entry| entry.event.seq).collect::<Vec<_>>())
    };
    assert_eq!(seen(0), (2, vec![3, 4, 5]));
    assert_eq!(seen(2), (0, vec![3, 4, 5]));
    assert_eq!(seen(4), (0, vec![5]));
    assert_eq!(seen(5), (0, vec![]));
    assert_eq!(seen(9), (0, vec![]));
}

#[test]
fn a_ring_keeps_the_place_where_events_were_lost() {
    let mut ring = Ring::new(9);
    ring.push(event(1));
    ring.lost(4);
    ring.push(event(6));
    let replay = ring.after(0);
    assert_eq!(replay.overrun, 0);
    assert_eq!(replay.entries.iter().map(|entry| entry.lost_before).collect::<Vec<_>>(), [0, 4]);
}

#[tokio::test]
async fn a_slow_client_is_told_how_much_it_missed_before_the_next_event() {
    let mut feed = feed(9);
    let Ok(frames) = feed.join(None, None, Veil::default()) else { panic!("there is room") };
    let mut stream = Box::pin(frames.into_stream());
    // The greeting has one place of 64: the first 63 come through, and ten do not.
    for seq in 1..=73 {
        feed.take(0, vec![event(seq)]);
    }
    for _ in 0..64 {
        stream.next().await;
    }
    feed.take(0, vec![event(74)]);
    let chunk = stream.next().await.expect("goes on").expect("never fails");
    let text = String::from_utf8_lossy(&chunk);
    assert!(
        text.starts_with("event: gap\ndata: {\"lost\":10,\"reason\":\"slow\"}\n\nid: boot-74\n"),
        "{text}"
    );
}

#[test]
fn a_client_that_does_not_read_holds_no_more_than_the_bound_in_bytes() {
    let (mut client, frames) = Client::new(String::new(), None, Veil::default());
    let mut stream = Box::pin(frames.into_stream());
    let mut next = || {
        let chunk = stream.next().now_or_never().flatten().expect("something is held");
        chunk.expect("never fails")
    };
    assert!(next().is_empty(), "the greeting");
    // However large the first one is.
    let large = Bytes::from("x".repeat(2 * BYTES_PER_CLIENT));
    let small = Bytes::from_static(b"small\n\n");
    client.send(&large, 1);
    client.send(&small, 2);
    assert_eq!(next(), large);
    client.send(&small, 3);
    let text = next();
    assert!(text.starts_with(b"event: gap\ndata: {\"lost\":2,\"reason\":\"slow\"}\n\nsmall"));
    // What was read makes room again, all of it.
    let half = Bytes::from("x".repeat(BYTES_PER_CLIENT / 2));
    for _ in 0..3 {
        client.send(&half, 1);
        client.send(&half, 1);
        assert_eq!((next(), next()), (half.clone(), half.clone()));
    }
}

#[tokio::test]
async fn what_the_feed_itself_lost_is_a_gap_in_its_place() {
    let mut feed = feed(9);
    let Ok(frames) = feed.join(None, None, Veil::default()) else { panic!("there is room") };
    feed.take(0, vec![event(1)]);
    feed.take(3, vec![event(5)]);
    feed.take(2, Vec::new());
    let text = read(&mut feed, frames).await;
    let order: Vec<_> = text
        .lines()
        .filter(|line| {
            line.starts_with("id:") || line.contains("lost") || line.starts_with("event: bye")
        })
        .collect();
    assert_eq!(
        order,
        [
            "id: boot-1",
            "data: {\"lost\":3,\"reason\":\"overrun\"}",
            "id: boot-5",
            "data: {\"lost\":2,\"reason\":\"overrun\"}",
            "event: bye",
        ]
    );
}

#[tokio::test]
async fn nobody_joins_beyond_the_bound_or_after_the_end_and_who_left_leaves_room() {
    let mut feed = feed(9);
    let mut join = || feed.join(None, None, Veil::default());
    let (first, second) = (join(), join());
    assert_eq!(join().err(), Some(JoinRefusal::TooMany { limit: 2 }));
    drop(first);
    assert!(join().is_ok());
    drop(second);
    feed.end_streams();
    assert_eq!(feed.join(None, None, Veil::default()).err(), Some(JoinRefusal::Ended));
}

#[test]
fn an_id_is_read_as_it_is_written_or_not_at_all() {
    let id = |boot: &str, seq| Some(EventId { boot: boot.to_owned(), seq });
    assert_eq!(EventId::parse("3f9a-12"), id("3f9a", 12));
    assert_eq!(EventId::parse(" a-b-7 "), id("a-b", 7));
    for text in ["", "12", "a-", "a-x", "a--1x"] {
        assert_eq!(EventId::parse(text), None, "{text}");
    }
}

// On a paused clock: whatever waits for time gets it as soon as nothing else is to be done.
#[actix::test]
async fn a_stream_that_has_nothing_to_tell_has_a_comment_every_fifteen_seconds() {
    tokio::time::pause();
    let feed = feed(9).start();
    let begun_at = tokio::time::Instant::now();
    let join = Join { after: None, task: None, veil: Veil::default() };
    let Ok(Ok(frames)) = feed.send(join).await else { panic!("there is room") };
    let mut stream = Box::pin(frames.into_stream());
    let greeting = stream.next().await.expect("goes on").expect("never fails");
    assert_eq!(greeting, frame::GREETING);
    for round in 1..=3 {
        tokio::time::sleep(Duration::from_secs(14)).await;
        assert!(stream.next().now_or_never().is_none(), "too early");
        let comment = stream.next().await.expect("goes on").expect("never fails");
        assert_eq!(comment, frame::KEEP_ALIVE);
        assert!(comment.starts_with(b":") && comment.ends_with(b"\n\n"));
        assert_eq!(begun_at.elapsed().as_secs(), 15 * round);
    }
}
