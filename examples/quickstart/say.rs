//! Lines to standard output, whose reader may leave before the end.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// What a shell reports of a program that wrote to a reader who had left.
const READER_GONE: i32 = 141;

/// Says something, as `println!` does; ends the program quietly if nobody reads it any more.
macro_rules! say {
    ($($words:tt)*) => {
        $crate::say::line(format_args!($($words)*))
    };
}

/// A line.
pub fn line(words: Arguments<'_>) {
    write(format_args!("{words}\n"));
}

/// Text as it is. What is ended by a reader who leaves stays in the log as it then was.
pub fn write(text: Arguments<'_>) {
    match std::io::stdout().lock().write_fmt(text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(READER_GONE),
        // What is being done matters more than whether it can be told.
        Ok(()) | Err(_) => {}
    }
}
