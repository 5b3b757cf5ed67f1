use std::{fmt, sync::Arc};

use thiserror::Error;

use super::names::{InvalidText, is_plain};
use crate::canonical::{Json, Object};

/// Who somebody or something is: the one that `issuer` knows as `subject`.
///
/// Two ids are the same if both texts are, byte for byte; there is no case folding and no Unicode
/// normalisation. A subject is never an e-mail address or a display name by meaning: those change
/// hands, so nothing here looks into the text. `Display` writes it for people; `Debug` hides it,
/// since it may be a person's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrincipalId {
    issuer: Arc<str>,
    subject: Arc<str>,
}

impl PrincipalId {
    /// The principal that `issuer` knows as `subject`.
    ///
    /// # Errors
    /// [`InvalidText`], unless both are 1 to 256 characters without control characters.
    pub fn new(issuer: impl AsRef<str>, subject: impl AsRef<str>) -> Result<Self, InvalidText> {
        const GRAMMAR: &str = "1 to 256 characters without control characters";
        let part = |text: &str, what| {
            if is_plain(text, 256) {
                Ok(Arc::from(text))
            } else {
                Err(InvalidText::new(what, GRAMMAR))
            }
        };
        Ok(Self {
            issuer: part(issuer.as_ref(), "an issuer")?,
            subject: part(subject.as_ref(), "a subject")?,
        })
    }

    /// Who vouches for the subject.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What the issuer calls it.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// `{"issuer": …, "subject": …}`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let Self { issuer, subject } = self;
        Json::Object(
            Object::new()
                .with("issuer", &**issuer)
                .with("subject", &**subject),
        )
    }

    /// Reads exactly what [`PrincipalId::to_json`] writes.
    ///
    /// # Errors
    /// [`NotAPrincipal`] for any other members or types, and for texts that an id does not hold.
    pub fn from_json(json: &Json) -> Result<Self, NotAPrincipal> {
        let object = json.as_object().ok_or(NotAPrincipal)?;
        let text = |name| object.get(name).and_then(Json::as_str).ok_or(NotAPrincipal);
        if object.len() != 2 {
            return Err(NotAPrincipal);
        }
        Self::new(text("issuer")?, text("subject")?).map_err(|_| NotAPrincipal)
    }
}

impl fmt::Display for PrincipalId {
    /// `issuer/subject`; characters that are not plainly visible, and slashes in the issuer, are
    /// escaped, so that two ids never look the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, subject } = self;
        write_visibly(f, issuer, '/')?;
        f.write_str("/")?;
        write_visibly(f, subject, '\\')
    }
}

impl fmt::Debug for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrincipalId(«hidden»)")
    }
}

/// Writes printable ASCII as it is, and everything else, the backslash and `also` escaped.
fn write_visibly(f: &mut fmt::Formatter<'_>, text: &str, also: char) -> fmt::Result {
    for character in text.chars() {
        match character {
            '\\' => f.write_str("\\\\")?,
            _ if character == also => write!(f, "\\{character}")?,
            '!'..='~' => write!(f, "{character}")?,
            other => write!(f, "{}", other.escape_unicode())?,
        }
    }
    Ok(())
}

/// The JSON is not an id of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a principal is an object of `issuer` and `subject`, each 1 to 256 characters of text")]
pub struct NotAPrincipal;

/// What a principal is. Only a human can be a reviewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {
    /// A person.
    Human,
    /// A program that decides what to do by itself.
    Agent,
    /// A program that does what it was written to do.
    Service,
}

impl PrincipalKind {
    /// The word in records: `human`, `agent` or `service`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Agent => "agent",
            Self::Service => "service",
        }
    }
}

impl fmt::Display for PrincipalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Somebody or something that acts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal {
    pub(super) kind: PrincipalKind,
    pub(super) id: PrincipalId,
}

impl Principal {
    /// A principal of this kind.
    #[must_use]
    pub const fn new(kind: PrincipalKind, id: PrincipalId) -> Self {
        Self { kind, id }
    }

    /// A person.
    ///
    /// # Errors
    /// See [`PrincipalId::new`].
    pub fn human(issuer: impl AsRef<str>, subject: impl AsRef<str>) -> Result<Self, InvalidText> {
        PrincipalId::new(issuer, subject).map(|id| Self::new(PrincipalKind::Human, id))
    }

    /// A program that decides by itself.
    ///
    /// # Errors
    /// See [`PrincipalId::new`].
    pub fn agent(issuer: impl AsRef<str>, subject: impl AsRef<str>) -> Result<Self, InvalidText> {
        PrincipalId::new(issuer, subject).map(|id| Self::new(PrincipalKind::Agent, id))
    }

    /// A program that does not.
    ///
    /// # Errors
    /// See [`PrincipalId::new`].
    pub fn service(issuer: impl AsRef<str>, subject: impl AsRef<str>) -> Result<Self, InvalidText> {
        PrincipalId::new(issuer, subject).map(|id| Self::new(PrincipalKind::Service, id))
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// Who it is.
    #[must_use]
    pub const fn id(&self) -> &PrincipalId {
        &self.id
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, id } = self;
        match kind {
            PrincipalKind::Human => write!(f, "{kind} «hidden»"),
            PrincipalKind::Agent | PrincipalKind::Service => write!(f, "{kind} {id}"),
        }
    }
}

/// The one person behind all of somebody's identities, as a directory says.
///
/// Whether two votes are of one person is decided by this, never by the id that was presented.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(PrincipalId);

impl PersonId {
    /// The person whose canonical identity this is; only a directory knows.
    #[must_use]
    pub const fn new(canonical: PrincipalId) -> Self {
        Self(canonical)
    }

    /// The canonical identity.
    #[must_use]
    pub const fn as_principal(&self) -> &PrincipalId {
        &self.0
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonId(«hidden»)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn ids_are_compared_byte_for_byte() {
        let id = |issuer, subject| PrincipalId::new(issuer, subject).unwrap();
        assert_ne!(id("demo", "alice"), id("demo", "Alice"));
        assert_ne!(id("demo", "\u{e9}"), id("demo", "e\u{301}"));
        assert_ne!(id("a", "b/c").to_string(), id("a/b", "c").to_string());
        assert_eq!(id("demo", "rita").to_string(), "demo/rita");
    }

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        let id = PrincipalId::new("demo", "ri\u{200b}t\u{430} x\\").unwrap();
        assert_eq!(id.to_string(), "demo/ri\\u{200b}t\\u{430}\\u{20}x\\\\");
        assert!(PrincipalId::new("demo", "a\nb").is_err());
        assert!(PrincipalId::new("", "a").is_err());
        assert!(PrincipalId::new("demo", "é".repeat(256)).is_ok());
        assert!(PrincipalId::new("demo", "é".repeat(257)).is_err());
    }

    #[test]
    fn debug_does_not_name_people() {
        let rita = Principal::human("demo", "rita").unwrap();
        let person = PersonId::new(rita.id().clone());
        let text = format!("{rita:?} {:?} {person:?}", rita.id());
        assert!(!text.contains("rita"), "{text}");
    }

    #[test]
    fn json_is_read_strictly() {
        let id = PrincipalId::new("demo", "rita").unwrap();
        assert_eq!(PrincipalId::from_json(&id.to_json()), Ok(id));
        let object = Object::new().with("issuer", "demo").with("subject", "rita");
        let more = object.clone().with("name", "Rita");
        assert!(PrincipalId::from_json(&more.into()).is_err());
        assert!(PrincipalId::from_json(&object.with("subject", 7).into()).is_err());
    }
}
