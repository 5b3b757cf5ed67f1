//! The examples of the manual are files that load.

use super::super::RuleSet;

const MANUAL: &str = include_str!("../../../../docs/rules.md");

/// The examples in a language, each without the indentation of its list.
fn examples(language: &str) -> Vec<String> {
    let mut examples = Vec::new();
    let mut lines = MANUAL.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        if line.trim() == format!("```{language}") {
            let inside = lines.by_ref().take_while(|line| line.trim() != "```");
            examples.push(
                inside
                    .map(|line| line.get(indent..).unwrap_or(""))
                    .collect::<Vec<_>>()
                    .join("\n"),
            );
        }
    }
    examples
}

#[test]
fn the_examples_in_toml_load() {
    let examples = examples("toml");
    assert!(examples.len() >= 5);
    for example in examples {
        let set =
            RuleSet::from_toml(&example).unwrap_or_else(|errors| panic!("{example}\n{errors}"));
        assert!(set.warnings().is_empty(), "{:?}", set.warnings());
    }
}

#[test]
fn the_example_in_json_loads() {
    for example in examples("json") {
        RuleSet::from_json(example.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
    }
    assert_eq!(examples("json").len(), 1);
}
