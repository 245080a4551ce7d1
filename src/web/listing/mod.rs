//! Which tasks are shown, in which order: pure, over rows that were read before.
//!
//! | file | question |
//! |---|---|
//! | `row.rs` | what is known of one task, and which actions make sense now |
//! | `attention.rs` | what needs somebody's attention, and why |
//! | `query.rs` | what does the query string ask for, and what is wrong with it |
//! | `select.rs` | which rows is that, in which order, on which page |
//! | `roster.rs` | the one that is not pure: asks `Registry`, and makes the rows |

mod attention;
mod query;
mod roster;
mod row;
mod select;
#[cfg(test)]
mod tests;

pub(super) use attention::Attention;
#[cfg(test)]
pub(super) use attention::{Seen, needs};
#[cfg(test)]
pub(super) use query::DEFAULT_PER_PAGE;
pub(super) use query::{
    Selection, StateTerm, pairs, parse, parse_page, parse_paging, states, text,
};
pub(super) use roster::{Roster, ask, sighted};
pub(super) use row::{Row, applicable};
pub(super) use select::{Page, cut, page, selects};
