//! What the server writes into the page, for those without a script. Pure.

use std::fmt::Write as _;

use actix_web::web::Query;

use crate::web::{
    listing::{Page, Roster, Row, Selection},
    time::short,
    views,
};

/// What goes into the template; HTML, each of it.
#[derive(Debug)]
pub(in crate::web) struct Filling {
    pub(in crate::web) rows: String,
    pub(in crate::web) summary: String,
    pub(in crate::web) nav: String,
}

/// Puts it into the template, in one pass: what is put in is not looked at again. The template's comments stay behind.
pub(in crate::web) fn fill(template: &str, filling: &Filling) -> String {
    let mut page = String::with_capacity(template.len() + filling.rows.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("<!--") {
        put(&mut page, before, filling);
        rest = after.split_once("-->").map_or("", |(_, after)| after);
    }
    put(&mut page, rest, filling);
    page
}

fn put(page: &mut String, part: &str, filling: &Filling) {
    let mut rest = part;
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            page.push_str("{{");
            rest = after;
            continue;
        };
        match name {
            "rows" => page.push_str(&filling.rows),
            "summary" => page.push_str(&filling.summary),
            "nav" => page.push_str(&filling.nav),
            other => {
                let _ = write!(page, "{{{{{other}}}}}"); // writing to a text cannot fail
            }
        }
        rest = after;
    }
    page.push_str(rest);
}

/// "12 tasks, 2 need attention".
pub(in crate::web) fn summary(roster: &Roster) -> String {
    let total = roster.rows.iter().filter(|row| row.is_living()).count();
    let tasks = if total == 1 { "1 task".to_owned() } else { format!("{total} tasks") };
    match roster.troubled() {
        0 => format!("{tasks}, nothing needs attention"),
        1 => format!("{tasks}, 1 needs attention"),
        troubled => format!("{tasks}, {troubled} need attention"),
    }
}

/// The rows of the table.
pub(in crate::web) fn rows(page: &Page) -> String {
    page.rows.iter().map(row).collect()
}

fn row(row: &Row) -> String {
    let status = &row.status;
    let class = if row.attention.is_empty() { "" } else { " class=\"needs\"" };
    let state = match &status.outcome {
        Some(outcome) => outcome.label(),
        None if status.is_paused && status.phase.label() != "paused" => "pausing",
        None => row.state(),
    };
    let cells = [
        ("c-name", "Name", row.name().to_owned()),
        ("c-state", "State", state.replace('_', " ")),
        ("c-time", "In state", short(status.in_phase_for)),
        ("c-attempt", "Attempt", status.attempt.to_string()),
        (
            "c-streak",
            "Streak",
            if status.streak == 0 { String::new() } else { status.streak.to_string() },
        ),
        (
            "c-next",
            "Next",
            status.next_attempt_in.map_or_else(String::new, |time| format!("in {}", short(time))),
        ),
        (
            "c-error",
            "Last error",
            status.last_failure.as_ref().map_or("", |why| why.text()).to_owned(),
        ),
        (
            "c-policy",
            "Policy",
            row.cell.as_ref().map_or_else(String::new, |cell| views::policy(&cell.rules)),
        ),
    ];
    let cells: String = cells
        .iter()
        .map(|(class, label, text)| {
            format!("<td class=\"{class}\" data-label=\"{label}\">{}</td>", escape(text))
        })
        .collect();
    let (id, name) = (row.id(), escape(row.name()));
    format!("<tr data-id=\"{id}\" data-name=\"{name}\"{class}>{cells}</tr>\n")
}

/// Links to the pages around this one, the rest of the query kept.
pub(in crate::web) fn nav(page: &Page, selection: &Selection, query: &str) -> String {
    if page.pages <= 1 {
        return String::new();
    }
    let kept = kept(query);
    let mut links = String::new();
    let (first, last) =
        (selection.paging.page.saturating_sub(3).max(1), selection.paging.page.saturating_add(3));
    let around = first..=last.min(page.pages);
    let mut numbers: Vec<usize> = around.collect();
    if !numbers.contains(&1) {
        numbers.insert(0, 1);
    }
    if !numbers.contains(&page.pages) {
        numbers.push(page.pages);
    }
    for number in numbers {
        let current = if number == selection.paging.page { " aria-current=\"page\"" } else { "" };
        let _ = write!(links, "<a href=\"?{}page={number}\"{current}>{number}</a> ", escape(&kept));
    }
    links
}

/// The query without its page, encoded anew.
fn kept(query: &str) -> String {
    let pairs = Query::<Vec<(String, String)>>::from_query(query);
    let pairs = pairs.map(Query::into_inner).unwrap_or_default();
    let mut kept = String::new();
    for (name, value) in pairs.iter().filter(|(name, value)| name != "page" && !value.is_empty()) {
        let _ = write!(kept, "{}={}&", encoded(name), encoded(value));
    }
    kept
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Text for HTML, also inside of quoted attributes.
pub(in crate::web) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
