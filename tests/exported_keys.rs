//! What an exported directory says about the keys of its log, where they came and went: an outsider checks its checkpoint by it, and its
//! verifier compares it with the records.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod log_fixture;

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use countersign::{
    export::{Disclosing, Export, ExportError, Exported, TilesReader},
    log::{
        Checkpoint, KeyChange, Kind, PublicKey, Revocation, Role, Rule, SecretKey, Signer, Terms,
        TrustedKeys, Verdict, VerifierKey, WitnessPolicy, verify_structure_alone,
    },
};
use log_fixture::{Image, Writer, receipt};

fn fresh(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[200 + seed; 32])
}

fn same(key: &SecretKey) -> SecretKey {
    SecretKey::from_seed(&key.to_seed())
}

fn log() -> Writer {
    Writer::new(5, "example.com/keys")
}

fn requests(writer: &mut Writer, many: u64) {
    let entries: Vec<_> = (0..many)
        .map(|_| writer.entry(Kind::Requested, Some(1), &[], &[("because", "x")]))
        .collect();
    writer.commit(&entries);
}

/// Another key signs checkpoints, from the one after the next on.
fn rotate(writer: &mut Writer, next: SecretKey) {
    let (operator, old) = (same(&writer.keys.operator), same(&writer.keys.checkpoint));
    let change = KeyChange::Rotated {
        old: old.public().id(),
        key: next.public().clone(),
    };
    writer.change_keys(&change, &[&operator, &old, &next]);
    writer.keys.checkpoint = next;
}

fn revoke(writer: &mut Writer, key: &SecretKey, why: Revocation) {
    let operator = same(&writer.keys.operator);
    let old = key.public().id();
    writer.change_keys(&KeyChange::Revoked { old, why }, &[&operator]);
}

fn add(writer: &mut Writer, key: &SecretKey, role: Role) {
    let operator = same(&writer.keys.operator);
    let change = KeyChange::Added {
        key: key.public().clone(),
        roles: BTreeSet::from([role]),
    };
    writer.change_keys(&change, &[&operator, key]);
}

fn export(image: &Image, directory: &Path) -> Result<Exported, ExportError> {
    Export::of(&mut image.clone())
        .disclosing(Disclosing::Everything)
        .to_tiles(directory)
}

fn verdict(directory: &Path, keys: &TrustedKeys) -> Verdict {
    let mut reader = TilesReader::open(directory).unwrap();
    let terms = Terms {
        keys: Some(keys),
        ..Terms::default()
    };
    verify_structure_alone(&mut reader, &terms, &mut |_| {}).verdict()
}

#[track_caller]
fn assert_intact(directory: &Path, writer: &Writer) {
    let size = writer.chain.size();
    assert_eq!(
        verdict(directory, &writer.trusted()),
        Verdict::IntactUnanchored { size, anchored: 0 }
    );
}

/// The keys that a reader of tlog-policy takes for those of the log.
fn of_policy(directory: &Path) -> Vec<PublicKey> {
    let policy = fs::read(directory.join("policy")).unwrap();
    WitnessPolicy::parse(&policy).unwrap();
    let text = String::from_utf8(policy).unwrap();
    let (logs, quorum): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with("log "));
    assert_eq!(quorum, ["quorum none"]);
    let vkey = |line: &str| line["log ".len()..].parse::<VerifierKey>().unwrap();
    logs.into_iter()
        .map(vkey)
        .inspect(|vkey| assert_eq!(vkey.name().as_str(), "example.com/keys"))
        .map(|vkey| vkey.key().clone())
        .collect()
}

/// What a tool makes of the published checkpoint that knows the directory's policy alone.
#[track_caller]
fn assert_checked_outside(directory: &Path, size: u64) {
    let note = fs::read(directory.join("checkpoint")).unwrap();
    let origin = countersign::log::Origin::new("example.com/keys").unwrap();
    let keys = of_policy(directory);
    let (checkpoint, _) = Checkpoint::verify(&note, &origin, &keys).unwrap();
    assert_eq!(checkpoint.size, size);
}

#[test]
fn whoever_has_the_policy_checks_the_checkpoint_after_a_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = log();
    let (first, second, third) = (same(&writer.keys.checkpoint), fresh(1), fresh(2));
    let expect = |writer: &Writer, keys: &[&SecretKey]| {
        let exported = export(&writer.image, folder.path()).unwrap();
        assert_eq!(exported.size, writer.chain.size());
        assert_checked_outside(folder.path(), writer.chain.size());
        let keys: Vec<PublicKey> = keys.iter().map(|key| key.public().clone()).collect();
        assert_eq!(of_policy(folder.path()), keys);
        assert_intact(folder.path(), writer);
    };
    expect(&writer, &[&first]);
    // Up to the record that rotates it, the old key signs; it stays for whoever has kept a checkpoint by it.
    let kept = fs::read(folder.path().join("checkpoint")).unwrap();
    rotate(&mut writer, same(&second));
    expect(&writer, &[&first, &second]);
    requests(&mut writer, 3);
    expect(&writer, &[&first, &second]);
    Checkpoint::verify(&kept, writer.genesis.origin(), &of_policy(folder.path())).unwrap();
    // Long after: the records that changed the keys lie in bundles that are not read again.
    requests(&mut writer, 300);
    expect(&writer, &[&first, &second]);
    requests(&mut writer, 300);
    rotate(&mut writer, same(&third));
    requests(&mut writer, 300);
    expect(&writer, &[&first, &second, &third]);
    // Keys of other roles are none of its.
    add(&mut writer, &fresh(3), Role::Desk);
    requests(&mut writer, 1);
    expect(&writer, &[&first, &second, &third]);
}

#[test]
fn a_key_that_somebody_else_has_vouches_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = log();
    let (stolen, lost, next) = (same(&writer.keys.checkpoint), fresh(1), fresh(2));
    add(&mut writer, &lost, Role::Checkpoint);
    add(&mut writer, &next, Role::Checkpoint);
    requests(&mut writer, 1);
    export(&writer.image, folder.path()).unwrap();
    let all = [&stolen, &lost, &next].map(|key| key.public().clone());
    assert_eq!(of_policy(folder.path()), all);
    let since = writer.chain.ts().saturating_add(Duration::from_secs(3600));
    revoke(&mut writer, &lost, Revocation::Lost);
    revoke(&mut writer, &stolen, Revocation::Compromised { since });
    // Its last checkpoint is by that key itself.
    export(&writer.image, folder.path()).unwrap();
    assert_checked_outside(folder.path(), writer.chain.size());
    writer.keys.checkpoint = same(&next);
    requests(&mut writer, 1);
    export(&writer.image, folder.path()).unwrap();
    assert_checked_outside(folder.path(), writer.chain.size());
    assert_eq!(of_policy(folder.path()), all[1..]);
    let keys = fs::read_to_string(folder.path().join("keys")).unwrap();
    assert!(
        keys.contains("# in force from record 0 to 5, and compromised since 2026-"),
        "{keys}"
    );
}

#[test]
fn the_suggested_keys_are_all_that_the_log_names() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = log();
    let (operator, old, next) = (
        same(&writer.keys.operator),
        same(&writer.keys.gate),
        fresh(4),
    );
    let change = KeyChange::Rotated {
        old: old.public().id(),
        key: next.public().clone(),
    };
    writer.change_keys(&change, &[&operator, &old, &next]);
    writer.keys.gate = same(&next);
    rotate(&mut writer, fresh(5));
    requests(&mut writer, 1);
    export(&writer.image, folder.path()).unwrap();
    let text = fs::read_to_string(folder.path().join("keys")).unwrap();
    let keys: TrustedKeys = text.parse().unwrap();
    // With them, once they were compared, the log is verified, and a receipt by a key that came later too.
    assert_eq!(keys.iter().count(), 6);
    assert_eq!(verdict(folder.path(), &keys).exit_code(), 3);
    let proof = receipt(&writer, 3);
    let trust = keys.trust_for(*writer.genesis.log(), writer.genesis.origin().clone());
    proof.verify(&trust).unwrap();
    let before = writer.trusted();
    let trust = before.trust_for(*writer.genesis.log(), writer.genesis.origin().clone());
    proof.verify(&trust).unwrap_err();
    for line in [
        "# in force from record 0 to 1\ngate ",
        "# in force from record 2 on\ngate ",
        "# in force from record 0 to 2\ncheckpoint ",
        "# in force from record 3 on\ncheckpoint ",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[test]
fn a_policy_of_other_keys_is_not_the_log_s() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = log();
    export(&writer.image, folder.path()).unwrap();
    let policy = folder.path().join("policy");
    let early = fs::read_to_string(&policy).unwrap();
    rotate(&mut writer, fresh(1));
    requests(&mut writer, 1);
    export(&writer.image, folder.path()).unwrap();
    let good = fs::read_to_string(&policy).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let stranger = VerifierKey::new(
        writer.genesis.origin().key_name().clone(),
        fresh(9).public().clone(),
    );
    for text in [
        // Of the genesis alone, of the new key alone, in another order, with one more, under another name, and cut.
        early.clone(),
        format!("{}\nquorum none\n", lines[1]),
        format!("{}\n{}\nquorum none\n", lines[1], lines[0]),
        good.replace("quorum", &format!("log {stranger}\nquorum")),
        good.replace("example.com/keys+", "example.com/kays+"),
        good.trim_end().to_owned(),
    ] {
        assert_ne!(text, good);
        fs::write(&policy, text).unwrap();
        let found = verdict(folder.path(), &writer.trusted());
        assert_eq!(found.exit_code(), 2, "{found}");
        assert!(
            found
                .to_string()
                .contains("its policy is not the one of this log"),
            "{found}"
        );
        // What is broken is still found.
        let entries = folder.path().join("tile/entries/000.p/3");
        let sound = fs::read(&entries).unwrap();
        let mut changed = sound.clone();
        changed[40] ^= 1;
        fs::write(&entries, changed).unwrap();
        assert_eq!(verdict(folder.path(), &writer.trusted()).exit_code(), 1);
        fs::write(&entries, sound).unwrap();
    }
    // The next run puts it right, whether or not there is more to publish.
    let exported = export(&writer.image, folder.path()).unwrap();
    assert_eq!(exported.from, exported.size);
    assert_eq!(fs::read_to_string(&policy).unwrap(), good);
    assert_intact(folder.path(), &writer);
}

#[test]
fn a_change_of_keys_that_is_none_is_not_exported() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = log();
    let (operator, next) = (same(&writer.keys.operator), fresh(1));
    let change = KeyChange::Rotated {
        old: writer.keys.checkpoint.public().id(),
        key: next.public().clone(),
    };
    // Without the old key.
    writer.change_keys(&change, &[&operator, &next]);
    let refused = export(&writer.image, &folder.path().join("tiles")).unwrap_err();
    assert!(
        matches!(&refused, ExportError::Broken(broken) if broken.seq.get() == 1 && broken.rule == Rule::S11),
        "{refused}"
    );
    assert!(!folder.path().join("tiles/checkpoint").exists());
}
