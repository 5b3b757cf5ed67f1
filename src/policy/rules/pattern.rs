//! Patterns of action names and of texts.

use crate::action::ActionName;

/// A set of action names: one name, or a pattern of whole segments.
///
/// `*` stands for one segment, at the end for one or more; a last segment may end in `*` and then stands for one segment that
/// begins so. `db.*` is everything below `db` and not `db` itself; `db.drop*` is `db.drop` and `db.drop_all`, not `db.drop.now`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ActionPattern {
    /// `*`.
    Everything,
    /// `db.read`.
    Exactly(String),
    /// `db.*`, kept as `db.`.
    Below(String),
    /// `db.drop*`, kept as `db.drop`.
    Beginning(String),
    /// A `*` before the end.
    Segments { segments: Vec<Segment>, end: End },
}

/// A segment before the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Any,
    Is(String),
}

/// The last segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    OneOrMore,
    Is(String),
    Begins(String),
}

impl ActionPattern {
    /// The pattern that `text` spells, or nothing if no action name could ever match it.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everything);
        }
        let (front, last) = match text.rsplit_once('.') {
            Some((front, last)) => (Some(front), last),
            None => (None, text),
        };
        // With a name in place of each star the rest must be an action name.
        let plain = |segment: &str| {
            if segment == "*" {
                "x".to_owned()
            } else {
                segment.to_owned()
            }
        };
        let mut sample: Vec<String> = front
            .into_iter()
            .flat_map(|front| front.split('.'))
            .map(plain)
            .collect();
        sample.push(match last.strip_suffix('*') {
            Some("") => "x".to_owned(),
            Some(begins) => begins.to_owned(),
            None => last.to_owned(),
        });
        sample.join(".").parse::<ActionName>().ok()?;

        let stars_in_front =
            front.is_some_and(|front| front.split('.').any(|segment| segment == "*"));
        if stars_in_front {
            let segments = front
                .into_iter()
                .flat_map(|front| front.split('.'))
                .map(|segment| match segment {
                    "*" => Segment::Any,
                    name => Segment::Is(name.to_owned()),
                });
            let end = match last.strip_suffix('*') {
                Some("") => End::OneOrMore,
                Some(begins) => End::Begins(begins.to_owned()),
                None => End::Is(last.to_owned()),
            };
            return Some(Self::Segments {
                segments: segments.collect(),
                end,
            });
        }
        Some(match text.strip_suffix('*') {
            None => Self::Exactly(text.to_owned()),
            Some(before) if before.ends_with('.') => Self::Below(before.to_owned()),
            Some(before) => Self::Beginning(before.to_owned()),
        })
    }

    /// Whether it is the pattern of `name`.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Exactly(only) => only == name,
            // No name ends in a dot, so that something follows.
            Self::Below(above) => name.starts_with(above.as_str()),
            Self::Beginning(begins) => name
                .strip_prefix(begins.as_str())
                .is_some_and(|rest| !rest.contains('.')),
            Self::Segments { segments, end } => {
                let mut names = name.split('.');
                let fits = segments
                    .iter()
                    .all(|segment| match (segment, names.next()) {
                        (Segment::Any, Some(_)) => true,
                        (Segment::Is(want), Some(have)) => want == have,
                        (_, None) => false,
                    });
                fits && match (end, names.next()) {
                    (_, None) => false,
                    (End::OneOrMore, Some(_)) => true,
                    (End::Is(want), Some(last)) => want == last && names.next().is_none(),
                    (End::Begins(begins), Some(last)) => {
                        last.starts_with(begins.as_str()) && names.next().is_none()
                    }
                }
            }
        }
    }

    /// Whether every name of `other` is surely one of this pattern.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everything, _) => true,
            (_, Self::Exactly(name)) => self.matches(name),
            (Self::Below(above), Self::Below(begins) | Self::Beginning(begins)) => {
                begins.starts_with(above.as_str())
            }
            (Self::Beginning(begins), Self::Beginning(more)) => more
                .strip_prefix(begins.as_str())
                .is_some_and(|rest| !rest.contains('.')),
            _ => self == other,
        }
    }

    /// The first segment, if it is the same for every name of the pattern.
    pub fn first_segment(&self) -> Option<&str> {
        match self {
            Self::Everything => None,
            Self::Exactly(text) | Self::Below(text) => text.split('.').next(),
            Self::Beginning(text) => text.split_once('.').map(|(first, _)| first),
            Self::Segments { segments, end: _ } => match segments.first() {
                Some(Segment::Is(name)) => Some(name),
                Some(Segment::Any) | None => None,
            },
        }
    }
}

/// A pattern of a text: `*` stands for any run of characters, also for none; everything else for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextPattern {
    first: String,
    /// What stands between two stars, and after the last; empty if there is no star.
    rest: Vec<String>,
}

impl TextPattern {
    pub fn new(text: &str) -> Self {
        let mut parts = text.split('*').map(str::to_owned);
        Self {
            first: parts.next().unwrap_or_default(),
            rest: parts.collect(),
        }
    }

    /// Whether the whole of `text` fits. Each part is taken as early as it comes, so this is linear but for the search.
    pub fn matches(&self, text: &str) -> bool {
        let Some((last, between)) = self.rest.split_last() else {
            return text == self.first;
        };
        let Some(mut text) = text.strip_prefix(self.first.as_str()) else {
            return false;
        };
        for part in between {
            match text.split_once(part.as_str()) {
                Some((_, after)) => text = after,
                None => return false,
            }
        }
        text.ends_with(last.as_str())
    }
}
