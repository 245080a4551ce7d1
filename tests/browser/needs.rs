//! What is not part of every machine: browsers and tools.

use std::{
    env,
    io::Write,
    iter,
    path::{Path, PathBuf},
};

/// A binary: what the variable names, or that of Debian, or one in the `PATH`.
pub fn binary(variable: &str, name: &str) -> Option<PathBuf> {
    let candidates: Vec<PathBuf> = match env::var_os(variable) {
        Some(named) => vec![named.into()],
        None => {
            let paths = env::var_os("PATH").unwrap_or_default();
            let folders = iter::once("/usr/bin".into()).chain(env::split_paths(&paths));
            folders.map(|folder: PathBuf| folder.join(name)).collect()
        }
    };
    candidates.into_iter().find(|path| path.is_file())
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
