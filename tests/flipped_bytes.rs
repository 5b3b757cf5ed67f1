//! Every byte that says something in a stored log, flipped one at a time: never intact, and broken at the right record.
//!
//! What lies unused in a SQLite file (the space between the cells of a page, and what SQLite notes about it) says nothing and is left out.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;
mod log_fixture;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use common::{PEOPLE, RULES, World, read, wire};
use countersign::{
    action::{Dataset, Disclosure, RequestId},
    audit::{Audit, AuditReport},
    canonical::{Digest, Json, Object},
    clock::Timestamp,
    gate::ApprovalGateExt,
    log::{
        Belonging, Head, HeadRow, KeyChange, KeyId, Kind, LogId, LogReader, Origin, Predecessor,
        Revocation, Role, SecretKey, Seq, Signature, Signer, Terms, TrustedKeys, Verdict,
        encode_signatures, verify_structure_alone,
    },
    store::SqliteStore,
    values::{Unsealed, ValueKeys},
};
use futures::executor::block_on;
use log_fixture::{Image, Writer};
use rusqlite::{Connection, params, types::Value};

/// Does something with each of so many numbers, on two threads; what is said of them is collected.
fn each(many: usize, judge: impl Fn(usize) -> Option<String> + Sync) {
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= many {
                        return;
                    }
                    if let Some(said) = judge(number) {
                        wrong.lock().unwrap().push(said);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    let some: Vec<&str> = wrong.iter().take(20).map(String::as_str).collect();
    assert!(
        wrong.is_empty(),
        "{} of {many}:\n{}",
        wrong.len(),
        some.join("\n")
    );
}

fn same(key: &SecretKey) -> SecretKey {
    SecretKey::from_seed(&key.to_seed())
}

/// A log that continues another, which alone has a record that says so.
fn continuing() -> Writer {
    let root = Digest::sha256(b"what was lost");
    let predecessor = Predecessor {
        log: LogId::from_random([3; 16]),
        origin: Origin::new("example.com/lost").unwrap(),
        size: 9,
        root,
    };
    let mut writer = Writer::continuing(10, "example.com/every-kind", predecessor);
    let genesis = writer.genesis.to_entry();
    let attested = Object::new()
        .with("root", root.to_hex())
        .with("size", Json::try_from(9_u64).unwrap());
    let clear = [
        ("after", "store_lost".into()),
        ("attested", attested.into()),
        ("found", Json::Null),
    ];
    let recovered = writer.entry(Kind::Recovered, None, &clear, &[("reason", "r")]);
    writer.commit(&[genesis, recovered]);
    writer
}

/// Logs that have a record of each kind that is written today between them, a few of them in a batch; the last one changes keys and
/// erases a value, of which the disclosure is returned.
///
/// There are several, for each byte has the records before it verified again.
fn every_kind() -> (Vec<Writer>, (Seq, String)) {
    let special =
        |kind: &Kind| kind.is_of_the_log() || [Kind::Erased, Kind::Recovered].contains(kind);
    let plain = Kind::ALL
        .iter()
        .copied()
        .filter(|kind| !kind.is_reserved() && !special(kind));
    let plain: Vec<Kind> = plain.collect();
    let mut logs = vec![continuing()];
    for few in plain.chunks(5) {
        let mut writer = Writer::new(11, "example.com/every-kind");
        for batch in few.chunks(2) {
            let entries: Vec<_> = batch
                .iter()
                .map(|kind| {
                    let request = (kind.belongs_to_request() == Belonging::Always).then_some(1);
                    writer.entry(*kind, request, &[], &[("reason", "«x»")])
                })
                .collect();
            writer.commit(&entries);
        }
        logs.push(writer);
    }
    let mut writer = Writer::new(11, "example.com/every-kind");
    let asked = writer.entry(Kind::Requested, Some(1), &[], &[("because", "x")]);
    writer.commit(&[asked]);
    let operator = same(&writer.keys.operator);
    let fresh = |seed: u8| SecretKey::from_seed(&[220 + seed; 32]);
    let desk = fresh(1);
    let added = KeyChange::Added {
        key: desk.public().clone(),
        roles: BTreeSet::from([Role::Desk]),
    };
    writer.change_keys(&added, &[&operator, &desk]);
    let (old, next) = (same(&writer.keys.checkpoint), fresh(2));
    let rotated = KeyChange::Rotated {
        old: old.public().id(),
        key: next.public().clone(),
    };
    writer.change_keys(&rotated, &[&operator, &old, &next]);
    writer.keys.checkpoint = next;
    let revoked = KeyChange::Revoked {
        old: writer.keys.desk.public().id(),
        why: Revocation::Retired,
    };
    writer.change_keys(&revoked, &[&operator]);
    writer.keys.desk = desk;
    let gone = writer.image.disclosures[0].clone();
    let digest = Disclosure::parse(&gone.1).unwrap().digest().to_string();
    let digests = Json::from(vec![Json::from(digest)]);
    let voted = writer.entry(Kind::Voted, Some(1), &[], &[("comment", "by the new desk")]);
    let erased = writer.entry(
        Kind::Erased,
        None,
        &[("digests", digests)],
        &[("reason", "r")],
    );
    let clock = writer.entry(Kind::Clock, None, &[], &[]);
    writer.commit(&[voted, erased, clock]);
    writer.image.disclosures.remove(0);
    logs.push(writer);
    let mut kinds = BTreeSet::new();
    for writer in &mut logs {
        for at in 0..writer.image.rows.len() {
            kinds.insert(writer.image.row(at).columns.kind.clone());
        }
    }
    let all = Kind::ALL.iter().filter(|kind| !kind.is_reserved());
    assert_eq!(kinds, all.map(|kind| kind.to_string()).collect());
    (logs, gone)
}

/// Puts a log into a SQLite store and reads it from there.
fn through_sqlite(image: &Image) -> Image {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.sqlite");
    drop(SqliteStore::create(&path).unwrap());
    let mut sql = Connection::open(&path).unwrap();
    let changes = sql.transaction().unwrap();
    for at in 0..image.rows.len() {
        let row = image.clone().row(at).clone();
        let (record, columns) = (row.record, row.columns);
        changes
            .execute(
                "INSERT INTO record(seq, prev, leaf, kind, request, ts, signatures, statement) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    i64::try_from(at).unwrap(),
                    columns.prev.as_bytes(),
                    record.leaf.as_bytes(),
                    columns.kind,
                    columns.request.map(|request| *request.as_uuid().as_bytes()),
                    columns.ts.unix_micros(),
                    encode_signatures(&record.signatures),
                    record.statement,
                ],
            )
            .unwrap();
    }
    let number = |number: u64| i64::try_from(number).unwrap();
    let mut filed: BTreeMap<u64, i64> = BTreeMap::new();
    for (seq, text) in &image.disclosures {
        let place = filed.entry(seq.get()).or_default();
        let key = number(seq.get()) * 4096 + *place;
        *place += 1;
        changes
            .execute("INSERT INTO disclosure VALUES (?1, ?2)", params![key, text])
            .unwrap();
    }
    for (size, note) in &image.checkpoints {
        changes
            .execute(
                "INSERT INTO checkpoint VALUES (?1, ?2)",
                params![number(*size), note],
            )
            .unwrap();
    }
    for one in &image.subtrees {
        changes
            .execute(
                "INSERT INTO subtree VALUES (?1, ?2, ?3)",
                params![one.level, number(one.index), one.hash.as_bytes()],
            )
            .unwrap();
    }
    if let HeadRow::Stored(state) = &image.head {
        let size = number(image.rows.len() as u64);
        changes
            .execute("INSERT INTO head VALUES (1, ?1, ?2)", params![size, state])
            .unwrap();
    }
    changes.commit().unwrap();
    drop(sql);
    let store = SqliteStore::open_read_only(&path).unwrap();
    let mut reader = store.log_reader().unwrap();
    let mut rows = Vec::new();
    loop {
        let more = reader
            .records(Seq::new(rows.len() as u64), 100.try_into().unwrap())
            .unwrap();
        if more.is_empty() {
            break;
        }
        rows.extend(more);
    }
    Image {
        rows,
        checkpoints: reader.checkpoints(0..1 << 50).unwrap(),
        subtrees: reader.subtrees(1, 0..1 << 40).unwrap(),
        disclosures: reader.disclosures(0..1 << 50).unwrap(),
        head: reader.head_row().unwrap(),
    }
}

/// A byte of what a store keeps of a log.
#[derive(Clone, Copy, Debug)]
enum Byte {
    Statement(usize, usize),
    /// Of the key id and the signature of one of the signatures of a record.
    Signature(usize, usize, usize),
    Prev(usize, usize),
    Leaf(usize, usize),
    Kind(usize, usize),
    Request(usize, usize),
    Ts(usize, usize),
    Note(usize, usize),
    /// Of the size under which a checkpoint is filed.
    Size(usize, usize),
    Head(usize),
    Disclosure(usize, usize),
    /// Of the record under which a disclosure is filed.
    Place(usize, usize),
    Subtree(usize, usize),
}

/// What lies at the place, with one bit changed.
fn flip(bytes: &mut [u8], at: usize) {
    bytes[at] ^= 1 << (at % 8);
}

fn flip_digest(digest: &mut Digest, at: usize) {
    let mut bytes = *digest.as_bytes();
    flip(&mut bytes, at);
    *digest = Digest::from_bytes(bytes);
}

fn flip_number(number: u64, at: usize) -> u64 {
    number ^ (1 << (8 * at + at % 8))
}

/// The text stays UTF-8: what does not is no text in a store.
fn flip_text(text: &mut String, at: usize) {
    let mut bytes = std::mem::take(text).into_bytes();
    bytes[at] ^= 1 << (at % 7);
    *text = String::from_utf8(bytes).unwrap();
}

impl Byte {
    /// Every byte of a log.
    fn all(image: &mut Image) -> Vec<Self> {
        let mut all = Vec::new();
        for row in 0..image.rows.len() {
            let one = image.row(row).clone();
            let statement = one.record.statement.len();
            all.extend((0..statement).map(|at| Self::Statement(row, at)));
            for number in 0..one.record.signatures.len() {
                all.extend((0..96).map(|at| Self::Signature(row, number, at)));
            }
            all.extend((0..32).flat_map(|at| [Self::Prev(row, at), Self::Leaf(row, at)]));
            all.extend((0..one.columns.kind.len()).map(|at| Self::Kind(row, at)));
            if one.columns.request.is_some() {
                all.extend((0..16).map(|at| Self::Request(row, at)));
            }
            // Beyond these a time is none of the years 1970 to 9999.
            all.extend((0..7).map(|at| Self::Ts(row, at)));
        }
        for (number, (_, note)) in image.checkpoints.iter().enumerate() {
            all.extend((0..note.len()).map(|at| Self::Note(number, at)));
            all.extend((0..6).map(|at| Self::Size(number, at)));
        }
        if let HeadRow::Stored(state) = &image.head {
            all.extend((0..state.len()).map(Self::Head));
        }
        for (number, (_, text)) in image.disclosures.iter().enumerate() {
            all.extend((0..text.len()).map(|at| Self::Disclosure(number, at)));
            all.extend((0..6).map(|at| Self::Place(number, at)));
        }
        for number in 0..image.subtrees.len() {
            all.extend((0..32).map(|at| Self::Subtree(number, at)));
        }
        all
    }

    /// The record that is then broken; `None` if it depends on more than where the byte lies.
    fn record(self, image: &Image) -> Option<u64> {
        let last = image.rows.len() as u64 - 1;
        match self {
            Self::Statement(row, _)
            | Self::Signature(row, ..)
            | Self::Prev(row, _)
            | Self::Leaf(row, _)
            | Self::Kind(row, _)
            | Self::Request(row, _)
            | Self::Ts(row, _) => Some(row as u64),
            Self::Note(number, _) => Some(image.checkpoints[number].0 - 1),
            Self::Size(..) => None,
            Self::Head(at) => {
                let HeadRow::Stored(state) = &image.head else {
                    panic!("there is no head row")
                };
                let mut state = state.clone();
                flip(&mut state, at);
                let more = Head::decode(&state).is_ok_and(|head| head.size > last + 1);
                Some(last + u64::from(more))
            }
            Self::Disclosure(number, _) => Some(image.disclosures[number].0.get()),
            Self::Place(number, at) => {
                let seq = image.disclosures[number].0.get();
                Some(seq.min(flip_number(seq, at)))
            }
            Self::Subtree(number, _) => {
                let one = &image.subtrees[number];
                Some(((one.index + 1) << (8 * one.level)) - 1)
            }
        }
    }

    fn flip(self, image: &mut Image) {
        match self {
            Self::Statement(row, at) => flip(&mut image.row(row).record.statement, at),
            Self::Signature(row, number, at) => {
                let (id, signature) = &mut image.row(row).record.signatures[number];
                let mut bytes = [&id.as_bytes()[..], signature.as_bytes()].concat();
                flip(&mut bytes, at);
                *id = KeyId::from_bytes(bytes[..32].try_into().unwrap());
                *signature = Signature::from_bytes(bytes[32..].try_into().unwrap());
            }
            Self::Prev(row, at) => flip_digest(&mut image.row(row).columns.prev, at),
            Self::Leaf(row, at) => flip_digest(&mut image.row(row).record.leaf, at),
            Self::Kind(row, at) => flip_text(&mut image.row(row).columns.kind, at),
            Self::Request(row, at) => {
                let request = &mut image.row(row).columns.request;
                let mut bytes = *request.unwrap().as_uuid().as_bytes();
                flip(&mut bytes, at);
                *request = Some(RequestId::from_uuid(uuid::Uuid::from_bytes(bytes)));
            }
            Self::Ts(row, at) => {
                let ts = &mut image.row(row).columns.ts;
                let micros = flip_number(ts.unix_micros().try_into().unwrap(), at);
                let micros = i64::try_from(micros).unwrap();
                *ts = Timestamp::from_unix_micros(micros).unwrap();
            }
            Self::Note(number, at) => flip(&mut image.checkpoints[number].1, at),
            Self::Size(number, at) => {
                let (size, _) = &mut image.checkpoints[number];
                *size = flip_number(*size, at);
                image.checkpoints.sort_by_key(|(size, _)| *size);
            }
            Self::Head(at) => {
                if let HeadRow::Stored(state) = &mut image.head {
                    flip(state, at);
                }
            }
            Self::Disclosure(number, at) => flip_text(&mut image.disclosures[number].1, at),
            Self::Place(number, at) => {
                let (seq, _) = &mut image.disclosures[number];
                *seq = Seq::new(flip_number(seq.get(), at));
            }
            Self::Subtree(number, at) => flip_digest(&mut image.subtrees[number].hash, at),
        }
    }

    /// The last record that has to be there for the byte to be judged.
    fn until(self, image: &Image) -> u64 {
        match self {
            Self::Statement(row, _)
            | Self::Signature(row, ..)
            | Self::Prev(row, _)
            | Self::Leaf(row, _)
            | Self::Kind(row, _)
            | Self::Request(row, _)
            | Self::Ts(row, _) => row as u64,
            Self::Note(number, _) => image.checkpoints[number].0 - 1,
            Self::Disclosure(number, _) => image.disclosures[number].0.get(),
            Self::Head(_) | Self::Size(..) | Self::Place(..) | Self::Subtree(..) => {
                image.rows.len() as u64 - 1
            }
        }
    }
}

fn verdict(image: &mut Image, keys: &TrustedKeys) -> Verdict {
    let terms = Terms {
        keys: Some(keys),
        ..Terms::default()
    };
    verify_structure_alone(image, &terms, &mut |_| {}).verdict()
}

/// Flips each byte, and says what was not found where it lies.
fn assert_each_counts(
    image: &Image,
    all: &[Byte],
    erased: Option<&(Seq, String)>,
    keys: &TrustedKeys,
) {
    let whole = image.rows.len() as u64;
    // The log as it was after each batch: what came later has no part in what is found before.
    let mut after: BTreeMap<u64, Image> = BTreeMap::new();
    for (size, _) in &image.checkpoints {
        let mut then = image.clone();
        if *size < whole {
            then.rows.truncate(*size as usize);
            then.checkpoints.retain(|(covered, _)| covered <= size);
            then.subtrees
                .retain(|one| (one.index + 1) << (8 * one.level) <= *size);
            // At the end of the list, so that the others keep their places in it until a byte is flipped.
            then.disclosures.retain(|(seq, _)| seq.get() < *size);
            let there = erased.filter(|(seq, _)| seq.get() < *size);
            then.disclosures.extend(there.cloned());
            then.head = HeadRow::NotKept;
        }
        let mut sorted = then.clone();
        sorted.disclosures.sort_by_key(|(seq, _)| *seq);
        let found = verdict(&mut sorted, keys);
        let intact = Verdict::IntactUnanchored {
            size: *size,
            anchored: 0,
        };
        assert_eq!(found, intact);
        after.insert(*size, then);
    }
    each(all.len(), |number| {
        let byte = all[number];
        let (_, then) = after.range(byte.until(image) + 1..).next()?;
        let mut then = then.clone();
        byte.flip(&mut then);
        then.disclosures.sort_by_key(|(seq, _)| *seq);
        match (verdict(&mut then, keys), byte.record(image)) {
            (Verdict::Broken(broken), Some(seq)) if broken.seq.get() == seq => None,
            (Verdict::Broken(broken), None) if broken.seq.get() <= whole => None,
            (other, expected) => Some(format!("{byte:?}, expected at {expected:?}: {other}")),
        }
    });
}

#[test]
fn every_byte_of_a_log_with_every_kind_counts() {
    let (logs, erased) = every_kind();
    for (number, writer) in logs.iter().enumerate() {
        let mut image = through_sqlite(&writer.image);
        assert_eq!(image, writer.image);
        let mut bytes = Byte::all(&mut image);
        // They begin alike, but for what the first one continues.
        bytes.retain(|byte| number == 0 || byte.until(&image) > 0);
        let erased = (number + 1 == logs.len()).then_some(&erased);
        assert_each_counts(&image, &bytes, erased, &writer.trusted());
    }
}

#[test]
fn every_byte_of_a_stored_subtree_counts() {
    let mut writer = Writer::new(12, "example.com/long");
    let entries: Vec<_> = (1..260)
        .map(|_| writer.entry(Kind::LeaseRenewed, Some(1), &[], &[]))
        .collect();
    writer.commit(&entries);
    let mut image = through_sqlite(&writer.image);
    assert_eq!(image, writer.image);
    assert_eq!(image.subtrees.len(), 1);
    let mut bytes = Byte::all(&mut image);
    bytes.retain(|byte| matches!(byte, Byte::Subtree(..)));
    assert_eq!(bytes.len(), 32);
    assert_each_counts(&image, &bytes, None, &writer.trusted());
}

/// How much a host has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Much {
    Little,
    More,
}

/// What a host writes: a request that waits for the second of two people, and before it, if there is more, one that was run.
fn written_by_a_host(path: &Path, much: Much) -> TrustedKeys {
    let world = World::with(
        RULES,
        PEOPLE,
        SqliteStore::create(path).unwrap(),
        |opening| opening,
    );
    if much == Much::More {
        let _read = block_on(world.gate().run(read(), async |authorized| {
            authorized.used(Dataset::new("db", "customers"));
            Ok::<_, String>(())
        }))
        .unwrap();
    }
    let waiting = world.file(wire(4));
    let _voted = world.approve("dan", waiting).unwrap();
    let keys = world.keys.trusted();
    let log = world.countersign.log();
    let values = world.folder.path().join(format!("keys/{log}.values"));
    fs::copy(values, values_beside(path)).unwrap();
    world.close();
    keys
}

/// Where the keys of a log's hidden values are kept, without which nobody can tell what was sealed.
fn values_beside(path: &Path) -> PathBuf {
    path.with_file_name("values")
}

/// What an auditor makes of a file, with the tables beside the log; `None` if it cannot be read.
fn audit(path: &Path, keys: &TrustedKeys) -> Option<AuditReport> {
    let store = SqliteStore::open_read_only(path).ok()?;
    let values = ValueKeys::read(values_beside(path)).unwrap();
    let mut reader = Unsealed::new(store.log_reader().ok()?, values);
    let audit = Audit::of(&mut reader).trusting(keys.clone());
    Some(audit.comparing(&store).run())
}

/// Whether an auditor has nothing to say against it.
fn is_intact(report: &AuditReport) -> bool {
    matches!(
        report.verdict,
        Verdict::IntactUnanchored { .. } | Verdict::IntactAnchored { .. }
    ) && report.exit_code() != AuditReport::PROJECTIONS_DIFFER
}

/// What of a store speaks about the log, read as the library reads it: all of the log, and the projections but for the tags by which
/// they are looked up. Open requests and timers are read by way of an index, so that the table behind it is not asked for what the index
/// has.
const SAYS: [&str; 10] = [
    "SELECT seq, prev, leaf, kind, request, ts, signatures, statement FROM record NOT INDEXED ORDER BY seq",
    "SELECT place / 4096, text FROM disclosure ORDER BY place / 4096, text",
    EARLIER,
    "SELECT max(size), note FROM checkpoint",
    "SELECT level, number, hash FROM subtree ORDER BY level, number",
    "SELECT state FROM head",
    "SELECT request, phase, seq, filed FROM request INDEXED BY request_phase WHERE phase <> 4 ORDER BY phase, request",
    "SELECT request, phase, seq FROM request WHERE phase = 4 ORDER BY request",
    "SELECT request, what, due FROM timer INDEXED BY timer_due ORDER BY due, request, what",
    "SELECT source, relation, target, seq FROM edge ORDER BY source, relation, target, seq",
];

/// A log needs its last checkpoint alone: whoever can write the file can take the others away.
const EARLIER: &str = "SELECT size, note FROM checkpoint WHERE typeof(note) = 'blob' AND size < (SELECT max(size) FROM checkpoint) ORDER BY size";

/// Whether a file says what the golden one does, but for earlier checkpoints that may have gone.
fn agree(golden: &[String], said: &[String]) -> bool {
    let earlier = |line: &&String| line.starts_with(EARLIER);
    let rest = |lines: &[String]| -> Vec<String> {
        lines
            .iter()
            .filter(|line| !earlier(line))
            .cloned()
            .collect()
    };
    rest(golden) == rest(said)
        && said
            .iter()
            .filter(earlier)
            .all(|line| golden.contains(line))
}

/// What the file says; what cannot be read is said so.
fn says(path: &Path) -> Vec<String> {
    let uri = format!("file:{}?mode=ro&immutable=1", path.display());
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI;
    let sql = match Connection::open_with_flags(uri, flags) {
        Ok(sql) => sql,
        Err(error) => return vec![error.to_string()],
    };
    let read = |query: &str| -> rusqlite::Result<Vec<String>> {
        let mut select = sql.prepare(query)?;
        let columns = select.column_count();
        let rows = select.query_map([], |row| {
            let values = (0..columns).map(|column| Ok(format!("{:?}", row.get_ref(column)?)));
            values.collect::<rusqlite::Result<Vec<String>>>()
        })?;
        rows.map(|row| row.map(|values| values.join("|"))).collect()
    };
    let mut said = Vec::new();
    for query in SAYS {
        match read(query) {
            Ok(rows) => said.extend(rows.into_iter().map(|row| format!("{query}: {row}"))),
            Err(error) => said.push(format!("{query}: {error}")),
        }
    }
    said
}

/// The bytes of a SQLite file that are not free space, each with the table or index that it belongs to.
///
/// Free space is what lies between the cells of a page, and pages that no table has.
fn used_bytes(path: &Path) -> Vec<(usize, String)> {
    let file = fs::read(path).unwrap();
    let sql = Connection::open(path).unwrap();
    let page_size: u32 = sql
        .pragma_query_value(None, "page_size", |row| row.get(0))
        .unwrap();
    let page_size = page_size as usize;
    let mut roots: Vec<(String, usize)> = vec![("sqlite_schema".to_owned(), 1)];
    {
        let mut select = sql
            .prepare("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0")
            .unwrap();
        let rows = select
            .query_map([], |row| Ok((row.get(0)?, row.get::<_, u32>(1)? as usize)))
            .unwrap();
        roots.extend(rows.map(Result::unwrap));
    }
    let mut used: Vec<(usize, String)> = (0..100).map(|at| (at, "the header".to_owned())).collect();
    for (name, root) in roots {
        let mut pages = vec![root];
        while let Some(page) = pages.pop() {
            let start = (page - 1) * page_size;
            let head = start + if page == 1 { 100 } else { 0 };
            let be16 = |at: usize| usize::from(u16::from_be_bytes([file[at], file[at + 1]]));
            let kind = file[head];
            let leaf = kind == 0x0D || kind == 0x0A;
            let table = kind == 0x0D || kind == 0x05;
            let cells = be16(head + 3);
            let pointers = head + if leaf { 8 } else { 12 };
            let mut take = |from: usize, to: usize| {
                used.extend((from..to).map(|at| (at, name.clone())));
            };
            // Where free space begins and how much of it there is, is no more than that.
            take(head, head + 1);
            take(head + 3, head + 5);
            take(pointers, pointers + 2 * cells);
            if !leaf {
                take(head + 8, head + 12);
                let right = u32::from_be_bytes(file[head + 8..head + 12].try_into().unwrap());
                pages.push(right as usize);
            }
            for cell in 0..cells {
                let from = start + be16(pointers + 2 * cell);
                let mut at = from;
                if !leaf {
                    let child = u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
                    pages.push(child as usize);
                    at += 4;
                }
                let mut payload = 0;
                if leaf || !table {
                    payload = varint(&file, &mut at);
                }
                if table {
                    varint(&file, &mut at);
                }
                let most = if table {
                    page_size - 35
                } else {
                    (page_size - 12) * 64 / 255 - 23
                };
                assert!(payload <= most, "no cell of {name} goes on elsewhere");
                take(from, at + payload);
            }
        }
    }
    used.sort();
    used.dedup();
    used
}

/// A number of up to nine bytes, as SQLite writes it.
fn varint(file: &[u8], at: &mut usize) -> usize {
    let mut value = 0;
    for _ in 0..8 {
        let byte = file[*at];
        *at += 1;
        value = value << 7 | usize::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            return value;
        }
    }
    *at += 1;
    value << 8 | usize::from(file[*at - 1])
}

#[test]
fn no_byte_of_a_sqlite_file_changes_what_an_intact_log_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.sqlite");
    let keys = written_by_a_host(&path, Much::Little);
    let golden = says(&path);
    let report = audit(&path, &keys).unwrap();
    assert!(is_intact(&report), "{report}");
    let bytes = fs::read(&path).unwrap();
    let used = used_bytes(&path);
    let counted = Mutex::new(BTreeMap::<String, [usize; 3]>::new());
    let copies: Vec<_> = (0..4).map(Mutex::new).collect();
    for copy in 0..copies.len() {
        fs::write(folder.path().join(copy.to_string()), &bytes).unwrap();
    }
    each(used.len(), |number| {
        let (at, of) = &used[number];
        let copy = copies.iter().find_map(|copy| copy.try_lock().ok()).unwrap();
        let path = folder.path().join(copy.to_string());
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[bytes[*at] ^ (1 << (at % 8))], *at as u64)
            .unwrap();
        let found = audit(&path, &keys);
        let (outcome, wrong) = match &found {
            None => (0, None),
            Some(report) if !is_intact(report) => (1, None),
            // It is as if nothing had happened, and then nothing may have.
            Some(_) => (
                2,
                (!agree(&golden, &says(&path))).then(|| format!("byte {at}, of {of}")),
            ),
        };
        file.write_all_at(&bytes[*at..=*at], *at as u64).unwrap();
        counted.lock().unwrap().entry(of.clone()).or_default()[outcome] += 1;
        wrong
    });
    let counted = counted.into_inner().unwrap();
    println!("table: cannot be read, not intact, the same all the same\n{counted:#?}");
    // Of what the log itself consists of, next to nothing goes unnoticed: how its cells are laid out, and a size that only SQL reads.
    for table in ["record", "disclosure", "checkpoint", "head"] {
        let [unreadable, noticed, same] = counted[table];
        assert!(
            same * 50 < unreadable + noticed,
            "{table}: {same} of {noticed}"
        );
    }
}

/// A table beside the log, the columns that make a row of it known, and which rows an audit compares.
///
/// A request that is over has no time of filing to compare, and of the persons the audit knows those who did something at a desk.
const PROJECTIONS: [(&str, &[&str], &str); 5] = [
    ("request", &["request"], "phase <> 4"),
    ("request", &["request"], "phase = 4"),
    ("timer", &["request", "what"], "true"),
    ("edge", &["source", "relation", "target", "seq"], "true"),
    (
        "person",
        &["tag"],
        "EXISTS (SELECT 1 FROM record WHERE kind = 'voted' AND instr(CAST(statement AS TEXT), 'p-' || lower(hex(pseudonym))))",
    ),
];

/// The columns of a projection that an audit compares.
fn compared(table: &str, rows: &str) -> &'static [&'static str] {
    match (table, rows) {
        ("request", "phase = 4") => &["request", "phase", "seq"],
        ("request", _) => &["request", "phase", "filed", "seq"],
        ("timer", _) => &["request", "what", "due"],
        ("edge", _) => &["source", "relation", "target", "seq"],
        (_, _) => &["pseudonym"],
    }
}

/// A value with one bit changed, for each of its bytes.
fn flipped(value: &Value) -> Vec<Value> {
    match value {
        Value::Integer(number) => (0..8)
            .map(|at| Value::Integer(number ^ (1 << (8 * at + at % 8))))
            .collect(),
        Value::Blob(bytes) => (0..bytes.len())
            .map(|at| {
                let mut bytes = bytes.clone();
                flip(&mut bytes, at);
                Value::Blob(bytes)
            })
            .collect(),
        other => panic!("a column of another type: {other:?}"),
    }
}

#[test]
fn every_byte_of_a_projection_counts_in_an_audit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.sqlite");
    let keys = written_by_a_host(&path, Much::More);
    assert!(is_intact(&audit(&path, &keys).unwrap()));
    let sql = Connection::open(&path).unwrap();
    let mut changes: Vec<(String, Vec<Value>)> = Vec::new();
    for (table, key, rows) in PROJECTIONS {
        for column in compared(table, rows) {
            let wanted = format!(
                "SELECT {column}, {} FROM {table} WHERE {rows}",
                key.join(", ")
            );
            let mut select = sql.prepare(&wanted).unwrap();
            let found = select.query_map([], |row| {
                (0..=key.len())
                    .map(|at| row.get(at))
                    .collect::<Result<Vec<Value>, _>>()
            });
            let found: Vec<Vec<Value>> = found.unwrap().map(Result::unwrap).collect();
            assert!(!found.is_empty(), "no row of {table} where {rows}");
            for values in found {
                let places = key
                    .iter()
                    .zip(2..)
                    .map(|(one, at)| format!("{one} = ?{at}"));
                let places: Vec<String> = places.collect();
                let update = format!(
                    "UPDATE {table} SET {column} = ?1 WHERE {}",
                    places.join(" AND ")
                );
                for value in flipped(&values[0]) {
                    let mut given = values.clone();
                    given[0] = value;
                    changes.push((update.clone(), given));
                }
            }
        }
    }
    drop(sql);
    let bytes = fs::read(&path).unwrap();
    assert!(changes.len() > 300, "{} bytes are few", changes.len());
    each(changes.len(), |number| {
        let (update, given) = &changes[number];
        let path = folder.path().join(number.to_string());
        fs::write(&path, &bytes).unwrap();
        let sql = Connection::open(&path).unwrap();
        let changed = sql.execute(update, rusqlite::params_from_iter(given));
        drop(sql);
        let said = match changed {
            // A key that is there already, or that is none.
            Err(_) => None,
            Ok(changed) => {
                assert_eq!(changed, 1);
                let noticed = audit(&path, &keys).is_none_or(|report| !is_intact(&report));
                (!noticed).then(|| format!("{update} {given:?}"))
            }
        };
        fs::remove_file(&path).unwrap();
        said
    });
}
