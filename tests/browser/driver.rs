//! The chromedriver that all tests of this binary share.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio, id},
    sync::OnceLock,
};

use crate::needs;

/// Ends with this process, however that ends: then its standard input is closed. The browsers end with it, which a
/// driver that is killed leaves behind: the lock of a profile names its browser's process. Then the profiles go, to
/// which a browser writes until it has ended; that is waited for, but not for ever.
const UNTIL_CLOSED: &str = r#"
"$0" --port=0 & cat >/dev/null; kill -- $!; wait
for lock in "$1"/*/SingletonLock; do browsers="$browsers $(readlink "$lock" | sed 's/.*-//')"; done
kill -- $browsers
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 $browsers || break; sleep 1; done
rm -rf -- "$1""#;

pub struct Driver {
    pub url: String,
    pub chromium: PathBuf,
    /// Where the profiles of its browsers are.
    pub profiles: PathBuf,
    /// Its standard input stays open as long as this lives.
    _shell: Child,
}

/// The driver, started by whoever asks first; none where there is no browser.
pub fn driver() -> Option<&'static Driver> {
    static DRIVER: OnceLock<Option<Driver>> = OnceLock::new();
    let driver = DRIVER.get_or_init(|| {
        let chromium = needs::binary("CHROMIUM", "chromium")?;
        let chromedriver = needs::binary("CHROMEDRIVER", "chromedriver")?;
        Some(start(chromium, &chromedriver.to_string_lossy()))
    });
    if driver.is_none() {
        needs::skip("no chromium or no chromedriver", "apt-get install chromium chromium-driver");
    }
    driver.as_ref()
}

fn start(chromium: PathBuf, chromedriver: &str) -> Driver {
    let profiles = env::temp_dir().join(format!("taskvisor-browser-{}", id()));
    fs::create_dir_all(&profiles).expect("a folder for temporary files can be made");
    let mut shell = Command::new("sh")
        .args(["-c", UNTIL_CLOSED, chromedriver])
        .arg(&profiles)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0) // a Ctrl-C is for the tests: this ends after them
        .spawn()
        .expect("a shell can be started");
    let mut lines = BufReader::new(shell.stdout.take().expect("it is piped")).lines();
    let port = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| {
            let port = line.split("successfully on port ").nth(1)?;
            port.trim_end_matches('.').parse::<u16>().ok()
        })
        .expect("chromedriver says on which port it listens");
    // So that it never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    Driver { url: format!("http://127.0.0.1:{port}"), chromium, profiles, _shell: shell }
}
