//! The life of a member, as `Registry` sees it: `adding.rs`, `stopping.rs`, `leaving.rs`.

mod adding;
mod leaving;
mod stopping;
