use std::fmt;

use actix::{Recipient, dev::channel::channel, prelude::*};

use super::{
    delivery::{Lifecycle, LifecycleBatch},
    host::{Host, Lodging},
};
use crate::{
    broker::Outlet,
    contain::Contained,
    event::{Event, EventFilter},
};

/// How many events a subscription may hold where it does not say otherwise: 1,024.
pub const DEFAULT_SUBSCRIPTION_CAPACITY: usize = 1024;

/// A subscriber that is a plain value.
///
/// ```
/// use actix_taskvisor::prelude::*;
///
/// struct CountFailures(u64);
///
/// impl Subscribe for CountFailures {
///     fn on_event(&mut self, event: &Event) {
///         if let EventKind::TaskFailed { .. } = event.kind {
///             self.0 += 1;
///         }
///     }
/// }
/// ```
pub trait Subscribe: Send + 'static {
    /// One event. Called in order; it may block, at the cost of the other values on its thread.
    fn on_event(&mut self, event: &Event);

    /// So many events were lost right before the next one, because this subscriber was too slow.
    fn on_lost(&mut self, lost: u64) {
        let _ = lost;
    }

    /// The statuses of all tasks, before the first event and after each
    /// [`resync`](super::Subscription::resync), where the subscription asked for them.
    fn on_snapshot(&mut self, statuses: &[crate::TaskStatus]) {
        let _ = statuses;
    }

    /// The name under which its panics are told. Default: the name of its type.
    fn name(&self) -> String {
        std::any::type_name::<Self>().to_owned()
    }
}

impl<F: FnMut(&Event) + Send + 'static> Subscribe for F {
    fn on_event(&mut self, event: &Event) {
        self(event);
    }
}

/// A subscriber with its filter and bound.
///
/// ```
/// use actix_taskvisor::prelude::*;
///
/// # #[actix::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let supervisor = TaskSupervisor::builder().start()?;
/// let warnings = SubscriptionSpec::from_fn(|event| eprintln!("{event}"))
///     .filter(EventFilter::all().at_least(Severity::Warn))
///     .capacity(256);
/// let subscription = supervisor.subscribe(warnings).await?;
/// drop(subscription); // unsubscribes
/// # Ok(()) }
/// ```
#[must_use = "a subscription spec does nothing until a supervisor has it"]
pub struct SubscriptionSpec {
    target: Target,
    pub(crate) name: String,
    pub(crate) filter: EventFilter,
    pub(crate) capacity: usize,
    pub(crate) has_snapshot: bool,
    lodging: Lodging,
}

enum Target {
    Actor(Recipient<Lifecycle>),
    BatchActor(Recipient<LifecycleBatch>),
    Value { recipient: Recipient<LifecycleBatch>, start: Box<dyn FnOnce() + Send> },
}

impl SubscriptionSpec {
    /// A subscriber from a closure.
    pub fn from_fn(on_event: impl FnMut(&Event) + Send + 'static) -> Self {
        Self::from(on_event)
    }

    /// Which events it gets. Default: all.
    pub fn filter(mut self, filter: EventFilter) -> Self {
        self.filter = filter;
        self
    }

    /// How many events it may hold unhandled before new ones are lost (and counted). Default: 1,024.
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = events;
        self
    }

    /// Begins with the statuses of all tasks; the events after it tell every later change once.
    pub fn with_snapshot(mut self) -> Self {
        self.has_snapshot = true;
        self
    }

    /// The name under which its panics are told. Default: the type of the value or actor.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Runs a value or closure on a worker, among the tasks and sharing their fate, in place of the
    /// thread for subscribers.
    /// No effect on actors, which live where they were started.
    pub fn on_worker(mut self) -> Self {
        self.lodging = Lodging::Workers;
        self
    }

    pub(crate) fn outlet(target: Self) -> Outlet {
        match target.target {
            Target::Actor(recipient) => Outlet::Single(recipient),
            Target::BatchActor(recipient) => Outlet::Batch(recipient),
            Target::Value { recipient, start } => {
                Outlet::Hosted { recipient, start, lodging: target.lodging }
            }
        }
    }

    fn new(target: Target, name: String) -> Self {
        Self {
            target,
            name,
            filter: EventFilter::all(),
            capacity: DEFAULT_SUBSCRIPTION_CAPACITY,
            has_snapshot: false,
            lodging: Lodging::Subscribers,
        }
    }
}

impl From<Recipient<Lifecycle>> for SubscriptionSpec {
    fn from(recipient: Recipient<Lifecycle>) -> Self {
        Self::new(Target::Actor(recipient), "actor".to_owned())
    }
}

impl From<Recipient<LifecycleBatch>> for SubscriptionSpec {
    fn from(recipient: Recipient<LifecycleBatch>) -> Self {
        Self::new(Target::BatchActor(recipient), "actor".to_owned())
    }
}

impl<S: Subscribe> From<S> for SubscriptionSpec {
    fn from(subscriber: S) -> Self {
        let name = subscriber.name();
        let (sender, mailbox) = channel(0);
        let recipient = Addr::new(sender).recipient();
        // Where it is refused, or its place is gone, it is dropped wherever that is seen.
        let subscriber = Contained::new(subscriber);
        let start = Box::new(move || {
            let life = Context::with_receiver(mailbox).into_future(Host::new(subscriber));
            drop(actix_rt::spawn(life));
        });
        Self::new(Target::Value { recipient, start }, name)
    }
}

impl fmt::Debug for SubscriptionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionSpec")
            .field("name", &self.name)
            .field("filter", &self.filter)
            .field("capacity", &self.capacity)
            .field("has_snapshot", &self.has_snapshot)
            .finish_non_exhaustive()
    }
}
