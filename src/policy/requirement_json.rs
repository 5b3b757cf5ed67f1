//! A requirement as records hold it (section 7 of the record format).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::canonical::{Json, Object};
use crate::clock::Timestamp;

use super::names::ProfileName;
use super::quorum::Quorum;
use super::requirement::{
    Clocks, Exclusion, MustSupply, Requirement, SelfApproval, Supply, Witnessing,
};

/// Why a member of a record is no requirement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{member}` of the requirement is not {expected}")]
pub struct RequirementJsonError {
    /// The member, dotted.
    member: &'static str,
    /// What should stand there.
    expected: &'static str,
}

impl Requirement {
    /// The one form of this requirement in records.
    pub fn to_json(&self) -> Json {
        let Self {
            quorum,
            exclude,
            clocks,
            must_supply,
            self_approval,
            witnessing,
            profiles,
        } = self;
        let Clocks {
            timeout,
            valid_after_approval,
            not_before,
            run_within,
        } = clocks;
        let MustSupply { reason, ticket } = must_supply;

        let mut spans = Object::new();
        spans.insert("timeout".to_owned(), seconds(*timeout));
        spans.insert("valid_for".to_owned(), seconds(*valid_after_approval));
        if let Some(run_within) = run_within {
            spans.insert("run_within".to_owned(), seconds(*run_within));
        }

        let exclude: BTreeSet<&str> = exclude.iter().map(|one| one.as_str()).collect();
        let supplies = [("reason", reason), ("ticket", ticket)];
        let supplies = supplies
            .into_iter()
            .filter(|(_, supply)| **supply == Supply::Required);
        let self_approval = match self_approval {
            SelfApproval::Refused => "refused",
            SelfApproval::Recorded => "recorded",
        };

        let mut object = Object::new();
        object.insert("clocks".to_owned(), Json::Object(spans));
        object.insert("exclude".to_owned(), texts(exclude));
        object.insert(
            "must_supply".to_owned(),
            texts(supplies.map(|(word, _)| word)),
        );
        if let Some(instant) = not_before {
            object.insert("not_before".to_owned(), Json::String(instant.to_string()));
        }
        object.insert(
            "profiles".to_owned(),
            texts(profiles.iter().map(ProfileName::as_str)),
        );
        object.insert("quorum".to_owned(), Json::String(quorum.to_string()));
        object.insert("self_approval".to_owned(), Json::from(self_approval));
        match witnessing {
            Witnessing::Afterwards => {}
            Witnessing::BeforeStart => {
                object.insert("witnessed".to_owned(), Json::Bool(true));
            }
        }
        Json::Object(object)
    }

    /// The requirement that [`Requirement::to_json`] wrote.
    ///
    /// # Errors
    ///
    /// If a member is missing, unknown, of another type, unsorted, or in any other spelling than the one that is written.
    pub fn from_json(json: &Json) -> Result<Self, RequirementJsonError> {
        let mut members = Members::of(json, "requirement")?;
        let mut spans = Members::of(members.take("clocks")?, "clocks")?;
        let clocks = Clocks {
            timeout: span(spans.take("timeout")?, "clocks.timeout")?,
            valid_after_approval: span(spans.take("valid_for")?, "clocks.valid_for")?,
            run_within: spans
                .take_optional("run_within")
                .map(|json| span(json, "clocks.run_within"))
                .transpose()?,
            not_before: members
                .take_optional("not_before")
                .map(instant)
                .transpose()?,
        };
        spans.finish("clocks")?;

        let expected = "a sorted array of exclusions";
        let exclude = words(members.take("exclude")?, "exclude")?
            .into_iter()
            .map(Exclusion::from_word)
            .collect::<Option<BTreeSet<Exclusion>>>()
            .ok_or_else(|| wrong("exclude", expected))?;
        let mut must_supply = MustSupply::default();
        for word in words(members.take("must_supply")?, "must_supply")? {
            match word {
                "reason" => must_supply.reason = Supply::Required,
                "ticket" => must_supply.ticket = Supply::Required,
                _ => {
                    return Err(wrong(
                        "must_supply",
                        "a sorted array of `reason` and `ticket`",
                    ));
                }
            }
        }
        let profiles = words(members.take("profiles")?, "profiles")?
            .into_iter()
            .map(ProfileName::new)
            .collect::<Result<BTreeSet<ProfileName>, _>>()
            .map_err(|_| wrong("profiles", "a sorted array of profile names"))?;
        let quorum = members
            .take("quorum")?
            .as_str()
            .and_then(|text| Quorum::parse_recorded(text).ok());
        let quorum = quorum.ok_or_else(|| wrong("quorum", "a quorum in its one spelling"))?;
        let self_approval = match members.take("self_approval")?.as_str() {
            Some("refused") => SelfApproval::Refused,
            Some("recorded") => SelfApproval::Recorded,
            _ => return Err(wrong("self_approval", "`refused` or `recorded`")),
        };
        let witnessing = match members.take_optional("witnessed") {
            None => Witnessing::Afterwards,
            Some(Json::Bool(true)) => Witnessing::BeforeStart,
            Some(_) => return Err(wrong("witnessed", "`true`")),
        };
        members.finish("requirement")?;
        Ok(Self {
            quorum,
            exclude,
            clocks,
            must_supply,
            self_approval,
            witnessing,
            profiles,
        })
    }
}

fn seconds(span: Duration) -> Json {
    // A clock holds at most thirty days; more than fits is cut and so only stricter.
    Json::from(u32::try_from(span.as_secs()).unwrap_or(u32::MAX))
}

fn texts<'a>(items: impl IntoIterator<Item = &'a str>) -> Json {
    Json::Array(items.into_iter().map(Json::from).collect())
}

/// The members of an object that were not read yet.
struct Members<'a> {
    object: &'a Object,
    read: usize,
}

impl<'a> Members<'a> {
    fn of(json: &'a Json, member: &'static str) -> Result<Self, RequirementJsonError> {
        let object = json.as_object().ok_or_else(|| wrong(member, "an object"))?;
        Ok(Self { object, read: 0 })
    }

    fn take(&mut self, name: &'static str) -> Result<&'a Json, RequirementJsonError> {
        self.take_optional(name).ok_or_else(|| wrong(name, "there"))
    }

    fn take_optional(&mut self, name: &str) -> Option<&'a Json> {
        let found = self.object.get(name)?;
        self.read += 1;
        Some(found)
    }

    /// Each name is asked for once, so that equal counts mean that nothing else is there.
    fn finish(self, member: &'static str) -> Result<(), RequirementJsonError> {
        if self.read == self.object.len() {
            Ok(())
        } else {
            Err(wrong(member, "free of unknown members"))
        }
    }
}

fn span(json: &Json, member: &'static str) -> Result<Duration, RequirementJsonError> {
    let whole = json
        .as_i64()
        .and_then(|seconds| u64::try_from(seconds).ok());
    whole
        .map(Duration::from_secs)
        .filter(|span| (Clocks::SHORTEST..=Clocks::LONGEST).contains(span))
        .ok_or_else(|| wrong(member, "a number of seconds from 1 to 2592000"))
}

fn instant(json: &Json) -> Result<Timestamp, RequirementJsonError> {
    json.as_str()
        .and_then(|text| Timestamp::parse(text).ok())
        .ok_or_else(|| wrong("not_before", "a time such as `2030-01-31T12:00:00.000000Z`"))
}

/// The strings of an array that is strictly ascending.
fn words<'a>(json: &'a Json, member: &'static str) -> Result<Vec<&'a str>, RequirementJsonError> {
    let items = json.as_array().ok_or_else(|| wrong(member, "an array"))?;
    let words = items
        .iter()
        .map(Json::as_str)
        .collect::<Option<Vec<&str>>>();
    words
        .filter(|words| words.is_sorted_by(|a, b| a < b))
        .ok_or_else(|| wrong(member, "a sorted array of distinct strings"))
}

fn wrong(member: &'static str, expected: &'static str) -> RequirementJsonError {
    RequirementJsonError { member, expected }
}
