//! Which rows a selection means, in which order, on which page. Pure.

use std::cmp::Ordering;

use super::{
    query::{Paging, Selection, Sort, SortKey, StateTerm},
    row::Row,
};

/// One page of rows.
#[derive(Debug)]
pub(crate) struct Page<T = Row> {
    /// The rows of all pages.
    pub(crate) total: usize,
    pub(crate) pages: usize,
    pub(crate) rows: Vec<T>,
}

/// Selects, sorts, and cuts out the page.
pub(crate) fn page(rows: Vec<Row>, selection: &Selection) -> Page {
    let mut rows: Vec<Row> = rows.into_iter().filter(|row| selects(selection, row)).collect();
    match selection.sort {
        // Names are compared as they stand, so that a cached key per row is not needed.
        Some(sort) => rows.sort_by(|a, b| order(sort, a, b).then_with(|| by_name(a, b))),
        None => rows.sort_by(|a, b| urgency(a).cmp(&urgency(b)).then_with(|| by_name(a, b))),
    }
    cut(rows, selection.paging)
}

/// Cuts out a page. One beyond the last is empty.
pub(crate) fn cut<T>(mut rows: Vec<T>, Paging { page, per_page }: Paging) -> Page<T> {
    let total = rows.len();
    let start = page.saturating_sub(1).saturating_mul(per_page).min(total);
    let end = start.saturating_add(per_page).min(total);
    let pages = total.div_ceil(per_page).max(1);
    Page { total, pages, rows: rows.drain(start..end).collect() }
}

/// Whether the row is one of those that are asked for.
pub(crate) fn selects(selection: &Selection, row: &Row) -> bool {
    let status = &row.status;
    selection.states.iter().any(|term| is_in(*term, row))
        && selection.slot.as_deref().is_none_or(|slot| status.slot.as_deref() == Some(slot))
        && selection.text.as_deref().is_none_or(|text| has_text(row, text))
}

fn is_in(term: StateTerm, row: &Row) -> bool {
    let status = &row.status;
    match term {
        StateTerm::Living => row.is_living(),
        StateTerm::All => true,
        StateTerm::Phase(label) => row.state() == label,
        StateTerm::Outcome(label) => {
            status.outcome.as_ref().is_some_and(|outcome| outcome.label() == label)
        }
        StateTerm::Attention(kind) => row.attention.contains(&kind),
        StateTerm::AnyAttention => !row.attention.is_empty(),
    }
}

/// `text` is in lower case. A text like `#7` means the id, and the names and failures that have it.
fn has_text(row: &Row, text: &str) -> bool {
    let id = text.strip_prefix('#').and_then(|id| id.parse().ok());
    id == Some(row.id())
        || contains(row.name(), text)
        || row.status.last_failure.as_ref().is_some_and(|failure| contains(failure.text(), text))
}

/// Without a copy where both are ASCII, as nearly all are.
fn contains(whole: &str, part: &str) -> bool {
    if whole.is_ascii() && part.is_ascii() {
        let part = part.as_bytes();
        return part.is_empty()
            || whole.as_bytes().windows(part.len()).any(|place| place.eq_ignore_ascii_case(part));
    }
    whole.to_lowercase().contains(part)
}

fn by_name(a: &Row, b: &Row) -> Ordering {
    a.name().cmp(b.name()).then_with(|| a.id().cmp(&b.id()))
}

/// Its worst trouble; those without any come last.
fn urgency(row: &Row) -> usize {
    row.attention.first().map_or(usize::MAX, |kind| *kind as usize)
}

fn order(sort: Sort, a: &Row, b: &Row) -> Ordering {
    let (x, y) = (&a.status, &b.status);
    let rising = match sort.key {
        SortKey::Name => by_name(a, b),
        SortKey::Id => a.id().cmp(&b.id()),
        SortKey::State => a.state().cmp(b.state()),
        SortKey::Attempt => x.attempt.cmp(&y.attempt),
        SortKey::Streak => x.streak.cmp(&y.streak),
        SortKey::InPhase => x.in_phase_for.cmp(&y.in_phase_for),
        SortKey::Next => return by_next(sort, a, b),
        SortKey::Age => x.age.cmp(&y.age),
        SortKey::Attention => urgency(a).cmp(&urgency(b)),
    };
    if sort.is_descending { rising.reverse() } else { rising }
}

/// Those without a next attempt come last, whichever way it goes.
fn by_next(sort: Sort, a: &Row, b: &Row) -> Ordering {
    match (a.status.next_attempt_in, b.status.next_attempt_in) {
        (Some(x), Some(y)) if sort.is_descending => y.cmp(&x),
        (Some(x), Some(y)) => x.cmp(&y),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}
