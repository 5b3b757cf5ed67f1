//! A question at the terminal that Ctrl-C ends, and not the program.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

/// What Ctrl-C sends where it is not made a signal.
const INTERRUPT: u8 = 0x03;

/// The controlling terminal; left in the mode that it was found in.
pub struct Prompt {
    device: File,
    before: Termios,
}

impl Prompt {
    pub fn open() -> io::Result<Self> {
        let device = File::options().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&device)?;
        let mut mode = before.clone();
        mode.local_modes.remove(LocalModes::ISIG);
        mode.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        tcsetattr(&device, OptionalActions::Drain, &mode)?;
        Ok(Self { device, before })
    }

    pub fn say(&self, sentence: &str) -> io::Result<()> {
        (&self.device).write_all(format!("{sentence}\n").as_bytes())
    }

    /// Asks for a line; `None` at the end of input, or at Ctrl-C.
    pub fn ask(&self, question: &str) -> io::Result<Option<String>> {
        (&self.device).write_all(question.as_bytes())?;
        // A terminal gives out one line at a time, so nothing is lost with the buffer.
        let mut lines = BufReader::new(&self.device);
        let mut line = Vec::new();
        loop {
            let found = lines.fill_buf()?;
            let end = found
                .iter()
                .position(|byte| [b'\n', INTERRUPT].contains(byte));
            let taken = end.map_or(found.len(), |end| end + 1);
            line.extend(found.iter().take(taken));
            lines.consume(taken);
            if end.is_some() || taken == 0 {
                break;
            }
        }
        match line.last() {
            Some(b'\n') => Ok(Some(String::from_utf8_lossy(&line).into_owned())),
            _ => {
                self.say("")?;
                Ok(None)
            }
        }
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        // If this fails the terminal is gone.
        let _ = tcsetattr(&self.device, OptionalActions::Drain, &self.before);
    }
}
