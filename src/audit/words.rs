//! An event in plain words, from signed bytes and the disclosures beside them.

use std::fmt::{Display, Write as _};

use crate::action::{
    BoundHop, Disclosure, DisclosureDigest, PersonId, Pseudonym, Rebuilt, Unbound, unbind,
};
use crate::approval::{
    Basis, Choice, ClockDoubt, DatasetName, DenialCause, Disposition, EndCode, Erased, Event,
    Exception, Expired, Finding, Finished, Hidden, LossCause, Mishap, Outcome, Proof,
    ReassessCause, Reassessed, Recovered, Renewed, Requested, Started, Timing, Touched, TreeHead,
    Unmet, Voted, Whose,
};
use crate::policy::{PolicyRevision, Requirement, Witnessing};

/// The most characters of a foreign text that a line quotes.
const QUOTED: usize = 160;

/// Finds the disclosure of a digest.
pub(super) type Lookup<'a> = &'a dyn Fn(&DisclosureDigest) -> Option<Disclosure>;

/// Tells events, with every text that is not the library's own made visible by `visible`.
pub(super) struct Teller<'a> {
    pub visible: &'a dyn Fn(&str) -> String,
}

impl Teller<'_> {
    pub(super) fn tell(&self, event: &Event, lookup: Lookup<'_>) -> String {
        match event {
            Event::PolicyAdopted(adopted) => {
                format!(
                    "process {} adopts {}",
                    adopted.instance,
                    self.revision(&adopted.revision)
                )
            }
            Event::Requested(requested) => self.requested(requested, lookup),
            Event::Voted(voted) => self.voted(voted),
            Event::Reassessed(reassessed) => self.reassessed(reassessed),
            Event::Started(started) => started_words(started),
            Event::LeaseRenewed(renewed) => format!(
                "the effect goes on; its lease holds until {}",
                renewed.lease_until
            ),
            Event::Finished(finished) => self.finished(finished),
            Event::Lost(lost) => match lost.why {
                LossCause::LeasePassed => {
                    "nobody knows how the effect ended: its lease passed".to_owned()
                }
                LossCause::InstanceGone => {
                    "nobody knows how the effect ended: its process is gone".to_owned()
                }
            },
            Event::Withdrawn(_) => "the requester withdraws it".to_owned(),
            Event::Superseded(superseded) => format!("request {} takes its place", superseded.by),
            Event::Cancelled(cancelled) => {
                let who = self.person(cancelled.person, &cancelled.id, &cancelled.proof);
                format!("{who} cancels it{}", self.saying(Some(&cancelled.reason)))
            }
            Event::Revoked(revoked) => {
                let who = self.person(revoked.person, &revoked.id, &revoked.proof);
                format!(
                    "{who} revokes the approval{}",
                    self.saying(Some(&revoked.reason))
                )
            }
            Event::Expired(Expired { instance: _, what }) => match what {
                Unmet::Pending => "it expires: nobody decided in time".to_owned(),
                Unmet::Unused => "the approval expires: it was not used in time".to_owned(),
            },
            Event::Reconciled(reconciled) => {
                let who = self.person(reconciled.person, &reconciled.id, &reconciled.proof);
                let finding = match reconciled.finding {
                    Finding::Succeeded => "did what was approved",
                    Finding::Failed => "did part of it, or something else",
                    Finding::NotRun => "did nothing",
                };
                format!(
                    "{who} finds that the effect {finding}{}",
                    self.saying(Some(&reconciled.reason))
                )
            }
            Event::Clock(doubted) => match doubted.what {
                ClockDoubt::Jump => format!(
                    "the clock jumped by {} µs: approvals wait for an operator",
                    doubted.micros
                ),
                ClockDoubt::Gap => format!(
                    "the clock was {} µs behind the last record at open",
                    doubted.micros
                ),
            },
            Event::ClockAcknowledged(acknowledged) => format!(
                "an operator trusts the clock again after record {}{}",
                acknowledged.clock,
                self.saying(Some(&acknowledged.reason))
            ),
            Event::Erased(erased) => self.erased(erased),
            Event::Recovered(recovered) => self.recovered(recovered),
        }
    }

    fn erased(&self, erased: &Erased) -> String {
        let many = match erased.digests.len() {
            1 => "one hidden value".to_owned(),
            many => format!("{many} hidden values"),
        };
        let whose = match erased.whose {
            Whose::Values => String::new(),
            Whose::Person(person) => format!(" that say who {person} is"),
        };
        format!(
            "the operator has erased {many}{whose}, on the ground {}{}",
            erased.basis,
            self.saying(Some(&erased.reason))
        )
    }

    fn recovered(&self, recovered: &Recovered) -> String {
        let what = match recovered.after {
            Mishap::Rollback => "an older copy of its store was put back",
            Mishap::Fork => "its store held another history",
            Mishap::HeadFileMissing => "its head file was gone",
            Mishap::StoreLost => "its store was lost",
            Mishap::Broken => "its store no longer verified",
        };
        let many = |head: Option<TreeHead>| head.map_or(0, |head| head.size);
        let attested = match recovered.attested {
            Some(head) => format!("{} records were attested", head.size),
            None => "nothing was attested".to_owned(),
        };
        format!(
            "an operator has begun this log in place of one that could not go on: {what}; {attested}, {} were found, and what was open there is void{}",
            many(recovered.found),
            self.saying(Some(&recovered.reason))
        )
    }

    fn requested(&self, requested: &Requested, lookup: Lookup<'_>) -> String {
        let mut line = match unbind(requested.bound.form(), lookup) {
            Ok(unbound) => self.asks(&unbound, requested),
            Err(_) => "an action is filed that cannot be read".to_owned(),
        };
        let verdict = match &requested.disposition {
            Disposition::Allow { use_by, witnessing } => {
                format!(
                    ": policy allows it until {use_by}{}",
                    witnessed(*witnessing)
                )
            }
            Disposition::Deny { cause: None } => ": policy denies it".to_owned(),
            Disposition::Deny { cause: Some(cause) } => format!(": denied, {}", denial(*cause)),
            Disposition::RequireApproval {
                requirement,
                expires,
            } => {
                let needed = self.requirement(requirement);
                let first = witnessed(requirement.witnessing);
                format!(": needs {needed} until {expires}{first}")
            }
        };
        line.push_str(&verdict);
        if let Some(because) = requested.because.as_ref() {
            let _ = write!(line, "; the agent says {}", self.quoted(because));
        }
        line
    }

    fn asks(&self, unbound: &Unbound, requested: &Requested) -> String {
        let mut hops = unbound.hops.iter().map(|hop| match hop {
            BoundHop::Human { person, id: None } => person.to_string(),
            BoundHop::Human {
                person: _,
                id: Some(id),
            } => id.to_string(),
            BoundHop::Agent(id) => format!("agent {id}"),
            BoundHop::Service(id) => format!("service {id}"),
        });
        let mut line = hops.next().unwrap_or_else(|| "somebody".to_owned());
        for delegator in hops {
            let _ = write!(line, " for {delegator}");
        }
        let form = requested.bound.form();
        let name = form
            .as_object()
            .and_then(|form| form.get("action")?.as_str())
            .unwrap_or("?");
        let _ = write!(line, " asks to run {}", (self.visible)(name));
        match &unbound.action {
            Rebuilt::Action(action) => {
                let resources = action.resources().iter().map(|resource| {
                    let id = (self.visible)(resource.id());
                    format!("{} {id}", resource.resource_type())
                });
                write_list(&mut line, " on ", resources);
            }
            Rebuilt::Incomplete(_) => line.push_str(" on what cannot be read here in full"),
        }
        line
    }

    fn voted(&self, voted: &Voted) -> String {
        let mut line = self.person(voted.person, &voted.id, &voted.proof);
        line.push_str(match voted.decision {
            Choice::Approve => " approves it",
            Choice::Deny => " denies it",
        });
        write_list(
            &mut line,
            " as ",
            voted
                .as_
                .iter()
                .map(|selector| (self.visible)(&selector.to_string())),
        );
        if let Some(Exception::SelfApproval) = voted.exception {
            line.push_str(", although they have an interest in it");
        }
        line.push_str(&self.saying(voted.comment.as_ref()));
        if let Some(ticket) = &voted.ticket {
            let _ = write!(line, ", ticket {}", self.quoted(ticket));
        }
        line
    }

    fn reassessed(&self, reassessed: &Reassessed) -> String {
        let cause = match reassessed.cause {
            ReassessCause::Policy => "policy changed",
            ReassessCause::Votes => "a vote no longer stands",
            ReassessCause::Interests => "a voter has an interest in it",
            ReassessCause::Labels => "what it reads has a new label",
            ReassessCause::PolicyError => "the policy failed",
            ReassessCause::PolicyTimeout => "the policy took too long",
            ReassessCause::PolicyPanicked => "the policy panicked",
            ReassessCause::FactsUnavailable => "what policy asks for could not be learnt",
        };
        let verdict = match &reassessed.verdict {
            Renewed::Allow => "it may still run".to_owned(),
            Renewed::Deny => "it is denied".to_owned(),
            Renewed::RequireApproval(requirement) => {
                format!("needs {}", self.requirement(requirement))
            }
        };
        let void = match reassessed.voided.len() {
            0 => String::new(),
            1 => "; one vote no longer counts".to_owned(),
            votes => format!("; {votes} votes no longer count"),
        };
        format!("it is judged again, since {cause}: {verdict}{void}")
    }

    fn finished(&self, finished: &Finished) -> String {
        let mut line = match finished.timing {
            Timing::InTime => String::new(),
            Timing::Late => "heard of after it was given up: ".to_owned(),
        };
        line.push_str(match finished.outcome {
            Outcome::Succeeded => "the effect succeeded",
            Outcome::Failed => "the effect failed",
            Outcome::Unknown => "nobody knows how the effect ended",
        });
        line.push_str(match finished.code {
            None => "",
            Some(EndCode::NotStarted) => ", it was never called",
            Some(EndCode::Stopped) => ", it was told to stop",
            Some(EndCode::Panicked) => ", it panicked",
            Some(EndCode::Dropped) => ", it was dropped",
            Some(EndCode::Unsure) => ", it cannot tell itself",
        });
        write_list(
            &mut line,
            ", read ",
            finished.used.iter().map(|dataset| self.dataset(dataset)),
        );
        write_list(
            &mut line,
            ", wrote ",
            finished
                .generated
                .iter()
                .map(|dataset| self.dataset(dataset)),
        );
        line
    }

    fn dataset(&self, dataset: &Touched) -> String {
        let name = match &dataset.name {
            DatasetName::Clear(name) | DatasetName::Sensitive(Hidden::Known(name)) => {
                (self.visible)(name)
            }
            DatasetName::Sensitive(Hidden::Missing(_)) => "what cannot be read here".to_owned(),
        };
        format!("{name} in {}", (self.visible)(&dataset.namespace))
    }

    fn requirement(&self, requirement: &Requirement) -> String {
        (self.visible)(&requirement.quorum.to_string())
    }

    fn revision(&self, revision: &PolicyRevision) -> String {
        format!(
            "policy {} of {}",
            revision.digest().short(),
            (self.visible)(revision.engine())
        )
    }

    fn person(&self, person: Pseudonym, id: &Hidden<PersonId>, proof: &Proof) -> String {
        let method = (self.visible)(&proof.method);
        let adapter = (self.visible)(&proof.adapter);
        match id {
            Hidden::Known(id) => format!("{id} ({method} through {adapter})"),
            Hidden::Missing(_) => format!("{person} ({method} through {adapter})"),
        }
    }

    fn saying(&self, text: Option<&Hidden<String>>) -> String {
        text.map(|text| format!(", saying {}", self.quoted(text)))
            .unwrap_or_default()
    }

    fn quoted(&self, text: &Hidden<String>) -> String {
        let Hidden::Known(text) = text else {
            return "what cannot be read here".to_owned();
        };
        let mut visible = (self.visible)(text);
        if let Some((end, _)) = visible.char_indices().nth(QUOTED) {
            visible.truncate(end);
            visible.push('…');
        }
        format!("“{visible}”")
    }
}

fn started_words(started: &Started) -> String {
    let mut line = match &started.basis {
        Basis::Allow => "the effect starts, as policy allows".to_owned(),
        Basis::RequireApproval {
            requirement: _,
            counted,
        } => match counted.len() {
            1 => "the effect starts, on one vote".to_owned(),
            votes => format!("the effect starts, on {votes} votes"),
        },
    };
    if let Some(size) = started.witnessed {
        let _ = write!(line, "; witnesses knew the first {size} records");
    }
    line
}

const fn witnessed(witnessing: Witnessing) -> &'static str {
    match witnessing {
        Witnessing::Afterwards => "",
        Witnessing::BeforeStart => ", once witnesses know of it",
    }
}

const fn denial(cause: DenialCause) -> &'static str {
    match cause {
        DenialCause::PolicyError => "since the policy failed",
        DenialCause::PolicyTimeout => "since the policy took too long",
        DenialCause::PolicyPanicked => "since the policy panicked",
        DenialCause::NotApplicable => "since no policy applies",
        DenialCause::FactsUnavailable => "since what policy asks for could not be learnt",
        DenialCause::Unsatisfiable => "since nobody could approve it",
    }
}

fn write_list(line: &mut String, before: &str, items: impl Iterator<Item = impl Display>) {
    let mut separator = before;
    for item in items {
        let _ = write!(line, "{separator}{item}");
        separator = ", ";
    }
}
