use std::collections::BTreeSet;

use super::*;
use crate::action::{DatasetKind, DisclosureDigest, PrincipalId};
use crate::canonical::Digest;

fn nodes() -> Vec<Node> {
    vec![
        Node::Request(request(1)),
        Node::Execution(execution(1)),
        Node::Vote(At(1)),
        Node::Person(person(1)),
        Node::Agent(PrincipalId::new("demo", "a\"b").unwrap()),
        Node::Agent(PrincipalId::new("demo/a", "b").unwrap()),
        Node::Dataset(DatasetRef::new(DatasetKind::Data, "a", "b/c")),
        Node::Dataset(DatasetRef::new(DatasetKind::Model, "a", "b/c")),
        Node::Dataset(DatasetRef::new(DatasetKind::Data, "a/b", "c")),
        Node::Policy(decision().revision),
        Node::Unnamed(Unnamed::Erased(DisclosureDigest::from_digest(
            Digest::sha256(b"x"),
        ))),
        Node::Unnamed(Unnamed::Key([0xfe; 16])),
    ]
}

#[test]
fn every_node_has_its_own_text() {
    let texts: BTreeSet<String> = nodes().iter().map(Node::to_text).collect();
    assert_eq!(texts.len(), nodes().len());
    for node in nodes() {
        assert_eq!(Node::parse_text(&node.to_text()), Ok(node));
    }
}

#[test]
fn other_texts_are_no_nodes() {
    for text in [
        "",
        "[]",
        "{}",
        r#"["vote","01"]"#,
        r#"["vote","-1"]"#,
        r#"["vote", "1"]"#,
        r#"["vote",1]"#,
        r#"["vote","1","2"]"#,
        r#"["dataset","table","a","b"]"#,
        r#"["key","01"]"#,
    ] {
        assert_eq!(Node::parse_text(text), Err(NotANode), "{text}");
    }
}

/// Stores keep these numbers for ever.
#[test]
fn codes_are_what_they_were() {
    let kinds: Vec<_> = nodes().iter().map(|node| node.kind().code()).collect();
    assert_eq!(kinds, [1, 2, 3, 4, 5, 5, 6, 6, 6, 7, 6, 6]);
    for node in nodes() {
        assert_eq!(NodeKind::from_code(node.kind().code()), Some(node.kind()));
    }
    assert_eq!([NodeKind::from_code(0), NodeKind::from_code(8)], [None; 2]);
    let terms: Vec<_> = (0..=10)
        .filter_map(Relation::from_code)
        .map(Relation::term)
        .collect();
    let expected = "used wasGeneratedBy wasDerivedFrom wasAssociatedWith actedOnBehalfOf wasInformedBy wasAttributedTo authorised hadPlan";
    assert_eq!(terms.join(" "), expected);
    for code in 1..=9 {
        assert_eq!(Relation::from_code(code).unwrap().code(), code);
    }
}
