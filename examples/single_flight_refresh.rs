//! How do I refresh a cache once, however many requests ask for it at the same time?
//!
//! Submit the refresh with `WhenBusy::Attach`: the first request starts it, and those that come while
//! it runs share its outcome. You will see a hundred requests that one fetch has answered.

use std::error::Error;
use std::sync::Arc;

use actix_taskvisor::prelude::*;
use actix_web::error::{ErrorBadGateway, ErrorServiceUnavailable};
use actix_web::test::{TestRequest, call_and_read_body, init_service};
use actix_web::{App, web};
use futures::future::{FutureExt, join_all, try_join};
use tokio::sync::{Semaphore, watch};

struct Rates {
    supervisor: SupervisorHandle,
    version: watch::Sender<u32>, // the cache: which version of the rates is in it
    upstream: Arc<Semaphore>,    // answers one fetch for each permit
}

/// `GET /rates`: fresh ones, or why there are none.
async fn rates(shared: web::Data<Rates>) -> actix_web::Result<String> {
    let (version, upstream) = (shared.version.clone(), shared.upstream.clone());
    let fetch = TaskSpec::once("fetch-rates", async move |_ctx: TaskContext| {
        upstream.acquire().await?.forget();
        version.send_modify(|version| *version += 1);
        Ok(())
    });
    let fetch = Submission::new(fetch).when_busy(WhenBusy::Attach);
    let fetch = shared.supervisor.submit(fetch).await.map_err(ErrorServiceUnavailable)?;
    match fetch.outcome().await {
        TaskOutcome::Completed => Ok(format!("version {}", *shared.version.borrow())),
        failed => Err(ErrorBadGateway(failed)),
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let supervisor = TaskSupervisor::builder().start()?;
    let (version, upstream) = (watch::Sender::new(0), Arc::new(Semaphore::new(0)));
    let shared = Rates { supervisor: supervisor.clone(), version, upstream: upstream.clone() };
    let app = App::new().app_data(web::Data::new(shared)).route("/rates", web::get().to(rates));
    let app = init_service(app).await;

    let request = |_| call_and_read_body(&app, TestRequest::with_uri("/rates").to_request());
    let all_have_asked = async {
        while supervisor.slot("fetch-rates").await?.is_none_or(|slot| slot.attached < 99) {}
        upstream.add_permits(100);
        Ok::<_, QueryError>(())
    };
    let answers = join_all((0..100).map(request)).map(Ok);
    let (answers, ()) = try_join(answers, all_have_asked).await?;
    println!("{} answers, each: {:?}", answers.len(), answers[0]);
    assert!(answers.iter().all(|answer| answer == "version 1"));
    supervisor.shutdown().await;
    Ok(())
}
