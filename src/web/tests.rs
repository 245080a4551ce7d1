use super::{
    headers::is_preferred,
    html::escape,
    origin::{Provenance, may_act},
    problem::Code,
    text::neutral,
    time,
};
use std::time::{Duration, SystemTime};

const NOTHING: Provenance<'static> = Provenance {
    fetch_site: None,
    origin: None,
    host: Some("tasks.example:8080"),
    has_authorization: false,
    has_requested_with: false,
};

#[test]
fn only_what_no_other_site_can_cause_may_act() {
    let site = |site| Provenance { fetch_site: Some(site), ..NOTHING };
    let origin = |origin| Provenance { origin: Some(origin), ..NOTHING };
    let at = |origin, host| Provenance { origin: Some(origin), host: Some(host), ..NOTHING };
    let everything = Provenance {
        fetch_site: Some("cross-site"),
        origin: Some("http://tasks.example:8080"),
        has_authorization: true,
        has_requested_with: true,
        ..NOTHING
    };
    let table = [
        (site("same-origin"), true),
        (site("none"), true),
        (site("same-site"), false),
        (site("cross-site"), false),
        (site("new-word"), false),
        (everything, false),
        (Provenance { origin: Some("http://evil.example"), ..site("same-origin") }, true),
        (origin("http://tasks.example:8080"), true),
        (origin("https://TASKS.example:8080"), true),
        (origin("http://tasks.example"), false),
        (origin("http://tasks.example:8081"), false),
        (origin("http://evil.example:8080"), false),
        (origin("http://tasks.example:8080.evil.example"), false),
        (origin("http://evil.example@tasks.example:8080"), false),
        (origin("null"), false),
        (origin(""), false),
        (origin("file://"), false),
        (at("https://tasks.example", "tasks.example:443"), true),
        (at("http://tasks.example:80", "tasks.example"), true),
        (at("http://[::1]:8080", "[::1]:8080"), true),
        (at("http://[::1]", "[::1]:8080"), false),
        (Provenance { host: None, ..origin("http://tasks.example:8080") }, false),
        (Provenance { has_authorization: true, ..origin("http://evil.example") }, false),
        (Provenance { has_authorization: true, ..NOTHING }, true),
        (Provenance { has_requested_with: true, ..NOTHING }, true),
        (NOTHING, false),
    ];
    for (request, expected) in table {
        assert_eq!(may_act(request), expected, "{request:?}");
    }
}

#[test]
fn the_type_with_the_highest_quality_is_preferred_and_then_the_first() {
    let table = [
        ("text/plain", true),
        ("TEXT/plain; charset=utf-8", true),
        ("application/json, text/plain", false),
        ("application/json;q=0.5, text/plain", true),
        ("text/plain;q=0", false),
        ("*/*", false),
        ("", false),
    ];
    for (accept, expected) in table {
        assert_eq!(is_preferred(accept, "text/plain"), expected, "{accept}");
    }
}

#[test]
fn nothing_of_a_name_reaches_html_or_a_terminal_as_a_command() {
    assert_eq!(escape("<a b=\"c\">&'"), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
    assert_eq!(neutral("a\u{1b}[31m\n\u{9b}\u{202e}ß"), "a\u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}ß");
}

#[test]
fn moments_are_utc_in_milliseconds_also_where_the_clock_is_wrong() {
    let at = |millis| time::moment(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
    assert_eq!(at(1_000_123), "1970-01-01T00:16:40.123Z");
    assert_eq!(at(u64::MAX / 2), "9999-12-31T23:59:59.000Z");
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    assert_eq!(time::moment(before), "1970-01-01T00:00:00.000Z");
}

#[test]
fn the_description_is_json_and_names_every_problem() {
    let document: serde_json::Value =
        serde_json::from_str(include_str!("openapi.json")).expect("is JSON");
    let codes = &document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
    let expected: Vec<_> = Code::ALL.iter().map(|code| code.label()).collect();
    assert_eq!(*codes, serde_json::json!(expected));
}

#[test]
fn the_page_is_small_and_fetches_nothing_from_elsewhere() {
    let files = [
        include_str!("page/index.html"),
        include_str!("page/page.css"),
        include_str!("page/page.js"),
    ];
    let size: usize = files.iter().map(|file| file.len()).sum();
    assert!(size < 80_000, "{size} bytes");
    for file in files {
        let addresses = file.replace("http://www.w3.org/2000/svg", "");
        assert!(!addresses.contains("//cdn") && !addresses.contains("http"), "an address");
        assert!(!file.contains("innerHTML") && !file.contains("eval("));
    }
}
