use log::Level;

use super::spec::Subscribe;
use crate::event::{Event, Severity};

/// Writes each event through the crate `log`, under the target `actix_taskvisor::events`, with the
/// event's number, label, task and id as key-values.
///
/// The library installs no logger; that is the program's choice.
///
/// ```
/// use actix_taskvisor::prelude::*;
///
/// # #[actix::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let supervisor = TaskSupervisor::builder().start()?;
/// let _subscription = supervisor.subscribe(LogSubscriber::new()).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct LogSubscriber;

impl LogSubscriber {
    /// The target of its records.
    pub const TARGET: &'static str = "actix_taskvisor::events";

    /// A subscriber that logs every event it is given; narrow it by a filter.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Subscribe for LogSubscriber {
    fn on_event(&mut self, event: &Event) {
        let level = match event.kind.severity() {
            Severity::Debug => Level::Debug,
            Severity::Info => Level::Info,
            Severity::Warn => Level::Warn,
            Severity::Error => Level::Error,
        };
        let (seq, label) = (event.seq, event.kind.label());
        match &event.task {
            Some(task) => {
                let (name, id) = (task.name(), task.id().get());
                log::log!(target: Self::TARGET, level, seq, event = label, task = name, id; "{event}");
            }
            None => log::log!(target: Self::TARGET, level, seq, event = label; "{event}"),
        }
    }

    fn on_lost(&mut self, lost: u64) {
        log::log!(target: Self::TARGET, Level::Warn, lost; "{lost} events were lost");
    }
}
