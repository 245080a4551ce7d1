//! How do I learn how a task ended?
//!
//! `TaskHandle::outcome` is a future; await it before or after the end, from as many places as you
//! like. You will see a task that failed, with the error it returned, one that was cancelled, and
//! that the outcome of a task that is gone can still be asked for by its id.

use std::error::Error;
use std::io;

use actix_taskvisor::prelude::*;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let supervisor = TaskSupervisor::builder().start()?;

    let open = TaskSpec::once("open", async |_ctx| {
        let missing = io::Error::new(io::ErrorKind::NotFound, "no such file: settings");
        Err(TaskError::from(missing).with_exit_code(66))
    });
    let open = supervisor.add(open).await?;
    let elsewhere = actix_web::rt::spawn(open.outcome());
    let (here, there) = (open.outcome().await, elsewhere.await?);
    println!("open: {here}");
    assert_eq!(here.to_string(), there.to_string());

    let TaskOutcome::Failed(failure) = here else {
        return Err("expected a failure".into());
    };
    let kind = failure.downcast_ref::<io::Error>().map(io::Error::kind);
    println!("its error: {kind:?}, exit code {:?}", failure.exit_code());
    assert_eq!(kind, Some(io::ErrorKind::NotFound));
    assert_eq!(failure.exit_code(), Some(66));

    let wait = TaskSpec::new("wait", async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    });
    let wait = supervisor.add(wait).await?;
    let reply = wait.cancel().await?;
    println!("wait: {:?}", reply.end);
    assert!(reply.asked_by_this_call);

    supervisor.wait_until_empty().await;
    let late = supervisor.status(open.id()).await?;
    let late = late.ok_or("the history has forgotten the task")?;
    println!("{}: {}, {:?}", late.task.name(), late.phase.label(), late.outcome);
    assert!(late.is_removed && late.outcome.is_some());
    supervisor.shutdown().await;
    Ok(())
}
