//! Bodies of actions: how they are read, and what they say.

use actix_web::{
    HttpRequest,
    web::{Bytes, Payload},
};
use serde::Deserialize;

use crate::{
    operator::OperatorVerb,
    web::{
        headers,
        listing::{self, Selection, StateTerm},
        problem::{Code, Problem},
        text::{MAX_SAID, is_sayable},
        views::verb_label,
    },
};

/// The longest body.
const MAX_BODY: usize = 16 * 1024;

/// An action on one task.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct One {
    pub(super) why: Option<String>,
}

/// An action on many.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Many {
    verb: String,
    selector: Selector,
    #[serde(default)]
    pub(super) dry_run: bool,
    why: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Selector {
    ids: Option<Vec<u64>>,
    state: Option<String>,
    text: Option<String>,
    slot: Option<String>,
}

/// Which tasks an action on many is for.
pub(super) enum Chosen {
    Ids(Vec<u64>),
    Matching(Selection),
}

/// Reads the whole body, which says that it is JSON if there is one.
pub(super) async fn read(request: &HttpRequest, payload: Payload) -> Result<Bytes, Problem> {
    let bytes = match payload.to_bytes_limited(MAX_BODY).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => {
            return Err(Problem::bad_body(format!("the body cannot be read: {error}")));
        }
        Err(_) => {
            let detail =
                format!("a body may have {MAX_BODY} bytes: name fewer ids, or select by state");
            return Err(Problem::new(Code::TooLarge, detail));
        }
    };
    let media_type = headers::text(request, "content-type").unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if bytes.is_empty() || media_type.eq_ignore_ascii_case("application/json") {
        return Ok(bytes);
    }
    Err(Problem::new(
        Code::UnsupportedMediaType,
        "send the body as `Content-Type: application/json`",
    ))
}

impl One {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let body: Self = serde_json::from_slice(bytes).map_err(|error| {
            Problem::bad_body(format!("write {{\"why\": \"text\"}} or nothing: {error}"))
        })?;
        Ok(Self { why: reason(body.why)? })
    }
}

impl Many {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let body: Self = serde_json::from_slice(bytes).map_err(|error| {
            Problem::bad_body(format!(
                "write {{\"verb\", \"selector\": {{\"ids\"}} or {{\"state\", \"text\", \"slot\"}}, \"dry_run\", \"why\"}}: {error}"
            ))
        })?;
        Ok(Self { why: reason(body.why)?, ..body })
    }

    pub(super) fn verb(&self) -> Result<OperatorVerb, Problem> {
        verb_named(&self.verb)
    }

    pub(super) fn why(&self) -> Option<String> {
        self.why.clone()
    }

    pub(super) fn chosen(&self) -> Result<Chosen, Problem> {
        let Selector { ids, state, text, slot } = &self.selector;
        if let Some(ids) = ids {
            if state.is_some() || text.is_some() || slot.is_some() {
                return Err(Problem::bad_body(
                    "select by ids, or by state, text and slot, not by both",
                ));
            }
            let mut ids = ids.clone();
            ids.sort_unstable();
            ids.dedup();
            return Ok(Chosen::Ids(ids));
        }
        if state.is_none() && text.is_none() && slot.is_none() {
            return Err(Problem::bad_body(
                "an empty selector would mean every task: write {\"state\": \"living\"}",
            ));
        }
        let states = state.as_deref().filter(|state| !state.is_empty());
        let states = states.map_or_else(|| Ok(vec![StateTerm::Living]), listing::states);
        let text = text.as_deref().filter(|text| !text.is_empty()).map(listing::text).transpose();
        Ok(Chosen::Matching(Selection {
            states: states.map_err(Problem::bad_body)?,
            text: text.map_err(Problem::bad_body)?,
            slot: slot.clone().filter(|slot| !slot.is_empty()),
            ..Selection::default()
        }))
    }
}

/// The action of this name.
pub(super) fn verb_named(name: &str) -> Result<OperatorVerb, Problem> {
    let known = OperatorVerb::ALL.iter().find(|verb| verb_label(**verb) == name);
    known.copied().ok_or_else(|| {
        let said: String = name.chars().take(40).collect();
        let labels: Vec<_> = OperatorVerb::ALL.iter().map(|verb| verb_label(*verb)).collect();
        Problem::new(
            Code::UnknownVerb,
            format!("there is no action `{said}`: use {}", labels.join(", ")),
        )
    })
}

fn reason(why: Option<String>) -> Result<Option<String>, Problem> {
    let why = why.map(|why| why.trim().to_owned()).filter(|why| !why.is_empty());
    match why {
        Some(why) if !is_sayable(&why) => Err(Problem::bad_body(format!(
            "`why` may have {MAX_SAID} characters at the most, without line breaks and control characters"
        ))),
        other => Ok(other),
    }
}
