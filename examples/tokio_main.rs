//! Does it work under `#[tokio::main]`, where there is no actix `System`?
//!
//! Yes, in the default placement, which brings threads of its own. You will see tasks added from
//! Tokio's worker threads, their outcomes, and what `Placement::Current`, which needs the caller's
//! `System`, answers here.

use std::error::Error;

use actix_taskvisor::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let supervisor = TaskSupervisor::builder().start()?;

    let adding = (1..=3).map(|number| {
        let supervisor = supervisor.clone();
        tokio::spawn(async move {
            let spec = TaskSpec::once(format!("job-{number}"), async move |ctx: TaskContext| {
                println!("{} runs on {:?}", ctx.name(), std::thread::current().name());
                Ok(())
            });
            let task = supervisor.add(spec).await?;
            Ok::<_, AddError>(task.outcome().await)
        })
    });
    for added in adding.collect::<Vec<_>>() {
        let outcome = added.await??;
        println!("outcome: {outcome}");
        assert!(outcome.is_success());
    }

    let refused = TaskSupervisor::builder().placement(Placement::Current).start();
    let Err(error) = refused else {
        return Err("there is no System here".into());
    };
    println!("Placement::Current: {error}");
    assert!(matches!(error, StartError::NoSystem));

    supervisor.shutdown().await;
    Ok(())
}
