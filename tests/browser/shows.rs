//! What the page shows, and what it keeps.

use std::time::Duration;

use actix_taskvisor::prelude::*;

use crate::{
    press::ELSEWHERE,
    site::{PREFIX, Site},
    tab::in_a_browser,
    tasks::{failing, told},
};

const HOSTILE: &str = "<img src=x onerror=alert(1)>";

#[actix_web::test]
async fn the_page_loads_below_a_prefix_without_a_console_message_or_a_policy_violation() {
    in_a_browser("loads", async |tab| {
        let site = Site::with_actions().await;
        let poll = site.resident("poll").await;
        site.add(failing("import", "no route to host")).await;
        let without_slash = site.url("?state=all").replace("/?", "?");
        tab.goto_page(&without_slash, 2).await;
        assert_eq!(tab.text("location.pathname").await, format!("{PREFIX}/"));

        tab.click_at(&format!("[data-id='{}'] .c-name a", poll.id().get())).await;
        tab.see("the task", "document.querySelector('[data-testid=detail-events] li')").await;
        tab.click("theme").await;
        tab.click("detail-close").await;
        tab.press(&['?']).await;
        tab.see("the keys", "document.querySelector('dialog[open][data-testid=help]')").await;
        tab.expect_quiet_console().await;

        // The console does tell of a violation: else the line above would prove nothing.
        let inline = "const script = document.createElement('script'); \
            script.text = 'window.ran = 1'; document.body.append(script);";
        tab.run(inline).await;
        let told = tab.console().await;
        assert!(told.iter().any(|line| line.contains("Content Security Policy")), "{told:?}");
        assert_eq!(tab.text("typeof window.ran").await, "undefined");
    })
    .await;
}

#[actix_web::test]
async fn a_task_that_fails_for_good_is_under_attention_within_two_seconds() {
    in_a_browser("attention", async |tab| {
        let site = Site::start().await;
        let (spec, tell) = told("import");
        let import = site.add(spec).await;
        tab.goto_page(&site.url(""), 1).await;
        let calm = "hooked('attention').innerText.includes('Nothing needs attention')";
        tab.see("that nothing needs attention", calm).await;

        tell.send(Err("disk full".to_owned())).expect("it waits");
        import.outcome().await;
        let is_named =
            "['import', 'disk full'].every((part) => hooked('attention').innerText.includes(part))";
        tab.see_within(Duration::from_secs(2), "the task under attention", is_named).await;
        tab.expect_quiet_console().await;
    })
    .await;
}

#[actix_web::test]
async fn a_search_survives_a_reload() {
    in_a_browser("search", async |tab| {
        let site = Site::start().await;
        for name in ["import-berlin", "import-oslo", "mail"] {
            site.resident(name).await;
        }
        tab.goto_page(&site.url(""), 3).await;
        tab.type_into("search", "import").await;
        tab.see_rows(&["import-berlin", "import-oslo"]).await;

        tab.client.refresh().await.expect("the page loads again");
        tab.see_rows(&["import-berlin", "import-oslo"]).await;
        assert_eq!(tab.text("hooked('search').value").await, "import");
        tab.expect_quiet_console().await;
    })
    .await;
}

#[actix_web::test]
async fn an_opened_task_survives_a_reload() {
    in_a_browser("reload", async |tab| {
        let site = Site::start().await;
        site.resident("poll").await;
        tab.goto_page(&site.url(""), 1).await;
        let is_open = "hooked('detail').innerText.includes('Policy')";
        tab.click_at("[data-testid=row] .c-name a").await;
        tab.see("the task", is_open).await;

        tab.client.refresh().await.expect("the page loads again");
        tab.see("the task again", &format!("hooked('detail') && {is_open}")).await;
        tab.expect_quiet_console().await;
    })
    .await;
}

#[actix_web::test]
async fn a_name_that_is_html_is_text_everywhere() {
    in_a_browser("hostile", async |tab| {
        let site = Site::with_actions().await;
        let resident = site.resident(HOSTILE).await;
        site.add(failing(&format!("{HOSTILE} again"), HOSTILE)).await;
        let spec =
            TaskSpec::new("in a slot", async |_ctx: TaskContext| std::future::pending().await);
        site.supervisor.submit(Submission::new(spec).slot(HOSTILE)).await.expect("it is taken in");

        tab.goto_page(&site.url("?state=all"), 3).await;
        let link = format!("[data-id='{}'] .c-name a", resident.id().get());
        assert_eq!(
            tab.text(&format!("document.querySelector({link:?}).textContent")).await,
            HOSTILE
        );
        tab.click_at(&link).await;
        tab.see(
            "the task",
            "hooked('action-cancel') && hooked('detail-events').querySelector('li')",
        )
        .await;
        tab.click("action-cancel").await;
        tab.see("the question", "hooked('dialog').open").await;
        for shows_it in ["attention", "slots", "detail", "dialog", "events"] {
            let has_it = format!("hooked({shows_it:?}).innerText.includes({HOSTILE:?})");
            tab.see(&format!("the name as text in {shows_it}"), &has_it).await;
        }
        assert_eq!(tab.value("document.querySelectorAll('img').length").await, 0);
        assert!(tab.client.get_alert_text().await.is_err(), "an alert is open");
        tab.expect_quiet_console().await;

        // The same without scripts.
        let (status, html) = site.get("?state=all").await;
        assert_eq!(status, 200);
        assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;"), "{html}");
        assert!(!html.contains("<img"), "{html}");
    })
    .await;
}

#[actix_web::test]
async fn the_list_of_events_goes_on_and_stands_still_when_it_is_paused() {
    in_a_browser("events", async |tab| {
        let site = Site::start().await;
        tab.goto_page(&site.url(""), 0).await;
        site.resident("before").await;
        let tells_of = |name: &str| {
            format!("hooks('event').some((event) => event.innerText.includes({name:?}))")
        };
        tab.see("an event of the task", &tells_of("before")).await;
        // A row that comes moves what is below: the button stands still from here on.
        tab.see_rows(&["before"]).await;

        tab.click("events-pause").await;
        site.resident("after").await;
        tab.see("how many wait", "/Paused: [0-9]+ waiting/.test(hooked('events').innerText)").await;
        tab.see_rows(&["after", "before"]).await;
        assert_eq!(tab.value(&tells_of("after")).await, false);
        tab.click("events-pause").await;
        tab.see("what was held back", &tells_of("after")).await;
        tab.expect_quiet_console().await;
    })
    .await;
}

#[actix_web::test]
async fn rows_do_not_move_under_the_pointer() {
    in_a_browser("pointer", async |tab| {
        let site = Site::start().await;
        for name in ["a", "b", "c"] {
            site.resident(name).await;
        }
        let (spec, tell) = told("z");
        site.add(spec).await;
        tab.goto_page(&site.url("?state=all"), 4).await;
        tab.see_rows(&["a", "b", "c", "z"]).await;
        tab.point_at("[data-name=b]").await;

        tell.send(Err("it breaks".to_owned())).expect("it waits");
        site.resident("new").await;
        let row_tells = "document.querySelector('[data-name=z]').innerText.includes('it breaks')";
        tab.see("the failure in its row", row_tells).await;
        tab.see("that the order is held", "hooked('hold-note').textContent").await;
        assert_eq!(tab.rows().await, ["a", "b", "c", "z"]);

        tab.point_at(ELSEWHERE).await;
        tab.see_rows(&["z", "a", "b", "c", "new"]).await;
        tab.expect_quiet_console().await;
    })
    .await;
}
