//! A value with one writer at a time that anybody may read or wait for, from any runtime and from none.
//!
//! The value and those who wait stand under one lock: whoever looks and does not find what it looks for is in
//! the list before the lock is free, so no change goes unseen. The lock is held for a copy only: never
//! across a send or user code. Wakers are user code too: they are cloned, in their owner's own poll, woken and
//! dropped outside of it. Waking and dropping are contained, each by itself, so that a bad one does not keep the wake
//! from the others.
//!
//! Writers and readers are on different threads (a task's worker, the registry's thread, any caller);
//! poisoning is ignored, since nothing that can panic runs under the lock.
//!
//! A list of one's own instead of `tokio::sync::Notify`: a waiter is 16 bytes where that needs 64 in its future
//! and a second lock, and the usual one waiter of a task needs no allocation.

#[cfg(test)]
mod tests;
#[expect(clippy::module_inception, reason = "`Watched` lives in `watched.rs`")]
mod watched;

pub(crate) use watched::{Guard, Place, Watched, Woken};
