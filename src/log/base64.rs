//! Base64 (RFC 4648, section 4) in its one canonical form: padded, no white space, no stray bits.

use base64ct::{Base64, Encoding as _};

/// The canonical text.
pub(crate) fn encode(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// The bytes, if the text is the canonical one for them.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = Base64::decode_vec(text).ok()?;
    // The decoder's own strictness is not relied upon: one value has one text. Four characters are three bytes, so that
    // only length and end could be otherwise.
    let (last, length) = (bytes.len() / 3, bytes.len().div_ceil(3) * 4);
    let end = bytes.get(last * 3..).map(encode)?;
    (text.len() == length && text.get(last * 4..)? == end).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_text() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"\xfb\xff", "+/8="),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).as_deref(), Some(bytes));
        }
        for text in [
            "Zg", "Zg=", "Zh==", "Zm9=", "Zg==\n", " Zg==", "Z g=", "-_8=", "Zg===", "=", "Zm9vZg",
        ] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
