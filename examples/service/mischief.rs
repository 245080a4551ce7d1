//! What goes wrong on purpose, so that the operator's page has something to show within a minute.
//!
//! | task | what an operator sees |
//! |---|---|
//! | `import-legacy` | fails four times in three seconds, and is done for |
//! | `mail-gateway` | fails for ever, at longer and longer intervals |
//! | `deaf-exporter` | does not listen when `tend-exporter` restarts it, and is forced when its grace is over |
//! | `crunch-numbers` | blocks its thread for some seconds, and holds up its neighbours there |
//! | `warm-cache` | until it is done, the service is not ready |
//! | `flood-tenant` | hands in more for one slot than is worked off: some wait there |

use std::thread;
use std::time::Duration;

use actix_taskvisor::prelude::*;
use tokio::time::sleep;

/// How long the cache takes to warm up.
const WARM_UP: Duration = Duration::from_secs(4);
/// How long the thread is blocked, and how long it is not.
const BLOCKS_FOR: Duration = Duration::from_secs(3);
const BLOCKS_EVERY: Duration = Duration::from_secs(12);
const TENDS_EVERY: Duration = Duration::from_secs(20);
const FLOODS_EVERY: Duration = Duration::from_secs(3);
/// How long one import of the flooded tenant takes.
const IMPORT: Duration = Duration::from_secs(8);

/// All of them. `grace`: how long the deaf one is given.
pub fn tasks(grace: Duration) -> Result<Vec<TaskSpec>, BackoffError> {
    let growing =
        BackoffPolicy::exponential(Duration::from_millis(500), 2.0, Duration::from_secs(300))?;
    Ok(vec![
        TaskSpec::new("import-legacy", async |_ctx| {
            Err(TaskError::failed("row 17: expected a date, found \"yesterday\""))
        })
        .backoff(growing)
        .max_retries(3),
        TaskSpec::new("mail-gateway", async |_ctx| {
            Err(TaskError::failed("smtp.example: connection refused"))
        })
        .backoff(growing),
        TaskSpec::new("deaf-exporter", async |_ctx| {
            loop {
                sleep(Duration::from_secs(1)).await;
            }
        })
        .grace(grace),
        TaskSpec::periodic("tend-exporter", TENDS_EVERY, async |ctx: TaskContext| {
            if let Some(supervisor) = ctx.supervisor().upgrade() {
                supervisor.restart("deaf-exporter").await?;
            }
            Ok(())
        }),
        TaskSpec::periodic("crunch-numbers", BLOCKS_EVERY, async |_ctx| {
            // What a body should never do: `spawn_blocking` is there for it.
            thread::sleep(BLOCKS_FOR);
            Ok(())
        }),
        TaskSpec::once("warm-cache", async |_ctx| {
            sleep(WARM_UP).await;
            Ok(())
        })
        .required(true),
        TaskSpec::periodic("flood-tenant", FLOODS_EVERY, async |ctx: TaskContext| {
            let import = TaskSpec::once("import-tenant-7", async |ctx: TaskContext| {
                ctx.run_until_cancelled(sleep(IMPORT)).await;
                Ok(())
            });
            if let Some(supervisor) = ctx.supervisor().upgrade() {
                // Refused when too many wait: that is what the limit is for.
                let _ = supervisor.submit(Submission::new(import).slot("tenant-7")).await;
            }
            Ok(())
        }),
    ])
}
