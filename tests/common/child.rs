//! Another process: the test binary starts itself again and does one task there.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

const TASK: &str = "COUNTERSIGN_TEST_TASK";
const FOLDER: &str = "COUNTERSIGN_TEST_FOLDER";
/// The name that every test binary with tasks gives the function that does them.
const ENTRY: &str = "in_another_process";

/// The task and the folder of this process, if it is one that a test started.
pub fn task() -> Option<(String, std::path::PathBuf)> {
    Some((std::env::var(TASK).ok()?, std::env::var_os(FOLDER)?.into()))
}

/// Says a word to the test that started this process.
pub fn say(word: &str) {
    let mut out = std::io::stdout().lock();
    // The harness may stand in the middle of a line.
    writeln!(out, "\n{word}").unwrap();
    out.flush().unwrap();
}

/// Waits until the test nods.
pub fn wait_for_nod() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// A command that does a task in this binary; `before` is what runs it, such as a tracer.
pub fn command(before: &[&str], task: &str, folder: &Path) -> Command {
    let binary = std::env::current_exe().unwrap();
    let mut command = match before.split_first() {
        None => Command::new(binary),
        Some((tracer, arguments)) => {
            let mut command = Command::new(tracer);
            command.args(arguments).arg(binary);
            command
        }
    };
    command
        .args([ENTRY, "--exact", "--nocapture"])
        .env(TASK, task)
        .env(FOLDER, folder);
    command
}

pub struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub fn start(task: &str, folder: &Path) -> Self {
        let mut child = command(&[], task, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// The next line that begins with the word, without it; `None` at the end.
    pub fn next(&mut self, word: &str) -> Option<String> {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some(rest) = line.trim_end().strip_prefix(word) {
                return Some(rest.trim_start().to_owned());
            }
            line.clear();
        }
        None
    }

    /// Waits until it says the word.
    pub fn hear(&mut self, word: &str) -> String {
        self.next(word)
            .unwrap_or_else(|| panic!("it ended without saying `{word}`"))
    }

    /// Lets it go on.
    pub fn nod(&mut self) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(b"\n").unwrap();
        stdin.flush().unwrap();
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end, which must be a good one.
    pub fn end(mut self) {
        while self.next("").is_some() {}
        assert!(self.child.wait().unwrap().success());
    }
}
