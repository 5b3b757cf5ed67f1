use proptest::prelude::*;

use super::{arbitrary::any_scene, *};
use crate::canonical::Object;

/// What comes back from a record.
fn expected(action: &Action) -> Rebuilt {
    Rebuilt::Action(Box::new(Action {
        justification: None,
        trace: None,
        ..action.clone()
    }))
}

proptest! {
    /// What runs is what was bound.
    #[test]
    fn unbinding_undoes_binding(scene in any_scene()) {
        let bound = bound(&scene.action, &scene.chain, &scene.session);
        let unbound = unbound(&bound).unwrap();
        prop_assert_eq!(unbound.request, request(1));
        prop_assert_eq!(&unbound.session, &scene.session);
        prop_assert_eq!(unbound.chain(), Some(scene.chain.clone()));
        prop_assert_eq!(
            unbound.persons().collect::<Vec<_>>(),
            persons(scene.chain.humans().count())
        );
        prop_assert_eq!(unbound.action, expected(&scene.action));
    }

    /// What was erased is missed, and everything else comes back.
    #[test]
    fn an_action_that_lacks_a_value_is_not_run(scene in any_scene(), which in any::<prop::sample::Index>()) {
        let bound = bound(&scene.action, &scene.chain, &scene.session);
        let form = bound.form();
        if bound.disclosures().is_empty() {
            return Ok(());
        }
        let gone = which.get(bound.disclosures()).digest();
        let unbound = unbind(form, &|digest| {
            let mut kept = bound.disclosures().iter().filter(|kept| kept.digest() != gone);
            kept.find(|kept| kept.digest() == *digest).cloned()
        })
        .unwrap();
        prop_assert_eq!(action_digest(form), bound.digest());
        match &unbound.action {
            Rebuilt::Action(action) => {
                // It was the identity of somebody in the chain.
                prop_assert_eq!(Rebuilt::Action(action.clone()), expected(&scene.action));
                prop_assert_eq!(unbound.chain(), None);
            }
            Rebuilt::Incomplete(erased) => {
                prop_assert_eq!(erased.len(), 1);
                prop_assert_eq!(erased[0].digest, gone);
                prop_assert_eq!(unbound.chain(), Some(scene.chain.clone()));
            }
        }
    }
}

/// Every object inside of a value, by the steps that lead to it.
fn objects(json: &Json, path: Vec<String>, found: &mut Vec<Vec<String>>) {
    match json {
        Json::Object(members) => {
            for (name, member) in members {
                objects(
                    member,
                    [path.clone(), vec![name.to_owned()]].concat(),
                    found,
                );
            }
            found.push(path);
        }
        Json::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                objects(
                    element,
                    [path.clone(), vec![index.to_string()]].concat(),
                    found,
                );
            }
        }
        _ => {}
    }
}

/// The same value with one object changed.
fn edited(json: &Json, path: &[String], edit: &dyn Fn(&mut Object)) -> Json {
    match (json, path.split_first()) {
        (Json::Object(members), None) => {
            let mut members = members.clone();
            edit(&mut members);
            members.into()
        }
        (Json::Object(members), Some((step, rest))) => {
            let mut members = members.clone();
            let inner = edited(members.get(step).unwrap(), rest, edit);
            members.insert(step.clone(), inner);
            members.into()
        }
        (Json::Array(elements), Some((step, rest))) => {
            let mut elements = elements.clone();
            let index: usize = step.parse().unwrap();
            elements[index] = edited(&elements[index], rest, edit);
            elements.into()
        }
        _ => panic!("no object there"),
    }
}

fn form_unbound(bound: &Bound, form: Json) -> Result<Unbound, UnbindError> {
    unbound(&Bound::of_form(form, bound.disclosures().to_vec()))
}

#[test]
fn no_object_takes_a_member_more_or_less() {
    let bound = bound(&full(), &chain(), &session());
    let form = bound.form();
    let mut paths = Vec::new();
    objects(form, Vec::new(), &mut paths);
    assert!(paths.len() >= 14, "{paths:?}");
    let original = unbound(&bound).unwrap();
    for path in paths {
        // What the action marked clear is its own.
        if path == ["context", "clear"] {
            continue;
        }
        let more = edited(form, &path, &|object| {
            object.insert("zzz".into(), 1.into());
        });
        assert!(
            form_unbound(&bound, more).is_err(),
            "{path:?} takes another member"
        );

        let mut at_path = form;
        for step in &path {
            at_path = match at_path {
                Json::Object(members) => members.get(step).unwrap(),
                Json::Array(elements) => &elements[step.parse::<usize>().unwrap()],
                _ => panic!(),
            };
        }
        for name in at_path.as_object().unwrap().keys() {
            // Another type or a missing member is refused, or says something else.
            for changed in [
                edited(form, &path, &|object| {
                    object.remove(name);
                }),
                edited(form, &path, &|object| {
                    object.insert(name.to_owned(), Json::Null);
                }),
                edited(form, &path, &|object| {
                    object.insert(name.to_owned(), Json::Array(Vec::new()));
                }),
                edited(form, &path, &|object| {
                    object.insert(name.to_owned(), "other".into());
                }),
                edited(form, &path, &|object| {
                    object.insert(name.to_owned(), 77.into());
                }),
            ] {
                match form_unbound(&bound, changed.clone()) {
                    Err(_) => {}
                    // The member was that already.
                    Ok(_) if changed == *form => {}
                    Ok(unbound) => assert_ne!(unbound, original, "{path:?} {name}"),
                }
            }
        }
    }
}

fn reason(bound: &Bound, form: Json) -> Unreadable {
    form_unbound(bound, form).unwrap_err().reason().clone()
}

fn at(path: &[&str]) -> Vec<String> {
    path.iter().map(|&step| step.to_owned()).collect()
}

#[test]
fn a_digest_stands_once_and_where_it_belongs() {
    let bound = bound(&full(), &chain(), &session());
    let form = bound.form();
    let parameters = form.as_object().unwrap().get("parameters").unwrap();
    let digests = parameters.as_object().unwrap().get("_sd").unwrap().clone();

    // The same digests in two places.
    let twice = edited(form, &at(&["parameters", "sensitive"]), &|object| {
        object.insert("_sd".into(), digests.clone());
    });
    assert_eq!(reason(&bound, twice), Unreadable::DigestTwice);
    // The occurrence in place of parameters, and the other way round.
    let occurrence = bound
        .form()
        .as_object()
        .unwrap()
        .get("_sd")
        .unwrap()
        .clone();
    let swapped = edited(form, &at(&["parameters"]), &|object| {
        object.insert("_sd".into(), occurrence.clone());
    });
    let swapped = edited(&swapped, &[], &|object| {
        object.insert("_sd".into(), digests.clone());
    });
    assert_eq!(reason(&bound, swapped), Unreadable::Misplaced);
    // Digests out of order, none at all, and a text that is none.
    let mut reversed = digests.as_array().unwrap().to_vec();
    reversed.reverse();
    for wrong in [reversed, Vec::new(), vec!["x".into()], vec![1.into()]] {
        let wrong = edited(form, &at(&["parameters"]), &|object| {
            object.insert("_sd".into(), wrong.clone().into());
        });
        assert!(matches!(reason(&bound, wrong), Unreadable::Expected(_)));
    }
}

#[test]
fn a_disclosure_is_that_of_its_digest() {
    let bound = bound(&full(), &chain(), &session());
    let form = bound.form();
    let other = Disclosure::new(&Salt::from_bytes([0; 16]), "format", &"xml".into());
    let error = unbind(form, &|_| Some(other.clone())).unwrap_err();
    assert_eq!(error.reason(), &Unreadable::WrongDisclosure);
}

#[test]
fn a_hidden_member_does_not_stand_beside_a_clear_one_of_its_name() {
    let action = Action::named("a")
        .on(Resource::new("table", "x"))
        .context("ticket", 1)
        .build()
        .unwrap();
    let bound = bound(&action, &chain(), &session());
    let form = bound.form();
    for path in [at(&["resources", "0"]), at(&["actor", "2"])] {
        let both = edited(form, &path, &|object| {
            object.insert("id".into(), "y".into());
        });
        assert_eq!(reason(&bound, both), Unreadable::Misplaced);
    }
    let both = edited(form, &at(&["context", "clear"]), &|object| {
        object.insert("ticket".into(), 2.into());
    });
    assert_eq!(reason(&bound, both), Unreadable::Misplaced);
}

#[test]
fn an_action_beyond_the_limits_is_refused() {
    let bound = bound(&full(), &chain(), &session());
    let form = bound.form();
    let resource = text(r#"{"id":"x","labels":[],"type":"table"}"#);
    let many = edited(form, &[], &|object| {
        object.insert("resources".into(), vec![resource.clone(); 33].into());
    });
    assert!(matches!(reason(&bound, many), Unreadable::Action(_)));
    let fraction = edited(form, &at(&["context", "clear"]), &|object| {
        object.insert("x".into(), text("0.5"));
    });
    assert!(matches!(reason(&bound, fraction), Unreadable::Action(_)));
    let unsorted = edited(form, &at(&["reads", "0"]), &|object| {
        object.insert("labels".into(), text(r#"["b","a"]"#));
    });
    assert!(matches!(reason(&bound, unsorted), Unreadable::Expected(_)));
}
