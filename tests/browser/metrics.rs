//! The metrics, as Prometheus's own tool reads them.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use actix_taskvisor::prelude::*;

use crate::{needs, site::Site, tasks::failing};

#[actix_web::test]
async fn promtool_has_nothing_to_say_about_the_metrics() {
    let Some(promtool) = needs::binary("PROMTOOL", "promtool") else {
        needs::skip_anywhere("no promtool", "apt-get install prometheus");
        return;
    };
    let site = Site::with_actions().await;
    site.resident("quotes \" and \\ and\nlines").await;
    site.add(failing("import", "disk full")).await.outcome().await;
    let spec = TaskSpec::once("in a slot", async |_ctx: TaskContext| Ok(()));
    let submitted = site.supervisor.submit(Submission::new(spec).slot("tenant")).await;
    submitted.expect("it is taken in").outcome().await;
    let (status, metrics) = site.get("metrics").await;
    assert_eq!(status, 200, "{metrics}");

    let mut tool = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool can be started");
    let mut input = tool.stdin.take().expect("it is piped");
    input.write_all(metrics.as_bytes()).expect("it reads them");
    drop(input);
    let said = tool.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&[said.stderr, said.stdout].concat()).into_owned();
    assert!(said.status.success() && text.is_empty(), "{}: {text}\nof\n{metrics}", said.status);
}
