//! `Meter`: counts what events tell, for Prometheus and for the small curves of the page. One per supervisor.
//!
//! | message in | sender | reply |
//! |---|---|---|
//! | `LifecycleBatch` | `Broker` | none |
//! | `CommandTook` | the routes | none |
//! | `Scrape` | `GET metrics` | all counts |
//! | `SparkWanted` | `GET summary` | the last five minutes |
//!
//! It counts from its subscription on, which the first routes of a supervisor make. Names are kept for ever, as a counter
//! must not go back, so their number is bounded: those beyond it are counted together.
//!
//! | file | what is in it |
//! |---|---|
//! | `tally.rs` | pure: the counts of one name, and how an event changes them |
//! | `histogram.rs` | pure: fixed buckets |
//! | `spark.rs` | pure: counts per 5 s |
//! | `render.rs` | pure: the text format 0.0.4, written by hand |

mod actor;
mod handlers;
mod histogram;
mod messages;
mod render;
mod spark;
mod tally;
#[cfg(test)]
mod tests;

pub(crate) use actor::Meter;
pub(super) use messages::{CommandTook, Scrape, SparkWanted};
pub(super) use render::{Gauges, render};
pub(super) use spark::{STEP, Spark};
