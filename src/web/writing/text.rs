//! The list of tasks as an aligned table for terminals, and which texts are plain. Pure.

use std::fmt::Write as _;

use crate::web::{
    listing::{Page, Row, Selection},
    time::short,
};

const HEAD: [&str; 9] =
    ["ID", "NAME", "STATE", "FOR", "ATTEMPT", "STREAK", "NEXT", "ATTENTION", "LAST ERROR"];
/// Longer texts are cut: a line is a line.
const MAX_CELL: usize = 80;
/// The longest name and reason of an operator, in characters.
pub(in crate::web) const MAX_SAID: usize = 200;

/// The page as lines of columns; the last column is not padded.
pub(in crate::web) fn table(page: &Page, selection: &Selection) -> String {
    let head = HEAD.map(str::to_owned);
    let lines: Vec<[String; 9]> = [head].into_iter().chain(page.rows.iter().map(cells)).collect();
    let mut widths = [0; 9];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in &lines {
        let padded: Vec<String> =
            line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let _ = writeln!(text, "{}", padded.join("  ").trim_end()); // writing to a text cannot fail
    }
    let (number, pages, total) = (selection.paging.page, page.pages, page.total);
    let _ = writeln!(text, "page {number} of {pages}, {total} in all");
    text
}

fn cells(row: &Row) -> [String; 9] {
    let status = &row.status;
    let attention: Vec<_> = row.attention.iter().map(|kind| kind.label()).collect();
    let state = status.outcome.as_ref().map_or(row.state(), |outcome| outcome.label());
    [
        row.id().to_string(),
        cell(row.name()),
        state.to_owned(),
        short(status.in_phase_for),
        status.attempt.to_string(),
        status.streak.to_string(),
        status.next_attempt_in.map_or_else(|| "-".to_owned(), short),
        if attention.is_empty() { "-".to_owned() } else { attention.join(",") },
        status.last_failure.as_ref().map_or_else(|| "-".to_owned(), |why| cell(why.text())),
    ]
}

fn cell(text: &str) -> String {
    let text = neutral(text);
    if text.chars().count() <= MAX_CELL {
        return text;
    }
    text.chars().take(MAX_CELL - 1).chain(['…']).collect()
}

/// Whether it may stand in an event as what an operator is called or gives as a reason: short, and one plain line.
pub(in crate::web) fn is_sayable(text: &str) -> bool {
    text.chars().count() <= MAX_SAID && !text.chars().any(is_harmful)
}

/// The text without what a terminal would act on: control characters, and those that turn the writing round.
pub(in crate::web) fn neutral(text: &str) -> String {
    text.chars().map(|char| if is_harmful(char) { '\u{fffd}' } else { char }).collect()
}

fn is_harmful(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
        || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
