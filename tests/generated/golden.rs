//! For each numbered rule, logs that only this rule refuses: left out, the log would be intact.

use std::sync::Arc;

use base64ct::{Base64UrlUnpadded, Encoding};
use countersign::canonical::Digest;
use countersign::log::{Rule, SecretKey, Signer};
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use super::Found;
use super::dice::Dice;
use super::scribe::{
    Draft, Hand, Image, Seal, action_digest, canonical, hide, hide_text, seal, time,
};

const INSTANCE: &str = "01890000-0000-7000-8000-000000000001";
const EXECUTION: &str = "01890000-0000-7000-8000-000000000002";
const REQUEST: &str = "01890000-0000-7000-8000-000000000003";
const SECOND: i64 = 1_000_000;

/// A log, the keys that its auditor trusts, and what is to be found.
#[derive(Debug)]
pub struct Golden {
    /// The rule without which the log is intact.
    pub rule: Rule,
    pub what: &'static str,
    pub image: Image,
    pub keys: String,
    pub expected: Found,
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
            "genesis" | "policy_adopted" | "clock" | "clock_acknowledged"
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
        });
        self.drafts.len() - 1
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
    let mut script = Script::new();
    let clock = script.clock();
    script.acknowledged(clock);
    let votes = script.approved();
    script.start(&votes, &Script::requirement());
    (
        seal(&script.keys, &script.drafts),
        script.keys.trusted().to_string(),
    )
}

/// The cases of every rule.
pub fn cases() -> Vec<Golden> {
    let mut cases = Vec::new();
    bytes(&mut cases);
    signatures(&mut cases);
    places(&mut cases);
    stored(&mut cases);
    meaning(&mut cases);
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
        rule,
        what,
        image,
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
    case.expected = Found {
        exit: 2,
        seq: None,
        rule: None,
    };
    untrusted = cases.len();
    written(
        cases,
        Rule::S10,
        "a role that the auditor does not give",
        |script| script.clock(),
    );
    let case = &mut cases[untrusted];
    case.keys = case.keys.replace("operator ", "desk ");
    case.expected = Found {
        exit: 2,
        seq: None,
        rule: None,
    };
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
    written(cases, Rule::M9, "a record of a testing gate", |script| {
        let at = script.clock();
        script.edit(at, |statement| {
            statement["predicate"]["enforced"] = json!(false)
        });
        at
    });
}
