//! Texts of others, for people.

use countersign::canonical::Json;
use countersign::notify::{quoted, visible};

/// A line in which no character of others can move, hide or break anything; blanks and quotation marks stay as they are.
pub fn on_one_line(line: &str) -> String {
    let mut fit = String::with_capacity(line.len());
    for c in line.chars() {
        if matches!(c, ' ' | '"' | '\\') {
            fit.push(c);
        } else {
            fit.push_str(&visible(c.encode_utf8(&mut [0; 4])));
        }
    }
    fit
}

/// A value over several lines, with all texts made visible.
pub fn pretty(value: &Json, indent: usize) -> String {
    let mut text = String::new();
    write(value, indent, &mut text);
    text
}

fn write(value: &Json, indent: usize, out: &mut String) {
    let blanks = " ".repeat(indent + 2);
    match value {
        Json::Object(object) if !object.is_empty() => {
            out.push('{');
            for (place, (name, value)) in object.iter().enumerate() {
                out.push_str(if place == 0 { "\n" } else { ",\n" });
                out.push_str(&blanks);
                out.push_str(&quoted(name));
                out.push_str(": ");
                write(value, indent + 2, out);
            }
            close('}', indent, out);
        }
        Json::Array(elements) if !elements.is_empty() => {
            out.push('[');
            for (place, value) in elements.iter().enumerate() {
                out.push_str(if place == 0 { "\n" } else { ",\n" });
                out.push_str(&blanks);
                write(value, indent + 2, out);
            }
            close(']', indent, out);
        }
        Json::String(text) => out.push_str(&quoted(text)),
        other => out.push_str(&String::from_utf8_lossy(&other.to_canonical())),
    }
}

fn close(with: char, indent: usize, out: &mut String) {
    out.push('\n');
    out.push_str(&" ".repeat(indent));
    out.push(with);
}
