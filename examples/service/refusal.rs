//! How a request is refused: a status, a sentence as JSON, and perhaps when to come back.
//!
//! The errors of the supervisor become HTTP statuses here and nowhere else.

use std::fmt;
use std::time::Duration;

use actix::MailboxError;
use actix_taskvisor::prelude::*;
use actix_web::error::JsonPayloadError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde_json::json;

/// When to come back to a limit: what is in the way is short.
const LIMIT_RETRY: Duration = Duration::from_secs(1);

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
        build(self.status, self.retry_after).json(json!({ "error": self.text }))
    }
}

fn build(status: StatusCode, retry_after: Option<Duration>) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    if let Some(after) = retry_after {
        response.insert_header((header::RETRY_AFTER, after.as_secs().max(1).to_string()));
    }
    response
}

/// The head of the answer to a client that waited for this end.
pub fn of_outcome(outcome: &TaskOutcome) -> HttpResponseBuilder {
    let (status, retry_after) = match outcome {
        TaskOutcome::Completed => (StatusCode::OK, None),
        TaskOutcome::Rejected { kind } => of_rejection(*kind),
        TaskOutcome::Canceled { cause: CancelCause::Shutdown, .. }
        | TaskOutcome::ForceAborted { cause: CancelCause::Shutdown } => {
            (StatusCode::SERVICE_UNAVAILABLE, None)
        }
        // Somebody else had it stopped.
        TaskOutcome::Canceled { .. } | TaskOutcome::ForceAborted { .. } => {
            (StatusCode::CONFLICT, None)
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, None),
    };
    build(status, retry_after)
}

/// 429 where the tenant's own requests are in the way, 503 where those of others are.
fn of_rejection(kind: RejectionKind) -> (StatusCode, Option<Duration>) {
    match kind {
        RejectionKind::SlotBusy { .. }
        | RejectionKind::Superseded { .. }
        | RejectionKind::AlreadyExists { .. } => (StatusCode::CONFLICT, None),
        RejectionKind::SlotQueueFull { .. } | RejectionKind::QueueTimeout { .. } => {
            (StatusCode::TOO_MANY_REQUESTS, Some(LIMIT_RETRY))
        }
        RejectionKind::QueuesFull { .. }
        | RejectionKind::SlotsFull { .. }
        | RejectionKind::LimitReached { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, Some(LIMIT_RETRY))
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, None),
    }
}

impl From<AddError> for Refusal {
    fn from(error: AddError) -> Self {
        let status = match error {
            AddError::AlreadyExists { .. } => StatusCode::CONFLICT,
            AddError::InvalidSpec { .. } => StatusCode::BAD_REQUEST,
            AddError::LimitReached { .. } => return Self::busy(error.to_string(), LIMIT_RETRY),
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}

impl From<SubmitError> for Refusal {
    fn from(error: SubmitError) -> Self {
        let (status, retry_after) =
            error.kind().map_or((StatusCode::SERVICE_UNAVAILABLE, None), of_rejection);
        Self { status, text: error.to_string(), retry_after }
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
