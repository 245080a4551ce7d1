//! The command line.

use std::{fmt::Display, path::PathBuf, str::FromStr};

use lexopt::{Arg, Parser, ValueExt};

use crate::{
    job::{Case, Config, Drive, Job, Options},
    subjects,
};

pub(crate) const USAGE: &str = "\
usage: peers CASE N [options]            one case; a line of JSON for each subject
       peers all --out FILE [options]    everything; FILE (JSON), and beside it FILE with .md

options of one case:
  --subject NAME       only this one (may be repeated)
  --config NAME        usual or fastest; default: both
  --rounds R           default 7
  --subscribers S      oneshot_events, fanout
  --slots K            slots: over how many keys
  --held H             add: tasks that are there before
  --restarts R         restart: how often each task is started again; default 100
  --drive NAME         one_by_one or pipelined
  --threads T          1: all on the caller's thread; 2: the tasks on another one; default: 1, and 2 for
                       ours-dedicated
options of all:
  --rounds R           default 7
  --case NAME          only this one (may be repeated)
  --most N             nothing above N; default: no bound, up to 1,000,000
  --quick              --most 1000 --rounds 2: to see that it runs";

/// What the program is asked to do.
pub(crate) enum Command {
    Help,
    One(One),
    All(All),
}

/// `CASE N`.
pub(crate) struct One {
    pub(crate) case: Case,
    pub(crate) n: usize,
    pub(crate) subjects: Vec<String>,
    pub(crate) configs: Vec<Config>,
    pub(crate) rounds: usize,
    pub(crate) options: Options,
    /// `None`: as the subject has it.
    pub(crate) threads: Option<usize>,
}

impl One {
    pub(crate) fn jobs(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for subject in &self.subjects {
            let own = subjects::named(subject).map_or(1, |subject| subject.threads());
            let options = Options { threads: self.threads.unwrap_or(own), ..self.options };
            for &config in &self.configs {
                let subject = subject.clone();
                jobs.push(Job { subject, case: self.case, n: self.n, config, options });
            }
        }
        jobs
    }
}

/// `all`.
pub(crate) struct All {
    pub(crate) out: PathBuf,
    pub(crate) rounds: usize,
    most: usize,
    /// Empty: all.
    cases: Vec<Case>,
}

impl All {
    pub(crate) fn includes(&self, case: Case, n: usize) -> bool {
        n <= self.most && (self.cases.is_empty() || self.cases.contains(&case))
    }
}

/// What was given, before the case is known.
#[derive(Default)]
struct Given {
    words: Vec<String>,
    out: Option<PathBuf>,
    is_quick: bool,
    most: Option<usize>,
    cases: Vec<Case>,
    subjects: Vec<String>,
    config: Option<Config>,
    rounds: Option<usize>,
    subscribers: Option<usize>,
    slots: Option<usize>,
    held: Option<usize>,
    restarts: Option<usize>,
    drive: Option<Drive>,
    threads: Option<usize>,
}

/// Reads the arguments of this process.
///
/// # Errors
/// What is wrong, and what to write instead.
pub(crate) fn read() -> Result<Command, String> {
    let Some(given) = Given::read(Parser::from_env())? else { return Ok(Command::Help) };
    match given.words.first().map(String::as_str) {
        None => Err(format!("no case is named: write one of {}", cases())),
        Some("help") => Ok(Command::Help),
        Some("all") => given.all().map(Command::All),
        Some(_) => given.one().map(Command::One),
    }
}

impl Given {
    /// `None`: help is asked for.
    fn read(mut parser: Parser) -> Result<Option<Self>, String> {
        let mut given = Self::default();
        while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
            match arg {
                Arg::Value(word) => given.words.push(word.to_string_lossy().into_owned()),
                Arg::Short('h') | Arg::Long("help") => return Ok(None),
                Arg::Long("out") => {
                    given.out = Some(value(&mut parser, "--out")?);
                }
                Arg::Long("quick") => given.is_quick = true,
                Arg::Long("most") => given.most = Some(positive(&mut parser, "--most")?),
                Arg::Long("case") => {
                    given.cases.push(choice(&mut parser, "--case", Case::named, &cases())?);
                }
                Arg::Long("subject") => given.subjects.push(subject(&mut parser)?),
                Arg::Long("config") => {
                    given.config =
                        Some(choice(&mut parser, "--config", Config::named, "usual, fastest")?);
                }
                Arg::Long("drive") => {
                    let drive =
                        choice(&mut parser, "--drive", Drive::named, "one_by_one, pipelined")?;
                    given.drive = Some(drive);
                }
                Arg::Long("rounds") => given.rounds = Some(positive(&mut parser, "--rounds")?),
                Arg::Long("subscribers") => {
                    given.subscribers = Some(positive(&mut parser, "--subscribers")?);
                }
                Arg::Long("slots") => given.slots = Some(positive(&mut parser, "--slots")?),
                Arg::Long("held") => given.held = Some(value(&mut parser, "--held")?),
                Arg::Long("restarts") => {
                    given.restarts = Some(positive(&mut parser, "--restarts")?)
                }
                Arg::Long("threads") => match positive(&mut parser, "--threads")? {
                    threads @ (1 | 2) => given.threads = Some(threads),
                    other => return Err(format!("--threads {other}: write 1 or 2")),
                },
                Arg::Short(_) | Arg::Long(_) => {
                    return Err(format!("{}\n\n{USAGE}", arg.unexpected()));
                }
            }
        }
        Ok(Some(given))
    }

    fn one(self) -> Result<One, String> {
        let [case, n] = self.words.as_slice() else {
            return Err(format!("write a case and a number, such as: oneshot 10000\n\n{USAGE}"));
        };
        let is_of_all = self.out.is_some() || self.is_quick || self.most.is_some();
        if is_of_all || !self.cases.is_empty() {
            let why = "--out, --case, --most and --quick are options of `all`: leave them out";
            return Err(why.to_owned());
        }
        let unknown = || format!("unknown case {case}: write one of {}, or all", cases());
        let case = Case::named(case).ok_or_else(unknown)?;
        let n = number(n, "N").and_then(|n| at_least_one(n, "N"))?;
        let default = Options::of(case);
        let options = Options {
            subscribers: self.subscribers.unwrap_or(default.subscribers),
            restarts: self.restarts.unwrap_or(default.restarts),
            held: self.held.unwrap_or(default.held),
            slots: self.slots.unwrap_or(default.slots),
            drive: self.drive.unwrap_or(default.drive),
            threads: default.threads,
        };
        let every = || subjects::all().iter().map(|subject| subject.name().to_owned()).collect();
        Ok(One {
            case,
            n,
            subjects: if self.subjects.is_empty() { every() } else { self.subjects },
            configs: self.config.map_or(Config::ALL.to_vec(), |config| vec![config]),
            rounds: self.rounds.unwrap_or(7),
            options,
            threads: self.threads,
        })
    }

    fn all(self) -> Result<All, String> {
        if let Some(word) = self.words.get(1) {
            return Err(format!("`all` takes no `{word}`: it runs every case at every size"));
        }
        let out = self.out.ok_or("`all` needs a file to write: --out peers.json")?;
        let rounds = self.rounds.unwrap_or(if self.is_quick { 2 } else { 7 });
        let most = self.most.unwrap_or(if self.is_quick { 1_000 } else { usize::MAX });
        Ok(All { out, rounds, most, cases: self.cases })
    }
}

fn cases() -> String {
    Case::ALL.map(Case::label).join(", ")
}

fn subject(parser: &mut Parser) -> Result<String, String> {
    let name: String = value(parser, "--subject")?;
    if subjects::named(&name).is_some() {
        return Ok(name);
    }
    let all: Vec<_> = subjects::all().iter().map(|subject| subject.name()).collect();
    Err(format!("unknown subject {name}: write one of {}", all.join(", ")))
}

fn choice<T>(
    parser: &mut Parser,
    option: &str,
    named: fn(&str) -> Option<T>,
    all: &str,
) -> Result<T, String> {
    let name: String = value(parser, option)?;
    named(&name).ok_or_else(|| format!("{option} {name}: write one of {all}"))
}

fn positive(parser: &mut Parser, option: &str) -> Result<usize, String> {
    value(parser, option).and_then(|number| at_least_one(number, option))
}

fn at_least_one(number: usize, what: &str) -> Result<usize, String> {
    if number == 0 { Err(format!("{what} is 0: write 1 or more")) } else { Ok(number) }
}

fn number(text: &str, what: &str) -> Result<usize, String> {
    text.parse().map_err(|error| format!("{what} is `{text}` ({error}): write a whole number"))
}

fn value<T>(parser: &mut Parser, option: &str) -> Result<T, String>
where
    T: FromStr,
    T::Err: Display + Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let value = parser.value().map_err(|_| format!("{option} needs a value"))?;
    value.parse().map_err(|error| format!("{option}: {error}"))
}
