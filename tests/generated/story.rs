//! A random life of a log: requests that are filed, voted on, started and ended, mostly as they may be.

use std::collections::BTreeSet;

use countersign::policy::{CountedVote, Quorum, Satisfied, Selector};
use serde_json::{Value, json};

use super::damage::digest_text;
use super::dice::Dice;
use super::scribe::{Draft, Hand, LATER, Seal, action_digest, hide, time};

const SECOND: i64 = 1_000_000;
const PEOPLE: usize = 6;
const QUORUMS: [&str; 9] = [
    "1 of group:a",
    "2 of group:a",
    "1 of group:a and 1 of group:b",
    "1 of group:a and 1 of group:a",
    "1 of group:a or 1 of role:dpo",
    "1 of group:a and (1 of group:b or 1 of role:dpo)",
    "2 of group:a or 1 of group:b and 1 of role:dpo",
    "(1 of group:a or 1 of group:b) and (1 of group:b or 1 of role:dpo)",
    "1 of user:okta/x or 2 of group:b",
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Pending,
    Approved,
    Running,
    Lost,
    Unknown,
    Over,
}

#[derive(Clone, Debug)]
struct Vote {
    seq: u64,
    person: String,
    selectors: Vec<String>,
}

#[derive(Clone, Debug)]
struct Request {
    id: String,
    action: String,
    phase: Phase,
    until: i64,
    asked_until: Option<i64>,
    requirement: Option<Value>,
    votes: Vec<Vote>,
    interests: BTreeSet<(String, String)>,
    unknown: bool,
    execution: String,
    instance: String,
    lease: i64,
    told: bool,
    late: bool,
}

/// A log in the making.
#[derive(Debug)]
pub struct Story<'s> {
    pub dice: Dice,
    pub drafts: Vec<Draft>,
    seal: &'s Seal,
    /// Whose keys gates, desks, operators and checkpoints are signed with.
    hands: [Hand; 4],
    /// Keys in force that nobody uses.
    spare: Vec<Hand>,
    gone: Vec<Hand>,
    /// How many keys the log named on the way.
    came: u8,
    erased: Vec<String>,
    now: i64,
    instances: Vec<String>,
    revisions: Vec<String>,
    people: Vec<String>,
    requests: Vec<Request>,
    clocks: Vec<usize>,
    /// How often of a hundred times something is recorded whether or not it may be.
    pub careless: u64,
}

impl<'s> Story<'s> {
    /// A log with its genesis, and the policies that its processes adopted.
    pub fn new(dice: Dice, seal: &'s Seal) -> Self {
        let mut dice = dice;
        let mut story = Self {
            seal,
            hands: [Hand::Gate, Hand::Desk, Hand::Operator, Hand::Checkpoint],
            spare: Vec::new(),
            gone: Vec::new(),
            came: 0,
            erased: Vec::new(),
            instances: vec![dice.uuid(), dice.uuid()],
            revisions: vec!["11".repeat(32), "2f".repeat(32)],
            people: (0..PEOPLE)
                .map(|_| format!("p-{}", hex(&dice.bytes::<16>())))
                .collect(),
            drafts: Vec::new(),
            now: 1_800_000_000 * SECOND,
            requests: Vec::new(),
            clocks: Vec::new(),
            careless: 0,
            dice,
        };
        let mut genesis = seal.genesis();
        let lost = story.dice.percent(15);
        if lost {
            let log = story.dice.uuid();
            genesis["predecessor"] = json!({"log": log, "origin": "example.com/lost", "root": "99".repeat(32), "size": 9});
        }
        story.push("genesis", None, genesis, Vec::new());
        if lost || story.dice.percent(2) {
            story.recovered();
        }
        for instance in story.instances.clone() {
            let decision = json!({"engine": "rules/1", "revision": story.revisions[0]});
            let body = json!({"decision": decision, "instance": instance});
            story.push("policy_adopted", None, body, Vec::new());
        }
        story
    }

    /// Says what was lost of the log before, mostly as it may be.
    fn recovered(&mut self) {
        let head = |digit: &str, size: u64| json!({"root": digit.repeat(64), "size": size});
        let named = head("9", 9);
        let heads = [Value::Null, head("5", 5), named.clone(), head("c", 12)];
        let (after, attested, found) = match self.dice.below(7) {
            0 => ("rollback", named, head("5", 5)),
            1 => ("fork", named, head("c", 12)),
            2 => ("head_file_missing", Value::Null, named),
            3 => ("store_lost", named, Value::Null),
            4 => ("broken", named, head("5", 5)),
            _ => {
                let any = [
                    "rollback",
                    "fork",
                    "head_file_missing",
                    "store_lost",
                    "broken",
                ];
                let after = *self.dice.pick(&any);
                let attested = self.dice.pick(&heads).clone();
                (after, attested, self.dice.pick(&heads).clone())
            }
        };
        let mut body = json!({"after": after, "attested": attested, "found": found});
        let mut texts = Vec::new();
        let reason = json!("the disk was restored");
        hide(&mut self.dice, &mut body, "reason", &reason, &mut texts);
        self.push("recovered", None, body, texts);
    }

    pub fn push(
        &mut self,
        kind: &str,
        request: Option<(&str, &str)>,
        body: Value,
        disclosures: Vec<String>,
    ) {
        let draft = Draft {
            kind: kind.to_owned(),
            request: request.map(|(id, _)| id.to_owned()),
            action: request
                .map(|(_, action)| action.to_owned())
                .unwrap_or_default(),
            body,
            disclosures,
            ts: self.now,
            by: vec![self.hands[place_of(Hand::of(kind))]],
            edit: None,
            respell: None,
            forge: None,
            ends_batch: self.dice.percent(60),
            sealed_by: self.hands[place_of(Hand::Checkpoint)],
        };
        self.drafts.push(draft);
    }

    /// So many steps.
    pub fn live(&mut self, steps: usize) {
        for _ in 0..steps {
            self.now += [0, 1, SECOND, 20 * SECOND, 100 * SECOND][self.dice.below(5)];
            self.step();
        }
    }

    fn seq(&self) -> u64 {
        self.drafts.len() as u64
    }

    fn open(&self) -> Vec<usize> {
        (0..self.requests.len())
            .filter(|at| self.requests[*at].phase != Phase::Over)
            .collect()
    }

    fn step(&mut self) {
        let open = self.open();
        if self.dice.percent(12) {
            return self.around();
        }
        if open.is_empty() || (open.len() < 4 && self.dice.percent(25)) {
            return self.file();
        }
        let at = if self.dice.percent(self.careless) {
            self.dice.below(self.requests.len())
        } else {
            *self.dice.pick(&open)
        };
        if self.dice.percent(self.careless) {
            return self.anything(at);
        }
        let over = self.requests[at].until <= self.now;
        match self.requests[at].phase {
            Phase::Pending if over => self.end(at, "expired", json!({"what": "pending"})),
            Phase::Approved if over => self.end(at, "expired", json!({"what": "unused"})),
            Phase::Pending => self.while_pending(at),
            Phase::Approved => self.while_approved(at),
            Phase::Running => self.while_running(at),
            Phase::Lost | Phase::Unknown => self.while_unresolved(at),
            Phase::Over => {}
        }
    }

    /// Something of which nobody has asked whether it may be.
    fn anything(&mut self, at: usize) {
        match self.dice.below(16) {
            0 => self.vote(at, "approve"),
            1 => self.vote(at, "deny"),
            2 => self.reassess(at),
            3 => self.start(at),
            4 => self.renew(at),
            5 => self.finish(at),
            6 => self.lose(at),
            7 => self.end(at, "withdrawn", json!({})),
            8 => self.end(at, "expired", json!({"what": "pending"})),
            9 => self.end(at, "expired", json!({"what": "unused"})),
            10 => self.by_person(at, "cancelled", json!({})),
            11 => self.by_person(at, "revoked", json!({})),
            12 => self.reconcile(at),
            13 => self.finish_late(at),
            14 => {
                // Filed again.
                let first = self
                    .drafts
                    .iter()
                    .find(|draft| {
                        draft.kind == "requested"
                            && draft.request.as_ref() == Some(&self.requests[at].id)
                    })
                    .cloned()
                    .unwrap();
                let again = Draft {
                    ts: self.now,
                    ..first
                };
                self.drafts.push(again);
            }
            _ => self.reserved(at),
        }
    }

    fn while_pending(&mut self, at: usize) {
        match self.dice.below(20) {
            0 => self.end(at, "withdrawn", json!({})),
            1 => {
                let by = self.dice.uuid();
                self.end(at, "superseded", json!({"by": by}));
            }
            2 => self.by_person(at, "cancelled", json!({})),
            3 => self.vote(at, "deny"),
            4 | 5 => self.reassess(at),
            _ => self.vote(at, "approve"),
        }
    }

    fn while_approved(&mut self, at: usize) {
        match self.dice.below(20) {
            0 => self.end(at, "withdrawn", json!({})),
            1 => self.by_person(at, "cancelled", json!({})),
            2 => self.by_person(at, "revoked", json!({})),
            3 if self.requests[at].requirement.is_some() => self.vote(at, "deny"),
            4..=7 => self.reassess(at),
            _ => self.start(at),
        }
    }

    fn while_running(&mut self, at: usize) {
        match self.dice.below(10) {
            0 | 1 if self.now < self.requests[at].lease => self.renew(at),
            2 | 3 => self.lose(at),
            4 if !self.requests[at].told => self.by_person(at, "revoked", json!({})),
            _ => self.finish(at),
        }
    }

    fn while_unresolved(&mut self, at: usize) {
        let request = &self.requests[at];
        if request.phase == Phase::Lost && !request.late && self.dice.percent(50) {
            self.finish_late(at);
        } else {
            self.reconcile(at);
        }
    }

    /// What belongs to no request.
    fn around(&mut self) {
        let instance = self.dice.pick(&self.instances).clone();
        match self.dice.below(9) {
            4 | 5 => self.change_keys(),
            6..=8 => self.erase(),
            0 => {
                let decision = json!({"engine": "rules/1", "revision": self.revisions[1]});
                let body = json!({"decision": decision, "instance": instance});
                self.push("policy_adopted", None, body, Vec::new());
            }
            1 | 2 => {
                self.clocks.push(self.drafts.len());
                let micros = 7_000_000 - (self.dice.below(14_000_000) as i64);
                let what = *self.dice.pick(&["jump", "gap"]);
                let body = json!({"instance": instance, "micros": micros, "what": what});
                self.push("clock", None, body, Vec::new());
            }
            _ if self.clocks.is_empty() => {}
            _ => {
                let clock = *self.dice.pick(&self.clocks);
                let (mut body, mut texts) = (json!({"clock": clock}), Vec::new());
                hide(
                    &mut self.dice,
                    &mut body,
                    "reason",
                    &json!("seen to"),
                    &mut texts,
                );
                self.push("clock_acknowledged", None, body, texts);
            }
        }
    }

    fn change_keys(&mut self) {
        match self.dice.below(10) {
            0..=3 => self.rotate(),
            4..=7 => self.add_key(),
            _ => self.revoke_key(),
        }
    }

    fn new_key(&mut self) -> Hand {
        if self.dice.percent(self.careless) && !self.gone.is_empty() {
            return *self.dice.pick(&self.gone);
        }
        self.came += 1;
        Hand::Later(self.came - 1)
    }

    fn signed_by(&mut self, kind: &str, body: Value, mut by: Vec<Hand>) {
        by.dedup();
        if self.dice.percent(self.careless) {
            by.remove(self.dice.below(by.len()));
        }
        self.push(kind, None, body, Vec::new());
        self.drafts.last_mut().unwrap().by = by;
    }

    fn rotate(&mut self) {
        if self.came == LATER {
            return;
        }
        let place = self.dice.below(4);
        let (old, new) = (self.hands[place], self.new_key());
        let body = json!({"key": self.seal.key_text(new), "old": self.seal.key_id(old)});
        let operator = self.hands[place_of(Hand::Operator)];
        self.signed_by("key_rotated", body, vec![operator, old, new]);
        self.hands[place] = new;
        self.gone.push(old);
    }

    fn add_key(&mut self) {
        if self.came == LATER {
            return;
        }
        let new = self.new_key();
        let (place, roles) = *self.dice.pick(&[
            (0, &["gate"] as &[&str]),
            (1, &["desk"]),
            (2, &["gate", "operator"]),
            (3, &["checkpoint"]),
            (3, &["checkpoint", "desk"]),
        ]);
        let body = json!({"key": self.seal.key_text(new), "roles": roles});
        let operator = self.hands[place_of(Hand::Operator)];
        self.signed_by("key_added", body, vec![operator, new]);
        let spare = if self.dice.percent(60) {
            std::mem::replace(&mut self.hands[place], new)
        } else {
            new
        };
        self.spare.push(spare);
        // Mostly one that has signed, so that there is something to be doubted.
        if self.dice.percent(40) {
            self.revoke_key();
        }
    }

    fn revoke_key(&mut self) {
        let old = match self.dice.percent(self.careless) {
            true => *self
                .dice
                .pick(&[Hand::Stranger, Hand::Gate, Hand::Checkpoint]),
            false if self.spare.is_empty() => return,
            false => self.spare.remove(self.dice.below(self.spare.len())),
        };
        let why = *self
            .dice
            .pick(&["retired", "lost", "compromised", "compromised"]);
        let mut body = json!({"old": self.seal.key_id(old), "why": why});
        if why == "compromised" {
            let since = self.now + *self.dice.pick(&[-100, -1, 0, 1, 60]) * SECOND;
            body["compromised_since"] = json!(time(since));
        }
        let operator = self.hands[place_of(Hand::Operator)];
        self.signed_by("key_revoked", body, vec![operator]);
        self.gone.push(old);
    }

    /// Values of what is over are erased.
    fn erase(&mut self) {
        let careless = self.dice.percent(self.careless);
        let open: BTreeSet<String> = self
            .open()
            .into_iter()
            .map(|at| self.requests[at].id.clone())
            .collect();
        let is_over = |draft: &Draft| !draft.request.as_ref().is_some_and(|id| open.contains(id));
        let mut digests = Vec::new();
        for _ in 0..=self.dice.below(4) {
            let found: Vec<usize> = (0..self.drafts.len())
                .filter(|at| !self.drafts[*at].disclosures.is_empty())
                .filter(|at| careless || is_over(&self.drafts[*at]))
                .collect();
            if found.is_empty() {
                break;
            }
            let texts = &mut self.drafts[*self.dice.pick(&found)].disclosures;
            let at = self.dice.below(texts.len());
            let kept = careless && self.dice.percent(20);
            let text = if kept {
                texts[at].clone()
            } else {
                texts.remove(at)
            };
            digests.push(digest_text(&text));
        }
        if careless && self.dice.percent(20) {
            digests.push(digest_text("what nobody hid"));
        }
        if careless && !self.erased.is_empty() && self.dice.percent(30) {
            digests.push(self.dice.pick(&self.erased).clone());
        }
        let (mut body, mut texts) = (json!({"basis": "gdpr:17", "what": "value"}), Vec::new());
        if self.dice.percent(30) {
            body["what"] = json!("person");
            body["person"] = json!(*self.dice.pick(&self.people));
        }
        hide(
            &mut self.dice,
            &mut body,
            "reason",
            &json!("asked for"),
            &mut texts,
        );
        if careless && self.dice.percent(20) {
            // Its own reason, too.
            digests.extend(texts.drain(..).map(|text| digest_text(&text)));
        }
        digests.sort();
        digests.dedup();
        if digests.is_empty() {
            return;
        }
        body["digests"] = json!(digests);
        self.erased.extend(digests);
        self.push("erased", None, body, texts);
    }

    /// A record whose body this edition does not judge.
    fn reserved(&mut self, at: usize) {
        let kind = *self
            .dice
            .pick(&["granted", "viewed", "recovered", "sent_to_the_moon"]);
        let (id, action) = self.of(at);
        let body = json!({"anything": [1, "x", {"y": null}]});
        let request = matches!(kind, "granted" | "viewed" | "sent_to_the_moon");
        let request = request.then_some((id.as_str(), action.as_str()));
        self.push(kind, request, body, Vec::new());
    }

    fn decision(&mut self) -> Value {
        let rules: Vec<&str> = ["r-1", "export.pii", "Z9"][self.dice.below(3)..].to_vec();
        json!({"engine": "rules/1", "revision": self.revisions[0], "rules": rules})
    }

    fn requirement(&mut self, quorum: &str) -> Value {
        let mut exclude = Vec::new();
        for word in ["agent-owner", "delegators", "editors", "requester"] {
            if self.dice.percent(60) {
                exclude.push(word);
            }
        }
        let supply = ["reason", "ticket"];
        let from = self.dice.below(6).min(2);
        let timeout = 200 + self.dice.below(2000);
        let valid_for = 100 + self.dice.below(900);
        let mut requirement = json!({
            "clocks": {"timeout": timeout, "valid_for": valid_for},
            "exclude": exclude,
            "must_supply": supply[from..].to_vec(),
            "profiles": if self.dice.percent(30) { vec!["four-eyes", "night"] } else { vec![] },
            "quorum": quorum,
            "self_approval": if self.dice.percent(25) { "recorded" } else { "refused" },
        });
        if self.dice.percent(15) {
            requirement["clocks"]["run_within"] = json!(60 + self.dice.below(600));
        }
        if self.dice.percent(15) {
            requirement["not_before"] = json!(time(self.now + 10 * SECOND));
        }
        if self.dice.percent(15) {
            requirement["witnessed"] = json!(true);
        }
        requirement
    }

    /// Interests, as in a record and as a set.
    fn interests(&mut self) -> (Value, BTreeSet<(String, String)>, bool) {
        let mut interests = BTreeSet::new();
        for tie in ["controller", "delegator", "requester"] {
            if self.dice.percent(30) {
                let person = self.dice.pick(&self.people).clone();
                interests.insert((tie.to_owned(), person));
            }
        }
        let unknown = self.dice.percent(8);
        let mut all = interests.clone();
        if unknown {
            all.insert(("controller".to_owned(), "unknown".to_owned()));
        }
        let entries = all
            .iter()
            .map(|(tie, person)| json!({"as": tie, "person": person}))
            .collect();
        (Value::Array(entries), interests, unknown)
    }

    fn file(&mut self) {
        let id = self.dice.uuid();
        let mut texts = Vec::new();
        let bound = self.bound(&id, &mut texts);
        let action = action_digest(&bound);
        let (interests, known, unknown) = self.interests();
        let instance = self.dice.pick(&self.instances).clone();
        let mut body = json!({
            "bound": bound,
            "decision": self.decision(),
            "instance": instance,
            "interests": interests,
        });
        let mut request = Request {
            id: id.clone(),
            action: action.clone(),
            phase: Phase::Over,
            until: 0,
            asked_until: None,
            requirement: None,
            votes: Vec::new(),
            interests: known,
            unknown,
            execution: String::new(),
            instance,
            lease: 0,
            told: false,
            late: false,
        };
        match self.dice.below(10) {
            0 => {
                body["verdict"] = json!("deny");
                if self.dice.percent(50) {
                    body["cause"] = json!("facts_unavailable");
                }
            }
            1 | 2 => {
                request.until = self.now + 900 * SECOND;
                request.phase = Phase::Approved;
                body["verdict"] = json!("allow");
                body["use_by"] = json!(time(request.until));
                if self.dice.percent(20) {
                    body["witnessed"] = json!(true);
                }
            }
            _ => {
                let quorum = *self.dice.pick(&QUORUMS);
                let requirement = self.requirement(quorum);
                let timeout = requirement["clocks"]["timeout"].as_i64().unwrap();
                request.until = self.now + timeout * SECOND;
                request.asked_until = Some(request.until);
                request.phase = Phase::Pending;
                body["verdict"] = json!("require_approval");
                body["expires"] = json!(time(request.until));
                body["requirement"] = requirement.clone();
                request.requirement = Some(requirement);
            }
        }
        for (name, value) in [("because", "monthly"), ("reason", "«a rule»\n")] {
            if self.dice.percent(40) {
                hide(&mut self.dice, &mut body, name, &json!(value), &mut texts);
            }
        }
        if self.dice.percent(30) {
            body["trace"] = json!("4bf92f3577b34da6");
        }
        self.push("requested", Some((&id, &action)), body, texts);
        self.requests.push(request);
    }

    fn bound(&mut self, id: &str, texts: &mut Vec<String>) -> Value {
        let dice = &mut self.dice;
        let mut actor = vec![json!({"issuer": "corp", "kind": "agent", "subject": "bot"})];
        if dice.percent(50) {
            let mut person = json!({"kind": "human", "person": dice.pick(&self.people)});
            let who = json!({"issuer": "corp", "subject": "olga ✓"});
            hide(dice, &mut person, "id", &who, texts);
            actor.push(person);
        }
        let mut parameters = json!({});
        for name in ["amount", "table", "x-1"] {
            if dice.percent(60) {
                let value = dice
                    .pick(&[
                        json!(1.5e-7),
                        json!("😀\u{7f}"),
                        json!({"b": [1, null], "a": true}),
                    ])
                    .clone();
                hide(dice, &mut parameters, name, &value, texts);
            }
        }
        if dice.percent(40) {
            let mut sensitive = json!({});
            hide(dice, &mut sensitive, "iban", &json!("DE02"), texts);
            parameters["sensitive"] = sensitive;
        }
        let mut context = json!({"clear": {"branch": "main", "n": -7}});
        if dice.percent(40) {
            hide(dice, &mut context, "ticket", &json!(["T-1"]), texts);
        }
        let mut resource = json!({"labels": ["pii", "source:web"], "type": "db.table"});
        if dice.percent(50) {
            resource["id"] = json!("crm/customers");
        } else {
            hide(dice, &mut resource, "id", &json!("crm/customers"), texts);
        }
        let reads = json!([self.dataset(texts)]);
        let dice = &mut self.dice;
        let mut bound = json!({
            "action": *dice.pick(&["db.export", "pay", "a_1.b-2"]),
            "actor": actor,
            "context": context,
            "established": "host",
            "parameters": parameters,
            "reads": reads,
            "request": id,
            "resources": [resource],
            "session": "s-1",
            "v": 1,
            "writes": [],
        });
        if dice.percent(30) {
            hide(dice, &mut bound, "occurrence", &json!("third try"), texts);
        }
        if dice.percent(20) {
            bound["operation"] = json!(3);
        }
        if dice.percent(20) {
            bound["replaces"] = json!(dice.uuid());
        }
        if dice.percent(50) {
            bound["tenant"] = json!("acme");
        }
        if dice.percent(30) {
            bound["tool"] = json!({"digest": "ab".repeat(32), "name": "sql", "version": "1.2"});
        }
        bound
    }

    fn dataset(&mut self, texts: &mut Vec<String>) -> Value {
        let mut dataset = json!({"kind": "data", "labels": ["pii"], "namespace": "postgres://db"});
        if self.dice.percent(60) {
            dataset["name"] = json!("crm.customers");
        } else {
            hide(
                &mut self.dice,
                &mut dataset,
                "name",
                &json!("/out/ü.csv"),
                texts,
            );
        }
        dataset
    }

    fn of(&self, at: usize) -> (String, String) {
        (
            self.requests[at].id.clone(),
            self.requests[at].action.clone(),
        )
    }

    fn record(&mut self, at: usize, kind: &str, body: Value, texts: Vec<String>) {
        let (id, action) = self.of(at);
        self.push(kind, Some((&id, &action)), body, texts);
    }

    fn end(&mut self, at: usize, kind: &str, mut body: Value) {
        body["instance"] = json!(*self.dice.pick(&self.instances));
        self.record(at, kind, body, Vec::new());
        self.requests[at].phase = Phase::Over;
    }

    fn proof(&self) -> Value {
        json!({"adapter": "terminal", "at": time(self.now), "method": "token"})
    }

    fn by_person(&mut self, at: usize, kind: &str, mut body: Value) {
        body["person"] = json!(*self.dice.pick(&self.people));
        body["proof"] = self.proof();
        let mut texts = Vec::new();
        let id = json!({"issuer": "corp", "subject": "rita"});
        hide(&mut self.dice, &mut body, "id", &id, &mut texts);
        hide(
            &mut self.dice,
            &mut body,
            "reason",
            &json!("no"),
            &mut texts,
        );
        self.record(at, kind, body, texts);
        let request = &mut self.requests[at];
        if kind == "revoked" && request.phase == Phase::Running {
            request.told = true;
        } else {
            request.phase = Phase::Over;
        }
    }

    fn reconcile(&mut self, at: usize) {
        let finding = *self.dice.pick(&["succeeded", "failed", "not_run"]);
        let body = json!({"execution": self.execution(at), "finding": finding});
        self.by_person(at, "reconciled", body);
    }

    fn execution(&mut self, at: usize) -> String {
        match self.requests[at].execution.as_str() {
            "" => self.dice.uuid(),
            execution => execution.to_owned(),
        }
    }

    fn excludes(&self, at: usize, word: &str) -> bool {
        let requirement = self.requests[at].requirement.as_ref();
        requirement.is_some_and(|one| {
            one["exclude"]
                .as_array()
                .unwrap()
                .iter()
                .any(|tie| tie == word)
        })
    }

    fn is_excluded(&self, at: usize, person: &str) -> bool {
        let of = |tie: &str| match tie {
            "controller" => "agent-owner",
            "delegator" => "delegators",
            _ => "requester",
        };
        self.requests[at]
            .interests
            .iter()
            .any(|(tie, who)| who == person && self.excludes(at, of(tie)))
    }

    fn vote(&mut self, at: usize, decision: &str) {
        let Some(requirement) = self.requests[at].requirement.clone() else {
            return self.end(at, "withdrawn", json!({}));
        };
        let careless = self.dice.percent(self.careless);
        let person = self.dice.pick(&self.people).clone();
        let excluded = self.is_excluded(at, &person);
        let recorded = requirement["self_approval"] == "recorded";
        let unknown = self.requests[at].unknown && self.excludes(at, "agent-owner");
        let voted = self.requests[at]
            .votes
            .iter()
            .any(|vote| vote.person == person);
        let approves = decision == "approve";
        if !careless && approves && (unknown || voted || (excluded && !recorded)) {
            return;
        }
        let quorum = Quorum::parse(requirement["quorum"].as_str().unwrap()).unwrap();
        let mut selectors: Vec<String> = quorum
            .selectors()
            .iter()
            .map(|one| one.to_string())
            .collect();
        let first = self.dice.below(selectors.len());
        selectors.rotate_left(first);
        selectors.truncate(1 + self.dice.below(2));
        if self.dice.percent(20) {
            selectors.push("oncall:night".to_owned());
        }
        selectors.sort();
        let mut body = json!({
            "as": selectors,
            "decision": decision,
            "person": person,
            "proof": self.proof(),
            "shown": hex(&self.dice.bytes::<32>()),
        });
        if self.dice.percent(10) {
            body["proof"]["assurance"] = json!("phr");
        }
        if self.dice.percent(10) {
            body["attestation"] = json!({"payload": "e30=", "signatures": []});
        }
        if self.dice.percent(20) {
            body["code"] = json!("checked_2");
        }
        if (approves && excluded && recorded) != (careless && self.dice.percent(30)) {
            body["exception"] = json!("self_approval");
        }
        let mut texts = Vec::new();
        let salt = "AgICAgICAgICAgICAgICAg";
        hide(
            &mut self.dice,
            &mut body,
            "id",
            &json!({"issuer": "corp", "subject": person}),
            &mut texts,
        );
        hide(
            &mut self.dice,
            &mut body,
            "shown_salt",
            &json!(salt),
            &mut texts,
        );
        let needed = requirement["must_supply"].as_array().unwrap().clone();
        for (name, word) in [("comment", "reason"), ("ticket", "ticket")] {
            let needed = needed.iter().any(|one| one == word);
            if (needed && !(careless && self.dice.percent(50))) || self.dice.percent(20) {
                hide(
                    &mut self.dice,
                    &mut body,
                    name,
                    &json!("T-1 \u{2028}"),
                    &mut texts,
                );
            }
        }
        let seq = self.seq();
        self.record(at, "voted", body, texts);
        if !approves {
            self.requests[at].phase = Phase::Over;
            return;
        }
        self.requests[at].votes.push(Vote {
            seq,
            person,
            selectors,
        });
        if self.is_met(at) {
            let valid_for = requirement["clocks"]["valid_for"].as_i64().unwrap();
            let request = &mut self.requests[at];
            request.phase = Phase::Approved;
            request.until = self.now + valid_for * SECOND;
        }
    }

    /// The votes that count, as far as this story keeps track.
    fn counting(&self, at: usize) -> Vec<Vote> {
        let request = &self.requests[at];
        if request.unknown && self.excludes(at, "agent-owner") {
            return Vec::new();
        }
        let recorded = request
            .requirement
            .as_ref()
            .is_some_and(|one| one["self_approval"] == "recorded");
        let excluded = |vote: &&Vote| !recorded && self.is_excluded(at, &vote.person);
        request
            .votes
            .iter()
            .filter(|vote| !excluded(vote))
            .cloned()
            .collect()
    }

    fn is_met(&self, at: usize) -> bool {
        let Some(requirement) = &self.requests[at].requirement else {
            return false;
        };
        let quorum = Quorum::parse(requirement["quorum"].as_str().unwrap()).unwrap();
        let votes: Vec<CountedVote<String>> = self
            .counting(at)
            .into_iter()
            .map(|vote| CountedVote {
                person: vote.person,
                satisfies: vote
                    .selectors
                    .iter()
                    .map(|one| Selector::parse(one).unwrap())
                    .collect(),
            })
            .collect();
        quorum.tally(&votes).satisfied == Satisfied::Yes
    }

    /// A requirement that is as strict as the one before, or stricter.
    fn stricter(&mut self, former: &Value) -> Value {
        let mut requirement = former.clone();
        if self.dice.percent(30) {
            let quorum = former["quorum"].as_str().unwrap();
            let whole = if quorum.contains(" or ") && !quorum.contains('(') {
                format!("({quorum})")
            } else {
                quorum.to_owned()
            };
            requirement["quorum"] = json!(format!("1 of group:b and {whole}"));
        }
        if self.dice.percent(30) {
            requirement["clocks"]["valid_for"] = json!(99);
            requirement["clocks"]["run_within"] = json!(30);
        }
        if self.dice.percent(20) {
            requirement["exclude"] = json!(["agent-owner", "delegators", "editors", "requester"]);
        }
        if self.dice.percent(20) {
            requirement["self_approval"] = json!("refused");
        }
        if self.dice.percent(10) {
            requirement["must_supply"] = json!(["reason", "ticket"]);
        }
        requirement
    }

    fn reassess(&mut self, at: usize) {
        let (interests, known, unknown) = if self.dice.percent(60) {
            (json!([]), BTreeSet::new(), false)
        } else {
            self.interests()
        };
        let mut voided = Vec::new();
        for vote in self.requests[at].votes.clone() {
            if self.dice.percent(25) {
                voided.push(vote.seq);
            }
        }
        let former = self.requests[at].requirement.clone();
        let mut body = json!({
            "cause": *self.dice.pick(&["policy", "votes", "interests", "labels"]),
            "decision": self.decision(),
            "instance": *self.dice.pick(&self.instances),
            "interests": interests,
            "voided": voided,
        });
        let ask = match &former {
            Some(former) => Some(self.stricter(former)),
            None if self.dice.percent(50) => Some(self.requirement("1 of group:a")),
            None => None,
        };
        let denied = self.dice.percent(10);
        match &ask {
            _ if denied => body["verdict"] = json!("deny"),
            Some(requirement) => {
                body["verdict"] = json!("require_approval");
                body["requirement"] = requirement.clone();
            }
            None => body["verdict"] = json!("allow"),
        }
        let mut texts = Vec::new();
        if self.dice.percent(40) {
            hide(
                &mut self.dice,
                &mut body,
                "reason",
                &json!("new rules"),
                &mut texts,
            );
        }
        self.record(at, "reassessed", body, texts);
        let request = &mut self.requests[at];
        request.votes.retain(|vote| !voided.contains(&vote.seq));
        request.interests.extend(known);
        request.unknown = unknown;
        if denied {
            request.phase = Phase::Over;
            return;
        }
        let Some(requirement) = ask else { return };
        let clock = |name: &str| requirement["clocks"][name].as_i64().unwrap() * SECOND;
        let (timeout, valid_for) = (clock("timeout"), clock("valid_for"));
        request.requirement = Some(requirement);
        let met = self.is_met(at);
        let now = self.now;
        let request = &mut self.requests[at];
        match (met, &request.phase) {
            (true, Phase::Pending) => {
                request.phase = Phase::Approved;
                request.until = now + valid_for;
            }
            (false, Phase::Approved) => {
                request.phase = Phase::Pending;
                request.until = *request.asked_until.get_or_insert(now + timeout);
            }
            _ => {}
        }
    }

    fn start(&mut self, at: usize) {
        let former = self.requests[at].requirement.clone();
        if let Some(not_before) = former.as_ref().and_then(|one| one["not_before"].as_str())
            && time(self.now).as_str() < not_before
            && !self.dice.percent(self.careless)
        {
            return;
        }
        let execution = self.dice.uuid();
        let instance = self.dice.pick(&self.instances).clone();
        let lease = self.now + 300 * SECOND;
        let counted: Vec<Value> = self
            .counting(at)
            .iter()
            .map(|vote| json!({"as": vote.selectors, "person": vote.person, "vote": vote.seq}))
            .collect();
        let mut body = json!({
            "counted": counted,
            "decision": self.decision(),
            "execution": execution,
            "instance": instance,
            "interests": [],
            "lease_until": time(lease),
            "verdict": "allow",
        });
        if let Some(former) = former {
            body["verdict"] = json!("require_approval");
            body["requirement"] = former;
        } else {
            body["counted"] = json!([]);
        }
        if !self.dice.percent(self.careless) {
            let wrong = self.dice.percent(self.careless);
            body["witnessed"] = json!(self.drafts.len() + usize::from(wrong));
        }
        self.record(at, "started", body, Vec::new());
        let request = &mut self.requests[at];
        request.phase = Phase::Running;
        request.execution = execution;
        request.instance = instance;
        request.lease = lease;
    }

    fn renew(&mut self, at: usize) {
        let lease = self.now + 300 * SECOND;
        let body = json!({
            "execution": self.execution(at),
            "instance": self.requests[at].instance,
            "lease_until": time(lease),
        });
        self.record(at, "lease_renewed", body, Vec::new());
        self.requests[at].lease = lease;
    }

    fn finished(&mut self, at: usize, outcome: &str) -> (Value, Vec<String>) {
        let mut texts = Vec::new();
        let mut body = json!({
            "derived": [],
            "execution": self.execution(at),
            "generated": [],
            "instance": self.requests[at].instance,
            "outcome": outcome,
            "used": [],
        });
        if self.dice.percent(40) {
            body["used"] = json!([self.dataset(&mut texts), self.dataset(&mut texts)]);
            body["generated"] = json!([self.dataset(&mut texts)]);
            body["derived"] = json!([[0, self.dice.below(2)]]);
        }
        if self.dice.percent(30) {
            let result = json!({"sha256": "cd".repeat(32)});
            hide(&mut self.dice, &mut body, "result", &result, &mut texts);
        }
        if outcome != "succeeded" {
            body["code"] = json!(*self.dice.pick(&["not_started", "panicked", "unsure"]));
        }
        (body, texts)
    }

    fn finish(&mut self, at: usize) {
        let outcome = *self.dice.pick(&["succeeded", "failed", "unknown"]);
        let (body, texts) = self.finished(at, outcome);
        self.record(at, "finished", body, texts);
        self.requests[at].phase = match outcome {
            "unknown" => Phase::Unknown,
            _ => Phase::Over,
        };
    }

    fn finish_late(&mut self, at: usize) {
        let (mut body, texts) = self.finished(at, "succeeded");
        body["late"] = json!(true);
        self.record(at, "finished", body, texts);
        self.requests[at].late = true;
    }

    fn lose(&mut self, at: usize) {
        let passed = self.now >= self.requests[at].lease;
        let why = if passed {
            "lease_passed"
        } else {
            "instance_gone"
        };
        let why = if self.dice.percent(self.careless) {
            "lease_passed"
        } else {
            why
        };
        let body = json!({
            "execution": self.execution(at),
            "instance": self.requests[at].instance,
            "why": why,
        });
        self.record(at, "lost", body, Vec::new());
        self.requests[at].phase = Phase::Lost;
    }
}

/// Where the key of a sort stands among the hands.
fn place_of(hand: Hand) -> usize {
    match hand {
        Hand::Gate => 0,
        Hand::Desk => 1,
        Hand::Operator => 2,
        _ => 3,
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
