//! Cards as plain text.

use super::{
    Card, Limits,
    card::TooMuch,
    columns::{width, wrap, wrap_words},
    visible::all_ascii,
};

/// The narrowest page: what is narrower is written as if it were this wide.
const NARROWEST: usize = 20;

/// The widest page: longer lines are hard to read.
const WIDEST: usize = 120;

/// Begins every line, so that no value can pass for a line of its own.
const LINE: &str = "| ";

/// Begins a line that continues the one before.
const CONTINUED: &str = "|> ";

/// The grid that text is written on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    width: usize,
    alphabet: Alphabet,
}

/// Which characters a page can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// All that are visible; lines that have any beyond ASCII are followed by their form in ASCII.
    Unicode,
    /// ASCII alone.
    Ascii,
}

impl Page {
    /// A page of so many columns, from 20 to 120; other numbers count as the nearest of these.
    #[must_use]
    pub fn new(width: usize, alphabet: Alphabet) -> Self {
        Self {
            width: width.clamp(NARROWEST, WIDEST),
            alphabet,
        }
    }

    /// Writes one line, broken where it must be.
    pub(super) fn line(self, out: &mut String, text: &str) {
        let lines = wrap(text, self.width - LINE.len(), self.width - CONTINUED.len());
        Self::pieces(out, lines);
    }

    /// Writes a fact in one line: one without quoted text is in the library's own words and breaks between them. Anybody else's
    /// text breaks where the line is full, so that each space of it is seen.
    fn fact(self, out: &mut String, text: &str) {
        let (first, wide) = (self.width - LINE.len(), self.width - CONTINUED.len());
        Self::pieces(
            out,
            if text.contains('"') {
                wrap(text, first, wide)
            } else {
                wrap_words(text, first, wide)
            },
        );
    }

    fn pieces(out: &mut String, lines: Vec<&str>) {
        let mut lines = lines.into_iter();
        for (start, line) in std::iter::once(LINE)
            .chain(std::iter::repeat(CONTINUED))
            .zip(&mut lines)
        {
            out.push_str(start);
            if reads_right_to_left(line) {
                // The isolate ends with the line, so that no value moves what stands around it.
                out.extend(['\u{2068}']);
                out.push_str(line);
                out.extend(['\u{2069}']);
            } else {
                out.push_str(line);
            }
            out.push('\n');
        }
    }

    /// Writes a sentence of the library's own, broken between words.
    pub(super) fn sentence(self, out: &mut String, sentence: &str) {
        let room = self.width - LINE.len();
        let mut line = String::new();
        for word in sentence.split(' ') {
            if !line.is_empty() && width(&line) + 1 + width(word) > room {
                self.line(out, &std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(out, &line);
    }

    /// Writes a visible text, and its form in ASCII where it has another.
    pub(super) fn labelled(self, out: &mut String, label: &str, value: &str) {
        match (self.alphabet, all_ascii(label), all_ascii(value)) {
            (_, None, None) => self.fact(out, &format!("{label}: {value}")),
            (Alphabet::Ascii, label_in_ascii, value_in_ascii) => {
                let label = label_in_ascii.as_deref().unwrap_or(label);
                let value = value_in_ascii.as_deref().unwrap_or(value);
                self.fact(out, &format!("{label}: {value}"));
            }
            (Alphabet::Unicode, label_in_ascii, value_in_ascii) => {
                self.fact(out, &format!("{label}: {value}"));
                let label = label_in_ascii.as_deref().unwrap_or(label);
                let value = value_in_ascii.as_deref().unwrap_or(value);
                self.fact(out, &format!("{label}, in ASCII: {value}"));
            }
        }
    }
}

impl Default for Page {
    /// 100 columns, all visible characters.
    fn default() -> Self {
        Self::new(100, Alphabet::Unicode)
    }
}

/// Whether a line has letters of a script that runs from right to left.
fn reads_right_to_left(line: &str) -> bool {
    line.chars().any(|c| {
        matches!(c,
            '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}'
            | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
    })
}

/// A card as text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Rendered {
    /// All of it: the reviewer may be offered to approve and to deny.
    Full(String),
    /// What it is about, without the values, since they do not all fit: the reviewer may be offered to open it in full and
    /// to deny, never to approve.
    Compact(String),
}

impl Rendered {
    /// The text, each line with its end.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Full(text) | Self::Compact(text) => text,
        }
    }

    /// The text, taken out.
    #[must_use]
    pub fn into_text(self) -> String {
        match self {
            Self::Full(text) | Self::Compact(text) => text,
        }
    }
}

/// Writes a card as plain text within the limits of a channel.
///
/// The text has no control character but the ends of its lines, each of which begins with `| `, or with `|> ` where
/// it continues the one before, and is at most as wide as the page. Nothing is left out: either all of the card is there, or the result is
/// [`Rendered::Compact`] and says so. What the agent says is at the end, under its label.
pub fn render(card: &Card, limits: &Limits, page: &Page) -> Rendered {
    match card.fits(limits) {
        Ok(()) => Rendered::Full(full(card, *page)),
        Err(too_much) => Rendered::Compact(compact(card, too_much, *page)),
    }
}

fn full(card: &Card, page: Page) -> String {
    let mut out = String::with_capacity(4096);
    let mut section = None;
    for fact in card.facts() {
        if section != Some(fact.section()) {
            section = Some(fact.section());
            heading(&mut out, fact.section().title(), page);
        }
        page.labelled(&mut out, fact.label(), fact.value());
    }
    let progress = card.progress();
    if !progress.is_empty() {
        heading(&mut out, "So far", page);
        for sentence in progress {
            page.sentence(&mut out, &sentence);
        }
    }
    if let Some(words) = card.agent_says() {
        heading(&mut out, Card::AGENT_SAYS, page);
        page.labelled(&mut out, "says", &format!("\"{words}\""));
    }
    out
}

fn compact(card: &Card, too_much: TooMuch, page: Page) -> String {
    let mut out = String::new();
    heading(&mut out, "Approval needed, and it does not fit here", page);
    page.labelled(&mut out, "action", card.action_name().as_ref());
    page.labelled(&mut out, "request", &card.request().to_string());
    page.labelled(&mut out, "digest", &card.digest().to_string());
    page.labelled(&mut out, "expires", &card.expires().to_string());
    page.sentence(&mut out, &too_much.to_string());
    page.sentence(
        &mut out,
        "open it in full to approve it; here it can only be denied",
    );
    out
}

/// A line that stands out from facts by its underline, as wide as the page allows.
fn heading(out: &mut String, title: &str, page: Page) {
    if !out.is_empty() {
        out.push_str("|\n");
    }
    page.sentence(out, title);
    let underline = "-".repeat(width(title).min(page.width - LINE.len()));
    page.line(out, &underline);
}
