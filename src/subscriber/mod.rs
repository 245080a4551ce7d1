//! How to listen: three forms of a subscriber, one subscription.
//!
//! | form | write | lives |
//! |---|---|---|
//! | an actor of yours | `impl Handler<Lifecycle>` (or `Handler<LifecycleBatch>` for heavy streams), then `supervisor.subscribe(addr.recipient::<Lifecycle>())` | on its arbiter |
//! | a value | `impl Subscribe`, then `supervisor.subscribe(value)` | on the supervisor's thread for subscribers |
//! | a closure | `supervisor.subscribe(SubscriptionSpec::from_fn(\|event\| …))` | there too |
//!
//! A slow, blocked, panicking or dead subscriber affects nobody else: each has its own bound. An actor
//! that panics is dead (that is actix's rule) and its subscription is gone; a value or closure is dropped
//! after three panics in a row. Values and closures share one thread: one that blocks holds up the
//! others there, and their bounds count what they miss. One that stops the thread's `System` takes the others
//! along, and those that come while it is ending; later ones get a new thread.

mod account;
mod delivery;
mod guard;
mod host;
mod log;
#[cfg(feature = "test-util")]
mod probe;
mod round;
mod spec;

pub(crate) use account::{Account, Generation};
pub(crate) use delivery::{Content, Parcel};
pub use delivery::{Lifecycle, LifecycleBatch};
pub use guard::Subscription;
pub(crate) use host::{Hosts, Lodging, OwnHost, OwnHosts};
pub use log::LogSubscriber;
#[cfg(feature = "test-util")]
pub use probe::Probe;
pub(crate) use round::{Portion, Round};
pub use spec::{DEFAULT_SUBSCRIPTION_CAPACITY, Subscribe, SubscriptionSpec};
