//! What `POST /tenants/{id}/sync` takes in its query, and the submission that it makes of it.
//!
//! | parameter | what it says | default |
//! |---|---|---|
//! | `when_busy` | what to do while the tenant has a sync already: one of [`POLICIES`] | `queue` |
//! | `wait` | `true`: answer when it is over, with its outcome | `false` |
//! | `work_ms` | how long the sync takes | 500 |
//! | `priority` | among those who wait for this tenant, the higher goes first | 0 |
//! | `max_wait_ms` | the longest it waits for its start; with `debounce`, the longest a burst puts it off | for ever; 5,000 |
//! | `quiet_ms` | with `debounce`: how long nothing newer must have come | 500 |
//! | `every_ms` | with `throttle`: the shortest time from one start to the next | 1,000 |
//!
//! Reading it is a pure function. Each mistake is answered with what to write instead.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use actix_taskvisor::prelude::*;
use tokio::time::sleep;

use crate::tasks;

const POLICIES: &str = "queue, replace, replace_all, drop_if_running, attach, debounce or throttle";
const WORK: Duration = Duration::from_millis(500);
const QUIET: Duration = Duration::from_millis(500);
const LONGEST_BURST: Duration = Duration::from_secs(5);
const EVERY: Duration = Duration::from_secs(1);
/// Clients may not ask for more than this of anything.
const MAX_MS: u64 = 60_000;

/// One request for a sync.
#[derive(Debug)]
pub struct SyncRequest {
    tenant: String,
    when_busy: WhenBusy,
    work: Duration,
    priority: i32,
    max_wait: Option<Duration>,
    /// Whether the client wants the outcome rather than the decision.
    pub waits: bool,
}

impl SyncRequest {
    /// Says what to write instead, if the request is no use.
    pub fn parse(tenant: String, query: BTreeMap<String, String>) -> Result<Self, String> {
        tasks::check_name("the tenant's id", &tenant)?;
        let mut query = Query(query);
        let request = Self {
            tenant,
            // First: `max_wait_ms` is its own, if it knows that.
            when_busy: query.policy()?,
            work: query.millis("work_ms")?.unwrap_or(WORK),
            priority: query.take("priority", "a whole number")?.unwrap_or_default(),
            max_wait: query.millis("max_wait_ms")?,
            waits: query.take("wait", "`true` or `false`")?.unwrap_or_default(),
        };
        query.refuse_the_rest(request.when_busy)?;
        Ok(request)
    }

    /// A tenant is one slot, whatever there is to do for it.
    pub fn into_submission(self) -> Submission {
        let Self { tenant, work, .. } = self;
        let spec = TaskSpec::once(format!("sync-{tenant}"), async move |ctx: TaskContext| {
            ctx.run_until_cancelled(sleep(work)).await;
            Ok(())
        });
        let submission = Submission::new(spec)
            .slot(format!("tenant-{tenant}"))
            .when_busy(self.when_busy)
            .priority(self.priority);
        match self.max_wait {
            Some(longest) => submission.max_wait(longest),
            None => submission,
        }
    }
}

/// The parameters that nobody has taken yet.
struct Query(BTreeMap<String, String>);

impl Query {
    fn policy(&mut self) -> Result<WhenBusy, String> {
        let Some(name) = self.0.remove("when_busy") else {
            return Ok(WhenBusy::default());
        };
        Ok(match name.as_str() {
            "queue" => WhenBusy::Queue,
            "replace" => WhenBusy::Replace,
            "replace_all" => WhenBusy::ReplaceAll,
            "drop_if_running" => WhenBusy::DropIfRunning,
            "attach" => WhenBusy::Attach,
            "debounce" => WhenBusy::Debounce {
                quiet: self.millis("quiet_ms")?.unwrap_or(QUIET),
                max_wait: self.millis("max_wait_ms")?.unwrap_or(LONGEST_BURST),
            },
            "throttle" => WhenBusy::Throttle { every: self.millis("every_ms")?.unwrap_or(EVERY) },
            _ => return Err(format!("`when_busy={name}`: use {POLICIES}")),
        })
    }

    fn millis(&mut self, name: &str) -> Result<Option<Duration>, String> {
        let expected = format!("a whole number of milliseconds, at most {MAX_MS}");
        match self.take(name, &expected)? {
            Some(number) if number > MAX_MS => {
                Err(format!("`{name}={number}`: expected {expected}"))
            }
            number => Ok(number.map(Duration::from_millis)),
        }
    }

    fn take<T: FromStr>(&mut self, name: &str, expected: &str) -> Result<Option<T>, String> {
        let value = self
            .0
            .remove(name)
            .map(|text| text.parse().map_err(|_| format!("`{name}={text}`: expected {expected}")));
        value.transpose()
    }

    fn refuse_the_rest(self, when_busy: WhenBusy) -> Result<(), String> {
        match self.0.into_keys().next().as_deref() {
            None => Ok(()),
            Some("quiet_ms") => {
                Err(format!("`quiet_ms` goes with `when_busy=debounce`, not {when_busy}"))
            }
            Some("every_ms") => {
                Err(format!("`every_ms` goes with `when_busy=throttle`, not {when_busy}"))
            }
            Some(name) => Err(format!(
                "there is no parameter `{name}`: use when_busy, wait, work_ms, priority, max_wait_ms, quiet_ms or every_ms"
            )),
        }
    }
}
