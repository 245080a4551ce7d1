//! Browsers: each serves one test at a time, in a window of its own, and then the next one. To start one takes longer
//! than most tests.

use std::sync::{
    LazyLock, Mutex,
    atomic::{AtomicU32, Ordering},
};

use fantoccini::{Client, wd::WindowHandle};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::driver::Driver;

const ARGUMENTS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
];

pub struct Browser {
    pub client: Client,
    /// The address of its session with the driver.
    pub session: String,
    /// A window that stays empty, so that the browser stays when the others are closed.
    empty: WindowHandle,
}

/// Those that no test has.
static IDLE: Mutex<Vec<Browser>> = Mutex::new(Vec::new());

/// Where the connections to the driver live: those of tests end with each of them.
static CONNECTIONS: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a thread can be started")
});

impl Browser {
    /// One that no test has, with a new window.
    pub async fn take(driver: &'static Driver) -> Self {
        let idle = IDLE.lock().expect("nobody panics with it").pop();
        let browser = match idle {
            Some(browser) => browser,
            None => Self::start(driver).await,
        };
        let window = browser.client.new_window(false).await.expect("a window opens");
        browser.switch_to(window.handle).await;
        browser
    }

    /// Closes the window; the next test may have the browser.
    pub async fn give_back(self) {
        self.client.close_window().await.expect("the window closes");
        self.switch_to(self.empty.clone()).await;
        IDLE.lock().expect("nobody panics with it").push(self);
    }

    async fn start(driver: &'static Driver) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
        let profile = format!("--user-data-dir={}", driver.profiles.join(number).display());
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([profile.as_str()]).collect();
        let wanted = json!({
            "goog:chromeOptions": { "binary": driver.chromium, "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let wanted = wanted.as_object().expect("it is one").clone();
        let connecting = async move {
            let connector = HttpConnector::new();
            Client::with_capabilities_and_connector(&driver.url, &wanted, connector).await
        };
        let client = CONNECTIONS.spawn(connecting).await.expect("it does not panic");
        let client = client.expect("chromedriver starts a browser");
        let id = client.session_id().await.expect("it answers").expect("a session has begun");
        let empty = client.window().await.expect("it begins with a window");
        Self { client, session: format!("{}/session/{id}", driver.url), empty }
    }

    async fn switch_to(&self, window: WindowHandle) {
        self.client.switch_to_window(window).await.expect("the window is there");
    }
}
