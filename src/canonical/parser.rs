//! The strict reader behind [`admit`](super::admit()).

use super::{
    Admission, AdmitError, Inadmissible, Json, Number, Object, object::canonical_order,
    write::plain_length,
};

/// Reads exactly one value.
pub(super) fn parse(bytes: &[u8], limits: &Admission) -> Result<Json, AdmitError> {
    let max_bytes = limits.max_bytes();
    if bytes.len() > max_bytes {
        let reason = Inadmissible::TooLarge { max_bytes };
        return Err(AdmitError::new(max_bytes, reason));
    }
    if bytes.starts_with("\u{feff}".as_bytes()) {
        return Err(AdmitError::new(0, Inadmissible::ByteOrderMark));
    }
    // Where the text stops being UTF-8 the reader stops too, and knows in which member that is.
    let (text, at_end) = match str::from_utf8(bytes) {
        Ok(text) => (text, Inadmissible::Unfinished),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let text = str::from_utf8(valid).unwrap_or_default();
            (text, Inadmissible::NotUtf8)
        }
    };
    let mut parser = Parser {
        text,
        at: 0,
        at_end,
        max_depth: limits.max_depth(),
    };
    let value = parser.value(0)?;
    parser.skip_white_space();
    if parser.peek().is_some() {
        return Err(parser.fault(Inadmissible::Trailing));
    }
    if at_end == Inadmissible::NotUtf8 {
        return Err(parser.fault(Inadmissible::NotUtf8));
    }
    Ok(value)
}

struct Parser<'t> {
    text: &'t str,
    /// The next byte to read; always at a boundary of characters when a string is cut out.
    at: usize,
    /// What it means when the text ends too early.
    at_end: Inadmissible,
    max_depth: usize,
}

impl Parser<'_> {
    /// One value inside of `depth` arrays and objects, which the limit keeps from recursing far.
    fn value(&mut self, depth: usize) -> Result<Json, AdmitError> {
        self.skip_white_space();
        let Some(first) = self.peek() else {
            return Err(self.fault(self.at_end));
        };
        match first {
            b'{' | b'[' if depth >= self.max_depth => {
                let max_depth = self.max_depth;
                Err(self.fault(Inadmissible::TooDeep { max_depth }))
            }
            b'{' => self.object(depth + 1).map(Json::Object),
            b'[' => self.array(depth + 1).map(Json::Array),
            b'"' => self.string().map(Json::String),
            b'-' | b'+' | b'.' | b'0'..=b'9' => self.number().map(Json::Number),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Object, AdmitError> {
        self.at += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
        // Where each member began, kept only once they turn out not to ascend.
        let mut starts: Vec<usize> = Vec::new();
        let mut ascending = true;
        self.skip_white_space();
        if self.take(b'}') {
            return Ok(Object::new());
        }
        loop {
            self.skip_white_space();
            let start = self.at;
            if self.peek().is_some_and(|byte| byte != b'"') {
                return Err(self.fault(Inadmissible::Expected("a name in quotation marks")));
            }
            let name = self.string()?;
            self.skip_white_space();
            self.expect(b':', "a colon after the name")
                .map_err(|error| error.under_member(&name))?;
            let value = self
                .value(depth)
                .map_err(|error| error.under_member(&name))?;
            if let Some((last, _)) = members.last() {
                ascending = ascending && canonical_order(last, &name).is_lt();
            }
            starts.push(start);
            members.push((name, value));
            self.skip_white_space();
            if self.take(b'}') {
                break;
            }
            self.expect(b',', "a comma or the end of the object")?;
        }
        if ascending {
            Ok(Object::from_ascending(members))
        } else {
            sorted(members, &starts)
        }
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Json>, AdmitError> {
        self.at += 1;
        let mut elements = Vec::new();
        self.skip_white_space();
        if self.take(b']') {
            return Ok(elements);
        }
        loop {
            let index = elements.len();
            let element = self
                .value(depth)
                .map_err(|error| error.under_element(index))?;
            elements.push(element);
            self.skip_white_space();
            if self.take(b']') {
                return Ok(elements);
            }
            self.expect(b',', "a comma or the end of the array")?;
        }
    }

    fn string(&mut self) -> Result<String, AdmitError> {
        self.expect(b'"', "a string")?;
        let mut string = String::new();
        loop {
            let rest = self.rest();
            let plain = plain_length(rest.as_bytes());
            string.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.push(self.escape()?),
                Some(_) => return Err(self.fault(Inadmissible::ControlCharacter)),
                None => return Err(self.fault(self.at_end)),
            }
        }
    }

    fn escape(&mut self) -> Result<char, AdmitError> {
        let start = self.at;
        self.at += 1;
        let character = match self.peek() {
            Some(b'u') => return self.unicode_escape(start),
            Some(same @ (b'"' | b'\\' | b'/')) => char::from(same),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(_) => return Err(AdmitError::new(start, Inadmissible::UnknownEscape)),
            None => return Err(self.fault(self.at_end)),
        };
        self.at += 1;
        Ok(character)
    }

    /// One `\uXXXX`, or two of them that are a surrogate pair; `start` is the backslash.
    fn unicode_escape(&mut self, start: usize) -> Result<char, AdmitError> {
        let lone = || AdmitError::new(start, Inadmissible::LoneSurrogate);
        let first = self.code_unit(start)?;
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(u32::from(first)).ok_or_else(lone);
        }
        let second_start = self.at;
        match self.rest() {
            "" | "\\" => return Err(AdmitError::new(self.text.len(), self.at_end)),
            rest if !rest.starts_with("\\u") => return Err(lone()),
            _ => self.at += 1,
        }
        let second = self.code_unit(second_start)?;
        match char::decode_utf16([first, second]).next() {
            Some(Ok(character)) => Ok(character),
            _ => Err(lone()),
        }
    }

    /// The `u` and four hexadecimal digits.
    fn code_unit(&mut self, start: usize) -> Result<u16, AdmitError> {
        self.at += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let Some(byte) = self.peek() else {
                return Err(self.fault(self.at_end));
            };
            let digit = char::from(byte)
                .to_digit(16)
                .and_then(|digit| u16::try_from(digit).ok())
                .ok_or_else(|| AdmitError::new(start, Inadmissible::UnknownEscape))?;
            unit = unit << 4 | digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<Number, AdmitError> {
        let length = self.length_of(|byte| {
            byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
        });
        let (literal, follows) = self.rest().split_at(length);
        let only_signs = literal.bytes().all(|byte| matches!(byte, b'-' | b'+'));
        if only_signs && follows.starts_with(['I', 'N', 'i', 'n']) {
            return Err(self.fault(Inadmissible::NotFinite));
        }
        if self.at_end == Inadmissible::NotUtf8 && follows.is_empty() {
            // The bytes that are not text cut the literal, so it cannot be judged.
            return Err(AdmitError::new(self.text.len(), self.at_end));
        }
        let number = Number::parse(literal).map_err(|error| self.fault(error.into()))?;
        self.at += length;
        Ok(number)
    }

    fn word(&mut self) -> Result<Json, AdmitError> {
        let length = self.length_of(|byte| byte.is_ascii_alphanumeric());
        let value = match self.rest().get(..length) {
            Some("null") => Json::Null,
            Some("true") => Json::Bool(true),
            Some("false") => Json::Bool(false),
            Some("NaN" | "nan" | "Infinity" | "infinity" | "inf") => {
                return Err(self.fault(Inadmissible::NotFinite));
            }
            _ => return Err(self.fault(Inadmissible::Expected("a value"))),
        };
        self.at += length;
        Ok(value)
    }

    fn skip_white_space(&mut self) {
        self.at += self.length_of(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), AdmitError> {
        if self.take(byte) {
            return Ok(());
        }
        let reason = match self.peek() {
            Some(_) => Inadmissible::Expected(what),
            None => self.at_end,
        };
        Err(self.fault(reason))
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn length_of(&self, belongs: impl Fn(u8) -> bool) -> usize {
        self.rest()
            .bytes()
            .take_while(|byte| belongs(*byte))
            .count()
    }

    fn fault(&self, reason: Inadmissible) -> AdmitError {
        AdmitError::new(self.at, reason)
    }
}

/// Brings members into canonical order, and refuses a name that stands twice.
fn sorted(members: Vec<(String, Json)>, starts: &[usize]) -> Result<Object, AdmitError> {
    let mut placed: Vec<_> = members.into_iter().zip(starts).collect();
    // Stable: of two equal names the one that stands later comes later.
    placed.sort_by(|((a, _), _), ((b, _), _)| canonical_order(a, b));
    let repeated = placed
        .windows(2)
        .filter_map(|pair| match pair {
            [((a, _), _), ((b, _), start)] if a == b => Some((**start, b)),
            _ => None,
        })
        .min();
    if let Some((start, name)) = repeated {
        let error = AdmitError::new(start, Inadmissible::DuplicateName);
        return Err(error.under_member(name));
    }
    let members = placed.into_iter().map(|(member, _)| member).collect();
    Ok(Object::from_ascending(members))
}
