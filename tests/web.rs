//! Feature `web` over a real server: what each route answers, and what it refuses.
#![cfg(feature = "web")]

#[path = "common/site.rs"]
mod site;

use actix_taskvisor::{
    prelude::*,
    web::{Access, Redact, WebOptions},
};
use actix_web::web;
use awc::http::{StatusCode, header};
use serde_json::{Value, json};
use site::{DEADLINE, Reply, Server, Site, acting, blocking, client, failing, resident};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
};

const HTML: &str = "text/html; charset=utf-8";

// ---- reading ----

#[actix_web::test]
async fn the_list_and_one_task_have_every_field_of_the_contract() {
    let site = Site::new(WebOptions::default());
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
    let site = Site::new(WebOptions::default());
    let task = site.supervisor.add(failing("bad", "no route")).await.expect("added");
    task.removed().await;
    let summary = site.get("api/v1/summary").await.json();
    assert_eq!(summary["ended"]["failed"], 1);
    assert_eq!(summary["attention"][0]["kind"], "failed_for_good");
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
    let site = Site::new(WebOptions::default());
    let old = site.supervisor.add(failing("poll", "no route")).await.expect("added");
    old.removed().await;
    let path = format!("api/v1/tasks/{}", old.id().get());
    assert_eq!(site.get(&path).await.json()["task"]["attention"], json!(["failed_for_good"]));
    site.supervisor.add(resident("poll")).await.expect("added");
    assert_eq!(site.get(&path).await.json()["task"]["attention"], json!([]));
    let summary = site.get("api/v1/summary").await.json();
    assert_eq!(summary["attention"], json!([]));
    // The count of ends leads to as many tasks as it says.
    assert_eq!(summary["ended"]["failed"], 1);
    assert_eq!(site.get("api/v1/tasks?state=failed").await.json()["total"], 1);
    assert_eq!(site.get("api/v1/tasks?state=failed_for_good").await.json()["total"], 0);
    site.end().await;
}

#[actix_web::test]
async fn slots_show_owner_and_queue() {
    let site = Site::new(WebOptions::default());
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
async fn slots_come_in_pages_and_long_queues_are_counted() {
    let site = Site::new(WebOptions::default());
    for slot in ["a", "b", "c"] {
        for number in 0..=120 {
            let spec = resident(&format!("{slot}-{number}"));
            let submission = Submission::new(spec).slot(slot).when_busy(WhenBusy::Queue);
            let _ = site.supervisor.submit(submission).await.expect("taken in");
        }
    }
    let page = site.get("api/v1/slots?per_page=2&page=2").await.json();
    assert_eq!([&page["total"], &page["page"], &page["pages"]], [3, 2, 2]);
    assert_eq!(page["slots"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&page["slots"][0]["name"], &page["slots"][0]["queued"]),
        (&json!("c"), &json!(120))
    );
    assert_eq!(page["slots"][0]["queue"].as_array().map(Vec::len), Some(100));
    for (query, says) in [("slot=a", "use page, per_page"), ("per_page=501", "1 to 500")] {
        let refused = site.get(&format!("api/v1/slots?{query}")).await;
        refused.is_problem(400, "bad_query");
        assert!(refused.text.contains(says), "{}", refused.text);
    }
    site.end().await;
}

#[actix_web::test]
async fn a_task_with_two_troubles_is_one_that_needs_attention() {
    let site = Site::new(WebOptions::default());
    let task = site.supervisor.add(failing("bad", "no route").required(true)).await.expect("added");
    task.removed().await;
    let summary = site.get("api/v1/summary").await.json();
    let kinds: Vec<_> = summary["attention"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|kind| (&kind["kind"], &kind["count"]))
        .collect();
    assert_eq!(kinds, [(&json!("failed_for_good"), &json!(1)), (&json!("not_ready"), &json!(1))]);
    assert_eq!(summary["needs_attention"], 1);
    site.end().await;
}

#[actix_web::test]
async fn a_terminal_gets_a_table_without_what_it_would_act_on() {
    let site = Site::new(WebOptions::default());
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
    let site = Site::new(acting());
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
    let site = Site::new(WebOptions::default());
    for path in ["", "api/v1/tasks", "api/v1/events", "metrics", "readyz", "page.css"] {
        let response = client().head(site.url(path)).send().await.expect("answers");
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
    site.end().await;
}

// ---- acting ----

#[actix_web::test]
async fn nothing_can_be_done_by_default() {
    let site = Site::new(WebOptions::default().access(|_| Access::full("alice")));
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
    let site = Site::new(options);
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
    let site = Site::new(acting());
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
    let site = Site::new(acting());
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
    }));
    for path in ["", "api/v1/summary", "metrics", "readyz?verbose", "page.js", "api/v1/events"] {
        site.get(path).await.is_problem(403, "forbidden");
    }
    assert_eq!(site.get("livez").await.status, StatusCode::OK);
    assert_eq!(site.get("readyz").await.status, StatusCode::OK);
    let known = client().get(site.url("api/v1/summary")).insert_header(("x-user", "bob"));
    assert_eq!(known.send().await.expect("answers").status(), StatusCode::OK);
    site.end().await;
}

#[actix_web::test]
async fn who_has_a_name_that_no_event_can_have_is_not_let_in() {
    let options = acting().access(|request| {
        let name = request.headers().get("x-user").and_then(|name| name.to_str().ok());
        Access::full(name.unwrap_or_default().replace('%', "\n"))
    });
    let site = Site::new(options);
    for (name, is_fit) in [("a%b", false), (&*"x".repeat(201), false), (&*"x".repeat(200), true)] {
        let request = client().get(site.url("api/v1/summary")).insert_header(("x-user", name));
        let reply = Reply::of(request.send().await.expect("answers")).await;
        match is_fit {
            true => assert_eq!(reply.json()["operator"], name),
            false => reply.is_problem(403, "forbidden"),
        }
    }
    site.end().await;
}

// ---- events ----

#[actix_web::test]
async fn a_stream_tells_what_happens_and_goes_on_where_it_was_left() {
    let site = Site::new(WebOptions::default());
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
    let site = Site::new(WebOptions::default());
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
    let site = Site::new(WebOptions::default().ring_capacity(2));
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
async fn a_client_that_does_not_read_is_told_how_much_it_missed() {
    let site = Site::new(WebOptions::default());
    let address = site.base.strip_prefix("http://").and_then(|rest| rest.split('/').next());
    let address = address.and_then(|address| address.parse().ok()).expect("is an address");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("sets");
    let mut socket = socket.connect(address).await.expect("connects");
    let request = "GET /outer/admin/tasks/api/v1/events HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n";
    socket.write_all(request.as_bytes()).await.expect("writes");
    let clients = |body: &Value| body["events"]["clients"] == 1;
    site.until("api/v1/summary", clients).await;
    // More than all buffers in between hold: its own share, the connection's and the system's.
    let long = "x".repeat(10_000).leak();
    for number in 0..400 {
        let spec = failing(&format!("loud-{number}"), long);
        site.supervisor.add(spec).await.expect("added").removed().await;
    }
    site.settle().await;
    let mut text = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    let gap = loop {
        let read = tokio::time::timeout(DEADLINE, socket.read(&mut chunk)).await;
        let read = read.expect("goes on").expect("reads");
        assert!(read > 0, "the stream has ended");
        // What came before is of no interest; a line may lie across two reads.
        text.drain(..text.len().saturating_sub(1000));
        text.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&text);
        if let Some((before, _)) = text.split_once(",\"reason\":\"slow\"}") {
            break before.rsplit_once("event: gap\ndata: {\"lost\":").expect("a gap").1.to_owned();
        }
    };
    assert!(gap.parse::<u64>().is_ok_and(|lost| lost > 0), "{gap}");
    drop(socket);
    site.end().await;
}

#[actix_web::test]
async fn what_is_caused_right_after_the_routes_are_made_is_in_the_stream_and_the_counts() {
    for _ in 0..20 {
        let site = Site::new(WebOptions::default());
        site.supervisor.add(failing("one", "bad")).await.expect("added").removed().await;
        site.settle().await;
        let events = site.get("api/v1/events").await.json();
        assert_eq!(events["events"][0]["label"], "task_add_requested", "{events}");
        let metrics = site.get("metrics").await.text;
        assert!(metrics.contains("taskvisor_task_starts_total{task=\"one\"} 1"), "{metrics}");
        site.end().await;
    }
}

#[actix_web::test]
async fn a_subscriber_that_blocks_its_thread_stops_neither_streams_nor_counts() {
    let supervisor = TaskSupervisor::builder().name("bl").start().expect("starts");
    let site = Site::of(supervisor, WebOptions::default());
    let (subscriber, unblock, reached) = blocking();
    let subscription = site.supervisor.subscribe(subscriber).await.expect("subscribed");
    let mut stream = site.stream("api/v1/events", None).await;
    site.supervisor.add(failing("one", "bad")).await.expect("added").removed().await;
    reached.await.expect("an event");
    stream.until("event: lifecycle").await;
    stream.until("task_removed").await;
    let counted = async {
        while !site
            .get("metrics")
            .await
            .text
            .contains("taskvisor_task_starts_total{task=\"one\"} 1")
        {}
    };
    tokio::time::timeout(DEADLINE, counted).await.expect("the start is counted");
    drop(unblock);
    drop(subscription);
    site.end().await;
    // The system may show a thread for a moment after it was joined.
    let has_threads = || {
        let threads = std::fs::read_dir("/proc/self/task").expect("a Linux system");
        threads
            .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok())
            .any(|name| name.starts_with("bl-"))
    };
    let gone = async {
        while has_threads() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, gone).await.expect("no thread is left");
}

#[actix_web::test]
async fn one_stream_too_many_is_told_when_to_come_back() {
    let site = Site::new(WebOptions::default().max_streams(1));
    let mut first = site.stream("api/v1/events", None).await;
    first.until("retry").await;
    let second = site.get_as("api/v1/events", "text/event-stream").await;
    second.is_problem(503, "too_many_streams");
    assert!(!second.header("retry-after").is_empty());
    site.end().await;
}

#[actix_web::test]
async fn streams_say_goodbye_and_end_with_the_supervisor() {
    let site = Site::new(WebOptions::default());
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
    let site = Site::new(WebOptions::default());
    let url = format!("{}?state=all&text=%22%3C", site.base);
    let reply = Reply::of(client().get(&url).send().await.expect("answers")).await;
    assert_eq!(reply.status, StatusCode::PERMANENT_REDIRECT);
    // Relative: it says nothing of what stands before, which a proxy may have rewritten.
    assert_eq!(reply.header("location"), "./tasks/?state=all&text=%22%3C");
    // As a browser resolves it: beside the last segment of what was asked for.
    let (beside, _) = site.base.rsplit_once('/').expect("has segments");
    let target = format!("{beside}/{}", &reply.header("location")[2..]);
    let page = Reply::of(client().get(target).send().await.expect("answers")).await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, HTML));
    site.end().await;
}

#[actix_web::test]
async fn the_page_is_found_wherever_the_application_puts_it() {
    let supervisor = TaskSupervisor::builder().start().expect("starts");
    let routes = supervisor.routes(WebOptions::default());
    let server = Server::new(move |app| {
        app.service(web::scope("/{tenant}/a:b").configure(routes.clone()))
            .service(web::scope("/one").configure(routes.clone()))
            .service(web::scope("").configure(routes.clone()));
    });
    for (path, location) in [
        ("/one", Some("./one/")),
        ("/one/", None),
        ("/x%20y/a:b?page=1", Some("./a:b/?page=1")),
        ("//evil.example", None),
        ("/", None),
    ] {
        let reply = server.get(path).await;
        match location {
            Some(location) => assert_eq!(reply.header("location"), location, "{path}"),
            None => assert_eq!(reply.header("location"), "", "{path}"),
        }
    }
    assert!(supervisor.shutdown().await.is_clean());
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn the_page_has_its_rows_escaped_and_runs_nothing_of_others() {
    let site = Site::new(WebOptions::default());
    let _ = site.supervisor.add(resident("<script>\"x\"&'y'")).await.expect("added");
    let _ = site.supervisor.add(resident("{{nav}}")).await.expect("added");
    let page = site.get("?per_page=1&sort=id&text=").await;
    assert_eq!(page.header("content-type"), HTML);
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
    let site = Site::new(WebOptions::default());
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
    let site = Site::new(WebOptions::default());
    let own = site.base.replace("/outer/admin/tasks", "/own");
    let reply = Reply::of(client().get(own).send().await.expect("answers")).await;
    assert_eq!(reply.text, "7");
    site.end().await;
}

#[actix_web::test]
async fn one_scope_shows_and_moves_nothing_of_another() {
    let start = |name| TaskSupervisor::builder().name(name).start().expect("starts");
    let supervisors = ["first", "second"].map(start);
    let open = supervisors[0].routes(acting());
    let shut = supervisors[1].routes(WebOptions::default());
    let server = Server::new(move |app| {
        app.app_data(web::Data::new(7_u32))
            .service(
                web::scope("/first")
                    .app_data(web::Data::new(8_u32))
                    .route(
                        "/own",
                        web::get().to(|own: web::Data<u32>| async move { own.to_string() }),
                    )
                    .configure(open.clone()),
            )
            .service(web::scope("/second").configure(shut.clone()));
    });
    let first = supervisors[0].add(resident("walrus")).await.expect("added");
    let second = supervisors[1].add(resident("heron")).await.expect("added");
    assert_eq!(first.id(), second.id());
    for supervisor in &supervisors {
        supervisor.events_delivered().await.expect("delivered");
    }
    for (scope, own, other) in [("first", "walrus", "heron"), ("second", "heron", "walrus")] {
        for path in ["", "api/v1/tasks", "api/v1/tasks/1", "api/v1/events", "metrics"] {
            let reply = server.get(&format!("/{scope}/{path}")).await;
            assert!(reply.text.contains(&format!("{own}\"")), "{scope}/{path}: {}", reply.text);
            assert!(!reply.text.contains(&format!("{other}\"")), "{scope}/{path}: {}", reply.text);
        }
    }
    let cancel = |scope| {
        let url = format!("{}/{scope}/api/v1/tasks/1/actions/cancel", server.origin);
        let request = client().post(url).insert_header(("x-requested-with", "test"));
        async move { Reply::of(request.send().await.expect("answers")).await }
    };
    cancel("second").await.is_problem(403, "read_only");
    assert_eq!(cancel("first").await.status, StatusCode::ACCEPTED);
    first.removed().await;
    assert!(second.status().cancel_cause.is_none());
    assert_eq!(server.get("/first/own").await.text, "8");
    for supervisor in &supervisors {
        assert!(supervisor.shutdown().await.is_clean());
    }
    server.handle.stop(false).await;
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
    let site = Site::new(WebOptions::default());
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
    let options = acting().access(|_| Access::full("secret-alice")).redact(|shown| match shown {
        Redact::TaskName(_) => "task".into(),
        Redact::SlotName(_) => "slot".into(),
        Redact::ErrorText(_) => panic!("the hook's own"),
        _ => "hidden".into(),
    });
    let site = Site::new(options);
    site.get("api/v1/summary").await;
    let mut stream = site.stream("api/v1/events", None).await;
    stream.until("retry").await;
    let spec = TaskSpec::new("secret-name", async |ctx: TaskContext| {
        ctx.cancelled().await;
        Err(TaskError::failed("secret-text"))
    });
    let submission = Submission::new(spec).slot("secret-slot");
    let submitted = site.supervisor.submit(submission).await.expect("taken in");
    let id = submitted.id().get();
    let because = json!({"why": "a secret one"});
    let acted = site.post(&format!("api/v1/tasks/{id}/actions/cancel"), &because).await;
    assert!(!acted.text.contains("secret"), "{}", acted.text);
    submitted.outcome().await;
    let text = stream.until("task_removed").await;
    assert!(
        text.contains("\"detail\":{\"verb\":\"cancel\",\"who\":\"hidden\",\"why\":\"hidden\"}"),
        "{text}"
    );
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
    let site = Site::new(WebOptions::default().metric_names(1));
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
