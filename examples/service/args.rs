//! The command line: which options there are, and what is printed when one is wrong.
//!
//! Parsing is a pure function of the arguments; printing and the exit code are in [`Refused`].

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
usage: service [--listen ADDRESS:PORT] [--grace SECONDS]
               [--load-balancer SECONDS] [--calm]

  --listen ADDRESS:PORT  where to serve HTTP (default 127.0.0.1:8080); port 0 takes a free port
  --grace SECONDS        how long tasks may take to stop (default 5; 0.5 is half a second)
  --load-balancer SECONDS
                         how long to serve on at the end while `readyz` says 503 (default 0)
  --calm                 without the tasks that go wrong on purpose
  --help                 this text
";

/// What the command line said, with defaults for what it did not say.
#[derive(Debug)]
pub struct Args {
    pub listen: SocketAddr,
    pub grace: Duration,
    pub load_balancer: Duration,
    pub is_calm: bool,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            grace: Duration::from_secs(5),
            load_balancer: Duration::ZERO,
            is_calm: false,
        }
    }
}

/// Why the program does not start.
#[derive(Debug)]
pub enum Refused {
    HelpWanted,
    Wrong(String),
}

impl Args {
    /// Reads the options in `args`, which does not include the name of the program.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, Refused> {
        let mut parsed = Self::default();
        let mut args = args.into_iter();
        while let Some(option) = args.next() {
            match option.as_str() {
                "--listen" => parsed.listen = value(&option, args.next(), address)?,
                "--grace" => parsed.grace = value(&option, args.next(), seconds)?,
                "--load-balancer" => {
                    parsed.load_balancer = value(&option, args.next(), seconds)?;
                }
                "--calm" => parsed.is_calm = true,
                "--help" | "-h" => return Err(Refused::HelpWanted),
                _ => return Err(Refused::Wrong(format!("unknown argument `{option}`"))),
            }
        }
        Ok(parsed)
    }
}

impl Refused {
    /// Prints the usage, after the mistake if there is one, and says how to exit.
    pub fn explain(self) -> ExitCode {
        match self {
            Self::HelpWanted => {
                print!("{USAGE}");
                ExitCode::SUCCESS
            }
            Self::Wrong(mistake) => {
                eprint!("{mistake}\n\n{USAGE}");
                ExitCode::from(2)
            }
        }
    }
}

fn value<T, E: Display>(
    option: &str,
    text: Option<String>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, Refused> {
    let text = text.ok_or_else(|| Refused::Wrong(format!("`{option}` needs a value")))?;
    parse(&text).map_err(|why| Refused::Wrong(format!("`{option} {text}`: {why}")))
}

fn address(text: &str) -> Result<SocketAddr, impl Display + use<>> {
    text.parse::<SocketAddr>().map_err(|_| "expected an IP address and a port")
}

fn seconds(text: &str) -> Result<Duration, impl Display + use<>> {
    let seconds = text.parse::<f64>().map_err(|_| "expected a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "expected a number of seconds")
}
