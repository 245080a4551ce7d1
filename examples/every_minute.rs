//! How do I run something every minute?
//!
//! With `TaskSpec::periodic`. You will see four runs, a minute of virtual time apart: the program
//! pauses Tokio's clock, which then jumps to the next timer whenever there is nothing to do, so
//! that three minutes pass at once. That works for `Placement::Current`, where everything shares
//! the paused thread, and is how such a task is tested.

use std::error::Error;
use std::time::Duration;

use actix_taskvisor::prelude::*;
use tokio::sync::mpsc;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tokio::time::pause();
    let supervisor = TaskSupervisor::builder().placement(Placement::Current).start()?;

    let (ran, mut runs) = mpsc::unbounded_channel();
    let report = TaskSpec::periodic("report", MINUTE, async move |ctx: TaskContext| {
        ran.send((ctx.attempt(), Instant::now()))?;
        Ok(())
    });
    let task = supervisor.add(report).await?;

    let (_, first) = runs.recv().await.ok_or("the task ended")?;
    println!("run 1 at the start");
    let mut before = first;
    for _ in 0..3 {
        let (attempt, at) = runs.recv().await.ok_or("the task ended")?;
        println!("run {attempt} after {:.3?} of virtual time", at - first);
        assert!(at - before >= MINUTE, "the interval runs from the end of the run before");
        before = at;
    }

    let reply = task.cancel().await?;
    println!("cancelled: {:?}", reply.end);
    assert!(matches!(task.removed().await, TaskOutcome::Canceled { .. }));
    supervisor.shutdown().await;
    Ok(())
}
