//! When the answers to commands leave: the first of a turn at once, the others with its end, if `Registry` has a thread of
//! its own.
//!
//! An answer wakes its caller's thread if that is asleep, which costs both of them more than a short task does. A caller
//! with many commands under way takes the one answer, sends one more command and is asleep again before the next comes.
//! Held back to the end of a turn, 64 answers find it at once, and what it sends then comes at once as well: with 1,024
//! commands under way, a short task of `Placement::Dedicated` takes 0.70 to 0.88 of the time.
//!
//! An answer that is held back waits for what a turn still handles, 63 messages at the most of which each takes some
//! microseconds: before a command that looks at all members, the held ones leave.

use crate::{contain::Answer, worker::Crew};

/// Those that have not left yet. None is lost: what is still here when `Registry` goes, goes out.
#[derive(Default)]
pub(super) struct Answers {
    /// Whether one has left since the last turn ended.
    has_sent: bool,
    held: Vec<Box<dyn Held>>,
}

/// An answer with what it says.
trait Held: Send {
    /// Sends it. What nobody wants is the users' and dropped where user code runs, if there is such a place.
    fn send(self: Box<Self>, crew: Option<&Crew>);
}

impl<T: Send + 'static> Held for (Answer<T>, T) {
    fn send(self: Box<Self>, crew: Option<&Crew>) {
        let (answer, reply) = *self;
        send(answer, reply, crew);
    }
}

fn send<T: Send + 'static>(answer: Answer<T>, reply: T, crew: Option<&Crew>) {
    if let Err(unwanted) = answer.send(reply)
        && std::mem::needs_drop::<T>()
        && let Some(crew) = crew
    {
        crew.dispose(unwanted);
    }
}

impl Answers {
    /// One more, to what has been decided and carried out.
    pub(super) fn give<T: Send + 'static>(&mut self, answer: Answer<T>, reply: T, crew: &Crew) {
        if !crew.is_here() && std::mem::replace(&mut self.has_sent, true) {
            self.held.push(Box::new((answer, reply)));
        } else {
            send(answer, reply, Some(crew));
        }
    }

    /// The turn has ended.
    #[inline]
    pub(super) fn send(&mut self, crew: &Crew) {
        self.has_sent = false;
        if self.held.is_empty() {
            return;
        }
        self.held.drain(..).for_each(|held| held.send(Some(crew)));
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.held.drain(..).for_each(|held| held.send(None));
    }
}
