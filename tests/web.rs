//! Feature `web` over a real server: what each route answers, and what it refuses.
#![cfg(feature = "web")]

use std::time::Duration;

use actix_taskvisor::{
    prelude::*,
    web::{Access, Redact, WebOptions},
};
use actix_web::{App, HttpServer, dev::ServerHandle, web};
use awc::{Client, ClientResponse, http::StatusCode, http::header};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(10);

/// A server with the routes in a scope, and the supervisor behind it.
struct Site {
    base: String,
    server: ServerHandle,
    supervisor: SupervisorHandle,
}

impl Site {
    async fn new(options: WebOptions) -> Self {
        let supervisor = TaskSupervisor::builder().start().expect("starts");
        let routes = supervisor.routes(options);
        // From here on the broker knows both subscriptions.
        supervisor.events_delivered().await.expect("delivered");
        let server = HttpServer::new(move || {
            let routes = routes.clone();
            App::new()
                .app_data(web::Data::new(7_u32))
                .route("/own", web::get().to(|own: web::Data<u32>| async move { own.to_string() }))
                .service(web::scope("/outer").service(web::scope("/admin/tasks").configure(routes)))
        })
        .workers(2)
        .disable_signals()
        .shutdown_timeout(1)
        .bind(("127.0.0.1", 0))
        .expect("binds");
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        Self { base: format!("http://{address}/outer/admin/tasks"), server: handle, supervisor }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    async fn get(&self, path: &str) -> Reply {
        Reply::of(client().get(self.url(path)).send().await.expect("answers")).await
    }

    async fn get_as(&self, path: &str, accept: &str) -> Reply {
        let request = client().get(self.url(path)).insert_header((header::ACCEPT, accept));
        Reply::of(request.send().await.expect("answers")).await
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        let request = client().post(self.url(path)).insert_header(("x-requested-with", "test"));
        Reply::of(request.send_json(body).await.expect("answers")).await
    }

    async fn stream(&self, path: &str, last: Option<&str>) -> Stream {
        let mut request =
            client().get(self.url(path)).insert_header((header::ACCEPT, "text/event-stream"));
        if let Some(id) = last {
            request = request.insert_header(("last-event-id", id));
        }
        let response = request.send().await.expect("answers");
        assert_eq!(response.status(), StatusCode::OK);
        Stream { response: Box::pin(response), text: String::new() }
    }

    /// Polls the page of tasks until it says so.
    async fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let seen = async {
            while !holds(&last) {
                last = self.get(path).await.json();
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, seen).await.is_ok();
        assert!(in_time, "it does not come to be: {last}");
        last
    }

    async fn end(self) {
        assert!(self.supervisor.shutdown().await.is_clean());
        self.server.stop(false).await;
    }
}

fn client() -> Client {
    Client::builder().timeout(DEADLINE).disable_redirects().finish()
}

/// A reply that was read to its end.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    headers: header::HeaderMap,
    text: String,
}

impl Reply {
    async fn of<S>(mut response: ClientResponse<S>) -> Self
    where
        S: futures_util::Stream<Item = Result<web::Bytes, awc::error::PayloadError>> + Unpin,
    {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.body().limit(10_000_000).await.expect("has a body");
        let text = String::from_utf8(body.to_vec()).expect("is text");
        Self { status, headers, text }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    #[track_caller]
    fn is_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status);
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{body}");
    }
}

type Chunks = dyn futures_util::Stream<Item = Result<web::Bytes, awc::error::PayloadError>>;

/// A stream of events that is being read.
struct Stream {
    response: std::pin::Pin<Box<Chunks>>,
    text: String,
}

impl Stream {
    /// Reads on until the text has this.
    async fn until(&mut self, part: &str) -> &str {
        let read = async {
            while !self.text.contains(part) {
                let Some(chunk) = self.response.next().await else { break };
                self.text
                    .push_str(std::str::from_utf8(&chunk.expect("is whole")).expect("is text"));
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, read).await.is_ok();
        assert!(in_time && self.text.contains(part), "no `{part}` in: {}", self.text);
        &self.text
    }

    async fn has_ended(&mut self) -> bool {
        tokio::time::timeout(DEADLINE, self.response.next()).await.is_ok_and(|it| it.is_none())
    }

    /// The ids of all events that were read.
    fn ids(&self) -> Vec<String> {
        self.text.lines().filter_map(|line| line.strip_prefix("id: ")).map(str::to_owned).collect()
    }
}

fn resident(name: &str) -> TaskSpec {
    TaskSpec::new(name, async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    })
}

fn failing(name: &str, text: &'static str) -> TaskSpec {
    TaskSpec::new(name, async move |_: TaskContext| Err(TaskError::failed(text)))
        .restart(RestartPolicy::Never)
}

fn acting() -> WebOptions {
    WebOptions::default().actions(true)
}

// ---- reading ----

#[actix_web::test]
async fn the_list_and_one_task_have_every_field_of_the_contract() {
    let site = Site::new(WebOptions::default()).await;
    let task = site.supervisor.add(resident("poll")).await.expect("added");
    let list = site.until("api/v1/tasks", |body| body["tasks"][0]["phase"] == "running").await;
    assert_eq!((&list["total"], &list["page"], &list["pages"]), (&json!(1), &json!(1), &json!(1)));
    let one = site.get(&format!("api/v1/tasks/{}/", task.id().get())).await;
    assert_eq!(one.header("cache-control"), "no-store");
    let body = one.json();
    let fields: Vec<_> = body["task"].as_object().expect("an object").keys().cloned().collect();
    let mut expected = [
        "id",
        "name",
        "slot",
        "position",
        "phase",
        "is_paused",
        "is_required",
        "in_phase_ms",
        "age_ms",
        "attempt",
        "restarts",
        "streak",
        "next_attempt_in_ms",
        "uptime_ms",
        "last_failure",
        "outcome",
        "cancel_cause",
        "stopping_ms",
        "worker",
        "is_polling",
        "is_responding",
        "is_removed",
        "policy",
        "attention",
        "actions",
        "recent",
    ];
    expected.sort_unstable();
    assert_eq!(fields, expected);
    assert_eq!(body["task"]["actions"], json!(["cancel", "restart", "pause"]));
    assert_eq!(
        body["task"]["policy"],
        "on failure; 200 ms × 2 up to 30 s, equal jitter; unlimited retries; no timeout"
    );
    site.end().await;
}

#[actix_web::test]
async fn a_failed_task_is_in_the_summary_the_attention_and_the_attempts() {
    let site = Site::new(WebOptions::default()).await;
    let task = site.supervisor.add(failing("bad", "no route")).await.expect("added");
    task.removed().await;
    let summary = site.get("api/v1/summary").await.json();
    assert_eq!(summary["ended"]["failed"], 1);
    assert_eq!(summary["attention"][0]["kind"], "failed");
    assert_eq!(summary["attention"][0]["tasks"][0]["text"], "failed: no route");
    assert_eq!(summary["mode"], "read_only");
    assert_eq!(summary["spark"]["starts"].as_array().map(Vec::len), Some(60));
    let failed = site.get("api/v1/tasks?state=failed").await.json();
    assert_eq!(failed["tasks"][0]["last_failure"]["text"], "no route");
    assert_eq!(site.get("api/v1/tasks").await.json()["total"], 0);
    let attempts = site.get(&format!("api/v1/tasks/{}/attempts", task.id().get())).await.json();
    assert_eq!(attempts["attempts"][0]["end"], "failed");
    assert_eq!(attempts["backoff"]["curve_ms"].as_array().map(Vec::len), Some(12));
    assert_eq!(attempts["backoff"]["curve_ms"][1], 400);
    assert_eq!(attempts["running"], Value::Null);
    site.end().await;
}

#[actix_web::test]
async fn what_another_task_took_over_needs_no_attention() {
    let site = Site::new(WebOptions::default()).await;
    let old = site.supervisor.add(failing("poll", "no route")).await.expect("added");
    old.removed().await;
    let path = format!("api/v1/tasks/{}", old.id().get());
    assert_eq!(site.get(&path).await.json()["task"]["attention"], json!(["failed"]));
    site.supervisor.add(resident("poll")).await.expect("added");
    assert_eq!(site.get(&path).await.json()["task"]["attention"], json!([]));
    assert_eq!(site.get("api/v1/summary").await.json()["attention"], json!([]));
    site.end().await;
}

#[actix_web::test]
async fn slots_show_owner_and_queue() {
    let site = Site::new(WebOptions::default()).await;
    for name in ["one", "two"] {
        let submission = Submission::new(resident(name)).slot("tenant").when_busy(WhenBusy::Queue);
        let _ = site.supervisor.submit(submission).await.expect("taken in");
    }
    let slots = site.get("api/v1/slots").await.json();
    assert_eq!(slots["slots"][0]["owners"][0]["name"], "one");
    assert_eq!(slots["slots"][0]["queue"][0]["position"], 1);
    let queued = site.get("api/v1/tasks?slot=tenant&state=queued").await.json();
    assert_eq!((&queued["total"], &queued["tasks"][0]["position"]), (&json!(1), &json!(1)));
    site.end().await;
}

#[actix_web::test]
async fn a_terminal_gets_a_table_without_what_it_would_act_on() {
    let site = Site::new(WebOptions::default()).await;
    let task = site.supervisor.add(failing("esc\u{1b}[2J", "two\nlines")).await.expect("added");
    task.removed().await;
    let table = site.get_as("api/v1/tasks?state=all", "text/plain").await;
    assert_eq!(table.header("content-type"), "text/plain; charset=utf-8");
    assert!(table.text.starts_with("ID"), "{}", table.text);
    assert_eq!(table.text.lines().count(), 3, "{}", table.text);
    assert!(!table.text.contains('\u{1b}'));
    site.end().await;
}

#[actix_web::test]
async fn what_makes_no_sense_is_refused_with_its_code() {
    let site = Site::new(acting()).await;
    site.get("api/v1/tasks?state=runing").await.is_problem(400, "bad_query");
    site.get("api/v1/tasks?per_page=501").await.is_problem(400, "bad_query");
    site.get("api/v1/tasks?colour=red").await.is_problem(400, "bad_query");
    site.get("api/v1/tasks?page=1&page=2").await.is_problem(400, "bad_query");
    site.get("api/v1/events?limit=x").await.is_problem(400, "bad_query");
    site.get("api/v1/tasks/99").await.is_problem(404, "not_found");
    site.get("api/v1/tasks/99/attempts").await.is_problem(404, "not_found");
    site.get("api/v1/tasks/poll").await.is_problem(404, "not_found");
    site.get("api/v1/nothing").await.is_problem(404, "no_such_route");
    let wrong = site.get("api/v1/actions").await;
    wrong.is_problem(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), "POST");
    let wrong = site.post("api/v1/tasks", &json!({})).await;
    wrong.is_problem(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), "GET, HEAD");
    site.post("api/v1/tasks/1/actions/explode", &json!({})).await.is_problem(400, "unknown_verb");
    site.post("api/v1/tasks/99/actions/cancel", &json!({})).await.is_problem(404, "not_found");
    site.post("api/v1/tasks/99/actions/cancel", &json!({"y": 1})).await.is_problem(400, "bad_body");
    site.post("api/v1/actions", &json!({"verb": "cancel"})).await.is_problem(400, "bad_body");
    let all = json!({"verb": "cancel", "selector": {}});
    site.post("api/v1/actions", &all).await.is_problem(400, "bad_body");
    let long = json!({"why": "x".repeat(20_000)});
    site.post("api/v1/tasks/1/actions/cancel", &long).await.is_problem(413, "too_large");
    let form = client()
        .post(site.url("api/v1/tasks/1/actions/cancel"))
        .insert_header(("x-requested-with", "test"))
        .insert_header((header::CONTENT_TYPE, "text/plain"));
    let reply = Reply::of(form.send_body("{}").await.expect("answers")).await;
    reply.is_problem(415, "unsupported_media_type");
    site.end().await;
}

#[actix_web::test]
async fn head_is_answered_where_get_is() {
    let site = Site::new(WebOptions::default()).await;
    for path in ["", "api/v1/tasks", "api/v1/events", "metrics", "readyz", "page.css"] {
        let response = client().head(site.url(path)).send().await.expect("answers");
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
    site.end().await;
}

// ---- acting ----

#[actix_web::test]
async fn nothing_can_be_done_by_default() {
    let site = Site::new(WebOptions::default().access(|_| Access::full("alice"))).await;
    let task = site.supervisor.add(resident("poll")).await.expect("added");
    let path = format!("api/v1/tasks/{}/actions/cancel", task.id().get());
    site.post(&path, &json!({})).await.is_problem(403, "read_only");
    let many = json!({"verb": "cancel", "selector": {"state": "living"}});
    site.post("api/v1/actions", &many).await.is_problem(403, "read_only");
    assert!(task.status().outcome.is_none());
    site.end().await;
}

#[actix_web::test]
async fn every_action_is_carried_out_and_told_with_who_and_why() {
    let options = acting().access(|_| Access::full("alice"));
    let site = Site::new(options).await;
    let task = site.supervisor.add(resident("poll")).await.expect("added");
    let id = task.id().get();
    let path = format!("api/v1/tasks/{id}");
    site.until(&path, |body| body["task"]["phase"] == "running").await;
    let action = |verb: &str| format!("{path}/actions/{verb}");
    let reply = site.post(&action("restart"), &json!({"why": "stale"})).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text);
    site.until(&path, |body| body["task"]["attempt"] == 2).await;
    site.post(&action("retry-now"), &json!({})).await.is_problem(409, "not_applicable");
    assert_eq!(site.post(&action("pause"), &json!({})).await.json()["task"]["is_paused"], true);
    assert_eq!(site.post(&action("resume"), &json!({})).await.json()["task"]["is_paused"], false);
    assert_eq!(site.post(&action("cancel"), &json!({})).await.json()["asked_by_this_call"], true);
    task.removed().await;
    site.post(&action("pause"), &json!({})).await.is_problem(409, "already_ended");
    let seen = |body: &Value| {
        let events = body["events"].as_array().cloned().unwrap_or_default();
        events.iter().any(|event| {
            event["detail"] == json!({"who": "alice", "verb": "restart", "why": "stale"})
        })
    };
    site.until("api/v1/events", seen).await;
    assert_eq!(site.get("api/v1/summary").await.json()["operator"], "alice");
    site.end().await;
}

#[actix_web::test]
async fn many_are_rehearsed_before_they_are_canceled() {
    let site = Site::new(acting()).await;
    let specs = ["a", "b", "c"].map(resident);
    let tasks = site.supervisor.add_all(specs).await.expect("added");
    let mut body = json!({"verb": "cancel", "selector": {"ids": [1, 2, 77]}, "dry_run": true});
    let rehearsed = site.post("api/v1/actions", &body).await.json();
    assert_eq!((&rehearsed["matched"], &rehearsed["accepted"]), (&json!(2), &json!(2)));
    assert_eq!(rehearsed["results"][2]["code"], "not_found");
    assert!(tasks.iter().all(|task| task.status().cancel_cause.is_none()));
    body["dry_run"] = json!(false);
    let done = site.post("api/v1/actions", &body).await.json();
    assert_eq!(done["accepted"], 2, "{done}");
    assert!(tasks[2].status().cancel_cause.is_none());
    assert_eq!(tasks[0].outcome().await.label(), "canceled");
    site.end().await;
}

#[actix_web::test]
async fn another_site_cannot_act() {
    let site = Site::new(acting()).await;
    let task = site.supervisor.add(resident("poll")).await.expect("added");
    let url = site.url(&format!("api/v1/tasks/{}/actions/cancel", task.id().get()));
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")] {
        let request = client().post(&url).insert_header((name, value));
        Reply::of(request.send().await.expect("answers")).await.is_problem(403, "cross_site");
    }
    let bare = client().post(&url).send().await.expect("answers");
    Reply::of(bare).await.is_problem(403, "cross_site");
    assert!(task.status().cancel_cause.is_none());
    let own = client().post(&url).insert_header(("sec-fetch-site", "same-origin"));
    assert_eq!(own.send().await.expect("answers").status(), StatusCode::ACCEPTED);
    site.end().await;
}

#[actix_web::test]
async fn the_hook_decides_who_comes_in_and_a_panic_in_it_lets_nobody_in() {
    let site = Site::new(acting().access(|request| match request.headers().get("x-user") {
        Some(_) => Access::ReadOnly,
        None => panic!("the hook's own"),
    }))
    .await;
    for path in ["", "api/v1/summary", "metrics", "readyz?verbose", "page.js", "api/v1/events"] {
        site.get(path).await.is_problem(403, "forbidden");
    }
    assert_eq!(site.get("livez").await.status, StatusCode::OK);
    assert_eq!(site.get("readyz").await.status, StatusCode::OK);
    let known = client().get(site.url("api/v1/summary")).insert_header(("x-user", "bob"));
    assert_eq!(known.send().await.expect("answers").status(), StatusCode::OK);
    site.end().await;
}

// ---- events ----

#[actix_web::test]
async fn a_stream_tells_what_happens_and_goes_on_where_it_was_left() {
    let site = Site::new(WebOptions::default()).await;
    site.get("api/v1/summary").await;
    let mut stream = site.stream("api/v1/events", None).await;
    stream.until("retry: 2000").await;
    let first = site.supervisor.add(failing("one", "bad")).await.expect("added");
    first.removed().await;
    stream.until("\"label\":\"task_removed\"").await;
    let last = stream.ids().pop().expect("has an id");
    drop(stream);
    let second = site.supervisor.add(failing("two", "bad")).await.expect("added");
    second.removed().await;
    let mut again = site.stream("api/v1/events", Some(&last)).await;
    let text = again.until("\"label\":\"task_removed\"").await;
    assert!(!text.contains("event: gap"), "{text}");
    assert!(!text.contains("\"one\""), "{text}");
    let list = site.get(&format!("api/v1/events?after={last}&task=2")).await.json();
    assert_eq!(list["gap"], false);
    assert_eq!(list["events"][0]["task"]["name"], "two");
    site.end().await;
}

#[actix_web::test]
async fn a_stream_of_one_task_has_nothing_of_another() {
    let site = Site::new(WebOptions::default()).await;
    let mut stream = site.stream("api/v1/events?task=2", None).await;
    stream.until("retry").await;
    for name in ["one", "two"] {
        site.supervisor.add(failing(name, "bad")).await.expect("added").removed().await;
    }
    let text = stream.until("task_removed").await;
    assert!(text.contains("\"two\"") && !text.contains("\"one\""), "{text}");
    site.end().await;
}

#[actix_web::test]
async fn what_the_ring_has_lost_and_what_another_start_told_are_gaps() {
    let site = Site::new(WebOptions::default().ring_capacity(2)).await;
    site.supervisor.add(failing("one", "bad")).await.expect("added").removed().await;
    let body = site
        .until("api/v1/events", |body| body["events"].as_array().is_some_and(|all| all.len() == 2))
        .await;
    let boot = body["boot"].as_str().expect("is text").to_owned();
    let mut overrun = site.stream("api/v1/events", Some(&format!("{boot}-1"))).await;
    overrun.until("\"reason\":\"overrun\"").await;
    let mut restarted = site.stream("api/v1/events", Some("0ther-7")).await;
    restarted.until("{\"lost\":null,\"reason\":\"restarted\"}").await;
    let list = site.get(&format!("api/v1/events?after={boot}-1")).await.json();
    assert_eq!(list["gap"], true);
    site.end().await;
}

#[actix_web::test]
async fn one_stream_too_many_is_told_when_to_come_back() {
    let site = Site::new(WebOptions::default().max_streams(1)).await;
    let mut first = site.stream("api/v1/events", None).await;
    first.until("retry").await;
    let second = site.get_as("api/v1/events", "text/event-stream").await;
    second.is_problem(503, "too_many_streams");
    assert!(!second.header("retry-after").is_empty());
    site.end().await;
}

#[actix_web::test]
async fn streams_say_goodbye_and_end_with_the_supervisor() {
    let site = Site::new(WebOptions::default()).await;
    let mut stream = site.stream("api/v1/events", None).await;
    stream.until("retry").await;
    assert!(site.supervisor.shutdown().await.is_clean());
    stream.until("event: bye\ndata: {\"reason\":\"draining\"}").await;
    assert!(stream.has_ended().await);
    site.get_as("api/v1/events", "text/event-stream").await.is_problem(503, "shutting_down");
    site.get("api/v1/tasks").await.is_problem(503, "shutting_down");
    assert_eq!(site.get("api/v1/summary").await.json()["state"], "stopped");
    assert_eq!(site.get("readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(site.get("livez").await.status, StatusCode::OK);
    site.server.stop(false).await;
}

// ---- the page ----

#[actix_web::test]
async fn the_bare_path_leads_to_the_page_under_any_prefix() {
    let site = Site::new(WebOptions::default()).await;
    let url = format!("{}?state=all", site.base);
    let reply = Reply::of(client().get(url).send().await.expect("answers")).await;
    assert_eq!(reply.status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(reply.header("location"), "/outer/admin/tasks/?state=all");
    site.end().await;
}

#[actix_web::test]
async fn the_page_has_its_rows_escaped_and_runs_nothing_of_others() {
    let site = Site::new(WebOptions::default()).await;
    let _ = site.supervisor.add(resident("<script>\"x\"&'y'")).await.expect("added");
    let _ = site.supervisor.add(resident("{{nav}}")).await.expect("added");
    let page = site.get("?per_page=1&sort=id&text=").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert!(page.text.contains("&lt;script&gt;&quot;x&quot;&amp;&#39;y&#39;"), "{}", page.text);
    assert!(page.text.contains("2 tasks, nothing needs attention"), "{}", page.text);
    assert!(page.text.contains("<a href=\"?per_page=1&amp;sort=id&amp;page=2\""), "{}", page.text);
    assert!(!page.text.contains("{{"), "{}", page.text);
    let second = site.get("?per_page=1&sort=id&page=2").await;
    assert!(second.text.contains("data-name=\"{{nav}}\""), "{}", second.text);
    site.end().await;
}

#[actix_web::test]
async fn files_of_the_page_are_asked_about_and_not_sent_twice() {
    let site = Site::new(WebOptions::default()).await;
    for (path, kind) in [("page.css", "text/css"), ("page.js", "text/javascript")] {
        let file = site.get(path).await;
        assert!(file.header("content-type").starts_with(kind));
        let known =
            client().get(site.url(path)).insert_header(("if-none-match", file.header("etag")));
        assert_eq!(known.send().await.expect("answers").status(), StatusCode::NOT_MODIFIED);
    }
    site.end().await;
}

// ---- around it ----

#[actix_web::test]
async fn the_applications_own_data_stays_its_own() {
    let site = Site::new(WebOptions::default()).await;
    let own = site.base.replace("/outer/admin/tasks", "/own");
    let reply = Reply::of(client().get(own).send().await.expect("answers")).await;
    assert_eq!(reply.text, "7");
    site.end().await;
}

#[actix_web::test]
async fn routes_keep_no_supervisor_alive() {
    let supervisor = TaskSupervisor::builder().start().expect("starts");
    let task = supervisor.add(resident("poll")).await.expect("added");
    let routes = supervisor.routes(WebOptions::default());
    let _scope = web::scope("/x").configure(routes.clone());
    drop(supervisor);
    assert_eq!(task.removed().await.label(), "canceled");
    drop(routes);
}

#[actix_web::test]
async fn readiness_hangs_on_required_tasks() {
    let site = Site::new(WebOptions::default()).await;
    let needed = failing("needed", "no route").required(true);
    site.supervisor.add(needed).await.expect("added").removed().await;
    let reply = site.get("readyz").await;
    assert_eq!((reply.status, &*reply.text), (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"));
    let verbose = site.get("readyz?verbose").await;
    assert!(verbose.text.contains("[-] required task needed"), "{}", verbose.text);
    let summary = site.get("api/v1/summary").await.json();
    assert_eq!(
        (&summary["ready"], &summary["not_up"][0]["name"]),
        (&json!(false), &json!("needed"))
    );
    site.end().await;
}

#[actix_web::test]
async fn what_is_redacted_leaves_nowhere() {
    let options = WebOptions::default().redact(|shown| match shown {
        Redact::TaskName(_) => "task".into(),
        Redact::SlotName(_) => "slot".into(),
        Redact::ErrorText(_) => panic!("the hook's own"),
        _ => "hidden".into(),
    });
    let site = Site::new(options).await;
    site.get("api/v1/summary").await;
    let mut stream = site.stream("api/v1/events", None).await;
    stream.until("retry").await;
    let spec = failing("secret-name", "secret-text");
    let submission = Submission::new(spec).slot("secret-slot");
    let submitted = site.supervisor.submit(submission).await.expect("taken in");
    let id = submitted.id().get();
    submitted.outcome().await;
    let text = stream.until("task_removed").await;
    assert!(!text.contains("secret"), "{text}");
    for path in [
        "api/v1/summary".to_owned(),
        "api/v1/tasks?state=all".to_owned(),
        format!("api/v1/tasks/{id}"),
        format!("api/v1/tasks/{id}/attempts"),
        "api/v1/slots".to_owned(),
        "api/v1/events".to_owned(),
        "?state=all".to_owned(),
        "metrics".to_owned(),
    ] {
        let reply = site.get(&path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        assert!(!reply.text.contains("secret"), "{path}: {}", reply.text);
    }
    let guessed = site.get("api/v1/tasks?state=all&text=secret").await.json();
    assert_eq!(guessed["total"], 0);
    site.end().await;
}

#[actix_web::test]
async fn metrics_count_what_happened() {
    let site = Site::new(WebOptions::default().metric_names(1)).await;
    site.get("api/v1/summary").await;
    for name in ["one", "two", "three"] {
        site.supervisor.add(failing(name, "bad")).await.expect("added").removed().await;
    }
    site.until("api/v1/events", |body| {
        body["events"].as_array().is_some_and(|all| {
            all.iter().filter(|event| event["label"] == "task_removed").count() == 3
        })
    })
    .await;
    site.supervisor.events_delivered().await.expect("delivered");
    let reply = site.get("metrics").await;
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "# TYPE taskvisor_task_starts_total counter",
        "taskvisor_task_starts_total{task=\"one\"} 1",
        "taskvisor_task_starts_total{task=\"_other\"} 2",
        "taskvisor_task_failures_total{task=\"one\",kind=\"error\"} 1",
        "taskvisor_attempt_duration_seconds_bucket{task=\"one\",le=\"+Inf\"} 1",
        "taskvisor_ready 1",
    ] {
        assert!(reply.text.lines().any(|own| own == line), "no `{line}` in {}", reply.text);
    }
    site.end().await;
}
