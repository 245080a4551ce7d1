use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{guard::Subscription, spec::Subscribe, spec::SubscriptionSpec};
use crate::{
    error::SubscribeError,
    event::{Event, EventType},
    supervisor::SupervisorHandle,
};

/// A subscriber for tests: it keeps every event, and waits for the one that a test needs.
///
/// ```
/// use actix_taskvisor::{Probe, prelude::*};
///
/// # #[actix::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let supervisor = TaskSupervisor::builder().start()?;
/// let probe = Probe::attach(&supervisor).await?;
/// supervisor.add(TaskSpec::once("hello", async |_| Ok(()))).await?;
/// probe.wait_for("the end", |event| event.kind.event_type() == EventType::TaskRemoved).await;
/// # Ok(()) }
/// ```
pub struct Probe {
    tape: Arc<Tape>,
    _subscription: Subscription,
}

#[derive(Default)]
struct Tape {
    /// Written on the subscriber's thread, read on the test's.
    events: Mutex<Vec<Event>>,
    lost: Mutex<u64>,
    more: Notify,
}

struct Recorder(Arc<Tape>);

impl Subscribe for Recorder {
    fn on_event(&mut self, event: &Event) {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        self.0.more.notify_waiters();
    }

    fn on_lost(&mut self, lost: u64) {
        *self.0.lost.lock().unwrap_or_else(PoisonError::into_inner) += lost;
    }
}

impl Probe {
    /// How long a wait lasts before it fails.
    pub const PATIENCE: Duration = Duration::from_secs(20);

    /// Subscribes to every event from now on.
    ///
    /// # Errors
    /// As [`SupervisorHandle::subscribe`].
    pub async fn attach(supervisor: &SupervisorHandle) -> Result<Self, SubscribeError> {
        let tape = Arc::<Tape>::default();
        let spec = SubscriptionSpec::from(Recorder(Arc::clone(&tape))).capacity(1 << 20);
        let subscription = supervisor.subscribe(spec).await?;
        Ok(Self { tape, _subscription: subscription })
    }

    /// Every event so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.tape.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The types of the events of the task with this name, in order.
    #[must_use]
    pub fn types_of(&self, name: &str) -> Vec<EventType> {
        let of_task = |event: &&Event| event.task.as_ref().is_some_and(|task| task.name() == name);
        self.events().iter().filter(of_task).map(|event| event.kind.event_type()).collect()
    }

    /// How many events of this type came.
    #[must_use]
    pub fn count(&self, kind: EventType) -> usize {
        self.events().iter().filter(|event| event.kind.event_type() == kind).count()
    }

    /// How many events were lost on the way here.
    #[must_use]
    pub fn lost(&self) -> u64 {
        *self.tape.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the first event that `is_it`, also among those that came already.
    ///
    /// # Panics
    /// When none came within [`PATIENCE`](Self::PATIENCE) by Tokio's clock; the text shows the events that did.
    pub async fn wait_for(&self, what: &str, is_it: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + Self::PATIENCE;
        loop {
            let more = self.tape.more.notified();
            if let Some(event) = self.events().into_iter().find(|event| is_it(event)) {
                return event;
            }
            if tokio::time::timeout_at(deadline, more).await.is_err() {
                panic!("{what} did not come; these did:{}", self.transcript());
            }
        }
    }

    fn transcript(&self) -> String {
        self.events().iter().fold(String::new(), |mut text, event| {
            let _ = write!(text, "\n  {} {event}", event.seq);
            text
        })
    }
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe").field("events", &self.events().len()).finish_non_exhaustive()
    }
}
