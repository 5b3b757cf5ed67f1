use super::names::{InvalidText, is_visible};
use crate::canonical::Digest;

/// The program that carries an action out; another version of it is another action.
///
/// A text that does not fit is reported by [`Tool::checked`], which the builder of an action calls.
///
/// ```
/// use countersign::action::Tool;
///
/// let tool = Tool::new("exporter").version("3.2.0").checked()?;
/// assert_eq!(tool.name(), "exporter");
/// assert!(Tool::new("ex porter").checked().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tool {
    // What binds an action takes these apart, without leaving one out.
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) digest: Option<Digest>,
    pub(super) server: Option<String>,
}

const GRAMMAR: &str = "1 to 128 visible ASCII characters";

impl Tool {
    /// A tool of this name: 1 to 128 visible ASCII characters.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: None,
            digest: None,
            server: None,
        }
    }

    /// The same tool in this version: 1 to 128 visible ASCII characters.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The same tool, whose program or definition has this digest.
    #[must_use]
    pub const fn digest(mut self, digest: Digest) -> Self {
        self.digest = Some(digest);
        self
    }

    /// The same tool as this server offers it: 1 to 128 visible ASCII characters.
    #[must_use]
    pub fn server(mut self, server: impl Into<String>) -> Self {
        self.server = Some(server.into());
        self
    }

    /// This tool, if every text in it fits.
    ///
    /// # Errors
    /// [`InvalidText`] for the first that does not.
    pub fn checked(self) -> Result<Self, InvalidText> {
        let Self {
            name,
            version,
            digest: _,
            server,
        } = &self;
        for (text, what) in [
            (Some(name), "a tool's name"),
            (version.as_ref(), "a tool's version"),
            (server.as_ref(), "a tool's server"),
        ] {
            if text.is_some_and(|text| !is_visible(text, 128)) {
                return Err(InvalidText::new(what, GRAMMAR));
            }
        }
        Ok(self)
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which version it is.
    #[must_use]
    pub fn version_text(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The digest of its program or definition.
    #[must_use]
    pub const fn program_digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Which server offers it.
    #[must_use]
    pub fn server_id(&self) -> Option<&str> {
        self.server.as_deref()
    }
}
