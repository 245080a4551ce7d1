//! How answers are written where they are no JSON (that is `views/`): pure.
//!
//! | file | what |
//! |---|---|
//! | `html.rs` | the page's first view, for those without a script |
//! | `text.rs` | the table for terminals; which texts are plain |
//! | `time.rs` | moments and durations |

pub(super) mod html;
pub(super) mod text;
pub(super) mod time;
