//! What the page goes through: restarts, load, pauses.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use actix_taskvisor::{
    prelude::*,
    web::{Access, WebOptions},
};

use crate::{
    site::Site,
    tab::{alone_in_a_browser, in_a_browser},
};

/// Counts what changes in the rows, from now on.
const COUNT_CHANGES: &str = "window.changes = 0; \
    new MutationObserver((all) => { window.changes += all.length; })\
    .observe(hooked('tasks'), { subtree: true, childList: true, characterData: true, attributes: true });";

/// Longer than the page waits between two looks at the server.
const SOME_POLLS: Duration = Duration::from_millis(2600);

#[actix_web::test]
async fn the_page_comes_back_by_itself_when_its_server_was_restarted() {
    in_a_browser("restart", async |tab| {
        let site = Site::start().await;
        site.resident("of the first run").await;
        tab.goto_page(&site.url(""), 1).await;
        tab.run("window.isSamePage = true;").await;

        let address = site.stop().await;
        tab.see("that it reconnects", "hooked('connection').innerText.includes('reconnecting')")
            .await;
        assert_eq!(tab.rows().await, ["of the first run"], "what was known is still shown");

        let site = Site::at(address, TaskSupervisor::builder(), WebOptions::default()).await;
        site.resident("of the second run").await;
        tab.see_rows(&["of the second run"]).await;
        tab.see("that it is live", "hooked('connection').innerText === 'live'").await;
        tab.see(
            "that it says so",
            "hooked('events').innerText.includes('The server was restarted')",
        )
        .await;
        site.resident("later").await;
        let tells = "hooks('event').some((event) => event.innerText.includes('later'))";
        tab.see("events of the new run", tells).await;
        assert_eq!(tab.value("window.isSamePage").await, true, "without a reload");
    })
    .await;
}

#[actix_web::test]
async fn five_thousand_tasks_and_a_thousand_events_a_second_leave_the_page_responsive() {
    alone_in_a_browser("load", async |tab| {
        let site = Site::start().await;
        let idle = (0..5000).map(|number| {
            TaskSpec::new(format!("idle-{number:04}"), async |_ctx| std::future::pending().await)
        });
        site.supervisor.add_all(idle).await.expect("all are taken in");
        for number in 0..40 {
            let spec = TaskSpec::periodic(format!("busy-{number}"), Duration::from_millis(60), async |_ctx| Ok(()));
            site.add(spec).await;
        }
        tab.goto_page(&site.url(""), 100).await;
        let (begun, first) = (Instant::now(), seq(&site).await);
        // The longest time for which nothing else got its turn.
        tab.run("window.longest = 0; let before = performance.now(); setInterval(() => { \
            const now = performance.now(); window.longest = Math.max(window.longest, now - before); before = now; }, 10);")
            .await;

        tab.type_into("search", "idle-4").await;
        let typed = Instant::now();
        let is_filtered = "hooks('row').length === 100 && hooks('row').every((row) => row.dataset.name.startsWith('idle-4'))";
        tab.see_within(Duration::from_secs(2), "the filtered rows", is_filtered).await;
        let shown = typed.elapsed();
        tab.type_into("search", "999").await;
        tab.see_rows(&["idle-4999"]).await;
        tokio::time::sleep(SOME_POLLS).await;

        let rate = (seq(&site).await - first) as f64 / begun.elapsed().as_secs_f64();
        let longest = tab.value("window.longest").await.as_f64().unwrap_or(f64::MAX);
        println!("{rate:.0} events/s; filtered rows after {shown:?}; busy for at most {longest:.0} ms");
        assert!(shown < Duration::from_secs(2), "the filtered rows came after {shown:?}");
        assert!(rate > 1000.0, "only {rate:.0} events a second");
        assert!(longest < 1000.0, "the page did nothing else for {longest:.0} ms");
        assert_eq!(tab.text("hooked('connection').innerText").await, "live");
        tab.expect_quiet_console().await;
    })
    .await;
}

/// The number of the last event.
async fn seq(site: &Site) -> u64 {
    let (_, body) = site.get("api/v1/summary").await;
    let summary: serde_json::Value = serde_json::from_str(&body).expect("it is JSON");
    let last = summary["events"]["last_id"].as_str().unwrap_or_default();
    last.rsplit('-').next().and_then(|seq| seq.parse().ok()).expect("there were events")
}

#[actix_web::test]
async fn a_paused_page_stands_still_until_it_is_live_again() {
    in_a_browser("paused", async |tab| {
        let site = Site::start().await;
        site.resident("before").await;
        tab.goto_page(&site.url(""), 1).await;
        tab.click("live").await;
        tab.see("that it is paused", "hooked('live').dataset.live === 'false'").await;
        tab.run(COUNT_CHANGES).await;
        site.resident("after").await;
        tokio::time::sleep(SOME_POLLS).await; // nothing tells that something did not happen
        assert_eq!(tab.value("window.changes").await, 0);
        assert_eq!(tab.rows().await, ["before"]);

        tab.click("live").await;
        tab.see_rows(&["after", "before"]).await;
        tab.expect_quiet_console().await;
    })
    .await;
}

/// What Chromium without a window never says by itself: that the tab is hidden, or seen again.
fn pretend(visibility: &str) -> String {
    format!(
        "Object.defineProperties(document, {{ \
         hidden: {{ configurable: true, value: {visibility:?} === 'hidden' }}, \
         visibilityState: {{ configurable: true, value: {visibility:?} }} }}); \
         document.dispatchEvent(new Event('visibilitychange'));"
    )
}

#[actix_web::test]
async fn a_hidden_tab_asks_nothing_of_its_server_until_it_is_seen_again() {
    in_a_browser("hidden", async |tab| {
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let options = WebOptions::default().access(move |_request| {
            count.fetch_add(1, Ordering::SeqCst);
            Access::ReadOnly
        });
        let site = Site::with(options).await;
        site.resident("before").await;
        tab.goto_page(&site.url(""), 1).await;
        tab.run(&pretend("hidden")).await;
        tab.see("that it knows", "hooked('connection').innerText.includes('hidden')").await;
        site.resident("after").await;

        let before = asked.load(Ordering::SeqCst);
        tokio::time::sleep(SOME_POLLS).await; // nothing tells that something did not happen
        assert_eq!(asked.load(Ordering::SeqCst), before, "requests of a hidden tab");

        tab.run(&pretend("visible")).await;
        tab.see_rows(&["after", "before"]).await;
        tab.expect_quiet_console().await;
    })
    .await;
}
