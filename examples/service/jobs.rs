//! Jobs that clients hand in: a bounded queue, and the resident task that works it off.
//!
//! Whoever is told 202 has a place in the queue. When the consumer is asked to stop it takes nothing
//! new and finishes what is queued, for as long as its grace lasts.

use std::time::Duration;

use actix_taskvisor::prelude::*;
use serde::Deserialize;
use tokio::sync::mpsc;

/// The name of the consumer.
pub const CONSUMER: &str = "consume-jobs";
/// How many jobs may wait.
pub const CAPACITY: usize = 64;
/// How long a job takes.
const WORK: Duration = Duration::from_millis(20);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    subject: String,
}

/// The queue, full or not, and its consumer.
pub fn queue() -> (mpsc::Sender<Job>, mpsc::Receiver<Job>) {
    mpsc::channel(CAPACITY)
}

/// The closure owns the receiver, so jobs that wait survive an attempt that fails, and handing one
/// in is refused once the task is gone.
pub fn consumer(mut queue: mpsc::Receiver<Job>) -> TaskSpec {
    TaskSpec::new(CONSUMER, async move |ctx: TaskContext| {
        while let Some(Some(job)) = ctx.run_until_cancelled(queue.recv()).await {
            work_off(job).await;
        }
        queue.close();
        while let Some(job) = queue.recv().await {
            work_off(job).await;
        }
        Ok(())
    })
}

async fn work_off(job: Job) {
    tokio::time::sleep(WORK).await;
    log::info!("job done: {}", job.subject);
}
