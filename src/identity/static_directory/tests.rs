#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::num::NonZeroU32;

use futures::executor::block_on;

use crate::{
    action::{PersonId, PrincipalId, PrincipalKind},
    clock::{ManualClock, Timestamp},
    identity::{
        Activity, Directory, EditError, IsMember, Known, LoadErrors, Members, StaticDirectory,
        Warning, Why, conformance,
    },
    policy::Selector,
};

fn id(text: &str) -> PrincipalId {
    let (issuer, subject) = text.split_once('/').unwrap();
    PrincipalId::new(issuer, subject).unwrap()
}

fn person(text: &str) -> PersonId {
    PersonId::new(id(text))
}

fn selector(text: &str) -> Selector {
    text.parse().unwrap()
}

fn known<T>(answer: Known<T>) -> T {
    answer.known().unwrap_or_else(|why| panic!("{why}")).0
}

fn unknown<T: std::fmt::Debug>(answer: Known<T>) -> Why {
    answer
        .known()
        .expect_err("an answer that the directory should not have")
}

fn who(directory: &StaticDirectory, of: &str) -> Known<PersonId> {
    block_on(directory.person(&id(of)))
        .unwrap()
        .map(|person| person.id)
}

fn is_member(directory: &StaticDirectory, who: &str, of: &str) -> Known<IsMember> {
    block_on(directory.member(&person(who), &selector(of)))
        .unwrap()
        .map(|membership| membership.is)
}

fn errors(text: &str) -> Vec<String> {
    let errors: LoadErrors = StaticDirectory::from_toml(text).expect_err(text);
    errors.iter().map(ToString::to_string).collect()
}

const PEOPLE: &str = r#"
[[persons]]
id = "demo/rita"
name = "Rita"
aliases = ["slack/U02", { issuer = "https://id.example/x", subject = "rita/adm" }]
groups = ["security"]

[[persons]]
id = "demo/dan"
groups = ["data-owners"]

[[persons]]
id = "demo/gone"
active = false
groups = ["security"]

[[persons]]
id = "demo/olga"

[[groups]]
name = "reviewers"
members = ["demo/dan"]
groups = ["security"]

[[roles]]
name = "auditor"
members = ["slack/U02"]

[[services]]
name = "scanner"
members = ["ci/scanner"]

[[agents]]
id = "agents/exporter"
controllers = ["demo/olga", "slack/U02"]

[[agents]]
id = "agents/orphan"
controllers = []

[[agents]]
id = "agents/stray"

[[agents]]
id = "ci/scanner"
kind = "service"
controllers = ["demo/olga"]
"#;

fn people() -> StaticDirectory {
    StaticDirectory::from_toml(PEOPLE).unwrap()
}

#[test]
fn all_ids_of_a_person_lead_to_one() {
    let directory = people();
    let admin = PrincipalId::new("https://id.example/x", "rita/adm").unwrap();
    assert_eq!(known(who(&directory, "demo/rita")), person("demo/rita"));
    assert_eq!(known(who(&directory, "slack/U02")), person("demo/rita"));
    assert_eq!(
        known(block_on(directory.person(&admin)).unwrap())
            .display_name
            .as_deref(),
        Some("Rita")
    );
}

#[test]
fn an_unlinked_id_is_nobody_whatever_it_resembles() {
    let directory = people();
    for stranger in [
        "slack/U2",
        "slack/u02",
        "okta/rita",
        "demo/Rita",
        "demo/rita@example.org",
    ] {
        assert_eq!(
            unknown(who(&directory, stranger)),
            Why::Unlinked,
            "{stranger}"
        );
    }
}

#[test]
fn membership_follows_nested_groups() {
    let directory = people();
    assert_eq!(
        known(is_member(&directory, "demo/rita", "group:security")),
        IsMember::Yes
    );
    assert_eq!(
        known(is_member(&directory, "demo/rita", "group:reviewers")),
        IsMember::Yes
    );
    assert_eq!(
        known(is_member(&directory, "demo/dan", "group:security")),
        IsMember::No
    );
    assert_eq!(
        known(is_member(&directory, "demo/rita", "role:auditor")),
        IsMember::Yes
    );
    // A role is no group of that name.
    assert_eq!(
        unknown(is_member(&directory, "demo/rita", "group:auditor")),
        Why::NoSuchName
    );
    assert_eq!(
        unknown(is_member(&directory, "demo/rita", "group:Security")),
        Why::NoSuchName
    );
}

#[test]
fn a_user_selector_names_one_person_by_any_id() {
    let directory = people();
    assert_eq!(
        known(is_member(&directory, "demo/rita", "user:demo/rita")),
        IsMember::Yes
    );
    assert_eq!(
        known(is_member(&directory, "demo/rita", "user:slack/U02")),
        IsMember::Yes
    );
    assert_eq!(
        known(is_member(&directory, "demo/dan", "user:slack/U02")),
        IsMember::No
    );
    assert_eq!(
        unknown(is_member(&directory, "demo/dan", "user:demo/nobody")),
        Why::NoSuchName
    );
}

#[test]
fn members_are_those_who_could_approve() {
    let directory = people();
    let members = |of: &str, at_most| {
        let at_most = NonZeroU32::new(at_most).unwrap();
        known(block_on(directory.members(&selector(of), at_most)).unwrap())
    };
    // Who was deactivated is not among them.
    assert_eq!(
        members("group:security", 5),
        Members::All(vec![person("demo/rita")])
    );
    assert_eq!(
        members("group:reviewers", 1),
        Members::MoreThan(NonZeroU32::MIN)
    );
    assert_eq!(
        members("group:reviewers", 2),
        Members::All(vec![person("demo/dan"), person("demo/rita")])
    );
}

#[test]
fn nobody_and_unknown_controllers_differ() {
    let directory = people();
    let controllers = |of: &str| block_on(directory.controllers(&id(of))).unwrap();
    assert_eq!(
        known(controllers("agents/exporter")),
        vec![person("demo/olga"), person("demo/rita")]
    );
    assert_eq!(known(controllers("agents/orphan")), vec![]);
    assert_eq!(unknown(controllers("agents/stray")), Why::Unlisted);
    assert_eq!(unknown(controllers("agents/unheard-of")), Why::Unlisted);
}

#[test]
fn a_service_is_known_as_one_and_an_agent_as_nobody() {
    let directory = people();
    let service = known(block_on(directory.person(&id("ci/scanner"))).unwrap());
    assert_eq!(service.kind, PrincipalKind::Service);
    assert_eq!(
        known(is_member(&directory, "ci/scanner", "service:scanner")),
        IsMember::Yes
    );
    assert_eq!(unknown(who(&directory, "agents/exporter")), Why::Unlinked);
}

#[test]
fn an_answer_is_as_fresh_as_the_question() {
    let clock = std::sync::Arc::new(ManualClock::new(Timestamp::EPOCH));
    let directory = people().with_clock(std::sync::Arc::clone(&clock));
    clock.advance(std::time::Duration::from_secs(7));
    let (_, as_of) = who(&directory, "demo/rita").known().unwrap();
    assert_eq!(as_of.unix_micros(), 7_000_000);
}

#[test]
fn one_id_of_two_persons_is_refused_with_its_line() {
    let text = "[[persons]]\nid = \"demo/ann\"\naliases = [\"slack/U1\"]\n\
                [[persons]]\nid = \"demo/bob\"\naliases = [\n  \"slack/U1\",\n]\n";
    assert_eq!(
        errors(text),
        [
            "line 7: `slack/U1` is already the id of somebody: an id belongs to one person or agent, and stands once"
        ]
    );
    // Nor does a person share an id with an agent.
    let text = "[[persons]]\nid = \"demo/ann\"\n[[agents]]\nid = \"demo/ann\"\n";
    assert!(errors(text)[0].starts_with("line 2: `demo/ann` is already"));
}

#[test]
fn ids_of_two_parties_that_look_alike_are_refused() {
    for twin in [
        "demo/Alice",
        "DEMO/alice",
        "demo/ａｌｉｃｅ",
        "demo/ali\u{200b}ce",
        "demo/alice\u{3164}",
    ] {
        let text = format!("[[persons]]\nid = \"demo/alice\"\n\n[[persons]]\nid = \"{twin}\"\n");
        let errors = errors(&text);
        assert!(
            errors[0].starts_with("line 5: ") && errors[0].contains("looks like `demo/alice`"),
            "{errors:?}"
        );
        let text = format!("[[agents]]\nid = \"{twin}\"\n\n[[persons]]\nid = \"demo/alice\"\n");
        assert!(self::errors(&text)[0].contains("looks like"), "{twin}");
    }
    // Of one person they may be linked.
    let text = "[[persons]]\nid = \"demo/alice\"\naliases = [\"demo/Alice\"]\n";
    assert!(StaticDirectory::from_toml(text).is_ok());
}

#[test]
fn every_error_of_a_file_is_named_with_its_line() {
    let text = r#"[[persons]]
id = "rita"

[[persons]]
id = "https://id.example/x"

[[groups]]
name = "two words"

[[groups]]
name = "a"
members = ["demo/nobody"]
groups = ["missing"]

[[groups]]
name = "a"

[[services]]
name = "scanner"
members = ["demo/ann"]

[[agents]]
id = "agents/x"
controllers = ["demo/nobody"]

[[persons]]
id = "demo/ann"
"#;
    let first = errors(text);
    assert_eq!(first.len(), 3, "{first:#?}");
    assert!(
        first[0].starts_with("line 2: `rita` is no id: write `issuer/subject`"),
        "{first:#?}"
    );
    assert!(
        first[1].starts_with("line 5: `https://id.example/x` is no id"),
        "{first:#?}"
    );
    assert!(
        first[2].starts_with("line 8: `two words` is no name"),
        "{first:#?}"
    );

    let readable = text
        .replace("id = \"rita\"", "id = \"demo/rita\"")
        .replace("https://id.example/x", "demo/x")
        .replace("two words", "words");
    let errors = errors(&readable);
    let starts = [
        "line 12: `demo/nobody` is the id of no person here",
        "line 13: `group:missing` is declared nowhere",
        "line 16: `group:a` is declared twice",
        "line 20: `demo/ann` is no service here",
        "line 24: `demo/nobody` is the id of no person here",
    ];
    assert_eq!(errors.len(), starts.len(), "{errors:#?}");
    for (error, start) in errors.iter().zip(starts) {
        assert!(error.starts_with(start), "{error} / {start}");
    }
}

#[test]
fn unknown_fields_and_wrong_types_are_refused() {
    for (text, start) in [
        (
            "[[persons]]\nid = \"demo/ann\"\nemail = \"a@b\"\n",
            "line 3: unknown field `email`",
        ),
        (
            "[[people]]\nid = \"demo/ann\"\n",
            "line 1: unknown field `people`",
        ),
        (
            "[[persons]]\nid = \"demo/ann\"\nactive = \"no\"\n",
            "line 3: ",
        ),
        (
            "[[persons]]\nname = \"Ann\"\n",
            "line 1: missing field `id`",
        ),
        (
            "[[persons]]\nid = { issuer = \"a\", subject = \"b\", mail = \"c\" }\n",
            "line 2: unknown field `mail`",
        ),
        (
            "[[agents]]\nid = \"a/b\"\nkind = \"human\"\n",
            "line 3: unknown variant `human`",
        ),
        ("[[persons]\n", "line 1: "),
    ] {
        let errors = errors(text);
        assert!(errors[0].starts_with(start), "{errors:?} / {start}");
        assert!(!errors[0].contains('\n'), "{errors:?}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.toml");
    let error = StaticDirectory::from_path(&path).unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    assert!(error.contains("No such file"), "{error}");
}

#[test]
fn groups_in_a_circle_are_refused() {
    let text = "[[groups]]\nname = \"a\"\ngroups = [\"b\"]\n[[groups]]\nname = \"b\"\ngroups = [\"c\"]\n\
                [[groups]]\nname = \"c\"\ngroups = [\"b\"]\n";
    assert_eq!(
        errors(text),
        [
            "line 5: `group:b` contains itself",
            "line 8: `group:c` contains itself"
        ]
    );
}

#[test]
fn what_nobody_can_approve_for_is_warned_of() {
    let text = r#"
[[persons]]
id = "demo/gone"
active = false
groups = ["left"]
[[groups]]
name = "empty"
[[agents]]
id = "agents/stray"
"#;
    let warnings = StaticDirectory::from_toml(text).unwrap().warnings();
    assert_eq!(
        warnings,
        [
            Warning::Empty(selector("group:empty")),
            Warning::AllDeactivated(selector("group:left")),
            Warning::NoControllers(id("agents/stray")),
        ]
    );
}

#[test]
fn edits_take_effect_at_once() {
    let directory = people();
    let security = selector("group:security");
    directory.add_member(&security, &id("demo/dan")).unwrap();
    assert_eq!(
        known(is_member(&directory, "demo/dan", "group:security")),
        IsMember::Yes
    );
    directory
        .remove_member(&security, &id("slack/U02"))
        .unwrap();
    assert_eq!(
        known(is_member(&directory, "demo/rita", "group:security")),
        IsMember::No
    );
    // The group that nests it follows.
    assert_eq!(
        known(is_member(&directory, "demo/rita", "group:reviewers")),
        IsMember::No
    );

    directory
        .set_active(&id("slack/U02"), Activity::Deactivated)
        .unwrap();
    let rita = known(block_on(directory.person(&id("demo/rita"))).unwrap());
    assert_eq!(rita.active, Activity::Deactivated);

    directory.unlink(&id("slack/U02")).unwrap();
    assert_eq!(unknown(who(&directory, "slack/U02")), Why::Unlinked);
    assert_eq!(
        directory.unlink(&id("demo/rita")),
        Err(EditError::Canonical)
    );

    directory
        .set_controllers(&id("agents/exporter"), None)
        .unwrap();
    assert_eq!(
        unknown(block_on(directory.controllers(&id("agents/exporter"))).unwrap()),
        Why::Unlisted
    );

    directory.replace(
        StaticDirectory::builder()
            .person(id("demo/new"))
            .build()
            .unwrap(),
    );
    assert_eq!(known(who(&directory, "demo/new")), person("demo/new"));
    assert_eq!(unknown(who(&directory, "demo/dan")), Why::Unlinked);
}

#[test]
fn an_edit_that_is_refused_changes_nothing() {
    let directory = people();
    let security = selector("group:security");
    assert_eq!(
        directory.add_member(&security, &id("demo/nobody")),
        Err(EditError::NoSuchPerson)
    );
    assert_eq!(
        directory.add_member(&security, &id("ci/scanner")),
        Err(EditError::NoSuchPerson)
    );
    assert_eq!(
        directory.link(id("agents/exporter"), &id("demo/rita")),
        Err(EditError::NotAHuman)
    );
    assert_eq!(
        directory.link(id("demo/DAN"), &id("demo/rita")),
        Err(EditError::LooksAlike)
    );
    assert_eq!(
        directory.link(id("x/y"), &id("demo/nobody")),
        Err(EditError::NoSuchPerson)
    );
    assert_eq!(
        directory.set_controllers(&id("agents/none"), Some(&[])),
        Err(EditError::NoSuchAgent)
    );
    assert_eq!(unknown(who(&directory, "demo/DAN")), Why::Unlinked);
    assert_eq!(
        known(is_member(&directory, "demo/rita", "group:security")),
        IsMember::Yes
    );
}

#[test]
fn linking_two_persons_makes_them_one() {
    let directory = people();
    directory.link(id("demo/dan"), &id("slack/U02")).unwrap();
    assert_eq!(known(who(&directory, "demo/dan")), person("demo/rita"));
    // One person, with the groups of both.
    assert_eq!(
        known(is_member(&directory, "demo/rita", "group:data-owners")),
        IsMember::Yes
    );
    let reviewers =
        block_on(directory.members(&selector("group:reviewers"), NonZeroU32::MAX)).unwrap();
    assert_eq!(known(reviewers), Members::All(vec![person("demo/rita")]));
    // Who left as one of them has left.
    directory.link(id("demo/gone"), &id("demo/rita")).unwrap();
    let rita = known(block_on(directory.person(&id("demo/rita"))).unwrap());
    assert_eq!(rita.active, Activity::Deactivated);
}

#[test]
fn a_program_builds_what_a_file_says() {
    let built = StaticDirectory::builder()
        .person_named(id("demo/rita"), "Rita")
        .alias(id("demo/rita"), id("slack/U02"))
        .member(selector("group:security"), id("slack/U02"))
        .set(selector("group:empty"))
        .nested(selector("group:reviewers"), selector("group:security"))
        .service(id("ci/scanner"), [])
        .member(selector("service:scanner"), id("ci/scanner"))
        .stray_agent(id("agents/stray"))
        .deactivated(id("demo/gone"))
        .build()
        .unwrap();
    assert_eq!(
        known(is_member(&built, "demo/rita", "group:reviewers")),
        IsMember::Yes
    );
    assert_eq!(
        unknown(block_on(built.controllers(&id("agents/stray"))).unwrap()),
        Why::Unlisted
    );

    let refused = StaticDirectory::builder()
        .alias(id("demo/rita"), id("slack/U02"))
        .build()
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`demo/rita` is the id of no person here: declare the person, or link the id"
    );
}

#[test]
fn debug_names_nobody() {
    assert_eq!(format!("{:?}", people()), "StaticDirectory { .. }");
}

#[test]
fn it_keeps_the_contract() {
    let directory = people();
    directory
        .add_member(&selector("group:security"), &id("demo/olga"))
        .unwrap();
    let holdings = conformance::Holdings {
        ids: vec![id("demo/rita"), id("slack/U02")],
        stranger: id("demo/nobody"),
        member_of: selector("group:reviewers"),
        not_member_of: selector("group:data-owners"),
        missing: selector("group:missing"),
        agent: id("agents/exporter"),
        stray_agent: id("agents/stray"),
    };
    let directory: std::sync::Arc<dyn Directory> = std::sync::Arc::new(directory);
    block_on(conformance::check(&directory, &holdings)).unwrap();

    // The check can fail.
    let wrong = conformance::Holdings {
        stray_agent: id("agents/orphan"),
        ..holdings.clone()
    };
    assert!(block_on(conformance::check(&directory, &wrong)).is_err());
    let wrong = conformance::Holdings {
        ids: vec![id("demo/rita"), id("demo/dan")],
        ..holdings
    };
    assert!(block_on(conformance::check(&directory, &wrong)).is_err());
}
