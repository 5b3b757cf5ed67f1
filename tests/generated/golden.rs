//! For each numbered rule, logs that only this rule refuses: left out, the log would be intact.

use std::sync::Arc;

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use countersign::canonical::Digest;
use countersign::log::{Rule, SecretKey, Signer};
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use super::Found;
use super::damage::digest_text;
use super::dice::Dice;
use super::handed::{self, Files, Handed};
use super::scribe::{
    Draft, Hand, Image, Seal, action_digest, canonical, hide, hide_text, seal, time,
};

const INSTANCE: &str = "01890000-0000-7000-8000-000000000001";
const EXECUTION: &str = "01890000-0000-7000-8000-000000000002";
const REQUEST: &str = "01890000-0000-7000-8000-000000000003";
const SECOND: i64 = 1_000_000;

/// A log or a receipt, the keys that its auditor trusts, and what is to be found.
#[derive(Debug)]
pub struct Golden {
    /// The rule without which nothing is wrong.
    pub rule: String,
    pub what: &'static str,
    pub made: Made,
    pub keys: String,
    pub expected: Found,
}

impl Golden {
    /// What is found without the rule.
    pub fn without(&self) -> Found {
        match self.made {
            Made::Handed(Handed::Receipt(_)) => Found::exit(0),
            // The vote stays one that a thief may have cast (S12).
            _ if self.rule == "M12" => Found::exit(2),
            Made::Store(_) | Made::Handed(_) => Found::exit(3),
        }
    }
}

#[derive(Debug)]
pub enum Made {
    Store(Image),
    Handed(Handed),
}

/// A request from its filing to its end, between records of other kinds.
struct Script {
    dice: Dice,
    keys: Seal,
    drafts: Vec<Draft>,
    now: i64,
    action: String,
}

fn person(number: u8) -> String {
    format!("p-{}", format!("{number:02x}").repeat(16))
}

impl Script {
    fn new() -> Self {
        let mut dice = Dice::new(1);
        let keys = Seal::new(&mut dice, "example.com/golden");
        let mut script = Self {
            dice,
            drafts: Vec::new(),
            now: 1_800_000_000 * SECOND,
            action: String::new(),
            keys,
        };
        let genesis = script.keys.genesis();
        script.push("genesis", genesis, Vec::new());
        let decision = json!({"engine": "rules/1", "revision": "11".repeat(32)});
        let body = json!({"decision": decision, "instance": INSTANCE});
        script.push("policy_adopted", body, Vec::new());
        script
    }

    /// Records, and returns the number.
    fn push(&mut self, kind: &str, body: Value, disclosures: Vec<String>) -> usize {
        self.now += SECOND;
        let alone = matches!(
            kind,
            "genesis"
                | "policy_adopted"
                | "clock"
                | "clock_acknowledged"
                | "erased"
                | "recovered"
                | "key_added"
                | "key_rotated"
                | "key_revoked"
        );
        self.drafts.push(Draft {
            kind: kind.to_owned(),
            request: (!alone).then(|| REQUEST.to_owned()),
            action: self.action.clone(),
            body,
            disclosures,
            ts: self.now,
            by: vec![Hand::of(kind)],
            edit: None,
            respell: None,
            forge: None,
            ends_batch: true,
            sealed_by: Hand::Checkpoint,
        });
        self.drafts.len() - 1
    }

    /// Records a change of keys that these sign.
    fn signed(&mut self, kind: &str, body: Value, by: &[Hand]) -> usize {
        let at = self.push(kind, body, Vec::new());
        self.draft(at).by = by.to_vec();
        at
    }

    fn key_added(&mut self, key: Hand, by: &[Hand]) -> usize {
        let body = json!({"key": self.keys.key_text(key), "roles": ["gate"]});
        self.signed("key_added", body, by)
    }

    fn key_rotated(&mut self, old: Hand, key: Hand, by: &[Hand]) -> usize {
        let body = json!({"key": self.keys.key_text(key), "old": self.keys.key_id(old)});
        self.signed("key_rotated", body, by)
    }

    fn key_compromised(&mut self, old: Hand, since: i64) -> usize {
        let body = json!({
            "compromised_since": time(since),
            "old": self.keys.key_id(old),
            "why": "compromised",
        });
        self.signed("key_revoked", body, &[Hand::Operator])
    }

    /// Records that values are erased.
    fn erased(&mut self, digests: &[String]) -> usize {
        let mut digests = digests.to_vec();
        digests.sort();
        let mut body = json!({"basis": "gdpr:17", "digests": digests, "what": "value"});
        let mut texts = Vec::new();
        let reason = json!("asked for");
        hide(&mut self.dice, &mut body, "reason", &reason, &mut texts);
        self.push("erased", body, texts)
    }

    /// Takes the disclosures of a record away.
    fn take(&mut self, at: usize) -> Vec<String> {
        let texts = std::mem::take(&mut self.draft(at).disclosures);
        texts.iter().map(|text| digest_text(text)).collect()
    }

    /// Begins anew, as a log that continues one of nine records.
    fn continue_another(&mut self) {
        *self = Self::new();
        self.drafts.truncate(1);
        let log = "0195507a-3dc0-4b54-8000-00000000abcd";
        let predecessor =
            json!({"log": log, "origin": "example.com/lost", "root": "99".repeat(32), "size": 9});
        self.draft(0).body["predecessor"] = predecessor;
    }

    /// Records that a log of nine records was lost.
    fn recovered(&mut self, after: &str, found: Value) -> usize {
        let attested = json!({"root": "99".repeat(32), "size": 9});
        let mut body = json!({"after": after, "attested": attested, "found": found});
        let mut texts = Vec::new();
        let reason = json!("the disk was restored");
        hide(&mut self.dice, &mut body, "reason", &reason, &mut texts);
        self.push("recovered", body, texts)
    }

    fn clock(&mut self) -> usize {
        let body = json!({"instance": INSTANCE, "micros": 7, "what": "jump"});
        self.push("clock", body, Vec::new())
    }

    fn acknowledged(&mut self, clock: usize) -> usize {
        let (mut body, mut texts) = (json!({"clock": clock}), Vec::new());
        hide(
            &mut self.dice,
            &mut body,
            "reason",
            &json!("seen to"),
            &mut texts,
        );
        self.push("clock_acknowledged", body, texts)
    }

    fn requirement() -> Value {
        json!({
            "clocks": {"timeout": 3600, "valid_for": 600},
            "exclude": ["agent-owner", "delegators", "editors", "requester"],
            "must_supply": ["reason"],
            "profiles": [],
            "quorum": "2 of group:a",
            "self_approval": "refused",
        })
    }

    fn decision() -> Value {
        json!({"engine": "rules/1", "revision": "11".repeat(32), "rules": ["r-1"]})
    }

    fn ask(&mut self) -> usize {
        self.ask_with(&Self::requirement())
    }

    /// Files a request of somebody, person 1, that two people of a group must approve.
    fn ask_with(&mut self, requirement: &Value) -> usize {
        let bound = json!({
            "action": "pay",
            "actor": [{"issuer": "corp", "kind": "agent", "subject": "bot"}],
            "context": {"clear": {}},
            "established": "host",
            "parameters": {},
            "reads": [],
            "request": REQUEST,
            "resources": [],
            "session": "s-1",
            "v": 1,
            "writes": [],
        });
        self.action = action_digest(&bound);
        let mut texts = Vec::new();
        let mut body = json!({
            "bound": bound,
            "decision": Self::decision(),
            "expires": time(self.now + 3600 * SECOND),
            "instance": INSTANCE,
            "interests": [{"as": "requester", "person": person(1)}],
            "requirement": requirement,
            "verdict": "require_approval",
        });
        hide(
            &mut self.dice,
            &mut body,
            "because",
            &json!("monthly"),
            &mut texts,
        );
        hide(
            &mut self.dice,
            &mut body,
            "reason",
            &json!("rule"),
            &mut texts,
        );
        self.push("requested", body, texts)
    }

    fn vote(&mut self, who: u8) -> usize {
        self.vote_with(who, &["comment"])
    }

    fn vote_with(&mut self, who: u8, hidden: &[&str]) -> usize {
        let mut texts = Vec::new();
        let mut body = json!({
            "as": ["group:a"],
            "decision": "approve",
            "person": person(who),
            "proof": {"adapter": "web", "at": time(self.now), "method": "token"},
            "shown": "22".repeat(32),
        });
        let id = json!({"issuer": "corp", "subject": "rita"});
        hide(&mut self.dice, &mut body, "id", &id, &mut texts);
        let salt = json!("AgICAgICAgICAgICAgICAg");
        hide(&mut self.dice, &mut body, "shown_salt", &salt, &mut texts);
        for name in hidden {
            hide(&mut self.dice, &mut body, name, &json!("fine"), &mut texts);
        }
        self.push("voted", body, texts)
    }

    fn start(&mut self, counted: &[(usize, u8)], requirement: &Value) -> usize {
        let counted: Vec<Value> = counted
            .iter()
            .map(|(vote, who)| json!({"as": ["group:a"], "person": person(*who), "vote": vote}))
            .collect();
        let body = json!({
            "counted": counted,
            "decision": Self::decision(),
            "execution": EXECUTION,
            "instance": INSTANCE,
            "interests": [],
            "lease_until": time(self.now + 300 * SECOND),
            "requirement": requirement,
            "verdict": "require_approval",
        });
        self.push("started", body, Vec::new())
    }

    /// A request that was approved, with its two votes.
    fn approved(&mut self) -> [(usize, u8); 2] {
        self.ask();
        [2, 3].map(|who| (self.vote(who), who))
    }

    /// The same, where witnesses have to know of it before it starts, and the requirement that says so.
    fn asked_for_witnesses(&mut self) -> ([(usize, u8); 2], Value) {
        let mut requirement = Self::requirement();
        requirement["witnessed"] = json!(true);
        self.ask_with(&requirement);
        ([2, 3].map(|who| (self.vote(who), who)), requirement)
    }

    fn instance(&mut self, kind: &str) -> usize {
        self.push(kind, json!({"instance": INSTANCE}), Vec::new())
    }

    fn draft(&mut self, at: usize) -> &mut Draft {
        &mut self.drafts[at]
    }

    fn edit(&mut self, at: usize, edit: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.drafts[at].edit = Some(Arc::new(edit));
    }

    fn respell(&mut self, at: usize, from: &'static str, to: &'static str) {
        self.drafts[at].respell = Some(Arc::new(move |bytes| {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains(from));
            text.replacen(from, to, 1).into_bytes()
        }));
    }
}

/// A log that keeps every rule, with a record of most kinds.
pub fn sound() -> (Image, String) {
    let script = lived();
    (
        seal(&script.keys, &script.drafts),
        script.keys.trusted().to_string(),
    )
}

fn lived() -> Script {
    let mut script = Script::new();
    let clock = script.clock();
    script.acknowledged(clock);
    let votes = script.approved();
    script.start(&votes, &Script::requirement());
    script
}

/// The log of `sound` in the forms that others are given, of a part of which only the digests are handed over.
pub fn sound_exports() -> (Vec<Handed>, String) {
    let script = lived();
    let image = seal(&script.keys, &script.drafts);
    let withheld = |text: &str| text.len().is_multiple_of(2);
    let exports = vec![
        Handed::Tiles(handed::tiles(
            &image,
            &script.keys.policy(&script.drafts),
            &withheld,
        )),
        Handed::Lines(handed::lines(
            &image,
            &script.keys.log,
            &script.keys.origin,
            &withheld,
        )),
    ];
    (exports, script.keys.trusted().to_string())
}

/// The cases of every rule.
pub fn cases() -> Vec<Golden> {
    let mut cases = Vec::new();
    bytes(&mut cases);
    signatures(&mut cases);
    places(&mut cases);
    stored(&mut cases);
    changes(&mut cases);
    successions(&mut cases);
    meaning(&mut cases);
    stolen(&mut cases);
    tiles(&mut cases);
    lines(&mut cases);
    receipts(&mut cases);
    cases
}

/// A log that breaks two rules in one record, of which the first is named whatever was read together.
pub fn gone_key() -> Vec<Golden> {
    let mut cases = Vec::new();
    let what = "a record by a key that went, which had another role";
    written(&mut cases, Rule::S2, what, |script| {
        let (old, new) = (Hand::Checkpoint, Hand::Later(0));
        script.key_rotated(old, new, &[Hand::Operator, old, new]);
        let at = script.clock();
        script.draft(at).by = vec![old];
        script.draft(at).sealed_by = new;
        at
    });
    cases
}

/// Logs that would break a rule if a record that is not judged here could not have said otherwise.
pub fn doubtful() -> Vec<Golden> {
    let mut cases = Vec::new();
    written(
        &mut cases,
        Rule::S11,
        "a key goes that a record of another version may have named",
        |script| {
            let at = script.clock();
            script.edit(at, |statement| statement["predicate"]["v"] = json!(2));
            let body = json!({"old": script.keys.key_id(Hand::Stranger), "why": "lost"});
            script.signed("key_revoked", body, &[Hand::Operator])
        },
    );
    written(
        &mut cases,
        Rule::S13,
        "a value that a record of another version may have hidden",
        |script| {
            let at = script.clock();
            script.edit(at, |statement| statement["predicate"]["v"] = json!(2));
            script.erased(&[digest_text("nothing")])
        },
    );
    written(
        &mut cases,
        Rule::M10,
        "a value of a request that a record of another kind may have ended",
        |script| {
            let at = script.ask();
            let ended = script.instance("withdrawn");
            script.edit(ended, |statement| {
                statement["predicate"]["kind"] = json!("ended")
            });
            let digests = script.take(at);
            script.erased(&digests)
        },
    );
    written(
        &mut cases,
        Rule::M12,
        "a start that counts votes of a key that was found to be stolen later",
        |script| {
            let since = script.now;
            let votes = script.approved();
            script.start(&votes, &Script::requirement());
            script.key_compromised(Hand::Desk, since)
        },
    );
    for case in &mut cases {
        case.expected = Found::exit(2);
    }
    cases
}

/// Adds a log that a writer with the keys makes; `wrong` returns the number of the bad record.
fn written(
    cases: &mut Vec<Golden>,
    rule: Rule,
    what: &'static str,
    wrong: impl FnOnce(&mut Script) -> usize,
) {
    altered(cases, rule, what, |script| {
        let at = wrong(script);
        (seal(&script.keys, &script.drafts), at)
    });
}

/// Adds a log of which what is stored is made otherwise.
fn altered(
    cases: &mut Vec<Golden>,
    rule: Rule,
    what: &'static str,
    make: impl FnOnce(&mut Script) -> (Image, usize),
) {
    let mut script = Script::new();
    let (image, at) = make(&mut script);
    // What is not strict does not verify, which is S2.
    let named = if rule == Rule::S1 { Rule::S2 } else { rule };
    cases.push(Golden {
        rule: rule.to_string(),
        what,
        made: Made::Store(image),
        keys: script.keys.trusted().to_string(),
        expected: Found {
            exit: 1,
            seq: Some(at as u64),
            rule: Some(named.to_string()),
        },
    });
}

fn bytes(cases: &mut Vec<Golden>) {
    written(
        cases,
        Rule::F1,
        "a statement of more than 48 KiB",
        |script| {
            script.ask();
            let at = script.vote(2);
            script.draft(at).body["attestation"] = json!({"payload": "x".repeat(50_000)});
            at
        },
    );
    written(cases, Rule::F2, "white space", |script| {
        let at = script.clock();
        script.respell(at, "\"v\":1", "\"v\": 1");
        at
    });
    written(cases, Rule::F2, "another order of members", |script| {
        let at = script.clock();
        let (from, to) = (
            "\"micros\":7,\"what\":\"jump\"",
            "\"what\":\"jump\",\"micros\":7",
        );
        script.respell(at, from, to);
        at
    });
    written(cases, Rule::F3, "a fifth member of a statement", |script| {
        let at = script.clock();
        script.edit(at, |statement| statement["x"] = json!(1));
        at
    });
    written(cases, Rule::F4, "the subject of another log", |script| {
        let at = script.clock();
        script.edit(at, |statement| {
            statement["subject"][0]["digest"]["sha256"] = json!("33".repeat(32));
        });
        at
    });
    written(
        cases,
        Rule::F5,
        "a predicate with a member more",
        |script| {
            let at = script.clock();
            script.edit(at, |statement| statement["predicate"]["x"] = json!(1));
            at
        },
    );
    written(cases, Rule::F6, "a body with a member more", |script| {
        let at = script.clock();
        script.draft(at).body["x"] = json!(1);
        at
    });
    written(
        cases,
        Rule::F6,
        "a disclosed value with an `_sd` of its own",
        |script| {
            script.ask();
            let at = script.vote_with(2, &[]);
            let mut body = script.draft(at).body.clone();
            body.as_object_mut().unwrap().remove("_sd");
            let mut texts = Vec::new();
            for (name, value) in [
                (
                    "id",
                    json!({"_sd": [], "issuer": "corp", "subject": "rita"}),
                ),
                ("shown_salt", json!("AgICAgICAgICAgICAgICAg")),
                ("comment", json!("fine")),
            ] {
                hide(&mut script.dice, &mut body, name, &value, &mut texts);
            }
            script.draft(at).body = body;
            script.draft(at).disclosures = texts;
            at
        },
    );
    written(
        cases,
        Rule::F6,
        "a malformed type beside an id that was erased",
        |script| {
            let at = script.ask();
            let (mut resource, mut texts) = (json!({"labels": [], "type": "A"}), Vec::new());
            let id = json!("crm/customers");
            hide(&mut script.dice, &mut resource, "id", &id, &mut texts);
            let body = &mut script.draft(at).body;
            body["bound"]["resources"] = json!([resource]);
            body["verdict"] = json!("deny");
            for name in ["expires", "requirement"] {
                body.as_object_mut().unwrap().remove(name);
            }
            script.draft(at).action = action_digest(&script.drafts[at].body["bound"]);
            script.erased(&[digest_text(&texts[0])]);
            at
        },
    );
    written(cases, Rule::F7, "an `_sd` that does not ascend", |script| {
        let at = script.ask();
        script.draft(at).body["_sd"]
            .as_array_mut()
            .unwrap()
            .reverse();
        at
    });
    written(
        cases,
        Rule::F7,
        "a digest that stood in the log before",
        |script| {
            let clock = script.clock();
            let at = script.acknowledged(clock);
            let again = script.draft(at).clone();
            script.drafts.push(again);
            at + 1
        },
    );
    written(cases, Rule::F8, "a fraction", |script| {
        script.ask();
        let at = script.vote(2);
        script.draft(at).body["attestation"] = json!({"n": 1.5});
        at
    });
    written(
        cases,
        Rule::F9,
        "two hidden members of one name",
        |script| {
            script.ask();
            script.vote_with(2, &["comment", "comment"])
        },
    );
}

fn signatures(cases: &mut Vec<Golden>) {
    written(
        cases,
        Rule::S1,
        "a signature whose R is the neutral point",
        |script| {
            let at = script.clock();
            script.draft(at).forge = Some(Arc::new(neutral));
            at
        },
    );
    written(
        cases,
        Rule::S2,
        "a signature over something else",
        |script| {
            let at = script.clock();
            script.draft(at).forge =
                Some(Arc::new(|key, _| *key.sign(b"else").unwrap().as_bytes()));
            at
        },
    );
    written(cases, Rule::S2, "two signatures by one key", |script| {
        let at = script.clock();
        script.draft(at).by = vec![Hand::Gate, Hand::Gate];
        at
    });
    written(
        cases,
        Rule::S2,
        "a second signature by a key that is not named",
        |script| {
            let at = script.clock();
            script.draft(at).by = vec![Hand::Gate, Hand::Stranger];
            at
        },
    );
    written(
        cases,
        Rule::S3,
        "a desk writes what gates write",
        |script| {
            script.ask();
            let at = script.instance("withdrawn");
            script.draft(at).by = vec![Hand::Desk];
            at
        },
    );
    let mut untrusted = cases.len();
    written(
        cases,
        Rule::S10,
        "a key that the auditor does not have",
        |script| script.clock(),
    );
    let case = &mut cases[untrusted];
    case.keys = case.keys.lines().skip(1).collect::<Vec<_>>().join("\n");
    case.expected = Found::exit(2);
    untrusted = cases.len();
    written(
        cases,
        Rule::S10,
        "a role that the auditor does not give",
        |script| script.clock(),
    );
    let case = &mut cases[untrusted];
    case.keys = case.keys.replace("operator ", "desk ");
    case.expected = Found::exit(2);
}

/// A signature that fits the equation, though its R is of small order: S is h·a, so that S·B − h·A is the neutral point.
fn neutral(key: &SecretKey, message: &[u8]) -> [u8; 64] {
    let mut r = [0; 32];
    r[0] = 1;
    let expanded = Sha512::digest(*key.to_seed());
    let secret = clamp_integer(expanded[..32].try_into().unwrap());
    let mut hash = Sha512::new();
    hash.update(r);
    hash.update(key.public().as_bytes());
    hash.update(message);
    let h = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
    let s = h * Scalar::from_bytes_mod_order(secret);
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(s.as_bytes());
    signature
}

fn places(cases: &mut Vec<Golden>) {
    for (member, what) in [
        ("prev", "another record before"),
        ("root", "another tree head before"),
    ] {
        written(cases, Rule::S4, what, |script| {
            let at = script.clock();
            script.edit(at, move |statement| {
                statement["predicate"][member] = json!("44".repeat(32));
            });
            at
        });
    }
    written(cases, Rule::S4, "another number", |script| {
        let at = script.clock();
        script.edit(at, |statement| statement["predicate"]["seq"] = json!(77));
        at
    });
    written(cases, Rule::S5, "time that runs backwards", |script| {
        let at = script.clock();
        script.draft(at).ts -= 2 * SECOND;
        at
    });
    written(cases, Rule::S6, "a second genesis", |script| {
        let genesis = script.keys.genesis();
        script.push("genesis", genesis, Vec::new())
    });
    altered(
        cases,
        Rule::S7,
        "a signed tree head of another tree",
        |script| {
            let at = script.clock();
            script.clock();
            let mut image = seal(&script.keys, &script.drafts);
            image.checkpoints[at].1 = script.keys.checkpoint(at as u64 + 1, Digest::sha256(b"x"));
            (image, at)
        },
    );
    altered(
        cases,
        Rule::S7,
        "a checkpoint by a key that signs none",
        |script| {
            let at = script.clock();
            script.clock();
            let mut image = seal(&script.keys, &script.drafts);
            let root = countersign::log::Frontier::empty().root();
            image.checkpoints[at].1 = script.keys.checkpoint_by(Hand::Gate, at as u64 + 1, root);
            (image, at)
        },
    );
    altered(
        cases,
        Rule::S7,
        "a checkpoint with a signature in a name that is none",
        |script| {
            let at = script.clock();
            let mut image = seal(&script.keys, &script.drafts);
            let line = "\u{2014} witness\u{7f} AAAAAAAA\n";
            image.checkpoints[at].1.extend(line.as_bytes());
            (image, at)
        },
    );
    altered(cases, Rule::S7, "no checkpoint of the end", |script| {
        let at = script.clock();
        let mut image = seal(&script.keys, &script.drafts);
        image.checkpoints.pop();
        (image, at)
    });
    altered(
        cases,
        Rule::S7,
        "a checkpoint of records that are missing",
        |script| {
            let at = script.clock();
            let mut image = seal(&script.keys, &script.drafts);
            let note = script.keys.checkpoint(9, Digest::sha256(b"x"));
            image.checkpoints.push((9, note));
            (image, at + 1)
        },
    );
}

fn stored(cases: &mut Vec<Golden>) {
    altered(cases, Rule::S8, "a column", |script| {
        let at = script.clock();
        let mut image = seal(&script.keys, &script.drafts);
        image.records[at].ts += 1;
        (image, at)
    });
    altered(cases, Rule::S8, "a leaf", |script| {
        let at = script.clock();
        let mut image = seal(&script.keys, &script.drafts);
        image.records[at].leaf[0] ^= 1;
        (image, at)
    });
    altered(cases, Rule::S8, "the head row", |script| {
        let at = script.clock();
        let mut image = seal(&script.keys, &script.drafts);
        image.head = None;
        (image, at)
    });
    altered(cases, Rule::S8, "a stored subtree", |script| {
        for _ in 0..260 {
            script.clock();
        }
        let mut image = seal(&script.keys, &script.drafts);
        image.subtrees[0].2[0] ^= 1;
        (image, 255)
    });
    altered(
        cases,
        Rule::S9,
        "a sealed value that no record names",
        |script| {
            let clock = script.clock();
            let at = script.acknowledged(clock);
            let mut image = seal(&script.keys, &script.drafts);
            let (place, text) = image.disclosures[0].clone();
            image.disclosures[0] = (place, sealed(&text));
            image.disclosures.push((place + 1, sealed("another")));
            (image, at)
        },
    );
    altered(
        cases,
        Rule::F9,
        "a sealed value in another spelling",
        |script| {
            let clock = script.clock();
            let at = script.acknowledged(clock);
            let mut image = seal(&script.keys, &script.drafts);
            let (place, text) = image.disclosures[0].clone();
            image
                .disclosures
                .push((place + 1, format!("{}=", sealed(&text))));
            (image, at)
        },
    );
    altered(cases, Rule::S9, "a missing disclosure", |script| {
        let clock = script.clock();
        let at = script.acknowledged(clock);
        let mut image = seal(&script.keys, &script.drafts);
        image.disclosures.clear();
        (image, at)
    });
    written(cases, Rule::S9, "a stray disclosure", |script| {
        let at = script.clock();
        let stray = canonical(&json!(["AgICAgICAgICAgICAgICAg", "x", 1]));
        let mut nowhere = json!({});
        let text = Base64UrlUnpadded::encode_string(&stray);
        hide_text(&mut nowhere, text, &mut script.draft(at).disclosures);
        at
    });
}

fn changes(cases: &mut Vec<Golden>) {
    let (operator, new) = (Hand::Operator, Hand::Later(0));
    written(cases, Rule::S11, "a key that went comes back", |script| {
        script.key_rotated(Hand::Gate, new, &[operator, Hand::Gate, new]);
        script.key_added(Hand::Gate, &[operator, Hand::Gate])
    });
    written(
        cases,
        Rule::S11,
        "a new key of which nobody shows that they hold it",
        |script| script.key_added(new, &[operator]),
    );
    written(
        cases,
        Rule::S11,
        "a key that goes without its signature",
        |script| script.key_rotated(Hand::Gate, new, &[operator, new]),
    );
    written(
        cases,
        Rule::S11,
        "a key goes that is not in force",
        |script| {
            let body = json!({"old": script.keys.key_id(Hand::Stranger), "why": "lost"});
            script.signed("key_revoked", body, &[operator])
        },
    );
    written(
        cases,
        Rule::S11,
        "nobody is left to sign checkpoints",
        |script| {
            let body = json!({"old": script.keys.key_id(Hand::Checkpoint), "why": "retired"});
            script.signed("key_revoked", body, &[operator])
        },
    );
    for (what, later) in [
        ("a record of a time when its key was stolen", false),
        (
            "a record by a key that was stolen later, and no checkpoint from outside",
            true,
        ),
    ] {
        written(cases, Rule::S12, what, |script| {
            script.key_added(new, &[operator, new]);
            let at = script.clock();
            script.draft(at).by = vec![new];
            let since = script.now + if later { 1 } else { 0 };
            script.key_compromised(new, since)
        });
        cases.last_mut().unwrap().expected = Found::exit(2);
    }
    written(
        cases,
        Rule::S13,
        "an erased value that is still there",
        |script| {
            let clock = script.clock();
            let at = script.acknowledged(clock);
            let texts = script.draft(at).disclosures.clone();
            let digests = script.take(at);
            script.draft(at).disclosures = texts;
            script.erased(&digests)
        },
    );
    written(
        cases,
        Rule::S13,
        "an erased value that nobody hid",
        |script| script.erased(&[digest_text("nothing")]),
    );
    written(cases, Rule::S13, "a value that is erased twice", |script| {
        let clock = script.clock();
        let at = script.acknowledged(clock);
        let digests = script.take(at);
        script.erased(&digests);
        script.erased(&digests)
    });
    written(
        cases,
        Rule::S13,
        "an erased value of the very record that erases it",
        |script| {
            let at = script.erased(&[]);
            let digests = script.take(at);
            script.draft(at).body["digests"] = json!(digests);
            at
        },
    );
}

fn successions(cases: &mut Vec<Golden>) {
    written(
        cases,
        Rule::S14,
        "a successor that does not say what was lost",
        |script| {
            script.continue_another();
            script.clock()
        },
    );
    written(
        cases,
        Rule::S14,
        "a successor that ends with its genesis",
        |script| {
            script.continue_another();
            0
        },
    );
    written(
        cases,
        Rule::S14,
        "a rollback by which nothing was lost",
        |script| {
            script.continue_another();
            let found = json!({"root": "99".repeat(32), "size": 9});
            script.recovered("rollback", found)
        },
    );
    written(
        cases,
        Rule::S14,
        "a log that continues none and says what was lost",
        |script| script.recovered("store_lost", Value::Null),
    );
    written(
        cases,
        Rule::F6,
        "a successor of a log that nothing known befell",
        |script| {
            script.continue_another();
            script.recovered("fire", Value::Null)
        },
    );
}

fn meaning(cases: &mut Vec<Golden>) {
    written(
        cases,
        Rule::M1,
        "an acknowledged clock that is none",
        |script| {
            script.clock();
            script.acknowledged(1)
        },
    );
    written(cases, Rule::M2, "the subject of another action", |script| {
        script.ask();
        let at = script.instance("withdrawn");
        script.draft(at).action = "55".repeat(32);
        at
    });
    written(cases, Rule::M3, "a request that ends twice", |script| {
        script.ask();
        script.instance("withdrawn");
        script.instance("withdrawn")
    });
    written(cases, Rule::M3, "a vote after the time for it", |script| {
        script.ask();
        script.now += 4000 * SECOND;
        script.vote(2)
    });
    written(cases, Rule::M3, "a start before its time", |script| {
        let mut requirement = Script::requirement();
        requirement["not_before"] = json!(time(script.now + 60 * SECOND));
        script.ask_with(&requirement);
        let votes = [2, 3].map(|who| (script.vote(who), who));
        script.start(&votes, &requirement)
    });
    written(cases, Rule::M4, "the requester approves", |script| {
        script.ask();
        script.vote(1)
    });
    written(
        cases,
        Rule::M4,
        "an exception that nobody needs",
        |script| {
            script.ask();
            let at = script.vote(2);
            script.draft(at).body["exception"] = json!("self_approval");
            at
        },
    );
    written(
        cases,
        Rule::M5,
        "a start that counts one vote of two",
        |script| {
            let votes = script.approved();
            script.start(&votes[..1], &Script::requirement())
        },
    );
    written(
        cases,
        Rule::M5,
        "a start that counts a vote twice",
        |script| {
            let votes = script.approved();
            script.start(&[votes[0], votes[1], votes[1]], &Script::requirement())
        },
    );
    written(
        cases,
        Rule::M6,
        "a start under a weaker requirement",
        |script| {
            let votes = script.approved();
            let mut weaker = Script::requirement();
            weaker["quorum"] = json!("1 of group:a");
            script.start(&votes, &weaker)
        },
    );
    written(cases, Rule::M6, "a start under longer clocks", |script| {
        let votes = script.approved();
        let mut weaker = Script::requirement();
        weaker["clocks"]["valid_for"] = json!(601);
        script.start(&votes, &weaker)
    });
    written(
        cases,
        Rule::M7,
        "an approval without the reason",
        |script| {
            script.ask();
            script.vote_with(2, &[])
        },
    );
    written(cases, Rule::M8, "a policy that was not adopted", |script| {
        let at = script.ask();
        script.draft(at).body["decision"]["revision"] = json!("66".repeat(32));
        at
    });
    for (what, known) in [
        ("a start of which witnesses did not know", None),
        (
            "a start of which witnesses knew all but the last vote",
            Some(0),
        ),
        ("a start that witnesses knew before it was there", Some(2)),
    ] {
        written(cases, Rule::M11, what, |script| {
            let (votes, requirement) = script.asked_for_witnesses();
            let at = script.start(&votes, &requirement);
            if let Some(beyond) = known {
                script.draft(at).body["witnessed"] = json!(votes[1].0 + beyond);
            }
            at
        });
    }
    written(
        cases,
        Rule::M6,
        "a start that need not be witnessed any more",
        |script| {
            let (votes, _) = script.asked_for_witnesses();
            let at = script.start(&votes, &Script::requirement());
            script.draft(at).body["witnessed"] = json!(at);
            at
        },
    );
    written(cases, Rule::M9, "a record of a testing gate", |script| {
        let at = script.clock();
        script.edit(at, |statement| {
            statement["predicate"]["enforced"] = json!(false)
        });
        at
    });
    written(
        cases,
        Rule::M10,
        "a value of a request that waits is erased",
        |script| {
            let at = script.ask();
            let digests = script.take(at);
            script.erased(&digests)
        },
    );
    written(
        cases,
        Rule::M10,
        "a value of a vote on what runs is erased",
        |script| {
            let votes = script.approved();
            script.start(&votes, &Script::requirement());
            let digests = script.take(votes[0].0);
            script.erased(&digests)
        },
    );
}

/// A start that counts votes that a thief may have cast, before the theft is known or after.
fn stolen(cases: &mut Vec<Golden>) {
    let what = "a start that counts votes of a key that was stolen by then";
    written(cases, Rule::M12, what, |script| {
        let since = script.now;
        let votes = script.approved();
        script.key_compromised(Hand::Desk, since);
        script.start(&votes, &Script::requirement())
    });
}

/// What a store may keep of a disclosure.
pub fn sealed(text: &str) -> String {
    format!("~{}{}", digest_text(text), "c2VhbGVk")
}

fn broken_at(seq: usize, rule: &str) -> Found {
    Found {
        exit: 1,
        seq: Some(seq as u64),
        rule: Some(rule.to_owned()),
    }
}

/// The number of records of the log of `lived`.
const LIVED: usize = 8;

/// Adds the sound log as tiles, with something done to its files.
fn as_tiles(
    cases: &mut Vec<Golden>,
    rule: &str,
    what: &'static str,
    expected: Found,
    change: impl FnOnce(&mut Files),
) {
    let script = lived();
    assert_eq!(script.drafts.len(), LIVED);
    tiles_of(cases, &script, (rule, what), expected, change);
}

fn tiles_of(
    cases: &mut Vec<Golden>,
    script: &Script,
    (rule, what): (&str, &'static str),
    expected: Found,
    change: impl FnOnce(&mut Files),
) {
    let image = seal(&script.keys, &script.drafts);
    let mut files = handed::tiles(&image, &script.keys.policy(&script.drafts), &|_| false);
    change(&mut files);
    cases.push(Golden {
        rule: rule.to_owned(),
        what,
        made: Made::Handed(Handed::Tiles(files)),
        keys: script.keys.trusted().to_string(),
        expected,
    });
}

fn rename(files: &mut Files, from: &str, to: &str) {
    let bytes = files.remove(from).unwrap();
    files.insert(to.to_owned(), bytes);
}

fn tiles(cases: &mut Vec<Golden>) {
    let last = LIVED - 1;
    as_tiles(
        cases,
        "T1",
        "a tile with another spelling of its number",
        broken_at(0, "S8"),
        |files| rename(files, "tile/0/000.p/8", "tile/0/0.p/8"),
    );
    as_tiles(
        cases,
        "T2",
        "a bundle under the name of a wider one",
        broken_at(0, "S7"),
        |files| rename(files, "tile/entries/000.p/8", "tile/entries/000.p/9"),
    );
    for (rule, file, seq) in [
        ("T3", "tile/0/000.p/8", 0),
        ("T4", "tile/entries/000.p/8", last),
        ("T5", "sig/000.p/8", last),
    ] {
        let what = "a byte after the last entry";
        as_tiles(cases, rule, what, broken_at(seq, "S8"), |files| {
            files.get_mut(file).unwrap().push(0);
        });
    }
    as_tiles(
        cases,
        "T6",
        "an older form that says something else",
        broken_at(1, "S8"),
        |files| {
            let mut older = files["tile/0/000.p/8"][..96].to_vec();
            older[40] ^= 1;
            files.insert("tile/0/000.p/3".to_owned(), older);
        },
    );
    as_tiles(
        cases,
        "T6",
        "an older form that ends within an entry",
        broken_at(2, "S8"),
        |files| {
            let older = files["tile/0/000.p/8"][..90].to_vec();
            files.insert("tile/0/000.p/3".to_owned(), older);
        },
    );
    as_tiles(
        cases,
        "T6",
        "a form without a width",
        broken_at(0, "S8"),
        |files| {
            files.insert("sig/000.p/new".to_owned(), Vec::new());
        },
    );
    as_tiles(
        cases,
        "T7",
        "a line of a record of another bundle",
        broken_at(6, "F9"),
        |files| {
            let lines = files.get_mut("disclosures/000").unwrap();
            lines.extend(b"256 given AAAA\n");
        },
    );
    as_tiles(
        cases,
        "T7",
        "a last line that does not end",
        broken_at(6, "S9"),
        |files| {
            files.get_mut("disclosures/000").unwrap().pop();
        },
    );
    as_tiles(
        cases,
        "T8",
        "a policy with a witness more",
        Found::exit(2),
        |files| files.get_mut("policy").unwrap().extend(b"# me\n"),
    );
    // Of a key that took another's place there is a line, too.
    let (operator, new) = (Hand::Operator, Hand::Later(0));
    let mut script = lived();
    script.key_rotated(Hand::Checkpoint, new, &[operator, Hand::Checkpoint, new]);
    let of_genesis = script.keys.policy(&[]);
    tiles_of(
        cases,
        &script,
        ("T8", "a policy without the key that came"),
        Found::exit(2),
        |files| {
            files.insert("policy".to_owned(), of_genesis.into_bytes());
        },
    );
}

/// Adds the sound log as lines, with something done to them.
fn as_lines(
    cases: &mut Vec<Golden>,
    rule: &str,
    what: &'static str,
    expected: Found,
    change: impl FnOnce(&mut Vec<String>),
) {
    let script = lived();
    let image = seal(&script.keys, &script.drafts);
    let bytes = handed::lines(&image, &script.keys.log, &script.keys.origin, &|_| false);
    let text = String::from_utf8(bytes).unwrap();
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    change(&mut lines);
    cases.push(Golden {
        rule: rule.to_owned(),
        what,
        made: Made::Handed(Handed::Lines(lines.concat().into_bytes())),
        keys: script.keys.trusted().to_string(),
        expected,
    });
}

fn respelled(lines: &mut [String], at: usize, from: &str, to: &str) {
    assert!(lines[at].contains(from), "{}", lines[at]);
    lines[at] = lines[at].replacen(from, to, 1);
}

fn lines(cases: &mut Vec<Golden>) {
    // After the header, each record has the line of its checkpoint after it.
    as_lines(
        cases,
        "J1",
        "white space in a line",
        broken_at(2, "S8"),
        |lines| respelled(lines, 5, "\"seq\":2", "\"seq\": 2"),
    );
    as_lines(
        cases,
        "J2",
        "a header that counts a record more",
        broken_at(8, "S7"),
        |lines| respelled(lines, 0, "\"records\":8", "\"records\":9"),
    );
    as_lines(
        cases,
        "J2",
        "a header that counts a record less",
        broken_at(7, "S8"),
        |lines| respelled(lines, 0, "\"records\":8", "\"records\":7"),
    );
    as_lines(
        cases,
        "J2",
        "a header of another log",
        broken_at(0, "S8"),
        |lines| respelled(lines, 0, "example.com", "example.org"),
    );
    as_lines(
        cases,
        "J3",
        "a line that says to be of another record",
        broken_at(2, "S8"),
        |lines| respelled(lines, 5, "\"seq\":2", "\"seq\":3"),
    );
    as_lines(
        cases,
        "J3",
        "a line with a member more",
        broken_at(2, "S8"),
        |lines| respelled(lines, 5, "\"withheld\":[]", "\"withheld\":[],\"x\":1"),
    );
    as_lines(
        cases,
        "J4",
        "a checkpoint that says another size",
        broken_at(2, "S7"),
        |lines| respelled(lines, 6, "\"size\":3", "\"size\":4"),
    );
}

/// Adds a receipt of the third record, with something done to the log before or to the receipt after.
fn as_receipt(
    cases: &mut Vec<Golden>,
    rule: &str,
    what: &'static str,
    before: impl FnOnce(&mut Script, usize),
    after: impl FnOnce(&Script, &mut String),
) {
    let mut script = lived();
    let at = 3;
    before(&mut script, at);
    let image = seal(&script.keys, &script.drafts);
    let (_, note) = image.checkpoints.last().unwrap();
    let bytes = handed::receipt(&image, at, note, &|_| true);
    let mut text = String::from_utf8(bytes).unwrap();
    after(&script, &mut text);
    cases.push(Golden {
        rule: rule.to_owned(),
        what,
        made: Made::Handed(Handed::Receipt(text.into_bytes())),
        keys: script.keys.trusted().to_string(),
        expected: Found::exit(1),
    });
}

fn receipts(cases: &mut Vec<Golden>) {
    let untouched = |_: &mut Script, _: usize| {};
    as_receipt(cases, "R1", "an extra line", untouched, |_, text| {
        *text = text.replacen("\nindex", "\nextra AAAA\nindex", 1);
    });
    as_receipt(
        cases,
        "R2",
        "a checkpoint by a key that signs none",
        untouched,
        |script, text| {
            let image = seal(&script.keys, &script.drafts);
            let (size, note) = image.checkpoints.last().unwrap();
            let note = std::str::from_utf8(note).unwrap();
            let root = note.lines().nth(2).unwrap();
            let root = Base64::decode_vec(root).unwrap();
            let root = Digest::from_bytes(root.try_into().unwrap());
            let other = script.keys.checkpoint_by(Hand::Gate, *size as u64, root);
            *text = text.replacen(note, std::str::from_utf8(&other).unwrap(), 1);
        },
    );
    as_receipt(
        cases,
        "R3",
        "an envelope of another spelling",
        untouched,
        |_, text| *text = text.replacen("{\"payload\":", "{ \"payload\":", 1),
    );
    as_receipt(
        cases,
        "R4",
        "a record by a key that may not sign it",
        |script, at| script.draft(at).by = vec![Hand::Desk],
        |_, _| {},
    );
    as_receipt(
        cases,
        "R4",
        "a record of a testing gate",
        |script, at| {
            script.edit(at, |statement| {
                statement["predicate"]["enforced"] = json!(false)
            });
        },
        |_, _| {},
    );
    as_receipt(
        cases,
        "R5",
        "a path that leads elsewhere",
        untouched,
        |_, text| {
            let hash = text.lines().nth(2).unwrap().to_owned();
            *text = text.replacen(&hash, &Base64::encode_string(&[7; 32]), 1);
        },
    );
    as_receipt(cases, "R5", "another index", untouched, |_, text| {
        *text = text.replacen("index 3", "index 4", 1);
    });
    as_receipt(
        cases,
        "R6",
        "a disclosure of something else",
        untouched,
        |_, text| {
            let other = canonical(&json!(["AgICAgICAgICAgICAgICAg", "x", 1]));
            let (before, _) = text.trim_end().rsplit_once('\n').unwrap();
            *text = format!("{before}\n{}\n", Base64UrlUnpadded::encode_string(&other));
        },
    );
    as_receipt(
        cases,
        "R7",
        "a last line that does not end",
        untouched,
        |_, text| {
            text.pop();
        },
    );
}
