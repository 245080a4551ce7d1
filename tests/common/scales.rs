//! A counting allocator knows every living byte of this process, so the tests take turns. Each warms up,
//! repeats the same thing many times, and compares. The tolerance is for what the harness moves meanwhile:
//! it is 4.9 bytes for each of five thousand repetitions, 122 bytes for each of two hundred supervisors.
//! In a debug build the repetitions are a twentieth of those of a release build.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    future::poll_fn,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicIsize, Ordering},
    },
    task::Poll,
    time::Instant,
};

use super::common::*;

struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

fn note(bytes: usize, sign: isize) {
    LIVE.fetch_add(sign * bytes.cast_signed(), Ordering::Relaxed);
}

// SAFETY: every call is passed on as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 1);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(layout.size(), -1);
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(layout.size(), -1);
        note(size, 1);
        // SAFETY: as promised by the caller.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the harness and the C library may move meanwhile.
pub const TOLERANCE: isize = 24 * 1024;

/// How often what is small is repeated.
pub const MANY: usize = if cfg!(debug_assertions) { 5_000 } else { 100_000 };

/// One test at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn actix_main<F: Future>(main: F) -> F::Output {
    actix::System::new().block_on(main)
}

/// Does `once` to warm up, then many times, and compares what lives.
pub async fn leaves_nothing(
    what: &str,
    warm_up: usize,
    times: usize,
    mut once: impl AsyncFnMut(usize),
) {
    for number in 0..warm_up {
        once(number).await;
    }
    let before = resting().await;
    for number in warm_up..warm_up + times {
        once(number).await;
    }
    let grown = settles_at(before).await;
    assert!(
        grown <= TOLERANCE,
        "{what}: {times} times left {grown} bytes, {} for each ({before} before)",
        grown / times.cast_signed(),
    );
}

/// The least of what lives in a while of doing nothing: mailboxes have been emptied.
pub async fn resting() -> isize {
    let until = Instant::now() + ms(50);
    let mut least = isize::MAX;
    while Instant::now() < until {
        least = least.min(LIVE.load(Ordering::Relaxed));
        tokio::task::yield_now().await;
    }
    least
}

/// By how much more lives than `before`, once that is as good as nothing, or after a second.
pub async fn settles_at(before: isize) -> isize {
    let until = Instant::now() + secs(1);
    loop {
        let grown = LIVE.load(Ordering::Relaxed) - before;
        if grown <= TOLERANCE || Instant::now() >= until {
            return grown;
        }
        tokio::task::yield_now().await;
    }
}

/// Names of one length, whatever the number.
pub fn name(number: usize) -> String {
    format!("job-{number:08}")
}

/// Polls once, and goes away.
pub async fn look_in<F: Future>(future: F) {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await;
}
