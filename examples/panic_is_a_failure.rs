//! What happens when a task panics?
//!
//! The attempt has failed, and the restart policy decides as after any other failure; nothing else
//! is touched. You will see Rust's own message about the panic, what the next attempt knows of it,
//! and a second task that was running on the same thread all the while.

use std::error::Error;
use std::time::Duration;

use actix_taskvisor::prelude::*;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let supervisor = TaskSupervisor::builder().start()?;

    let bystander = TaskSpec::once("bystander", async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    });
    let bystander = supervisor.add(bystander).await?;

    let parse = TaskSpec::restartable("parse", async |ctx: TaskContext| {
        let Some(failure) = ctx.previous_failure() else {
            panic!("index out of bounds in attempt {}", ctx.attempt());
        };
        println!("attempt {} knows: {failure} (a panic: {})", ctx.attempt(), failure.is_panic());
        if failure.is_panic() { Ok(()) } else { Err(TaskError::fatal("expected a panic")) }
    })
    .backoff(BackoffPolicy::constant(Duration::from_millis(10))?)
    .max_retries(3);

    let task = supervisor.add(parse).await?;
    let outcome = task.outcome().await;
    println!("parse: {outcome}, after {} attempts", task.status().attempt);
    assert!(outcome.is_success(), "the second attempt should have succeeded");
    assert_eq!(task.status().attempt, 2);

    let other = bystander.status();
    println!("bystander: {} in attempt {}", other.phase.label(), other.attempt);
    assert_eq!((other.phase, other.restarts), (TaskPhase::Running, 0));

    supervisor.shutdown().await;
    Ok(())
}
