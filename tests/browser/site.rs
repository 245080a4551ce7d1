//! A server of one test, on a thread of its own, with the routes of a supervisor below a prefix.

use std::{
    net::SocketAddr,
    sync::mpsc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use actix_taskvisor::{prelude::*, web::WebOptions};
use actix_web::{App, HttpServer, dev::ServerHandle, rt::System, web};

use crate::tab::PATIENCE;

/// Where the routes are: nested, and with a last segment of its own.
pub const PREFIX: &str = "/ops/admin/tasks";

pub struct Site {
    pub supervisor: SupervisorHandle,
    server: Server,
}

impl Site {
    /// A site where nobody may act.
    pub async fn start() -> Self {
        Self::with(WebOptions::default()).await
    }

    /// A site where everybody may.
    pub async fn with_actions() -> Self {
        Self::with(WebOptions::default().actions(true)).await
    }

    pub async fn with(options: WebOptions) -> Self {
        Self::of(TaskSupervisor::builder(), options).await
    }

    pub async fn of(builder: SupervisorBuilder, options: WebOptions) -> Self {
        Self::at(free_port(), builder, options).await
    }

    /// Returns once the routes are there, so that they know of everything that happens to the tasks.
    pub async fn at(address: SocketAddr, builder: SupervisorBuilder, options: WebOptions) -> Self {
        let supervisor = builder.grace(Duration::from_secs(2)).start().expect("threads start");
        let tasks = supervisor.clone();
        let server = Server::start(address, move |scope| {
            scope.service(web::scope(PREFIX).configure(tasks.routes(options.clone())));
        });
        let site = Self { supervisor, server };
        assert_eq!(site.get("livez").await.0, 200);
        site
    }

    /// The address of the page, or of something in it.
    pub fn url(&self, rest: &str) -> String {
        format!("http://{}{PREFIX}/{rest}", self.server.address)
    }

    /// Adds a task that waits to be canceled.
    pub async fn resident(&self, name: &str) -> TaskHandle {
        self.add(TaskSpec::new(name, async |ctx: TaskContext| {
            ctx.cancelled().await;
            Err(TaskError::canceled())
        }))
        .await
    }

    pub async fn add(&self, spec: TaskSpec) -> TaskHandle {
        self.supervisor.add(spec).await.expect("the task is taken in")
    }

    /// `GET` without a browser: the status and the text.
    pub async fn get(&self, rest: &str) -> (u16, String) {
        let client = awc::Client::builder().timeout(PATIENCE).finish();
        let request = client.get(self.url(rest)).insert_header(("Accept", "*/*"));
        let mut answer = request.send().await.expect("the server answers");
        let body = answer.body().limit(64 << 20).await.expect("it ends its answer");
        (answer.status().as_u16(), String::from_utf8_lossy(&body).into_owned())
    }

    /// Ends the server, its connections too, and then all tasks.
    pub async fn stop(self) -> SocketAddr {
        let address = self.server.address;
        self.server.stop().await;
        self.supervisor.shutdown().await;
        address
    }
}

/// An HTTP server on a thread of its own, stopped with this.
pub struct Server {
    pub address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(
        address: SocketAddr,
        configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    ) -> Self {
        let (tell, started) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            System::new().block_on(async move {
                let (address, server) = bound(address, configure);
                tell.send((address, server.handle())).expect("somebody waits");
                server.await.expect("the server ends in good order");
            });
        });
        let (address, handle) = started.recv().expect("the server starts");
        Self { address, handle, thread: Some(thread) }
    }

    async fn stop(mut self) {
        self.handle.stop(false).await;
        self.thread.take().expect("it is stopped once").join().expect("it did not panic");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.handle.stop(false)); // the order is given; nobody waits for it
    }
}

/// A port may be taken for a moment after its server has gone.
fn bound(
    address: SocketAddr,
    configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> (SocketAddr, actix_web::dev::Server) {
    let begun = Instant::now();
    loop {
        let configure = configure.clone();
        let server = HttpServer::new(move || App::new().configure(&configure)).workers(1);
        match server.disable_signals().bind(address) {
            Ok(server) => return (server.addrs()[0], server.run()),
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{address}: {error}"),
        }
    }
}

pub fn free_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
