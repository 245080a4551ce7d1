//! How do I run background work beside actix-web?
//!
//! Start the supervisor before `HttpServer::new`, hand its handle to the application as `app_data`,
//! and shut it down after the server has ended. You will see the answer of `GET /tasks`, which
//! names the running task, and then the report of the shutdown.

use std::error::Error;

use actix_taskvisor::prelude::*;
use actix_web::{App, HttpServer, Responder, get, web};

#[get("/tasks")]
async fn tasks(supervisor: web::Data<SupervisorHandle>) -> actix_web::Result<impl Responder> {
    let tasks = supervisor.list().await.map_err(actix_web::error::ErrorServiceUnavailable)?;
    let line = |status: &TaskStatus| format!("{} is {}", status.task.name(), status.phase.label());
    Ok(tasks.iter().map(line).collect::<Vec<_>>().join("\n"))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let supervisor = TaskSupervisor::builder().start()?;
    // A resident worker stays in its body until it is asked to stop.
    let refresh = TaskSpec::new("refresh_cache", async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    });
    supervisor.add(refresh).await?;

    let shared = web::Data::new(supervisor.clone());
    let server = HttpServer::new(move || App::new().app_data(shared.clone()).service(tasks))
        .workers(1)
        .bind(("127.0.0.1", 0))?;
    let address = server.addrs()[0];
    let server = server.run();
    let stop = server.handle();
    let serving = actix_web::rt::spawn(server);

    // A service would wait for its server here. This program plays the client and then stops it.
    let mut answer = awc::Client::default().get(format!("http://{address}/tasks")).send().await?;
    let body = String::from_utf8(answer.body().await?.to_vec())?;
    println!("GET /tasks: {body}");
    assert!(body.starts_with("refresh_cache is "), "the task is missing");
    stop.stop(true).await;
    serving.await??;

    let report = supervisor.shutdown().await;
    println!("{report}");
    assert!(report.is_clean(), "something had to be forced");
    Ok(())
}
