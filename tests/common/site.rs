//! What the tests of feature `web` share: a server with the routes, a client, replies and streams.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{sync::mpsc, time::Duration};

use actix_taskvisor::{prelude::*, web::WebOptions};
use actix_web::{App, HttpServer, dev::ServerHandle, web};
use awc::{Client, ClientResponse, http::StatusCode, http::header};
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::sync::oneshot;

pub const DEADLINE: Duration = Duration::from_secs(10);

/// A server of the test's own making.
pub struct Server {
    pub origin: String,
    pub handle: ServerHandle,
}

impl Server {
    pub fn new(configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static) -> Self {
        let server = HttpServer::new(move || App::new().configure(configure.clone()))
            .workers(2)
            .disable_signals()
            .shutdown_timeout(1)
            .bind(("127.0.0.1", 0))
            .expect("binds");
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        Self { origin: format!("http://{address}"), handle }
    }

    pub async fn get(&self, path: &str) -> Reply {
        let url = format!("{}{path}", self.origin);
        Reply::of(client().get(url).send().await.expect("answers")).await
    }
}

/// A server with the routes in a scope, and the supervisor behind it.
pub struct Site {
    pub base: String,
    pub server: ServerHandle,
    pub supervisor: SupervisorHandle,
}

impl Site {
    pub fn new(options: WebOptions) -> Self {
        Self::of(TaskSupervisor::builder().start().expect("starts"), options)
    }

    /// A server for a supervisor that is there.
    pub fn of(supervisor: SupervisorHandle, options: WebOptions) -> Self {
        let routes = supervisor.routes(options);
        let Server { origin, handle } = Server::new(move |app| {
            let routes = routes.clone();
            app.app_data(web::Data::new(7_u32))
                .route("/own", web::get().to(|own: web::Data<u32>| async move { own.to_string() }))
                .service(
                    web::scope("/outer").service(web::scope("/admin/tasks").configure(routes)),
                );
        });
        Self { base: format!("{origin}/outer/admin/tasks"), server: handle, supervisor }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// Everything that was told so far has arrived in streams and counts.
    pub async fn settle(&self) {
        self.supervisor.events_delivered().await.expect("delivered");
    }

    pub async fn get(&self, path: &str) -> Reply {
        Reply::of(client().get(self.url(path)).send().await.expect("answers")).await
    }

    pub async fn get_as(&self, path: &str, accept: &str) -> Reply {
        let request = client().get(self.url(path)).insert_header((header::ACCEPT, accept));
        Reply::of(request.send().await.expect("answers")).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        let request = client().post(self.url(path)).insert_header(("x-requested-with", "test"));
        Reply::of(request.send_json(body).await.expect("answers")).await
    }

    pub async fn stream(&self, path: &str, last: Option<&str>) -> Stream {
        let mut request =
            client().get(self.url(path)).insert_header((header::ACCEPT, "text/event-stream"));
        if let Some(id) = last {
            request = request.insert_header(("last-event-id", id));
        }
        let response = request.send().await.expect("answers");
        assert_eq!(response.status(), StatusCode::OK);
        Stream { response: Box::pin(response), text: String::new() }
    }

    /// Polls the page of tasks until it says so.
    pub async fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let seen = async {
            while !holds(&last) {
                last = self.get(path).await.json();
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, seen).await.is_ok();
        assert!(in_time, "it does not come to be: {last}");
        last
    }

    pub async fn end(self) {
        assert!(self.supervisor.shutdown().await.is_clean());
        self.server.stop(false).await;
    }
}

pub fn client() -> Client {
    Client::builder().timeout(DEADLINE).disable_redirects().finish()
}

/// A reply that was read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: header::HeaderMap,
    pub text: String,
}

impl Reply {
    pub async fn of<S>(mut response: ClientResponse<S>) -> Self
    where
        S: futures_util::Stream<Item = Result<web::Bytes, awc::error::PayloadError>> + Unpin,
    {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.body().limit(10_000_000).await.expect("has a body");
        let text = String::from_utf8(body.to_vec()).expect("is text");
        Self { status, headers, text }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    #[track_caller]
    pub fn is_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status);
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{body}");
    }
}

pub type Chunks = dyn futures_util::Stream<Item = Result<web::Bytes, awc::error::PayloadError>>;

/// A stream of events that is being read.
pub struct Stream {
    response: std::pin::Pin<Box<Chunks>>,
    pub text: String,
}

impl Stream {
    /// Reads on until the text has this.
    pub async fn until(&mut self, part: &str) -> &str {
        let read = async {
            while !self.text.contains(part) {
                let Some(chunk) = self.response.next().await else { break };
                self.text
                    .push_str(std::str::from_utf8(&chunk.expect("is whole")).expect("is text"));
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, read).await.is_ok();
        assert!(in_time && self.text.contains(part), "no `{part}` in: {}", self.text);
        &self.text
    }

    pub async fn has_ended(&mut self) -> bool {
        tokio::time::timeout(DEADLINE, self.response.next()).await.is_ok_and(|it| it.is_none())
    }

    /// The ids of all events that were read.
    pub fn ids(&self) -> Vec<String> {
        self.text.lines().filter_map(|line| line.strip_prefix("id: ")).map(str::to_owned).collect()
    }
}

pub fn resident(name: &str) -> TaskSpec {
    TaskSpec::new(name, async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    })
}

pub fn failing(name: &str, text: &'static str) -> TaskSpec {
    TaskSpec::new(name, async move |_: TaskContext| Err(TaskError::failed(text)))
        .restart(RestartPolicy::Never)
}

pub fn acting() -> WebOptions {
    WebOptions::default().actions(true)
}

/// A subscriber that blocks its thread at the first event until the sender is dropped, and what tells that it does.
pub fn blocking() -> (SubscriptionSpec, mpsc::Sender<()>, oneshot::Receiver<()>) {
    let (unblock, blocked) = mpsc::channel::<()>();
    let (tell, reached) = oneshot::channel();
    let mut tell = Some(tell);
    let subscriber = SubscriptionSpec::from_fn(move |_event| {
        if let Some(tell) = tell.take() {
            tell.send(()).expect("somebody waits");
            let _ = blocked.recv();
        }
    });
    (subscriber, unblock, reached)
}
