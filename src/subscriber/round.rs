//! What one round of fan-out brings: events that every subscription shares, each of which gets some of them.

use std::sync::Arc;

use crate::event::{Event, Numbered};

/// The events of a round, in one block: one allocation for all of them, where each had its own.
pub(crate) struct Round {
    events: Box<[Numbered]>,
    /// Whether it is for every subscription, as far as filters go.
    pub(crate) is_for_all: bool,
}

impl Round {
    pub(crate) fn new(events: impl Iterator<Item = Numbered>) -> Arc<Self> {
        let events: Box<[_]> = events.collect();
        let is_for_all = events.iter().all(|numbered| numbered.not_for.is_none());
        Arc::new(Self { events, is_for_all })
    }

    pub(crate) fn events(&self) -> &[Numbered] {
        &self.events
    }

    /// Whether a value of a user's is in it, so that dropping it may run user code.
    pub(crate) fn holds_user_value(&self) -> bool {
        self.events.iter().any(Numbered::holds_user_value)
    }
}

/// Those events of a round that one subscription gets.
pub(crate) struct Portion {
    round: Arc<Round>,
    places: Places,
}

enum Places {
    /// As many as that, from the first on.
    First(usize),
    These(Vec<u32>),
}

impl Portion {
    /// All of them.
    pub(crate) fn whole(round: &Arc<Round>) -> Self {
        let places = Places::First(round.events.len());
        Self { round: Arc::clone(round), places }
    }

    /// Those that pass.
    pub(crate) fn of(round: &Arc<Round>, mut admits: impl FnMut(&Numbered) -> bool) -> Self {
        let numbers = round.events.iter().zip(0..);
        let admitted = numbers.filter(|(numbered, _)| admits(numbered));
        let places = Places::These(admitted.map(|(_, place)| place).collect());
        Self { round: Arc::clone(round), places }
    }

    /// Keeps the first `room`, and answers how many went.
    pub(crate) fn shorten(&mut self, room: u64) -> u64 {
        let before = self.len();
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        match &mut self.places {
            Places::First(count) => *count = room.min(*count),
            Places::These(places) => places.truncate(room),
        }
        (before - self.len()) as u64
    }

    pub(crate) fn len(&self) -> usize {
        match &self.places {
            Places::First(count) => *count,
            Places::These(places) => places.len(),
        }
    }

    pub(crate) fn get(&self, number: usize) -> Option<&Event> {
        let place = match &self.places {
            Places::First(count) => (number < *count).then_some(number)?,
            Places::These(places) => *places.get(number)? as usize,
        };
        self.round.events.get(place).map(|numbered| &numbered.event)
    }
}
