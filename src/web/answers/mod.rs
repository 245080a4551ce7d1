//! One function per route: a question to the supervisor or to an actor, and the answer as the contract has it.
//!
//! | file | routes |
//! |---|---|
//! | `reads.rs` | `summary`, `tasks`, `tasks/{id}`, `tasks/{id}/attempts`, `slots` |
//! | `events.rs` | `events`, as a stream and as a list |
//! | `actions.rs` | `tasks/{id}/actions/{verb}`, `actions` |
//! | `body.rs` | what the bodies of these say |
//! | `page.rs` | the page and its files |
//! | `probes.rs` | `metrics`, `livez`, `readyz`, `openapi.json` |

mod actions;
mod body;
mod events;
mod page;
mod probes;
mod reads;

pub(super) use actions::{act_on_many, act_on_one};
#[cfg(test)]
pub(super) use events::DEFAULT_LIMIT;
pub(super) use events::events;
pub(super) use page::{page, script, slash, style};
pub(super) use probes::{livez, metrics, openapi, readyz};
pub(super) use reads::{attempts, slots, summary, task, tasks};
