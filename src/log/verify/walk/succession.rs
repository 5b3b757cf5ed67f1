//! Whether a log that continues another says so where it begins (S14).

use super::Walk;
use crate::{
    canonical::{Digest, Json, Object},
    log::{
        genesis::Predecessor, id::Seq, kind::Kind, rule::Rule, statement::KnownOr,
        verify::examine::Sound,
    },
};

/// Where a log says from what it was recovered.
const PLACE: Seq = Seq::new(1);

/// What a `recovered` record says about the log that this one continues.
#[derive(Debug)]
pub(in crate::log::verify) struct Succession {
    after: After,
    attested: Option<TreeHead>,
    found: Option<TreeHead>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Rollback,
    Fork,
    HeadFileMissing,
    StoreLost,
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TreeHead {
    size: u64,
    root: Digest,
}

impl Succession {
    /// The clear members of the body; `None` if they are none of its kind.
    pub(in crate::log::verify) fn read(body: &Object) -> Option<Self> {
        Some(Self {
            after: match body.get("after")?.as_str()? {
                "rollback" => After::Rollback,
                "fork" => After::Fork,
                "head_file_missing" => After::HeadFileMissing,
                "store_lost" => After::StoreLost,
                "broken" => After::Broken,
                _ => return None,
            },
            attested: TreeHead::read(body.get("attested")?)?,
            found: TreeHead::read(body.get("found")?)?,
        })
    }

    /// Whether its members fit together, and the genesis.
    fn check(&self, predecessor: &Predecessor) -> Result<(), &'static str> {
        let Self {
            after,
            attested,
            found,
        } = self;
        let size = |head: &Option<TreeHead>| head.map_or(0, |head| head.size);
        let (seen, held) = (size(attested), size(found));
        let fits = match after {
            After::Rollback => held < seen && held > 0,
            After::Fork => seen <= held && seen > 0 && attested != found,
            After::HeadFileMissing => held > 0 && seen <= held,
            After::StoreLost => held == 0 && seen > 0,
            After::Broken => held > 0 || seen > 0,
        };
        if !fits {
            return Err("what it says to have been attested and found is not what befell the log");
        }
        let head = attested.or(*found);
        let named = TreeHead {
            size: predecessor.size,
            root: predecessor.root,
        };
        match head == Some(named) {
            true => Ok(()),
            false => Err("the genesis names another head of the log that this one continues"),
        }
    }
}

impl TreeHead {
    fn read(json: &Json) -> Option<Option<Self>> {
        if *json == Json::Null {
            return Some(None);
        }
        let members = json.as_object().filter(|members| members.len() == 2)?;
        let head = Self {
            size: u64::try_from(members.get("size")?.as_i64()?).ok()?,
            root: Digest::parse_hex(members.get("root")?.as_str()?).ok()?,
        };
        (head.size > 0).then_some(Some(head))
    }
}

impl Walk<'_> {
    /// Whether it says what was lost if and only if it is the first record after a genesis that continues another log.
    pub(super) fn pass_succession(&mut self, seq: Seq, says: &Sound) -> bool {
        let recovered = says.kind == KnownOr::Known(Kind::Recovered);
        let due = seq == PLACE && self.ground.predecessor.is_some();
        if says.unjudged.is_some() {
            return true;
        }
        let why = match (&says.succession, &self.ground.predecessor, due) {
            (Some(succession), Some(predecessor), true) => match succession.check(predecessor) {
                Ok(()) => return true,
                Err(why) => why,
            },
            _ if due => {
                "the genesis says that the log continues another, and this record does not say what was lost"
            }
            _ if recovered => {
                "only the record after a genesis that names a predecessor says what was lost"
            }
            _ => return true,
        };
        self.broken(seq, Rule::S14, why);
        false
    }

    /// A log that continues another has more than its genesis.
    pub(super) fn finish_succession(&mut self) {
        if self.ground.predecessor.is_some() && self.next == PLACE.get() {
            let why =
                "the genesis says that the log continues another, and no record says what was lost";
            self.broken(Seq::GENESIS, Rule::S14, why);
        }
    }
}
