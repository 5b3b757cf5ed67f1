//! The words of the record format for closed sets of values, one table for writing and reading.

use crate::approval::{
    As, Choice, ClockDoubt, DenialCause, EndCode, Exception, Finding, LossCause, Mishap, Outcome,
    ReassessCause, Unmet,
};

/// A closed set of values that records name by words.
pub(super) trait Word: Copy + Eq + Sized + 'static {
    /// Every value with its word.
    const ALL: &'static [(Self, &'static str)];

    /// The word of this value.
    ///
    /// INVARIANT: `ALL` has every value, which the match that each `words!` makes checks.
    fn word(self) -> &'static str;

    /// The value of a word.
    fn of(word: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|(_, known)| *known == word)
            .map(|(value, _)| *value)
    }
}

macro_rules! words {
    ($kind:ident { $($value:ident = $word:literal),+ $(,)? }) => {
        impl Word for $kind {
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$value, $word)),+];

            fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word),+
                }
            }
        }
    };
}

words!(Choice { Approve = "approve", Deny = "deny" });
words!(Exception { SelfApproval = "self_approval" });
words!(As { Controller = "controller", Delegator = "delegator", Requester = "requester" });
words!(Mishap {
    Broken = "broken",
    Fork = "fork",
    HeadFileMissing = "head_file_missing",
    Rollback = "rollback",
    StoreLost = "store_lost",
});
words!(DenialCause {
    PolicyError = "policy_error",
    PolicyTimeout = "policy_timeout",
    PolicyPanicked = "policy_panicked",
    NotApplicable = "not_applicable",
    FactsUnavailable = "facts_unavailable",
    Unsatisfiable = "unsatisfiable",
});
words!(ReassessCause {
    Policy = "policy",
    Votes = "votes",
    Interests = "interests",
    Labels = "labels",
    PolicyError = "policy_error",
    PolicyTimeout = "policy_timeout",
    PolicyPanicked = "policy_panicked",
    FactsUnavailable = "facts_unavailable",
});
words!(Outcome { Succeeded = "succeeded", Failed = "failed", Unknown = "unknown" });
words!(EndCode {
    NotStarted = "not_started",
    Stopped = "stopped",
    Panicked = "panicked",
    Dropped = "dropped",
    Unsure = "unsure",
});
words!(LossCause { LeasePassed = "lease_passed", InstanceGone = "instance_gone" });
words!(Unmet { Pending = "pending", Unused = "unused" });
words!(Finding { Succeeded = "succeeded", Failed = "failed", NotRun = "not_run" });
words!(ClockDoubt { Jump = "jump", Gap = "gap" });
