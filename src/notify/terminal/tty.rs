//! One terminal device: lines in, text out.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags},
    termios::{
        InputModes, LocalModes, OptionalActions, OutputModes, QueueSelector, SpecialCodeIndex,
        Termios, isatty, tcflush, tcgetattr, tcgetwinsize, tcsetattr,
    },
};

use super::TerminalError;

/// What Ctrl-C sends where it is not made a signal.
const INTERRUPT: u8 = 0x03;

/// The longest line that is taken; a terminal in line mode gives no more than 4,095 bytes.
const LONGEST_LINE: usize = 4096;

/// The columns of a terminal that does not say.
const USUAL_WIDTH: usize = 80;

pub(super) struct Tty {
    device: File,
}

/// What was typed at a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// A line, without its end.
    Line(String),
    /// The end of input, or an interrupt.
    End,
}

impl Tty {
    pub(super) fn open(device: &Path) -> Result<Self, TerminalError> {
        // Without NOCTTY a service would take the terminal for its own.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(device, flags, Mode::empty());
        let device = File::from(opened.map_err(|error| TerminalError::NoTerminal(error.into()))?);
        if isatty(&device) {
            Ok(Self { device })
        } else {
            Err(TerminalError::NotATerminal)
        }
    }

    pub(super) fn columns(&self) -> usize {
        match tcgetwinsize(&self.device) {
            Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
            Ok(_) | Err(_) => USUAL_WIDTH,
        }
    }

    /// Writes text that is already visible. In line mode, so that each line begins at the edge.
    pub(super) fn write(&self, text: &str) -> io::Result<()> {
        let mode = LineMode::enter(&self.device)?;
        (&self.device).write_all(text.as_bytes())?;
        drop(mode);
        Ok(())
    }

    /// Throws away what was typed so far, writes a prompt, and waits for a line.
    pub(super) fn prompt(&self, prompt: &str) -> io::Result<Typed> {
        let mode = LineMode::enter(&self.device)?;
        tcflush(&self.device, QueueSelector::IFlush)?;
        (&self.device).write_all(prompt.as_bytes())?;
        let typed = self.line();
        drop(mode);
        typed
    }

    fn line(&self) -> io::Result<Typed> {
        let mut line = Vec::new();
        let mut buffer = [0; LONGEST_LINE];
        loop {
            let read = match (&self.device).read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            if read == 0 {
                // A terminal that is gone reads as ended too; then nobody decided anything.
                tcgetattr(&self.device)?;
                return Ok(Typed::End);
            }
            line.extend(buffer.iter().take(read));
            if line.contains(&INTERRUPT) {
                (&self.device).write_all(b"\n")?;
                return Ok(Typed::End);
            }
            if line.len() > LONGEST_LINE {
                return Ok(Typed::Line(String::new()));
            }
            if line.pop_if(|last| *last == b'\n').is_some() {
                return Ok(Typed::Line(String::from_utf8_lossy(&line).into_owned()));
            }
        }
    }
}

/// Holds a terminal in line mode, with the mode that the host left it in put back at the end.
///
/// Ctrl-C ends the line instead of the process: who presses it at this prompt means the question. Control characters are
/// echoed as `^X`, so that what is typed cannot move the cursor.
struct LineMode<'t> {
    device: &'t File,
    before: Termios,
}

impl<'t> LineMode<'t> {
    fn enter(device: &'t File) -> io::Result<LineMode<'t>> {
        let before = tcgetattr(device)?;
        let mut mode = before.clone();
        mode.local_modes
            .remove(LocalModes::ISIG | LocalModes::ECHONL | LocalModes::NOFLSH);
        mode.local_modes.insert(
            LocalModes::ICANON
                | LocalModes::ECHO
                | LocalModes::ECHOE
                | LocalModes::ECHOK
                | LocalModes::ECHOCTL,
        );
        mode.input_modes
            .remove(InputModes::IGNCR | InputModes::INLCR);
        mode.input_modes.insert(InputModes::ICRNL);
        mode.output_modes
            .insert(OutputModes::OPOST | OutputModes::ONLCR);
        mode.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        tcsetattr(device, OptionalActions::Drain, &mode)?;
        Ok(Self { device, before })
    }
}

impl Drop for LineMode<'_> {
    fn drop(&mut self) {
        // If this fails the terminal is gone.
        let _ = tcsetattr(self.device, OptionalActions::Drain, &self.before);
    }
}
