//! Processes of a room, for tests: started, waited for by what they say, stopped by signals, and never left behind.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub(crate) const TOKEN: &str = "the room's secret";

/// Whatever does not happen within this time never will, on however busy a machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A child process. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    said: Arc<(Mutex<Vec<String>>, Condvar)>,
    standard_error: Option<JoinHandle<()>>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Process {
    /// Starts `jiho` with arguments, as one would type them.
    pub(crate) fn jiho(folder: &Path, arguments: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jiho"));
        command.args(arguments.split_whitespace()).current_dir(folder).env("JIHO_TOKEN", TOKEN);
        Self::start(command)
    }

    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let heard = said.clone();
        let standard_error = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                heard.0.lock().unwrap().push(line);
                heard.1.notify_all();
            }
        });
        Self { child, said, standard_error: Some(standard_error) }
    }

    /// Waits until a line on standard error contains `words`, and gives that line.
    pub(crate) fn wait_for(&mut self, words: &str) -> String {
        let (lines, changed) = &*self.said;
        let deadline = Instant::now() + PATIENCE;
        let mut lines = lines.lock().unwrap();
        loop {
            if let Some(line) = lines.iter().find(|line| line.contains(words)) {
                return line.clone();
            }
            let over = self.child.try_wait().unwrap().is_some();
            assert!(!over && Instant::now() < deadline, "nobody said {words:?}: {lines:#?}");
            lines = changed.wait_timeout(lines, Duration::from_millis(100)).unwrap().0;
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "still running: {:#?}", self.said.0.lock().unwrap());
            thread::sleep(Duration::from_millis(10));
        };
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.standard_error.take().unwrap().join().unwrap();
        let err = self.said.0.lock().unwrap().join("\n");
        Ended { status, out, err }
    }

    /// Ctrl-C, and its end.
    pub(crate) fn interrupt(self) -> Ended {
        self.signal(Signal::SIGINT);
        self.end()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, or it has no reason to go on.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Rows of a table of a run's folder, by column.
pub(crate) fn rows(table: &Path) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_path(table).unwrap().deserialize().map(Result::unwrap).collect()
}
