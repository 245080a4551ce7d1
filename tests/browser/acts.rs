//! Who may act, and how it is done.

use std::sync::{Arc, Mutex};

use actix_taskvisor::{
    prelude::*,
    web::{Access, WebOptions},
};
use actix_web::{HttpResponse, web};
use fantoccini::key::Key;

use crate::{
    press::key,
    site::{Server, Site, free_port},
    tab::in_a_browser,
};

#[actix_web::test]
async fn a_task_is_canceled_by_keys_alone() {
    in_a_browser("keys", async |tab| {
        let site = Site::with_actions().await;
        let goes_on = site.resident("a").await;
        let ends = site.resident("b").await;
        tab.goto_page(&site.url(""), 2).await;

        tab.press(&['j', 'j']).await;
        let is_current =
            "document.querySelector('[data-testid=row][aria-current=true]')?.dataset.name === 'b'";
        tab.see("that the second row is the current one", is_current).await;
        tab.press(&['x']).await;
        tab.see(
            "the question",
            "hooked('dialog').open && hooked('dialog').innerText.includes('b')",
        )
        .await;
        assert_eq!(ends.status().phase, TaskPhase::Running, "it is asked first");
        tab.press(&['n', 'o', 'w', key(Key::Enter)]).await;

        assert_eq!(ends.outcome().await.label(), "canceled");
        let is_gone =
            "document.querySelector('[data-name=b] .c-state').innerText === 'gone from this list'";
        tab.see("that it is gone, in its place while the focus is there", is_gone).await;
        let is_logged = "hooks('event').some((event) => event.innerText.includes('now'))";
        tab.see("why, in the events", is_logged).await;
        assert_eq!(goes_on.status().phase, TaskPhase::Running);
        tab.expect_quiet_console().await;
    })
    .await;
}

#[actix_web::test]
async fn a_read_only_page_has_no_actions_and_its_server_refuses_a_forged_one() {
    in_a_browser("read-only", async |tab| {
        let site = Site::start().await;
        let task = site.resident("poll").await;
        tab.goto_page(&site.url(""), 1).await;
        tab.click_at("[data-testid=row] .c-name a").await;
        tab.see("the task", "hooked('detail').innerText.includes('Policy')").await;
        assert_eq!(tab.text("hooked('mode').innerText").await, "read-only");
        let offered = "[...document.querySelectorAll('button')].filter((button) => button.checkVisibility())\
            .map((button) => button.innerText).filter((text) => /cancel|restart|retry|resume/i.test(text)).join()";
        assert_eq!(tab.text(offered).await, "");
        tab.press(&['x']).await;
        tab.see("that it is said", "/read-only/i.test(hooked('status').innerText)").await;
        assert_eq!(tab.value("hooked('dialog').open").await, false);
        tab.expect_quiet_console().await;

        let id = task.id();
        let one = format!("tasks/{}/actions/cancel", id.get());
        let many = format!("{{\"verb\":\"cancel\",\"selector\":{{\"ids\":[{}]}},\"dry_run\":false}}", id.get());
        for (path, body) in [(one.as_str(), "{}"), ("actions", many.as_str())] {
            let forged = format!(
                "const answer = await fetch('api/v1/{path}', {{ method: 'POST', body: {body:?}, \
                 headers: {{ 'Content-Type': 'application/json', 'X-Requested-With': 'taskvisor' }} }}); \
                 return `${{answer.status}} ${{(await answer.json()).code}}`;"
            );
            assert_eq!(tab.run_async(&forged).await, "403 read_only", "{path}");
        }
        assert_eq!(task.status().phase, TaskPhase::Running);
    })
    .await;
}

/// A page of somebody else's that tries all that a page can do without being asked first.
const OTHER_SITE: &str = r#"<!doctype html><title>elsewhere</title>
<iframe name="answer"></iframe>
<form method="post" target="answer" enctype="text/plain"></form>
<script>
async function attack(action) {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
    await fetch(action, { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}', headers: { 'Content-Type': type } });
  }
  const asked = await fetch(action, { method: 'POST', headers: { 'X-Requested-With': 'taskvisor' } }).then(() => 'answered', () => 'refused');
  const form = document.forms[0];
  const answered = new Promise((resolve) => { document.querySelector('iframe').onload = resolve; });
  form.action = action;
  form.submit();
  await answered;
  return asked;
}
</script>"#;

/// What browsers said of the requests that would act.
#[derive(Clone, Default)]
struct Sites(Arc<Mutex<Vec<String>>>);

impl Sites {
    fn options(&self) -> WebOptions {
        let seen = self.clone();
        WebOptions::default().actions(true).access(move |request| {
            if request.method() == "POST" {
                let site = request.headers().get("sec-fetch-site");
                let site = site.map_or("none said", |site| site.to_str().unwrap_or("no text"));
                seen.0.lock().expect("nobody panics with it").push(site.to_owned());
            }
            Access::full("alice")
        })
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("nobody panics with it"))
    }
}

#[actix_web::test]
async fn a_page_of_another_site_cannot_act() {
    in_a_browser("cross-site", async |tab| {
        let seen = Sites::default();
        let site = Site::with(seen.options()).await;
        let task = site.resident("poll").await;
        let other = Server::start(free_port(), |scope| {
            let page = || async { HttpResponse::Ok().content_type("text/html").body(OTHER_SITE) };
            scope.service(web::resource("/").to(page));
        });
        let action = site.url(&format!("api/v1/tasks/{}/actions/cancel", task.id().get()));
        let port = other.address.port();
        for (host, relation) in [("localhost", "cross-site"), ("127.0.0.1", "same-site")] {
            tab.goto(&format!("http://{host}:{port}/")).await;
            let asked = tab.run_async(&format!("return attack({action:?});")).await;
            assert_eq!(asked, "refused", "the browser asks before it sends a header of ours");
            assert_eq!(seen.take(), [relation; 3], "two of a script and one of a form");
            assert_eq!(task.status().phase, TaskPhase::Running, "{relation}");
        }

        // The page itself may.
        tab.goto_page(&site.url(""), 1).await;
        let own = format!("return (await fetch({action:?}, {{ method: 'POST' }})).status;");
        assert_eq!(tab.run_async(&own).await, 202);
        assert_eq!(seen.take(), ["same-origin"]);
        assert_eq!(task.outcome().await.label(), "canceled");
    })
    .await;
}
