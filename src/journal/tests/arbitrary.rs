//! Every kind of event with every optional member there and not there.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::{collection, option};

use crate::action::{Bound, Dataset, DisclosureDigest, PersonId, PrincipalId, Pseudonym, TraceId};
use crate::approval::testkit::*;
use crate::approval::*;
use crate::canonical::{Digest, Json, Object};
use crate::policy::{
    Exclusion, ProfileName, Requirement, Selector, SelfApproval, Supply, Witnessing,
};

/// Text as people and agents write it, hostile where it can be.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,12}",
        Just("_sd".to_owned()),
        Just("\u{202e}\u{0}\"\\".to_owned())
    ]
}

fn hidden_text() -> impl Strategy<Value = Hidden<String>> {
    text().prop_map(Hidden::Known)
}

fn id() -> impl Strategy<Value = Hidden<PersonId>> {
    "[a-z]{1,8}".prop_map(|subject| {
        Hidden::Known(PersonId::new(PrincipalId::new("demo", subject).unwrap()))
    })
}

fn time() -> impl Strategy<Value = crate::clock::Timestamp> {
    (0u64..1 << 30).prop_map(at)
}

fn selected() -> impl Strategy<Value = BTreeSet<Selector>> {
    collection::btree_set("(group|user|role|oncall|service):[a-z/]{1,6}", 0..4).prop_map(|texts| {
        texts
            .iter()
            .map(|text| Selector::parse(text).unwrap())
            .collect()
    })
}

fn a_proof() -> impl Strategy<Value = Proof> {
    (text(), text(), time(), option::of(text())).prop_map(|(method, adapter, at, assurance)| {
        Proof {
            method,
            adapter,
            at,
            assurance,
        }
    })
}

fn interests() -> impl Strategy<Value = Interests> {
    let tie = prop::sample::select(vec![As::Requester, As::Delegator, As::Controller]);
    (collection::vec((tie, any::<u8>()), 0..5), any::<bool>()).prop_map(|(people, unknown)| {
        let interests = people
            .into_iter()
            .fold(Interests::none(), |interests, (tie, who)| {
                interests.with(tie, person(who))
            });
        if unknown {
            interests.with_unknown_controllers()
        } else {
            interests
        }
    })
}

fn witnessing() -> impl Strategy<Value = Witnessing> {
    prop::sample::select(vec![Witnessing::Afterwards, Witnessing::BeforeStart])
}

fn a_requirement() -> impl Strategy<Value = Requirement> {
    let quorum = prop::sample::select(vec![
        "1 of group:a",
        "2 of group:a and (1 of role:b or 1 of user:demo/rita)",
    ]);
    let exclude = prop::sample::subsequence(Exclusion::ALL.to_vec(), 0..=4);
    (
        quorum,
        exclude,
        option::of(time()),
        option::of(1u64..1000),
        any::<[bool; 4]>(),
        witnessing(),
    )
        .prop_map(
            |(
                quorum,
                exclude,
                not_before,
                run_within,
                [reason, ticket, excused, profile],
                witnessing,
            )| {
                let mut requirement = requirement(quorum);
                requirement.witnessing = witnessing;
                requirement.exclude = exclude.into_iter().collect();
                requirement.clocks.not_before = not_before;
                requirement.clocks.run_within = run_within.map(std::time::Duration::from_secs);
                let supply = |wanted| {
                    if wanted {
                        Supply::Required
                    } else {
                        Supply::Optional
                    }
                };
                requirement.must_supply.reason = supply(reason);
                requirement.must_supply.ticket = supply(ticket);
                if excused {
                    requirement.self_approval = SelfApproval::Recorded;
                }
                requirement
                    .profiles
                    .extend(profile.then(|| ProfileName::new("two-people").unwrap()));
                requirement
            },
        )
}

fn touched() -> impl Strategy<Value = Touched> {
    let kind = prop::sample::select(vec![
        Dataset::new as fn(_, _) -> _,
        Dataset::model,
        Dataset::code,
    ]);
    (
        kind,
        "[a-z:/]{1,8}",
        "[a-z./]{1,12}",
        collection::btree_set("[a-z]{1,5}", 0..3),
        any::<bool>(),
    )
        .prop_map(
            |(kind, namespace, name, labels, sensitive): (
                fn(String, String) -> Dataset,
                _,
                _,
                _,
                _,
            )| {
                let dataset = labels.iter().fold(kind(namespace, name), Dataset::label);
                let dataset = if sensitive {
                    dataset.sensitive()
                } else {
                    dataset
                };
                Touched::from(&dataset.checked().unwrap())
            },
        )
}

/// A bound form as `decode` gives it: its disclosures in the order in which the form names them.
fn in_order(bound: Bound) -> Bound {
    let text = String::from_utf8(bound.form().to_canonical()).unwrap();
    let mut disclosures = bound.disclosures().to_vec();
    disclosures.sort_by_key(|one| text.find(&one.digest().to_string()).unwrap());
    Bound::of_form(bound.form().clone(), disclosures)
}

fn requested() -> impl Strategy<Value = Event> {
    let cause = prop::sample::select(vec![
        DenialCause::PolicyError,
        DenialCause::PolicyTimeout,
        DenialCause::PolicyPanicked,
        DenialCause::NotApplicable,
        DenialCause::FactsUnavailable,
        DenialCause::Unsatisfiable,
    ]);
    let disposition = prop_oneof![
        (time(), witnessing())
            .prop_map(|(use_by, witnessing)| Disposition::Allow { use_by, witnessing }),
        option::of(cause).prop_map(|cause| Disposition::Deny { cause }),
        (a_requirement(), time()).prop_map(|(requirement, expires)| Disposition::RequireApproval {
            requirement,
            expires
        }),
    ];
    let rest = (
        option::of(hidden_text()),
        option::of(hidden_text()),
        any::<bool>(),
    );
    (any::<u8>(), interests(), disposition, rest).prop_map(
        |(number, interests, disposition, (because, reason, trace))| {
            Event::Requested(Arc::new(Requested {
                bound: in_order(bound(request(number))),
                decision: decision(),
                instance: instance(1),
                interests,
                disposition,
                because,
                reason,
                trace: trace.then(|| TraceId::new("trace-1").unwrap()),
            }))
        },
    )
}

fn votes() -> impl Strategy<Value = Event> {
    let choice = prop::sample::select(vec![Choice::Approve, Choice::Deny]);
    let optional = (
        option::of(hidden_text()),
        option::of(hidden_text()),
        option::of("[a-z0-9_]{1,64}"),
        any::<[bool; 2]>(),
    );
    (any::<u8>(), id(), choice, selected(), a_proof(), optional).prop_map(
        |(who, id, decision, as_, proof, (comment, ticket, code, [excused, attested]))| {
            Event::Voted(Box::new(Voted {
                id,
                as_,
                exception: excused.then_some(Exception::SelfApproval),
                proof,
                comment,
                ticket,
                code: code.map(|code| VoteCode::new(&code).unwrap()),
                attestation: attested.then(|| {
                    Object::new()
                        .with("payload", "e30=")
                        .with("_sd", Json::Null)
                }),
                ..voted(who, decision, &[])
            }))
        },
    )
}

fn reassessments() -> impl Strategy<Value = Event> {
    let cause = prop::sample::select(vec![
        ReassessCause::Policy,
        ReassessCause::Votes,
        ReassessCause::Interests,
        ReassessCause::Labels,
        ReassessCause::PolicyError,
        ReassessCause::PolicyTimeout,
        ReassessCause::PolicyPanicked,
        ReassessCause::FactsUnavailable,
    ]);
    let verdict = prop_oneof![
        Just(Renewed::Allow),
        Just(Renewed::Deny),
        a_requirement().prop_map(Renewed::RequireApproval)
    ];
    (
        cause,
        verdict,
        interests(),
        collection::btree_set(0u64..1000, 0..4),
        option::of(hidden_text()),
    )
        .prop_map(|(cause, verdict, interests, voided, reason)| {
            Event::Reassessed(Box::new(Reassessed {
                cause,
                interests,
                voided: voided.into_iter().map(At).collect(),
                reason,
                ..reassessed(verdict, &[])
            }))
        })
}

fn starts() -> impl Strategy<Value = Event> {
    let counted = (0u64..1000, any::<u8>(), selected()).prop_map(|(vote, who, as_)| Counted {
        vote: At(vote),
        person: person(who),
        as_,
    });
    let basis = prop_oneof![
        Just(Basis::Allow),
        (a_requirement(), collection::vec(counted, 0..3)).prop_map(|(requirement, counted)| {
            Basis::RequireApproval {
                requirement,
                counted,
            }
        })
    ];
    let rest = (interests(), 0u64..1000, option::of(0u64..1 << 53));
    (basis, rest).prop_map(|(basis, (interests, lease, witnessed))| {
        Event::Started(Box::new(Started {
            interests,
            witnessed,
            ..started(basis, lease)
        }))
    })
}

fn ends() -> impl Strategy<Value = Event> {
    let outcome = prop::sample::select(vec![Outcome::Succeeded, Outcome::Failed, Outcome::Unknown]);
    let code = prop::sample::select(vec![
        EndCode::NotStarted,
        EndCode::Stopped,
        EndCode::Panicked,
        EndCode::Dropped,
        EndCode::Unsure,
    ]);
    let touched = || collection::vec(touched(), 0..3);
    let derived = collection::vec((any::<u32>(), any::<u32>()), 0..3);
    (
        outcome,
        option::of(code),
        touched(),
        touched(),
        derived,
        any::<[bool; 2]>(),
    )
        .prop_map(
            |(outcome, code, used, generated, derived, [late, result])| {
                let derived = derived
                    .into_iter()
                    .map(|(generated, used)| Derivation { generated, used });
                Event::Finished(Box::new(Finished {
                    code,
                    used,
                    generated,
                    derived: derived.collect(),
                    result: result.then(|| Hidden::Known(ResultDigest(Digest::sha256(b"rows")))),
                    ..finished(outcome, if late { Timing::Late } else { Timing::InTime })
                }))
            },
        )
}

/// What people and processes do to a request apart from all that.
fn the_rest() -> impl Strategy<Value = Event> {
    let closed = (any::<u8>(), id(), a_proof(), hidden_text());
    let closed = (closed, 0..5).prop_map(|((who, id, proof, reason), which)| {
        let person = person(who);
        let finding = match which {
            0 => {
                return Event::Cancelled(Cancelled {
                    person,
                    id,
                    proof,
                    reason,
                });
            }
            1 => {
                return Event::Revoked(Revoked {
                    person,
                    id,
                    proof,
                    reason,
                });
            }
            2 => Finding::Succeeded,
            3 => Finding::Failed,
            _ => Finding::NotRun,
        };
        Event::Reconciled(Reconciled {
            execution: execution(1),
            finding,
            person,
            id,
            proof,
            reason,
        })
    });
    let plain = prop::sample::select(vec![
        renew(60),
        lose(LossCause::LeasePassed),
        lose(LossCause::InstanceGone),
        withdraw(),
        supersede(),
        expire(Unmet::Pending),
        expire(Unmet::Unused),
        Event::PolicyAdopted(PolicyAdopted {
            revision: decision().revision,
            instance: instance(1),
        }),
    ]);
    let clock = (any::<bool>(), -(1i64 << 53) + 1..1 << 53).prop_map(|(jump, micros)| {
        Event::Clock(ClockDoubted {
            instance: instance(1),
            what: if jump {
                ClockDoubt::Jump
            } else {
                ClockDoubt::Gap
            },
            micros,
        })
    });
    let acknowledged = (0u64..1000, hidden_text()).prop_map(|(clock, reason)| {
        Event::ClockAcknowledged(ClockAcknowledged {
            clock: At(clock),
            reason,
        })
    });
    let erased = (
        collection::btree_set(any::<[u8; 32]>(), 1..20),
        option::of(any::<[u8; 16]>()),
        hidden_text(),
    )
        .prop_map(|(digests, person, reason)| {
            let digest = |bytes: [u8; 32]| DisclosureDigest::from_digest(Digest::from_bytes(bytes));
            let mut digests: Vec<_> = digests.into_iter().map(digest).collect();
            digests.sort_by_key(ToString::to_string);
            Event::Erased(Box::new(Erased {
                basis: LegalBasis::new("contract.retention:7y").unwrap(),
                whose: person.map_or(Whose::Values, |bytes| {
                    Whose::Person(Pseudonym::from_bytes(bytes))
                }),
                digests,
                reason,
            }))
        });
    let head = || {
        let head = (1u64..1 << 53, any::<[u8; 32]>());
        option::of(head.prop_map(|(size, root)| TreeHead {
            size,
            root: Digest::from_bytes(root),
        }))
    };
    let after = proptest::sample::select(vec![
        Mishap::Rollback,
        Mishap::Fork,
        Mishap::HeadFileMissing,
        Mishap::StoreLost,
        Mishap::Broken,
    ]);
    let recovered =
        (after, head(), head(), hidden_text()).prop_map(|(after, attested, found, reason)| {
            Event::Recovered(Box::new(Recovered {
                after,
                attested,
                found,
                reason,
            }))
        });
    prop_oneof![4 => closed, 4 => plain, 1 => clock, 1 => acknowledged, 1 => erased, 1 => recovered]
}

pub(super) fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        requested(),
        votes(),
        reassessments(),
        starts(),
        ends(),
        the_rest()
    ]
}
