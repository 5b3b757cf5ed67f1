//! What a reviewer is shown, made from the bound action and not from what anybody says about it.

mod facts;
mod values;

#[cfg(test)]
pub(super) mod tests;

use std::fmt;

use crate::{
    action::{Action, ActionDigest, ActionName, ActorChain, RequestId, SessionId},
    canonical::{Json, Object},
    clock::Timestamp,
    policy::{MustSupply, Requirement, RuleId, Shortfall},
};

use super::{
    Limits,
    visible::{all_ascii, visible},
};

/// What a card is made of.
#[derive(Clone, Copy)]
pub struct CardSource<'a> {
    /// The request.
    pub request: RequestId,
    /// The action that an approval binds to.
    pub action: &'a Action,
    /// Who asks, for whom, through what.
    pub chain: &'a ActorChain,
    /// The session that it is asked in.
    pub session: &'a SessionId,
    /// The digest that an approval names.
    pub digest: ActionDigest,
    /// What must happen before it may run.
    pub requirement: &'a Requirement,
    /// The rules that want it.
    pub rules: &'a [RuleId],
    /// The rules' own words.
    pub reason: Option<&'a str>,
    /// When it was asked.
    pub asked: Timestamp,
    /// When it expires if nobody decides.
    pub expires: Timestamp,
    /// Whether this reader sees the values that were marked sensitive.
    pub sensitive: Sensitive,
}

/// Whether values that were marked sensitive are on a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sensitive {
    /// Each is replaced by how long it is: for channels whose readers were not checked.
    Masked,
    /// They are shown: for a reviewer at the desk.
    Shown,
}

/// What a reviewer is shown of one request, the same on every channel.
///
/// Its facts come from the bound action, the chain and the requirement. Every text in it was made
/// [`visible`](super::visible()), so that a channel only escapes what its own syntax would read. What the agent says comes
/// apart from the facts, and last.
///
/// The stable part is what a vote's digest of what was shown covers ([`Card::facts_json`]); who voted meanwhile, and
/// whether anybody still waits, is not.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    request: RequestId,
    action: ActionName,
    digest: ActionDigest,
    must_supply: MustSupply,
    expires: Timestamp,
    facts: Vec<Fact>,
    agent_says: Option<String>,
    progress: Option<Progress>,
}

/// One line of a card.
#[derive(Clone, PartialEq, Eq)]
pub struct Fact {
    section: Section,
    label: String,
    value: String,
}

/// The parts of a card, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Section {
    /// What is asked.
    Request,
    /// Who asks, for whom, through what.
    Who,
    /// What it works on.
    Target,
    /// With what.
    Parameters,
    /// What it says it reads and writes.
    Data,
    /// Under which circumstances.
    Context,
    /// Who may approve it, and why they are asked.
    Policy,
    /// By when.
    Clocks,
}

impl Section {
    /// A heading for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Request => "Approval needed",
            Self::Who => "Who asks",
            Self::Target => "On what",
            Self::Parameters => "Parameters",
            Self::Data => "Data",
            Self::Context => "Circumstances",
            Self::Policy => "Who decides",
            Self::Clocks => "Time",
        }
    }

    /// The word in what a vote's digest covers.
    fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Who => "who",
            Self::Target => "target",
            Self::Parameters => "parameters",
            Self::Data => "data",
            Self::Context => "context",
            Self::Policy => "policy",
            Self::Clocks => "clocks",
        }
    }
}

/// What changes on a card while its request is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many people approved whose approvals count.
    pub approvals: usize,
    /// Whom it still lacks, for each way to meet the quorum; any one of them is enough.
    pub missing: Vec<Vec<Shortfall>>,
    /// Whether somebody waits for it.
    pub waiting: Waiting,
}

/// Whether somebody waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waiting {
    /// They wait.
    Somebody,
    /// Nobody does now, or ever did: an approval would be kept for whoever resumes the request.
    Nobody,
}

impl Card {
    /// The card for a request.
    #[must_use]
    pub fn new(source: &CardSource<'_>) -> Self {
        Self {
            request: source.request,
            action: source.action.name().clone(),
            digest: source.digest,
            must_supply: source.requirement.must_supply,
            expires: source.expires,
            facts: facts::facts(source),
            agent_says: source.action.justification().map(visible),
            progress: None,
        }
    }

    /// The same card with what has happened since.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = Some(progress);
        self
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// The name of the action.
    #[must_use]
    pub fn action_name(&self) -> &ActionName {
        &self.action
    }

    /// The digest that an approval names.
    #[must_use]
    pub fn digest(&self) -> ActionDigest {
        self.digest
    }

    /// What an approval must bring along.
    #[must_use]
    pub fn must_supply(&self) -> MustSupply {
        self.must_supply
    }

    /// When the request expires if nobody decides.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Everything that is known, in the order in which it is shown.
    #[must_use]
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// The agent's own words, visible. They come last and under [`Card::AGENT_SAYS`]: nobody checked them.
    #[must_use]
    pub fn agent_says(&self) -> Option<&str> {
        self.agent_says.as_deref()
    }

    /// The label under which the agent's own words are shown.
    pub const AGENT_SAYS: &'static str = "The agent says, and nobody checked";

    /// What has happened since it was asked, in sentences.
    #[must_use]
    pub fn progress(&self) -> Vec<String> {
        let Some(Progress {
            approvals,
            missing,
            waiting,
        }) = &self.progress
        else {
            return Vec::new();
        };
        let mut sentences = vec![match approvals {
            1 => "1 person has approved".to_owned(),
            people => format!("{people} people have approved"),
        }];
        let of = |Shortfall { selector, count }: &Shortfall| format!("{count} of {selector}");
        match missing.as_slice() {
            [] => {}
            [only] => sentences.extend(only.iter().map(|one| format!("still needed: {}", of(one)))),
            alternatives => {
                let each = |all: &Vec<Shortfall>| all.iter().map(of).collect::<Vec<_>>();
                let all: Vec<_> = alternatives
                    .iter()
                    .map(|all| each(all).join(" and "))
                    .collect();
                sentences.push(format!("still needed: {}", all.join(", or ")));
            }
        }
        match waiting {
            Waiting::Somebody => {}
            Waiting::Nobody => sentences.push("nobody is waiting for it now".to_owned()),
        }
        sentences
    }

    /// What a vote's digest of what was shown covers: every label and value as it was shown, and what the agent says.
    ///
    /// Two cards with the same facts were shown the same; progress is not part of it.
    #[must_use]
    pub fn facts_json(&self) -> Json {
        let Self {
            request,
            action: _, // a fact too, as are the two after the digest
            digest,
            must_supply: _,
            expires: _,
            facts,
            agent_says,
            progress: _, // not stable
        } = self;
        let facts = facts.iter().map(
            |Fact {
                 section,
                 label,
                 value,
             }| {
                Json::Array(vec![
                    Json::from(section.word()),
                    Json::from(label.as_str()),
                    Json::from(value.as_str()),
                ])
            },
        );
        let mut shown = Object::new()
            .with("v", 1_u8)
            .with("request", request.to_string())
            .with("digest", digest.to_string())
            .with("facts", facts.collect::<Vec<_>>());
        if let Some(words) = agent_says {
            shown = shown.with("agent_says", words.as_str());
        }
        Json::Object(shown)
    }

    /// Whether all of it fits these limits; if not, the channel must not offer to approve.
    ///
    /// # Errors
    /// Which limit it exceeds.
    pub fn fits(&self, limits: &Limits) -> Result<(), TooMuch> {
        let Limits {
            max_chars,
            max_fields,
            max_field_chars,
        } = *limits;
        let words = self.agent_says.as_deref();
        let fields = self.facts.len() + words.into_iter().count() + self.progress().len();
        if fields > max_fields {
            return Err(TooMuch::Fields(fields));
        }
        let values = self
            .facts
            .iter()
            .map(Fact::shown_chars)
            .chain(words.map(shown_chars));
        let mut chars = 0_usize;
        for value in values {
            if value > max_field_chars {
                return Err(TooMuch::Field(value));
            }
            chars = chars.saturating_add(value);
        }
        let labels = self.facts.iter().map(|fact| fact.label.chars().count());
        let progress = self.progress();
        let others = labels.chain(progress.iter().map(|sentence| sentence.chars().count()));
        let chars = chars.saturating_add(others.sum());
        if chars > max_chars {
            return Err(TooMuch::Chars(chars));
        }
        Ok(())
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            request,
            action,
            digest,
            facts,
            ..
        } = self;
        f.debug_struct("Card")
            .field("request", request)
            .field("action", action)
            .field("digest", digest)
            .field("facts", &facts.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CardSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CardSource")
            .field("request", &self.request)
            .field("action", self.action)
            .finish_non_exhaustive()
    }
}

impl Fact {
    fn new(section: Section, label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            section,
            label: label.into(),
            value: value.into(),
        }
    }

    /// The part of the card that it belongs to.
    #[must_use]
    pub fn section(&self) -> Section {
        self.section
    }

    /// What it says something about, visible.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What it says, visible. Texts that somebody chose freely are in quotation marks.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The value with every character beyond ASCII as an escape, to show beside it; nothing if it has none.
    #[must_use]
    pub fn value_in_ascii(&self) -> Option<String> {
        all_ascii(&self.value)
    }

    fn shown_chars(&self) -> usize {
        shown_chars(&self.value)
    }
}

impl fmt::Debug for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fact")
            .field("section", &self.section)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// The characters of a visible text, with those of its form in ASCII.
fn shown_chars(visible: &str) -> usize {
    visible.chars().count() + all_ascii(visible).map_or(0, |ascii| ascii.len())
}

/// Why a card does not fit a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TooMuch {
    /// It has so many facts.
    #[error("{0} facts are more than fit here")]
    Fields(usize),
    /// One value has so many characters.
    #[error("a value of {0} characters is longer than fits here")]
    Field(usize),
    /// It has so many characters in all.
    #[error("{0} characters are more than fit here")]
    Chars(usize),
}
