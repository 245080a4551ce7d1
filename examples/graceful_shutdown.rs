//! What happens to my tasks at shutdown?
//!
//! Each is asked to stop and is given the grace to do so; what is still there afterwards is
//! dropped. You will see a writer that finishes what it has in hand, a task that does not listen
//! and has to be forced, and the report that names it. `run_until_signal` does the same upon
//! SIGTERM or SIGINT.

use std::error::Error;
use std::time::Duration;

use actix_taskvisor::prelude::*;
use tokio::sync::mpsc;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let builder = TaskSupervisor::builder().grace(Duration::from_millis(300));
    let supervisor = builder.start()?;
    let (say, mut said) = mpsc::unbounded_channel();

    let deaf_says = say.clone();
    let deaf = TaskSpec::new("deaf", async move |_ctx| {
        deaf_says.send("deaf: begun")?;
        std::future::pending().await
    });
    let writer = TaskSpec::new("writer", async move |ctx: TaskContext| {
        say.send("writer: begun")?;
        ctx.cancelled().await;
        println!("writer: asked to stop, cause {:?}", ctx.cancel_cause());
        say.send("writer: flushed")?;
        Ok(())
    });

    // A task that is asked to stop before its first attempt never runs, so let both begin.
    supervisor.add_all([deaf, writer]).await?;
    println!("{:?}, {:?}", said.recv().await, said.recv().await);

    let report = supervisor.shutdown().await;
    println!("{report}");
    assert_eq!(said.recv().await, Some("writer: flushed"));
    let forced: Vec<_> = report.forced.iter().map(|task| task.name()).collect();
    assert_eq!(forced, ["deaf"]);
    assert!(!report.is_clean());
    Ok(())
}
