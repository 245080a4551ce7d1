//! How a request is refused: a status, a sentence as JSON, and perhaps when to come back.
//!
//! The errors of the supervisor become HTTP statuses here and nowhere else.

use std::fmt;
use std::time::Duration;

use actix::MailboxError;
use actix_taskvisor::prelude::*;
use actix_web::error::JsonPayloadError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

use crate::events::JoinError;

/// What the client did wrong, or why the service cannot do it now.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    text: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    pub fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    pub fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    pub fn conflict(text: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, text)
    }

    /// The service is whole, but cannot take this now: come back after `retry_after`.
    pub fn busy(text: impl Into<String>, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::unavailable(text) }
    }

    pub fn unavailable(text: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
    }

    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), retry_after: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(after) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, after.as_secs().max(1).to_string()));
        }
        response.json(json!({ "error": self.text }))
    }
}

impl From<AddError> for Refusal {
    fn from(error: AddError) -> Self {
        let status = match error {
            AddError::AlreadyExists { .. } => StatusCode::CONFLICT,
            AddError::InvalidSpec { .. } => StatusCode::BAD_REQUEST,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}

impl From<StopError> for Refusal {
    fn from(error: StopError) -> Self {
        let status = match error {
            StopError::NotFound { .. } => StatusCode::NOT_FOUND,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<JoinError> for Refusal {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::TooMany { limit, retry_after } => {
                Self::busy(format!("there are {limit} event streams already"), retry_after)
            }
            JoinError::Closed => Self::unavailable("the service is shutting down"),
        }
    }
}

/// The actor is gone.
impl From<MailboxError> for Refusal {
    fn from(_: MailboxError) -> Self {
        Self::unavailable("there are no events any more")
    }
}

impl From<JsonPayloadError> for Refusal {
    fn from(error: JsonPayloadError) -> Self {
        match error {
            JsonPayloadError::ContentType => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send the body with the header `content-type: application/json`",
            ),
            JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string())
            }
            JsonPayloadError::Deserialize(why) => Self::bad_request(why.to_string()),
            _ => Self::bad_request(error.to_string()),
        }
    }
}
