//! What the two README files say of themselves. Their code is compiled as doctests of the crate.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn at_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(at_root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Name and text of each example that is a single file.
fn examples() -> Vec<(String, String)> {
    let files = fs::read_dir(at_root("examples")).expect("the folder of the examples");
    let paths = files.map(|file| file.expect("an entry").path());
    let sources = paths.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let named = sources.map(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let source = fs::read_to_string(path).expect("an example");
        (name, source)
    });
    named.collect()
}

#[test]
fn the_list_of_examples_names_each_with_the_question_it_opens_with() {
    let list = text("examples/README.md");
    let mut missing = BTreeSet::new();
    for (name, source) in examples() {
        let question = source.lines().next().and_then(|line| line.strip_prefix("//! "));
        let question = question.unwrap_or_else(|| panic!("{name} opens with no question"));
        let row = format!("| [`{name}`]({name}.rs) | {question}");
        if !list.lines().any(|line| line.starts_with(&row)) {
            missing.insert(row);
        }
    }
    assert!(missing.is_empty(), "not in examples/README.md: {missing:#?}");
    assert_eq!(list.matches(".rs) |").count(), examples().len(), "a row without a file");
}

#[test]
fn an_example_stays_under_sixty_lines() {
    let lines = |(name, source): (String, String)| (source.lines().count(), name);
    let long: Vec<_> = examples().into_iter().map(lines).filter(|(n, _)| *n >= 60).collect();
    assert!(long.is_empty(), "too long: {long:?}");
}

#[test]
fn the_quick_start_fits_in_twenty_five_lines() {
    let readme = text("README.md");
    let from = readme.split_once("## Quick start").expect("a quick start").1;
    let code = from.split("```").nth(1).expect("its code");
    assert!(code.lines().skip(1).count() <= 25);
}

#[test]
fn the_readme_stays_within_two_hundred_and_fifty_lines() {
    assert!(text("README.md").lines().count() <= 250);
}
