use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::action::{Dataset, DatasetRef, SessionId, TenantId};
use crate::approval::testkit::*;
use crate::approval::{
    ClockDoubt, ClockDoubted, Finished, Outcome, PolicyAdopted, Timing, Touched,
};

fn session() -> Scope {
    Scope::Session(
        Some(TenantId::new("acme").unwrap()),
        SessionId::new("s-1").unwrap(),
    )
}

#[test]
fn what_belongs_to_a_request_moves_it() {
    let ask = asking(requirement("1 of group:a"));
    let bound = ask.bound.clone();
    assert_eq!(
        scopes(&Event::Requested(Arc::new(ask)), Some(&bound)),
        [Scope::Request(request(9))]
    );
    for event in [
        approve(2, &["group:a"]),
        withdraw(),
        renew(5),
        finish(Outcome::Failed),
    ] {
        assert_eq!(scopes(&event, Some(&bound)), [Scope::Request(request(9))]);
    }
}

#[test]
fn an_end_moves_the_session_that_read_and_the_datasets_that_were_written() {
    let bound = bound(request(9));
    let table = Touched::from(&Dataset::new("postgres://db", "crm"));
    let file = Touched::from(&Dataset::new("file://host", "/out").sensitive());
    let moved = |used: Vec<Touched>, generated: Vec<Touched>| {
        let end = Finished {
            used,
            generated,
            ..finished(Outcome::Succeeded, Timing::InTime)
        };
        scopes(&Event::Finished(Box::new(end)), Some(&bound))
            .into_iter()
            .collect::<BTreeSet<_>>()
    };
    let own = Scope::Request(request(9));
    let dataset = Scope::Dataset(file.reference().unwrap());
    assert_eq!(
        moved(vec![table.clone()], vec![]),
        BTreeSet::from([own.clone(), session()])
    );
    assert_eq!(
        moved(vec![], vec![file.clone(), file.clone()]),
        BTreeSet::from([own.clone(), dataset.clone()])
    );
    assert_eq!(
        moved(vec![table], vec![file]),
        BTreeSet::from([own, session(), dataset])
    );
}

#[test]
fn the_clock_is_a_scope_and_policy_is_none() {
    let doubted = ClockDoubted {
        instance: instance(1),
        what: ClockDoubt::Jump,
        micros: 6_000_000,
    };
    assert_eq!(scopes(&Event::Clock(doubted), None), [Scope::Clock]);
    let adopted = PolicyAdopted {
        revision: decision().revision,
        instance: instance(1),
    };
    assert_eq!(scopes(&Event::PolicyAdopted(adopted), None), []);
}

#[test]
fn keys_tell_scopes_apart_and_show_no_name() {
    let named = |tenant: Option<&str>, name: &str| {
        let tenant = tenant.map(|tenant| TenantId::new(tenant).unwrap());
        Scope::Session(tenant, SessionId::new(name).unwrap())
    };
    let dataset =
        |kind, namespace: &str, name: &str| Scope::Dataset(DatasetRef::new(kind, namespace, name));
    use crate::action::DatasetKind::{Data, Model};
    let all = [
        Scope::Request(request(1)),
        Scope::Request(request(2)),
        named(None, "rita"),
        named(Some("rita"), "rita"),
        named(Some("a"), "rita"),
        dataset(Data, "rita", "b"),
        dataset(Model, "rita", "b"),
        dataset(Data, "b", "rita"),
        dataset(Data, "ri", "tab"),
        Scope::Freezes,
        Scope::Clock,
    ];
    let keys: BTreeSet<Vec<u8>> = all.iter().map(Scope::key).collect();
    assert_eq!(keys.len(), all.len());
    for key in keys {
        assert!(key.len() <= 33);
        assert!(!String::from_utf8_lossy(&key).contains("rita"));
    }
    // Stores keep versions under these keys for ever.
    let key: String = named(Some("acme"), "s-1")
        .key()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        key,
        "73f82d55cec02e65df73f3c0fbaf92503d030034efef1df95f2e7f137846cc2bac"
    );
}
