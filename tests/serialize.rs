//! What goes out under the feature `serde`.
#![cfg(all(feature = "serde", feature = "test-util"))]

mod common;

use actix_taskvisor::{
    Operator, Probe,
    messages::{PauseTask, ResumeTask},
    prelude::*,
};
use common::{current, within};
use serde_json::{Value, json};

#[actix::test]
async fn an_event_is_one_flat_object_with_its_label_and_its_fields() {
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let fails = TaskSpec::once("fails", async |_| Err(TaskError::failed("no").with_exit_code(3)));
    let task = supervisor.add(fails).await.unwrap();
    within("the end", task.outcome().after_events(common::PATIENCE)).await;

    let events: Vec<Value> =
        probe.events().iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    let failed = events.iter().find(|event| event["event"] == "task_failed").unwrap();
    assert_eq!(failed["task"], json!({ "id": 1, "name": "fails" }));
    assert_eq!(failed["attempt"], 1);
    assert_eq!(failed["exit_code"], 3);
    assert_eq!(failed["failure"]["text"], "no");
    assert_eq!(failed["failure"]["kind"], "error");
    for event in probe.events() {
        let value = serde_json::to_value(&event).unwrap();
        assert_eq!(value["event"], event.kind.label(), "the tag is the label");
    }
}

#[actix::test]
async fn texts_that_an_event_shares_are_plain_strings_or_null() {
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let waits = TaskSpec::new("waits", async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    });
    supervisor.add(waits).await.unwrap();
    let registry = supervisor.addr();
    let alice = Operator::new("alice").because("it hangs");
    registry.send(PauseTask::new("waits").by(alice)).await.unwrap().unwrap();
    registry.send(ResumeTask::new("waits").by(Operator::new("bob"))).await.unwrap().unwrap();
    supervisor.events_delivered().await.unwrap();

    let told = probe.events().into_iter().map(|event| serde_json::to_value(event.kind).unwrap());
    let actions: Vec<Value> = told.filter(|kind| kind["event"] == "operator_action").collect();
    assert_eq!(
        actions,
        [
            json!({ "event": "operator_action", "who": "alice", "verb": "pause", "why": "it hangs" }),
            json!({ "event": "operator_action", "who": "bob", "verb": "resume", "why": null }),
        ]
    );
    let kind = EventKind::SubscriberPanicked { subscriber: "clumsy".into(), text: None };
    assert_eq!(
        serde_json::to_value(kind).unwrap(),
        json!({ "event": "subscriber_panicked", "subscriber": "clumsy", "text": null })
    );
}

#[actix::test]
async fn a_status_an_outcome_and_a_report_can_be_written() {
    let supervisor = current();
    let waits = TaskSpec::new("waits", async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    });
    let task = supervisor.add(waits).await.unwrap();
    let status = serde_json::to_value(task.status()).unwrap();
    assert_eq!(status["phase"], task.status().phase.label());
    assert_eq!(status["task"]["name"], "waits");

    let report = within("the report", supervisor.shutdown()).await;
    let report = serde_json::to_value(&report).unwrap();
    assert_eq!(report["cause"], "requested");
    assert_eq!(
        report["ended"][0][1],
        json!({ "canceled": { "cause": "shutdown", "failure": null } })
    );
    let outcome = serde_json::to_value(task.outcome().await).unwrap();
    assert_eq!(outcome, report["ended"][0][1]);
}
