use std::{sync::Arc, time::Duration};

use actix::Addr;
use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use futures::future::{Ready, ready};

use super::{
    access::Access,
    feed::Feed,
    meter::{CommandTook, Meter},
    options::WebOptions,
    problem::{Code, Problem},
};
use crate::supervisor::Board;

/// What all requests to one scope share. It keeps no supervisor alive.
///
/// Its type is private: it stands in the scope's data beside whatever the application has there.
pub(super) struct Desk {
    pub(super) board: Arc<Board>,
    pub(super) options: WebOptions,
    pub(super) post: Post,
}

/// The actors behind the routes: one of each per supervisor, whatever the number of HTTP workers.
#[derive(Clone)]
pub(crate) struct Post {
    /// Names this start of the supervisor in the ids of events.
    pub(super) boot: Arc<str>,
    pub(super) feed: Addr<Feed>,
    pub(super) meter: Addr<Meter>,
}

impl Post {
    /// The actors of this supervisor, started if this is the first call. A later call's numbers count for nothing.
    pub(super) fn of(board: &Arc<Board>, options: &WebOptions) -> Self {
        let start = || {
            let boot: Arc<str> = format!("{:012x}", fastrand::u64(..1 << 48)).into();
            let feed = Feed::start_for(board, Arc::clone(&boot), options);
            Self { boot, feed, meter: Meter::start_for(board, options) }
        };
        board.web.get_or_init(start).clone()
    }
}

impl Desk {
    /// A command was answered after this time.
    pub(super) fn took(&self, time: Duration) {
        self.post.meter.do_send(CommandTook(time)); // fails when the supervisor has ended: nobody counts then
    }
}

/// A request that may at least look.
pub(super) struct Visitor {
    pub(super) desk: Arc<Desk>,
    access: Access,
}

impl Visitor {
    pub(super) fn may_act(&self) -> bool {
        matches!(self.access, Access::Full { .. })
    }

    pub(super) fn operator(&self) -> Option<&str> {
        match &self.access {
            Access::Full { operator } => operator.as_deref(),
            Access::ReadOnly | Access::Forbidden => None,
        }
    }
}

/// The desk without a look at who comes: for probes.
pub(super) fn desk_of(request: &HttpRequest) -> Result<Arc<Desk>, Problem> {
    let desk = request.app_data::<Data<Desk>>();
    // The scope has it wherever a route of ours runs.
    desk.map(|desk| Arc::clone(desk)).ok_or_else(|| Problem::busy("the routes are not set up"))
}

pub(super) fn admit(request: &HttpRequest) -> Result<Visitor, Problem> {
    let desk = desk_of(request)?;
    match Access::of(request, &desk.options) {
        Access::Forbidden => {
            Err(Problem::new(Code::Forbidden, "the application lets nobody unknown in here"))
        }
        access => Ok(Visitor { desk, access }),
    }
}

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(admit(request))
    }
}
