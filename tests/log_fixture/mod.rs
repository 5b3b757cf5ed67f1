//! A log in memory, written as a real one is, whose every byte a test may change.

#![allow(
    dead_code,
    unused_imports,
    reason = "each file of tests uses a part of it"
)]

mod judge;

use std::{collections::BTreeSet, num::NonZeroU32, ops::Range};

use countersign::{
    action::{ActionDigest, Disclosure, RequestId, Salt},
    canonical::{Digest, Json, Object},
    clock::Timestamp,
    log::{
        Chain, Columns, Depth, Entry, Genesis, HeadRow, KeyChange, Kind, LogId, LogReader, Origin,
        PAYLOAD_TYPE, Predecessor, PublicKey, ReadError, Receipt, Report, RequestRef, Role, Row,
        RowRecord, SecretKey, Seq, Signer, StatementLimit, StoredRecord, Subtree, Terms,
        TrustedKeys, Verdict, pae, sign_batch, verify_structure, verify_structure_alone,
    },
};

pub use judge::{after, assert_broken, resealed, written};

/// Everything that a store keeps of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub rows: Vec<Row>,
    pub checkpoints: Vec<(u64, Vec<u8>)>,
    pub subtrees: Vec<Subtree>,
    pub disclosures: Vec<(Seq, String)>,
    pub head: HeadRow,
}

impl Image {
    pub fn empty() -> Self {
        Self {
            rows: Vec::new(),
            checkpoints: Vec::new(),
            subtrees: Vec::new(),
            disclosures: Vec::new(),
            head: HeadRow::Missing,
        }
    }

    pub fn row(&mut self, at: usize) -> &mut RowRecord {
        match &mut self.rows[at] {
            Row::Record(row) => row,
            Row::Malformed { .. } => panic!("row {at} is malformed"),
        }
    }

    pub fn record(&self, at: usize) -> &StoredRecord {
        match &self.rows[at] {
            Row::Record(row) => &row.record,
            Row::Malformed { .. } => panic!("row {at} is malformed"),
        }
    }

    /// What the verifier makes of it.
    pub fn verify(&self, keys: &TrustedKeys, anchors: &[Vec<u8>]) -> Report {
        self.verify_at(Depth::Signatures, Some(keys), anchors)
    }

    pub fn verify_at(
        &self,
        depth: Depth,
        keys: Option<&TrustedKeys>,
        anchors: &[Vec<u8>],
    ) -> Report {
        let terms = Terms {
            keys,
            anchors,
            depth,
            ..Terms::default()
        };
        let mut copy = self.clone();
        let report = verify_structure(&mut copy, &terms, &mut |_| {}, &mut |_, _| {});
        assert_eq!(copy, *self);
        // Whether or not somebody looks at the records, they are judged alike.
        let alone = verify_structure_alone(&mut copy, &terms, &mut |_| {});
        assert_eq!(format!("{alone:?}"), format!("{report:?}"));
        report
    }

    pub fn verdict(&self, keys: &TrustedKeys) -> Verdict {
        self.verify(keys, &[]).verdict()
    }
}

fn within<T: Clone>(all: &[T], keep: impl Fn(&T) -> bool) -> Vec<T> {
    all.iter().filter(|item| keep(item)).cloned().collect()
}

impl LogReader for Image {
    fn head_row(&mut self) -> Result<HeadRow, ReadError> {
        Ok(self.head.clone())
    }

    fn records(&mut self, from: Seq, limit: NonZeroU32) -> Result<Vec<Row>, ReadError> {
        let start = self.rows.partition_point(|row| row.seq() < from);
        // Shorter answers than were asked for are allowed, and so are tried.
        let most = (limit.get() as usize).min(100);
        Ok(self.rows[start..].iter().take(most).cloned().collect())
    }

    fn checkpoints(&mut self, sizes: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        Ok(within(&self.checkpoints, |(size, _)| sizes.contains(size)))
    }

    fn subtrees(&mut self, level: u8, places: Range<u64>) -> Result<Vec<Subtree>, ReadError> {
        let asked = |subtree: &Subtree| subtree.level == level && places.contains(&subtree.index);
        Ok(within(&self.subtrees, asked))
    }

    fn disclosures(&mut self, records: Range<u64>) -> Result<Vec<(Seq, String)>, ReadError> {
        Ok(within(&self.disclosures, |(seq, _)| {
            records.contains(&seq.get())
        }))
    }
}

/// The secret keys of a process.
#[derive(Debug)]
pub struct Keys {
    pub gate: SecretKey,
    pub desk: SecretKey,
    pub operator: SecretKey,
    pub checkpoint: SecretKey,
}

impl Keys {
    pub fn seeded(seed: u8) -> Self {
        let key = |role: u8| SecretKey::from_seed(&[seed.wrapping_mul(16) + role; 32]);
        Self {
            gate: key(1),
            desk: key(2),
            operator: key(3),
            checkpoint: key(4),
        }
    }

    pub fn for_role(&self, role: Role) -> &SecretKey {
        match role {
            Role::Gate => &self.gate,
            Role::Desk => &self.desk,
            Role::Operator => &self.operator,
            Role::Checkpoint => &self.checkpoint,
        }
    }

    pub fn genesis(&self, log: LogId, origin: &str) -> Genesis {
        let of = |role: Role| -> (PublicKey, BTreeSet<Role>) {
            (self.for_role(role).public().clone(), BTreeSet::from([role]))
        };
        let origin = Origin::new(origin).unwrap();
        Genesis::new(log, origin, Role::ALL.map(of), None).unwrap()
    }
}

/// Writes a log.
#[derive(Debug)]
pub struct Writer {
    pub keys: Keys,
    pub genesis: Genesis,
    pub chain: Chain,
    pub image: Image,
    now: Timestamp,
    salts: u64,
}

impl Writer {
    pub fn new(seed: u8, origin: &str) -> Self {
        Self::with_keys(seed, origin, Keys::seeded(seed))
    }

    /// The log of a seed, by other keys.
    pub fn with_keys(seed: u8, origin: &str, keys: Keys) -> Self {
        let genesis = keys.genesis(LogId::from_random([seed; 16]), origin);
        let mut writer = Self::unbegun(seed, keys, genesis);
        let first = writer.genesis.to_entry();
        writer.commit(&[first]);
        writer
    }

    /// A log that continues another, before its first commit.
    pub fn continuing(seed: u8, origin: &str, predecessor: Predecessor) -> Self {
        let keys = Keys::seeded(seed);
        let alone = keys.genesis(LogId::from_random([seed; 16]), origin);
        let named = alone.keys().to_vec();
        let (log, origin) = (*alone.log(), alone.origin().clone());
        let genesis = Genesis::new(log, origin, named, Some(predecessor)).unwrap();
        Self::unbegun(seed, keys, genesis)
    }

    fn unbegun(seed: u8, keys: Keys, genesis: Genesis) -> Self {
        Self {
            chain: Chain::begin(*genesis.log(), StatementLimit::default()),
            image: Image::empty(),
            now: Timestamp::parse("2026-03-01T09:30:00.000000Z").unwrap(),
            salts: u64::from(seed) << 32,
            genesis,
            keys,
        }
    }

    /// The same log and keys once more.
    pub fn copy(&self) -> Self {
        let Self {
            keys,
            genesis,
            chain,
            image,
            now,
            salts,
        } = self;
        let same = |key: &SecretKey| SecretKey::from_seed(&key.to_seed());
        Self {
            keys: Keys {
                gate: same(&keys.gate),
                desk: same(&keys.desk),
                operator: same(&keys.operator),
                checkpoint: same(&keys.checkpoint),
            },
            genesis: genesis.clone(),
            chain: chain.clone(),
            image: image.clone(),
            now: *now,
            salts: *salts,
        }
    }

    /// A body with clear and hidden members, and the disclosures of these.
    pub fn body(
        &mut self,
        clear: &[(&str, Json)],
        hidden: &[(&str, &str)],
    ) -> (Object, Vec<Disclosure>) {
        let disclosures: Vec<Disclosure> = hidden
            .iter()
            .map(|(name, value)| {
                self.salts += 1;
                let digest = Digest::sha256(&self.salts.to_be_bytes());
                let salt = Salt::from_bytes(digest.as_bytes()[..16].try_into().unwrap());
                Disclosure::new(&salt, name, &Json::from(*value))
            })
            .collect();
        let mut body = Object::new();
        for (name, value) in clear {
            body.insert((*name).to_owned(), value.clone());
        }
        if !disclosures.is_empty() {
            let mut digests: Vec<String> = disclosures
                .iter()
                .map(|one| one.digest().to_string())
                .collect();
            digests.sort();
            let digests: Vec<Json> = digests.into_iter().map(Json::from).collect();
            body.insert("_sd".to_owned(), digests.into());
        }
        (body, disclosures)
    }

    pub fn entry(
        &mut self,
        kind: Kind,
        request: Option<u8>,
        clear: &[(&str, Json)],
        hidden: &[(&str, &str)],
    ) -> Entry {
        let (body, disclosures) = self.body(clear, hidden);
        Entry {
            kind,
            request: request.map(request_ref),
            body: body.to_canonical(),
            disclosures,
            role: kind.roles()[0],
            enforced: self.genesis.enforcement(),
            crit: Vec::new(),
        }
    }

    /// Appends a batch as a ledger does.
    pub fn commit(&mut self, entries: &[Entry]) {
        self.commit_with(entries, |_| {});
    }

    /// Appends a batch after something was done to its statements, by someone who has the keys.
    pub fn commit_with(&mut self, entries: &[Entry], change: impl Fn(&mut Vec<u8>)) {
        let mut chained = Vec::new();
        for entry in entries {
            self.now = self
                .now
                .saturating_add(std::time::Duration::from_millis(1500));
            let key = self.keys.for_role(entry.role).public().id();
            chained.push(self.chain.extend(entry, self.now, &key).unwrap());
        }
        for one in &mut chained {
            change(&mut one.statement);
        }
        let signers: Vec<&dyn Signer> = Role::ALL
            .iter()
            .map(|role| self.keys.for_role(*role) as &dyn Signer)
            .collect();
        let signatures = sign_batch(&chained, &signers).unwrap();
        for ((entry, one), signature) in entries.iter().zip(chained).zip(signatures) {
            for disclosure in &entry.disclosures {
                let filed = (one.seq, disclosure.as_str().to_owned());
                self.image.disclosures.push(filed);
            }
            self.image.subtrees.extend(&one.subtrees);
            let columns = Columns {
                prev: one.prev,
                kind: entry.kind.to_string(),
                request: entry.request.map(|request| request.id),
                ts: one.ts,
            };
            let record = StoredRecord {
                seq: one.seq,
                leaf: one.leaf,
                statement: one.statement,
                signatures: vec![signature],
            };
            self.image
                .rows
                .push(Row::Record(Box::new(RowRecord { record, columns })));
        }
        let checkpoint = self.sign_checkpoint();
        self.image
            .checkpoints
            .push((self.chain.size(), checkpoint.clone()));
        self.image.head = HeadRow::Stored(self.chain.head(checkpoint).encode());
    }

    /// Appends a change of keys, which these sign in this order.
    pub fn change_keys(&mut self, change: &KeyChange, by: &[&SecretKey]) {
        self.commit(&[change.to_entry(self.genesis.enforcement())]);
        let record = &mut self.image.row(self.image.rows.len() - 1).record;
        let message = pae(PAYLOAD_TYPE, &record.statement);
        record.signatures = by
            .iter()
            .map(|key| (key.public().id(), key.sign(&message).unwrap()))
            .collect();
    }

    /// The checkpoint of all of it.
    pub fn sign_checkpoint(&self) -> Vec<u8> {
        let checkpoint = self.chain.checkpoint(self.genesis.origin());
        checkpoint.sign(&self.keys.checkpoint).unwrap()
    }

    /// The keys that an auditor would bring.
    pub fn trusted(&self) -> TrustedKeys {
        TrustedKeys::of_genesis(&self.genesis)
    }
}

pub fn request_ref(number: u8) -> RequestRef {
    let text = format!("0195507a-3dc0-7b54-8000-0000000000{number:02x}");
    RequestRef {
        id: RequestId::parse(&text).unwrap(),
        digest: ActionDigest::from_digest(Digest::of("test/action", &[number])),
    }
}

/// A log of twelve records: two requests from filing to end.
///
/// Its bodies are examples only: this layer does not judge them.
pub fn golden() -> Writer {
    let mut writer = Writer::new(7, "example.com/golden");
    let adopted = writer.entry(
        Kind::PolicyAdopted,
        None,
        &[("instance", "0195507a-3dc0-7b54-8000-00000000beef".into())],
        &[],
    );
    writer.commit(&[adopted]);
    for request in [1, 2] {
        let requested = writer.entry(
            Kind::Requested,
            Some(request),
            &[("verdict", "require_approval".into())],
            &[
                ("because", "monthly report"),
                ("reason", "exports need a person"),
            ],
        );
        writer.commit(&[requested]);
    }
    for request in [1, 2] {
        let voted = writer.entry(
            Kind::Voted,
            Some(request),
            &[("decision", "approve".into()), ("person", "p-0".into())],
            &[("comment", "as agreed — «gut»\n"), ("id", "rita")],
        );
        writer.commit(&[voted]);
    }
    let started = [1, 2].map(|request| {
        writer.entry(
            Kind::Started,
            Some(request),
            &[("counted", Vec::new().into())],
            &[],
        )
    });
    writer.commit(&started);
    let mut last = vec![
        writer.entry(
            Kind::Finished,
            Some(1),
            &[("outcome", "succeeded".into())],
            &[("result", "r")],
        ),
        writer.entry(Kind::Clock, None, &[("micros", 7_000_000.into())], &[]),
        writer.entry(Kind::Lost, Some(2), &[("why", "lease_passed".into())], &[]),
    ];
    let reconciled = writer.entry(Kind::Reconciled, Some(2), &[], &[("reason", "I looked")]);
    last.push(reconciled);
    writer.commit(&last);
    assert_eq!(writer.chain.size(), 12);
    writer
}

/// Two logs of one signer that are the same up to record 8, and of one length.
pub fn forked() -> (Writer, Writer) {
    let branch = |comment: &str| {
        let mut writer = Writer::new(7, "example.com/golden");
        for number in 1..8 {
            let entry = writer.entry(Kind::Requested, Some(number), &[], &[("because", "x")]);
            writer.commit(&[entry]);
        }
        let (yes, also) = (
            writer.entry(Kind::Voted, Some(1), &[("decision", comment.into())], &[]),
            writer.entry(Kind::Voted, Some(2), &[("decision", comment.into())], &[]),
        );
        writer.commit(&[yes, also]);
        let rest = [3, 4].map(|number| {
            writer.entry(
                Kind::Voted,
                Some(number),
                &[("decision", "approve".into())],
                &[],
            )
        });
        writer.commit(&rest);
        writer
    };
    (branch("approve"), branch("deny"))
}

/// A receipt for a record of a log, with the log's last checkpoint.
pub fn receipt(writer: &Writer, at: usize) -> Receipt {
    let leaves: Vec<Digest> = (0..writer.image.rows.len())
        .map(|row| writer.image.record(row).leaf)
        .collect();
    let nodes = Leaves(leaves);
    let proof = countersign::log::prove_inclusion(&nodes, at as u64, writer.chain.size()).unwrap();
    Receipt {
        record: writer.image.record(at).clone(),
        checkpoint: writer.image.checkpoints.last().unwrap().1.clone(),
        path: proof.path,
        disclosures: Vec::new(),
    }
}

/// The stored hashes of a tree that has no full subtree yet.
pub struct Leaves(pub Vec<Digest>);

impl countersign::log::Nodes for Leaves {
    type Error = std::convert::Infallible;

    fn leaves(&self, range: Range<u64>) -> Result<Vec<Digest>, Self::Error> {
        Ok(self.0[range.start as usize..range.end as usize].to_vec())
    }

    fn subtrees(&self, _: u8, _: Range<u64>) -> Result<Vec<Digest>, Self::Error> {
        Ok(Vec::new())
    }
}
