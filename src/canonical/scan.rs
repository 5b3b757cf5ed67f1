//! Judging canonical bytes without making values of them.

use super::write::{hex_digit, plain_length};

/// 2^53−1.
const LARGEST_INTEGER: u64 = (1 << 53) - 1;

/// Goes over canonical bytes (RFC 8785) from front to back, many times faster than a value is made.
///
/// It knows the plain cases alone: names of ASCII without escapes, and integers within ±(2^53−1).
/// `None` from any method means that these bytes are to be read by [`admit`](super::admit()), which
/// decides; it never means that they are wrong. What is passed over without `None` is what the strict
/// reader admits, and the bytes that the writer writes for it.
#[derive(Debug)]
pub(crate) struct Scan<'t> {
    text: &'t str,
    /// The next byte to read; always at a boundary of characters.
    at: usize,
}

impl<'t> Scan<'t> {
    /// A scan from the beginning of bytes that are UTF-8.
    pub(crate) fn of(bytes: &'t [u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        Some(Self { text, at: 0 })
    }

    /// How many bytes were passed.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// Whether all bytes were passed.
    pub(crate) const fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Passes exactly these ASCII bytes.
    pub(crate) fn literal(&mut self, literal: &str) -> Option<()> {
        if !self.rest().starts_with(literal.as_bytes()) {
            return None;
        }
        self.at += literal.len();
        Some(())
    }

    /// Passes these ASCII bytes if they come next.
    pub(crate) fn has(&mut self, literal: &str) -> bool {
        self.literal(literal).is_some()
    }

    /// What stands before the next quotation mark, if nothing of it is escaped; both are passed.
    pub(crate) fn until_quote(&mut self) -> Option<&'t str> {
        let length = plain_length(self.rest());
        let plain = self.text.get(self.at..self.at + length)?;
        self.at += length;
        self.literal("\"")?;
        Some(plain)
    }

    /// A string without escapes.
    pub(crate) fn plain_string(&mut self) -> Option<&'t str> {
        self.literal("\"")?;
        self.until_quote()
    }

    /// An integer.
    pub(crate) fn integer(&mut self) -> Option<i64> {
        let negative = self.has("-");
        let digits = self.rest();
        let length = digits.iter().take_while(|byte| byte.is_ascii_digit());
        // 2^53 has 16 digits.
        let digits = digits.get(..length.count())?;
        let spelled = match digits {
            [b'0'] => !negative,
            [b'1'..=b'9', ..] => digits.len() <= 16,
            _ => false,
        };
        // A fraction or an exponent makes it another number.
        let ends = !matches!(
            self.rest().get(digits.len()),
            Some(b'.' | b'e' | b'E' | b'+' | b'-')
        );
        if !spelled || !ends {
            return None;
        }
        // At most 16 digits, so that the sum stays far below 2^64.
        let magnitude = digits
            .iter()
            .fold(0, |sum: u64, digit| sum * 10 + u64::from(digit & 0x0F));
        if magnitude > LARGEST_INTEGER {
            return None;
        }
        self.at += digits.len();
        let magnitude = i64::try_from(magnitude).ok()?;
        Some(if negative { -magnitude } else { magnitude })
    }

    /// An object; `member` hears each name and passes its value.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'t str) -> Option<()>,
    ) -> Option<()> {
        self.literal("{")?;
        if self.has("}") {
            return Some(());
        }
        let mut last = None;
        loop {
            let name = self.plain_string()?;
            // Of ASCII, the order of bytes is that of UTF-16.
            if !name.is_ascii() || last.is_some_and(|last| last >= name) {
                return None;
            }
            last = Some(name);
            self.literal(":")?;
            member(self, name)?;
            if self.has("}") {
                return Some(());
            }
            self.literal(",")?;
        }
    }

    /// An array; `element` passes each value.
    pub(crate) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.literal("[")?;
        if self.has("]") {
            return Some(());
        }
        loop {
            element(self)?;
            if self.has("]") {
                return Some(());
            }
            self.literal(",")?;
        }
    }

    /// Any value, inside of which are at most `depth` arrays and objects.
    pub(crate) fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'{' => {
                let depth = depth.checked_sub(1)?;
                self.object(|scan, _| scan.value(depth))
            }
            b'[' => {
                let depth = depth.checked_sub(1)?;
                self.array(|scan| scan.value(depth))
            }
            _ => self.scalar(),
        }
    }

    /// A value that is neither array nor object.
    pub(crate) fn scalar(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.integer().map(drop),
        }
    }

    /// The next byte.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    /// A string, with the escapes that the writer writes.
    fn string(&mut self) -> Option<()> {
        self.literal("\"")?;
        loop {
            self.at += plain_length(self.rest());
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let rest = self.rest();
        self.at += match rest {
            [_, b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [_, b'u', b'0', b'0', high, low, ..] => {
                // Control characters that have no shorter escape.
                let with_digits = |control: &u8| {
                    let shorter = matches!(control, 0x08 | b'\t' | b'\n' | 0x0C | b'\r');
                    !shorter && [b'0' + (control >> 4), hex_digit(control & 0x0F)] == [*high, *low]
                };
                if !(0..0x20).any(|control| with_digits(&control)) {
                    return None;
                }
                6
            }
            _ => return None,
        };
        Some(())
    }

    fn rest(&self) -> &'t [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::canonical::{Admission, admit};

    fn passes(bytes: &[u8]) -> bool {
        Scan::of(bytes).is_some_and(|mut scan| scan.value(8).is_some() && scan.is_at_end())
    }

    fn is_canonical(bytes: &[u8]) -> bool {
        admit(bytes, &Admission::default().with_max_depth(8))
            .is_ok_and(|json| json.to_canonical() == bytes)
    }

    #[test]
    fn a_number_of_many_digits_is_none_of_ours() {
        for digits in [1, 15, 16, 17, 20, 21, 300] {
            let text = "1".repeat(digits);
            let found = Scan::of(text.as_bytes()).and_then(|mut scan| scan.integer());
            assert_eq!(found.is_some(), digits <= 16, "{digits} digits");
        }
    }

    #[test]
    fn plain_canonical_values_pass() {
        for text in [
            "{}",
            "[]",
            r#"{"":null,"A":[true,false],"a":{"b":-12,"c":0},"b":9007199254740991}"#,
            "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\u{7f}é\u{2028}😀\"",
            "[[[[[[[[1]]]]]]]]",
        ] {
            assert!(is_canonical(text.as_bytes()), "{text}");
            assert!(passes(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_reader() {
        for text in [
            "",
            " 1",
            "1 ",
            "01",
            "-0",
            "-",
            "1.5",
            "1e3",
            "9007199254740992",
            "12345678901234567",
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,}"#,
            r#"{"é":1}"#,
            r#"{"\n":1}"#,
            "[1,]",
            "[1 ,2]",
            r#""\/""#,
            r#""\u0008""#,
            r#""\u001F""#,
            r#""\u0041""#,
            r#""\ud83d\ude00""#,
            "\"\n\"",
            "\"",
            "tru",
            "[[[[[[[[[1]]]]]]]]]",
            "\u{feff}1",
        ] {
            assert!(!passes(text.as_bytes()), "{text}");
        }
        assert!(!passes(b"\"\xff\""));
    }

    proptest! {
        #[test]
        fn what_passes_is_canonical(
            text in r#"[\[\]{}",:\\u0a1e. -]{0,12}"#,
            name in r#"("[a-c]{0,2}":(1|-2|"x\\"|\[\]),?){0,3}"#,
        ) {
            for text in [text.clone(), format!("\"{text}\""), format!("[{text}]"), format!("{{{name}}}")] {
                prop_assert!(!passes(text.as_bytes()) || is_canonical(text.as_bytes()), "{}", text);
            }
        }
    }
}
