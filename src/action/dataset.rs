use std::{collections::BTreeSet, fmt};

use super::{
    hidden::{Clarity, HIDDEN, Shown},
    labels::Labels,
    names::{InvalidText, Label, is_plain},
};

/// What a dataset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DatasetKind {
    /// A table, a file, a topic.
    Data,
    /// The weights of a model.
    Model,
    /// A program or its source.
    Code,
}

impl DatasetKind {
    /// The word in records: `data`, `model` or `code`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Model => "model",
            Self::Code => "code",
        }
    }

    /// Reads the word in records.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Data, Self::Model, Self::Code]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for DatasetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Data that an action reads or writes, named as in OpenLineage: a namespace and a name within it.
///
/// Both stand in records in the clear, unless [`sensitive`](Dataset::sensitive) hides the name. What
/// does not fit is reported by [`Dataset::checked`], which the builder of an action calls.
///
/// ```
/// use countersign::action::Dataset;
///
/// let customers = Dataset::new("postgres://db:5432", "crm.customers").label("pii");
/// let patient = Dataset::new("file://host", "/patients/rita.pdf").sensitive();
/// assert!(!format!("{patient:?}").contains("rita"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Dataset {
    // What binds an action takes these apart, without leaving one out.
    pub(super) kind: DatasetKind,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) name_clarity: Clarity,
    pub(super) labels: Labels,
}

impl Dataset {
    /// Data: a namespace of 1 to 256 and a name of 1 to 1024 characters without control characters.
    #[must_use]
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self::of_kind(DatasetKind::Data, namespace, name)
    }

    /// A model, with the same limits.
    #[must_use]
    pub fn model(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self::of_kind(DatasetKind::Model, namespace, name)
    }

    /// Code, with the same limits.
    #[must_use]
    pub fn code(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self::of_kind(DatasetKind::Code, namespace, name)
    }

    /// A dataset of any kind, with the same limits.
    #[must_use]
    pub fn of_kind(
        kind: DatasetKind,
        namespace: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
            name_clarity: Clarity::Clear,
            labels: Labels::default(),
        }
    }

    /// The same dataset with one more [`Label`]; at most 16.
    #[must_use]
    pub fn label(mut self, label: impl AsRef<str>) -> Self {
        self.labels.add(label.as_ref());
        self
    }

    /// The same dataset, whose name records hide.
    #[must_use]
    pub const fn sensitive(mut self) -> Self {
        self.name_clarity = Clarity::Hidden;
        self
    }

    /// This dataset, if everything in it fits.
    ///
    /// # Errors
    /// [`InvalidText`] for the first part that does not.
    pub fn checked(self) -> Result<Self, InvalidText> {
        let Self {
            kind: _,
            namespace,
            name,
            name_clarity: _,
            labels,
        } = &self;
        if !is_plain(namespace, 256) {
            const GRAMMAR: &str = "1 to 256 characters without control characters";
            return Err(InvalidText::new("a dataset's namespace", GRAMMAR));
        }
        if !is_plain(name, 1024) {
            const GRAMMAR: &str = "1 to 1024 characters without control characters";
            return Err(InvalidText::new("a dataset's name", GRAMMAR));
        }
        labels.check()?;
        Ok(self)
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> DatasetKind {
        self.kind
    }

    /// Where its name is known, such as `postgres://db:5432`.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What it is called there.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether records hide the name.
    #[must_use]
    pub const fn name_clarity(&self) -> Clarity {
        self.name_clarity
    }

    /// Its classifications.
    #[must_use]
    pub const fn labels(&self) -> &BTreeSet<Label> {
        self.labels.as_set()
    }

    /// What makes it this dataset and no other: not its labels, nor who may read its name.
    #[must_use]
    pub fn reference(&self) -> DatasetRef {
        DatasetRef {
            kind: self.kind,
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            namespace,
            name,
            name_clarity,
            labels,
        } = self;
        f.debug_struct("Dataset")
            .field("kind", kind)
            .field("namespace", namespace)
            .field("name", &Shown(name, *name_clarity))
            .field("labels", labels)
            .finish()
    }
}

/// Which dataset something is: its kind, namespace and name.
///
/// `Debug` hides the name, since it may be a sensitive one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatasetRef {
    kind: DatasetKind,
    namespace: String,
    name: String,
}

impl DatasetRef {
    /// The dataset of this kind with these names.
    #[must_use]
    pub fn new(kind: DatasetKind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> DatasetKind {
        self.kind
    }

    /// Where its name is known.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What it is called there.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for DatasetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            namespace,
            name: _,
        } = self;
        write!(f, "DatasetRef({kind} {namespace:?} {HIDDEN})")
    }
}
