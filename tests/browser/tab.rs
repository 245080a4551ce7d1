//! A browser's window of one test: what can be seen in it and done to it.

use std::{
    fs,
    panic::{AssertUnwindSafe, resume_unwind},
    path::PathBuf,
    time::{Duration, Instant},
};

use fantoccini::{Client, Locator};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::sync::RwLock;

use crate::{browsers::Browser, driver::driver, needs};

/// No test waits longer than this for anything to be seen.
pub const PATIENCE: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(40);
const SMALL_OUTPUT: usize = 1500;

/// For expressions: the first element of a `data-testid`, and all of them.
const HOOKS: &str = "const hooks = (id) => [...document.querySelectorAll(`[data-testid=${id}]`)], \
    hooked = (id) => hooks(id)[0];";

pub struct Tab {
    pub client: Client,
    /// The address of the browser's session with the driver.
    session: String,
}

/// Held for reading by every test with a browser; for writing by one that measures, which has the machine to itself.
static MACHINE: RwLock<()> = RwLock::const_new(());

/// Runs the test with a browser in a window of its own.
pub async fn in_a_browser(test: &str, body: impl AsyncFnOnce(&Tab)) {
    let _shared = MACHINE.read().await;
    with_a_tab(test, body).await;
}

/// The same while no other test has a browser.
pub async fn alone_in_a_browser(test: &str, body: impl AsyncFnOnce(&Tab)) {
    let _alone = MACHINE.write().await;
    with_a_tab(test, body).await;
}

/// A test that failed leaves no browser to the next one.
async fn with_a_tab(test: &str, body: impl AsyncFnOnce(&Tab)) {
    let Some(driver) = driver() else { return };
    let browser = Browser::take(driver).await;
    let tab = Tab::of(&browser).await;
    let result = AssertUnwindSafe(body(&tab)).catch_unwind().await;
    if let Err(panic) = result {
        tab.explain(test).await;
        tab.client.close().await.ok(); // what counts is the panic
        resume_unwind(panic);
    }
    tab.forget().await;
    browser.give_back().await;
}

impl Tab {
    /// The window that the browser shows: as if nobody had used it before, and in the foreground.
    async fn of(browser: &Browser) -> Self {
        let tab = Self { client: browser.client.clone(), session: browser.session.clone() };
        tab.devtools("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await;
        tab.size(1280, 900).await;
        tab.console().await; // what was said in windows that are closed
        tab
    }

    /// Has the browser forget what pages have left there.
    async fn forget(&self) {
        self.devtools("Network.clearBrowserCookies", json!({})).await;
        let everything =
            json!({ "origin": self.value("location.origin").await, "storageTypes": "all" });
        self.devtools("Storage.clearDataForOrigin", everything).await;
    }

    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.expect("the page loads");
    }

    /// Opens the page, and waits until it is alive and shows this many rows.
    pub async fn goto_page(&self, url: &str, rows: usize) {
        self.goto(url).await;
        let ready = format!(
            "hooks('row').length === {rows} && hooked('connection').textContent === 'live'"
        );
        self.see(&format!("a live page with {rows} rows"), &ready).await;
    }

    /// The value of an expression.
    pub async fn value(&self, expression: &str) -> Value {
        self.run(&format!("return ({expression});")).await
    }

    pub async fn run(&self, script: &str) -> Value {
        match self.client.execute(&format!("{HOOKS} {script}"), vec![]).await {
            Ok(value) => value,
            Err(error) => panic!("{error}\nin the script {script}"),
        }
    }

    /// The value that an `async` body returns.
    pub async fn run_async(&self, body: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1]; \
             (async () => {{ {body} }})().then(done, (error) => done('threw ' + error));"
        );
        match self.client.execute_async(&script, vec![]).await {
            Ok(value) => value,
            Err(error) => panic!("{error}\nin the script {body}"),
        }
    }

    pub async fn text(&self, expression: &str) -> String {
        self.value(expression).await.as_str().unwrap_or_default().to_owned()
    }

    /// The names of the rows, from top to bottom.
    pub async fn rows(&self) -> Vec<String> {
        let names = "hooks('row').map((row) => row.dataset.name)";
        serde_json::from_value(self.value(names).await).expect("names are text")
    }

    /// Waits until the expression is true.
    pub async fn see(&self, what: &str, expression: &str) {
        self.see_within(PATIENCE, what, expression).await;
    }

    pub async fn see_within(&self, patience: Duration, what: &str, expression: &str) {
        let begun = Instant::now();
        while self.value(&format!("Boolean({expression})")).await != Value::Bool(true) {
            if begun.elapsed() > patience {
                panic!("not seen within {patience:?}: {what}\n{}", self.shown().await);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until the rows are these, in this order.
    pub async fn see_rows(&self, names: &[&str]) {
        let is_so = format!(
            "JSON.stringify(hooks('row').map((row) => row.dataset.name)) === {:?}",
            json!(names).to_string()
        );
        self.see(&format!("the rows {names:?}"), &is_so).await;
    }

    /// Clicks the element of this `data-testid`.
    pub async fn click(&self, testid: &str) {
        self.click_at(&hook(testid)).await;
    }

    pub async fn click_at(&self, css: &str) {
        let element = self.client.find(Locator::Css(css)).await;
        let element = element.unwrap_or_else(|error| panic!("{css}: {error}"));
        if let Err(error) = element.click().await {
            panic!("{css} cannot be clicked: {error}\n{}", self.shown().await);
        }
    }

    pub async fn type_into(&self, testid: &str, text: &str) {
        let element = self.client.find(Locator::Css(&hook(testid))).await.expect("it is there");
        element.send_keys(text).await.expect("it takes text");
    }

    /// The viewport, in CSS pixels; narrower than a window can be.
    pub async fn size(&self, width: u32, height: u32) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Pictures are of the page, not of scrollbars, which look different everywhere.
    pub async fn hide_scrollbars(&self) {
        self.devtools("Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;
    }

    /// What the system prefers: `light` or `dark`.
    pub async fn prefer(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": [feature] })).await;
    }

    pub async fn devtools(&self, method: &str, parameters: Value) -> Value {
        self.ask("goog/cdp/execute", json!({ "cmd": method, "params": parameters })).await
    }

    /// Console messages since the last call, also those of the browser about policies and failed requests.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.ask("se/log", json!({ "type": "browser" })).await;
        let entries = entries.as_array().expect("a list of entries").iter();
        entries.map(|entry| format!("{}: {}", entry["level"], entry["message"])).collect()
    }

    pub async fn expect_quiet_console(&self) {
        let messages = self.console().await;
        assert!(messages.is_empty(), "the console says: {messages:#?}");
    }

    /// Keeps a picture of what is shown in `target/screenshots`.
    pub async fn keep_picture(&self, name: &str) -> PathBuf {
        let picture = self.client.screenshot().await.expect("a picture is taken");
        let folder = needs::target().join("screenshots");
        fs::create_dir_all(&folder).expect("a folder below target can be made");
        let file = folder.join(format!("{name}.png"));
        fs::write(&file, picture).expect("the picture is written");
        file
    }

    /// For the reader of a failure.
    async fn explain(&self, test: &str) {
        match self.client.screenshot().await {
            Ok(_) => println!(
                "picture: {}",
                self.keep_picture(&format!("failed-{test}")).await.display()
            ),
            Err(error) => println!("no picture: {error}"),
        }
        println!("console: {:#?}", self.console().await);
    }

    /// The text of the page, shortened.
    async fn shown(&self) -> String {
        let text = self.client.execute("return document.body.innerText", vec![]).await;
        let text = text.map_or_else(|error| error.to_string(), |text| text.to_string());
        text.replace("\\n", "\n").chars().take(SMALL_OUTPUT).collect()
    }

    /// A command that chromedriver knows and fantoccini does not.
    async fn ask(&self, command: &str, body: Value) -> Value {
        let client = awc::Client::builder().timeout(PATIENCE).finish();
        let request = client.post(format!("{}/{command}", self.session));
        let request = request.insert_header(("Content-Type", "application/json"));
        let mut answer = request.send_body(body.to_string()).await.expect("chromedriver answers");
        let answer = answer.body().limit(64 << 20).await.expect("it ends its answer");
        let mut answer: Value = serde_json::from_slice(&answer).expect("it answers in JSON");
        let value = answer["value"].take();
        assert!(value["error"].is_null(), "{command} {body}: {value}");
        value
    }
}

pub fn hook(testid: &str) -> String {
    format!("[data-testid={testid}]")
}
