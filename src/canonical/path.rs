use std::fmt;

/// Where in a JSON value something is, such as `numbers[0]` or `a.b[2]`.
///
/// It is written in the notation of RFC 9535 without the leading `$`; the whole value is the empty
/// path. Names that are not made of letters, digits, `_` and `-` are quoted, everything in them but
/// printable ASCII is escaped, and names of more than 64 characters are cut, so that a path is
/// fit for a terminal and a log whoever chose the names.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct JsonPath {
    // Innermost first: a path is put together while the reader leaves the value it failed in.
    steps: Vec<Step>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Step {
    Member(String),
    Element(usize),
}

const LONGEST_NAME: usize = 64;

impl JsonPath {
    /// The path of the whole value.
    #[must_use]
    pub const fn root() -> Self {
        Self { steps: Vec::new() }
    }

    /// Whether this is the whole value.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// This path seen from the object that has it under the member `name`.
    #[must_use]
    pub fn under_member(mut self, name: &str) -> Self {
        // One more than is shown, so that `Display` sees that there is more.
        let kept = name.chars().take(LONGEST_NAME + 1).collect();
        self.steps.push(Step::Member(kept));
        self
    }

    /// This path seen from the array that has it as its element `index`.
    #[must_use]
    pub fn under_element(mut self, index: usize) -> Self {
        self.steps.push(Step::Element(index));
        self
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.steps.iter().rev().enumerate() {
            match step {
                Step::Element(index) => write!(f, "[{index}]")?,
                Step::Member(name) if is_plain(name) => {
                    f.write_str(if place > 0 { "." } else { "" })?;
                    f.write_str(name)?;
                }
                Step::Member(name) => write_quoted(f, name)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_plain(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn write_quoted(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    f.write_str("[\"")?;
    for character in name.chars().take(LONGEST_NAME) {
        match character {
            '"' | '\\' => write!(f, "\\{character}")?,
            ' '..='~' => write!(f, "{character}")?,
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    write!(f, "\\u{unit:04x}")?;
                }
            }
        }
    }
    let cut = name.chars().nth(LONGEST_NAME).is_some();
    f.write_str(if cut { "…\"]" } else { "\"]" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_from_the_outside_in() {
        let path = JsonPath::root()
            .under_element(2)
            .under_member("b")
            .under_member("a");
        assert_eq!(path.to_string(), "a.b[2]");
        assert_eq!(JsonPath::root().to_string(), "");
        let nested = JsonPath::root().under_element(1).under_element(0);
        assert_eq!(nested.to_string(), "[0][1]");
    }

    #[test]
    fn names_cannot_disturb_the_reader() {
        for (name, shown) in [
            ("", r#"[""]"#),
            ("a.b", r#"["a.b"]"#),
            ("say \"hi\"\\", r#"["say \"hi\"\\"]"#),
            ("\u{1b}[2J\n", r#"["\u001b[2J\u000a"]"#),
            ("\u{202e}é😂", r#"["\u202e\u00e9\ud83d\ude02"]"#),
        ] {
            assert_eq!(JsonPath::root().under_member(name).to_string(), shown);
        }
        let long = JsonPath::root().under_member(&"x".repeat(1_000_000));
        assert_eq!(long.to_string(), format!("[\"{}…\"]", "x".repeat(64)));
        let limit = JsonPath::root().under_member(&"x".repeat(64));
        assert_eq!(limit.to_string(), "x".repeat(64));
    }
}
