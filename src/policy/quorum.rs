//! How many people, and of which kind, must approve.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::quorum_text;
use super::selector::{Selector, SelectorError};

/// The largest count of one slot group: `32 of group:board`.
pub(super) const MAX_COUNT: u32 = 32;
/// How deep parentheses nest in a rule file.
pub(super) const MAX_DEPTH: usize = 8;
/// How many alternatives (terms of the disjunctive normal form) an expression in a rule file has.
const MAX_TERMS: usize = 64;
/// The same for the conjunction of the requirements of several rules.
const MAX_MERGED_TERMS: usize = 1024;

/// Why a text is no quorum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// Nothing, or only part of an expression, is there.
    #[error("the quorum ends where {expected} was expected")]
    Ends {
        /// What the grammar wants here.
        expected: &'static str,
    },
    /// Something else stands where the grammar wants a certain thing.
    #[error("`{found}` stands in the quorum where {expected} was expected")]
    Unexpected {
        /// The word that was found.
        found: String,
        /// What the grammar wants here.
        expected: &'static str,
    },
    /// A count of nobody, or of too many.
    #[error(
        "`{0} of` is no quorum: ask for 1 to {MAX_COUNT} people, for nobody would be an approval without a person"
    )]
    Count(String),
    /// The selector is malformed.
    #[error(transparent)]
    Selector(#[from] SelectorError),
    /// Parentheses nest too deep.
    #[error("the quorum nests deeper than {MAX_DEPTH} parentheses: write it flatter")]
    Depth,
    /// Too many alternatives.
    #[error(
        "the quorum has more alternatives than the {0} that are kept apart: use fewer `or` inside `and`"
    )]
    Terms(usize),
    /// The text has another spelling of what it says; only records care.
    #[error("the quorum is not written in its one form `{0}`")]
    Spelling(String),
}

/// An expression over people, such as `2 of group:security and 1 of group:data-owners`.
///
/// One person fills one slot in the whole expression: someone who is in both groups counts for one of them. No expression is
/// met by nobody, since every leaf asks for at least one person and neither `and` nor `or` can be empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Quorum {
    root: Node,
}

/// INVARIANT: `All` and `Any` have at least two members, and none of their own kind directly inside.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Node {
    Of { count: NonZeroU32, from: Selector },
    All(Vec<Node>),
    Any(Vec<Node>),
}

/// One alternative: how many people of which selector, each selector once.
pub(super) type Term<'a> = Vec<(&'a Selector, u32)>;

impl Quorum {
    /// `count` people of `from`.
    ///
    /// # Errors
    ///
    /// [`QuorumError::Count`] above 32.
    pub fn of(count: NonZeroU32, from: Selector) -> Result<Self, QuorumError> {
        if count.get() > MAX_COUNT {
            return Err(QuorumError::Count(count.to_string()));
        }
        Ok(Self {
            root: Node::Of { count, from },
        })
    }

    /// The quorum that `text` spells.
    ///
    /// ```text
    /// expr = and *("or" and)      and = atom *("and" atom)
    /// atom = "(" expr ")" | N "of" selector
    /// ```
    ///
    /// ```
    /// use countersign::policy::Quorum;
    ///
    /// let quorum = Quorum::parse("2 of group:security and (1 of role:dpo or 1 of user:okta/rita)")?;
    /// assert_eq!(Quorum::parse(&quorum.to_string())?, quorum);
    /// # Ok::<(), countersign::policy::QuorumError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Outside the grammar; a count that is not 1 to 32; more than 8 nested parentheses; more than 64 alternatives.
    pub fn parse(text: &str) -> Result<Self, QuorumError> {
        let quorum = Self {
            root: quorum_text::parse(text, MAX_DEPTH)?,
        };
        if quorum.alternatives() > MAX_TERMS {
            return Err(QuorumError::Terms(MAX_TERMS));
        }
        Ok(quorum)
    }

    /// The quorum of a record: one spelling only, and as large as a conjunction of several rules may be.
    pub(super) fn parse_recorded(text: &str) -> Result<Self, QuorumError> {
        let quorum = Self {
            root: quorum_text::parse(text, MAX_DEPTH + 1)?,
        };
        let spelling = quorum.to_string();
        if spelling != text {
            return Err(QuorumError::Spelling(spelling));
        }
        quorum.check_size()?;
        Ok(quorum)
    }

    /// Whether the conjunction is still small enough to be decided.
    ///
    /// # Errors
    ///
    /// [`QuorumError::Terms`] above 1024 alternatives. Such a quorum is never met.
    pub fn check_size(&self) -> Result<(), QuorumError> {
        if self.alternatives() > MAX_MERGED_TERMS {
            return Err(QuorumError::Terms(MAX_MERGED_TERMS));
        }
        Ok(())
    }

    /// What meets both.
    ///
    /// Equal conjuncts are asked for once, as often as the side that has more of them asks; all others add up. The result does
    /// not depend on the order in which rules are merged.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == other {
            return self;
        }
        let mut mine = self.root.into_conjuncts();
        let mut theirs = other.root.into_conjuncts();
        mine.sort();
        theirs.sort();
        Self {
            root: Node::all(union(mine, theirs)),
        }
    }

    /// Whether meeting this quorum is sure to meet `former`: every conjunct of `former` stands in it, as often.
    ///
    /// It compares what is written; a quorum that is stricter for another reason is not recognised.
    #[must_use]
    pub fn keeps(&self, former: &Self) -> bool {
        self == former
            || self
                .clone()
                .and(former.clone())
                .root
                .same_conjuncts(&self.root)
    }

    /// Every selector that the expression names.
    pub fn selectors(&self) -> BTreeSet<&Selector> {
        let mut found = BTreeSet::new();
        self.root.collect(&mut found);
        found
    }

    /// The alternatives, if they are few enough to be looked at one by one.
    pub(super) fn terms(&self) -> Option<Vec<Term<'_>>> {
        self.check_size().ok()?;
        Some(self.root.terms())
    }

    fn alternatives(&self) -> usize {
        self.root.alternatives()
    }
}

/// Both sorted lists in one, an item as often as the list that has it more often.
fn union(mine: Vec<Node>, theirs: Vec<Node>) -> Vec<Node> {
    let mut merged = Vec::with_capacity(mine.len() + theirs.len());
    let mut theirs = theirs.into_iter().peekable();
    for node in mine {
        while let Some(smaller) = theirs.next_if(|other| *other < node) {
            merged.push(smaller);
        }
        theirs.next_if(|other| *other == node);
        merged.push(node);
    }
    merged.extend(theirs);
    merged
}

impl Node {
    /// The conjunction of `members`, which are not none.
    pub(super) fn all(members: Vec<Self>) -> Self {
        Self::joined(members, Self::into_conjuncts, Self::All)
    }

    /// The disjunction of `members`, which are not none.
    pub(super) fn any(members: Vec<Self>) -> Self {
        let flat = |node| match node {
            Self::Any(inner) => inner,
            other => vec![other],
        };
        Self::joined(members, flat, Self::Any)
    }

    fn joined(
        members: Vec<Self>,
        flat: impl Fn(Self) -> Vec<Self>,
        join: impl Fn(Vec<Self>) -> Self,
    ) -> Self {
        let mut members: Vec<Self> = members.into_iter().flat_map(flat).collect();
        match members.pop() {
            Some(only) if members.is_empty() => only,
            Some(last) => {
                members.push(last);
                join(members)
            }
            None => join(members),
        }
    }

    fn into_conjuncts(self) -> Vec<Self> {
        match self {
            Self::All(members) => members,
            other => vec![other],
        }
    }

    fn same_conjuncts(&self, other: &Self) -> bool {
        let sorted = |node: &Self| {
            let mut conjuncts = node.clone().into_conjuncts();
            conjuncts.sort();
            conjuncts
        };
        sorted(self) == sorted(other)
    }

    fn collect<'a>(&'a self, into: &mut BTreeSet<&'a Selector>) {
        match self {
            Self::Of { count: _, from } => {
                into.insert(from);
            }
            Self::All(members) | Self::Any(members) => {
                for member in members {
                    member.collect(into);
                }
            }
        }
    }

    fn alternatives(&self) -> usize {
        match self {
            Self::Of { .. } => 1,
            Self::All(members) => members
                .iter()
                .map(Self::alternatives)
                .fold(1, usize::saturating_mul),
            Self::Any(members) => members
                .iter()
                .map(Self::alternatives)
                .fold(0, usize::saturating_add),
        }
    }

    fn terms(&self) -> Vec<Term<'_>> {
        match self {
            Self::Of { count, from } => vec![vec![(from, count.get())]],
            Self::Any(members) => members.iter().flat_map(Self::terms).collect(),
            Self::All(members) => {
                let mut products: Vec<Term<'_>> = vec![Vec::new()];
                for member in members {
                    let choices = member.terms();
                    products = products
                        .iter()
                        .flat_map(|so_far| choices.iter().map(|choice| product(so_far, choice)))
                        .collect();
                }
                products
            }
        }
    }
}

/// One alternative that asks for what both ask for; counts of one selector add up, since no person fills two slots.
fn product<'a>(left: &Term<'a>, right: &Term<'a>) -> Term<'a> {
    let mut both = left.clone();
    for (selector, count) in right {
        match both.iter_mut().find(|(known, _)| known == selector) {
            Some((_, sum)) => *sum = sum.saturating_add(*count),
            None => both.push((selector, *count)),
        }
    }
    both
}

impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (members, word) = match self {
            Self::Of { count, from } => return write!(f, "{count} of {from}"),
            Self::All(members) => (members, " and "),
            Self::Any(members) => (members, " or "),
        };
        for (index, member) in members.iter().enumerate() {
            if index > 0 {
                f.write_str(word)?;
            }
            match (self, member) {
                (Self::All(_), Self::Any(_)) => write!(f, "({member})")?,
                _ => write!(f, "{member}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Quorum {
    type Err = QuorumError;

    fn from_str(text: &str) -> Result<Self, QuorumError> {
        Self::parse(text)
    }
}
