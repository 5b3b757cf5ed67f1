//! Writes whatever it is told to write as a log: well signed and well chained, whatever it says.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use countersign::canonical::{Admission, Digest, admit};
use countersign::clock::Timestamp;
use countersign::log::{
    Checkpoint, Frontier, Head, LogId, Origin, PAYLOAD_TYPE, Role, SecretKey, Signer, TrustedKeys,
    VerifierKey, leaf_hash, pae,
};
use countersign::store::{MOST_DISCLOSURES, SqliteStore};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::dice::Dice;

/// What is to be done to a statement before it is written as bytes.
pub type Edit = Arc<dyn Fn(&mut Value) + Send + Sync>;
/// What is to be done to its bytes before they are hashed and signed.
pub type Respell = Arc<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>;
/// Another signature than the one of a key.
pub type Forge = Arc<dyn Fn(&SecretKey, &[u8]) -> [u8; 64] + Send + Sync>;

/// A record that is not numbered, chained and signed yet.
#[derive(Clone)]
pub struct Draft {
    pub kind: String,
    pub request: Option<String>,
    /// The digest in the subject of a record with a request.
    pub action: String,
    pub body: Value,
    pub disclosures: Vec<String>,
    /// In microseconds.
    pub ts: i64,
    pub by: Vec<Hand>,
    pub edit: Option<Edit>,
    pub respell: Option<Respell>,
    pub forge: Option<Forge>,
    pub ends_batch: bool,
    /// Whose key signs the checkpoint after it, if there is one.
    pub sealed_by: Hand,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.kind, self.request, self.body)
    }
}

/// Whose key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    Gate,
    Desk,
    Operator,
    Checkpoint,
    /// A key that the log does not name.
    Stranger,
    /// A key that the log may name on the way.
    Later(u8),
}

/// How many keys a log may name on the way.
pub const LATER: u8 = 8;

impl Hand {
    /// Who signs a kind, if it is done right.
    pub fn of(kind: &str) -> Self {
        match kind {
            "voted" | "cancelled" | "revoked" | "reconciled" | "granted" | "frozen" | "viewed" => {
                Self::Desk
            }
            "genesis" | "clock_acknowledged" | "erased" | "recovered" | "key_added"
            | "key_rotated" | "key_revoked" => Self::Operator,
            _ => Self::Gate,
        }
    }
}

/// The keys of a log, and what it is called.
#[derive(Debug)]
pub struct Seal {
    pub log: String,
    pub origin: String,
    keys: [SecretKey; 5],
    later: [SecretKey; LATER as usize],
}

impl Seal {
    pub fn new(dice: &mut Dice, origin: &str) -> Self {
        Self {
            log: dice.uuid(),
            origin: origin.to_owned(),
            keys: std::array::from_fn(|_| SecretKey::from_seed(&dice.bytes())),
            later: std::array::from_fn(|_| SecretKey::from_seed(&dice.bytes())),
        }
    }

    pub fn key(&self, hand: Hand) -> &SecretKey {
        match hand {
            Hand::Gate => &self.keys[0],
            Hand::Desk => &self.keys[1],
            Hand::Operator => &self.keys[2],
            Hand::Checkpoint => &self.keys[3],
            Hand::Stranger => &self.keys[4],
            Hand::Later(number) => &self.later[usize::from(number)],
        }
    }

    /// The key as records spell it.
    pub fn key_text(&self, hand: Hand) -> String {
        Base64::encode_string(self.key(hand).public().as_bytes())
    }

    pub fn key_id(&self, hand: Hand) -> String {
        Digest::from_bytes(*self.key(hand).public().id().as_bytes()).to_hex()
    }

    fn named(&self) -> Vec<(String, &'static str)> {
        let of = |(hand, role): (Hand, &'static str)| (self.key_text(hand), role);
        let mut named: Vec<_> = [
            (Hand::Gate, "gate"),
            (Hand::Desk, "desk"),
            (Hand::Operator, "operator"),
            (Hand::Checkpoint, "checkpoint"),
        ]
        .map(of)
        .to_vec();
        named.sort();
        named
    }

    /// The body of the genesis.
    pub fn genesis(&self) -> Value {
        let keys: Vec<Value> = self
            .named()
            .into_iter()
            .map(|(key, role)| json!({"key": key, "roles": [role]}))
            .collect();
        json!({"keys": keys, "origin": self.origin, "predecessor": null})
    }

    /// The keys that an auditor would bring.
    pub fn trusted(&self) -> TrustedKeys {
        let mut keys = TrustedKeys::new();
        let name = Origin::new(self.origin.as_str())
            .unwrap()
            .key_name()
            .clone();
        for (hand, role) in [
            (Hand::Gate, Role::Gate),
            (Hand::Desk, Role::Desk),
            (Hand::Operator, Role::Operator),
            (Hand::Checkpoint, Role::Checkpoint),
        ] {
            let key = VerifierKey::new(name.clone(), self.key(hand).public().clone());
            keys.add(key, BTreeSet::from([role])).unwrap();
        }
        keys
    }

    /// The policy beside tiles of a log.
    pub fn policy(&self, drafts: &[Draft]) -> String {
        let hands = [
            Hand::Gate,
            Hand::Desk,
            Hand::Operator,
            Hand::Checkpoint,
            Hand::Stranger,
        ];
        let hands = hands.into_iter().chain((0..LATER).map(Hand::Later));
        let all: Vec<(String, String, Hand)> = hands
            .map(|hand| (self.key_text(hand), self.key_id(hand), hand))
            .collect();
        let of_text = |text: &Value| all.iter().find(|(key, _, _)| *text == json!(key));
        let of_id = |id: &Value| all.iter().find(|(_, one, _)| *id == json!(one));
        // Those with the role.
        let mut named: Vec<Hand> = vec![Hand::Checkpoint];
        let mut stolen = Vec::new();
        for (seq, draft) in drafts.iter().enumerate() {
            let old = of_id(&draft.body["old"]).map(|(_, _, hand)| *hand);
            let new = of_text(&draft.body["key"]).map(|(_, _, hand)| *hand);
            let comes = match draft.kind.as_str() {
                "key_added" => draft.body["roles"]
                    .as_array()
                    .is_some_and(|roles| roles.contains(&json!("checkpoint"))),
                "key_rotated" => old.is_some_and(|old| named.contains(&old)),
                _ => false,
            };
            named.extend(new.filter(|_| comes));
            if !draft.body["compromised_since"].is_null() && seq + 1 < drafts.len() {
                stolen.extend(old);
            }
        }
        let name = Origin::new(self.origin.as_str())
            .unwrap()
            .key_name()
            .clone();
        let mut policy = String::new();
        for hand in named.into_iter().filter(|hand| !stolen.contains(hand)) {
            let key = self.key(hand).public().clone();
            policy += &format!("log {}\n", VerifierKey::new(name.clone(), key));
        }
        policy + "quorum none\n"
    }

    pub fn checkpoint(&self, size: u64, root: Digest) -> Vec<u8> {
        self.checkpoint_by(Hand::Checkpoint, size, root)
    }

    pub fn checkpoint_by(&self, hand: Hand, size: u64, root: Digest) -> Vec<u8> {
        let origin = Origin::new(self.origin.as_str()).unwrap();
        let checkpoint = Checkpoint { origin, size, root };
        checkpoint.sign(self.key(hand)).unwrap()
    }
}

/// Hides a member of an object, as section 4 of the record format has it.
pub fn hide(
    dice: &mut Dice,
    object: &mut Value,
    name: &str,
    value: &Value,
    disclosures: &mut Vec<String>,
) {
    let salt = Base64UrlUnpadded::encode_string(&dice.bytes::<16>());
    let text = Base64UrlUnpadded::encode_string(&canonical(&json!([salt, name, value])));
    hide_text(object, text, disclosures);
}

/// Files the text of a disclosure.
pub fn hide_text(object: &mut Value, text: String, disclosures: &mut Vec<String>) {
    let digest = Base64UrlUnpadded::encode_string(Digest::sha256(text.as_bytes()).as_bytes());
    let members = object.as_object_mut().unwrap();
    let digests = members.entry("_sd").or_insert_with(|| json!([]));
    let digests = digests.as_array_mut().unwrap();
    digests.push(digest.into());
    digests.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    disclosures.push(text);
}

/// The canonical bytes of a value; of one that has none, the plain ones.
pub fn canonical(value: &Value) -> Vec<u8> {
    let plain = serde_json::to_vec(value).unwrap();
    let limits = Admission::default()
        .with_max_bytes(4 << 20)
        .with_max_depth(100);
    admit(&plain, &limits).map_or(plain, |json| json.to_canonical())
}

pub fn action_digest(bound: &Value) -> String {
    Digest::of("countersign/action/v1", &canonical(bound)).to_hex()
}

pub fn time(micros: i64) -> String {
    Timestamp::from_unix_micros(micros).unwrap().to_string()
}

/// A row of the table `record`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub seq: i64,
    pub prev: Vec<u8>,
    pub leaf: Vec<u8>,
    pub kind: String,
    pub request: Option<Vec<u8>>,
    pub ts: i64,
    pub signatures: Vec<u8>,
    pub statement: Vec<u8>,
}

/// The rows of a store that a verifier reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    pub records: Vec<Row>,
    pub disclosures: Vec<(i64, String)>,
    pub checkpoints: Vec<(i64, Vec<u8>)>,
    pub subtrees: Vec<(i64, i64, Vec<u8>)>,
    pub head: Option<Vec<u8>>,
}

/// Numbers, chains and signs drafts.
pub fn seal(seal: &Seal, drafts: &[Draft]) -> Image {
    let mut image = Image::default();
    let mut tree = Frontier::empty();
    let mut prev = Digest::from_bytes([0; 32]);
    let mut last_note = Vec::new();
    for (seq, draft) in drafts.iter().enumerate() {
        let mut statement = statement(seal, draft, seq, &prev, &tree.root());
        if let Some(edit) = &draft.edit {
            edit(&mut statement);
        }
        let mut bytes = canonical(&statement);
        if let Some(respell) = &draft.respell {
            bytes = respell(bytes);
        }
        let leaf = leaf_hash(&bytes);
        let predicate = &statement["predicate"];
        image.records.push(Row {
            seq: seq as i64,
            prev: from_hex(&predicate["prev"]).unwrap_or_else(|| prev.as_bytes().to_vec()),
            leaf: leaf.as_bytes().to_vec(),
            kind: predicate["kind"].as_str().unwrap_or(&draft.kind).to_owned(),
            request: predicate["request"]
                .as_str()
                .and_then(|text| Uuid::parse_str(text).ok())
                .map(|uuid| uuid.as_bytes().to_vec()),
            ts: predicate["ts"]
                .as_str()
                .and_then(|text| Timestamp::parse(text).ok())
                .map_or(draft.ts, Timestamp::unix_micros),
            signatures: signatures(seal, draft, &bytes),
            statement: bytes,
        });
        for (place, text) in draft.disclosures.iter().enumerate() {
            image
                .disclosures
                .push(((seq * MOST_DISCLOSURES + place) as i64, text.clone()));
        }
        for subtree in tree.push(leaf) {
            let hash = subtree.hash.as_bytes().to_vec();
            image
                .subtrees
                .push((subtree.level.into(), subtree.index as i64, hash));
        }
        prev = leaf;
        if draft.ends_batch || seq + 1 == drafts.len() {
            last_note = seal.checkpoint_by(draft.sealed_by, tree.size(), tree.root());
            image
                .checkpoints
                .push((tree.size() as i64, last_note.clone()));
        }
    }
    if !drafts.is_empty() {
        let latest = image.records.iter().map(|row| row.ts).max().unwrap();
        let head = Head {
            log: LogId::parse(&seal.log).unwrap(),
            size: tree.size(),
            frontier: tree,
            prev,
            ts: Timestamp::from_unix_micros(latest).unwrap(),
            checkpoint: last_note,
        };
        image.head = Some(head.encode());
    }
    image
}

fn statement(seal: &Seal, draft: &Draft, seq: usize, prev: &Digest, root: &Digest) -> Value {
    let subject = match &draft.request {
        Some(request) => {
            json!([{"digest": {"sha256": draft.action}, "name": format!("request:{request}")}])
        }
        None => {
            let digest = Digest::of("countersign/log/v1", seal.log.as_bytes()).to_hex();
            json!([{"digest": {"sha256": digest}, "name": format!("log:{}", seal.log)}])
        }
    };
    let key = draft.by.first().copied().unwrap_or(Hand::Gate);
    let mut predicate = json!({
        "body": draft.body,
        "enforced": !seal.origin.starts_with("testing/"),
        "key": seal.key_id(key),
        "kind": draft.kind,
        "log": seal.log,
        "prev": prev.to_hex(),
        "root": root.to_hex(),
        "seq": seq,
        "ts": time(draft.ts),
        "v": 1,
    });
    if let Some(request) = &draft.request {
        predicate["request"] = json!(request);
    }
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "predicate": predicate,
        "predicateType": "https://countersign.dev/record/v1",
        "subject": subject,
    })
}

fn signatures(seal: &Seal, draft: &Draft, bytes: &[u8]) -> Vec<u8> {
    let message = pae(PAYLOAD_TYPE, bytes);
    let mut signatures = Vec::new();
    for hand in &draft.by {
        let key = seal.key(*hand);
        let signature = match &draft.forge {
            Some(forge) => forge(key, &message),
            None => *key.sign(&message).unwrap().as_bytes(),
        };
        signatures.extend_from_slice(key.public().id().as_bytes());
        signatures.extend_from_slice(&signature);
    }
    signatures
}

fn from_hex(value: &Value) -> Option<Vec<u8>> {
    let digest = Digest::parse_hex(value.as_str()?).ok()?;
    Some(digest.as_bytes().to_vec())
}

/// A store without records, as bytes of its file.
pub fn empty_store() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.sqlite");
    drop(SqliteStore::create(&path).unwrap());
    fs::read(path).unwrap()
}

impl Image {
    /// Writes a store; `empty` is one without records.
    pub fn write(&self, empty: &[u8], path: &Path) {
        fs::write(path, empty).unwrap();
        let mut connection = rusqlite::Connection::open(path).unwrap();
        connection
            .pragma_update(None, "synchronous", "OFF")
            .unwrap();
        let changes = connection.transaction().unwrap();
        let insert = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
            changes
                .prepare_cached(sql)
                .unwrap()
                .execute(values)
                .unwrap();
        };
        for row in &self.records {
            insert(
                "INSERT INTO record(seq, prev, leaf, kind, request, ts, signatures, statement) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                &[
                    &row.seq,
                    &row.prev,
                    &row.leaf,
                    &row.kind,
                    &row.request,
                    &row.ts,
                    &row.signatures,
                    &row.statement,
                ],
            );
        }
        for (place, text) in &self.disclosures {
            insert(
                "INSERT INTO disclosure(place, text) VALUES (?1, ?2)",
                &[place, text],
            );
        }
        for (size, note) in &self.checkpoints {
            insert(
                "INSERT INTO checkpoint(size, note) VALUES (?1, ?2)",
                &[size, note],
            );
        }
        for (level, number, hash) in &self.subtrees {
            insert(
                "INSERT INTO subtree(level, number, hash) VALUES (?1, ?2, ?3)",
                &[level, number, hash],
            );
        }
        if let Some(head) = &self.head {
            insert(
                "INSERT INTO head(one, size, state) VALUES (1, ?1, ?2)",
                &[&(self.records.len() as i64), head],
            );
        }
        changes.commit().unwrap();
        drop(connection);
    }
}

/// The members of an object, to be changed.
pub fn members(value: &mut Value) -> &mut Map<String, Value> {
    value.as_object_mut().unwrap()
}
