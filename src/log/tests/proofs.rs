use std::{cell::Cell, fs, ops::Range};

use proptest::prelude::*;

use super::trees::{leaves, naive_root};
use crate::{
    canonical::Digest,
    log::{
        ConsistencyProof, Frontier, InclusionProof, Nodes, ProofError, ProveError, base64,
        empty_root, prove_consistency, prove_inclusion,
    },
};

/// What a store keeps of a tree: leaves and full subtrees.
struct Kept {
    leaves: Vec<Digest>,
    subtrees: Vec<Vec<Digest>>,
    reads: Cell<usize>,
}

impl Kept {
    fn new(leaves: Vec<Digest>) -> Self {
        let mut frontier = Frontier::empty();
        let mut subtrees = vec![Vec::new(); 3];
        for leaf in &leaves {
            for subtree in frontier.push(*leaf) {
                subtrees[usize::from(subtree.level)].push(subtree.hash);
            }
        }
        Self {
            leaves,
            subtrees,
            reads: Cell::new(0),
        }
    }
}

fn cut(rows: &[Digest], range: Range<u64>) -> Result<Vec<Digest>, String> {
    assert!(
        range.start.is_multiple_of(256) && range.end - range.start <= 256,
        "{range:?}"
    );
    rows.get(range.start as usize..range.end as usize)
        .map(<[Digest]>::to_vec)
        .ok_or_else(|| format!("no rows {range:?}"))
}

impl Nodes for Kept {
    type Error = String;

    fn leaves(&self, range: Range<u64>) -> Result<Vec<Digest>, String> {
        self.reads.set(self.reads.get() + 1);
        cut(&self.leaves, range)
    }

    fn subtrees(&self, level: u8, range: Range<u64>) -> Result<Vec<Digest>, String> {
        self.reads.set(self.reads.get() + 1);
        cut(&self.subtrees[usize::from(level)], range)
    }
}

#[test]
fn proofs_for_every_place_of_every_small_tree_verify_and_no_other_place_does() {
    let kept = Kept::new(leaves(40));
    for size in 1..=40_u64 {
        let root = naive_root(&kept.leaves[..size as usize]);
        for index in 0..size {
            let proof = prove_inclusion(&kept, index, size).unwrap();
            for (other, leaf) in kept.leaves.iter().enumerate() {
                let verdict = proof.verify(leaf, &root);
                assert_eq!(verdict.is_ok(), other as u64 == index, "{index} of {size}");
            }
        }
        for old in 1..=size {
            let proof = prove_consistency(&kept, old, size).unwrap();
            for other in 1..=40_usize {
                let old_root = naive_root(&kept.leaves[..other]);
                let verdict = proof.verify(&old_root, &root);
                assert_eq!(verdict.is_ok(), other as u64 == old, "{old} to {size}");
            }
        }
    }
}

#[test]
fn a_proof_of_another_length_is_refused_whatever_it_holds() {
    let kept = Kept::new(leaves(300));
    let root = naive_root(&kept.leaves);
    let good = prove_inclusion(&kept, 255, 300).unwrap();
    let mut long = good.clone();
    long.path.push(root);
    assert_eq!(
        long.verify(&kept.leaves[255], &root),
        Err(ProofError::WrongLength)
    );
    let mut short = good.clone();
    short.path.pop();
    assert_eq!(
        short.verify(&kept.leaves[255], &root),
        Err(ProofError::WrongLength)
    );
    for (index, size) in [(0, 0), (300, 300), (u64::MAX, u64::MAX), (u64::MAX, 300)] {
        let out = InclusionProof {
            index,
            size,
            path: good.path.clone(),
        };
        assert_eq!(
            out.verify(&kept.leaves[255], &root),
            Err(ProofError::OutOfRange)
        );
    }

    let old_root = naive_root(&kept.leaves[..200]);
    let good = prove_consistency(&kept, 200, 300).unwrap();
    assert_eq!(good.verify(&old_root, &root), Ok(()));
    let mut long = good.clone();
    long.path.push(root);
    assert_eq!(long.verify(&old_root, &root), Err(ProofError::WrongLength));
    let mut short = good.clone();
    short.path.pop();
    assert_eq!(short.verify(&old_root, &root), Err(ProofError::WrongLength));
    let nothing = ConsistencyProof {
        old: 200,
        new: 300,
        path: Vec::new(),
    };
    assert_eq!(
        nothing.verify(&old_root, &root),
        Err(ProofError::WrongLength)
    );
    let backwards = ConsistencyProof {
        old: 300,
        new: 200,
        path: good.path.clone(),
    };
    assert_eq!(
        backwards.verify(&root, &old_root),
        Err(ProofError::OutOfRange)
    );
    let from_nothing = ConsistencyProof {
        old: 0,
        new: 300,
        path: Vec::new(),
    };
    assert_eq!(
        from_nothing.verify(&empty_root(), &root),
        Err(ProofError::OutOfRange)
    );
    let same = ConsistencyProof {
        old: 300,
        new: 300,
        path: vec![root],
    };
    assert_eq!(same.verify(&root, &root), Err(ProofError::WrongLength));
}

#[test]
fn there_is_no_proof_of_what_the_tree_does_not_have() {
    let kept = Kept::new(leaves(3));
    assert_eq!(prove_inclusion(&kept, 0, 0), Err(ProveError::OutOfRange));
    assert_eq!(prove_inclusion(&kept, 3, 3), Err(ProveError::OutOfRange));
    assert_eq!(prove_consistency(&kept, 0, 3), Err(ProveError::OutOfRange));
    assert_eq!(prove_consistency(&kept, 3, 2), Err(ProveError::OutOfRange));
    assert!(matches!(
        prove_inclusion(&kept, 1, 9),
        Err(ProveError::Store(_))
    ));
}

#[test]
fn proofs_in_a_large_tree_need_few_rows() {
    let kept = Kept::new(leaves(70_000));
    let root = naive_root(&kept.leaves);
    for index in [0, 1, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999] {
        kept.reads.set(0);
        let proof = prove_inclusion(&kept, index, 70_000).unwrap();
        assert_eq!(proof.verify(&kept.leaves[index as usize], &root), Ok(()));
        assert!(
            kept.reads.get() <= 6,
            "{} reads for {index}",
            kept.reads.get()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn proofs_from_stored_rows_verify(size in 1_u64..3000, index in any::<prop::sample::Index>(), old in any::<prop::sample::Index>()) {
        let kept = Kept::new(leaves(3000));
        let root = naive_root(&kept.leaves[..size as usize]);
        let index = index.index(size as usize);
        let proof = prove_inclusion(&kept, index as u64, size).unwrap();
        prop_assert_eq!(proof.verify(&kept.leaves[index], &root), Ok(()));
        let old = old.index(size as usize) + 1;
        let proof = prove_consistency(&kept, old as u64, size).unwrap();
        prop_assert_eq!(proof.verify(&naive_root(&kept.leaves[..old]), &root), Ok(()));
    }
}

/// The published vectors' hashes; a text that is not 32 bytes of base64 is no hash, and with it no
/// proof can be asked about.
fn hash(json: &serde_json::Value) -> Option<Digest> {
    let bytes = base64::decode(json.as_str()?)?;
    Some(Digest::from_bytes(bytes.try_into().ok()?))
}

fn path(json: &serde_json::Value) -> Option<Vec<Digest>> {
    json.as_array().into_iter().flatten().map(hash).collect()
}

#[test]
fn published_proofs_are_judged_as_published() {
    let Some(folder) = super::published("rfc6962") else {
        return;
    };
    let (mut inclusion, mut consistency) = (0, 0);
    for file in super::files_below(&folder) {
        // Some numbers are beyond what this library admits.
        let vector: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let get = |name: &str| vector.get(name).unwrap();
        let size = |name: &str| get(name).as_u64().unwrap();
        let verdict = if vector.get("leafIdx").is_some() {
            inclusion += 1;
            let (index, size) = (size("leafIdx"), size("treeSize"));
            path(get("proof"))
                .zip(hash(get("leafHash")))
                .zip(hash(get("root")))
                .is_some_and(|((path, leaf), root)| {
                    InclusionProof { index, size, path }
                        .verify(&leaf, &root)
                        .is_ok()
                })
        } else {
            consistency += 1;
            let (old, new) = (size("size1"), size("size2"));
            path(get("proof"))
                .zip(hash(get("root1")))
                .zip(hash(get("root2")))
                .is_some_and(|((path, old_root), new_root)| {
                    ConsistencyProof { old, new, path }
                        .verify(&old_root, &new_root)
                        .is_ok()
                })
        };
        let refused = get("wantErr").as_bool().unwrap();
        assert_eq!(verdict, !refused, "{}", file.display());
    }
    assert_eq!((inclusion, consistency), (53, 43));
}
