//! A value with one writer at a time that anybody may read or wait for, from any runtime and from none.
//!
//! The lock is held for a copy only: never across a send, a wake or user code. Writers and readers
//! are on different threads (a task's worker, the registry's thread, any caller); poisoning is
//! ignored, since nothing that can panic runs under the lock.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Wake, Waker},
};

use tokio::sync::Notify;

use crate::contain::{Contained, contained};

#[derive(Debug, Default)]
pub(crate) struct Watched<T> {
    value: Mutex<T>,
    changed: Notify,
}

impl<T> Watched<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changed: Notify::new() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes everybody who waits.
    pub(crate) fn wake(&self) {
        self.changed.notify_waiters();
    }

    /// Waits until `read` finds what it looks for. It is asked first, then after each wake.
    ///
    /// The interest is registered before the value is read, so a change between the two is seen.
    pub(crate) async fn wait_for<R>(&self, mut read: impl FnMut(&T) -> Option<R>) -> R {
        let mut quiet = None;
        loop {
            let mut changed = pin!(self.changed.notified());
            if let Some(found) = read(&self.lock()) {
                return found;
            }
            poll_fn(|cx| {
                let waker = QuietWaker::around(&mut quiet, cx.waker());
                changed.as_mut().poll(&mut Context::from_waker(waker))
            })
            .await;
        }
    }
}

/// A waiter's waker whose panic ends with it: one bad waiter would otherwise keep the wake from those
/// who wait behind it.
struct QuietWaker(Contained<Waker>);

impl QuietWaker {
    /// The quiet form of `waker`, made anew only when the waiter has another one than before.
    fn around<'a>(known: &'a mut Option<(Waker, Waker)>, waker: &Waker) -> &'a Waker {
        if known.as_ref().is_some_and(|(original, _)| !original.will_wake(waker)) {
            *known = None;
        }
        let make = || {
            let quiet = Arc::new(Self(Contained::new(waker.clone())));
            (waker.clone(), Waker::from(quiet))
        };
        &known.get_or_insert_with(make).1
    }
}

impl Wake for QuietWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Some(waker) = self.0.get() else { return };
        if let Err(text) = contained(|| waker.wake_by_ref()) {
            log::error!("a waker panicked: {text}");
        }
    }
}
