//! A value with one writer at a time that anybody may read or wait for, from any runtime and from none.
//!
//! The lock is held for a copy only: never across a send, a wake or user code. Writers and readers
//! are on different threads (a task's worker, the registry's thread, any caller); poisoning is
//! ignored, since nothing that can panic runs under the lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::contain::contained;

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

    /// Wakes everybody who waits. A waker is the waiter's code: a panic in it ends with it.
    pub(crate) fn wake(&self) {
        if let Err(text) = contained(|| self.changed.notify_waiters()) {
            log::error!("a waker panicked: {text}");
        }
    }

    /// Waits until `read` finds what it looks for. It is asked first, then after each wake.
    ///
    /// The interest is registered before the value is read, so a change between the two is seen.
    pub(crate) async fn wait_for<R>(&self, mut read: impl FnMut(&T) -> Option<R>) -> R {
        loop {
            let changed = self.changed.notified();
            if let Some(found) = read(&self.lock()) {
                return found;
            }
            changed.await;
        }
    }
}
