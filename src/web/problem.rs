use std::{fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use serde_json::json;

use super::headers;

/// Why a request was refused, as RFC 9457 has it.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    code: Code,
    detail: String,
    allow: Option<&'static str>,
    retry_after: Option<Duration>,
}

macro_rules! codes {
    ($($name:ident $label:literal $status:ident $title:literal;)*) => {
        /// What clients tell problems apart by: it never changes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Code { $($name,)* }

        impl Code {
            #[cfg(test)]
            pub(super) const ALL: &'static [Self] = &[$(Self::$name),*];

            pub(super) const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            pub(super) const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    BadQuery "bad_query" BAD_REQUEST "the query makes no sense";
    BadBody "bad_body" BAD_REQUEST "the body makes no sense";
    UnknownVerb "unknown_verb" BAD_REQUEST "there is no such action";
    ReadOnly "read_only" FORBIDDEN "this may be read only";
    Forbidden "forbidden" FORBIDDEN "access is not allowed";
    CrossSite "cross_site" FORBIDDEN "the request may come from another site";
    NotFound "not_found" NOT_FOUND "there is no such task";
    NoSuchRoute "no_such_route" NOT_FOUND "there is no such route";
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "the route has other methods";
    NotApplicable "not_applicable" CONFLICT "the task is in no state for this";
    AlreadyEnded "already_ended" CONFLICT "the task has ended";
    TooLarge "too_large" PAYLOAD_TOO_LARGE "the body is too large";
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "the body is no JSON";
    TooManyStreams "too_many_streams" SERVICE_UNAVAILABLE "there are too many event streams";
    ShuttingDown "shutting_down" SERVICE_UNAVAILABLE "the supervisor is shutting down";
    Busy "busy" SERVICE_UNAVAILABLE "the supervisor is busy";
}

impl Problem {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), allow: None, retry_after: None }
    }

    pub(super) fn bad_query(detail: impl Into<String>) -> Self {
        Self::new(Code::BadQuery, detail)
    }

    pub(super) fn bad_body(detail: impl Into<String>) -> Self {
        Self::new(Code::BadBody, detail)
    }

    pub(super) fn no_task(id: u64) -> Self {
        Self::new(Code::NotFound, format!("no task has the id {id}, or it is forgotten by now"))
    }

    pub(super) fn shutting_down() -> Self {
        Self::new(Code::ShuttingDown, "the supervisor is shutting down or has ended")
    }

    pub(super) fn busy(detail: impl Into<String>) -> Self {
        Self::new(Code::Busy, detail).retry_after(Duration::from_secs(1))
    }

    pub(super) fn retry_after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }

    pub(super) fn allow(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    pub(super) fn code(&self) -> Code {
        self.code
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.title(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let body = json!({
            "type": "about:blank",
            "title": self.code.title(),
            "status": self.code.status().as_u16(),
            "code": self.code.label(),
            "detail": self.detail,
        });
        let mut response = headers::data(self.code.status());
        if let Some(methods) = self.allow {
            response.insert_header((header::ALLOW, methods));
        }
        if let Some(time) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, time.as_secs().max(1).to_string()));
        }
        response.content_type("application/problem+json").body(body.to_string())
    }
}
