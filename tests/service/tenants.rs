//! Syncs of tenants: the routes that admit by key, and what becomes of them on SIGTERM.

use std::{
    io::BufReader,
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::process::{MARGIN, Response, Service};

/// Long enough to last until a test ends it.
const LONG: &str = "work_ms=60000";

#[test]
fn a_second_sync_of_a_tenant_waits_for_the_first_and_shows_its_place() {
    let service = Service::start(&[]);
    let first = service.sync("42", LONG);
    let second = service.sync("42", "work_ms=0");
    let other = service.sync("43", LONG);
    assert_eq!(first["admission"]["label"], "started");
    assert_eq!(second["admission"]["label"], "queued");
    assert_eq!(second["admission"]["position"], 1);
    assert_eq!(other["admission"]["label"], "started", "each tenant has a slot of its own");

    let waiting = service.task(&second);
    assert_eq!(waiting["phase"], "queued");
    assert_eq!((&waiting["slot"], &waiting["position"]), (&json!("tenant-42"), &json!(1)));
    assert_eq!(waiting["worker"], Value::Null);

    let slots = service.get("/slots").json();
    assert_eq!(slots.as_array().unwrap().len(), 2, "{slots}");
    let slot = &slots[0];
    assert_eq!((&slot["name"], &slot["state"]), (&json!("tenant-42"), &json!("running")));
    assert_eq!(slot["owners"][0]["id"], first["id"]);
    assert_eq!(slot["queue"][0]["id"], second["id"]);

    let path = format!("/tasks/{}", first["id"]);
    assert_eq!(service.delete(&path).status, 200);
    service.until("the second to have run", || {
        (service.task(&second)["outcome"]["label"] == "completed").then_some(())
    });
}

#[test]
fn each_policy_answers_what_it_decided() {
    let service = Service::start(&[]);
    let owner = service.sync("42", LONG);
    let decided = |query: &str| service.sync("42", &format!("{LONG}&{query}"))["admission"].clone();

    assert_eq!(decided("when_busy=queue")["position"], 1);
    assert_eq!(decided("when_busy=queue&priority=1")["position"], 1, "it overtakes");
    let attached = decided("when_busy=attach");
    assert_eq!((&attached["label"], &attached["task"]), (&json!("attached"), &owner["id"]));
    let delayed = decided("when_busy=debounce&quiet_ms=30000&max_wait_ms=20000");
    assert_eq!((&delayed["label"], &delayed["delay_ms"]), (&json!("delayed"), &json!(20_000)));
    for policy in ["replace", "replace_all"] {
        let replacing = decided(&format!("when_busy={policy}"));
        assert_eq!(replacing["label"], "replacing");
    }
    let throttled = || service.sync("43", "when_busy=throttle&every_ms=60000");
    assert_eq!(throttled()["admission"]["label"], "started");
    assert_eq!(throttled()["admission"]["label"], "delayed");

    service.sync("44", LONG);
    let busy = service.post_sync("44", "when_busy=drop_if_running");
    assert_eq!(busy.status, 409, "{busy:?}");
    assert!(busy.error().contains("busy"), "{busy:?}");
}

#[test]
fn clients_that_attach_share_the_outcome_of_one_run() {
    let service = Service::start(&[]);
    let owner = service.sync("42", LONG);
    let attached = [(); 3].map(|()| service.begin_sync("42", "when_busy=attach"));
    service.until("all to be attached", || (service.slot("42")["attached"] == 3).then_some(()));

    assert_eq!(service.delete(&format!("/tasks/{}", owner["id"])).status, 200);
    for mut client in attached {
        let told = Response::read(&mut client);
        assert_eq!(told.status, 409, "{told:?}");
        let told = told.json();
        assert_eq!(told["admission"]["task"], owner["id"]);
        assert_eq!(told["outcome"]["cause"], "user");
    }
    let alone = service.post_sync("42", "when_busy=attach&wait=true&work_ms=0");
    assert_eq!((alone.status, &alone.json()["outcome"]["label"]), (200, &json!("completed")));
}

#[test]
fn a_client_that_waits_is_told_why_its_sync_was_not_run() {
    let service = Service::start(&[]);
    let mut running = service.begin_sync("42", LONG);
    service.until("it to run", || (service.slot("42")["state"] == "running").then_some(()));

    let late = service.post_sync("42", "wait=true&max_wait_ms=1");
    assert_eq!(late.status, 429, "{late:?}");
    assert!(late.header("retry-after").is_some(), "{late:?}");
    assert_eq!(late.json()["outcome"]["rejection"], "queue_timeout");

    let mut older = service.begin_sync("42", "when_busy=debounce&quiet_ms=60000");
    service.until("it to wait", || service.slot("42")["queue"][0]["id"].as_u64());
    let newer = service.post_sync("42", "when_busy=replace_all&wait=true&work_ms=0");
    assert_eq!(newer.status, 200, "{newer:?}");

    let (replaced, superseded) = (Response::read(&mut running), Response::read(&mut older));
    assert_eq!((replaced.status, superseded.status), (409, 409));
    assert_eq!(replaced.json()["outcome"]["cause"], "replaced");
    assert_eq!(superseded.json()["outcome"]["rejection"], "superseded");
}

#[test]
fn a_limit_is_refused_with_its_name_and_when_to_come_back() {
    let service = Service::start(&[]);
    let refused = |tenant: &str, status, limit: &str| {
        let refused = service.post_sync(tenant, LONG);
        assert_eq!(refused.status, status, "{refused:?}");
        assert_eq!(refused.header("retry-after"), Some("1"), "{refused:?}");
        assert!(refused.error().contains(limit), "{refused:?}");
    };
    for _ in 0..=8 {
        service.sync("one", LONG);
    }
    refused("one", 429, "max_queued_per_slot = 8");
    for tenant in 1..64 {
        service.sync(&format!("other-{tenant}"), LONG);
    }
    refused("another", 503, "max_slots = 64");
    for number in 8..128 {
        service.sync(&format!("other-{}", 1 + number % 63), LONG);
    }
    refused("other-1", 503, "max_queued = 128");
}

#[test]
fn a_query_that_makes_no_sense_is_refused_with_what_to_write() {
    let service = Service::start(&[]);
    for (query, hint) in [
        ("when_busy=wait", "drop_if_running"),
        ("when_busy=", "drop_if_running"),
        ("work_ms=soon", "a whole number of milliseconds, at most 60000"),
        ("work_ms=60001", "a whole number of milliseconds, at most 60000"),
        ("wait=yes", "`true` or `false`"),
        ("priority=high", "a whole number"),
        ("quiet_ms=5", "when_busy=debounce"),
        ("when_busy=debounce&every_ms=5", "when_busy=throttle"),
        ("busy=queue", "when_busy"),
    ] {
        let refused = service.post_sync("42", query);
        assert_eq!(refused.status, 400, "{query}: {refused:?}");
        assert!(refused.error().contains(hint), "{query}: {refused:?}");
    }
    let tenant = service.post_sync("4%202", "");
    assert_eq!(tenant.status, 400, "{tenant:?}");
    assert!(tenant.error().contains("letters"), "{tenant:?}");
    assert_eq!(service.get("/slots").body, "[]");
}

#[test]
fn a_slot_is_cleared_with_or_without_its_owner() {
    let service = Service::start(&[]);
    let owner = service.sync("42", LONG);
    let waiting = service.sync("42", LONG);

    let queue = service.delete("/slots/tenant-42?scope=queue").json();
    assert_eq!(queue["ended"][0]["id"], waiting["id"], "{queue}");
    assert_eq!(queue["ended"].as_array().unwrap().len(), 1, "{queue}");
    assert_eq!(service.slot("42")["owners"][0]["id"], owner["id"]);

    let all = service.delete("/slots/tenant-42?scope=all").json();
    assert_eq!(all["ended"][0]["id"], owner["id"], "{all}");
    assert_eq!(all["ended"][0]["outcome"]["cause"], "user");
    let gone = service.delete("/slots/tenant-42");
    assert_eq!(gone.status, 404, "{gone:?}");
    let unclear = service.delete("/slots/tenant-42?scope=owner");
    assert_eq!(unclear.status, 400, "{unclear:?}");
    assert!(unclear.error().contains("scope=queue"), "{unclear:?}");
}

#[test]
fn one_who_waits_or_shares_is_cancelled_by_its_id_and_the_owner_runs_on() {
    let service = Service::start(&[]);
    let owner = service.sync("42", LONG);
    let queued = service.sync("42", LONG);
    let mut sharing = service.begin_sync("42", "when_busy=attach");
    service.until("it to be attached", || (service.slot("42")["attached"] == 1).then_some(()));
    let shared = queued["id"].as_u64().unwrap() + 1;

    for id in [&queued["id"], &json!(shared)] {
        let canceled = service.delete(&format!("/tasks/{id}"));
        assert_eq!(canceled.status, 200, "{canceled:?}");
        assert_eq!(canceled.json()["outcome"]["cause"], "user");
    }
    assert_eq!(Response::read(&mut sharing).status, 409);
    let slot = service.slot("42");
    assert_eq!((&slot["owners"][0]["id"], &slot["queue"]), (&owner["id"], &json!([])));
    assert_eq!(service.task(&owner)["cancel_cause"], Value::Null);
}

#[test]
fn the_events_of_slots_are_streamed() {
    let service = Service::start(&[]);
    let mut events = service.events(&[]);
    service.sync("42", LONG);
    assert_eq!(service.post_sync("42", "when_busy=drop_if_running").status, 409);
    let mut seen = Vec::new();
    while seen.last().is_none_or(|(name, _)| name != "slot_rejected") {
        let event = events.next();
        if event.name.starts_with("slot_") {
            seen.push((event.name, event.data["detail"].clone()));
        }
    }
    let names: Vec<&str> = seen.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["slot_submitted", "slot_transition", "slot_rejected"]);
    assert!(seen.iter().all(|(_, detail)| detail["slot"] == "tenant-42"), "{seen:?}");
    assert_eq!(seen[0].1["admission"]["label"], "started");
    assert_eq!((&seen[1].1["from"], &seen[1].1["to"]), (&json!("idle"), &json!("running")));
    assert_eq!(seen[2].1["rejection"], "slot_busy");
}

#[test]
fn on_sigterm_clients_that_wait_are_answered_and_one_that_never_finishes_is_cut_off() {
    let mut service = Service::start(&[]);
    let mut running = service.begin_sync("42", LONG);
    service.until("it to run", || (service.slot("42")["state"] == "running").then_some(()));
    let policies = ["queue", "queue", "attach", "debounce&quiet_ms=60000&max_wait_ms=60000"];
    let mut waiting =
        policies.map(|policy| service.begin_sync("42", &format!("when_busy={policy}")));
    service.until("all to wait", || {
        let slot = service.slot("42");
        let waiting = slot["queue"].as_array()?.len();
        (waiting == 3 && slot["attached"] == 1).then_some(())
    });
    let _never_finished = service.begin("/jobs", "the body does not come");

    let begun = Instant::now();
    service.signal("TERM");
    let told = Response::read(&mut running);
    assert_eq!(told.status, 503, "{told:?}");
    assert_eq!(told.json()["outcome"]["cause"], "shutdown");
    for (policy, client) in policies.iter().zip(&mut waiting) {
        let told = Response::read(client);
        assert_eq!(told.status, 503, "{policy}: {told:?}");
        let outcome = &told.json()["outcome"];
        match *policy {
            "attach" => assert_eq!(outcome["cause"], "shutdown", "{outcome}"),
            _ => assert_eq!(outcome["rejection"], "shutting_down", "{policy}: {outcome}"),
        }
    }
    let ended = service.exit();
    let took = begun.elapsed();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(took < Duration::from_secs(5) + MARGIN, "{took:?}");
    assert!(service.log().contains("still in flight are cut off"), "it was not said");
}

impl Service {
    fn post_sync(&self, tenant: &str, query: &str) -> Response {
        let line = format!("POST /tenants/{tenant}/sync?{query} HTTP/1.1");
        Response::read(&mut self.send(&line, &[], ""))
    }

    /// A sync that has to be taken in.
    fn sync(&self, tenant: &str, query: &str) -> Value {
        let taken_in = self.post_sync(tenant, query);
        assert_eq!(taken_in.status, 202, "{query}: {taken_in:?}");
        taken_in.json()
    }

    /// Asks for a sync and its outcome; the answer is read from what is returned.
    fn begin_sync(&self, tenant: &str, query: &str) -> BufReader<TcpStream> {
        self.send(&format!("POST /tenants/{tenant}/sync?wait=true&{query} HTTP/1.1"), &[], "")
    }

    /// The status of what was taken in.
    fn task(&self, submission: &Value) -> Value {
        self.get(&format!("/tasks/{}", submission["id"])).json()
    }

    /// A tenant's slot; null if it is not in use.
    fn slot(&self, tenant: &str) -> Value {
        let slots = self.get("/slots").json();
        let name = format!("tenant-{tenant}");
        let found = slots.as_array().unwrap().iter().find(|slot| slot["name"] == name.as_str());
        found.cloned().unwrap_or_default()
    }
}
