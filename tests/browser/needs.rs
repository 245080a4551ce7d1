//! What is not part of every machine: browsers and tools.

use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
};

/// A binary: what the variable names, else the first of these that exists, else one of that name in the `PATH`.
pub fn binary(variable: &str, places: &[&str], name: &str) -> Option<PathBuf> {
    let named = env::var_os(variable).map(PathBuf::from);
    let known = places.iter().map(PathBuf::from);
    let paths = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&paths).map(|folder| folder.join(name)).collect::<Vec<_>>();
    named.into_iter().chain(known).chain(found).find(|path| path.is_file())
}

/// Says that something could not be tested. Where it must not be missing, that is a failure.
pub fn skip(what: &str, install: &str) {
    let is_set = |variable: &str, value: &str| env::var(variable).is_ok_and(|set| set == value);
    let is_needed = is_set("CI", "true") || is_set("TASKVISOR_REQUIRE_BROWSER", "1");
    assert!(!is_needed, "{what}, and the environment says that it must be there: {install}");
    skip_anywhere(what, install);
}

/// The same of what may be missing everywhere.
pub fn skip_anywhere(what: &str, install: &str) {
    // Past the harness, which would swallow it. To a closed stderr there is nothing to say.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}; {install}");
}

/// `target`, or what stands for it.
pub fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target")
}
