//! Who comes in, and what they may do: asked before anything is read or done.
//!
//! | file | question |
//! |---|---|
//! | `access.rs` | what does the application's hook say of this request |
//! | `origin.rs` | may it act, or may another site's page be behind it: pure |
//! | `desk.rs` | what do all requests share, and which of them get it |

pub(super) mod access;
pub(super) mod desk;
pub(super) mod origin;
