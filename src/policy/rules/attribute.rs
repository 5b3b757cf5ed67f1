//! What a condition can look at, and how to find it in a question.

use std::collections::BTreeSet;

use crate::action::{Dataset, Label, Resource, Tool};
use crate::canonical::{Digest, Json, Number};

use super::super::question::Question;
use super::quantity::Quantity;

/// Something about a question that a condition names by a dotted path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    Parameter(Vec<String>),
    Context(Vec<String>),
    Resource(ResourceField),
    Reads(DatasetField),
    Writes(DatasetField),
    Principal(PrincipalField),
    Tool(ToolField),
    Tenant,
    Session,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResourceField {
    Type,
    Id,
    Labels,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DatasetField {
    Namespace,
    Name,
    Kind,
    Labels,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrincipalField {
    Kind,
    Issuer,
    Subject,
    Delegated,
    ChainDepth,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToolField {
    Name,
    Version,
    Digest,
    Server,
}

/// What values an attribute has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whatever the agent or host put there.
    Anything,
    Text,
    /// One of a few words.
    Word(&'static [&'static str]),
    Truth,
    Count,
    Digest,
    Labels,
}

/// What an attribute is in one question.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'a> {
    Missing,
    Text(&'a str),
    Bool(bool),
    Number(Quantity),
    Digest(Digest),
    Labels(&'a BTreeSet<Label>),
    List(&'a [Json]),
    /// There, but with no value that a condition can judge.
    Object,
    /// A null, or something inside of a value that has no members: it could be meant either way.
    Blank,
}

/// The one resource and the datasets that a rule is looking at; nothing where the action has none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Focus<'a> {
    pub resource: Option<&'a Resource>,
    pub reads: Option<&'a Dataset>,
    pub writes: Option<&'a Dataset>,
}

impl Attribute {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Parameter(_) | Self::Context(_) => Kind::Anything,
            Self::Resource(ResourceField::Labels) => Kind::Labels,
            Self::Resource(ResourceField::Type | ResourceField::Id)
            | Self::Tenant
            | Self::Session => Kind::Text,
            Self::Reads(field) | Self::Writes(field) => match field {
                DatasetField::Namespace | DatasetField::Name => Kind::Text,
                DatasetField::Kind => Kind::Word(&["data", "model", "code"]),
                DatasetField::Labels => Kind::Labels,
            },
            Self::Principal(field) => match field {
                PrincipalField::Kind => Kind::Word(&["human", "agent", "service"]),
                PrincipalField::Issuer | PrincipalField::Subject => Kind::Text,
                PrincipalField::Delegated => Kind::Truth,
                PrincipalField::ChainDepth => Kind::Count,
            },
            Self::Tool(field) => match field {
                ToolField::Name | ToolField::Version | ToolField::Server => Kind::Text,
                ToolField::Digest => Kind::Digest,
            },
        }
    }

    /// Whether every question has it, so that asking whether it exists is a slip.
    pub fn is_always_there(&self) -> bool {
        matches!(self, Self::Principal(_) | Self::Session)
    }

    /// The attribute in `question`.
    pub fn find<'a>(&self, question: &Question<'a>, focus: &Focus<'a>) -> Found<'a> {
        match self {
            Self::Parameter(path) => member(path, |name| question.action.parameters().get(name)),
            Self::Context(path) => member(path, |name| question.action.context_value(name)),
            Self::Resource(field) => match focus.resource {
                None => Found::Missing,
                Some(resource) => match field {
                    ResourceField::Type => Found::Text(resource.resource_type()),
                    ResourceField::Id => Found::Text(resource.id()),
                    ResourceField::Labels => Found::Labels(resource.labels()),
                },
            },
            Self::Reads(field) => focus
                .reads
                .map_or(Found::Missing, |dataset| field.find(dataset)),
            Self::Writes(field) => focus
                .writes
                .map_or(Found::Missing, |dataset| field.find(dataset)),
            Self::Principal(field) => field.find(question),
            Self::Tool(field) => question
                .action
                .tool()
                .map_or(Found::Missing, |tool| field.find(tool)),
            Self::Tenant => Found::optional(question.chain.tenant().map(|tenant| tenant.as_str())),
            Self::Session => Found::Text(question.session.as_str()),
        }
    }
}

/// Follows member names into objects; into anything else there is no way, and no telling.
fn member<'a>(path: &[String], root: impl FnOnce(&str) -> Option<&'a Json>) -> Found<'a> {
    let Some((first, deeper)) = path.split_first() else {
        return Found::Blank;
    };
    let mut value = root(first);
    for name in deeper {
        match value {
            None => return Found::Missing,
            Some(Json::Object(object)) => value = object.get(name),
            Some(_) => return Found::Blank,
        }
    }
    value.map_or(Found::Missing, Found::json)
}

impl DatasetField {
    fn find(self, dataset: &Dataset) -> Found<'_> {
        match self {
            Self::Namespace => Found::Text(dataset.namespace()),
            Self::Name => Found::Text(dataset.name()),
            Self::Kind => Found::Text(dataset.kind().as_str()),
            Self::Labels => Found::Labels(dataset.labels()),
        }
    }
}

impl PrincipalField {
    fn find<'a>(self, question: &Question<'a>) -> Found<'a> {
        let chain = question.chain;
        let acting = chain.actor();
        match self {
            Self::Kind => Found::Text(acting.kind().as_str()),
            Self::Issuer => Found::Text(acting.id().issuer()),
            Self::Subject => Found::Text(acting.id().subject()),
            Self::Delegated => Found::Bool(!chain.delegators().is_empty()),
            Self::ChainDepth => match u32::try_from(chain.delegators().len().saturating_add(1)) {
                Ok(depth) => Found::Number(Number::from(depth).into()),
                Err(_) => Found::Blank,
            },
        }
    }
}

impl ToolField {
    fn find(self, tool: &Tool) -> Found<'_> {
        match self {
            Self::Name => Found::Text(tool.name()),
            Self::Version => Found::optional(tool.version_text()),
            Self::Digest => tool.program_digest().map_or(Found::Missing, Found::Digest),
            Self::Server => Found::optional(tool.server_id()),
        }
    }
}

impl<'a> Found<'a> {
    fn optional(text: Option<&'a str>) -> Self {
        text.map_or(Self::Missing, Self::Text)
    }

    /// A value as conditions see it.
    pub fn json(value: &'a Json) -> Self {
        match value {
            Json::String(text) => Self::Text(text),
            Json::Bool(truth) => Self::Bool(*truth),
            Json::Number(number) => Self::Number(Quantity::from(*number)),
            Json::Array(items) => Self::List(items),
            Json::Object(_) => Self::Object,
            Json::Null => Self::Blank,
        }
    }
}
