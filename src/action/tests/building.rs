use super::*;
use crate::canonical::Inadmissible;

fn error(builder: ActionBuilder) -> String {
    builder.build().unwrap_err().to_string()
}

#[test]
fn the_first_error_of_the_chain_is_reported_with_its_place() {
    let builder = Action::named("pay")
        .parameter("to", "rita")
        .parameter("cents", 1_u64 << 60)
        .parameter("a b", 1)
        .on(Resource::new("TABLE", "x"));
    assert_eq!(
        error(builder),
        "parameter `cents`: this integer is beyond ±(2^53−1); use a string"
    );
    assert_eq!(
        error(Action::named("pay").parameter("list", vec![vec![1], vec![1, i64::MAX]])),
        "parameter `list`: `[1][1]`: this integer is beyond ±(2^53−1); use a string"
    );
    assert!(error(Action::named("Pay").parameter("x", 1)).starts_with("action: an action name is"));
    assert!(error(Action::named("a").on(Resource::new("T", "x"))).starts_with("resource[0]: "));
    let second = Action::named("a")
        .reads(Dataset::new("n", "x"))
        .reads(Dataset::new("n", "x").label("Not A Label"));
    assert!(error(second).starts_with("reads[1]: a label is"));
}

#[test]
fn integers_are_exact_or_refused() {
    let largest = (1_i64 << 53) - 1;
    for fits in [largest, -largest, 0] {
        let action = Action::named("a").parameter("x", fits).build().unwrap();
        assert_eq!(action.parameter_as::<i64>("x"), Ok(fits));
    }
    for builder in [
        Action::named("a").parameter("x", largest + 1),
        Action::named("a").parameter("x", -largest - 1),
        Action::named("a").parameter("x", u64::MAX),
        Action::named("a").parameter("x", i128::MAX),
        Action::named("a").parameter("x", u128::MAX),
        Action::named("a").parameter("x", Some(usize::MAX)),
        Action::named("a").parameters_json(br#"{"x": 9007199254740993}"#),
    ] {
        assert!(error(builder).ends_with("use a string"));
    }
    let text = Action::named("a")
        .parameter("x", "9007199254740993")
        .build();
    assert!(text.is_ok());
}

#[test]
fn nothing_is_set_twice() {
    for builder in [
        Action::named("a").parameter("x", 1).parameter("x", 1),
        Action::named("a").parameter("x", 1).sensitive("x", 1),
        Action::named("a")
            .parameter("x", 1)
            .parameters_json(br#"{"x":1}"#),
        Action::named("a")
            .parameters_json(br#"{"x":1}"#)
            .parameter("x", 1),
        Action::named("a").context("x", 1).context("x", 2),
        Action::named("a").context("x", 1).context_clear("x", 1),
        Action::named("a").tool(Tool::new("t")).tool(Tool::new("t")),
        Action::named("a").occurrence("x").occurrence("y"),
        Action::named("a").replaces(request(1)).replaces(request(2)),
        Action::named("a").operation(1).operation(2),
    ] {
        assert_eq!(builder.build().unwrap_err().reason(), &Unfit::Twice);
    }
    // A parameter and a member of the context are different things.
    assert!(
        Action::named("a")
            .parameter("x", 1)
            .context("x", 1)
            .build()
            .is_ok()
    );
}

#[test]
fn raw_parameters_are_admitted_strictly() {
    let action = Action::named("a")
        .parameters_json(br#"{"b": [1, 4.50], "a": {"x": null}}"#)
        .build()
        .unwrap();
    assert_eq!(
        action.parameters().to_canonical(),
        br#"{"a":{"x":null},"b":[1,4.5]}"#
    );
    let twice = Action::named("a").parameters_json(br#"{"a":1,"\u0061":2}"#);
    match twice.build().unwrap_err().reason() {
        Unfit::Bytes(error) => assert_eq!(error.reason(), Inadmissible::DuplicateName),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        error(Action::named("a").parameters_json(b"[1]")),
        "parameters: parameters are the members of an object"
    );
    assert!(
        Action::named("a")
            .parameters_json(br#"{"x": NaN}"#)
            .build()
            .is_err()
    );
}

#[test]
fn names_of_selective_disclosure_stand_nowhere() {
    for builder in [
        Action::named("a").parameter("_sd", 1),
        Action::named("a").parameter("_sd_alg", 1),
        Action::named("a").parameter("...", 1),
        Action::named("a").context("_sd", 1),
        Action::named("a").context_clear("_sdx", 1),
        Action::named("a").parameters_json(br#"{"_sd": ["x"]}"#),
        Action::named("a").parameters_json(br#"{"x": {"_sd": ["x"]}}"#),
        Action::named("a").parameters_json(br#"{"x": [{"...": "x"}]}"#),
        Action::named("a").context_clear("x", text(r#"{"_sd":[]}"#)),
    ] {
        assert!(builder.build().is_err());
    }
    // These are names like any.
    let action = Action::named("a")
        .parameters_json(br#"{"__proto__": {"constructor": 1}, "toString": 2}"#)
        .build()
        .unwrap();
    assert_eq!(action.parameters().len(), 2);
}

#[test]
fn a_hidden_name_does_not_collide_with_a_clear_one_of_the_form() {
    let alone = Action::named("a").parameter("sensitive", true).build();
    assert!(alone.is_ok());
    let marked = Action::named("a")
        .sensitive("sensitive", 1)
        .sensitive("x", 1);
    assert!(marked.build().is_ok());
    let collides = Action::named("a")
        .parameter("sensitive", 1)
        .sensitive("x", 1);
    assert!(error(collides).starts_with("parameter `sensitive`: this name is taken"));
    assert!(Action::named("a").context_clear("clear", 1).build().is_ok());
    let collides = Action::named("a").context("clear", 1);
    assert!(error(collides).starts_with("context `clear`: this name is taken"));
}

#[test]
fn what_is_shown_in_the_clear_holds_integers_only() {
    let half = Number::parse("0.5").unwrap();
    assert!(Action::named("a").context("x", half).build().is_ok());
    let clear = Action::named("a").context_clear("x", vec![half]);
    assert_eq!(clear.build().unwrap_err().reason(), &Unfit::NotAnInteger);
    let large = Number::parse("1e30").unwrap();
    assert!(
        Action::named("a")
            .context_clear("x", large)
            .build()
            .is_err()
    );
}

fn nested(levels: usize) -> Json {
    (0..levels).fold(Json::Null, |inner, level| {
        if level % 2 == 0 {
            Json::Array(vec![inner])
        } else {
            Json::Object([("x".to_owned(), inner)].into_iter().collect())
        }
    })
}

#[test]
fn limits_are_inclusive() {
    let fits = |builder: ActionBuilder| builder.build().is_ok();
    let name = |index: usize| format!("p{index}");

    let parameters = |count| (0..count).fold(Action::named("a"), |a, i| a.parameter(name(i), 1));
    assert!(fits(parameters(64)) && !fits(parameters(65)));
    let context = |count| (0..count).fold(Action::named("a"), |a, i| a.context(name(i), 1));
    assert!(fits(context(32)) && !fits(context(33)));
    let resources =
        |count| (0..count).fold(Action::named("a"), |a, _| a.on(Resource::new("t", "x")));
    assert!(fits(resources(32)) && !fits(resources(33)));
    let reads = |count| (0..count).fold(Action::named("a"), |a, _| a.reads(Dataset::new("n", "x")));
    assert!(fits(reads(64)) && !fits(reads(65)));
    let writes =
        |count| (0..count).fold(Action::named("a"), |a, _| a.writes(Dataset::new("n", "x")));
    assert!(fits(writes(64)) && !fits(writes(65)));
    let labels = |count| {
        let resource = (0..count).fold(Resource::new("t", "x"), |r, i| r.label(format!("l{i}")));
        Action::named("a").on(resource)
    };
    assert!(fits(labels(16)) && !fits(labels(17)));
    let because = |length| Action::named("a").because("x".repeat(length));
    assert!(fits(because(4096)) && !fits(because(4097)));
    let depth = |levels| Action::named("a").parameter("x", nested(levels));
    assert!(fits(depth(64)) && !fits(depth(65)));
    let clear_depth = |levels| Action::named("a").context_clear("x", nested(levels));
    assert!(fits(clear_depth(32)) && !fits(clear_depth(33)));
    // In canonical form a name costs its quotation marks, a colon and a comma; a text its marks.
    let size = |length| Action::named("a").parameter("x", "x".repeat(length));
    assert!(fits(size((1 << 20) - 8)) && !fits(size(1 << 20)));
    let spread = |length| size(length).parameter("y", "y".repeat(1 << 19));
    assert!(fits(spread((1 << 19) - 16)) && !fits(spread(1 << 19)));
    let context_size = |length| Action::named("a").context("x", "x".repeat(length));
    assert!(fits(context_size((64 << 10) - 8)) && !fits(context_size(64 << 10)));
    // Control characters are written with six bytes.
    assert!(!fits(
        Action::named("a").parameter("x", "\u{1}".repeat(1 << 18))
    ));
}

#[test]
fn the_deepest_and_largest_value_still_comes_back() {
    let deepest = Action::named("a")
        .parameter("deep", nested(64))
        .parameter("large", "\"".repeat((1 << 19) - 200))
        .build()
        .unwrap();
    let bound = bound(&deepest, &chain(), &session());
    let Rebuilt::Action(again) = unbound(&bound).unwrap().action else {
        panic!("nothing was erased");
    };
    assert_eq!(*again, deepest);
}

#[test]
fn parameters_are_read_as_rust_values() {
    let action = full();
    assert_eq!(action.parameter_as::<String>("format"), Ok("csv".into()));
    assert_eq!(action.parameter_as::<u8>("limit"), Ok(100));
    assert_eq!(
        action.parameter_as::<Number>("share"),
        Ok(Number::parse("98.7").unwrap())
    );
    assert_eq!(
        action.parameter_as::<u8>("format").unwrap_err().to_string(),
        "parameter `format`: expected u8, found a string"
    );
    assert_eq!(
        action
            .parameter_as::<u8>("nothing")
            .unwrap_err()
            .to_string(),
        "the action has no parameter `nothing`"
    );
}
