//! A log and its witnesses: who is asked what, what is stored, and what is an alarm.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod fake_witness;
mod log_fixture;

use std::sync::Arc;

use countersign::{
    clock::Timestamp,
    log::{
        Checkpoint, Frontier, Head, Kind, Note, Origin, PublicKey, Row, Signer, Terms, TrustedKeys,
        Verdict, WitnessPolicy, verify_structure,
    },
    store::{Batch, MemoryStore, NewRecord, Query, Step, Store, StoreSecret},
    witness::{
        Alarm, Call, Evidence, Request, Response, Sign, Submitted, Transport, TransportError,
        Trouble, Witnesses,
    },
};
use fake_witness::{FakeWitness, Mood, Wire, all_of};
use futures::executor::block_on;
use futures::future::{Either, select};
use log_fixture::{Writer, forked, golden};
use proptest::prelude::*;

/// A store that holds the first records of a log, batch by batch.
fn stored(writer: &Writer, size: u64) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    grow(&store, writer, size);
    store
}

/// Has a store go on with a log.
fn grow(store: &MemoryStore, writer: &Writer, size: u64) {
    let image = &writer.image;
    let head = block_on(store.head()).unwrap();
    let mut frontier = head
        .as_ref()
        .map_or_else(Frontier::empty, |head| head.frontier.clone());
    for (end, note) in &image.checkpoints {
        let from = frontier.size();
        if *end <= from || *end > size {
            continue;
        }
        let (mut records, mut subtrees) = (Vec::new(), Vec::new());
        for row in &image.rows[from as usize..*end as usize] {
            let Row::Record(row) = row else { panic!() };
            subtrees.extend(frontier.push(row.record.leaf));
            records.push(NewRecord {
                record: row.record.clone(),
                kind: Kind::parse(&row.columns.kind).unwrap(),
                request: row.columns.request,
                ts: row.columns.ts,
                prev: row.columns.prev,
            });
        }
        let last = records.last().unwrap();
        let head = Head {
            log: *writer.genesis.log(),
            size: *end,
            frontier: frontier.clone(),
            prev: last.record.leaf,
            ts: last.ts,
            checkpoint: note.clone(),
        };
        let disclosures = image.disclosures.iter();
        let disclosures = disclosures.filter(|(seq, _)| (from..*end).contains(&seq.get()));
        let batch = Batch {
            records,
            subtrees,
            checkpoint: (*end, note.clone()),
            head,
            disclosures: disclosures
                .map(|(seq, text)| (*seq, countersign::log::Kept::parse(text).unwrap()))
                .collect(),
            moved: Vec::new(),
            rows: Vec::new(),
            secret: (from == 0).then(|| StoreSecret::from_bytes([7; 32])),
        };
        block_on(store.append(Step::new(Default::default(), move |_| Ok(batch)))).unwrap();
    }
}

/// What witnesses of a log are given to know.
fn known(writer: &Writer) -> [(Origin, PublicKey); 1] {
    let key = writer.keys.checkpoint.public().clone();
    [(writer.genesis.origin().clone(), key)]
}

struct Town {
    witnesses: Vec<Arc<FakeWitness>>,
    policy: WitnessPolicy,
    client: Witnesses,
    keys: TrustedKeys,
    origin: Origin,
}

impl Town {
    fn new(writer: &Writer, many: u8) -> Self {
        let witnesses = (0..many).map(|number| FakeWitness::new(number, &known(writer)));
        Self::of(writer, witnesses.collect())
    }

    fn of(writer: &Writer, witnesses: Vec<Arc<FakeWitness>>) -> Self {
        let policy = WitnessPolicy::parse(all_of(&witnesses).as_bytes()).unwrap();
        Self {
            client: Witnesses::new(policy.clone(), Wire(witnesses.clone())),
            witnesses,
            policy,
            keys: writer.trusted(),
            origin: writer.genesis.origin().clone(),
        }
    }

    /// The same witnesses, asked by a process that has just started.
    fn restarted(&self, writer: &Writer) -> Self {
        Self::of(writer, self.witnesses.clone())
    }

    fn now(&self) -> Timestamp {
        self.witnesses[0].now
    }

    fn submit(&self, store: &MemoryStore) -> Vec<Result<Submitted, Trouble>> {
        let answers = block_on(self.client.submit(store, &self.keys, self.now()));
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    #[track_caller]
    fn alarm(&self, store: &MemoryStore) -> Arc<Alarm> {
        match self.submit(store).remove(0) {
            Err(Trouble::Alarm(alarm)) => alarm,
            other => panic!("expected an alarm, got: {other:?}"),
        }
    }

    fn anchored(&self, store: &MemoryStore) -> u64 {
        let terms = Terms {
            keys: Some(&self.keys),
            witnesses: Some(&self.policy),
            ..Terms::default()
        };
        let report = verify_structure(&mut store.log_reader(), &terms, &mut |_| {}, &mut |_, _| {});
        assert!(
            matches!(
                report.verdict(),
                Verdict::IntactAnchored { .. } | Verdict::IntactUnanchored { .. }
            ),
            "{}",
            report.verdict()
        );
        report.anchored
    }
}

fn note(store: &MemoryStore, size: u64) -> Vec<u8> {
    let found = block_on(store.find(Query::Checkpoint { at_least: size })).unwrap();
    found.checkpoint().unwrap().unwrap().1
}

#[test]
fn a_checkpoint_is_cosigned_by_all_and_the_next_goes_on_from_there() {
    let writer = golden();
    let town = Town::new(&writer, 3);
    let store = stored(&writer, 6);
    let at = town.now();
    assert_eq!(
        town.submit(&store)
            .into_iter()
            .map(Result::unwrap)
            .collect::<Vec<_>>(),
        vec![Submitted::Cosigned { size: 6, at }; 3]
    );
    for witness in &town.witnesses {
        assert_eq!(witness.asked(), ["POST /add-checkpoint old 0"]);
        assert_eq!(witness.holds(&town.origin), 6);
    }
    assert_eq!(town.anchored(&store), 6);
    // Who has cosigned is not asked again.
    for answer in town.submit(&store) {
        assert_eq!(answer.unwrap(), Submitted::Already { size: 6 });
    }
    assert!(town.witnesses[0].asked().is_empty());
    grow(&store, &writer, 12);
    for answer in town.submit(&store) {
        assert_eq!(answer.unwrap(), Submitted::Cosigned { size: 12, at });
    }
    assert_eq!(town.witnesses[0].asked(), ["POST /add-checkpoint old 6"]);
    assert_eq!(town.anchored(&store), 12);
    // The log's own line stands first, as it was; one line for each witness follows.
    let parsed = Note::parse(&note(&store, 12)).unwrap();
    assert_eq!(parsed.signatures().len(), 4);
    assert!(note(&store, 12).starts_with(&writer.sign_checkpoint()));
}

#[test]
fn a_process_that_has_just_started_learns_what_a_witness_holds() {
    let writer = golden();
    let town = Town::new(&writer, 1);
    let store = stored(&writer, 5);
    town.submit(&store).remove(0).unwrap();
    grow(&store, &writer, 12);
    let town = town.restarted(&writer);
    town.witnesses[0].asked();
    let answer = town.submit(&store).remove(0).unwrap();
    assert_eq!(
        answer,
        Submitted::Cosigned {
            size: 12,
            at: town.now()
        }
    );
    assert_eq!(
        town.witnesses[0].asked(),
        ["POST /add-checkpoint old 0", "POST /add-checkpoint old 5"]
    );
    // A witness that lost what it knew begins anew.
    let longer = {
        let mut writer = writer.copy();
        let more = writer.entry(Kind::Clock, None, &[("micros", 1.into())], &[]);
        writer.commit(&[more]);
        writer
    };
    grow(&store, &longer, 13);
    town.witnesses[0].forgets();
    let answer = town.submit(&store).remove(0).unwrap();
    assert_eq!(
        answer,
        Submitted::Cosigned {
            size: 13,
            at: town.now()
        }
    );
    assert_eq!(
        town.witnesses[0].asked(),
        ["POST /add-checkpoint old 12", "POST /add-checkpoint old 0"]
    );
}

#[test]
fn a_store_that_was_set_back_is_an_alarm() {
    let writer = golden();
    let town = Town::new(&writer, 1);
    town.submit(&stored(&writer, 12)).remove(0).unwrap();
    let back = stored(&writer, 8);
    for town in [&town, &town.restarted(&writer)] {
        town.witnesses[0].asked();
        let alarm = town.alarm(&back);
        assert_eq!(alarm.sign, Sign::Rollback { size: 12 });
        let Evidence::Ahead(ahead) = &alarm.evidence else {
            panic!("{alarm:?}")
        };
        let key = writer.keys.checkpoint.public();
        let (checkpoint, _) = Checkpoint::verify(ahead, &town.origin, [key]).unwrap();
        assert_eq!(checkpoint.size, 12);
        assert!(
            alarm
                .to_string()
                .contains("has cosigned 12 records of this log, which the store does not have")
        );
        // It is not asked again, and the alarm stays.
        assert_eq!(town.witnesses[0].asked().len(), 2);
        assert_eq!(town.alarm(&back), alarm);
        assert!(town.witnesses[0].asked().is_empty());
        assert_eq!(town.anchored(&back), 0);
    }
}

#[test]
fn another_history_is_an_alarm_with_evidence() {
    let (mine, yours) = forked();
    for (seen, shown) in [(12, 12), (10, 12), (12, 10)] {
        let town = Town::new(&mine, 1);
        town.submit(&stored(&yours, seen)).remove(0).unwrap();
        let alarm = town.restarted(&mine).alarm(&stored(&mine, shown));
        if shown < seen {
            // As far as its sizes tell, the store was set back.
            assert_eq!(alarm.sign, Sign::Rollback { size: seen });
            continue;
        }
        assert_eq!(alarm.sign, Sign::Fork { size: seen });
        let Evidence::Fork(fork) = &alarm.evidence else {
            panic!("{alarm:?}")
        };
        assert_eq!(fork.verify(&town.keys).unwrap().size, seen);
        assert_eq!(alarm.own, note(&stored(&mine, shown), shown));
    }
    // Of a witness that shows nothing, there is its word.
    let town = Town::new(&mine, 1);
    town.submit(&stored(&yours, 12)).remove(0).unwrap();
    town.witnesses[0].hides();
    let alarm = town.restarted(&mine).alarm(&stored(&mine, 12));
    assert_eq!(alarm.evidence, Evidence::Word);
    assert_eq!(
        alarm.to_string(),
        "the witness `w0` knows another history of this log, of 12 records: the store was written anew, or there are two (by its word alone)"
    );
}

#[test]
fn one_bad_witness_hinders_no_other() {
    let writer = golden();
    let says = |status, body: &str| Mood::Says(status, body.as_bytes().to_vec());
    let cosignature = "\u{2014} witness.example/0 AAAA\n";
    let moods = [
        (Mood::Away, "the witness was not reached: nobody is there"),
        (
            Mood::Mumbles,
            "the answer of the witness is not used: the cosignature does not verify",
        ),
        (
            Mood::Lends,
            "the answer of the witness is not used: the cosignature does not verify",
        ),
        (
            Mood::Ahead(301),
            "the answer of the witness is not used: its cosignature was made later than now",
        ),
        (
            says(404, ""),
            "the witness does not know a log of this origin",
        ),
        (
            says(403, ""),
            "the witness does not know the key that signed the checkpoint",
        ),
        (
            says(500, "sorry"),
            "the answer of the witness is not used: it has the status 500",
        ),
        (
            says(302, ""),
            "the answer of the witness is not used: it has the status 302",
        ),
        (
            says(200, ""),
            "the answer of the witness is not used: it is not the lines of signatures that the protocol asks for",
        ),
        (
            says(200, "\n"),
            "the answer of the witness is not used: it is not the lines of signatures that the protocol asks for",
        ),
        (
            says(200, cosignature),
            "the answer of the witness is not used: it is not the lines of signatures that the protocol asks for",
        ),
        (
            says(200, "\u{2014} other.example AAAAAAAA\n"),
            "the answer of the witness is not used: it has no signature by the key that the policy names",
        ),
        (
            says(409, "0\n"),
            "the answer of the witness is not used: it does not say which size it holds instead",
        ),
        (
            says(409, "06\n"),
            "the answer of the witness is not used: it does not say which size it holds instead",
        ),
        (
            says(409, "+6\n"),
            "the answer of the witness is not used: it does not say which size it holds instead",
        ),
        (
            says(409, "6"),
            "the answer of the witness is not used: it does not say which size it holds instead",
        ),
        (
            says(409, "99999999999999999999\n"),
            "the answer of the witness is not used: it does not say which size it holds instead",
        ),
        (
            Mood::Says(200, vec![b'x'; 1_000_001]),
            "the answer of the witness is not used: it is longer than any answer may be",
        ),
    ];
    for (mood, expected) in moods {
        let town = Town::new(&writer, 2);
        town.witnesses[0].feels(mood.clone());
        let store = stored(&writer, 12);
        let [bad, good] = town.submit(&store).try_into().unwrap();
        assert_eq!(bad.unwrap_err().to_string(), expected, "{mood:?}");
        assert_eq!(
            good.unwrap(),
            Submitted::Cosigned {
                size: 12,
                at: town.now()
            }
        );
        let signers = Note::parse(&note(&store, 12)).unwrap().signatures().len();
        assert_eq!(signers, 2, "nothing of the bad one is stored: {mood:?}");
        // Once it is well again it cosigns.
        town.witnesses[0].feels(Mood::Honest);
        for answer in town.submit(&store) {
            answer.unwrap();
        }
        assert_eq!(town.anchored(&store), 12, "{mood:?}");
    }
    // One that never answers keeps only its own place.
    let town = Town::new(&writer, 2);
    town.witnesses[0].feels(Mood::Silent);
    let store = stored(&writer, 12);
    let slow = town.client.submit_to(0, &store, &town.keys, town.now());
    let quick = town.client.submit_to(1, &store, &town.keys, town.now());
    match block_on(select(Box::pin(slow), Box::pin(quick))) {
        Either::Right((quick, _slow)) => {
            assert_eq!(
                quick.unwrap(),
                Submitted::Cosigned {
                    size: 12,
                    at: town.now()
                }
            );
        }
        Either::Left(_) => panic!("the silent one has answered"),
    }
    assert_eq!(
        Note::parse(&note(&store, 12)).unwrap().signatures().len(),
        2
    );
}

#[test]
fn a_witness_that_says_all_is_wrong_is_believed_for_what_it_shows_alone() {
    let writer = golden();
    for (mood, sign) in [
        (Mood::Says(422, Vec::new()), Sign::Fork { size: 0 }),
        (
            Mood::Says(409, b"13\n".to_vec()),
            Sign::Rollback { size: 13 },
        ),
    ] {
        let town = Town::new(&writer, 1);
        town.witnesses[0].feels(mood);
        let alarm = town.alarm(&stored(&writer, 12));
        assert_eq!(alarm.sign, sign);
        assert_eq!(alarm.evidence, Evidence::Word);
    }
}

#[test]
fn an_alarm_stays_though_its_evidence_was_not_waited_for() {
    let writer = golden();
    let town = Town::new(&writer, 1);
    town.witnesses[0].feels(Mood::Withholds(409, b"13\n".to_vec()));
    let store = stored(&writer, 12);
    let asked = town.client.submit(&store, &town.keys, town.now());
    let given_up = block_on(select(Box::pin(asked), std::future::ready(())));
    assert!(matches!(given_up, Either::Right(_)));
    drop(given_up);
    town.witnesses[0].asked();
    let alarm = town.alarm(&store);
    assert_eq!(alarm.sign, Sign::Rollback { size: 13 });
    assert_eq!(alarm.evidence, Evidence::Word);
    assert!(town.witnesses[0].asked().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a witness sends instead of its cosignature, nothing of it is stored.
    #[test]
    fn nothing_is_stored_that_does_not_verify(
        status in prop_oneof![Just(200_u16), Just(409), 100_u16..600],
        mut body in proptest::collection::vec(any::<u8>(), 0..80),
        spoil in prop::option::of((0_usize..200, 1_u8..=255)),
    ) {
        let writer = golden();
        let town = Town::new(&writer, 1);
        let store = stored(&writer, 12);
        let before = note(&store, 12);
        if let Some((at, bits)) = spoil {
            // A good answer in which one byte is another.
            let text = String::from_utf8(before.clone()).unwrap();
            let call = Call::Post(format!("old 0\n\n{text}").into_bytes());
            body = town.witnesses[0].answer("/add-checkpoint", &call).body;
            let line = body.iter().position(|byte| *byte == b'\n').unwrap();
            body[at % line] ^= bits;
        }
        town.witnesses[0].feels(Mood::Says(status, body));
        prop_assert!(town.submit(&store).remove(0).is_err());
        prop_assert_eq!(note(&store, 12), before);
    }
}

/// Has the store grow while the witness is asked.
#[derive(Debug)]
struct Meanwhile {
    wire: Wire,
    store: Arc<MemoryStore>,
    writer: Writer,
    upto: u64,
}

#[async_trait::async_trait]
impl Transport for Meanwhile {
    async fn exchange(&self, request: Request) -> Result<Response, TransportError> {
        let answer = self.wire.exchange(request).await;
        // An executor forbids another one within itself.
        std::thread::scope(|scope| {
            let growing = scope.spawn(|| grow(&self.store, &self.writer, self.upto));
            growing.join().unwrap();
        });
        answer
    }
}

#[test]
fn another_process_that_was_faster_is_no_alarm() {
    let writer = golden();
    let town = Town::new(&writer, 1);
    // Another process of the same store has had the longer log cosigned.
    town.submit(&stored(&writer, 12)).remove(0).unwrap();
    let store = stored(&writer, 8);
    let transport = Meanwhile {
        wire: Wire(town.witnesses.clone()),
        store: Arc::clone(&store),
        writer: writer.copy(),
        upto: 12,
    };
    let client = Witnesses::new(town.policy.clone(), transport);
    let ask = || block_on(client.submit_to(0, &store, &town.keys, town.now()));
    assert_eq!(ask().unwrap(), Submitted::Overtaken);
    assert_eq!(
        ask().unwrap(),
        Submitted::Cosigned {
            size: 12,
            at: town.now()
        }
    );
}

/// Two signatures that are stored at once are both there.
#[test]
fn signatures_that_arrive_at_once_are_all_stored() {
    let writer = golden();
    let town = Town::new(&writer, 8);
    let store = stored(&writer, 12);
    std::thread::scope(|scope| {
        for place in 0..8 {
            let (client, store, keys, now) = (&town.client, &store, &town.keys, town.now());
            scope.spawn(move || block_on(client.submit_to(place, store, keys, now)).unwrap());
        }
    });
    assert_eq!(
        Note::parse(&note(&store, 12)).unwrap().signatures().len(),
        9
    );
    assert_eq!(town.anchored(&store), 12);
}

#[test]
fn an_empty_store_and_a_witness_without_an_address_ask_nobody() {
    let writer = golden();
    let town = Town::new(&writer, 1);
    let answer = town.submit(&MemoryStore::new()).remove(0).unwrap();
    assert_eq!(answer, Submitted::Overtaken);
    assert!(town.witnesses[0].asked().is_empty());
    let text = format!("witness a {}\nquorum a\n", town.witnesses[0].key);
    let policy = WitnessPolicy::parse(text.as_bytes()).unwrap();
    let client = Witnesses::new(policy, Wire(town.witnesses.clone()));
    let store = stored(&writer, 12);
    assert!(block_on(client.submit(&store, &town.keys, town.now())).is_empty());
    let asked = block_on(client.submit_to(0, &store, &town.keys, town.now()));
    assert!(matches!(asked, Err(Trouble::NoAddress)));
    let asked = block_on(client.submit_to(1, &store, &town.keys, town.now()));
    assert!(matches!(asked, Err(Trouble::NoSuchWitness)));
}
