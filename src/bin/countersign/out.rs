//! What is printed.

use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};

use countersign::canonical::Object;

use crate::text::on_one_line;

/// The standard output. Once its reader has gone, nothing more is written, and that is no fault.
pub struct Out {
    to: BufWriter<StdoutLock<'static>>,
    failed: Option<io::Error>,
}

/// How a complaint is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// It is the command's own text.
    AsItIs,
    /// Texts of others may stand in it.
    OneLine,
}

impl Out {
    pub fn to_stdout() -> Self {
        Self {
            to: BufWriter::new(io::stdout().lock()),
            failed: None,
        }
    }

    /// A line for people, in which nothing hides.
    pub fn line(&mut self, text: &str) {
        self.raw(&on_one_line(text));
        self.raw("\n");
    }

    /// An object on a line of its own.
    pub fn json(&mut self, object: &Object) {
        self.raw(&ascii(&object.to_canonical()));
        self.raw("\n");
    }

    pub fn raw(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if self.failed.is_none()
            && let Err(error) = self.to.write_all(bytes)
        {
            self.failed = Some(error);
        }
    }

    /// Whether nobody is there any more to read.
    pub const fn is_over(&self) -> bool {
        self.failed.is_some()
    }

    /// Where bytes go that are no text for people.
    pub fn writer(&mut self) -> &mut dyn Write {
        &mut self.to
    }

    /// # Errors
    /// What could not be written, if somebody is there to read it.
    pub fn finish(mut self) -> io::Result<()> {
        let flushed = self.to.flush();
        // It is not to try again when it goes.
        let (_, _) = self.to.into_parts();
        match self.failed.map_or(flushed, Err) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

/// JSON with every character beyond ASCII as an escape, since it may come to a terminal as well; texts are all that have such.
fn ascii(json: &[u8]) -> String {
    let json = String::from_utf8_lossy(json);
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

/// Says on the standard error what is wrong.
pub fn complain(what: &str, form: Form) {
    let what = match form {
        Form::AsItIs => what.trim_end().to_owned(),
        Form::OneLine => on_one_line(what),
    };
    // Where nobody hears it there is nobody to tell.
    let _ = writeln!(io::stderr(), "{what}");
}
