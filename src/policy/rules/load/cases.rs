//! The tests that a rule file brings along.

use std::collections::BTreeSet;

use crate::action::{
    Action, ActionBuilder, ActorChain, Dataset, DatasetKind, Principal, PrincipalId, PrincipalKind,
    Resource, SessionId, TenantId, Tool,
};
use crate::canonical::{Digest, Json};
use crate::clock::Timestamp;

use super::super::super::facts::Facts;
use super::super::super::names::RuleId;
use super::super::super::question::{Phase, Question};
use super::super::super::verdict::{PolicyRevision, Verdict};
use super::super::decide::Policy;
use super::super::error::LoadError;
use super::super::tree::{Entry, Node, Value};
use super::fields::{Fields, Report};
use super::values::{self, shown};

/// A question and the answer that the file's author expects.
#[derive(Debug)]
pub(in super::super) struct Case {
    line: usize,
    place: String,
    action: Action,
    chain: ActorChain,
    session: SessionId,
    expect: String,
    by: Option<BTreeSet<String>>,
}

impl Case {
    /// What is wrong, if the policy answers otherwise.
    pub fn run(
        &self,
        policy: &Policy,
        revision: &PolicyRevision,
        now: Timestamp,
    ) -> Option<LoadError> {
        let question = Question {
            action: &self.action,
            chain: &self.chain,
            session: &self.session,
            now,
            phase: Phase::Propose,
            facts: &Facts::none(),
        };
        let failed = |message| Some(LoadError::new(self.line, Some(self.place.clone()), message));
        let answer = match policy.decide(&question, revision) {
            Ok(answer) => answer,
            Err(error) => return failed(error.to_string()),
        };
        let verdict = match answer.verdict {
            Verdict::Allow => "allow",
            Verdict::RequireApproval(_) => "approve",
            Verdict::Deny | Verdict::NotApplicable => "deny",
        };
        let by: Vec<&str> = answer.decided_by.iter().map(RuleId::as_str).collect();
        let decided = match by.as_slice() {
            [] => "the default".to_owned(),
            rules => format!("`{}`", rules.join("`, `")),
        };
        if verdict != self.expect {
            return failed(format!(
                "expects `{}`, but {decided} decides `{verdict}`",
                self.expect
            ));
        }
        let expected = self.by.as_ref()?;
        if !by.iter().copied().eq(expected.iter().map(String::as_str)) {
            return failed(format!("expects other rules to decide: it is {decided}"));
        }
        None
    }
}

/// One entry of `[[tests]]`.
pub(super) fn case(node: &Node, number: usize, report: &mut Report) -> Option<Case> {
    let mut fields = Fields::of(node, Some(format!("test {number}")), report)?;
    if let Some(name) = fields.text("name", report) {
        fields.rename(format!("test `{}`", shown(name)));
    }
    let place = fields.place().unwrap_or_default().to_owned();
    let mut reader = Reader {
        place: &place,
        report,
    };

    let before = reader.report.errors.len();
    let name = fields.required("action", reader.report);
    let name = name.and_then(|entry| values::text(entry, Some(&place), reader.report));
    let mut action = Action::named(name.unwrap_or("missing"));
    if let Some(entry) = fields.take("tool") {
        action = reader.tool(entry, action);
    }
    for item in one_or_many(fields.take("resource")) {
        action = reader.resource(item, action);
    }
    for (name, value) in reader.json_members(fields.take("params")) {
        action = action.parameter(name, value);
    }
    for (name, value) in reader.json_members(fields.take("context")) {
        action = action.context(name, value);
    }
    for item in one_or_many(fields.take("reads")) {
        if let Some(dataset) = reader.dataset(item) {
            action = action.reads(dataset);
        }
    }
    for item in one_or_many(fields.take("writes")) {
        if let Some(dataset) = reader.dataset(item) {
            action = action.writes(dataset);
        }
    }
    let chain = reader.chain(fields.take("principal"));
    let tenant = fields.text("tenant", reader.report).map(TenantId::new);
    let session = SessionId::new(fields.text("session", reader.report).unwrap_or("test"));
    let expect = fields.required("expect", reader.report);
    let expect = expect.and_then(|entry| reader.verdict(entry));
    let by = fields.take("by").and_then(|entry| reader.texts(entry));
    fields.finish(reader.report);
    if reader.report.errors.len() > before {
        return None;
    }

    let action = reader.fits(node.line, action.build())?;
    let session = reader.fits(node.line, session)?;
    let chain = match tenant {
        Some(tenant) => chain?.in_tenant(reader.fits(node.line, tenant)?),
        None => chain?,
    };
    Some(Case {
        line: node.line,
        place,
        action,
        chain,
        session,
        expect: expect?,
        by: by.map(|rules| rules.into_iter().collect()),
    })
}

/// A table, or a list of tables.
fn one_or_many(entry: Option<&Entry>) -> &[Node] {
    match entry {
        None => &[],
        Some(entry) => match &entry.node.value {
            Value::List(items) => items,
            _ => std::slice::from_ref(&entry.node),
        },
    }
}

/// Reads the parts of one test.
struct Reader<'r, 'p> {
    place: &'p str,
    report: &'r mut Report,
}

impl Reader<'_, '_> {
    fn error(&mut self, line: usize, message: impl Into<String>) {
        self.report.error(line, Some(self.place), message);
    }

    /// The value, or its error reported.
    fn fits<T, E: std::fmt::Display>(&mut self, line: usize, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.error(line, error.to_string());
                None
            }
        }
    }

    fn fields<'n>(&mut self, node: &'n Node) -> Option<Fields<'n>> {
        Fields::of(node, Some(self.place.to_owned()), self.report)
    }

    fn tool(&mut self, entry: &Entry, action: ActionBuilder) -> ActionBuilder {
        let Some(mut fields) = self.fields(&entry.node) else {
            return action;
        };
        fields.required("name", self.report);
        let mut tool = Tool::new(fields.text("name", self.report).unwrap_or_default());
        if let Some(version) = fields.text("version", self.report) {
            tool = tool.version(version);
        }
        if let Some(server) = fields.text("server", self.report) {
            tool = tool.server(server);
        }
        if let Some(digest) = fields.text("digest", self.report)
            && let Some(digest) = self.fits(entry.line, Digest::parse_hex(digest))
        {
            tool = tool.digest(digest);
        }
        fields.finish(self.report);
        action.tool(tool)
    }

    fn resource(&mut self, node: &Node, action: ActionBuilder) -> ActionBuilder {
        let Some(mut fields) = self.fields(node) else {
            return action;
        };
        fields.required("type", self.report);
        let resource_type = fields.text("type", self.report).unwrap_or_default();
        fields.required("id", self.report);
        let mut resource = Resource::new(
            resource_type,
            fields.text("id", self.report).unwrap_or_default(),
        );
        for label in fields
            .take("labels")
            .and_then(|entry| self.texts(entry))
            .unwrap_or_default()
        {
            resource = resource.label(label);
        }
        fields.finish(self.report);
        action.on(resource)
    }

    fn dataset(&mut self, node: &Node) -> Option<Dataset> {
        let mut fields = self.fields(node)?;
        fields.required("namespace", self.report);
        let namespace = fields.text("namespace", self.report).unwrap_or_default();
        fields.required("name", self.report);
        let name = fields.text("name", self.report).unwrap_or_default();
        let kind = fields.text("kind", self.report).unwrap_or("data");
        let labels = fields
            .take("labels")
            .and_then(|entry| self.texts(entry))
            .unwrap_or_default();
        fields.finish(self.report);
        let Some(kind) = DatasetKind::parse(kind) else {
            self.error(node.line, "`kind` is `data`, `model` or `code`");
            return None;
        };
        Some(
            labels
                .into_iter()
                .fold(Dataset::of_kind(kind, namespace, name), Dataset::label),
        )
    }

    /// One principal, or a chain of them: who acts first.
    fn chain(&mut self, entry: Option<&Entry>) -> Option<ActorChain> {
        let mut chain: Option<ActorChain> = None;
        for node in one_or_many(entry) {
            let principal = self.principal(node)?;
            chain = Some(match chain {
                None => ActorChain::acting(principal),
                Some(so_far) => self.fits(node.line, so_far.on_behalf_of(principal))?,
            });
        }
        match chain {
            Some(chain) => Some(chain),
            None => self
                .fits(0, Principal::agent("test", "agent"))
                .map(ActorChain::acting),
        }
    }

    fn principal(&mut self, node: &Node) -> Option<Principal> {
        let mut fields = self.fields(node)?;
        let kind = match fields.text("kind", self.report).unwrap_or("agent") {
            "agent" => Some(PrincipalKind::Agent),
            "human" => Some(PrincipalKind::Human),
            "service" => Some(PrincipalKind::Service),
            _ => None,
        };
        let issuer = fields.text("issuer", self.report).unwrap_or("test");
        let subject = fields.text("subject", self.report).unwrap_or("agent");
        fields.finish(self.report);
        if kind.is_none() {
            self.error(node.line, "`kind` is `agent`, `human` or `service`");
        }
        let id = self.fits(node.line, PrincipalId::new(issuer, subject))?;
        Some(Principal::new(kind?, id))
    }

    fn verdict(&mut self, entry: &Entry) -> Option<String> {
        let text = values::text(entry, Some(self.place), self.report)?;
        if matches!(text, "deny" | "approve" | "allow") {
            return Some(text.to_owned());
        }
        self.error(entry.line, "`expect` is `deny`, `approve` or `allow`");
        None
    }

    fn texts(&mut self, entry: &Entry) -> Option<Vec<String>> {
        let texts = match &entry.node.value {
            Value::List(items) => {
                let texts = items.iter().map(|item| match &item.value {
                    Value::Text(text) => Some(text.clone()),
                    _ => None,
                });
                texts.collect::<Option<Vec<String>>>()
            }
            _ => None,
        };
        if texts.is_none() {
            self.error(entry.line, format!("`{}` is a list of texts", entry.key));
        }
        texts
    }

    fn json_members(&mut self, entry: Option<&Entry>) -> Vec<(String, Json)> {
        let Some(entry) = entry else {
            return Vec::new();
        };
        let Value::Table(members) = &entry.node.value else {
            self.error(entry.line, format!("`{}` is a table", entry.key));
            return Vec::new();
        };
        members
            .iter()
            .filter_map(|member| Some((member.key.clone(), self.json(&member.node)?)))
            .collect()
    }

    fn json(&mut self, node: &Node) -> Option<Json> {
        Some(match &node.value {
            Value::Null => Json::Null,
            Value::Bool(truth) => Json::from(*truth),
            Value::Number(number) => Json::from(*number),
            Value::Text(text) => Json::from(text.as_str()),
            Value::Time(_) => {
                self.error(node.line, "write a time as a text");
                return None;
            }
            Value::List(items) => {
                let items: Vec<Option<Json>> = items.iter().map(|item| self.json(item)).collect();
                Json::Array(items.into_iter().collect::<Option<Vec<Json>>>()?)
            }
            Value::Table(members) => {
                let members: Vec<Option<(String, Json)>> = members
                    .iter()
                    .map(|member| Some((member.key.clone(), self.json(&member.node)?)))
                    .collect();
                Json::Object(members.into_iter().collect::<Option<_>>()?)
            }
        })
    }
}
