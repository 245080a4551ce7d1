use std::sync::Arc;

use actix_web::{
    FromRequest, Handler, HttpResponse, Resource, Responder,
    web::{self, Data, ServiceConfig},
};

use super::{
    answers,
    desk::{Desk, Post, Visitor},
    options::WebOptions,
    problem::{Code, Problem},
};
use crate::supervisor::SupervisorHandle;

impl SupervisorHandle {
    /// Routes that show this supervisor, and the page that uses them, to be put into a scope of the application's.
    ///
    /// ```
    /// use actix_taskvisor::{prelude::*, web::WebOptions};
    /// use actix_web::{App, web};
    ///
    /// # #[actix::main] async fn main() -> Result<(), StartError> {
    /// let supervisor = TaskSupervisor::builder().start()?;
    /// let app = move || {
    ///     App::new().service(
    ///         web::scope("/admin/tasks").configure(supervisor.routes(WebOptions::default())),
    ///     )
    /// };
    /// # let _ = app;
    /// # Ok(()) }
    /// ```
    ///
    /// The scope's path without its slash redirects to the page, relative to its last segment as the application sees it:
    /// behind a proxy that renames that segment, link to the address with the slash.
    ///
    /// There is nothing else to register. What the routes keep for themselves stays in the scope, under a private type.
    /// They do not keep the supervisor alive: they hold what answers for it, and say that it has ended when it has.
    ///
    /// The first call for a supervisor starts two subscribers, on a thread of their own that no other subscriber can block
    /// ([`Placement::Current`](crate::Placement::Current): on the caller's arbiter), which live as long as it does: from
    /// then on every event is made. The actors are shared by all HTTP workers, and so are the bounds on streams. What
    /// is caused after the first call has returned is in streams and metrics; what happened before is in none: call this
    /// once before the server starts and before tasks are added, and clone what it returned inside of the closure, where
    /// that matters.
    pub fn routes(
        &self,
        options: WebOptions,
    ) -> impl FnOnce(&mut ServiceConfig) + Clone + Send + use<> {
        let board = Arc::clone(self.board());
        // Now rather than with the scope: so routes made before the server count from before its workers are there.
        let post = Post::of(&board, &options);
        move |scope| configure(scope, Desk { board, options, post })
    }
}

fn configure(scope: &mut ServiceConfig, desk: Desk) {
    scope
        .app_data(Data::new(desk))
        .service(get("", answers::slash))
        .service(get("/", answers::page))
        .service(get("/page.css", answers::style))
        .service(get("/page.js", answers::script))
        .service(get("/metrics", answers::metrics))
        .service(get("/livez", answers::livez))
        .service(get("/readyz", answers::readyz))
        .service(api_get("/api/v1/summary", answers::summary))
        .service(api_get("/api/v1/tasks", answers::tasks))
        .service(api_get("/api/v1/tasks/{id}", answers::task))
        .service(api_get("/api/v1/tasks/{id}/attempts", answers::attempts))
        .service(api_get("/api/v1/slots", answers::slots))
        .service(api_get("/api/v1/events", answers::events))
        .service(api_get("/api/v1/openapi.json", answers::openapi))
        .service(api_post("/api/v1/tasks/{id}/actions/{verb}", answers::act_on_one))
        .service(api_post("/api/v1/actions", answers::act_on_many))
        .default_service(web::to(no_such_route));
}

/// A route that is read, by HEAD as well.
fn get<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    read(web::resource(path.to_owned()), handler)
}

/// The same, with and without a slash at its end.
fn api_get<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    read(web::resource([path.to_owned(), format!("{path}/")].to_vec()), handler)
}

fn read<F, Args>(resource: Resource, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    resource
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(|visitor: Visitor| wrong_method(visitor, "GET, HEAD")))
}

/// A route that acts.
fn api_post<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource([path.to_owned(), format!("{path}/")].to_vec())
        .route(web::post().to(handler))
        .default_service(web::to(|visitor: Visitor| wrong_method(visitor, "POST")))
}

async fn wrong_method(_visitor: Visitor, methods: &'static str) -> Result<HttpResponse, Problem> {
    let detail = format!("this route has {methods}");
    Err(Problem::new(Code::MethodNotAllowed, detail).allow(methods))
}

async fn no_such_route(_visitor: Visitor) -> Result<HttpResponse, Problem> {
    Err(Problem::new(Code::NoSuchRoute, "see `api/v1/openapi.json` for those there are"))
}
