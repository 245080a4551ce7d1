//! The operator page in a browser: Debian's Chromium without a window, driven through chromedriver.
//!
//! Real time: a test waits for what the page shows, with a deadline whose failure prints what was to be seen there. Each
//! has a server, a supervisor and a window of its own; browsers go from one to the next. Pictures of the page land in
//! `target/screenshots`, also one of each test that failed.
//!
//! | from the environment | |
//! |---|---|
//! | `CHROMIUM`, `CHROMEDRIVER`, `PROMTOOL` | other binaries than those in `/usr/bin` |
//! | `AXE_CORE` | `axe.min.js` of npm's `axe-core`; else it is looked for below `target/axe` |
//! | `CI=true`, `TASKVISOR_REQUIRE_BROWSER=1` | no browser or no axe-core is a failure; else it is said, and the test passes |
//! | `TASKVISOR_PICTURE=1` | `docs/page.png` is made anew |
#![cfg(all(unix, feature = "web"))]

mod acts;
mod browsers;
mod driver;
mod lasts;
mod looks;
mod metrics;
mod needs;
mod press;
mod shows;
mod site;
mod tab;
mod tasks;
