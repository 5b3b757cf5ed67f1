//! One text form in which nothing hides, for every channel.

use std::fmt::Write as _;

/// Runs longer than this are written as a count.
const LONGEST_RUN: usize = 4;

/// More combining marks than this on one character are written as escapes.
const MOST_MARKS: usize = 2;

/// The longest text that [`from_visible`] gives back, in characters.
const LONGEST_TEXT: usize = 1 << 24;

/// The text with everything made visible that a reader could overlook or misread.
///
/// What is written differently, and nothing else is:
///
/// - `\` and `"` as `\\` and `\"`, so that the result may stand between quotation marks;
/// - every *risky* code point as `\uXXXX`, or `\u{XXXXX}` beyond U+FFFF: controls, line and paragraph separators, all
///   that is ignorable by default (zero width, bidirectional controls, variation selectors, tags, fillers), spaces that
///   are not U+0020, blank symbols, private use, noncharacters, and what Unicode had not assigned when this was compiled;
/// - a blank at either end as `\u0020`;
/// - more than four blanks, or four times the same risky code point, in a row as a count: `\{9970 spaces}`, `\{500 u000a}`;
/// - combining marks beyond the second on one character, and such as have no character to stand on, as escapes.
///
/// Letters of all scripts stay as they are; [`all_ascii`] is for telling look-alikes apart. Nothing is normalised or
/// cut, and [`from_visible`] gives the text back.
///
/// ```
/// use countersign::notify::visible;
///
/// assert_eq!(visible("invoice_\u{202e}fdp.exe"), r"invoice_\u202efdp.exe");
/// assert_eq!(visible("ls\n; rm -rf / "), r"ls\u000a; rm -rf /\u0020");
/// ```
#[must_use]
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    // Combining marks since the last character that was written as it is; none has been at the start.
    let mut marks = None;
    while let Some(c) = rest.chars().next() {
        let after = rest.trim_start_matches(c);
        let run = (rest.len() - after.len()) / c.len_utf8();
        let at_an_end = out.is_empty() || after.is_empty();
        match c {
            ' ' if run > LONGEST_RUN => write_run(&mut out, run, "spaces"),
            ' ' if at_an_end => (0..run).for_each(|_| write_escape(&mut out, c)),
            ' ' => out.extend(std::iter::repeat_n(c, run)),
            _ if is_risky(c) && run > LONGEST_RUN => {
                write_run(&mut out, run, &format!("u{:04x}", u32::from(c)));
            }
            _ if is_risky(c) => (0..run).for_each(|_| write_escape(&mut out, c)),
            _ if is_combining(c) => {
                for _ in 0..run {
                    match marks {
                        Some(count) if count < MOST_MARKS => {
                            out.push(c);
                            marks = Some(count + 1);
                        }
                        Some(_) | None => write_escape(&mut out, c),
                    }
                }
                rest = after;
                continue;
            }
            '\\' | '"' => (0..run).for_each(|_| out.extend(['\\', c])),
            _ => {
                out.extend(std::iter::repeat_n(c, run));
                marks = Some(0);
                rest = after;
                continue;
            }
        }
        marks = None;
        rest = after;
    }
    out
}

/// A text in quotation marks, made [`visible`]: it cannot be taken for anything but a text.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", visible(text))
}

/// A visible text with every character beyond ASCII written as an escape; nothing if it has none.
///
/// Shown beside the text itself, it tells look-alike letters apart: `аррӏе.com` and `apple.com` differ here.
#[must_use]
pub fn all_ascii(visible: &str) -> Option<String> {
    if visible.is_ascii() {
        return None;
    }
    let mut out = String::with_capacity(visible.len() * 2);
    for c in visible.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            write_escape(&mut out, c);
        }
    }
    Some(out)
}

/// The text that [`visible`] or [`all_ascii`] wrote, or nothing if they write no such text.
#[must_use]
pub fn from_visible(shown: &str) -> Option<String> {
    let mut out = String::with_capacity(shown.len());
    let mut rest = shown;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at_checked(at)?;
        out.push_str(before);
        let escape = escape.strip_prefix('\\')?;
        rest = if let Some(run) = escape.strip_prefix('{') {
            let (run, after) = run.split_once('}')?;
            let (count, what) = run.split_once(' ')?;
            let count: usize = count.parse().ok()?;
            let c = match what {
                "spaces" => ' ',
                code => code_point(code.strip_prefix('u')?)?,
            };
            if count > LONGEST_TEXT {
                return None;
            }
            out.extend(std::iter::repeat_n(c, count));
            after
        } else if let Some(code) = escape.strip_prefix("u{") {
            let (code, after) = code.split_once('}')?;
            out.push(code_point(code)?);
            after
        } else if let Some(code) = escape.strip_prefix('u') {
            let (code, after) = code.split_at_checked(4)?;
            out.push(code_point(code)?);
            after
        } else {
            let c = escape.chars().next().filter(|c| matches!(c, '\\' | '"'))?;
            out.push(c);
            escape.strip_prefix(c)?
        };
        if out.len() > LONGEST_TEXT * 4 {
            return None;
        }
    }
    out.push_str(rest);
    Some(out)
}

fn code_point(hex: &str) -> Option<char> {
    char::from_u32(u32::from_str_radix(hex, 16).ok()?)
}

fn write_escape(out: &mut String, c: char) {
    let code = u32::from(c);
    // Writing to a string does not fail.
    let _ = if code <= 0xFFFF {
        write!(out, "\\u{code:04x}")
    } else {
        write!(out, "\\u{{{code:x}}}")
    };
}

fn write_run(out: &mut String, run: usize, what: &str) {
    let _ = write!(out, "\\{{{run} {what}}}");
}

/// Whether a code point is one that a reader may not see, or that changes how others are seen.
pub(super) fn is_risky(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let listed = matches!(c,
        '\u{034F}'                                    // combining grapheme joiner
        | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' // Hangul fillers
        | '\u{17B4}' | '\u{17B5}'                     // Khmer inherent vowels
        | '\u{180B}'..='\u{180F}'                     // Mongolian variation selectors
        | '\u{2800}'                                  // blank Braille pattern
        | '\u{FE00}'..='\u{FE0F}' | '\u{E0000}'..='\u{E0FFF}' // variation selectors, tags
        | '\u{FFFC}'                                  // stands for an object that is not there
        | '\u{1D159}'                                 // a note without a head
    );
    listed || !is_printable(c)
}

/// Whether the standard library prints a code point in `Debug` form, apart from combining marks: it does not print
/// controls, format characters, separators, private use, noncharacters and unassigned code points.
fn is_printable(c: char) -> bool {
    // Not at the start, combining marks are printed.
    printed_after("a", c)
}

/// Whether a code point is a mark on the character before it.
pub(super) fn is_combining(c: char) -> bool {
    // At the start, where they have nothing to stand on, combining marks are not printed.
    !c.is_ascii() && is_printable(c) && !printed_after("", c)
}

fn printed_after(before: &str, c: char) -> bool {
    let mut bytes = [0; 4];
    let mut text = String::with_capacity(8);
    text.push_str(before);
    text.push_str(c.encode_utf8(&mut bytes));
    text.escape_debug().nth(before.len()) == Some(c)
}
