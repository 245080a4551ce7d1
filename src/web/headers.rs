//! The headers of every reply, and what a request says in its own.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};

/// The page may load what this scope serves, and nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

/// A reply that nobody takes for something else.
fn plain(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    response
}

/// A reply with what holds now: nobody may keep it.
pub(super) fn data(status: StatusCode) -> HttpResponseBuilder {
    let mut response = plain(status);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response
}

/// The page: it runs nothing but its own script, stands in no frame, and tells nobody where it was.
pub(super) fn page() -> HttpResponseBuilder {
    let mut response = data(StatusCode::OK);
    response
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"));
    response
}

/// A file of the page: may be kept, is asked about each time, and is the same for this version of the crate.
pub(super) fn file(status: StatusCode, etag: &str) -> HttpResponseBuilder {
    let mut response = plain(status);
    response.insert_header((header::CACHE_CONTROL, "no-cache")).insert_header((header::ETAG, etag));
    response
}

/// The text of a header, if it is there once and is text.
pub(super) fn text<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Whether the client names this media type before any that would do as well.
pub(super) fn prefers(request: &HttpRequest, media_type: &str) -> bool {
    text(request, "accept").is_some_and(|accept| is_preferred(accept, media_type))
}

/// Of the types that are named in full, the one with the highest quality wins, then the first. Pure.
pub(super) fn is_preferred(accept: &str, media_type: &str) -> bool {
    let mut best: Option<(f32, &str)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
        if quality > 0.0 && best.is_none_or(|(known, _)| quality > known) {
            best = Some((quality, name));
        }
    }
    best.is_some_and(|(_, name)| name.eq_ignore_ascii_case(media_type))
}
