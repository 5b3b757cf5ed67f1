//! Random lives, told to the fold and to a small model of a few maps that shares no code with it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::testkit::*;
use super::super::*;

#[derive(Clone, Debug)]
enum Command {
    Approve {
        who: u8,
        groups: u8,
    },
    Deny {
        who: u8,
        groups: u8,
    },
    Reassess {
        tighten: bool,
        void: u8,
        interested: Option<u8>,
    },
    ReassessDeny,
    Start {
        leave_out: Option<u8>,
        lease: u64,
    },
    Renew {
        lease: u64,
    },
    Finish {
        outcome: u8,
        late: bool,
        other: bool,
    },
    Lose {
        passed: bool,
    },
    Withdraw,
    Supersede,
    Cancel,
    Revoke,
    Expire {
        unused: bool,
    },
    Reconcile {
        other: bool,
    },
}

/// Votes by record; whatever else there is, by name.
#[derive(Debug, Default)]
struct Model {
    stage: &'static str,
    /// 1: somebody of `a`. 2: somebody of `a` and somebody else of `b`. 0: nobody is asked.
    quorum: u8,
    pending_until: Option<u64>,
    usable_until: u64,
    lease_until: u64,
    interested: BTreeSet<u8>,
    votes: BTreeMap<u64, (u8, u8)>,
    flags: BTreeSet<&'static str>,
}

const A: u8 = 1;
const B: u8 = 2;

impl Model {
    fn counting(&self) -> Vec<(u64, u8, u8)> {
        let votes = self
            .votes
            .iter()
            .map(|(seq, (who, groups))| (*seq, *who, *groups));
        votes
            .filter(|(_, who, _)| !self.interested.contains(who))
            .collect()
    }

    fn met(&self, votes: &[(u64, u8, u8)]) -> bool {
        let mut pairs = votes
            .iter()
            .flat_map(|one| votes.iter().map(move |other| (one, other)));
        match self.quorum {
            1 => votes.iter().any(|(_, _, groups)| groups & A != 0),
            2 => pairs.any(|(one, other)| one.1 != other.1 && one.2 & A != 0 && other.2 & B != 0),
            _ => false,
        }
    }

    fn asked(&self, groups: u8) -> bool {
        (self.quorum >= 1 && groups & A != 0) || (self.quorum == 2 && groups & B != 0)
    }

    fn waits(&self, now: u64) -> bool {
        (self.stage == "pending" && Some(now) < self.pending_until)
            || (self.stage == "approved" && now < self.usable_until)
    }

    /// Whether the command is allowed; if so, it happens.
    fn tell(&mut self, seq: u64, now: u64, command: &Command) -> bool {
        let waits = self.waits(now);
        match *command {
            Command::Approve { who, groups } => {
                let again = self.votes.values().any(|(voter, _)| *voter == who);
                let free = !self.interested.contains(&who);
                let ok = waits && self.stage == "pending" && !again && free && self.asked(groups);
                if ok {
                    self.votes.insert(seq, (who, groups));
                    if self.met(&self.counting()) {
                        self.stage = "approved";
                        self.usable_until = now + 50;
                    }
                }
                ok
            }
            Command::Deny { groups, .. } => self.to(waits && self.asked(groups), "rejected"),
            Command::ReassessDeny => self.to(waits, "denied"),
            Command::Reassess {
                tighten,
                void,
                interested,
            } => {
                let weaker = self.quorum == 2 && !tighten;
                if !waits || weaker || (void > 0 && self.votes.len() < usize::from(void)) {
                    return false;
                }
                if void > 0 {
                    let seq = *self.votes.keys().nth(usize::from(void) - 1).unwrap();
                    self.votes.remove(&seq);
                }
                self.interested.extend(interested);
                self.quorum = if tighten { 2 } else { 1 };
                let met = self.met(&self.counting());
                match (met, self.stage) {
                    (true, "pending") => {
                        self.stage = "approved";
                        self.usable_until = now + 50;
                    }
                    (false, _) => {
                        self.stage = "pending";
                        self.pending_until.get_or_insert(now + 100);
                    }
                    _ => {}
                }
                true
            }
            Command::Start { leave_out, lease } => {
                let counted = self.to_count(leave_out);
                let met = self.quorum == 0 || self.met(&counted);
                if met && self.stage == "approved" && waits {
                    self.lease_until = now + lease;
                }
                self.to(waits && self.stage == "approved" && met, "running")
            }
            Command::Renew { lease } => {
                let ok = self.stage == "running" && now < self.lease_until;
                if ok {
                    self.lease_until = now + lease;
                }
                ok
            }
            Command::Finish {
                outcome,
                late,
                other,
            } => {
                let ok = !other
                    && if late {
                        self.stage == "unresolved"
                            && self.flags.contains("lost")
                            && self.flags.insert("late")
                    } else {
                        self.stage == "running"
                    };
                if ok && !late {
                    self.stage = if outcome == 2 {
                        "unresolved"
                    } else {
                        "finished"
                    };
                }
                ok
            }
            Command::Lose { passed } => {
                let ok = self.stage == "running" && (!passed || now >= self.lease_until);
                if ok {
                    self.flags.insert("lost");
                }
                self.to(ok, "unresolved")
            }
            Command::Withdraw => self.to(waits, "withdrawn"),
            Command::Supersede => self.to(waits, "superseded"),
            Command::Cancel => self.to(waits, "cancelled"),
            Command::Revoke => match self.stage {
                "running" => self.flags.insert("revoked"),
                stage => self.to(waits && stage == "approved", "revoked"),
            },
            Command::Expire { unused } => {
                let stage = if unused { "approved" } else { "pending" };
                self.to(self.stage == stage && !waits, "expired")
            }
            Command::Reconcile { other } => {
                self.to(self.stage == "unresolved" && !other, "reconciled")
            }
        }
    }

    fn to(&mut self, ok: bool, stage: &'static str) -> bool {
        if ok {
            self.stage = stage;
        }
        ok
    }

    /// The votes that a start names: those that count, but for one.
    fn to_count(&self, leave_out: Option<u8>) -> Vec<(u64, u8, u8)> {
        let mut counting = self.counting();
        if let Some(index) = leave_out
            && usize::from(index) < counting.len()
        {
            counting.remove(usize::from(index));
        }
        counting
    }

    /// What the request is at `now`, in a word.
    fn word(&self, now: u64) -> &'static str {
        match self.stage {
            "pending" | "approved" if !self.waits(now) => "expired",
            stage => stage,
        }
    }
}

fn groups(bits: u8) -> Vec<&'static str> {
    let named = [(A, "group:a"), (B, "group:b"), (4, "group:c")];
    named
        .iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, name)| *name)
        .collect()
}

fn quorum(number: u8) -> crate::policy::Requirement {
    match number {
        2 => requirement("1 of group:a and 1 of group:b"),
        _ => requirement("1 of group:a"),
    }
}

/// The event that a command stands for, where the model is.
fn event(model: &Model, now: u64, command: &Command) -> Event {
    match *command {
        Command::Approve { who, groups: bits } => approve(who, &groups(bits)),
        Command::Deny { who, groups: bits } => deny(who, &groups(bits)),
        Command::ReassessDeny => reassess(Renewed::Deny, &[]),
        Command::Reassess {
            tighten,
            void,
            interested,
        } => {
            // Beyond the votes there are it names one that is none.
            let voided = (void > 0).then(|| {
                model
                    .votes
                    .keys()
                    .nth(usize::from(void) - 1)
                    .copied()
                    .unwrap_or(0)
            });
            let interests = interested.map_or(Interests::none(), |who| {
                Interests::none().with(As::Controller, person(who))
            });
            Event::Reassessed(Box::new(Reassessed {
                interests,
                voided: voided.into_iter().map(At).collect(),
                ..reassessed(
                    Renewed::RequireApproval(quorum(if tighten { 2 } else { 1 })),
                    &[],
                )
            }))
        }
        Command::Start { leave_out, lease } => {
            let votes = model.to_count(leave_out);
            let votes = votes
                .iter()
                .map(|(seq, who, bits)| counted(*seq, *who, &groups(*bits)));
            let basis = match model.quorum {
                0 => Basis::Allow,
                number => Basis::RequireApproval {
                    requirement: quorum(number),
                    counted: votes.collect(),
                },
            };
            start(basis, now + lease)
        }
        Command::Renew { lease } => renew(now + lease),
        Command::Finish {
            outcome,
            late,
            other,
        } => {
            let outcome =
                [Outcome::Succeeded, Outcome::Failed, Outcome::Unknown][usize::from(outcome)];
            let mut finished = finished(outcome, if late { Timing::Late } else { Timing::InTime });
            if other {
                finished.execution = execution(2);
            }
            Event::Finished(Box::new(finished))
        }
        Command::Lose { passed } => lose(if passed {
            LossCause::LeasePassed
        } else {
            LossCause::InstanceGone
        }),
        Command::Withdraw => withdraw(),
        Command::Supersede => supersede(),
        Command::Cancel => cancel(),
        Command::Revoke => revoke(),
        Command::Expire { unused } => expire(if unused {
            Unmet::Unused
        } else {
            Unmet::Pending
        }),
        Command::Reconcile { other } => match reconcile(Finding::Failed) {
            Event::Reconciled(mut reconciled) if other => {
                reconciled.execution = execution(2);
                Event::Reconciled(reconciled)
            }
            event => event,
        },
    }
}

fn word(status: &Status) -> &'static str {
    match status {
        Status::Denied => "denied",
        Status::Pending { .. } => "pending",
        Status::Approved { .. } => "approved",
        Status::Running { .. } => "running",
        Status::Unresolved { .. } => "unresolved",
        Status::Finished { .. } => "finished",
        Status::Rejected { .. } => "rejected",
        Status::Withdrawn => "withdrawn",
        Status::Superseded { .. } => "superseded",
        Status::Cancelled => "cancelled",
        Status::Revoked => "revoked",
        Status::Expired { .. } => "expired",
        Status::Reconciled { .. } => "reconciled",
    }
}

fn commands() -> impl Strategy<Value = Vec<(u64, Command)>> {
    let command = prop_oneof![
        12 => (2u8..6, 1u8..8).prop_map(|(who, groups)| Command::Approve { who, groups }),
        1 => (2u8..6, 1u8..8).prop_map(|(who, groups)| Command::Deny { who, groups }),
        4 => (any::<bool>(), 0u8..3, prop::option::weighted(0.3, 2u8..6))
            .prop_map(|(tighten, void, interested)| Command::Reassess { tighten, void, interested }),
        1 => Just(Command::ReassessDeny),
        6 => (prop::option::weighted(0.3, 0u8..2), 1u64..60).prop_map(|(leave_out, lease)| Command::Start { leave_out, lease }),
        4 => (1u64..60).prop_map(|lease| Command::Renew { lease }),
        4 => (0u8..3, any::<bool>(), prop::bool::weighted(0.2)).prop_map(|(outcome, late, other)| Command::Finish {
            outcome,
            late,
            other
        }),
        3 => any::<bool>().prop_map(|passed| Command::Lose { passed }),
        1 => Just(Command::Withdraw),
        1 => Just(Command::Supersede),
        1 => Just(Command::Cancel),
        2 => Just(Command::Revoke),
        2 => any::<bool>().prop_map(|unused| Command::Expire { unused }),
        2 => prop::bool::weighted(0.2).prop_map(|other| Command::Reconcile { other }),
    ];
    prop::collection::vec((prop_oneof![4 => 0u64..3, 1 => 0u64..40], command), 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_fold_and_the_model_agree(asks in any::<bool>(), commands in commands()) {
        let (requested, mut model) = if asks {
            let model = Model { stage: "pending", quorum: 1, pending_until: Some(100), ..Model::default() };
            (asking(quorum(1)), model)
        } else {
            let model = Model { stage: "approved", usable_until: 50, ..Model::default() };
            (requested(Disposition::Allow { use_by: at(50), witnessing: Default::default() }), model)
        };
        let mut story = Story::begin(requested);
        let mut now = 0;
        let mut starts = 0;
        for (step, command) in commands {
            now += step;
            let event = event(&model, now, &command);
            let is_start = matches!(event, Event::Started(_));
            let told = story.try_tell(now, event);
            let seq = (story.records.len() - usize::from(told.is_ok())) as u64;
            prop_assert_eq!(told.is_ok(), model.tell(seq, now, &command), "{:?} at {}: {:?}", command, now, told);
            for later in [0, 1, 49, 50, 100] {
                let status = story.state.status(at(now + later));
                prop_assert_eq!(word(&status), model.word(now + later), "after {:?}", command);
            }
            let stops = matches!(
                story.state.status(at(now)),
                Status::Running { stop: Some(StopCause::Revoked), .. }
            );
            prop_assert_eq!(stops, model.stage == "running" && model.flags.contains("revoked"));
            starts += u32::from(is_start && told.is_ok());
        }
        prop_assert!(starts <= 1);
        // The whole life told at once is the same as told step by step.
        prop_assert_eq!(RequestState::fold(&story.records), Ok(story.state));
    }
}
