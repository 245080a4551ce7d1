//! `openapi.json` against a real server: what it says is what comes, and nothing comes that it does not say.
#![cfg(feature = "web")]

mod common;
#[path = "common/site.rs"]
mod site;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use actix_taskvisor::{
    prelude::*,
    web::{Access, WebOptions},
};
use common::{Blocked, current_with, dedicated_with, every, ms, within};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use site::{Reply, Site, Stream, acting, client, failing, resident};

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
const TEXT: &str = "text/plain";
const STREAM: &str = "text/event-stream";

// ---- the document ----

struct Document(Value);

/// Path, method, status, and the media type; for a problem its code, and nothing where there is no body.
type Answer = (String, String, u16, String);

impl Document {
    fn read() -> Self {
        Self(serde_json::from_str(include_str!("../src/web/openapi.json")).expect("is JSON"))
    }

    fn component(&self, name: &str) -> &Value {
        &self.0["components"]["schemas"][name]
    }

    /// Everything that an operation has, by path and method.
    fn operations(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let paths = self.0["paths"].as_object().expect("has paths").iter();
        paths.flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("has methods").iter();
            methods.map(move |(method, operation)| (&**path, &**method, operation))
        })
    }

    fn answers(&self) -> BTreeSet<Answer> {
        let mut answers = BTreeSet::new();
        for (path, method, operation) in self.operations() {
            for (status, response) in operation["responses"].as_object().expect("has responses") {
                let mut add = |what: &str| {
                    let status = status.parse().expect("is a status");
                    answers.insert((path.to_owned(), method.to_owned(), status, what.to_owned()));
                };
                let Some(content) = response["content"].as_object() else {
                    add("");
                    continue;
                };
                for (media_type, content) in content {
                    let codes = &content["schema"]["allOf"][1]["properties"]["code"]["enum"];
                    match codes.as_array() {
                        Some(codes) => codes.iter().filter_map(Value::as_str).for_each(&mut add),
                        None => add(media_type),
                    }
                }
            }
        }
        answers
    }

    #[track_caller]
    fn check(&self, schema: &Value, value: &Value) {
        let root = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": self.0["components"],
        });
        let schema =
            jsonschema::options().should_validate_formats(true).build(&root).expect("is a schema");
        let wrong: Vec<_> = schema
            .iter_errors(value)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?} in {value:#}");
    }
}

// ---- requests and what they are answered with ----

/// Which server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Serving,
    /// Its one stream is taken.
    Full,
    /// Its supervisor takes no command at all.
    Stuck,
    Ended,
}

#[derive(Clone, Debug)]
struct Case {
    place: Place,
    method: &'static str,
    path: &'static str,
    id: String,
    verb: &'static str,
    query: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
    status: u16,
    what: &'static str,
}

fn case(method: &'static str, path: &'static str, status: u16, what: &'static str) -> Case {
    let (place, id, verb, query) = (Place::Serving, "1".to_owned(), "", "");
    let (headers, body) = (Vec::new(), String::new());
    Case { place, method, path, id, verb, query, headers, body, status, what }
}

fn get(path: &'static str, status: u16, what: &'static str) -> Case {
    case("get", path, status, what)
}

fn post(path: &'static str, status: u16, what: &'static str) -> Case {
    case("post", path, status, what).header("x-requested-with", "test")
}

impl Case {
    fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }

    fn id(self, id: impl ToString) -> Self {
        Self { id: id.to_string(), ..self }
    }

    fn verb(self, verb: &'static str) -> Self {
        Self { verb, ..self }
    }

    fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    fn accept(self, media_type: &str) -> Self {
        self.header("accept", media_type)
    }

    /// Who asks: see `options`.
    fn role(self, role: &str) -> Self {
        self.header("x-role", role)
    }

    fn json(self, body: Value) -> Self {
        Self { body: body.to_string(), ..self }.header("content-type", JSON)
    }

    fn url(&self, base: &str, slash: &str) -> String {
        let path = self.path.replace("{id}", &self.id).replace("{verb}", self.verb);
        format!("{base}{path}{slash}{}", self.query)
    }

    async fn send(&self, method: &str, url: &str) -> Reply {
        let method = method.to_uppercase().parse().expect("is a method");
        let mut request = client().request(method, url);
        for (name, value) in &self.headers {
            request = request.insert_header((*name, value.as_str()));
        }
        Reply::of(request.send_body(self.body.clone()).await.expect("answers")).await
    }

    /// The reply is what the table and the document say of it.
    fn check(&self, document: &Document, reply: &Reply) {
        let Self { path, method, status, what, .. } = self;
        assert_eq!(reply.status.as_u16(), *status, "{self:?}: {}", reply.text);
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{self:?}");
        let is_file = path.starts_with("/page.");
        let kept = if is_file && *status < 400 { "no-cache" } else { "no-store" };
        assert_eq!(reply.header("cache-control"), kept, "{self:?}");
        let content =
            &document.0["paths"][path][method]["responses"][status.to_string()]["content"];
        let media_type = reply.header("content-type").split(';').next().unwrap_or_default();
        if what.is_empty() {
            assert_eq!((media_type, &*reply.text, content), ("", "", &Value::Null), "{self:?}");
            return;
        }
        let expected = if what.contains('/') { what } else { PROBLEM };
        assert_eq!(media_type, expected, "{self:?}");
        let schema = &content[media_type]["schema"];
        assert!(schema.is_object(), "not documented: {self:?}");
        if media_type.ends_with("json") {
            document.check(schema, &reply.json());
        } else {
            document.check(schema, &json!(reply.text));
        }
        if expected == PROBLEM {
            reply.is_problem(*status, what);
        }
    }
}

/// Everything that is documented, each answer once at least.
fn table(ids: &Ids, etags: &BTreeMap<&str, String>) -> Vec<Case> {
    use Place::{Ended, Full, Stuck};
    const TASKS: &str = "/api/v1/tasks";
    const TASK: &str = "/api/v1/tasks/{id}";
    const ATTEMPTS: &str = "/api/v1/tasks/{id}/attempts";
    const ACT: &str = "/api/v1/tasks/{id}/actions/{verb}";
    const MANY: &str = "/api/v1/actions";
    const EVENTS: &str = "/api/v1/events";
    let mut table = vec![
        get("/", 200, "text/html"),
        get("/", 400, "bad_query").query("?state=runing"),
        get("/", 503, "busy").at(Stuck),
        get("/page.css", 200, "text/css"),
        get("/page.css", 304, "").header("if-none-match", &etags["/page.css"]),
        get("/page.js", 200, "text/javascript"),
        get("/page.js", 304, "").header("if-none-match", &etags["/page.js"]),
        get("/api/v1/summary", 200, JSON),
        get("/api/v1/summary", 200, JSON).role("reader"),
        get("/api/v1/summary", 200, JSON).at(Ended),
        get("/api/v1/summary", 503, "busy").at(Stuck),
        get(TASKS, 200, JSON).query("?state=all"),
        get(TASKS, 200, JSON).query("?state=attention&per_page=1&page=9"),
        get(TASKS, 200, TEXT).accept(TEXT),
        get(TASKS, 400, "bad_query").query("?page=0"),
        get("/api/v1/slots", 200, JSON),
        get("/api/v1/slots", 200, JSON).query("?per_page=1&page=9"),
        get("/api/v1/slots", 400, "bad_query").query("?slot=tenant"),
        get(EVENTS, 200, JSON),
        get(EVENTS, 200, JSON).query("?after=0ther-7&task=1&limit=3"),
        get(EVENTS, 400, "bad_query").query("?limit=0"),
        get(EVENTS, 503, "too_many_streams").at(Full).accept(STREAM),
        get(EVENTS, 503, "shutting_down").at(Ended).accept(STREAM),
        get(EVENTS, 503, "shutting_down").at(Ended),
        get("/api/v1/openapi.json", 200, JSON),
        get("/metrics", 200, TEXT),
        get("/livez", 200, TEXT),
        get("/livez", 200, TEXT).at(Stuck),
        get("/livez", 200, TEXT).role("none"),
        get("/readyz", 200, TEXT),
        get("/readyz", 200, TEXT).role("none"),
        get("/readyz", 200, TEXT).query("?verbose"),
        get("/readyz", 403, "forbidden").query("?verbose").role("none"),
        get("/readyz", 503, TEXT).at(Ended),
        get("/readyz", 503, "busy").at(Stuck),
        // Actions.
        post(ACT, 202, JSON).id(ids.running).verb("pause"),
        post(ACT, 202, JSON).id(ids.running).verb("resume").json(json!({"why": "it may go on"})),
        post(ACT, 202, JSON).id(ids.running).verb("restart").json(json!({"why": null})),
        post(ACT, 202, JSON).id(ids.backing_off).verb("retry-now"),
        post(ACT, 202, JSON).id(ids.spare).verb("cancel"),
        post(ACT, 400, "unknown_verb").verb("explode"),
        post(ACT, 400, "bad_body").verb("cancel").json(json!({"wy": "a typing error"})),
        post(ACT, 400, "bad_body").verb("cancel").json(json!({"why": "x".repeat(201)})),
        post(ACT, 400, "bad_body").verb("cancel").json(json!({"why": "two\nlines"})),
        post(ACT, 403, "read_only").verb("cancel").role("reader"),
        post(ACT, 403, "cross_site").verb("cancel").header("sec-fetch-site", "cross-site"),
        post(ACT, 404, "not_found").verb("cancel").id(99_999),
        post(ACT, 404, "not_found").verb("cancel").id("poll"),
        post(ACT, 409, "already_ended").verb("pause").id(ids.ended),
        post(ACT, 409, "already_ended").verb("cancel").id(ids.ended),
        post(ACT, 409, "not_applicable").verb("retry-now").id(ids.running),
        post(ACT, 413, "too_large").verb("cancel").json(json!({"why": "x".repeat(20_000)})),
        post(ACT, 503, "busy").verb("cancel").at(Stuck),
        post(ACT, 503, "shutting_down").verb("cancel").at(Ended),
        post(MANY, 200, JSON).json(json!({
            "verb": "cancel", "selector": {"state": "living"}, "dry_run": true
        })),
        post(MANY, 200, JSON).json(json!({
            "verb": "retry-now", "dry_run": false, "why": "all of them",
            "selector": {"ids": [ids.running, ids.ended, 99_999]}
        })),
        post(MANY, 200, JSON).json(json!({
            "verb": "pause", "selector": {"state": "running", "text": "res", "slot": "none"}
        })),
        post(MANY, 400, "unknown_verb").json(json!({"verb": "retry_now", "selector": {"ids": []}})),
        post(MANY, 400, "bad_body").json(json!({"verb": "cancel", "selector": {}})),
        post(MANY, 400, "bad_body").json(json!({"verb": "cancel"})),
        post(MANY, 400, "bad_body")
            .json(json!({"verb": "cancel", "selector": {"ids": [1], "state": "all"}})),
        post(MANY, 400, "bad_body")
            .json(json!({"verb": "cancel", "selector": {"state": "runing"}})),
        post(MANY, 400, "bad_body")
            .json(json!({"verb": "cancel", "selector": {"ids": [1]}, "why": "\u{202e}"})),
        post(MANY, 413, "too_large").json(json!({"verb": "x".repeat(20_000), "selector": {}})),
    ];
    let many = json!({"verb": "cancel", "selector": {"ids": [1]}});
    table.extend([
        post(MANY, 403, "read_only").json(many.clone()).role("reader"),
        post(MANY, 403, "cross_site").json(many.clone()).header("sec-fetch-site", "same-site"),
        post(MANY, 415, "unsupported_media_type")
            .json(many.clone())
            .header("content-type", "application/x-www-form-urlencoded"),
        post(ACT, 415, "unsupported_media_type")
            .verb("cancel")
            .json(json!({}))
            .header("content-type", TEXT),
        post(MANY, 503, "busy").json(many.clone()).at(Stuck),
        post(MANY, 503, "shutting_down").json(many).at(Ended),
    ]);
    for path in [TASK, ATTEMPTS] {
        let each = [ids.running, ids.backing_off, ids.ended, ids.queued, ids.stopping];
        table.extend(each.map(|id| get(path, 200, JSON).id(id)));
        table.extend([
            get(path, 404, "not_found").id(99_999),
            get(path, 404, "not_found").id("poll"),
        ]);
    }
    for path in [TASKS, TASK, ATTEMPTS, "/api/v1/slots", "/metrics"] {
        let shut = get(path, 503, "shutting_down").at(Ended);
        table.extend([shut, get(path, 503, "busy").at(Stuck)]);
    }
    for path in ["/", "/page.css", "/page.js", "/api/v1/summary", TASKS, TASK, ATTEMPTS, EVENTS] {
        table.push(get(path, 403, "forbidden").role("none"));
    }
    for path in ["/api/v1/slots", "/api/v1/openapi.json", "/metrics"] {
        table.push(get(path, 403, "forbidden").role("none"));
    }
    for path in [ACT, MANY] {
        table.push(post(path, 403, "forbidden").verb("cancel").role("none"));
    }
    table
}

// ---- the servers ----

/// The header says who comes.
fn options() -> WebOptions {
    acting().access(|request| {
        match request.headers().get("x-role").and_then(|role| role.to_str().ok()) {
            Some("none") => Access::Forbidden,
            Some("reader") => Access::ReadOnly,
            _ => Access::full("alice"),
        }
    })
}

/// Tasks in various phases.
struct Ids {
    running: u64,
    backing_off: u64,
    ended: u64,
    queued: u64,
    stopping: u64,
    spare: u64,
}

async fn serving() -> (Site, Ids) {
    let site = Site::new(options());
    let add = |spec| async { site.supervisor.add(spec).await.expect("added").id().get() };
    let running = add(resident("resident").required(true).timeout(Duration::from_secs(600))).await;
    let backing_off = add(TaskSpec::new("weak", async |_: TaskContext| {
        Err(TaskError::failed("no route").with_exit_code(7))
    })
    .backoff(every(Duration::from_secs(600))))
    .await;
    let ended = add(failing("bad", "no route")).await;
    let stopping = add(stubborn("stubborn").grace(Duration::from_secs(600))).await;
    let spare = add(resident("spare")).await;
    let mut queued = 0;
    for name in ["owner", "waiter"] {
        let submission = Submission::new(resident(name)).slot("tenant").when_busy(WhenBusy::Queue);
        let submission = submission.priority(-3).max_wait(Duration::from_secs(600));
        queued = site.supervisor.submit(submission).await.expect("taken in").id().get();
    }
    let phase = |id: u64| format!("api/v1/tasks/{id}");
    site.until(&phase(running), |body| body["task"]["phase"] == "running").await;
    site.until(&phase(stopping), |body| body["task"]["phase"] == "running").await;
    site.until(&phase(backing_off), |body| body["task"]["phase"] == "backing_off").await;
    site.until(&phase(ended), |body| body["task"]["is_removed"] == true).await;
    site.post(&format!("api/v1/tasks/{stopping}/actions/cancel"), &json!({})).await;
    (site, Ids { running, backing_off, ended, queued, stopping, spare })
}

/// It ends when it is forced to.
fn stubborn(name: &str) -> TaskSpec {
    TaskSpec::new(name, async |_: TaskContext| std::future::pending().await)
}

/// A server whose supervisor answers nothing: its thread is blocked, and its queue full.
async fn stuck() -> (Site, impl FnOnce()) {
    let (tell, told) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(|| {
        actix_rt::System::new().block_on(async move {
            let supervisor = current_with(|builder| builder.command_capacity(1).fail_fast(true));
            let (spec, blocked) = Blocked::body("blocks");
            // Before the task is added: from its first poll on nothing else runs here.
            let _ = tell.send((supervisor.clone(), blocked));
            let _ = supervisor.add(spec).await.expect("added");
            supervisor.wait_until_empty().await;
            supervisor.shutdown().await;
        });
    });
    let (supervisor, mut blocked) = within("the supervisor", told).await.expect("started");
    let site = Site::of(supervisor, options());
    blocked.reached().await;
    let asked = site.supervisor.list();
    assert!(std::pin::pin!(asked).now_or_never().is_none(), "nobody answers");
    let end = move || {
        drop(blocked);
        thread.join().expect("ends well");
    };
    (site, end)
}

async fn ended() -> Site {
    let site = Site::new(options());
    assert!(site.supervisor.shutdown().await.is_clean());
    site
}

// ---- the tests ----

#[actix_web::test]
async fn every_documented_answer_is_given_as_documented() {
    let document = Document::read();
    let (serving, ids) = serving().await;
    let full = Site::new(options().max_streams(1));
    let taken = full.stream("api/v1/events", None).await;
    let (stuck, unblock) = stuck().await;
    let ended = ended().await;
    let mut etags = BTreeMap::new();
    for path in ["/page.css", "/page.js"] {
        etags.insert(path, serving.get(&path[1..]).await.header("etag").to_owned());
    }
    // A stream has no end: the test of its frames reads it.
    let stream = ("/api/v1/events", "get", 200, STREAM);
    let mut seen = BTreeSet::from([answer(stream.0, stream.1, stream.2, stream.3)]);
    for case in table(&ids, &etags) {
        let base = match case.place {
            Place::Serving => &serving.base,
            Place::Full => &full.base,
            Place::Stuck => &stuck.base,
            Place::Ended => &ended.base,
        };
        let reply = case.send(case.method, &case.url(base, "")).await;
        case.check(&document, &reply);
        seen.insert(answer(case.path, case.method, case.status, case.what));
        if case.status < 300 && !case.body.is_empty() {
            let body = serde_json::from_str(&case.body).expect("is JSON");
            let operation = &document.0["paths"][case.path][case.method];
            document.check(&operation["requestBody"]["content"][JSON]["schema"], &body);
        }
        if case.method == "get" {
            if case.path.starts_with("/api/v1") {
                case.check(&document, &case.send("get", &case.url(base, "/")).await);
            }
            let head = case.send("head", &case.url(base, "")).await;
            let is_stream = case.headers.iter().any(|(_, value)| value == STREAM);
            let status = if is_stream { 200 } else { case.status };
            assert_eq!((head.status.as_u16(), &*head.text), (status, ""), "HEAD of {case:?}");
        }
    }
    let documented = document.answers();
    let untested: Vec<_> = documented.difference(&seen).collect();
    let undocumented: Vec<_> = seen.difference(&documented).collect();
    assert!(untested.is_empty(), "documented, and in no line of the table: {untested:#?}");
    assert!(undocumented.is_empty(), "{undocumented:#?}");
    drop(taken);
    unblock();
    // One task does not stop before its grace is over, and is no concern of this test.
    for site in [serving, full, stuck, ended] {
        site.server.stop(false).await;
    }
}

fn answer(path: &str, method: &str, status: u16, what: &str) -> Answer {
    (path.to_owned(), method.to_owned(), status, what.to_owned())
}

#[actix_web::test]
async fn every_route_is_documented_and_has_no_other_method() {
    let document = Document::read();
    let routes: BTreeSet<_> = include_str!("../src/web/routes.rs")
        .lines()
        .filter_map(|line| {
            let (maker, rest) = line.trim().strip_prefix(".service(")?.split_once("(\"")?;
            let method = if maker.ends_with("post") { "post" } else { "get" };
            Some((rest.split_once('"')?.0, method))
        })
        // The scope's own path, which only redirects, cannot be written as a path of the document.
        .filter(|(path, _)| !path.is_empty())
        .collect();
    assert!(routes.len() > 10, "the routes were not found: {routes:?}");
    let documented: BTreeSet<_> =
        document.operations().map(|(path, method, _)| (path, method)).collect();
    assert_eq!(documented, routes);
    let site = Site::new(options());
    for (path, method) in routes {
        for other in ["get", "head", "post", "put", "patch", "delete", "options"] {
            if other == method || (method == "get" && other == "head") {
                continue;
            }
            let case = case(other, path, 405, "method_not_allowed").verb("cancel");
            let reply = case.send(other, &case.url(&site.base, "")).await;
            assert_eq!(reply.status.as_u16(), 405, "{case:?}");
            let allowed = if method == "get" { "GET, HEAD" } else { "POST" };
            assert_eq!(reply.header("allow"), allowed, "{case:?}");
            if other != "head" {
                document.check(document.component("Problem"), &reply.json());
                reply.is_problem(405, "method_not_allowed");
            }
        }
    }
    for path in ["api", "api/v1", "api/v1/task", "api/v1/tasks/1/", "api/v1/tasks/1/x", "page.html"]
    {
        let reply = site.get(path).await;
        document.check(document.component("Problem"), &reply.json());
        match path {
            "api/v1/tasks/1/" => reply.is_problem(404, "not_found"),
            _ => reply.is_problem(404, "no_such_route"),
        }
    }
    site.end().await;
}

#[test]
fn schemas_admit_no_other_field_and_miss_none() {
    let document = Document::read();
    let requests = ["Why", "ManyAction"];
    let schemas = document.0["components"]["schemas"].as_object().expect("has schemas");
    for (name, schema) in schemas {
        strict(schema, !requests.contains(&name.as_str()), name);
    }
}

fn strict(schema: &Value, is_reply: bool, place: &str) {
    if let Some(parts) = schema.as_object() {
        if let Some(fields) = parts.get("properties").filter(|_| schema["type"] == "object") {
            assert_eq!(schema["additionalProperties"], false, "{place}");
            let fields: BTreeSet<_> = fields.as_object().expect("has fields").keys().collect();
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let required: BTreeSet<_> =
                required.iter().map(|name| name.as_str().expect("is text").to_owned()).collect();
            assert!(!is_reply || required.iter().eq(fields), "{place}");
        } else if schema["type"] == "object" {
            // A map, or an event's detail, which its label decides.
            assert!(schema["additionalProperties"].is_object() || place.ends_with("detail"));
        }
    }
    let parts: Vec<(String, &Value)> = match schema {
        Value::Object(parts) => parts.iter().map(|(name, part)| (name.clone(), part)).collect(),
        Value::Array(parts) => parts.iter().map(|part| ("item".to_owned(), part)).collect(),
        _ => Vec::new(),
    };
    parts.iter().for_each(|(name, part)| strict(part, is_reply, &format!("{place}.{name}")));
}

#[actix_web::test]
async fn every_parameter_is_checked() {
    let document = Document::read();
    let site = Site::new(options());
    let bad = BTreeMap::from([
        ("state", vec!["runing", "running,,", "RUNNING"]),
        ("text", vec![]),
        ("slot", vec![]),
        ("sort", vec!["colour", "--name", "Name"]),
        ("page", vec!["0", "-1", "x", "1.5", "99999999999999999999999"]),
        ("per_page", vec!["0", "501", "x"]),
        ("task", vec!["0", "x", "-1"]),
        ("limit", vec!["0", "1001", "x"]),
        ("after", vec![]),
        ("last_event_id", vec![]),
    ]);
    let good = BTreeMap::from([
        ("state", "running,attention, completed"),
        ("text", "%23%C3%9F"),
        ("slot", "none"),
        ("page", "1000"),
        ("per_page", "500"),
        ("task", "7"),
        ("limit", "1000"),
        ("after", "0123456789ab-7"),
        ("last_event_id", "0123456789ab-7"),
    ]);
    for (path, _, operation) in document.operations().filter(|(path, ..)| *path != "/readyz") {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] != "query" {
                continue;
            }
            let name = parameter["name"].as_str().expect("has a name");
            let values = parameter["schema"]["enum"].as_array().cloned();
            let values = values.unwrap_or_else(|| vec![json!(good[name])]);
            let url = |value: &str| format!("{}?{name}={}", &path[1..], value.replace(' ', "%20"));
            for value in values.iter().filter_map(Value::as_str).chain([""]) {
                let reply = site.get(&url(value)).await;
                assert_eq!(reply.status.as_u16(), 200, "{}", url(value));
            }
            for value in &bad[name] {
                let reply = site.get(&url(value)).await;
                assert_eq!(reply.status.as_u16(), 400, "{}", url(value));
                reply.is_problem(400, "bad_query");
            }
            let twice = format!("{}&{name}=", url(""));
            site.get(&twice).await.is_problem(400, "bad_query");
        }
        if path != "/" && operation["parameters"].to_string().contains("\"query\"") {
            site.get(&format!("{}?colour=red", &path[1..])).await.is_problem(400, "bad_query");
        }
    }
    site.get(&format!("api/v1/tasks?text={}", "x".repeat(201))).await.is_problem(400, "bad_query");
    site.end().await;
}

#[actix_web::test]
async fn every_kind_of_event_and_frame_is_as_documented() {
    let document = Document::read();
    let supervisor = dedicated_with(|builder| builder.grace(ms(300)));
    let site = Site::of(supervisor, options().ring_capacity(9));
    let mut stream = site.stream("api/v1/events", Some("0ther-7")).await;
    cause_events(&site).await;
    let _ = site.supervisor.add(stubborn("stubborn")).await.expect("added");
    site.until("api/v1/tasks?text=stubborn", |body| body["tasks"][0]["phase"] == "running").await;
    let mut overrun = site.stream("api/v1/events?task=1", None).await;
    overrun.until("retry").await;
    let boot = site.get("api/v1/summary").await.json()["boot"].as_str().expect("text").to_owned();
    let mut late = site.stream("api/v1/events", Some(&format!("{boot}-1"))).await;
    late.until("\"overrun\"").await;
    assert!(!site.supervisor.shutdown().await.is_clean());
    let mut labels = BTreeSet::new();
    for stream in [&mut stream, &mut overrun, &mut late] {
        stream.until("event: bye").await;
        labels.extend(checked_frames(&document, stream));
    }
    let mut documented: BTreeSet<_> = labels_of(&document);
    // A supervisor tells of one of both.
    documented.remove("all_stopped_within_grace");
    assert_eq!(labels, documented);
    site.server.stop(false).await;
}

fn labels_of(document: &Document) -> BTreeSet<String> {
    let labels = &document.component("Event")["properties"]["label"]["enum"];
    let labels: Vec<String> = serde_json::from_value(labels.clone()).expect("are texts");
    let known = EventType::ALL.iter().map(|kind| kind.label().to_owned());
    assert_eq!(labels, known.collect::<Vec<_>>());
    labels.into_iter().collect()
}

/// The labels of the events; every frame is valid.
fn checked_frames(document: &Document, stream: &Stream) -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    for frame in stream.text.split("\n\n").filter(|frame| !frame.is_empty()) {
        let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name));
        let Some(kind) = field("event: ") else {
            assert!(frame.starts_with(':'), "{frame}");
            continue;
        };
        let data = serde_json::from_str(field("data: ").expect("has data")).expect("is JSON");
        let schema = match kind {
            "lifecycle" => "Event",
            "gap" => "Gap",
            "bye" => "Bye",
            other => panic!("not documented: {other}"),
        };
        document.check(document.component(schema), &data);
        if kind == "lifecycle" {
            assert_eq!(field("id: "), data["id"].as_str());
            labels.insert(data["label"].as_str().expect("is text").to_owned());
        } else {
            assert_eq!(field("id: "), None, "only what happened may be asked for again");
        }
    }
    labels
}

/// Something of each kind but the end.
async fn cause_events(site: &Site) {
    let supervisor = &site.supervisor;
    let removed = |spec| async { supervisor.add(spec).await.expect("added").removed().await };
    // Ends: good, failed, fatal, timed out, canceled.
    removed(TaskSpec::once("good", async |_: TaskContext| Ok(()))).await;
    removed(failing("bad", "no route")).await;
    let fatal = async |_: TaskContext| Err(TaskError::fatal("no hope").with_exit_code(3));
    removed(TaskSpec::new("fatal", fatal)).await;
    removed(stubborn("late").timeout(ms(5)).timeout_grace(ms(1)).restart(RestartPolicy::Never))
        .await;
    let poll = supervisor.add(resident("poll")).await.expect("added");
    let twice = supervisor.add(resident("poll")).await;
    assert!(twice.is_err());
    let path = format!("api/v1/tasks/{}", poll.id().get());
    let act = |verb: &'static str| {
        let path = format!("{path}/actions/{verb}");
        async move { assert_eq!(site.post(&path, &json!({})).await.status.as_u16(), 202, "{verb}") }
    };
    site.until(&path, |body| body["task"]["phase"] == "running").await;
    act("restart").await;
    site.until(&path, |body| body["task"]["attempt"] == 2).await;
    act("cancel").await;
    poll.removed().await;
    // Delays and pauses.
    let weak = TaskSpec::new("weak", async |_: TaskContext| Err(TaskError::failed("no route")));
    let weak = supervisor.add(weak.backoff(every(Duration::from_secs(600)))).await.expect("added");
    let path = format!("api/v1/tasks/{}", weak.id().get());
    let act = |verb: &'static str| {
        let path = format!("{path}/actions/{verb}");
        async move { assert_eq!(site.post(&path, &json!({})).await.status.as_u16(), 202, "{verb}") }
    };
    site.until(&path, |body| body["task"]["phase"] == "backing_off").await;
    act("retry-now").await;
    site.until(&path, |body| {
        body["task"]["attempt"] == 2 && body["task"]["phase"] == "backing_off"
    })
    .await;
    act("pause").await;
    site.until(&path, |body| body["task"]["phase"] == "paused").await;
    act("resume").await;
    // Slots.
    let mut owners = Vec::new();
    let policies = [
        WhenBusy::Queue,
        WhenBusy::Queue,
        WhenBusy::Attach,
        WhenBusy::Replace,
        WhenBusy::ReplaceAll,
        WhenBusy::DropIfRunning,
    ];
    for (number, policy) in policies.into_iter().enumerate() {
        let submission = Submission::new(resident(&format!("slotted-{number}")));
        owners.push(supervisor.submit(submission.slot("tenant").when_busy(policy)).await);
    }
    assert!(owners.pop().expect("six").is_err());
    // A subscriber that panics.
    let fragile = |_: &Event| panic!("the subscriber's own");
    let subscription = supervisor.subscribe(fragile).await.expect("subscribed");
    removed(TaskSpec::once("told", async |_: TaskContext| Ok(()))).await;
    // It is told of as long as it is subscribed.
    let told = |body: &Value| body["events"].to_string().contains("subscriber_panicked");
    site.until("api/v1/events", told).await;
    drop(subscription);
}
