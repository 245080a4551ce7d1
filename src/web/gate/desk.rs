use std::{sync::Arc, time::Duration};

use actix::Addr;
use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use futures::future::{Ready, ready};

use crate::{
    supervisor::Board,
    web::{
        access::Access,
        feed::Feed,
        meter::{CommandTook, Meter},
        options::WebOptions,
        problem::{Code, Problem},
    },
};

/// What all requests to one scope share. It keeps no supervisor alive.
///
/// Its type is private: it stands in the scope's data beside whatever the application has there.
pub(in crate::web) struct Desk {
    pub(in crate::web) board: Arc<Board>,
    pub(in crate::web) options: WebOptions,
    pub(in crate::web) post: Post,
}

/// The actors behind the routes: one of each per supervisor, whatever the number of HTTP workers.
#[derive(Clone)]
pub(crate) struct Post {
    /// Names this start of the supervisor in the ids of events.
    pub(in crate::web) boot: Arc<str>,
    pub(in crate::web) feed: Addr<Feed>,
    pub(in crate::web) meter: Addr<Meter>,
}

impl Post {
    /// The actors of this supervisor, started if this is the first call. A later call's numbers count for nothing.
    pub(in crate::web) fn of(board: &Arc<Board>, options: &WebOptions) -> Self {
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
    pub(in crate::web) fn took(&self, time: Duration) {
        self.post.meter.do_send(CommandTook(time)); // fails when the supervisor has ended: nobody counts then
    }
}

/// A request that may at least look.
pub(in crate::web) struct Visitor {
    pub(in crate::web) desk: Arc<Desk>,
    access: Access,
}

impl Visitor {
    pub(in crate::web) fn may_act(&self) -> bool {
        matches!(self.access, Access::Full { .. })
    }

    pub(in crate::web) fn operator(&self) -> Option<&str> {
        match &self.access {
            Access::Full { operator } => operator.as_deref(),
            Access::ReadOnly | Access::Forbidden => None,
        }
    }
}

/// The desk without a look at who comes: for probes.
pub(in crate::web) fn desk_of(request: &HttpRequest) -> Result<Arc<Desk>, Problem> {
    let desk = request.app_data::<Data<Desk>>();
    // The scope has it wherever a route of ours runs.
    desk.map(|desk| Arc::clone(desk)).ok_or_else(|| Problem::busy("the routes are not set up"))
}

pub(in crate::web) fn admit(request: &HttpRequest) -> Result<Visitor, Problem> {
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
