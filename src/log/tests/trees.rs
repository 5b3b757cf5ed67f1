use proptest::prelude::*;

use crate::{
    canonical::Digest,
    log::{Frontier, Subtree, empty_root, leaf_hash, tree::node_hash},
};

/// The definition of RFC 6962, section 2.1, as it stands there.
pub(super) fn naive_root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::sha256(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

pub(super) fn leaves(count: usize) -> Vec<Digest> {
    (0..count)
        .map(|number| leaf_hash(number.to_string().as_bytes()))
        .collect()
}

#[test]
fn a_growing_tree_has_the_root_of_the_definition_at_every_size() {
    let leaves = leaves(1500);
    let mut frontier = Frontier::empty();
    for size in 0..=leaves.len() {
        assert_eq!(frontier.size(), size as u64);
        assert_eq!(frontier.root(), naive_root(&leaves[..size]), "size {size}");
        let again = Frontier::decode(&frontier.encode()).unwrap();
        assert_eq!(again, frontier);
        if let Some(leaf) = leaves.get(size) {
            frontier.push(*leaf);
        }
    }
}

#[test]
fn full_subtrees_are_reported_once_and_have_the_root_of_their_leaves() {
    let leaves = leaves(65_536 + 300);
    let mut frontier = Frontier::empty();
    let mut completed = Vec::new();
    for leaf in &leaves {
        completed.append(&mut frontier.push(*leaf));
    }
    let mut expected: Vec<_> = (0..257)
        .map(|index| Subtree {
            level: 1,
            index: index as u64,
            hash: naive_root(&leaves[index * 256..(index + 1) * 256]),
        })
        .collect();
    expected.insert(
        256,
        Subtree {
            level: 2,
            index: 0,
            hash: naive_root(&leaves[..65_536]),
        },
    );
    assert_eq!(completed, expected);
}

#[test]
fn known_roots() {
    // RFC 6962: the empty tree; and the tree of one leaf without bytes.
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(empty_root().to_hex(), empty);
    assert_eq!(Frontier::empty().root(), empty_root());
    let leaf = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    assert_eq!(leaf_hash(b"").to_hex(), leaf);
}

#[test]
fn an_entry_that_looks_like_a_node_is_hashed_as_a_leaf() {
    let (left, right) = (leaf_hash(b"l"), leaf_hash(b"r"));
    let entry = [&[0x01], &left.as_bytes()[..], right.as_bytes()].concat();
    assert_eq!(entry.len(), 65);
    assert_eq!(Digest::sha256(&entry), node_hash(&left, &right));
    assert_ne!(leaf_hash(&entry), node_hash(&left, &right));
}

#[test]
fn a_right_edge_with_other_than_its_hashes_is_refused() {
    let mut frontier = Frontier::empty();
    leaves(7).into_iter().for_each(|leaf| {
        frontier.push(leaf);
    });
    let good = frontier.encode();
    assert_eq!(good.len(), 8 + 3 * 32);
    for cut in 0..good.len() {
        assert!(Frontier::decode(&good[..cut]).is_err(), "cut at {cut}");
    }
    assert!(Frontier::decode(&[&good[..], &[0; 32]].concat()).is_err());
    let mut other_size = good.clone();
    other_size[7] = 8;
    assert!(Frontier::decode(&other_size).is_err());
    let beyond = [&(1_u64 << 53).to_be_bytes()[..], &[0; 32]].concat();
    assert!(Frontier::decode(&beyond).is_err());
}

proptest! {
    #[test]
    fn decoding_never_fails_otherwise_than_by_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(frontier) = Frontier::decode(&bytes) {
            prop_assert_eq!(frontier.encode(), bytes);
        }
    }
}
