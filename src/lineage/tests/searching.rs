use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::action::{ExecutionId, PrincipalId};
use crate::approval::Renewed;

fn ask(graph: &Graph, question: Question) -> Answer {
    Search::new(question, Limits::default()).run(graph).unwrap()
}

fn edge(from: Node, relation: Relation, to: Node) -> Edge {
    Edge {
        from,
        relation,
        to,
        seq: At(1),
        ts: at(1),
    }
}

fn run(number: u128) -> Node {
    Node::Execution(ExecutionId::from_uuid(uuid::Uuid::from_u128(number)))
}

/// Execution `number` reads and writes datasets named by numbers.
fn step(number: u128, used: &[u8], generated: &[u8]) -> Vec<Edge> {
    let name = |dataset_number: &u8| dataset(&format!("/{dataset_number}"));
    let used = used
        .iter()
        .map(|of| edge(run(number), Relation::Used, name(of)));
    let generated = generated
        .iter()
        .map(|of| edge(name(of), Relation::WasGeneratedBy, run(number)));
    used.chain(generated).collect()
}

#[test]
fn upstream_and_downstream_follow_data_only() {
    let graph = graph(&approved_export());
    let up = ask(&graph, Question::Upstream(dataset("/file")));
    assert_eq!(up.nodes[0], dataset("/file"));
    assert_eq!(
        up.nodes.iter().cloned().collect::<BTreeSet<_>>(),
        BTreeSet::from([
            dataset("/file"),
            Node::Execution(execution(1)),
            dataset("/table")
        ])
    );
    assert_eq!(up.edges.len(), 3);
    let down = ask(&graph, Question::Downstream(dataset("/table")));
    assert_eq!(down.nodes.len(), 3);
    assert!(up.is_complete() && down.is_complete());
    assert_eq!((up.as_of, down.as_of), (7, 7));
    assert_eq!(
        ask(&graph, Question::Upstream(dataset("/table"))).nodes,
        [dataset("/table")]
    );
    assert_eq!(
        ask(&graph, Question::Upstream(dataset("/nothing"))).nodes,
        [dataset("/nothing")]
    );
}

#[test]
fn who_authorised_a_dataset_names_those_who_were_counted() {
    let graph = graph(&approved_export());
    let agent = Node::Agent(PrincipalId::new("demo", "reporter").unwrap());
    let expected = Authorisation {
        request: request(9),
        executions: BTreeSet::from([execution(1)]),
        votes: BTreeSet::from([(At(3), person(3)), (At(4), person(4))]),
        policies: BTreeSet::from([decision().revision]),
        asked_by: BTreeSet::from([agent, Node::Person(person(1))]),
    };
    for about in [dataset("/file"), Node::Execution(execution(1))] {
        let answer = ask(&graph, Question::Authorisation(about));
        assert!(answer.is_complete());
        assert_eq!(answer.authorisations(), std::slice::from_ref(&expected));
    }
    // Of the request itself its runs are not asked.
    let of_request =
        ask(&graph, Question::Authorisation(Node::Request(request(9)))).authorisations();
    assert_eq!(of_request[0].votes, expected.votes);
    // Nobody authorised what no effect of this log has written.
    assert_eq!(
        ask(&graph, Question::Authorisation(dataset("/table"))).authorisations(),
        []
    );
}

#[test]
fn an_allowed_action_was_authorised_by_policy_and_nobody() {
    let story = Story::begin(requested(Disposition::Allow {
        use_by: at(50),
        witnessing: Default::default(),
    }))
    .tell(1, reassess(Renewed::Allow, &[]))
    .tell(2, start(Basis::Allow, 60))
    .tell(3, ended(Outcome::Succeeded, &[], &["/out"]));
    let found = ask(&graph(&story), Question::Authorisation(dataset("/out"))).authorisations();
    assert_eq!(found[0].votes, BTreeSet::new());
    assert_eq!(found[0].policies, BTreeSet::from([decision().revision]));
}

/// An agent works for several people; a request of one of them is none of the others'.
#[test]
fn an_authorisation_does_not_reach_other_requests_of_the_same_agent() {
    let mut all = graph(&approved_export());
    let agent = Node::Agent(PrincipalId::new("demo", "reporter").unwrap());
    let other = Node::Request(request(5));
    all.extend([
        edge(
            agent.clone(),
            Relation::ActedOnBehalfOf,
            Node::Person(person(6)),
        ),
        edge(other.clone(), Relation::WasAttributedTo, agent.clone()),
        edge(
            other.clone(),
            Relation::WasAttributedTo,
            Node::Person(person(6)),
        ),
        edge(run(77), Relation::WasAssociatedWith, agent),
    ]);
    let answer = ask(&all, Question::Provenance(dataset("/file")));
    assert!(!answer.nodes.contains(&other) && !answer.nodes.contains(&Node::Person(person(6))));
    assert!(answer.nodes.contains(&dataset("/table")));
    assert_eq!(answer.authorisations().len(), 1);
}

/// A diamond lattice has a node for each place and exponentially many paths.
#[test]
fn nothing_is_visited_twice() {
    let mut all = Graph::new();
    for layer in 0..40u8 {
        let (left, right) = (2 * layer, 2 * layer + 1);
        all.extend(step(
            u128::from(layer),
            &[left, right],
            &[left + 2, right + 2],
        ));
    }
    // And the end flows back into the beginning.
    all.extend(step(99, &[80], &[0]));
    let answer = ask(&all, Question::Upstream(dataset("/80")));
    assert_eq!(answer.nodes.len(), 81 + 41);
    assert_eq!(answer.edges.len(), 4 * 40 + 1);
    assert_eq!(
        answer.edges.iter().collect::<BTreeSet<_>>().len(),
        answer.edges.len()
    );
    assert!(answer.is_complete());
}

#[test]
fn every_limit_says_that_it_was_reached() {
    let mut all = Graph::new();
    for layer in 0..10u8 {
        all.extend(step(u128::from(layer), &[layer], &[layer + 1]));
    }
    let with = |limits| {
        let answer = Search::new(Question::Upstream(dataset("/10")), limits)
            .run(&all)
            .unwrap();
        (answer.nodes.len(), answer.edges.len(), answer.stopped_by)
    };
    let open = Limits::default();
    assert_eq!(with(open), (21, 20, None));
    // At the size of the answer a limit is not reached.
    assert_eq!(
        with(Limits {
            nodes: 21,
            edges: 20,
            depth: 21
        }),
        (21, 20, None)
    );
    assert_eq!(
        with(Limits { nodes: 20, ..open }),
        (20, 19, Some(StoppedBy::Nodes))
    );
    assert_eq!(
        with(Limits { edges: 19, ..open }),
        (20, 19, Some(StoppedBy::Edges))
    );
    assert_eq!(
        with(Limits { edges: 0, ..open }),
        (1, 0, Some(StoppedBy::Edges))
    );
    assert_eq!(
        with(Limits { depth: 3, ..open }),
        (4, 3, Some(StoppedBy::Depth))
    );
}

#[test]
fn a_node_with_more_edges_than_the_limit_is_cut_in_the_open() {
    let all: Graph = (0..200u8)
        .flat_map(|number| step(u128::from(number), &[0], &[]))
        .collect();
    let limits = Limits {
        edges: 50,
        ..Limits::default()
    };
    let answer = Search::new(Question::Downstream(dataset("/0")), limits)
        .run(&all)
        .unwrap();
    assert_eq!(
        (answer.edges.len(), answer.stopped_by),
        (50, Some(StoppedBy::Edges))
    );
}

#[test]
fn a_search_that_was_not_driven_to_its_end_is_not_complete() {
    let graph = graph(&approved_export());
    let mut search = Search::new(Question::Upstream(dataset("/file")), Limits::default());
    let step = search.wants().unwrap();
    let found = graph.edges(&step).unwrap();
    search.learn(&step, found);
    assert!(!search.answer(7).is_complete());
}

#[test]
fn edges_that_were_not_asked_for_are_ignored() {
    let mut search = Search::new(Question::Upstream(dataset("/0")), Limits::default());
    let wanted = search.wants().unwrap();
    let edges = [step(1, &[0], &[5]), step(2, &[], &[0])].concat();
    search.learn(&wanted, Found { edges, more: false });
    while let Some(wanted) = search.wants() {
        search.learn(&wanted, Found::default());
    }
    let answer = search.answer(1);
    assert_eq!(answer.nodes, [dataset("/0"), run(2)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reaching_is_what_a_closure_by_hand_says(
        steps in prop::collection::vec((prop::collection::vec(0u8..12, 0..3), prop::collection::vec(0u8..12, 0..3)), 0..12),
        about in 0u8..12,
    ) {
        let numbered = steps.iter().enumerate();
        let all: Graph = numbered.flat_map(|(number, (used, generated))| step(number as u128, used, generated)).collect();
        for up in [true, false] {
            let mut reached = BTreeSet::from([about]);
            loop {
                let before = reached.len();
                for (used, generated) in &steps {
                    let (near, far) = if up { (generated, used) } else { (used, generated) };
                    if near.iter().any(|one| reached.contains(one)) {
                        reached.extend(far);
                    }
                }
                if reached.len() == before {
                    break;
                }
            }
            let about = dataset(&format!("/{about}"));
            let answer = ask(&all, if up { Question::Upstream(about) } else { Question::Downstream(about) });
            let found: BTreeSet<Node> =
                answer.nodes.iter().filter(|node| node.kind() == NodeKind::Dataset).cloned().collect();
            prop_assert_eq!(found, reached.iter().map(|one| dataset(&format!("/{one}"))).collect());
            prop_assert!(answer.is_complete());
            // Both ends of every edge are among the nodes.
            for edge in &answer.edges {
                prop_assert!(answer.nodes.contains(&edge.from) && answer.nodes.contains(&edge.to));
            }
        }
    }
}
