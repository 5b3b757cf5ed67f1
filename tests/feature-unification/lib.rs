//! Shows that the switches are on in this tree; `canonical_vectors` then shows that they change no digest.
//! `float_roundtrip` cannot be seen beside `arbitrary_precision`, which keeps the text of a number.

#[cfg(test)]
mod tests {
    use serde_json::Value;

    fn rewritten(text: &str) -> String {
        let value: Value = serde_json::from_str(text).expect("the text is JSON");
        value.to_string()
    }

    #[test]
    fn arbitrary_precision_is_on() {
        assert_eq!(
            rewritten("1.00000000000000000000001"),
            "1.00000000000000000000001"
        );
    }

    #[test]
    fn preserve_order_is_on() {
        assert_eq!(rewritten(r#"{"b":1,"a":2}"#), r#"{"b":1,"a":2}"#);
    }
}
