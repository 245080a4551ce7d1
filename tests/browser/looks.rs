//! How the page looks: for axe-core, on a narrow screen, in pictures.

use std::{env, fs, path::PathBuf, time::Duration};

use actix_taskvisor::{prelude::*, web::WebOptions};

use crate::{
    needs,
    site::Site,
    tab::{Tab, in_a_browser},
    tasks::{Stuck, failing},
};

const ROWS: usize = 10;

/// A site as it may look on a bad day.
struct Shop {
    site: Site,
    poll: TaskHandle,
    stuck: Stuck,
}

impl Shop {
    async fn open() -> Self {
        let builder = TaskSupervisor::builder()
            .name("shop")
            .placement(Placement::Dedicated { workers: 12 })
            .grace(Duration::from_millis(300));
        let site = Site::of(builder, WebOptions::default().actions(true)).await;
        let seconds = |number| Duration::from_secs(number);
        let backoff = |first| {
            BackoffPolicy::exponential(first, 2.0, seconds(120))
                .expect("it grows")
                .jitter(Jitter::None)
        };

        let (spec, mut stuck) = Stuck::new("thumbnails");
        let thumbnails = site.add(spec.grace(Duration::from_millis(300))).await;
        for name in ["consume-orders", "websocket-hub"] {
            site.resident(name).await;
        }
        site.add(TaskSpec::periodic("rates", Duration::from_millis(400), async |_ctx| Ok(())))
            .await;
        let mut count = 0;
        site.add(
            TaskSpec::new("search-index", async move |_ctx: TaskContext| {
                count += 1;
                if count < 7 {
                    return Err(TaskError::failed("shard 3 is read-only"));
                }
                std::future::pending().await
            })
            .backoff(backoff(Duration::from_millis(20))),
        )
        .await;
        site.add(failing("import-catalogue", "line 4,711: the price is missing").required(true))
            .await;
        let mirror =
            async |_ctx: TaskContext| Err(TaskError::failed("connection refused (10.2.0.7:5432)"));
        let poll =
            site.add(TaskSpec::new("sync-mirror", mirror).backoff(backoff(seconds(90)))).await;
        for name in ["sync berlin 1", "sync berlin 2"] {
            site.supervisor
                .submit(Submission::new(waits(name)).slot("tenant-berlin"))
                .await
                .expect("it is taken in");
        }
        site.supervisor
            .submit(Submission::new(waits("sync oslo")).slot("tenant-oslo"))
            .await
            .expect("it is taken in");
        stuck.reached().await;
        thumbnails.cancel().await.expect("it is asked");
        Self { site, poll, stuck }
    }

    async fn show(&self, tab: &Tab) {
        tab.goto_page(&self.site.url("?state=all"), ROWS).await;
    }
}

fn waits(name: &str) -> TaskSpec {
    TaskSpec::new(name, async |ctx: TaskContext| {
        ctx.cancelled().await;
        Err(TaskError::canceled())
    })
}

#[actix_web::test]
async fn axe_core_finds_nothing_on_a_wide_screen_in_light_and_dark() {
    asked_of_axe_core("axe", 1280, &["light", "dark"], async |tab, state| {
        tab.click("action-cancel").await;
        tab.see("the question", "hooked('dialog').open").await;
        expect_accessible(tab, &format!("question-{state}")).await;
        tab.click("back").await;
        tab.click("detail-close").await;

        tab.press(&['?']).await;
        tab.see("the keys", "hooked('help').open").await;
        expect_accessible(tab, &format!("help-{state}")).await;
    })
    .await;
}

#[actix_web::test]
async fn axe_core_finds_nothing_on_a_narrow_screen() {
    // No colour depends on the width.
    asked_of_axe_core("axe-narrow", 360, &["light"], async |_tab, _state| ()).await;
}

/// Asks about the overview and the view of a task, then about what else is made visible.
async fn asked_of_axe_core(
    test: &str,
    width: u32,
    schemes: &[&str],
    go_on: impl AsyncFn(&Tab, &str),
) {
    let Some(axe) = axe_core() else { return };
    in_a_browser(test, async |tab| {
        let shop = Shop::open().await;
        tab.hide_scrollbars().await;
        tab.size(width, 900).await;
        for &scheme in schemes {
            let state = format!("{scheme}-{width}");
            tab.prefer(scheme).await;
            shop.show(tab).await;
            let is_dark = tab.value("matchMedia('(prefers-color-scheme: dark)').matches").await;
            assert_eq!(is_dark, scheme == "dark");
            tab.run(&axe).await;
            expect_accessible(tab, &format!("overview-{state}")).await;

            tab.click_at(&format!("[data-id='{}'] .c-name a", shop.poll.id().get())).await;
            tab.see("the task", "hooked('attempts').querySelector('svg')").await;
            expect_accessible(tab, &format!("task-{state}")).await;
            go_on(tab, &state).await;
        }
        tab.expect_quiet_console().await;
        shop.stuck.end();
    })
    .await;
}

/// Keeps a picture of the state, and asks axe-core about it.
async fn expect_accessible(tab: &Tab, state: &str) {
    tab.keep_picture(state).await;
    let found = tab
        .run_async(
            "const { violations, passes } = await axe.run(document, { resultTypes: ['violations'] }); \
             if (passes.length < 10) return ['axe-core has looked at next to nothing']; \
             return violations.flatMap(({ id, help, nodes }) => \
                nodes.map((node) => `${id}: ${help}: ${node.html} ${node.failureSummary}`));",
        )
        .await;
    assert_eq!(found.as_array().map(Vec::len), Some(0), "{state}: {found:#}");
}

/// The text of axe-core's script.
fn axe_core() -> Option<String> {
    let fetched = needs::target().join("axe/package/axe.min.js");
    let file = env::var_os("AXE_CORE").map_or(fetched, PathBuf::from);
    let script = fs::read_to_string(&file);
    if script.is_err() {
        needs::skip(
            &format!("no axe-core at {}", file.display()),
            "`bash .ci/run` gets it by npm pack axe-core",
        );
    }
    script.ok()
}

#[actix_web::test]
async fn everything_is_within_reach_on_a_screen_of_360_pixels() {
    in_a_browser("narrow", async |tab| {
        let shop = Shop::open().await;
        tab.size(360, 740).await;
        shop.show(tab).await;
        expect_no_sideways_scroll(tab, "overview").await;
        for testid in ["search", "attention", "live", "theme", "severity"] {
            tab.run(&format!("hooked({testid:?}).scrollIntoView({{ block: 'center' }});")).await;
            let is_inside = format!(
                "((box) => box.left >= 0 && box.right <= innerWidth && box.width > 20)\
                 (hooked({testid:?}).getBoundingClientRect())"
            );
            tab.see(&format!("{testid} within the screen"), &is_inside).await;
        }
        tab.type_into("search", "mirror").await;
        tab.see_rows(&["sync-mirror"]).await;
        tab.click_at("[data-testid=row] .c-name a").await;
        tab.see("the task", "hooked('attempts').querySelector('svg')").await;
        expect_no_sideways_scroll(tab, "the task").await;
        tab.click("action-pause").await;
        tab.see("that it is paused", "hooked('action-resume')").await;
        tab.click("detail-close").await;
        tab.see("the overview", "hooked('search').checkVisibility()").await;
        tab.expect_quiet_console().await;
        shop.stuck.end();
    })
    .await;
}

async fn expect_no_sideways_scroll(tab: &Tab, state: &str) {
    let wide = "document.documentElement.scrollWidth + ' ' + [...document.querySelectorAll('body *')]\
        .filter((node) => node.getBoundingClientRect().right > innerWidth + 1 && !node.closest('.table-scroll'))\
        .slice(0, 5).map((node) => node.outerHTML.slice(0, 120)).join(' ')";
    let is_wide = "document.documentElement.scrollWidth > innerWidth || document.body.scrollWidth > innerWidth";
    let is_wide = tab.value(is_wide).await;
    assert_eq!(is_wide, false, "{state} is wider than the screen: {}", tab.text(wide).await);
}

/// The picture of the README, where it is wished for.
#[actix_web::test]
async fn the_page_sits_for_its_picture() {
    if env::var("TASKVISOR_PICTURE").is_err() {
        return;
    }
    in_a_browser("picture", async |tab| {
        let shop = Shop::open().await;
        tab.hide_scrollbars().await;
        shop.show(tab).await;
        let is_settled = "document.querySelectorAll('[data-name=rates] .strip .bar').length > 12 \
            && /[4-9] s/.test(document.querySelector('[data-name=websocket-hub] .c-time').innerText)";
        tab.see("that it has been so for a while", is_settled).await;
        let height = tab.value("document.documentElement.scrollHeight").await.as_u64();
        let height = u32::try_from(height.expect("a number")).expect("a page is not that long");
        tab.size(1280, height.min(1230)).await;
        let picture = tab.keep_picture("page").await;
        let kept = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/page.png");
        fs::create_dir_all(kept.parent().expect("docs")).expect("the folder can be made");
        fs::copy(picture, kept).expect("the picture is copied");
        shop.stuck.end();
    })
    .await;
}
