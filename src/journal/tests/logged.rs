//! Through the log itself: a life is written, signed, checked and read back.

use std::collections::BTreeSet;

use super::*;
use crate::approval::testkit::*;
use crate::approval::{Basis, Disposition, Outcome, RequestState};
use crate::log::{
    Chain, Chained, Genesis, LogId, Origin, Role, SecretKey, Signer, StatementLimit, StoredRecord,
    Trust, VerifiedGenesis, sign_batch,
};

/// The log of `story`, by a key with the roles of a gate and a desk.
fn log(story: &Story) -> (Vec<StoredRecord>, BTreeMap<DisclosureDigest, Disclosure>) {
    let secret = SecretKey::from_seed(&[7; 32]);
    let roles = BTreeSet::from([Role::Checkpoint, Role::Desk, Role::Gate, Role::Operator]);
    let log = LogId::from_random([1; 16]);
    let origin = Origin::new("example.org/log").unwrap();
    let genesis = Genesis::new(log, origin, [(secret.public().clone(), roles)], None).unwrap();
    let mut chain = Chain::begin(log, StatementLimit::default());
    let key = secret.public().id();
    let mut salts = SeededSalts::new(3);
    let mut drawer = BTreeMap::new();
    let mut batch = vec![chain.extend(&genesis.to_entry(), at(0), &key).unwrap()];
    for recorded in &story.records {
        let writer = Writer::gate(Enforcement::Enforced);
        let entry = encode(
            &recorded.event,
            reference(&recorded.event),
            writer,
            &mut salts,
        )
        .unwrap();
        batch.push(chain.extend(&entry, recorded.ts, &key).unwrap());
        drawer.extend(entry.disclosures.into_iter().map(|one| (one.digest(), one)));
    }
    let signatures = sign_batch(&batch, &[&secret]).unwrap();
    let records = batch
        .into_iter()
        .zip(signatures)
        .map(|(chained, signature)| {
            let Chained {
                seq,
                statement,
                leaf,
                ..
            } = chained;
            StoredRecord {
                seq,
                statement,
                signatures: vec![signature],
                leaf,
            }
        });
    (records.collect(), drawer)
}

#[test]
fn a_life_is_read_back_from_checked_records() {
    let basis = Basis::RequireApproval {
        requirement: requirement("1 of group:a"),
        counted: vec![counted(2, 2, &["group:a"])],
    };
    let story = Story::begin_at(1, asking(requirement("1 of group:a")))
        .tell(1, approve(2, &["group:a"]))
        .tell(2, start(basis, 60))
        .tell(3, finish(Outcome::Succeeded));
    let (records, drawer) = log(&story);
    let trust = Trust::on_genesis(&VerifiedGenesis::check(&records[0]).unwrap());
    let find = |digest: &DisclosureDigest| drawer.get(digest).cloned();
    let decode = |record| decode(&trust.check(record).unwrap(), &find).unwrap();
    assert_eq!(decode(&records[0]), Decoded::Genesis);
    let read: Vec<Recorded> = records
        .iter()
        .map(decode)
        .filter_map(Decoded::into_event)
        .collect();
    assert_eq!(read[1..], story.records[1..]);
    let state = RequestState::fold(&read).unwrap();
    assert_eq!(state.digest(), story.state.digest());
    assert_eq!(state.status(at(4)), story.state.status(at(4)));
}

#[test]
fn an_ordinary_action_leaves_room_in_its_record() {
    let (records, _) = log(&Story::begin(requested(Disposition::Allow {
        use_by: at(50),
        witnessing: Default::default(),
    })));
    assert!(
        records
            .iter()
            .all(|record| record.statement.len() < StatementLimit::default().get() / 2)
    );
}
