//! What a query string asks for. Pure: a text in, a selection or what is wrong with it out.

use actix_web::web::Query;

use super::{attention::Attention, row::BETWEEN_RUNS};

/// Rows on a page where the query does not say.
pub(crate) const DEFAULT_PER_PAGE: usize = 100;
const MAX_PER_PAGE: usize = 500;
/// Longer texts find nothing.
const MAX_TEXT: usize = 200;
const MAX_STATES: usize = 32;

const PHASES: [&str; 11] = [
    "queued",
    "delayed",
    "attached",
    "waiting",
    "waiting_for_permit",
    "running",
    "backing_off",
    BETWEEN_RUNS,
    "paused",
    "stopping",
    "ended",
];
const OUTCOMES: [&str; 7] =
    ["completed", "failed", "canceled", "fatal", "force_aborted", "lost", "rejected"];

/// Which tasks, in which order, on which page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Selection {
    /// Any of these.
    pub(crate) states: Vec<StateTerm>,
    /// In lower case.
    pub(crate) text: Option<String>,
    pub(crate) slot: Option<String>,
    /// `None`: those that need attention first.
    pub(crate) sort: Option<Sort>,
    pub(crate) paging: Paging,
}

/// Which page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paging {
    /// From 1.
    pub(crate) page: usize,
    pub(crate) per_page: usize,
}

impl Default for Paging {
    fn default() -> Self {
        Self { page: 1, per_page: DEFAULT_PER_PAGE }
    }
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            states: vec![StateTerm::Living],
            text: None,
            slot: None,
            sort: None,
            paging: Paging::default(),
        }
    }
}

/// One condition on the state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateTerm {
    Living,
    All,
    Phase(&'static str),
    Outcome(&'static str),
    Attention(Attention),
    AnyAttention,
}

/// What to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) key: SortKey,
    pub(crate) is_descending: bool,
}

macro_rules! sort_keys {
    ($($name:ident $label:literal),*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum SortKey { $($name),* }

        impl SortKey {
            pub(crate) const LABELS: &'static [&'static str] = &[$($label),*];

            fn from_label(label: &str) -> Option<Self> {
                match label { $($label => Some(Self::$name),)* _ => None }
            }
        }
    };
}
sort_keys!(
    Name "name", Id "id", State "state", Attempt "attempt", Streak "streak", InPhase "in_phase",
    Next "next", Age "age", Attention "attention"
);

/// Reads a query string.
///
/// The error says what to write instead.
pub(crate) fn parse(query: &str) -> Result<Selection, String> {
    let pairs = pairs(query)?;
    let mut selection = Selection::default();
    for (name, value) in &pairs {
        take(&mut selection, name, value.trim())?;
    }
    Ok(selection)
}

/// Reads the query string of the page, which also says which task is opened: that is the script's matter.
pub(crate) fn parse_page(query: &str) -> Result<Selection, String> {
    let mut selection = Selection::default();
    for (name, value) in pairs(query)?.iter().filter(|(name, _)| name != "task") {
        take(&mut selection, name, value.trim())?;
    }
    Ok(selection)
}

/// Reads the query string of a list that is not filtered.
pub(crate) fn parse_paging(query: &str) -> Result<Paging, String> {
    let mut paging = Paging::default();
    for (name, value) in &pairs(query)? {
        if !paging.take(name, value.trim())? {
            return Err(format!("there is no parameter `{}`: use page, per_page", clip(name)));
        }
    }
    Ok(paging)
}

impl Paging {
    /// Whether it is one of its two parameters.
    fn take(&mut self, name: &str, value: &str) -> Result<bool, String> {
        match name {
            "page" | "per_page" if value.is_empty() => {}
            "page" => self.page = number(name, value, usize::MAX)?,
            "per_page" => self.per_page = number(name, value, MAX_PER_PAGE)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The parameters, each of them once at the most.
pub(crate) fn pairs(query: &str) -> Result<Vec<(String, String)>, String> {
    let pairs = Query::<Vec<(String, String)>>::from_query(query)
        .map_err(|error| format!("the query cannot be read: {error}"))?
        .into_inner();
    for (at, (name, _)) in pairs.iter().enumerate() {
        if pairs[..at].iter().any(|(before, _)| before == name) {
            return Err(format!(
                "`{name}` is there twice: write it once (states may be joined by commas)"
            ));
        }
    }
    Ok(pairs)
}

fn take(selection: &mut Selection, name: &str, value: &str) -> Result<(), String> {
    match name {
        // The form of the page sends every field, also the empty ones.
        "state" | "text" | "slot" | "sort" if value.is_empty() => {}
        "state" => selection.states = states(value)?,
        "text" => selection.text = Some(text(value)?),
        "slot" => selection.slot = Some(value.to_owned()),
        "sort" => selection.sort = Some(sort(value)?),
        _ if selection.paging.take(name, value)? => {}
        _ => {
            return Err(format!(
                "there is no parameter `{}`: use state, text, slot, sort, page, per_page",
                clip(name)
            ));
        }
    }
    Ok(())
}

/// Reads states joined by commas.
pub(crate) fn states(value: &str) -> Result<Vec<StateTerm>, String> {
    let terms: Vec<&str> = value.split(',').map(str::trim).collect();
    if terms.len() > MAX_STATES {
        return Err(format!("at most {MAX_STATES} states may be named"));
    }
    terms.into_iter().map(state).collect()
}

fn state(label: &str) -> Result<StateTerm, String> {
    let known = |labels: &'static [&'static str]| labels.iter().find(|known| **known == label);
    match label {
        "living" => return Ok(StateTerm::Living),
        "all" => return Ok(StateTerm::All),
        "attention" => return Ok(StateTerm::AnyAttention),
        _ => {}
    }
    if let Some(kind) = Attention::from_label(label) {
        return Ok(StateTerm::Attention(kind));
    }
    let phase = known(&PHASES).map(|phase| StateTerm::Phase(phase));
    let outcome = || known(&OUTCOMES).map(|outcome| StateTerm::Outcome(outcome));
    phase.or_else(outcome).ok_or_else(|| {
        format!(
            "there is no state `{}`: use living, all, a phase ({}), an outcome ({}), attention, or one of {}",
            clip(label),
            PHASES.join(", "),
            OUTCOMES.join(", "),
            Attention::ALL.map(Attention::label).join(", ")
        )
    })
}

/// Checks a text to search for.
pub(crate) fn text(value: &str) -> Result<String, String> {
    if value.chars().count() > MAX_TEXT {
        return Err(format!("`text` may have {MAX_TEXT} characters at the most"));
    }
    Ok(value.to_lowercase())
}

fn sort(value: &str) -> Result<Sort, String> {
    let (is_descending, label) = match value.strip_prefix('-') {
        Some(label) => (true, label),
        None => (false, value),
    };
    let key = SortKey::from_label(label).ok_or_else(|| {
        format!(
            "there is no sort key `{}`: use {}, with `-` before it for descending",
            clip(label),
            SortKey::LABELS.join(", ")
        )
    })?;
    Ok(Sort { key, is_descending })
}

fn number(name: &str, value: &str, most: usize) -> Result<usize, String> {
    let number = value.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| match most {
        usize::MAX => format!("`{name}` is a number from 1 on, and not `{}`", clip(value)),
        _ => format!("`{name}` is a number from 1 to {most}, and not `{}`", clip(value)),
    })
}

/// What a client wrote, short enough to be said back.
fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}
