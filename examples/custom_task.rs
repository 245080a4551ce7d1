//! How do I write a task as a type of its own, with state that survives a failed attempt?
//!
//! Implement `Task`. You will see an importer that fails in the middle, is restarted, and goes on
//! where it was; and one that holds an `Rc`, which is therefore made on its thread by
//! `from_factory`.

use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use actix_taskvisor::prelude::*;

/// Imports its rows in order. The value stays the same over all attempts.
struct Importer(std::vec::IntoIter<u32>);

impl Task for Importer {
    async fn run(&mut self, ctx: TaskContext) -> TaskResult {
        for row in &mut self.0 {
            println!("attempt {}: row {row}", ctx.attempt());
            if row == 2 {
                return Err(TaskError::failed("the connection broke after row 2"));
            }
        }
        Ok(())
    }
}

/// Holds something that is not `Send`.
struct Counter(Rc<u32>);

impl Task for Counter {
    async fn run(&mut self, _ctx: TaskContext) -> TaskResult {
        println!("counter: {}", self.0);
        Ok(())
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let supervisor = TaskSupervisor::builder().start()?;
    let backoff = BackoffPolicy::constant(Duration::from_millis(10))?;
    let rows = Importer(vec![1, 2, 3, 4].into_iter());
    let import = TaskSpec::from_task("import", rows).backoff(backoff);
    let count = TaskSpec::from_factory("count", || Counter(Rc::new(7)));

    for (task, attempts) in supervisor.add_all([import, count]).await?.iter().zip([2, 1]) {
        let outcome = task.outcome().await;
        println!("{}: {outcome}", task.name());
        assert!(outcome.is_success());
        assert_eq!(task.status().attempt, attempts);
    }
    supervisor.shutdown().await;
    Ok(())
}
