//! What an open page costs the server: CPU time of this process, with and without pages that are open.
//!
//! The server has 5,000 held tasks, and others that make 1,000 events a second. A page is another process, which does what
//! the page's script does while events come in: it follows the stream, and asks for the summary, 100 tasks and the slots
//! once a second. It prints a table; see README.md beside this file.
//!
//! `cargo bench` passes `--bench`; without it (as under `cargo test --benches`) and with `--quick` it measures for
//! a second. The CPU time is read from `/proc`: elsewhere than on Linux nothing is measured.

use std::{
    error::Error,
    fs,
    process::{Child, Command},
    time::{Duration, Instant},
};

use actix_taskvisor::{prelude::*, web::WebOptions};
use actix_web::{App, HttpServer, web};
use awc::Client;
use futures::StreamExt as _;

const HELD: usize = 5_000;
/// Each makes three events per attempt: it starts, it stops, and the next is planned.
const BUSY: u32 = 34;
const INTERVAL: Duration = Duration::from_millis(100);
/// What the script waits between two looks, at the least.
const LOOK: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let has = |wanted: &str| args.iter().any(|arg| arg == wanted);
    let system = actix_rt::System::new();
    if let Some(at) = args.iter().position(|arg| arg == "--page") {
        return system.block_on(page(&args[at + 1]));
    }
    if cpu_time().is_none() {
        println!("nothing is measured: there is no /proc/self/stat");
        return Ok(());
    }
    let is_quick = !has("--bench") || has("--quick");
    system.block_on(server(Duration::from_secs(if is_quick { 1 } else { 20 })))
}

// ---- the server ----

async fn server(time: Duration) -> Result<(), Box<dyn Error>> {
    let supervisor = TaskSupervisor::builder().start()?;
    let routes = supervisor.routes(WebOptions::default());
    let server =
        HttpServer::new(move || App::new().service(web::scope("/tasks").configure(routes.clone())))
            .workers(2)
            .disable_signals()
            .bind(("127.0.0.1", 0))?;
    let base = format!("http://{}/tasks", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    actix_rt::spawn(server);
    add_tasks(&supervisor).await?;

    println!("\nCPU time of the server, over {time:?}: in percent of one core\n");
    println!("| pages open | CPU | per page | events a second |");
    println!("|--:|--:|--:|--:|");
    let mut alone = 0.0;
    for pages in [0_u32, 1, 4] {
        let open: Vec<Page> = (0..pages).map(|_| Page::open(&base)).collect::<Result<_, _>>()?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (percent, rate) = measured(&base, time).await?;
        drop(open);
        let own = if pages == 0 {
            alone = percent;
            "-".to_owned()
        } else {
            format!("{:.2} %", (percent - alone) / f64::from(pages))
        };
        println!("| {pages} | {percent:.2} % | {own} | {rate:.0} |");
    }
    handle.stop(false).await;
    supervisor.shutdown().await;
    Ok(())
}

async fn add_tasks(supervisor: &SupervisorHandle) -> Result<(), Box<dyn Error>> {
    let held = |number| {
        TaskSpec::new(format!("held-{number:04}"), async |ctx: TaskContext| {
            ctx.cancelled().await;
            Ok(())
        })
    };
    supervisor.add_all((0..HELD).map(held)).await?;
    for number in 0..BUSY {
        let spec = TaskSpec::periodic(format!("busy-{number}"), INTERVAL, async |_| Ok(()));
        let _ = supervisor.add(spec).await?;
    }
    Ok(())
}

/// CPU in percent, and events a second.
async fn measured(base: &str, time: Duration) -> Result<(f64, f64), Box<dyn Error>> {
    let (seq, cpu, begun_at) = (last_seq(base).await?, cpu_time(), Instant::now());
    tokio::time::sleep(time).await;
    let elapsed = begun_at.elapsed().as_secs_f64();
    let spent = cpu_time().zip(cpu).map_or(0.0, |(now, before)| (now - before).as_secs_f64());
    let events = last_seq(base).await? - seq;
    Ok((100.0 * spent / elapsed, events as f64 / elapsed))
}

async fn last_seq(base: &str) -> Result<u64, Box<dyn Error>> {
    let url = format!("{base}/api/v1/events?limit=1");
    let body = Client::default().get(url).send().await?.json::<serde_json::Value>().await?;
    Ok(body["events"][0]["seq"].as_u64().unwrap_or(0))
}

/// What all threads of this process have used, in steps of 10 ms.
fn cpu_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may have spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (ticks(11)? + ticks(12)?)))
}

// ---- a page ----

/// A process that ends with this.
struct Page(Child);

impl Page {
    fn open(base: &str) -> Result<Self, Box<dyn Error>> {
        Ok(Self(Command::new(std::env::current_exe()?).args(["--page", base]).spawn()?))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn page(base: &str) -> Result<(), Box<dyn Error>> {
    let client = Client::builder().disable_timeout().finish();
    let url = format!("{base}/api/v1/events");
    let mut stream = client.get(url).insert_header(("accept", "text/event-stream")).send().await?;
    assert!(stream.status().is_success());
    actix_rt::spawn(async move { while stream.next().await.is_some() {} });
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let ask = |path: &str| {
            let request = client.get(format!("{base}/api/v1/{path}"));
            async move {
                let mut answer = request.send().await.expect("answers");
                assert!(answer.status().is_success());
                answer.body().limit(10_000_000).await.expect("is whole")
            }
        };
        tokio::join!(ask("summary"), ask("tasks?per_page=100"), ask("slots"));
    }
}
