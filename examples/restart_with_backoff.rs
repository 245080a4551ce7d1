//! How do I restart a failing task, waiting longer each time?
//!
//! Give it a `BackoffPolicy`. You will see a task that fails three times, the delay before each of
//! its next attempts (50, 100 and 200 ms, since jitter is turned off here), and its success at the
//! fourth.

use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;

use actix_taskvisor::prelude::*;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let supervisor = TaskSupervisor::builder().start()?;

    let (delays, planned) = mpsc::channel();
    let watch = SubscriptionSpec::from_fn(move |event: &Event| {
        println!("{event}");
        if let EventKind::BackoffScheduled { delay, .. } = &event.kind {
            delays.send(*delay).ok();
        }
    });
    let _watching = supervisor.subscribe(watch).await?;

    let ms = Duration::from_millis;
    let connect = TaskSpec::restartable("connect", async |ctx: TaskContext| match ctx.attempt() {
        1..=3 => Err(TaskError::failed("connection refused")),
        _ => Ok(()),
    })
    .backoff(BackoffPolicy::exponential(ms(50), 2.0, ms(1_000))?.jitter(Jitter::None))
    .max_retries(5);

    let task = supervisor.add(connect).await?;
    let outcome = task.outcome().after_events(Duration::from_secs(5)).await;
    println!("outcome: {outcome}");

    assert!(outcome.is_success(), "the fourth attempt should have succeeded");
    assert_eq!(planned.try_iter().collect::<Vec<_>>(), [ms(50), ms(100), ms(200)]);
    supervisor.shutdown().await;
    Ok(())
}
