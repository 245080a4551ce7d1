//! How does one of my actors follow what the tasks do?
//!
//! It handles the message `Lifecycle`; any actor can. You will see the whole life of one task, as
//! the actor was told of it, up to the last delivery of its subscription.

use std::error::Error;

use actix::prelude::*;
use actix_taskvisor::prelude::*;
use tokio::sync::mpsc;

/// Prints every event and passes its label on.
struct Journal(mpsc::UnboundedSender<&'static str>);

impl Actor for Journal {
    type Context = Context<Self>;
}

impl Handler<Lifecycle> for Journal {
    type Result = ();

    fn handle(&mut self, msg: Lifecycle, ctx: &mut Context<Self>) {
        if msg.lost() > 0 {
            println!("({} events did not reach this actor)", msg.lost());
        }
        if let Some(event) = msg.event() {
            println!("{event}");
            self.0.send(event.kind.label()).ok();
        }
        if msg.ended() {
            ctx.stop();
        }
    }
}

#[actix::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let supervisor = TaskSupervisor::builder().start()?;
    let (tell, mut told) = mpsc::unbounded_channel();
    let journal = Journal(tell).start();
    let subscription = supervisor.subscribe(journal.recipient::<Lifecycle>());
    subscription.await?.detach();

    let greet = TaskSpec::once("greet", async |_ctx| Ok(()));
    supervisor.add(greet).await?.removed().await;
    supervisor.shutdown().await;

    let mut labels = Vec::new();
    while let Some(label) = told.recv().await {
        labels.push(label);
    }
    assert!(labels.starts_with(&["task_add_requested", "task_added", "task_starting"]));
    assert!(labels.ends_with(&["shutdown_requested", "all_stopped_within_grace"]));
    Ok(())
}
