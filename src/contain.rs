//! Panics of user code, caught where they happen.
//!
//! Everything a user wrote can panic: the code that makes a task, its future, the `Drop` of either,
//! the `Drop` of an error, and the `Drop` of a panic's payload. [`contained`] runs such code and
//! gives the panic back as text; [`Contained`] carries a user's value through rooms that run no user
//! code and contains its drop wherever that happens.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use tokio::sync::oneshot;

/// Runs `code`; a panic comes back as its text, its payload already dropped.
pub(crate) fn contained<R>(code: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(code)).map_err(text_of)
}

/// Runs what wakes somebody, or lets go of a waker: that is a user's, and may panic.
pub(crate) fn wakes(code: impl FnOnce()) {
    if let Err(text) = contained(code) {
        log::error!("a waker panicked: {text}");
    }
}

/// The text of a panic. The payload is the user's value too: a panic of its drop is caught, and
/// the payload of that second panic is leaked, so that the chain ends here.
pub(crate) fn text_of(payload: Box<dyn Any + Send>) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic with a payload that is no text".to_owned());
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    text
}

/// A value of the user's whose drop cannot unwind into its holder.
pub(crate) struct Contained<T>(Option<T>);

impl<T> Contained<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_mut()
    }

    /// Drops the value now and tells the text of the panic, if its drop panicked.
    pub(crate) fn discard(&mut self) -> Option<String> {
        let value = self.0.take()?;
        contained(|| drop(value)).err()
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        if let Some(text) = self.discard() {
            log::warn!("a value panicked while it was dropped: {text}");
        }
    }
}

/// The sending end of an answer. Whoever waits for it may have a waker that panics: neither sending nor
/// dropping it unwinds.
pub(crate) struct Answer<T>(Option<oneshot::Sender<T>>);

impl<T> Answer<T> {
    /// An answer, and where it arrives.
    pub(crate) fn channel() -> (Self, oneshot::Receiver<T>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(sender)), receiver)
    }

    /// Whether nobody waits any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Sends it; the value comes back if nobody waits.
    pub(crate) fn send(mut self, value: T) -> Result<(), T> {
        let Some(sender) = self.0.take() else { return Err(value) };
        contained(|| sender.send(value)).unwrap_or_else(|text| {
            log::error!("a waker panicked: {text}");
            Ok(())
        })
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            wakes(|| drop(sender));
        }
    }
}
