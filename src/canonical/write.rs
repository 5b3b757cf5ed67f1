//! The one writer of canonical bytes (RFC 8785).

use super::{Json, Object};

/// Appends one value.
pub(super) fn write_value(out: &mut Vec<u8>, value: &Json) {
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Number(number) => number.write(out),
        Json::String(text) => write_string(out, text),
        Json::Array(elements) => {
            out.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(out, element);
            }
            out.push(b']');
        }
        Json::Object(object) => write_object(out, object),
    }
}

/// Appends one object; its iteration order is the canonical one.
pub(super) fn write_object(out: &mut Vec<u8>, object: &Object) {
    out.push(b'{');
    for (index, (name, member)) in object.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(out, name);
        out.push(b':');
        write_value(out, member);
    }
    out.push(b'}');
}

/// Appends one string in canonical form, with its quotation marks.
///
/// Escaped as RFC 8785, section 3.2.2.2, says: the two-character escapes where JSON has one,
/// `\u00xx` in lower case for other control characters, and everything else as it is.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, from_special) = rest.split_at(plain_length(rest));
        out.extend_from_slice(plain);
        let Some((&special, after)) = from_special.split_first() else {
            break;
        };
        write_escape(out, special);
        rest = after;
    }
    out.push(b'"');
}

/// How many bytes come before the first one that cannot stand in a string of JSON as it is.
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    const fn is_special(byte: u8) -> bool {
        byte < 0x20 || byte == b'"' || byte == b'\\'
    }
    // Without an early exit the compiler looks at all bytes of a chunk at once.
    let (chunks, _) = bytes.as_chunks::<16>();
    let plain_chunks = chunks.iter().take_while(|chunk| {
        !chunk
            .iter()
            .fold(false, |any, byte| any | is_special(*byte))
    });
    let skipped = plain_chunks.count() * 16;
    let rest = bytes.get(skipped..).unwrap_or_default();
    skipped + rest.iter().take_while(|byte| !is_special(**byte)).count()
}

fn write_escape(out: &mut Vec<u8>, special: u8) {
    let short = match special {
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0C => b'f',
        b'\r' => b'r',
        b'"' | b'\\' => special,
        control => {
            out.extend_from_slice(b"\\u00");
            out.push(b'0' + (control >> 4));
            out.push(hex_digit(control & 0x0F));
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// The lower-case hexadecimal digit of a number below 16.
pub(super) const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 {
        b'0' + nibble
    } else {
        b'a' + (nibble - 10)
    }
}
