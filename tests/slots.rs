//! Admission by key, seen from outside.

mod common;

use actix_taskvisor::prelude::*;
use common::*;
use tokio::sync::oneshot;

/// A task that runs until the sender is dropped or used.
fn held(name: &str) -> (TaskSpec, oneshot::Sender<()>) {
    let (release, released) = oneshot::channel();
    let mut released = Some(released);
    let spec = TaskSpec::once(name, async move |_ctx: TaskContext| {
        if let Some(released) = released.take() {
            let _ = released.await;
        }
        Ok(())
    });
    (spec, release)
}

fn quick(name: &str) -> TaskSpec {
    TaskSpec::once(name, async |_ctx| Ok(()))
}

#[actix::test]
async fn a_queued_submission_starts_when_its_owner_is_gone() {
    tokio::time::pause();
    let supervisor = current();
    let (spec, release) = held("first");
    let first = supervisor.submit(Submission::new(spec).slot("k")).await.unwrap();
    let second = supervisor.submit(Submission::new(quick("second")).slot("k")).await.unwrap();
    assert_eq!(first.admission(), Admission::Started);
    assert_eq!(second.admission(), Admission::Queued { position: 1 });
    let status = supervisor.status(&second).await.unwrap().unwrap();
    assert_eq!((status.phase, status.position), (TaskPhase::Queued, Some(1)));
    let slots = supervisor.slots().await.unwrap();
    assert_eq!((slots.len(), slots[0].owners.len(), slots[0].queue.len()), (1, 1, 1));
    drop(release);
    assert!(within("second", second.outcome()).await.is_success());
    within("second gone", second.removed()).await;
    assert!(supervisor.slots().await.unwrap().is_empty());
    assert!(supervisor.shutdown().await.is_clean());
}
