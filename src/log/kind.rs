use std::fmt;

use super::keys::Role;

/// Whether a record of a kind belongs to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belonging {
    /// Each one does.
    Always,
    /// None does.
    Never,
    /// Some do.
    AsBodySays,
}

/// Whether this edition of the format defines the body of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definition {
    /// Its members are fixed and judged.
    Defined,
    /// Its name and roles are fixed, its body is a later edition's: reported as not judged.
    Reserved,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $text:literal, $roles:expr, $belonging:ident, $definition:ident;)*) => {
        /// What a record is about: the closed list of the record format, section 5.
        ///
        /// This layer knows of a kind who may sign it and whether it belongs to a request, not what its
        /// body means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every kind, in the order of the record format.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The text in records.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $text,)*
                }
            }

            /// The kind with exactly this text.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$kind),)*
                    _ => None,
                }
            }

            /// Keys of which roles may sign it.
            #[must_use]
            pub const fn roles(self) -> &'static [Role] {
                match self {
                    $(Self::$kind => $roles,)*
                }
            }

            /// Whether it belongs to a request.
            #[must_use]
            pub const fn belongs_to_request(self) -> Belonging {
                match self {
                    $(Self::$kind => Belonging::$belonging,)*
                }
            }

            /// Whether this edition defines its body.
            #[must_use]
            pub const fn definition(self) -> Definition {
                match self {
                    $(Self::$kind => Definition::$definition,)*
                }
            }
        }
    };
}

const GATE: &[Role] = &[Role::Gate];
const DESK: &[Role] = &[Role::Desk];
const OPERATOR: &[Role] = &[Role::Operator];
const GATE_OR_DESK: &[Role] = &[Role::Gate, Role::Desk];

kinds! {
    /// The log begins: its origin and keys.
    Genesis = "genesis", &[Role::Operator, Role::Gate], Never, Defined;
    /// A process adopted a revision of the rules.
    PolicyAdopted = "policy_adopted", GATE_OR_DESK, Never, Defined;
    /// An action was filed and evaluated.
    Requested = "requested", GATE, Always, Defined;
    /// A person approved or denied.
    Voted = "voted", DESK, Always, Defined;
    /// The rules were asked again.
    Reassessed = "reassessed", GATE, Always, Defined;
    /// The effect may begin.
    Started = "started", GATE, Always, Defined;
    /// The effect still runs.
    LeaseRenewed = "lease_renewed", GATE, Always, Defined;
    /// The effect ended.
    Finished = "finished", GATE, Always, Defined;
    /// Nobody knows how the effect ended.
    Lost = "lost", GATE_OR_DESK, Always, Defined;
    /// The agent no longer wants it.
    Withdrawn = "withdrawn", GATE, Always, Defined;
    /// Another request took its place.
    Superseded = "superseded", GATE, Always, Defined;
    /// A person stopped it before it was decided or started.
    Cancelled = "cancelled", DESK, Always, Defined;
    /// A person took the approval back.
    Revoked = "revoked", DESK, Always, Defined;
    /// Its time passed.
    Expired = "expired", GATE_OR_DESK, Always, Defined;
    /// A person found out how the effect ended.
    Reconciled = "reconciled", DESK, Always, Defined;
    /// The clock misbehaved.
    Clock = "clock", GATE_OR_DESK, Never, Defined;
    /// An operator has seen to the clock.
    ClockAcknowledged = "clock_acknowledged", OPERATOR, Never, Defined;
    /// Reserved: a standing permission.
    Granted = "granted", DESK, AsBodySays, Reserved;
    /// Reserved: its end.
    GrantRevoked = "grant_revoked", DESK, AsBodySays, Reserved;
    /// Reserved: a reviewer changed the action.
    Edited = "edited", DESK, AsBodySays, Reserved;
    /// Reserved: a reviewer answered a question.
    Responded = "responded", DESK, AsBodySays, Reserved;
    /// Reserved: nothing starts any more.
    Frozen = "frozen", DESK, AsBodySays, Reserved;
    /// Reserved: things start again.
    Thawed = "thawed", DESK, AsBodySays, Reserved;
    /// Reserved: an emergency.
    BreakGlass = "break_glass", DESK, AsBodySays, Reserved;
    /// Reserved: an emergency was looked into afterwards.
    Reviewed = "reviewed", DESK, AsBodySays, Reserved;
    /// Reserved: a reviewer saw the hidden values.
    Viewed = "viewed", DESK, AsBodySays, Reserved;
    /// Reserved: a notice reached nobody.
    Undelivered = "undelivered", GATE_OR_DESK, AsBodySays, Reserved;
    /// Hidden values were erased.
    Erased = "erased", OPERATOR, Never, Defined;
    /// A key that the log did not name before.
    KeyAdded = "key_added", OPERATOR, Never, Defined;
    /// A key took another's place.
    KeyRotated = "key_rotated", OPERATOR, Never, Defined;
    /// A key is no longer in force.
    KeyRevoked = "key_revoked", OPERATOR, Never, Defined;
    /// The log continues one that was lost.
    Recovered = "recovered", OPERATOR, Never, Defined;
}

impl Kind {
    /// Whether this edition leaves the body to a later one.
    #[must_use]
    pub const fn is_reserved(self) -> bool {
        matches!(self.definition(), Definition::Reserved)
    }

    /// Whether the log itself reads its body, since it says which keys sign.
    #[must_use]
    pub const fn is_of_the_log(self) -> bool {
        matches!(self, Self::Genesis) || self.changes_keys()
    }

    /// Whether what other records are worth rests on its body.
    pub(super) const fn bears_on_others(self) -> bool {
        self.changes_keys() || matches!(self, Self::Erased | Self::Recovered)
    }

    /// Whether it changes which keys are in force.
    #[must_use]
    pub const fn changes_keys(self) -> bool {
        matches!(self, Self::KeyAdded | Self::KeyRotated | Self::KeyRevoked)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
