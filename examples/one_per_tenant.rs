//! How do I run at most one job per tenant at a time?
//!
//! Submit it for a slot with the tenant's name. You will see three syncs of one tenant run one after
//! the other while another tenant's runs beside them, what each was answered, and a fourth that does
//! not want to wait and is refused.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_taskvisor::prelude::*;
use tokio::sync::Semaphore;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let supervisor = TaskSupervisor::builder().start()?;
    let gate = Arc::new(Semaphore::new(0));
    let is_running = Arc::new(AtomicBool::new(false));

    let sync = |number: u32| {
        let (gate, is_running) = (gate.clone(), is_running.clone());
        let spec = TaskSpec::once(format!("sync-{number}"), async move |ctx: TaskContext| {
            if is_running.swap(true, Ordering::SeqCst) {
                return Err(TaskError::fatal("two syncs of one tenant ran at once"));
            }
            gate.acquire().await?.forget();
            println!("{} of tenant 42 is done", ctx.name());
            is_running.store(false, Ordering::SeqCst);
            Ok(())
        });
        Submission::new(spec).slot("tenant-42")
    };

    let mut syncs = Vec::new();
    for number in 1..=3 {
        let sync = supervisor.submit(sync(number)).await?;
        println!("{} of tenant 42: {}", sync.task().name(), sync.admission());
        syncs.push(sync);
    }
    let admissions: Vec<Admission> = syncs.iter().map(SubmissionHandle::admission).collect();
    let queued = |position| Admission::Queued { position };
    assert_eq!(admissions, [Admission::Started, queued(1), queued(2)]);

    let other = TaskSpec::once("sync-of-7", async |_ctx| Ok(()));
    let other = supervisor.submit(Submission::new(other).slot("tenant-7")).await?;
    println!("tenant 7, in the meantime: {}", other.outcome().await);

    let refused = supervisor.submit(sync(4).when_busy(WhenBusy::DropIfRunning)).await;
    let error = refused.err().ok_or("the tenant should have been busy")?;
    println!("refused: {error}");
    assert_eq!(error.kind(), Some(RejectionKind::SlotBusy { owner: syncs[0].id() }));

    gate.add_permits(3);
    for sync in &syncs {
        assert!(sync.outcome().await.is_success());
    }
    supervisor.shutdown().await;
    Ok(())
}
