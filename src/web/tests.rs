use std::time::{Duration, SystemTime};

use super::{
    DEFAULT_LONG_BACKOFF, DEFAULT_MAX_STREAMS, DEFAULT_METRIC_NAMES, DEFAULT_RING_CAPACITY,
    ShutdownPlan, WebOptions, answers,
    headers::is_preferred,
    html::escape,
    listing,
    origin::{Provenance, may_act},
    problem::Code,
    text::{MAX_SAID, is_sayable, neutral},
    time,
};
use crate::{
    event::{EventType, TypeSet},
    supervisor::Interest,
};

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

#[test]
fn defaults_are_what_the_documentation_says() {
    let options = WebOptions::default();
    assert!(!options.has_actions && options.access.is_none());
    assert_eq!((options.ring_capacity, DEFAULT_RING_CAPACITY), (1000, 1000));
    assert_eq!((options.max_streams, DEFAULT_MAX_STREAMS), (64, 64));
    let minute = Duration::from_secs(60);
    assert_eq!((options.long_backoff, DEFAULT_LONG_BACKOFF), (minute, minute));
    assert_eq!((options.metric_names, DEFAULT_METRIC_NAMES), (100, 100));
    assert_eq!((listing::Selection::default().paging.page, listing::DEFAULT_PER_PAGE), (1, 100));
    assert_eq!(answers::DEFAULT_LIMIT, 100);
    let plan = ShutdownPlan::new().requests(Duration::from_secs(10)).load_balancer(Duration::ZERO);
    assert_eq!(ShutdownPlan::default(), plan);
}

#[test]
fn what_operators_say_is_one_short_line() {
    let table = [
        ("", true),
        ("the upstream is down — again", true),
        (&*"ß".repeat(MAX_SAID), true),
        (&*"x".repeat(MAX_SAID + 1), false),
        ("two\nlines", false),
        ("\u{1b}[2J", false),
        ("\u{202e}desrever", false),
    ];
    for (text, expected) in table {
        assert_eq!(is_sayable(text), expected, "{text:?}");
    }
}

// Another subscription may be looked at between the call and this one's: see `Interest::raise_for_good`.
#[test]
fn what_is_wanted_for_good_is_taken_back_by_nobody() {
    let interest = Interest::default();
    interest.set(TypeSet::NONE.with(EventType::TaskFailed));
    assert!(!interest.wants(EventType::TaskAdded));
    interest.raise_for_good();
    for types in [TypeSet::NONE, TypeSet::NONE.with(EventType::TaskFailed), TypeSet::ALL] {
        interest.set(types);
        assert!(EventType::ALL.iter().all(|kind| interest.wants(*kind)));
    }
}
