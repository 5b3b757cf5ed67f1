//! The operators below one path.

use crate::action::Label;
use crate::canonical::Digest;

use super::super::super::attribute::{Attribute, Kind};
use super::super::super::operator::{Literal, Operator, Order, Presence};
use super::super::super::pattern::TextPattern;
use super::super::super::tree::{Entry, Node, Value};
use super::super::super::when::Clause;
use super::super::values::shown;
use super::{Clauses, Reader};

/// The operators as messages list them.
pub(super) const KNOWN: &str = "`eq`, `in`, `any`, `all`, `none`, `gt`, `ge`, `lt`, `le`, `prefix`, `suffix`, `glob`, `exists` or `len`";

/// Words that other languages use for operators. Below a parameter they would otherwise be taken for the names of members, and the
/// rule would compare something that never exists.
pub(super) const LOOKALIKES: &[&str] = &[
    "ne",
    "neq",
    "not",
    "gte",
    "lte",
    "regex",
    "matches",
    "cidr",
    "contains",
    "startswith",
    "starts_with",
    "endswith",
    "ends_with",
    "between",
    "equals",
    "is",
];

/// Whether a key below a parameter is read as an operator.
pub(super) fn is_operator(key: &str) -> bool {
    matches!(
        key,
        "eq" | "in"
            | "any"
            | "all"
            | "none"
            | "gt"
            | "ge"
            | "lt"
            | "le"
            | "prefix"
            | "suffix"
            | "glob"
            | "exists"
            | "len"
    )
}

impl Reader<'_, '_> {
    /// The clauses of one path: a bare value is compared with `eq`.
    pub(super) fn operators(
        &mut self,
        attribute: &Attribute,
        node: &Node,
        path: &str,
        clauses: &mut Clauses,
    ) {
        match &node.value {
            Value::Table(entries) if entries.is_empty() => {
                self.error(node.line, format!("`{path}` is compared with nothing"));
            }
            Value::Table(entries) => {
                for entry in entries {
                    self.operator(attribute, entry, path, clauses);
                }
            }
            _ => {
                let equal = self.scalar(attribute, "eq", node, path).map(Operator::Eq);
                clauses.extend(equal.map(|operator| Clause::Is(attribute.clone(), operator)));
            }
        }
    }

    fn operator(
        &mut self,
        attribute: &Attribute,
        entry: &Entry,
        path: &str,
        clauses: &mut Clauses,
    ) {
        let Entry { key, line, node } = entry;
        let kind = attribute.kind();
        let fits = match key.as_str() {
            "eq" | "in" => kind != Kind::Labels,
            "any" | "all" | "none" => matches!(kind, Kind::Anything | Kind::Labels),
            "gt" | "ge" | "lt" | "le" => matches!(kind, Kind::Anything | Kind::Count),
            "prefix" | "suffix" | "glob" => matches!(kind, Kind::Anything | Kind::Text),
            "len" => matches!(kind, Kind::Anything | Kind::Text | Kind::Labels),
            "exists" => !attribute.is_always_there(),
            other => {
                self.error(
                    *line,
                    format!("`{}` is no operator: use {KNOWN}", shown(other)),
                );
                return;
            }
        };
        if !fits {
            let message = match key.as_str() {
                "exists" => format!("`{path}` is always there"),
                _ if kind == Kind::Labels => {
                    format!("`{path}` is a list: use `any`, `all`, `none`, `len` or `exists`")
                }
                _ => format!("`{path}` is {}, which `{key}` can never match", noun(kind)),
            };
            self.error(*line, message);
            return;
        }
        if key == "len" {
            self.length(attribute, node, path, clauses);
            return;
        }
        let operator = match key.as_str() {
            "eq" => self.scalar(attribute, key, node, path).map(Operator::Eq),
            "in" => self.list(attribute, key, node, path).map(Operator::In),
            "any" => self.list(attribute, key, node, path).map(Operator::Any),
            "all" => self.list(attribute, key, node, path).map(Operator::All),
            "none" => self.list(attribute, key, node, path).map(Operator::None),
            "gt" => self.bound(Order::Gt, node, path),
            "ge" => self.bound(Order::Ge, node, path),
            "lt" => self.bound(Order::Lt, node, path),
            "le" => self.bound(Order::Le, node, path),
            "prefix" => self
                .text(key, node, path)
                .map(|text| Operator::Prefix(text.to_owned())),
            "suffix" => self
                .text(key, node, path)
                .map(|text| Operator::Suffix(text.to_owned())),
            "glob" => self
                .text(key, node, path)
                .map(|text| Operator::Glob(TextPattern::new(text))),
            _ => self.presence(node, path).map(Operator::Exists),
        };
        clauses.extend(operator.map(|operator| Clause::Is(attribute.clone(), operator)));
    }

    /// A value that the attribute can equal.
    fn scalar(
        &mut self,
        attribute: &Attribute,
        operator: &str,
        node: &Node,
        path: &str,
    ) -> Option<Literal> {
        let kind = attribute.kind();
        let literal = match (&node.value, kind) {
            (Value::Text(text), Kind::Anything | Kind::Text) => Some(Literal::Text(text.clone())),
            (Value::Text(text), Kind::Word(words)) if words.contains(&text.as_str()) => {
                Some(Literal::Text(text.clone()))
            }
            (Value::Text(text), Kind::Labels) if operator != "eq" && Label::new(text).is_ok() => {
                Some(Literal::Text(text.clone()))
            }
            (Value::Text(text), Kind::Digest) => Digest::parse_hex(text).ok().map(Literal::Digest),
            (Value::Number(number), Kind::Anything | Kind::Count) => {
                Some(Literal::Number((*number).into()))
            }
            (Value::Bool(truth), Kind::Anything | Kind::Truth) => Some(Literal::Bool(*truth)),
            _ => None,
        };
        if literal.is_none() {
            let message = match (&node.value, kind) {
                (Value::List(_), Kind::Anything) if operator == "eq" => {
                    format!(
                        "`{path}` is compared with a list: use `in` for one of several values, `any`, `all` or `none` for a list"
                    )
                }
                (
                    Value::Null | Value::Table(_) | Value::Time(_) | Value::List(_),
                    Kind::Anything,
                ) => {
                    format!(
                        "`{path}` is compared with {}: use a text, a number, true or false",
                        node.value.noun()
                    )
                }
                (_, Kind::Labels) if operator == "eq" => {
                    format!("`{path}` is a list: use `any`, `all`, `none`, `len` or `exists`")
                }
                _ => format!("`{path}` is {}, so that this can never match", noun(kind)),
            };
            self.error(node.line, message);
        }
        literal
    }

    /// Values of one type, at least one.
    fn list(
        &mut self,
        attribute: &Attribute,
        operator: &str,
        node: &Node,
        path: &str,
    ) -> Option<Vec<Literal>> {
        let Value::List(items) = &node.value else {
            self.error(
                node.line,
                format!("`{path}.{operator}` is a list, not {}", node.value.noun()),
            );
            return None;
        };
        if items.is_empty() {
            self.error(node.line, format!("`{path}.{operator}` is an empty list"));
            return None;
        }
        let literals: Vec<Option<Literal>> = items
            .iter()
            .map(|item| self.scalar(attribute, operator, item, path))
            .collect();
        let literals: Vec<Literal> = literals.into_iter().collect::<Option<_>>()?;
        let first = literals.first().map(std::mem::discriminant);
        if literals
            .iter()
            .any(|literal| Some(std::mem::discriminant(literal)) != first)
        {
            self.error(
                node.line,
                format!("`{path}.{operator}` mixes types: a value has one"),
            );
            return None;
        }
        Some(literals)
    }

    fn bound(&mut self, order: Order, node: &Node, path: &str) -> Option<Operator> {
        match &node.value {
            Value::Number(number) => Some(Operator::Order(order, (*number).into())),
            other => {
                let noun = other.noun();
                self.error(
                    node.line,
                    format!("`{path}` is ordered against {noun}: only numbers have an order"),
                );
                None
            }
        }
    }

    fn text<'n>(&mut self, operator: &str, node: &'n Node, path: &str) -> Option<&'n str> {
        match &node.value {
            Value::Text(text) if !text.is_empty() => Some(text),
            _ => {
                self.error(
                    node.line,
                    format!("`{path}.{operator}` is a text of at least one character"),
                );
                None
            }
        }
    }

    fn presence(&mut self, node: &Node, path: &str) -> Option<Presence> {
        match &node.value {
            Value::Bool(true) => Some(Presence::There),
            Value::Bool(false) => Some(Presence::Absent),
            _ => {
                self.error(node.line, format!("`{path}.exists` is true or false"));
                None
            }
        }
    }

    /// `len = 3`, or bounds of a length.
    fn length(&mut self, attribute: &Attribute, node: &Node, path: &str, clauses: &mut Clauses) {
        let mut bounds = Vec::new();
        match &node.value {
            Value::Table(entries) if !entries.is_empty() => {
                for entry in entries {
                    let order = match entry.key.as_str() {
                        "eq" => Order::Eq,
                        "gt" => Order::Gt,
                        "ge" => Order::Ge,
                        "lt" => Order::Lt,
                        "le" => Order::Le,
                        other => {
                            let other = shown(other);
                            self.error(
                                entry.line,
                                format!(
                                    "a length has no `{other}`: use `eq`, `gt`, `ge`, `lt` or `le`"
                                ),
                            );
                            continue;
                        }
                    };
                    bounds.push((order, &entry.node));
                }
            }
            _ => bounds.push((Order::Eq, node)),
        }
        for (order, node) in bounds {
            let whole = match &node.value {
                Value::Number(number) => number
                    .as_i64()
                    .and_then(|number| u64::try_from(number).ok()),
                _ => None,
            };
            match whole {
                Some(bound) => clauses.push(Clause::Is(
                    attribute.clone(),
                    Operator::Length(order, bound),
                )),
                None => self.error(node.line, format!("`{path}.len` is a whole number from 0")),
            }
        }
    }
}

fn noun(kind: Kind) -> String {
    match kind {
        Kind::Anything => "of any type".to_owned(),
        Kind::Text => "a text".to_owned(),
        Kind::Word(words) => format!("one of `{}`", words.join("`, `")),
        Kind::Truth => "true or false".to_owned(),
        Kind::Count => "a number".to_owned(),
        Kind::Digest => "64 lower-case hex digits".to_owned(),
        Kind::Labels => "a list of labels (`[a-z][a-z0-9_-]*`, once more after a `:`)".to_owned(),
    }
}
