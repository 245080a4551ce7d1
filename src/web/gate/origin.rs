//! Whether an unsafe request may act, or a page of somebody else's may have caused it. Pure.
//!
//! A browser adds credentials to requests that other sites cause. It also says where a request comes from, in headers
//! that no page can set; a program that is no browser says something that no page can say without being asked first.
//!
//! | `Sec-Fetch-Site` | `Origin` | else | may act |
//! |---|---|---|---|
//! | `same-origin`, `none` | any | any | yes |
//! | anything else | any | any | no |
//! | absent | the host of the request | any | yes |
//! | absent | anything else, `null` too | any | no |
//! | absent | absent | `Authorization` or `X-Requested-With` | yes |
//! | absent | absent | neither | no |
//!
//! The host is that of the header `Host` alone: `Forwarded` and its kin may come from anybody. A proxy that rewrites `Host`
//! makes old browsers fail here, not attackers pass; new ones send `Sec-Fetch-Site`.

/// What a request says of where it comes from.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::web) struct Provenance<'a> {
    pub(in crate::web) fetch_site: Option<&'a str>,
    pub(in crate::web) origin: Option<&'a str>,
    pub(in crate::web) host: Option<&'a str>,
    pub(in crate::web) has_authorization: bool,
    pub(in crate::web) has_requested_with: bool,
}

/// See the table above.
pub(in crate::web) fn may_act(request: Provenance<'_>) -> bool {
    match (request.fetch_site, request.origin) {
        (Some(site), _) => {
            site.eq_ignore_ascii_case("same-origin") || site.eq_ignore_ascii_case("none")
        }
        (None, Some(origin)) => request.host.is_some_and(|host| is_of_host(origin, host)),
        (None, None) => request.has_authorization || request.has_requested_with,
    }
}

/// Whether the origin names this host and port; the scheme does not matter, as a proxy may speak another one.
fn is_of_host(origin: &str, host: &str) -> bool {
    let Some((scheme, place)) = origin.split_once("://") else { return false };
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => "80",
        "https" => "443",
        _ => return false,
    };
    if place.is_empty() || place.contains(['/', '@', '?', '#']) {
        return false;
    }
    let (name, port) = split_port(place);
    let (own_name, own_port) = split_port(host);
    let is_same_port = port.unwrap_or(default_port) == own_port.unwrap_or(default_port);
    name.eq_ignore_ascii_case(own_name) && is_same_port
}

/// Splits `name:port`; the colons of an IPv6 address stand in brackets.
fn split_port(place: &str) -> (&str, Option<&str>) {
    match place.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (name, Some(port))
        }
        _ => (place, None),
    }
}
