//! How do I keep background work from taking everything?
//!
//! `max_concurrent` bounds how many attempts run at a time, and the others wait for a permit in the
//! order in which they came; `max_tasks` bounds how many tasks there are, and refuses aloud. You
//! will see six tasks run two at a time, and a seventh that is refused, handed back, and added once
//! there is room.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_taskvisor::prelude::*;
use tokio::sync::{Semaphore, mpsc};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let builder = TaskSupervisor::builder().max_concurrent(2).max_tasks(6);
    let supervisor = builder.start()?;
    let running = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(Semaphore::new(0));
    let (began, mut begins) = mpsc::unbounded_channel();

    let thumbnail = |number: u32| {
        let (running, gate, began) = (running.clone(), gate.clone(), began.clone());
        TaskSpec::once(format!("thumbnail-{number}"), async move |ctx| {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            println!("{} begins, {now} running", ctx.name());
            began.send(now)?;
            gate.acquire().await?.forget();
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        })
    };

    let tasks = supervisor.add_all((1..=6).map(thumbnail)).await?;
    let error = supervisor.add(thumbnail(7)).await.err();
    let error = error.ok_or("the limit should have refused this")?;
    println!("refused: {error}");
    assert!(matches!(error, AddError::LimitReached { limit: 6, .. }));
    let spec = error.into_spec().ok_or("the spec should come back")?;

    // Let them go one by one: whenever one ends, the next begins beside the one that is left.
    assert!(matches!(begins.recv().await, Some(1)));
    for _ in 2..=6 {
        assert!(matches!(begins.recv().await, Some(2)));
        gate.add_permits(1);
    }
    gate.add_permits(2);
    for task in &tasks {
        task.removed().await;
    }
    assert!(supervisor.add(spec).await?.outcome().await.is_success());
    supervisor.shutdown().await;
    Ok(())
}
