//! Proofs and signatures that were bent, and entries made to look like what stands above them in the tree.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod log_fixture;

use countersign::{
    canonical::Digest,
    log::{
        Frontier, InclusionProof, ProofError, PublicKey, Rule, Signature, TrustedKeys,
        VerifiedGenesis, leaf_hash, prove_inclusion,
    },
};
use log_fixture::{Leaves, after, assert_broken, golden, receipt};

#[test]
fn tamper_20_an_entry_shaped_like_a_node() {
    let (left, right) = (leaf_hash(b"l"), leaf_hash(b"r"));
    let mut two = Frontier::empty();
    two.push(left);
    two.push(right);
    // The bytes that the inner node is the hash of, as an entry of a tree of one.
    let node = [&[0x01], &left.as_bytes()[..], right.as_bytes()].concat();
    assert_eq!(Digest::sha256(&node), two.root());
    let mut one = Frontier::empty();
    one.push(leaf_hash(&node));
    assert_ne!(one.root(), two.root());
    let proof = InclusionProof {
        index: 0,
        size: 1,
        path: Vec::new(),
    };
    assert!(proof.verify(&leaf_hash(&node), &two.root()).is_err());
}

#[test]
fn tamper_21_a_proof_for_another_size() {
    let writer = golden();
    let trust = TrustedKeys::vouch_for(
        &writer.trusted(),
        &VerifiedGenesis::check(writer.image.record(0)).unwrap(),
    )
    .unwrap();
    for at in 0..12 {
        let good = receipt(&writer, at);
        assert!(good.verify(&trust).is_ok());
        // Every other checkpoint of the log, with the proof for the last one.
        for (_, checkpoint) in writer.image.checkpoints.iter().rev().skip(1) {
            let mut other = good.clone();
            other.checkpoint.clone_from(checkpoint);
            assert!(other.verify(&trust).is_err());
        }
    }
}

#[test]
fn tamper_22_malformed_proofs() {
    let writer = golden();
    let leaves: Vec<Digest> = (0..12).map(|at| writer.image.record(at).leaf).collect();
    let root = writer.chain.checkpoint(writer.genesis.origin()).root;
    let good = prove_inclusion(&Leaves(leaves.clone()), 5, 12).unwrap();
    assert_eq!(good.verify(&leaves[5], &root), Ok(()));
    let judge = |change: &dyn Fn(&mut InclusionProof)| {
        let mut proof = good.clone();
        change(&mut proof);
        proof.verify(&leaves[5], &root)
    };
    assert_eq!(
        judge(&|proof| proof.path.push(root)),
        Err(ProofError::WrongLength)
    );
    assert_eq!(
        judge(&|proof| proof.path.truncate(proof.path.len() - 1)),
        Err(ProofError::WrongLength)
    );
    assert_eq!(
        judge(&|proof| proof.path.clear()),
        Err(ProofError::WrongLength)
    );
    assert_eq!(
        judge(&|proof| proof.path.reverse()),
        Err(ProofError::WrongRoot)
    );
    assert_eq!(
        judge(&|proof| proof.index = 12),
        Err(ProofError::OutOfRange)
    );
    assert_eq!(judge(&|proof| proof.size = 0), Err(ProofError::OutOfRange));
    assert_eq!(
        judge(&|proof| proof.size = 64),
        Err(ProofError::WrongLength)
    );
    assert!(judge(&|proof| proof.index = 4).is_err());
    // A hash that is not 32 bytes does not get as far as the proof.
    let mut bytes = receipt(&writer, 5).to_bytes();
    let first = b"c2sp.org/tlog-proof@v1\nindex 5\n".len();
    assert!(countersign::log::Receipt::from_bytes(&bytes).is_ok());
    bytes.drain(first..first + 4);
    assert!(countersign::log::Receipt::from_bytes(&bytes).is_err());
}

#[test]
fn tamper_23_malleable_signatures() {
    let writer = golden();
    // S + L, the classic second form of a signature.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let verdict = after(&writer, |image| {
        let (_, signature) = &mut image.row(4).record.signatures[0];
        let mut bytes = *signature.as_bytes();
        let mut carry = 0;
        for (byte, add) in bytes[32..].iter_mut().zip(L) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
        *signature = Signature::from_bytes(bytes);
    });
    assert_broken(&verdict, 4, Rule::S2);
    // Keys under which one signature fits many messages, and second spellings, are no keys.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert!(PublicKey::from_bytes(&neutral).is_err());
    let mut again = [0xFF; 32];
    again[0] = 0xEE;
    again[31] = 0x7F;
    assert!(PublicKey::from_bytes(&again).is_err());
}
