//! Asking a person, and reading what they decided.

use std::io;

use crate::{
    action::ActionDigest,
    notify::{Alphabet, Denial, Limits, Page, Rendered, ToReview, all_ascii, render, visible},
    policy::{MustSupply, Supply},
};

use super::tty::{Tty, Typed};

/// The digits of the digest that an approval repeats, at least.
const DIGITS: usize = 6;

/// The characters of a wrong digest that are repeated to whoever typed it.
const MOST_REPEATED: usize = 12;

pub(super) struct Dialogue {
    tty: Tty,
    limits: Limits,
    alphabet: Alphabet,
}

/// What a person decided at the prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Approve {
        reason: Option<String>,
        ticket: Option<String>,
    },
    Deny {
        comment: Option<String>,
    },
    /// An empty line or the end of input: a denial without words.
    Nothing,
    Later,
}

impl Dialogue {
    pub(super) fn at(tty: Tty, limits: Limits, alphabet: Alphabet) -> Self {
        Self {
            tty,
            limits,
            alphabet,
        }
    }

    fn page(&self) -> Page {
        Page::new(self.tty.columns(), self.alphabet)
    }

    /// Says one sentence.
    pub(super) fn say(&mut self, sentence: &str) -> io::Result<()> {
        let mut out = String::new();
        self.sentence(&mut out, &visible(sentence));
        self.tty.write(&out)
    }

    fn sentence(&self, out: &mut String, visible: &str) {
        match (self.alphabet, all_ascii(visible)) {
            (Alphabet::Ascii, Some(ascii)) => self.page().sentence(out, &ascii),
            (Alphabet::Unicode | Alphabet::Ascii, _) => self.page().sentence(out, visible),
        }
    }

    /// Shows a card and waits until the person decided or put it off.
    ///
    /// # Errors
    /// If the terminal is gone; then nothing was decided.
    pub(super) fn ask(&mut self, to_review: &ToReview) -> io::Result<Reply> {
        let ToReview {
            reviewer,
            card,
            denial,
        } = to_review;
        let rendered = render(card, &self.limits, &self.page());
        let short: String = card.digest().to_string().chars().take(DIGITS).collect();
        let offer = match &rendered {
            Rendered::Full(_) => format!("type approve {short}, deny and a reason, or later"),
            Rendered::Compact(_) => "type deny and a reason, or later".to_owned(),
        };
        let silence = match denial {
            Denial::Denies => "an empty line denies",
            Denial::CallsOff => {
                "with an interest in it, deny and an empty line call the request off"
            }
        };
        let mut text = String::from("\n");
        text.push_str(rendered.text());
        text.push_str("|\n");
        self.sentence(
            &mut text,
            &format!("{} is asked: {offer}; {silence}", visible(reviewer)),
        );
        self.tty.write(&text)?;
        loop {
            let line = match self.tty.prompt("> ")? {
                Typed::End => return Ok(Reply::Nothing),
                Typed::Line(line) => line,
            };
            match (read(&line, card.digest()), &rendered) {
                (Words::Empty, _) => return Ok(Reply::Nothing),
                (Words::Deny(comment), _) => return Ok(Reply::Deny { comment }),
                (Words::Later, _) => return Ok(Reply::Later),
                (Words::Approve, Rendered::Full(_)) => {
                    if let Some(reply) = self.supplied(card.must_supply())? {
                        return Ok(reply);
                    }
                    self.say(&format!("not approved without it: {offer}"))?;
                }
                (Words::Approve, Rendered::Compact(_)) => {
                    self.say(&format!(
                        "not all of it fits here, so it cannot be approved here: {offer}"
                    ))?;
                }
                (Words::OtherDigest(typed), _) => self.say(&format!(
                    "nothing was decided: {typed} is not the digest on the screen; {offer}"
                ))?,
                (Words::Unclear, _) => self.say(&format!("nothing was decided: {offer}"))?,
            }
        }
    }

    /// Asks for what an approval must bring along; nothing if it was not given.
    fn supplied(&mut self, wanted: MustSupply) -> io::Result<Option<Reply>> {
        let MustSupply { reason, ticket } = wanted;
        let Some(reason) = self.supply("reason> ", reason)? else {
            return Ok(None);
        };
        let Some(ticket) = self.supply("ticket> ", ticket)? else {
            return Ok(None);
        };
        Ok(Some(Reply::Approve { reason, ticket }))
    }

    /// `None` if it was wanted and not given, `Some(None)` if it is not wanted.
    fn supply(&mut self, prompt: &str, wanted: Supply) -> io::Result<Option<Option<String>>> {
        match wanted {
            Supply::Optional => Ok(Some(None)),
            Supply::Required => Ok(match self.tty.prompt(prompt)? {
                Typed::Line(line) if !line.trim().is_empty() => Some(Some(line.trim().to_owned())),
                Typed::Line(_) | Typed::End => None,
            }),
        }
    }
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
enum Words {
    Empty,
    Approve,
    Deny(Option<String>),
    Later,
    /// An approval of something else; the beginning of what was typed for the digest.
    OtherDigest(String),
    Unclear,
}

/// Only whole words decide, and an approval only together with the digest that is on the screen.
fn read(line: &str, digest: ActionDigest) -> Words {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    match (word, rest) {
        ("", _) => Words::Empty,
        ("approve", digits) if digits.len() >= DIGITS && digest.to_string().starts_with(digits) => {
            Words::Approve
        }
        ("approve", typed) if !digest.to_string().starts_with(typed) => {
            Words::OtherDigest(typed.chars().take(MOST_REPEATED).collect())
        }
        ("deny", "") => Words::Deny(None),
        ("deny", comment) => Words::Deny(Some(comment.to_owned())),
        ("later", "") => Words::Later,
        (_, _) => Words::Unclear,
    }
}

/// The characters that a terminal can show, by what these variables say of it.
pub(super) fn alphabet(variable: impl Fn(&str) -> Option<String>) -> Alphabet {
    if variable("TERM").is_some_and(|term| term == "dumb") {
        return Alphabet::Ascii;
    }
    let set = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(&variable)
        .find(|locale| !locale.is_empty());
    match set {
        Some(locale)
            if !locale
                .to_ascii_lowercase()
                .replace('-', "")
                .contains("utf8") =>
        {
            Alphabet::Ascii
        }
        Some(_) | None => Alphabet::Unicode,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_cannot_show_all_characters_is_told_apart() {
        let dumb = alphabet(|name| (name == "TERM").then(|| "dumb".to_owned()));
        assert_eq!(dumb, Alphabet::Ascii);
        for (locale, expected) in [
            ("de_DE.UTF-8", Alphabet::Unicode),
            ("C.utf8", Alphabet::Unicode),
            ("C", Alphabet::Ascii),
            ("", Alphabet::Unicode),
        ] {
            assert_eq!(
                alphabet(|name| (name == "LANG").then(|| locale.to_owned())),
                expected,
                "{locale}"
            );
        }
    }
}
