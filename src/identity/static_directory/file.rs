//! Reading a directory's content from TOML.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use crate::{
    action::{PrincipalId, PrincipalKind},
    policy::{Selector, SelectorName},
};

use super::{
    draft::{At, Draft, DraftAgent, DraftPerson, DraftSet},
    error::{LoadError, LoadErrors, Problem},
};
use crate::identity::Activity;

/// What the text says, so far as it can be read; what it refers to is checked later.
pub(super) fn read(text: &str) -> Result<Draft, LoadErrors> {
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_of(text, span.start));
        // The first line says what is wrong, further ones what would be right.
        let problem = Problem::Syntax(error.message().trim_end().replace('\n', ", "));
        LoadErrors::of(vec![LoadError { line, problem }])
    })?;
    let mut reader = Reader {
        text,
        errors: Vec::new(),
    };
    let draft = reader.file(file);
    if reader.errors.is_empty() {
        Ok(draft)
    } else {
        reader.errors.sort_by_key(|error| error.line);
        Err(LoadErrors::of(reader.errors))
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.bytes().take(offset);
    1 + before.filter(|byte| *byte == b'\n').count()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    persons: Vec<FilePerson>,
    #[serde(default)]
    groups: Vec<FileSet>,
    #[serde(default)]
    roles: Vec<FileSet>,
    #[serde(default)]
    relations: Vec<FileSet>,
    #[serde(default)]
    oncall: Vec<FileSet>,
    #[serde(default)]
    owners: Vec<FileSet>,
    #[serde(default)]
    services: Vec<FileSet>,
    #[serde(default)]
    agents: Vec<FileAgent>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePerson {
    id: Spanned<FileId>,
    name: Option<String>,
    active: Option<bool>,
    #[serde(default)]
    aliases: Vec<Spanned<FileId>>,
    #[serde(default)]
    groups: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSet {
    name: Spanned<String>,
    #[serde(default)]
    members: Vec<Spanned<FileId>>,
    #[serde(default)]
    groups: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileAgent {
    id: Spanned<FileId>,
    kind: Option<FileKind>,
    controllers: Option<Vec<Spanned<FileId>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum FileKind {
    Agent,
    Service,
}

/// `"issuer/subject"`, or a table where that would be ambiguous.
enum FileId {
    Text(String),
    Table(FileIdTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileIdTable {
    issuer: String,
    subject: String,
}

impl<'de> Deserialize<'de> for FileId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = FileId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`issuer/subject`, or a table of `issuer` and `subject`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<FileId, E> {
                Ok(FileId::Text(text.to_owned()))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<FileId, A::Error> {
                FileIdTable::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(FileId::Table)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

struct Reader<'t> {
    text: &'t str,
    errors: Vec<LoadError>,
}

impl Reader<'_> {
    fn file(&mut self, file: File) -> Draft {
        let File {
            persons,
            groups,
            roles,
            relations,
            oncall,
            owners,
            services,
            agents,
        } = file;
        let mut sets = Vec::new();
        let mut add =
            |reader: &mut Self, of_kind: Vec<FileSet>, kind: fn(SelectorName) -> Selector| {
                sets.extend(of_kind.into_iter().filter_map(|set| reader.set(set, kind)));
            };
        add(self, groups, Selector::Group);
        add(self, roles, Selector::Role);
        add(self, relations, Selector::Relation);
        add(self, oncall, Selector::Oncall);
        add(self, owners, Selector::Owner);
        add(self, services, Selector::Service);
        Draft {
            persons: persons
                .into_iter()
                .filter_map(|person| self.person(person))
                .collect(),
            sets,
            agents: agents
                .into_iter()
                .filter_map(|agent| self.agent(agent))
                .collect(),
            unowned: Vec::new(),
        }
    }

    fn person(&mut self, person: FilePerson) -> Option<DraftPerson> {
        let FilePerson {
            id,
            name,
            active,
            aliases,
            groups,
        } = person;
        let aliases = self.ids(aliases);
        let groups = self.names(groups, Selector::Group);
        Some(DraftPerson {
            id: self.id(id)?,
            name,
            active: match active {
                Some(true) | None => Activity::Active,
                Some(false) => Activity::Deactivated,
            },
            aliases,
            groups,
        })
    }

    fn set(&mut self, set: FileSet, kind: fn(SelectorName) -> Selector) -> Option<DraftSet> {
        let FileSet {
            name,
            members,
            groups,
        } = set;
        let members = self.ids(members);
        let nested = self.names(groups, Selector::Group);
        Some(DraftSet {
            selector: self.name(name, kind)?,
            members,
            nested,
        })
    }

    fn agent(&mut self, agent: FileAgent) -> Option<DraftAgent> {
        let FileAgent {
            id,
            kind,
            controllers,
        } = agent;
        let controllers = controllers.map(|ids| self.ids(ids));
        Some(DraftAgent {
            id: self.id(id)?,
            kind: match kind {
                Some(FileKind::Agent) | None => PrincipalKind::Agent,
                Some(FileKind::Service) => PrincipalKind::Service,
            },
            controllers,
        })
    }

    fn ids(&mut self, ids: Vec<Spanned<FileId>>) -> Vec<At<PrincipalId>> {
        ids.into_iter().filter_map(|id| self.id(id)).collect()
    }

    fn names(
        &mut self,
        names: Vec<Spanned<String>>,
        kind: fn(SelectorName) -> Selector,
    ) -> Vec<At<Selector>> {
        names
            .into_iter()
            .filter_map(|name| self.name(name, kind))
            .collect()
    }

    fn id(&mut self, id: Spanned<FileId>) -> Option<At<PrincipalId>> {
        let line = line_of(self.text, id.span().start);
        let (issuer, subject) = match id.into_inner() {
            FileId::Table(FileIdTable { issuer, subject }) => (issuer, subject),
            FileId::Text(text) => match text.split_once('/') {
                Some((issuer, subject)) if !subject.contains('/') => {
                    (issuer.to_owned(), subject.to_owned())
                }
                Some(_) | None => return self.wrong(line, Problem::NotAnId(shown(&text))),
            },
        };
        match PrincipalId::new(&issuer, &subject) {
            Ok(it) => Some(At {
                line: Some(line),
                it,
            }),
            Err(_) => self.wrong(
                line,
                Problem::NotAnId(shown(&format!("{issuer}/{subject}"))),
            ),
        }
    }

    fn name(
        &mut self,
        name: Spanned<String>,
        kind: fn(SelectorName) -> Selector,
    ) -> Option<At<Selector>> {
        let line = line_of(self.text, name.span().start);
        match SelectorName::new(name.get_ref()) {
            Ok(name) => Some(At {
                line: Some(line),
                it: kind(name),
            }),
            Err(error) => self.wrong(line, Problem::NotAName(error)),
        }
    }

    fn wrong<T>(&mut self, line: usize, problem: Problem) -> Option<T> {
        self.errors.push(LoadError {
            line: Some(line),
            problem,
        });
        None
    }
}

/// Input as an error message shows it: short, and with everything invisible made visible.
fn shown(text: &str) -> String {
    text.chars()
        .take(128)
        .flat_map(char::escape_debug)
        .collect()
}
