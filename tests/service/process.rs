//! The process under test, and what its clients see.

use std::{
    fs,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        mpsc::{self, Receiver},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use serde_json::{Value, json};

pub(crate) const EVENTS: &str = "GET /admin/tasks/api/v1/events HTTP/1.1";
/// Asks for the tasks that go wrong on purpose.
pub(crate) const MISCHIEF: &str = "--mischief";
pub(crate) const DEADLINE: Duration = Duration::from_secs(8);
/// What the service may take beyond the grace, by its own promise.
pub(crate) const MARGIN: Duration = Duration::from_secs(3);

/// A running example. Dropped, it is killed; dropped by a failing test, its log is printed.
pub(crate) struct Service {
    child: Child,
    pub(crate) address: String,
    stdout: Receiver<String>,
    stderr: Arc<Mutex<String>>,
    /// Ends when the process does, with all of its log collected.
    collector: Option<JoinHandle<()>>,
}

/// How the process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) report: String,
}

impl Service {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = Command::new(example())
            .args(["--listen", "127.0.0.1:0"])
            .args((!args.contains(&MISCHIEF)).then_some("--calm"))
            .args(args.iter().filter(|arg| **arg != MISCHIEF))
            .env("RUST_LOG", "info")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let log = lines(child.stderr.take().unwrap());
        let stderr = Arc::new(Mutex::new(String::new()));
        let collected = Arc::clone(&stderr);
        let collector = thread::spawn(move || {
            for line in log {
                let mut log = collected.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut service =
            Self { child, address: String::new(), stdout, stderr, collector: Some(collector) };
        let line = service.stdout.recv_timeout(DEADLINE).expect("the first line of stdout");
        let address = line.strip_prefix("listening on http://");
        service.address = address.unwrap_or_else(|| panic!("first line is {line:?}")).into();
        service
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        Response::read(&mut self.send(&format!("GET {path} HTTP/1.1"), &[], ""))
    }

    pub(crate) fn delete(&self, path: &str) -> Response {
        Response::read(&mut self.send(&format!("DELETE {path} HTTP/1.1"), &[], ""))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        self.send_json("POST", path, &body.to_string())
    }

    /// Adds a task that ignores its cancellation, and waits until it has begun: before that, any ends at once.
    pub(crate) fn add_deaf(&self, name: &str) {
        let added = self.post("/tasks", &json!({ "name": name, "kind": "stubborn" }));
        assert_eq!(added.status, 201, "{added:?}");
        self.until("the deaf task to run", || {
            let status = self.get(&format!("/tasks/{name}")).json();
            (status["phase"] == "running").then_some(())
        });
    }

    pub(crate) fn send_json(&self, method: &str, path: &str, body: &str) -> Response {
        let line = format!("{method} {path} HTTP/1.1");
        Response::read(&mut self.send(&line, &["Content-Type: application/json"], body))
    }

    pub(crate) fn send(&self, line: &str, headers: &[&str], body: &str) -> BufReader<TcpStream> {
        let mut stream = self.connect();
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        write!(
            stream,
            "{line}\r\nHost: service\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        )
        .unwrap();
        BufReader::new(stream)
    }

    /// Sends all of a POST but its body, and waits until a handler asks for that.
    pub(crate) fn begin(&self, path: &str, body: &str) -> BufReader<TcpStream> {
        let mut stream = self.connect();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: service\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            body.len()
        )
        .unwrap();
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 100"), "{line}");
        stream.read_line(&mut line).unwrap();
        // actix-server counts a connection after it has handed it to its worker, and before it takes the next one:
        // after this round trip a stop knows of the one above.
        self.get("/healthz");
        stream
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// Opens a stream of events and waits until it is connected.
    pub(crate) fn events(&self, headers: &[&str]) -> Events {
        let (status, events) = Events::head(self.send(
            EVENTS,
            &[&["Accept: text/event-stream"], headers].concat(),
            "",
        ))
        .unwrap();
        assert_eq!(status, 200);
        events
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn exit(&mut self) -> Ended {
        let began = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if began.elapsed() < DEADLINE => thread::sleep(Duration::from_millis(5)),
                None => panic!("the process has not ended"),
            }
        };
        let report: Vec<String> = self.stdout.iter().collect();
        if let Some(collector) = self.collector.take() {
            collector.join().unwrap();
        }
        Ended { code: status.code(), report: report.join("\n") }
    }

    pub(crate) fn log(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn until<T>(&self, what: &str, mut check: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        while began.elapsed() < DEADLINE {
            if let Some(found) = check() {
                return found;
            }
            thread::sleep(Duration::from_millis(2));
        }
        panic!("waited in vain for {what}");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- log of the service\n{}---", self.log());
        }
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    /// Reads to the end of the connection: every request asks for it to be closed.
    pub(crate) fn read(stream: &mut BufReader<TcpStream>) -> Self {
        let mut text = Vec::new();
        match stream.read_to_end(&mut text) {
            // A server that refuses a body may close before it has read it.
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => {}
        }
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.into(), body: body.into() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_else(|| panic!("{self:?}")).into()
    }
}

/// An open stream of events.
pub(crate) struct Events(BufReader<TcpStream>);

pub(crate) struct Event {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Events {
    /// Reads the head, and the greeting if the answer is a stream.
    pub(crate) fn head(mut stream: BufReader<TcpStream>) -> Option<(u16, Self)> {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let status: u16 = line.split(' ').nth(1)?.parse().ok()?;
        while status == 200 && !line.starts_with("retry:") {
            line.clear();
            (stream.read_line(&mut line).ok()? > 0).then_some(())?;
        }
        Some((status, Self(stream)))
    }

    /// The next event. Lines that are no field of one (chunk sizes, comments) are skipped.
    pub(crate) fn next(&mut self) -> Event {
        let mut event = Event { id: 0, name: String::new(), data: Value::Null };
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream has ended");
            match line.trim_end().split_once(": ") {
                Some(("id", id)) => event.id = id.rsplit('-').next().unwrap().parse().unwrap(),
                Some(("event", name)) => event.name = name.into(),
                Some(("data", data)) => {
                    event.data = serde_json::from_str(data).unwrap();
                    if let Some(label) = event.data["label"].as_str() {
                        event.name = label.into();
                    }
                }
                _ if !event.data.is_null() => return event,
                _ => {}
            }
        }
    }

    pub(crate) fn rest(mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        rest
    }
}

/// The lines that a process prints, read as they come so that it is never held up.
fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// The example's program. `cargo test` has built it; `cargo test --test service` may not have.
pub(crate) fn example() -> &'static Path {
    static EXAMPLE: OnceLock<PathBuf> = OnceLock::new();
    EXAMPLE.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().unwrap().parent().unwrap();
        let program = profile.join("examples/service");
        let built = fs::metadata(&program).and_then(|file| file.modified()).ok();
        if built.is_none_or(|built| built < newest_source()) {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
            cargo.args(["build", "--example", "service", "--all-features", "--target-dir"]);
            cargo.arg(profile.parent().unwrap());
            if profile.ends_with("release") {
                cargo.arg("--release");
            }
            assert!(cargo.status().unwrap().success());
        }
        program
    })
}

fn newest_source() -> SystemTime {
    let mut folders = vec![
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/service"),
    ];
    let mut newest = SystemTime::UNIX_EPOCH;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => newest = newest.max(fs::metadata(path).unwrap().modified().unwrap()),
            }
        }
    }
    newest
}
