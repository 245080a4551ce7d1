//! Can a task hold something that is not `Send` across an await, such as an `awc` client?
//!
//! Yes: the closure has to be `Send`, since it travels to its thread; what it makes there need not
//! be. You will see a task fetch three pages from a small server of this same program, with a
//! client and a counter that cannot be sent.

use std::cell::Cell;
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use actix_taskvisor::prelude::*;
use actix_web::{App, HttpServer, web};

async fn page(number: web::Path<u32>) -> String {
    format!("page {number}")
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = HttpServer::new(|| App::new().route("/{number}", web::get().to(page)))
        .workers(1)
        .bind(("127.0.0.1", 0))?;
    let address = server.addrs()[0];
    let server = server.run();
    let stop = server.handle();
    let serving = actix_web::rt::spawn(server);

    let supervisor = TaskSupervisor::builder().start()?;
    let fetch = TaskSpec::once("fetch", async move |_ctx: TaskContext| {
        let client = awc::Client::default();
        let fetched = Rc::new(Cell::new(0));
        for number in 1..=3 {
            let request = client.get(format!("http://{address}/{number}"));
            // The errors of `awc` are not `Send` either: `from_local` keeps their text.
            let mut answer = request.send().await.map_err(TaskError::from_local)?;
            println!("fetched: {}", String::from_utf8_lossy(&answer.body().await?));
            fetched.set(fetched.get() + 1);
        }
        if fetched.get() == 3 { Ok(()) } else { Err(TaskError::failed("a page is missing")) }
    })
    .timeout(Duration::from_secs(10));

    let outcome = supervisor.add(fetch).await?.outcome().await;
    println!("outcome: {outcome}");
    assert!(outcome.is_success(), "all pages should have been fetched");

    supervisor.shutdown().await;
    stop.stop(true).await;
    serving.await??;
    Ok(())
}
