//! Can my own actor drive the supervisor by messages alone?
//!
//! Yes: the registry and every task are actors, and what they accept is public. You will see an
//! actor that holds an `Addr<Registry>` add two tasks, ask an `Addr<TaskActor>` for its status,
//! cancel it, and list what is left.

use actix::prelude::*;
use actix_taskvisor::Registry;
use actix_taskvisor::messages::{AddTask, CancelTask, CurrentStatus, TaskList};
use actix_taskvisor::prelude::*;

type Failed = Box<dyn std::error::Error + Send + Sync>;

struct Operator(Addr<Registry>);

impl Actor for Operator {
    type Context = Context<Self>;
}

/// Asks the operator to go through all of it. The answer is what was left at the end.
#[derive(Message)]
#[rtype(result = "Result<Vec<String>, Failed>")]
struct Rehearse;

impl Handler<Rehearse> for Operator {
    type Result = ResponseFuture<Result<Vec<String>, Failed>>;

    fn handle(&mut self, _msg: Rehearse, _ctx: &mut Context<Self>) -> Self::Result {
        let registry = self.0.clone();
        Box::pin(async move {
            registry.send(AddTask(resident("mails"))).await??;
            let orders = registry.send(AddTask(resident("orders"))).await??;
            let status = orders.addr().send(CurrentStatus).await?;
            println!("{} is {}", status.task.name(), status.phase.label());

            let cancelling = registry.send(CancelTask::new("orders")).await??;
            println!("cancelled: {:?}", cancelling.end().await.end);
            let left = registry.send(TaskList).await?;
            Ok(left.iter().map(|task| task.name().to_string()).collect())
        })
    }
}

fn resident(name: &str) -> TaskSpec {
    TaskSpec::new(name, async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    })
}

#[actix::main]
async fn main() -> Result<(), Failed> {
    let supervisor = TaskSupervisor::builder().start()?;
    let left = Operator(supervisor.addr()).start().send(Rehearse).await??;
    assert_eq!(left, ["mails"]);
    supervisor.shutdown().await;
    Ok(())
}
