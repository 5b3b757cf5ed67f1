use std::{collections::BTreeSet, fmt};

use super::{
    hidden::{Clarity, Shown},
    labels::Labels,
    names::{InvalidText, Label, ResourceType, is_plain},
};

/// Something that an action touches, such as a table or a host.
///
/// Its type and labels stand in records in the clear; its id is hidden, unless
/// [`clear_id`](Resource::clear_id) says otherwise. What does not fit is reported by
/// [`Resource::checked`], which the builder of an action calls.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Resource {
    // What binds an action takes these apart, without leaving one out.
    pub(super) resource_type: String,
    pub(super) id: String,
    pub(super) id_clarity: Clarity,
    pub(super) labels: Labels,
}

impl Resource {
    /// The resource of this type (`[a-z][a-z0-9_.:-]*`, at most 64 bytes) with this id (1 to 1024
    /// characters without control characters).
    #[must_use]
    pub fn new(resource_type: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            resource_type: resource_type.into(),
            id: id.into(),
            id_clarity: Clarity::Hidden,
            labels: Labels::default(),
        }
    }

    /// The same resource with one more [`Label`]; at most 16.
    #[must_use]
    pub fn label(mut self, label: impl AsRef<str>) -> Self {
        self.labels.add(label.as_ref());
        self
    }

    /// The same resource, whose id stands in records for everyone to read, for ever.
    #[must_use]
    pub const fn clear_id(mut self) -> Self {
        self.id_clarity = Clarity::Clear;
        self
    }

    /// This resource, if everything in it fits.
    ///
    /// # Errors
    /// [`InvalidText`] for the first part that does not.
    pub fn checked(self) -> Result<Self, InvalidText> {
        let Self {
            resource_type,
            id,
            id_clarity: _,
            labels,
        } = &self;
        ResourceType::new(resource_type)?;
        if !is_plain(id, 1024) {
            const GRAMMAR: &str = "1 to 1024 characters without control characters";
            return Err(InvalidText::new("a resource's id", GRAMMAR));
        }
        labels.check()?;
        Ok(self)
    }

    /// What sort of thing it is.
    #[must_use]
    pub fn resource_type(&self) -> &str {
        &self.resource_type
    }

    /// Which one it is.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether records hide the id.
    #[must_use]
    pub const fn id_clarity(&self) -> Clarity {
        self.id_clarity
    }

    /// Its classifications.
    #[must_use]
    pub const fn labels(&self) -> &BTreeSet<Label> {
        self.labels.as_set()
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            resource_type,
            id,
            id_clarity,
            labels,
        } = self;
        f.debug_struct("Resource")
            .field("type", resource_type)
            .field("id", &Shown(id, *id_clarity))
            .field("labels", labels)
            .finish()
    }
}
