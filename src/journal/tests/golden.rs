//! One fixed event of each kind and the entry that it becomes, for readers written elsewhere and for later editions.
//!
//! With `COUNTERSIGN_WRITE_VECTORS=1` in the environment the files are written instead of compared.

use std::sync::Arc;
use std::{env, fs, path::PathBuf};

use super::*;
use crate::action::{Bound, Dataset, TraceId, Unbound, unbind};
use crate::approval::testkit::*;
use crate::approval::*;
use crate::canonical::{Digest, Object};
use crate::policy::Witnessing;

fn known(text: &str) -> Hidden<String> {
    Hidden::Known(text.to_owned())
}

/// Digests in the order of their texts.
fn erased(seeds: &[u8]) -> Vec<DisclosureDigest> {
    let digest = |seed: &u8| DisclosureDigest::from_digest(Digest::sha256(&[*seed]));
    let mut digests: Vec<_> = seeds.iter().map(digest).collect();
    digests.sort_by_key(ToString::to_string);
    digests
}

fn one_of_each() -> Vec<Event> {
    let interests = Interests::none()
        .with(As::Delegator, person(1))
        .with(As::Controller, person(1))
        .with_unknown_controllers();
    let basis = Basis::RequireApproval {
        requirement: requirement("1 of group:security and 1 of group:data-owners"),
        counted: vec![
            counted(3, 2, &["group:security"]),
            counted(5, 3, &["group:data-owners"]),
        ],
    };
    vec![
        Event::PolicyAdopted(PolicyAdopted {
            revision: decision().revision,
            instance: instance(1),
        }),
        Event::Requested(Arc::new(Requested {
            interests: interests.clone(),
            because: Some(known("monthly report")),
            reason: Some(known("personal data leaves the database")),
            trace: Some(TraceId::new("4bf92f3577b34da6").unwrap()),
            ..asking(requirement(
                "1 of group:security and 1 of group:data-owners",
            ))
        })),
        Event::Voted(Box::new(Voted {
            comment: Some(known("checked with rita")),
            ticket: Some(known("T-4711")),
            code: Some(VoteCode::new("checked").unwrap()),
            ..voted(2, Choice::Approve, &["group:security", "role:dpo"])
        })),
        Event::Reassessed(Box::new(Reassessed {
            interests,
            reason: Some(known("the table was labelled")),
            ..reassessed(
                Renewed::RequireApproval(requirement("2 of group:security")),
                &[3, 5],
            )
        })),
        start(basis, 3600),
        renew(7200),
        Event::Finished(Box::new(Finished {
            code: Some(EndCode::Unsure),
            used: vec![Touched::from(
                &Dataset::new("postgres://db:5432", "crm.customers").label("pii"),
            )],
            generated: vec![Touched::from(
                &Dataset::new("file://host", "/out/rita.csv").sensitive(),
            )],
            derived: vec![Derivation {
                generated: 0,
                used: 0,
            }],
            result: Some(Hidden::Known(ResultDigest(Digest::sha256(b"42 rows")))),
            ..finished(Outcome::Unknown, Timing::Late)
        })),
        lose(LossCause::LeasePassed),
        withdraw(),
        supersede(),
        cancel(),
        revoke(),
        expire(Unmet::Unused),
        reconcile(Finding::NotRun),
        Event::Clock(ClockDoubted {
            instance: instance(1),
            what: ClockDoubt::Jump,
            micros: -6_000_000,
        }),
        Event::ClockAcknowledged(ClockAcknowledged {
            clock: At(6),
            reason: known("the time server was wrong"),
        }),
        Event::Erased(Box::new(Erased {
            basis: LegalBasis::new("gdpr_art_17_1_a").unwrap(),
            whose: Whose::Person(person(1)),
            digests: erased(&[1, 2]),
            reason: known("they asked for it"),
        })),
        Event::Recovered(Box::new(Recovered {
            after: Mishap::Rollback,
            attested: Some(TreeHead {
                size: 9,
                root: Digest::sha256(&[9]),
            }),
            found: Some(TreeHead {
                size: 5,
                root: Digest::sha256(&[5]),
            }),
            reason: known("the disk was restored"),
        })),
    ]
}

fn vector(event: &Event) -> String {
    let entry = entry(event);
    let disclosures = entry
        .disclosures
        .iter()
        .map(|one| Json::from(one.as_str()))
        .collect();
    let mut vector = Object::new()
        .with("kind", entry.kind.as_str())
        .with("role", entry.role.as_str())
        .with("body", Json::Object(object(&entry.body)))
        .with("disclosures", Json::Array(disclosures));
    if let Some(RequestRef { id, digest }) = entry.request {
        vector = vector
            .with("request", id.to_string())
            .with("action", digest.to_string());
    }
    String::from_utf8(vector.to_canonical()).unwrap() + "\n"
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/journal")
}

#[test]
fn every_kind_is_written_as_it_was() {
    let events = one_of_each();
    let defined = Kind::ALL
        .iter()
        .filter(|kind| !kind.is_reserved() && !kind.is_of_the_log());
    assert!(
        defined.eq(events
            .iter()
            .map(|event| entry(event).kind)
            .collect::<Vec<_>>()
            .iter())
    );
    for event in events {
        assert_written(event.kind(), &event);
    }
    for (name, event) in to_be_witnessed() {
        assert_written(name, &event);
    }
}

fn assert_written(name: &str, event: &Event) {
    let path = folder().join(format!("{name}.json"));
    let vector = vector(event);
    if env::var_os("COUNTERSIGN_WRITE_VECTORS").is_some() {
        fs::create_dir_all(folder()).unwrap();
        fs::write(&path, &vector).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    assert_eq!(kept, vector, "{name}");
}

/// The events that can say that witnesses have to know of a decision first.
fn to_be_witnessed() -> [(&'static str, Event); 3] {
    let requested = |disposition| Event::Requested(Arc::new(requested(disposition)));
    let requirement = requirement("1 of group:security").witnessed(Witnessing::BeforeStart);
    let started = Started {
        witnessed: Some(5),
        ..started(Basis::Allow, 3600)
    };
    [
        (
            "requested_allowed_witnessed",
            requested(Disposition::Allow {
                use_by: at(900),
                witnessing: Witnessing::BeforeStart,
            }),
        ),
        (
            "requested_asking_witnessed",
            requested(Disposition::RequireApproval {
                requirement,
                expires: at(100),
            }),
        ),
        ("started_witnessed", Event::Started(Box::new(started))),
    ]
}

#[test]
fn every_kind_is_read_as_it_was() {
    let kinds = one_of_each().into_iter();
    let kinds = kinds.map(|event| (event.kind(), event));
    for (name, event) in kinds.chain(to_be_witnessed()) {
        let kept = fs::read(folder().join(format!("{name}.json"))).unwrap();
        let kept = object(kept.trim_ascii_end());
        let text = |name: &str| kept.get(name).and_then(Json::as_str);
        let disclosures = kept.get("disclosures").unwrap().as_array().unwrap().iter();
        let disclosures = disclosures.map(|one| Disclosure::parse(one.as_str().unwrap()).unwrap());
        let filed = Filed {
            kind: Kind::parse(text("kind").unwrap()).unwrap(),
            request: text("request").map(|id| RequestRef {
                id: RequestId::parse(id).unwrap(),
                digest: crate::action::ActionDigest::parse(text("action").unwrap()).unwrap(),
            }),
            body: kept.get("body").unwrap().as_object().unwrap().clone(),
            disclosures: disclosures.map(|one| (one.digest(), one)).collect(),
        };
        let read = filed.read().unwrap();
        match (&read, &event) {
            // Which salt hides which member is chance; what they hide is not.
            (Event::Requested(read), Event::Requested(event)) => {
                assert_eq!(shown(&read.bound), shown(&event.bound));
                assert_eq!(read.disposition, event.disposition);
                assert_eq!(read.because, event.because);
            }
            _ => assert_eq!(read, event),
        }
    }
}

/// Everything that a bound form says, hidden members too.
fn shown(bound: &Bound) -> Unbound {
    let find = |digest: &DisclosureDigest| {
        let mut all = bound.disclosures().iter();
        all.find(|one| one.digest() == *digest).cloned()
    };
    unbind(bound.form(), &find).unwrap()
}
