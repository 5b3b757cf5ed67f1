//! The conditions of rules.

use crate::action::Name;

use super::super::attribute::{Attribute, DatasetField, PrincipalField, ResourceField, ToolField};
use super::super::pattern::ActionPattern;
use super::super::tree::{Entry, Node, Value};
use super::super::when::{Clause, When};
use super::fields::Report;
use super::values::shown;
use operators::is_operator;

mod operators;

/// How deep `any` and `not` nest.
const MAX_DEPTH: usize = 8;
/// How deep a condition looks into a parameter.
const MAX_MEMBERS: usize = 16;

/// What a `when` spells; nothing where an error was reported.
pub(super) fn when(
    node: &Node,
    place: Option<&str>,
    report: &mut Report,
) -> Option<When<Attribute>> {
    let mut reader = Reader { place, report };
    let before = reader.report.errors.len();
    let when = reader.when(node, MAX_DEPTH);
    when.filter(|_| reader.report.errors.len() == before)
}

/// Reads one rule's conditions.
struct Reader<'r, 'p> {
    place: Option<&'p str>,
    report: &'r mut Report,
}

/// Clauses found so far.
type Clauses = Vec<Clause<Attribute>>;

impl Reader<'_, '_> {
    fn error(&mut self, line: usize, message: impl Into<String>) {
        self.report.error(line, self.place, message);
    }

    fn when(&mut self, node: &Node, depth: usize) -> Option<When<Attribute>> {
        let Value::Table(entries) = &node.value else {
            self.error(
                node.line,
                format!(
                    "a table of conditions belongs here, not {}",
                    node.value.noun()
                ),
            );
            return None;
        };
        if entries.is_empty() {
            self.error(
                node.line,
                "an empty condition would match everything: say `action = \"*\"` if that is meant",
            );
            return None;
        }
        let Some(depth) = depth.checked_sub(1) else {
            self.error(
                node.line,
                format!("conditions nest deeper than {MAX_DEPTH}: write them flatter"),
            );
            return None;
        };
        let mut clauses = Vec::new();
        for entry in entries {
            self.entry(entry, depth, &mut clauses);
        }
        Some(When { clauses })
    }

    fn entry(&mut self, entry: &Entry, depth: usize, clauses: &mut Clauses) {
        match entry.key.as_str() {
            "action" => clauses.extend(self.action(entry)),
            "any" => clauses.extend(self.any(entry, depth)),
            "not" => clauses.extend(self.when(&entry.node, depth).map(Clause::Not)),
            "params" => self.members(entry, Attribute::Parameter, clauses),
            "context" => self.members(entry, Attribute::Context, clauses),
            "resource" => self.fields(entry, clauses, &["type", "id", "labels"], |field| {
                Some(Attribute::Resource(match field {
                    "type" => ResourceField::Type,
                    "id" => ResourceField::Id,
                    "labels" => ResourceField::Labels,
                    _ => return None,
                }))
            }),
            "reads" => self.fields(entry, clauses, DATASET, |field| {
                dataset_field(field).map(Attribute::Reads)
            }),
            "writes" => self.fields(entry, clauses, DATASET, |field| {
                dataset_field(field).map(Attribute::Writes)
            }),
            "tool" => self.fields(
                entry,
                clauses,
                &["name", "version", "digest", "server"],
                |field| {
                    Some(Attribute::Tool(match field {
                        "name" => ToolField::Name,
                        "version" => ToolField::Version,
                        "digest" => ToolField::Digest,
                        "server" => ToolField::Server,
                        _ => return None,
                    }))
                },
            ),
            "principal" => self.principal(entry, clauses),
            "tenant" => self.operators(&Attribute::Tenant, &entry.node, "tenant", clauses),
            "session" => self.operators(&Attribute::Session, &entry.node, "session", clauses),
            other => {
                let nested = match other.split_once('.') {
                    Some((first, _)) => format!(
                        "; dots mean nothing inside a name, nest it below `{}`",
                        shown(first)
                    ),
                    None => String::new(),
                };
                let message = format!(
                    "a condition cannot look at `{}`{nested}: use `action`, `resource`, `params`, `context`, `principal`, `tenant`, `session`, `tool`, `reads`, `writes`, `any` or `not`",
                    shown(other)
                );
                self.error(entry.line, message);
            }
        }
    }

    fn principal(&mut self, entry: &Entry, clauses: &mut Clauses) {
        let known = &["kind", "issuer", "subject", "delegated", "chain"];
        for entry in self.table(entry) {
            let field = match entry.key.as_str() {
                "kind" => PrincipalField::Kind,
                "issuer" => PrincipalField::Issuer,
                "subject" => PrincipalField::Subject,
                "delegated" => PrincipalField::Delegated,
                "chain" => {
                    self.fields(entry, clauses, &["depth"], |field| {
                        (field == "depth")
                            .then_some(Attribute::Principal(PrincipalField::ChainDepth))
                    });
                    continue;
                }
                _ => {
                    self.unknown(entry, "principal", known);
                    continue;
                }
            };
            let path = format!("principal.{}", entry.key);
            self.operators(&Attribute::Principal(field), &entry.node, &path, clauses);
        }
    }

    /// The entries below a path that is no value itself.
    fn table<'n>(&mut self, entry: &'n Entry) -> &'n [Entry] {
        match &entry.node.value {
            Value::Table(entries) if !entries.is_empty() => entries,
            _ => {
                let message = format!(
                    "`{0}` alone is nothing to compare: name what is below it",
                    entry.key
                );
                self.error(entry.line, message);
                &[]
            }
        }
    }

    fn fields(
        &mut self,
        entry: &Entry,
        clauses: &mut Clauses,
        known: &[&str],
        attribute: impl Fn(&str) -> Option<Attribute>,
    ) {
        for field in self.table(entry) {
            match attribute(&field.key) {
                Some(attribute) => {
                    let path = format!("{}.{}", entry.key, field.key);
                    self.operators(&attribute, &field.node, &path, clauses);
                }
                None => self.unknown(field, &entry.key, known),
            }
        }
    }

    fn unknown(&mut self, entry: &Entry, above: &str, known: &[&str]) {
        let (key, known) = (shown(&entry.key), known.join("`, `"));
        self.error(
            entry.line,
            format!("`{above}` has no `{key}`: use `{known}`"),
        );
    }

    /// Parameters or context: the first name below is always a name, whatever it is.
    fn members(
        &mut self,
        entry: &Entry,
        attribute: impl Fn(Vec<String>) -> Attribute,
        clauses: &mut Clauses,
    ) {
        for member in self.table(entry) {
            if Name::new(&member.key).is_err() {
                let message = format!(
                    "no action can have `{}` in its `{}`",
                    shown(&member.key),
                    entry.key
                );
                self.error(member.line, message);
                continue;
            }
            let path = vec![member.key.clone()];
            self.member(member, path, &attribute, clauses);
        }
    }

    /// A table below a name holds operators or further names, never both.
    fn member(
        &mut self,
        entry: &Entry,
        path: Vec<String>,
        attribute: &impl Fn(Vec<String>) -> Attribute,
        clauses: &mut Clauses,
    ) {
        let inner: &[Entry] = match &entry.node.value {
            Value::Table(inner) if !inner.iter().all(|one| is_operator(&one.key)) => inner,
            _ => {
                let shown_path = shown(&path.join("."));
                self.operators(&attribute(path), &entry.node, &shown_path, clauses);
                return;
            }
        };
        if let Some(operator) = inner.iter().find(|one| is_operator(&one.key)) {
            let message = format!(
                "`{}` is an operator here and stands beside names: a member that is called like an operator cannot be compared",
                operator.key
            );
            self.error(operator.line, message);
            return;
        }
        for one in inner {
            if operators::LOOKALIKES.contains(&one.key.as_str()) {
                let message = format!("`{}` is no operator: use {}", one.key, operators::KNOWN);
                self.error(one.line, message);
            } else if path.len() >= MAX_MEMBERS {
                self.error(
                    one.line,
                    format!("the path is longer than {MAX_MEMBERS} names"),
                );
            } else {
                let mut path = path.clone();
                path.push(one.key.clone());
                self.member(one, path, attribute, clauses);
            }
        }
    }

    fn any(&mut self, entry: &Entry, depth: usize) -> Option<Clause<Attribute>> {
        match &entry.node.value {
            Value::List(choices) if !choices.is_empty() => {
                let choices = choices.iter().map(|choice| self.when(choice, depth));
                // Every choice is read, for its errors.
                let choices: Vec<Option<When<Attribute>>> = choices.collect();
                choices
                    .into_iter()
                    .collect::<Option<Vec<When<Attribute>>>>()
                    .map(Clause::Any)
            }
            _ => {
                self.error(
                    entry.line,
                    "`any` is a list of conditions, such as `[ { … }, { … } ]`",
                );
                None
            }
        }
    }

    /// `action = "db.*"`, or one of `eq`, `glob`, `in`.
    fn action(&mut self, entry: &Entry) -> Option<Clause<Attribute>> {
        let wanted = "`action` is a name or pattern such as `db.read` or `db.*`, or `in` with a list of them";
        let (node, many) = match &entry.node.value {
            Value::Table(inner) => match inner.as_slice() {
                [one] if one.key == "in" => (&one.node, true),
                [one] if one.key == "eq" || one.key == "glob" => (&one.node, false),
                _ => {
                    self.error(entry.line, wanted);
                    return None;
                }
            },
            _ => (&entry.node, false),
        };
        let one = std::slice::from_ref(node);
        let items = match &node.value {
            Value::List(items) if many && !items.is_empty() => items.as_slice(),
            Value::Text(_) if !many => one,
            _ => {
                self.error(node.line, wanted);
                return None;
            }
        };
        let patterns = items
            .iter()
            .map(|item| self.pattern(item))
            .collect::<Vec<Option<ActionPattern>>>();
        patterns
            .into_iter()
            .collect::<Option<Vec<ActionPattern>>>()
            .map(Clause::Action)
    }

    fn pattern(&mut self, node: &Node) -> Option<ActionPattern> {
        let text = match &node.value {
            Value::Text(text) => text.as_str(),
            other => {
                self.error(
                    node.line,
                    format!("an action's name is a text, not {}", other.noun()),
                );
                return None;
            }
        };
        let pattern = ActionPattern::parse(text);
        if pattern.is_none() {
            let message = format!(
                "`{}` can never match: an action's name is 1 to 8 segments `[a-z][a-z0-9_-]*` joined by `.`, and `*` stands for a whole segment or ends the last one",
                shown(text)
            );
            self.error(node.line, message);
        }
        pattern
    }
}

const DATASET: &[&str] = &["namespace", "name", "kind", "labels"];

fn dataset_field(field: &str) -> Option<DatasetField> {
    Some(match field {
        "namespace" => DatasetField::Namespace,
        "name" => DatasetField::Name,
        "kind" => DatasetField::Kind,
        "labels" => DatasetField::Labels,
        _ => return None,
    })
}
