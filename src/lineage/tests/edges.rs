use super::*;
use crate::action::PrincipalId;
use crate::approval::{DatasetName, Hidden, LossCause};

fn said(graph: &Graph) -> Vec<(Node, Relation, Node, u64)> {
    let edges = graph.iter().cloned();
    edges
        .map(
            |Edge {
                 from,
                 relation,
                 to,
                 seq,
                 ts: _,
             }| (from, relation, to, seq.0),
        )
        .collect()
}

fn agent() -> Node {
    Node::Agent(PrincipalId::new("demo", "reporter").unwrap())
}

fn policy() -> Node {
    Node::Policy(decision().revision)
}

#[test]
fn a_whole_life_says_who_and_what() {
    let (own, run) = (Node::Request(request(9)), Node::Execution(execution(1)));
    let (table, file) = (dataset("/table"), dataset("/file"));
    let vote = |seq| Node::Vote(At(seq));
    let mut expected = vec![
        (own.clone(), Relation::HadPlan, policy(), 0),
        (own.clone(), Relation::WasAttributedTo, agent(), 0),
        (
            own.clone(),
            Relation::WasAttributedTo,
            Node::Person(person(1)),
            0,
        ),
        (
            agent(),
            Relation::ActedOnBehalfOf,
            Node::Person(person(1)),
            0,
        ),
        (
            vote(1),
            Relation::WasAttributedTo,
            Node::Person(person(2)),
            1,
        ),
        (
            vote(3),
            Relation::WasAttributedTo,
            Node::Person(person(3)),
            3,
        ),
        (
            vote(4),
            Relation::WasAttributedTo,
            Node::Person(person(4)),
            4,
        ),
        (vote(3), Relation::Authorised, own.clone(), 5),
        (vote(4), Relation::Authorised, own.clone(), 5),
        (own.clone(), Relation::HadPlan, policy(), 5),
        (run.clone(), Relation::WasInformedBy, own, 5),
        (run.clone(), Relation::WasAssociatedWith, agent(), 5),
        (run.clone(), Relation::Used, table.clone(), 6),
        (file.clone(), Relation::WasGeneratedBy, run, 6),
        (file, Relation::WasDerivedFrom, table, 6),
    ];
    let mut found = said(&graph(&approved_export()));
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

/// What was asked for is not what happened: datasets come from ends alone.
#[test]
fn a_request_that_never_ran_has_moved_no_data() {
    let ask = || Story::begin(asking(requirement("1 of group:a")));
    let basis = || Basis::RequireApproval {
        requirement: requirement("1 of group:a"),
        counted: vec![counted(1, 2, &["group:a"])],
    };
    for story in [
        Story::begin(requested(Disposition::Deny { cause: None })),
        ask().tell(1, deny(2, &["group:a"])),
        ask().tell(1, approve(2, &["group:a"])),
        ask()
            .tell(1, approve(2, &["group:a"]))
            .tell(2, start(basis(), 60)),
        ask()
            .tell(1, approve(2, &["group:a"]))
            .tell(2, start(basis(), 60))
            .tell(60, lose(LossCause::LeasePassed)),
    ] {
        let graph = graph(&story);
        for edge in graph.iter() {
            assert!(
                edge.from.kind() != NodeKind::Dataset && edge.to.kind() != NodeKind::Dataset,
                "{edge:?}"
            );
        }
    }
}

#[test]
fn a_vote_authorises_only_what_it_was_counted_for() {
    let authorises = |story: &Story| {
        graph(story)
            .iter()
            .any(|edge| edge.relation == Relation::Authorised)
    };
    let approved =
        Story::begin(asking(requirement("1 of group:a"))).tell(1, approve(2, &["group:a"]));
    assert!(!authorises(&approved));
    assert!(authorises(&approved_export()));
}

#[test]
fn a_failed_or_unknown_end_still_moved_what_it_names() {
    for outcome in [Outcome::Failed, Outcome::Unknown] {
        let story = Story::begin(requested(Disposition::Allow {
            use_by: at(50),
            witnessing: Default::default(),
        }))
        .tell(1, start(Basis::Allow, 60))
        .tell(2, ended(outcome, &["/in"], &["/out"]));
        let relations: Vec<_> = graph(&story).iter().map(|edge| edge.relation).collect();
        assert!(
            relations.contains(&Relation::Used) && relations.contains(&Relation::WasGeneratedBy)
        );
    }
}

#[test]
fn the_same_record_always_adds_the_same_edges() {
    let story = approved_export();
    let once = graph(&story);
    let mut twice = once.clone();
    for recorded in &story.records {
        let edges = edges_of(recorded, Some(story.state.bound()));
        assert!(edges.is_sorted() && edges.windows(2).all(|pair| pair[0] != pair[1]));
        twice.extend(edges);
    }
    assert_eq!(once, twice);
}

#[test]
fn a_sensitive_dataset_is_the_same_one_wherever_it_is_named() {
    let secret = Dataset::new("file://host", "/patients").sensitive();
    let end = |generated: Vec<Touched>, used: Vec<Touched>| {
        Event::Finished(Box::new(Finished {
            used,
            generated,
            ..finished(Outcome::Succeeded, Timing::InTime)
        }))
    };
    let story = |event| {
        Story::begin(requested(Disposition::Allow {
            use_by: at(50),
            witnessing: Default::default(),
        }))
        .tell(1, start(Basis::Allow, 60))
        .tell(2, event)
    };
    let writes = story(end(vec![Touched::from(&secret)], vec![]));
    let reads = story(end(vec![touched("/out")], vec![touched("/patients")]));
    let mut both = graph(&writes);
    both.extend(graph(&reads).iter().cloned());
    let answer = Search::new(
        Question::Downstream(dataset("/patients")),
        Limits::default(),
    )
    .run(&both)
    .unwrap();
    assert!(answer.nodes.contains(&dataset("/out")));

    let last = writes.records.last().unwrap();
    assert_eq!(sensitive_datasets(&last.event), [secret.reference()]);
    assert_eq!(
        sensitive_datasets(&reads.records.last().unwrap().event),
        Vec::<DatasetRef>::new()
    );
}

#[test]
fn a_dataset_whose_name_was_erased_stays_a_step_on_the_way() {
    let digest = crate::action::Disclosure::new(
        &crate::action::Salt::from_bytes([1; 16]),
        "name",
        &crate::canonical::Json::from("x"),
    )
    .digest();
    let erased = Touched {
        name: DatasetName::Sensitive(Hidden::Missing(digest)),
        ..touched("/gone")
    };
    let end = Event::Finished(Box::new(Finished {
        used: vec![erased],
        generated: vec![touched("/out")],
        ..finished(Outcome::Succeeded, Timing::InTime)
    }));
    let story = Story::begin(requested(Disposition::Allow {
        use_by: at(50),
        witnessing: Default::default(),
    }))
    .tell(1, start(Basis::Allow, 60))
    .tell(2, end);
    let answer = Search::new(Question::Upstream(dataset("/out")), Limits::default())
        .run(&graph(&story))
        .unwrap();
    assert!(
        answer
            .nodes
            .contains(&Node::Unnamed(Unnamed::Erased(digest)))
    );
}
