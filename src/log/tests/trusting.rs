use std::collections::BTreeSet;

use super::key;
use crate::{
    canonical::Digest,
    clock::Timestamp,
    log::{
        BatchError, Chain, ChainError, Enforcement, Entry, Genesis, GenesisError, Head, Kind,
        LogId, NotAVerifierKey, Origin, Predecessor, PublicKey, Receipt, ReceiptError, Role, Rule,
        Seq, Signer, StatementLimit, StoredRecord, Trust, TrustedKeys, TrustedKeysError,
        VerifiedGenesis, decode_signatures, encode_signatures, sign_batch,
    },
};

fn named(seed: u8, roles: &[Role]) -> (PublicKey, BTreeSet<Role>) {
    (key(seed).public().clone(), roles.iter().copied().collect())
}

fn genesis(keys: Vec<(PublicKey, BTreeSet<Role>)>) -> Result<Genesis, GenesisError> {
    let predecessor = Predecessor {
        log: LogId::from_random([1; 16]),
        origin: Origin::new("example.com/before").unwrap(),
        size: 7,
        root: Digest::sha256(b"root"),
    };
    let origin = Origin::new("example.com/log").unwrap();
    Genesis::new(LogId::from_random([2; 16]), origin, keys, Some(predecessor))
}

fn usual() -> Genesis {
    genesis(vec![
        named(1, &[Role::Gate]),
        named(2, &[Role::Checkpoint, Role::Desk]),
    ])
    .unwrap()
}

const NOW: Timestamp = Timestamp::EPOCH;

fn clock() -> Entry {
    Entry {
        kind: Kind::Clock,
        request: None,
        body: b"{}".to_vec(),
        disclosures: Vec::new(),
        role: Role::Gate,
        enforced: Enforcement::Enforced,
        crit: Vec::new(),
    }
}

/// A log with a genesis and so many records, and its head.
fn log(genesis: &Genesis, records: usize) -> (Chain, Vec<StoredRecord>, Head) {
    let mut chain = Chain::begin(*genesis.log(), StatementLimit::default());
    let mut batch = vec![
        chain
            .extend(&genesis.to_entry(), NOW, &key(1).public().id())
            .unwrap(),
    ];
    for _ in 0..records {
        batch.push(chain.extend(&clock(), NOW, &key(1).public().id()).unwrap());
    }
    let signatures = sign_batch(&batch, &[&key(1)]).unwrap();
    let records = batch
        .into_iter()
        .zip(signatures)
        .map(|(chained, signature)| StoredRecord {
            seq: chained.seq,
            statement: chained.statement,
            signatures: vec![signature],
            leaf: chained.leaf,
        })
        .collect();
    let checkpoint = chain.checkpoint(genesis.origin()).sign(&key(2)).unwrap();
    let head = chain.head(checkpoint);
    (chain, records, head)
}

#[test]
fn a_genesis_is_read_as_it_is_written() {
    let genesis = usual();
    let (_, records, _) = log(&genesis, 0);
    let verified = VerifiedGenesis::check(&records[0]).unwrap();
    assert_eq!(verified.genesis(), &genesis);
    assert_eq!(verified.record().signers(), [key(1).public().id()]);
    let trust = Trust::on_genesis(&verified);
    let roles = |seed: u8| {
        trust
            .ring()
            .roles_at(&key(seed).public().id(), Seq::new(5))
            .cloned()
    };
    assert_eq!(
        roles(2),
        Some(BTreeSet::from([Role::Checkpoint, Role::Desk]))
    );
    assert_eq!(roles(3), None);
}

#[test]
fn a_log_begins_with_keys_that_can_carry_it() {
    let refused = |keys| genesis(keys).unwrap_err();
    let gate = || named(1, &[Role::Gate]);
    assert_eq!(refused(vec![]), GenesisError::NobodySigns("checkpoint"));
    assert_eq!(
        refused(vec![gate()]),
        GenesisError::NobodySigns("checkpoint")
    );
    let others = vec![named(2, &[Role::Checkpoint]), named(3, &[Role::Desk])];
    assert_eq!(
        refused(others),
        GenesisError::NobodySigns("operator or gate")
    );
    let twice = vec![gate(), named(1, &[Role::Checkpoint])];
    assert_eq!(refused(twice), GenesisError::RepeatedKey);
    assert_eq!(
        refused(vec![gate(), named(2, &[])]),
        GenesisError::KeyWithoutRole
    );
}

#[test]
fn a_genesis_signed_by_none_of_its_keys_is_none() {
    let (_, records, _) = log(&usual(), 0);
    let mut foreign = records[0].clone();
    let message = crate::log::pae(crate::log::PAYLOAD_TYPE, &foreign.statement);
    foreign.signatures = vec![(key(9).public().id(), key(9).sign(&message).unwrap())];
    assert_eq!(VerifiedGenesis::check(&foreign).unwrap_err().rule, Rule::S2);
    let mut checkpoint = records[0].clone();
    checkpoint.signatures = vec![(key(2).public().id(), key(2).sign(&message).unwrap())];
    assert_eq!(
        VerifiedGenesis::check(&checkpoint).unwrap_err().rule,
        Rule::S3
    );
}

#[test]
fn a_writer_cannot_make_what_its_verifiers_refuse() {
    let genesis = usual();
    let id = key(1).public().id();
    let mut chain = Chain::begin(*genesis.log(), StatementLimit::default());
    assert_eq!(
        chain.extend(&clock(), NOW, &id),
        Err(ChainError::GenesisFirst)
    );
    let (mut chain_with, _, _) = log(&genesis, 1);
    let again = genesis.to_entry();
    assert_eq!(
        chain_with.extend(&again, NOW, &id),
        Err(ChainError::GenesisFirst)
    );
    let desk = Entry {
        kind: Kind::Voted,
        ..clock()
    };
    assert_eq!(chain_with.extend(&desk, NOW, &id), Err(ChainError::Role));
    let without = Entry {
        kind: Kind::Started,
        ..clock()
    };
    assert_eq!(
        chain_with.extend(&without, NOW, &id),
        Err(ChainError::Request)
    );
    let crit = vec!["b".to_owned(), "a".to_owned()];
    let unordered = Entry { crit, ..clock() };
    assert_eq!(
        chain_with.extend(&unordered, NOW, &id),
        Err(ChainError::Extensions)
    );
    let before = chain_with.size();
    let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(20_000)).into_bytes();
    let large = Entry { body, ..clock() };
    assert!(matches!(
        chain_with.extend(&large, NOW, &id),
        Err(ChainError::TooLarge(_))
    ));
    assert_eq!(chain_with.size(), before);
    chain.extend(&genesis.to_entry(), NOW, &id).unwrap();
}

#[test]
fn time_in_a_chain_never_runs_backwards() {
    let (mut chain, _, _) = log(&usual(), 0);
    let id = key(1).public().id();
    let later = NOW.saturating_add(std::time::Duration::from_secs(60));
    assert_eq!(chain.extend(&clock(), later, &id).unwrap().ts, later);
    assert_eq!(chain.extend(&clock(), NOW, &id).unwrap().ts, later);
}

#[test]
fn a_chain_goes_on_from_its_head_as_if_it_had_never_stopped() {
    let (mut chain, _, head) = log(&usual(), 300);
    let head = Head::decode(&head.encode()).unwrap();
    let mut resumed = Chain::resume(&head, StatementLimit::default());
    let id = key(1).public().id();
    for _ in 0..600 {
        let expected = chain.extend(&clock(), NOW, &id).unwrap();
        assert_eq!(resumed.extend(&clock(), NOW, &id).unwrap(), expected);
    }
}

#[test]
fn a_head_row_is_checked_against_its_own_checkpoint() {
    let genesis = usual();
    let (chain, records, head) = log(&genesis, 4);
    let trust = Trust::on_genesis(&VerifiedGenesis::check(&records[0]).unwrap());
    assert_eq!(
        head.check(&trust).unwrap(),
        chain.checkpoint(genesis.origin())
    );
    let bytes = head.encode();
    for cut in 0..bytes.len() {
        let sound = Head::decode(&bytes[..cut]).is_ok_and(|head| head.check(&trust).is_ok());
        assert!(!sound, "cut at {cut}");
    }
    let (_, _, longer) = log(&genesis, 5);
    let mut mixed = head.clone();
    mixed.checkpoint = longer.checkpoint;
    assert_eq!(mixed.check(&trust).unwrap_err().rule, Rule::S8);
    let mut forged = head;
    forged.checkpoint = chain.checkpoint(genesis.origin()).sign(&key(1)).unwrap();
    assert_eq!(forged.check(&trust).unwrap_err().rule, Rule::S7);
}

#[test]
fn a_batch_is_signed_alike_by_one_thread_and_by_many() {
    let genesis = usual();
    let (mut chain, _, _) = log(&genesis, 0);
    let ids = [key(1).public().id(), key(2).public().id()];
    let batch: Vec<_> = (0..100)
        .map(|at| chain.extend(&clock(), NOW, &ids[at % 2]).unwrap())
        .collect();
    let (one, two) = (key(1), key(2));
    let signers: [&dyn Signer; 2] = [&one, &two];
    let many = sign_batch(&batch, &signers).unwrap();
    let single: Vec<_> = batch
        .chunks(1)
        .flat_map(|one| sign_batch(one, &signers).unwrap())
        .collect();
    assert_eq!(many, single);
    assert!(matches!(
        sign_batch(&batch, &signers[..1]),
        Err(BatchError::NoSuchKey)
    ));
    let bytes = encode_signatures(&many[..3]);
    assert_eq!(decode_signatures(&bytes).unwrap(), many[..3]);
    assert_eq!(decode_signatures(&bytes[1..]), None);
}

#[test]
fn trusted_keys_are_read_as_they_are_written() {
    let keys = TrustedKeys::of_genesis(&usual());
    let text = keys.to_string();
    assert_eq!(text.lines().count(), 2);
    let commented = format!("# on paper\n\n{}\r\n", text.replace('\n', "\n  \n"));
    assert_eq!(commented.parse(), Ok(keys));
    let line = text.lines().next().unwrap();
    let (_, vkey) = line.split_once(' ').unwrap();
    let refused = |text: String| text.parse::<TrustedKeys>().unwrap_err();
    let cases = [
        (format!("{line}\n{line}"), 2, TrustedKeysError::Repeated),
        (vkey.to_owned(), 1, TrustedKeysError::NotALine),
        (format!("\nGate {vkey}"), 2, TrustedKeysError::NoSuchRole),
        (format!("gate, {vkey}"), 1, TrustedKeysError::NoSuchRole),
        (
            "gate example.com".to_owned(),
            1,
            NotAVerifierKey::Malformed.into(),
        ),
    ];
    for (text, line, why) in cases {
        let error = refused(text);
        assert_eq!((error.line, error.why), (line, why));
    }
}

#[test]
fn a_receipt_proves_its_record_with_keys_alone() {
    let genesis = usual();
    let (chain, records, head) = log(&genesis, 4);
    let leaves: Vec<_> = records.iter().map(|record| record.leaf).collect();
    let keys = TrustedKeys::of_genesis(&genesis);
    // In a tree of five, the way from leaf 3.
    let node = crate::log::tree::node_hash;
    let path = vec![leaves[2], node(&leaves[0], &leaves[1]), leaves[4]];
    let receipt = Receipt {
        record: records[3].clone(),
        checkpoint: head.checkpoint,
        path,
        disclosures: Vec::new(),
    };
    let bytes = receipt.to_bytes();
    let again = Receipt::from_bytes(&bytes).unwrap();
    assert_eq!(again, receipt);
    let verified = again.verify_with_keys(&keys).unwrap();
    assert_eq!(verified.record().seq(), Seq::new(3));
    assert_eq!(*verified.checkpoint(), chain.checkpoint(genesis.origin()));

    let mut other = receipt.clone();
    other.record = records[2].clone();
    assert!(matches!(
        other.verify_with_keys(&keys),
        Err(ReceiptError::Inclusion(_))
    ));
    let mut unsigned = receipt.clone();
    unsigned.record.signatures.clear();
    assert!(matches!(
        unsigned.verify_with_keys(&keys),
        Err(ReceiptError::Record(_))
    ));
    let mut foreign = TrustedKeys::new();
    for (seed, role) in [(1, Role::Gate), (9, Role::Checkpoint)] {
        let name = genesis.origin().key_name().clone();
        let vkey = crate::log::VerifierKey::new(name, key(seed).public().clone());
        foreign.add(vkey, [role].into()).unwrap();
    }
    assert!(matches!(
        receipt.verify_with_keys(&foreign),
        Err(ReceiptError::Checkpoint(_))
    ));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x01;
        let sound = Receipt::from_bytes(&changed)
            .is_ok_and(|receipt| receipt.verify_with_keys(&keys).is_ok());
        assert!(!sound, "byte {at}");
    }
}

#[test]
fn a_record_names_the_key_that_signed_it_first() {
    let keys = vec![
        named(1, &[Role::Gate]),
        named(2, &[Role::Checkpoint]),
        named(3, &[Role::Gate]),
    ];
    let (_, records, _) = log(&genesis(keys).unwrap(), 1);
    let trust = Trust::on_genesis(&VerifiedGenesis::check(&records[0]).unwrap());
    let mut record = records[1].clone();
    assert!(trust.check(&record).is_ok());
    let message = crate::log::pae(crate::log::PAYLOAD_TYPE, &record.statement);
    let other = (key(3).public().id(), key(3).sign(&message).unwrap());
    record.signatures.push(other);
    assert_eq!(trust.check(&record).unwrap().signers().len(), 2);
    record.signatures.reverse();
    assert_eq!(trust.check(&record).unwrap_err().rule, Rule::S3);
    record.signatures.truncate(1);
    assert_eq!(trust.check(&record).unwrap_err().rule, Rule::S3);
}
