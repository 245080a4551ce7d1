use std::{collections::HashMap, sync::Arc, time::Duration};

use actix::prelude::Message;

use super::{histogram::Histogram, spark::Spark, tally::Tally};

/// A command of the routes was answered after this time. Sent by them.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CommandTook(pub(crate) Duration);

/// Asks for all counts. Sent by `GET metrics`.
#[derive(Message)]
#[rtype(result = "Counts")]
pub(crate) struct Scrape;

/// All counts at one moment.
#[derive(Debug, actix::MessageResponse)]
pub(crate) struct Counts {
    pub(crate) by_name: HashMap<Arc<str>, Tally>,
    /// Those beyond the bound on names.
    pub(crate) others: Option<Tally>,
    /// Events that the meter missed.
    pub(crate) lost: u64,
    pub(crate) commands: Histogram,
}

/// Asks for the counts of the last minutes. Sent by `GET summary`.
#[derive(Message)]
#[rtype(result = "Spark")]
pub(crate) struct SparkWanted;
