use proptest::prelude::*;

use super::*;

/// An action that has the marker in everything that records hide.
fn marked(marker: &str) -> Action {
    Action::named("a")
        .tool(Tool::new("t"))
        .on(Resource::new("table", marker))
        .parameter("text", marker)
        .parameter("list", vec![marker])
        .parameter("inner", text(&format!(r#"{{"one":"{marker}"}}"#)))
        .parameter("object", text(&format!(r#"{{"{marker}":1}}"#)))
        .sensitive("secret", marker)
        .context("hidden", marker)
        .context_clear("clear", "shown")
        .reads(Dataset::new("n", marker).sensitive())
        .writes(Dataset::model("n", marker).sensitive())
        .occurrence(marker)
        .because(marker)
        .build()
        .unwrap()
}

proptest! {
    #[test]
    fn debug_prints_no_hidden_value(marker in "Q[A-Za-z0-9]{11,20}") {
        let action = marked(&marker);
        let chain = ActorChain::acting(Principal::human(&marker, &marker).unwrap())
            .on_behalf_of(Principal::human("demo", &marker).unwrap())
            .unwrap();
        let bound = bound(&action, &chain, &session());
        let unbound = unbound(&bound).unwrap();
        let opened: Vec<_> = bound.disclosures().iter().map(Disclosure::open).collect();
        let printed = [
            format!("{action:?} {action:#?}"),
            format!("{:?}", Action::named("a").parameter("x", &marker).because(&marker)),
            format!("{chain:?} {:?}", chain.humans().map(Principal::id).collect::<Vec<_>>()),
            format!("{bound:?} {:?} {opened:?}", bound.disclosures()),
            format!("{unbound:?} {unbound:#?}"),
            format!("{:?}", action.reads()[0].reference()),
        ];
        for printed in &printed {
            prop_assert!(!printed.contains(&marker), "{}", printed);
        }
        for disclosure in bound.disclosures() {
            prop_assert!(!printed[3].contains(disclosure.as_str()));
        }
        prop_assert!(printed[0].contains("shown") && printed[0].contains("«hidden»"));
    }

    /// Nor does an error, whatever the value is taken for.
    #[test]
    fn errors_quote_no_value(marker in "Q[A-Za-z0-9]{11,20}") {
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code)]
        enum Choice { One, Two(u8) }
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code)]
        struct Strict { one: u8 }

        #[derive(Debug, serde::Deserialize)]
        #[serde(try_from = "String")]
        struct Talkative;
        impl TryFrom<String> for Talkative {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                Err(format!("{text} will not do"))
            }
        }

        let action = marked(&marker);
        let mut said = Vec::new();
        macro_rules! refused {
            ($($type:ty),*) => {$(
                for name in ["text", "list", "inner", "secret"] {
                    if let Err(error) = action.parameter_as::<$type>(name) {
                        said.push(format!("{error:?}"));
                        if let ParameterError::Mismatch { source, .. } = &error {
                            said.push(format!("{:?}", source.reason()));
                        }
                    }
                }
            )*};
        }
        refused!(u8, bool, char, f64, (), Choice, Strict, Vec<u8>, (u8, u8), Number, Talkative);
        let long = marker.repeat(100);
        for builder in [
            Action::named(&marker),
            Action::named("a").on(Resource::new("t", &long)),
            Action::named("a").on(Resource::new(&marker, "x")),
            Action::named("a").reads(Dataset::new("n", &long)),
            Action::named("a").occurrence(&long),
            Action::named("a").trace(format!("{marker} ")),
            Action::named("a").tool(Tool::new(format!("{marker} "))),
            Action::named("a").parameters_json(format!(r#"{{"x":"{marker}"#).as_bytes()),
            Action::named("a").parameters_json(format!(r#""{marker}""#).as_bytes()),
            Action::named("a").because(marker.repeat(4096)),
        ] {
            let error = builder.build().unwrap_err();
            said.push(format!("{error} {error:?}"));
        }
        prop_assert!(said.len() > 30);
        for said in said {
            prop_assert!(!said.contains(&marker), "{}", said);
        }
    }
}
