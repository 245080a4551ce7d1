//! The service example as its users run it: a process, sockets and signals.
//!
//! Real time, so each wait is for a condition and has a deadline. A failing test prints the log of
//! its process.
#![cfg(unix)]

mod process;
mod tenants;

use std::io::Write;
use std::net::TcpStream;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use process::{MARGIN, MISCHIEF, Response, Service, example};
use serde_json::{Value, json};

const RESIDENT: [&str; 5] =
    ["poll-upstream", "tidy-up", "parse-feed", "sync-mirror", "consume-jobs"];

#[test]
fn a_task_is_added_listed_and_cancelled_over_http() {
    let service = Service::start(&[]);

    let added = service.post("/tasks", &json!({ "name": "mine", "kind": "job" }));
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(added.header("location"), Some("/tasks/mine"));
    assert_eq!(added.json()["name"], "mine");

    let listed = service.get("/tasks").json();
    let names: Vec<&str> =
        listed.as_array().unwrap().iter().map(|task| task["name"].as_str().unwrap()).collect();
    for name in RESIDENT.into_iter().chain(["mine"]) {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }

    let cancelled = service.delete("/tasks/mine");
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    assert_eq!(cancelled.json()["outcome"]["label"], "canceled");
    assert_eq!(cancelled.json()["outcome"]["cause"], "user");
    let listed = service.get("/tasks").body;
    assert!(!listed.contains("\"mine\""), "{listed}");

    let late = service.delete("/tasks/mine");
    assert_eq!(late.status, 409, "{late:?}");
    let kept = service.get("/tasks/mine").json();
    assert_eq!((&kept["phase"], &kept["removed"]), (&json!("ended"), &json!(true)));
}

#[test]
fn a_status_has_every_field() {
    let service = Service::start(&[]);
    let status = service.get("/tasks/consume-jobs").json();
    let fields: Vec<&String> = status.as_object().unwrap().keys().collect();
    for field in [
        "id",
        "name",
        "slot",
        "position",
        "phase",
        "attempt",
        "restarts",
        "streak",
        "last_failure",
        "next_attempt_in_ms",
        "uptime_ms",
        "in_phase_for_ms",
        "age_ms",
        "worker",
        "polling",
        "responding",
        "cancel_cause",
        "stopping_for_ms",
        "outcome",
        "removed",
    ] {
        assert!(status.get(field).is_some(), "{field} is not in {fields:?}");
    }
    assert_eq!(status["responding"], true);
    assert_eq!(status["outcome"], Value::Null);
}

#[test]
fn each_way_to_go_wrong_is_told_in_the_status() {
    let service = Service::start(&[]);
    for kind in ["poll", "job", "panic", "hang"] {
        let task = json!({ "name": kind, "kind": kind, "interval_ms": 10, "failure_rate": 1.0 });
        assert_eq!(service.post("/tasks", &task).status, 201);
    }
    let failure = |name: &str| {
        service.until(&format!("a failure of {name}"), || {
            let failure = service.get(&format!("/tasks/{name}")).json()["last_failure"].clone();
            (!failure.is_null()).then_some(failure)
        })
    };
    let text = failure("poll")["text"].to_string();
    assert!(text.contains("503"), "{text}");
    assert_eq!(failure("job")["exit_code"], 1);
    assert_eq!(failure("panic")["panicked"], true);
    assert_eq!(failure("hang")["timed_out"], true);
    assert_eq!(service.get("/healthz").status, 200, "none of this makes the service unhealthy");
}

#[test]
fn a_poller_reaches_the_endpoint_of_its_own_program() {
    let service = Service::start(&[]);
    let task = json!({ "name": "reach", "kind": "poll", "interval_ms": 10, "failure_rate": 0.0 });
    assert_eq!(service.post("/tasks", &task).status, 201);
    let status = service.until("three good runs", || {
        let status = service.get("/tasks/reach").json();
        (status["attempt"].as_u64()? > 3).then_some(status)
    });
    assert_eq!(status["last_failure"], Value::Null, "{status}");
}

#[test]
fn unknown_names_are_not_found_and_names_in_use_conflict() {
    let service = Service::start(&[]);
    assert_eq!(service.get("/tasks/nobody").status, 404);
    assert_eq!(service.delete("/tasks/nobody").status, 404);
    assert_eq!(service.get("/nowhere").status, 404);

    let twice = service.post("/tasks", &json!({ "name": "tidy-up", "kind": "job" }));
    assert_eq!(twice.status, 409, "{twice:?}");
    assert!(twice.error().contains("tidy-up"), "{twice:?}");
}

#[test]
fn the_second_to_cancel_a_task_is_told_of_the_conflict() {
    let service = Service::start(&["--grace", "1"]);
    service.add_deaf("slow");

    // Its answer comes when the task has been forced, after the grace.
    let mut first = service.send("DELETE /tasks/slow HTTP/1.1", &[], "");
    service.until("the first request to have asked", || {
        let status = service.get("/tasks/slow").json();
        (status["phase"] == "stopping").then_some(())
    });
    let second = service.delete("/tasks/slow");
    assert_eq!(second.status, 409, "{second:?}");
    assert!(second.error().contains("before"), "{second:?}");
    let first = Response::read(&mut first);
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.json()["outcome"]["label"], "force_aborted");
}

#[test]
fn bad_requests_are_refused_with_what_to_write() {
    let service = Service::start(&[]);
    for (task, status, hint) in [
        (r#"{"name":"a","kind":"jo"}"#, 400, "stubborn"),
        (r#"{"name":"a","kind":"job","failure_rate":1.5}"#, 400, "between 0 and 1"),
        (r#"{"name":"a","kind":"job","failure_rate":-0.1}"#, 400, "between 0 and 1"),
        (r#"{"name":"a","kind":"job","interval_ms":-1}"#, 400, "column 41"),
        (r#"{"name":"","kind":"job"}"#, 400, "empty"),
        (r#"{"name":"a/b","kind":"job"}"#, 400, "letters"),
        (r#"{"name":"17","kind":"job"}"#, 400, "letter"),
        (r#"{"kind":"job"}"#, 400, "name"),
        (r#"{"name":"a","kind":"job","rate":1}"#, 400, "failure_rate"),
        (r#"{"name":"a""#, 400, "EOF"),
    ] {
        let refused = service.send_json("POST", "/tasks", task);
        assert_eq!(refused.status, status, "{task}: {refused:?}");
        assert!(refused.error().contains(hint), "{task}: {refused:?}");
    }
    let huge = format!(r#"{{"name":"{}","kind":"job"}}"#, "a".repeat(20_000));
    assert_eq!(service.send_json("POST", "/tasks", &huge).status, 413);
    let untyped = Response::read(&mut service.send("POST /tasks HTTP/1.1", &[], "{}"));
    assert_eq!(untyped.status, 415);
    assert!(untyped.error().contains("application/json"), "{untyped:?}");
    assert_eq!(service.get("/tasks").json().as_array().unwrap().len(), RESIDENT.len());
}

#[test]
fn jobs_are_refused_when_the_queue_is_full_and_when_nobody_reads_it() {
    let service = Service::start(&[]);
    let job = json!({ "subject": "welcome mail" });
    let full = service.until("the queue to be full", || {
        let reply = service.post("/jobs", &job);
        match reply.status {
            202 => None,
            _ => Some(reply),
        }
    });
    assert_eq!(full.status, 503, "{full:?}");
    assert_eq!(full.header("retry-after"), Some("1"));
    assert_eq!(service.get("/healthz").status, 200);

    assert_eq!(service.delete("/tasks/consume-jobs").status, 200);
    let gone = service.post("/jobs", &job);
    assert_eq!(gone.status, 503, "{gone:?}");
    assert!(gone.error().contains("consume-jobs"), "{gone:?}");
    let health = service.get("/healthz");
    assert_eq!((health.status, &health.json()["takes_jobs"]), (503, &json!(false)));
}

#[test]
fn events_stream_tells_of_a_task_added_over_http() {
    let service = Service::start(&[]);
    let mut events = service.events(&[]);
    service.post("/tasks", &json!({ "name": "mine", "kind": "job", "interval_ms": 60_000 }));
    let mut seen = Vec::new();
    while seen.last().is_none_or(|(_, name)| name != "task_stopped") {
        let event = events.next();
        if event.data["task"]["name"] == "mine" {
            seen.push((event.id, event.name));
        }
    }
    let names: Vec<&str> = seen.iter().map(|(_, name)| &**name).collect();
    assert_eq!(names, ["task_add_requested", "task_added", "task_starting", "task_stopped"]);
    assert!(seen.is_sorted_by_key(|(id, _)| *id), "{seen:?}");
}

#[test]
fn sigterm_with_open_streams_and_a_slow_request_drains_within_the_budget_and_exits_zero() {
    let mut service = Service::start(&[]);
    let streams: Vec<_> = (0..20).map(|_| service.events(&[])).collect();
    let job = json!({ "subject": "the last one" }).to_string();
    let mut in_flight = service.begin("/jobs", &job);

    let begun = Instant::now();
    service.signal("TERM");
    for stream in streams {
        let rest = stream.rest();
        assert!(rest.contains("event: bye"), "the stream said nothing of its end: …{rest:?}");
        assert!(rest.ends_with("0\r\n\r\n"), "the stream was cut off, not ended: …{rest:?}");
    }
    service.until("new connections to be refused", || {
        TcpStream::connect(&service.address).is_err().then_some(())
    });
    in_flight.get_mut().write_all(job.as_bytes()).unwrap();
    let accepted = Response::read(&mut in_flight);
    assert_eq!(accepted.status, 202, "{accepted:?}");

    let ended = service.exit();
    let took = begun.elapsed();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(took < Duration::from_secs(5) + MARGIN, "{took:?}");
    for name in RESIDENT {
        assert!(ended.report.contains(name), "{name} is not in\n{}", ended.report);
    }
    assert!(service.log().contains("job done: the last one"), "an accepted job was dropped");
}

#[test]
fn a_load_balancer_is_told_before_anything_ends() {
    let mut service = Service::start(&["--load-balancer", "3"]);
    let ready = || service.get("/admin/tasks/readyz");
    service.until("it to be ready", || (ready().status == 200).then_some(()));
    let streams = [service.events(&[])];

    service.signal("TERM");
    let unready = service.until("the load balancer to be told", || {
        let told = ready();
        (told.status == 503).then_some(told)
    });
    assert!(unready.body.contains("draining"), "{unready:?}");
    assert_eq!(service.get("/tasks/consume-jobs").json()["phase"], "running");
    assert_eq!(service.post("/jobs", &json!({ "subject": "still taken" })).status, 202);
    assert_eq!(service.get("/admin/tasks/livez").status, 200);

    drop(streams);
    let ended = service.exit();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(service.log().contains("job done: still taken"));
}

#[test]
fn a_browser_finds_what_goes_wrong_on_purpose() {
    let service = Service::start(&["--grace", "1", MISCHIEF]);
    let seen = |kind: &str, name: &str| {
        let path = format!("/admin/tasks/api/v1/tasks?state={kind}");
        service.until(&format!("{name} under {kind}"), || {
            let tasks = service.get(&path).json()["tasks"].clone();
            tasks.as_array()?.iter().find(|task| task["name"] == name).cloned()
        })
    };
    assert_eq!(service.get("/admin/tasks/readyz").status, 503, "the cache is warming up");
    seen("not_ready", "warm-cache");
    seen("not_responding", "crunch-numbers");
    let failed = seen("failed", "import-legacy");
    assert_eq!((&failed["attempt"], &failed["outcome"]["label"]), (&json!(4), &json!("failed")));
    assert_eq!(failed["recent"].as_array().unwrap().len(), 4);
    service.until("the cache to be warm", || {
        (service.get("/admin/tasks/readyz").status == 200).then_some(())
    });
}

#[test]
fn jobs_accepted_before_the_signal_are_worked_off() {
    let mut service = Service::start(&[]);
    for number in 0..30 {
        let job = json!({ "subject": format!("letter {number}") });
        assert_eq!(service.post("/jobs", &job).status, 202);
    }
    service.signal("TERM");
    let ended = service.exit();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(service.log().matches("job done: letter").count(), 30);
}

#[test]
fn a_task_that_comes_while_tasks_drain_is_refused() {
    let mut service = Service::start(&["--grace", "2"]);
    service.add_deaf("deaf");
    let late = json!({ "name": "late", "kind": "job" }).to_string();
    let mut request = service.begin("/tasks", &late);

    service.signal("TERM");
    service
        .until("the tasks to drain", || service.log().contains("shutdown_requested").then_some(()));
    request.get_mut().write_all(late.as_bytes()).unwrap();
    let refused = Response::read(&mut request);
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.error().contains("shutting down"), "{refused:?}");
    let ended = service.exit();
    assert!(!ended.report.contains("late"), "{ended:?}");
}

#[test]
fn sigint_drains_as_well() {
    let mut service = Service::start(&[]);
    service.signal("INT");
    let ended = service.exit();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.report.contains("consume-jobs"), "{ended:?}");
}

#[test]
fn a_task_that_ignores_cancellation_makes_the_exit_code_one() {
    let mut service = Service::start(&["--grace", "1"]);
    service.add_deaf("deaf");
    let begun = Instant::now();
    service.signal("TERM");
    let ended = service.exit();
    let took = begun.elapsed();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(took >= Duration::from_secs(1), "forced before its grace was over: {took:?}");
    assert!(took < Duration::from_secs(1) + MARGIN, "{took:?}");
    assert!(ended.report.contains("deaf"), "{ended:?}");
}

#[test]
fn a_second_signal_ends_the_wait() {
    let mut service = Service::start(&["--grace", "60"]);
    service.add_deaf("deaf");
    service.signal("TERM");
    service.until("the first signal to be seen", || {
        service.log().contains("SIGTERM: shutting down").then_some(())
    });
    // One that comes at once counts as a copy of the first.
    service.until("a later one to be seen", || {
        service.signal("INT");
        service.log().contains("SIGINT again: not waiting any longer").then_some(())
    });
    assert_eq!(service.exit().code, Some(1));
}

#[test]
fn wrong_arguments_are_refused_with_usage_and_exit_code_two() {
    for args in [
        &["--lisen", "127.0.0.1:0"][..],
        &["--listen"],
        &["--listen", "nowhere"],
        &["--grace", "soon"],
        &["--grace", "-1"],
        &["extra"],
    ] {
        let Output { status, stdout, stderr } =
            Command::new(example()).args(args).output().unwrap();
        let stderr = String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stdout.is_empty(), "{args:?}");
        assert!(stderr.contains(args[0]) && stderr.contains("usage:"), "{args:?}: {stderr}");
    }
    let help = Command::new(example()).arg("--help").output().unwrap();
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).starts_with("usage:"));
}

#[test]
fn an_address_in_use_is_an_error_and_exit_code_one() {
    let service = Service::start(&[]);
    let second = Command::new(example()).args(["--listen", &service.address]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&second.stderr);
    assert!(stderr.contains(&service.address), "{stderr}");
}
