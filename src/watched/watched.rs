use std::{
    future::poll_fn,
    ops::{Deref, DerefMut},
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use slab::Slab;

use crate::contain::wakes;

#[derive(Debug, Default)]
pub(crate) struct Watched<T> {
    locked: Mutex<Locked<T>>,
}

#[derive(Debug, Default)]
struct Locked<T> {
    value: T,
    waiters: Waiters,
}

/// The value, locked.
pub(crate) struct Guard<'a, T>(MutexGuard<'a, Locked<T>>);

/// A waiter's place in the list, if it has one. Whoever holds it gives it back with
/// [`leave`](Watched::leave).
#[derive(Debug, Default)]
pub(crate) struct Place(Option<(u32, u32)>);

impl<T> Watched<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { locked: Mutex::new(Locked { value, waiters: Waiters::default() }) }
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        Guard(self.locked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Wakes everybody who waits.
    pub(crate) fn wake(&self) {
        self.lock().wake();
    }

    /// What `read` finds; else the caller is woken by the next wake. One place serves one waiter, poll after poll.
    pub(crate) fn poll_for<R>(
        &self,
        place: &mut Place,
        cx: &Context<'_>,
        read: impl Fn(&T) -> Option<R>,
    ) -> Poll<R> {
        let mut own = None;
        loop {
            let mut guard = self.lock();
            if let Some(found) = read(&guard) {
                return Poll::Ready(found);
            }
            let Locked { waiters, .. } = &mut *guard.0;
            if waiters.knows(place, cx.waker()) {
                return Poll::Pending;
            }
            if let Some(waker) = own.take() {
                let replaced = waiters.enter(place, waker);
                drop(guard);
                discard(replaced);
                return Poll::Pending;
            }
            drop(guard);
            own = Some(cx.waker().clone());
        }
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        let Waiters { first, others, .. } = &self.lock().0.waiters;
        usize::from(first.is_some()) + others.as_ref().map_or(0, |others| others.len())
    }

    /// The waiter at this place waits no longer.
    pub(crate) fn leave(&self, place: &mut Place) {
        if place.0.is_some() {
            let left = self.lock().0.waiters.leave(place);
            discard(left);
        }
    }

    /// Waits until `read` finds what it looks for. It is asked first, then after each wake.
    pub(crate) async fn wait_for<R>(&self, read: impl Fn(&T) -> Option<R>) -> R {
        let mut waiting = Waiting { watched: self, place: Place::default() };
        poll_fn(|cx| self.poll_for(&mut waiting.place, cx, &read)).await
    }
}

impl<T> Guard<'_, T> {
    /// Frees the lock and wakes everybody who waits.
    pub(crate) fn wake(mut self) {
        let waiters = self.take_waiters();
        drop(self);
        drop(waiters);
    }

    /// Everybody who waits, to be woken when the lock is free and what they wait for has been told. Whoever comes after
    /// this finds it.
    #[must_use]
    pub(crate) fn take_waiters(&mut self) -> Option<Woken> {
        self.0.waiters.take()
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0.value
    }
}

/// Leaves its place when it is dropped.
struct Waiting<'a, T> {
    watched: &'a Watched<T>,
    place: Place,
}

impl<T> Drop for Waiting<'_, T> {
    fn drop(&mut self) {
        self.watched.leave(&mut self.place);
    }
}

fn discard(waker: Option<Waker>) {
    if let Some(waker) = waker {
        wakes(|| drop(waker));
    }
}

/// Those who wait since the last wake.
#[derive(Debug, Default)]
struct Waiters {
    /// Counts wakes: a place of an earlier round is none.
    round: u32,
    /// The first needs no allocation; most have no other.
    first: Option<Waker>,
    others: Option<Box<Slab<Waker>>>,
}

/// Those who waited: its drop wakes them, so that nobody is forgotten on any path. Not to be dropped under the lock.
pub(crate) struct Woken {
    first: Option<Waker>,
    others: Option<Box<Slab<Waker>>>,
}

impl Drop for Woken {
    fn drop(&mut self) {
        let others = self.others.take().into_iter().flat_map(|others| *others);
        for waker in self.first.take().into_iter().chain(others.map(|(_, waker)| waker)) {
            wakes(|| waker.wake());
        }
    }
}

/// The place of `first`; the others follow.
const FIRST: u32 = 0;

impl Waiters {
    /// Whether this waker stands at its place already.
    fn knows(&self, place: &Place, waker: &Waker) -> bool {
        let known = match place.0 {
            Some((round, FIRST)) if round == self.round => self.first.as_ref(),
            Some((round, number)) if round == self.round => {
                self.others.as_ref().and_then(|others| others.get(key(number)))
            }
            _ => None,
        };
        known.is_some_and(|known| known.will_wake(waker))
    }

    /// Puts a waker into its place, or into a new one. Answers the one that stood there.
    fn enter(&mut self, place: &mut Place, waker: Waker) -> Option<Waker> {
        let replaced = self.leave(place);
        let number = if self.first.is_none() {
            self.first = Some(waker);
            FIRST
        } else {
            let others = self.others.get_or_insert_default();
            // Four thousand million waiters at one task do not fit into memory.
            u32::try_from(others.insert(waker) + 1).unwrap_or(u32::MAX)
        };
        place.0 = Some((self.round, number));
        replaced
    }

    /// Empties a place.
    fn leave(&mut self, place: &mut Place) -> Option<Waker> {
        match place.0.take()? {
            (round, FIRST) if round == self.round => self.first.take(),
            (round, number) if round == self.round => {
                self.others.as_mut().and_then(|others| others.try_remove(key(number)))
            }
            _ => None,
        }
    }

    /// Takes everybody out; `None`: nobody waits.
    fn take(&mut self) -> Option<Woken> {
        if self.first.is_none() && self.others.is_none() {
            return None;
        }
        self.round = self.round.wrapping_add(1);
        Some(Woken { first: self.first.take(), others: self.others.take() })
    }
}

fn key(number: u32) -> usize {
    number as usize - 1
}
