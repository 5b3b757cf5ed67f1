use std::{borrow::Cow, fmt};

use super::id::Seq;

macro_rules! rules {
    ($($rule:ident: $summary:literal;)*) => {
        /// A numbered rule of the record format, which a bad record breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $summary] $rule,)*
        }

        impl Rule {
            /// Every rule, in the order of the document.
            pub const ALL: &'static [Self] = &[$(Self::$rule,)*];

            /// The rule's number in the document: a letter and a figure.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$rule => stringify!($rule),)*
                }
            }
        }
    };
}

rules! {
    F1: "A statement is at most 48 KiB.";
    F2: "A statement is canonical JSON and nothing more.";
    F3: "A statement has the members and types of an in-toto statement of ours.";
    F4: "The subject is the request and its action digest, or the log.";
    F5: "The predicate has exactly its members.";
    F6: "The body has exactly the members of its kind.";
    F7: "Digests of hidden members are distinct and ascending, and none stands twice in a log.";
    F8: "No number has a fraction or an exponent.";
    F9: "A disclosure has one spelling, and its member collides with no other.";
    S1: "Signatures are verified strictly.";
    S2: "Every signature is by a key that the log names, and verifies.";
    S3: "The first signature is by the named key, whose role allows the kind.";
    S4: "Number, predecessor, tree head and log are those of the record's place.";
    S5: "Time does not run backwards.";
    S6: "Record 0 is the genesis, and no other is.";
    S7: "Checkpoints are signed tree heads of this log, and one covers all of it.";
    S8: "What is stored beside a record says what the record says.";
    S9: "Every hidden member has its disclosure, and no disclosure is stray.";
    S10: "The auditor's keys include those of the genesis.";
    S11: "A new key signs the record that names it and never stood in the log; a rotated one signs its rotation.";
    S12: "What a compromised key signed counts only under a checkpoint from outside, and before it was compromised.";
    S13: "What is erased was hidden before, is erased once, and is gone.";
    S14: "A log that continues another says right after its genesis what was lost, and no other log does.";
    M1: "Ids, times and numbers in bodies are well-formed.";
    M2: "The records of a request are about its action digest.";
    M3: "Each record is allowed where it stands.";
    M4: "Nobody approves their own action.";
    M5: "The votes counted at the start meet the requirement.";
    M6: "A requirement is never loosened.";
    M7: "What must be supplied was supplied.";
    M8: "Policies are adopted before they decide.";
    M9: "Records of testing gates are marked so.";
    M10: "No value of a request is erased before the request is over.";
    M11: "Where witnesses had to know of a decision first, they did.";
    M12: "No vote counts at a start whose key was by then known to have been compromised when it was cast.";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// That a log is broken: where, which rule, and in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The record that breaks the rule.
    pub seq: Seq,
    /// The rule.
    pub rule: Rule,
    /// What is wrong, without any value of a record.
    pub why: Cow<'static, str>,
}

impl Broken {
    /// Says so.
    pub fn new(seq: Seq, rule: Rule, why: impl Into<Cow<'static, str>>) -> Self {
        let why = why.into();
        Self { seq, rule, why }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, rule, why } = self;
        write!(f, "broken at record {seq} (rule {rule}): {why}")
    }
}

impl std::error::Error for Broken {}
