//! How long the built-in rules take to decide, the question included.
//!
//! Each figure is the median of rounds that are interleaved, so that a busy moment of the machine falls on all of them alike.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::fmt::Write;
use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::action::{Action, ActorChain, Dataset, Principal, Resource, SessionId};
use countersign::clock::Timestamp;
use countersign::policy::{
    Evaluation, Facts, Phase, PolicyError, PolicyEvaluator, Question, RuleSet, Verdict,
};
use futures::FutureExt;

const ROUNDS: usize = 41;
const REPEATS: u32 = 2_000;

/// A set of rules, what it is for, and the most that a decision may take.
struct Scene {
    name: String,
    rules: Arc<dyn PolicyEvaluator>,
    action: Action,
    limit: Duration,
}

fn main() {
    let chain = ActorChain::acting(Principal::agent("demo", "exporter").unwrap())
        .on_behalf_of(Principal::human("demo", "olga").unwrap())
        .unwrap();
    let session = SessionId::new("session-1").unwrap();
    let facts = Facts::none();
    let scenes = scenes();
    let mut rounds: Vec<Vec<Duration>> = vec![Vec::new(); scenes.len()];
    for round in 0..=ROUNDS {
        for (scene, times) in scenes.iter().zip(&mut rounds) {
            let start = Instant::now();
            for _ in 0..REPEATS {
                let question = Question {
                    action: black_box(&scene.action),
                    chain: &chain,
                    session: &session,
                    now: Timestamp::EPOCH,
                    phase: Phase::Propose,
                    facts: &facts,
                };
                let answer = ready(scene.rules.evaluate(&question));
                assert_eq!(black_box(answer).verdict, Verdict::Allow);
            }
            // The first round warms up.
            if round > 0 {
                times.push(start.elapsed() / REPEATS);
            }
        }
    }
    println!(
        "{:<58} {:>9} {:>9} {:>9}",
        "deciding, the question included", "median", "fastest", "limit"
    );
    let mut missed = false;
    for (scene, times) in scenes.iter().zip(&mut rounds) {
        times.sort_unstable();
        let median = times[times.len() / 2];
        missed |= median > scene.limit;
        let micros = |time: Duration| format!("{:.2} us", time.as_secs_f64() * 1e6);
        println!(
            "{:<58} {:>9} {:>9} {:>9}",
            scene.name,
            micros(median),
            micros(times[0]),
            micros(scene.limit)
        );
    }
    if missed {
        println!("a limit was missed");
        std::process::exit(1);
    }
}

/// The answer of an evaluator that never waits.
fn ready(answer: impl Future<Output = Result<Evaluation, PolicyError>>) -> Evaluation {
    answer.now_or_never().unwrap().unwrap()
}

fn scenes() -> Vec<Scene> {
    let two = Duration::from_micros(2);
    let twenty = Duration::from_micros(20);
    let mut scenes = Vec::new();
    for count in [10, 100, 1000] {
        scenes.push(Scene {
            name: format!("{count} rules, one candidate"),
            rules: rules(count, |number, when| match number {
                0 => write!(when, "action = \"payment.create\", params.amount.le = 1000, params.currency = \"EUR\""),
                _ => write!(when, "action = \"service{number}.call\", params.amount.le = {number}, params.currency = \"EUR\""),
            }),
            action: payment(),
            limit: two,
        });
    }
    scenes.push(Scene {
        name: "1000 rules that share the action, two conditions each".to_owned(),
        rules: rules(1000, |number, when| match number {
            0 => write!(when, "action = \"payment.create\", params.amount.le = 1000, params.currency = \"EUR\""),
            _ => write!(when, "action = \"payment.create\", params.amount.gt = -{number}, params.currency = \"C{number}\""),
        }),
        action: payment(),
        limit: twenty,
    });
    scenes.push(Scene {
        name: "1000 rules, 100 of them globs, two conditions each".to_owned(),
        rules: rules(1000, |number, when| match number {
            0 => write!(when, "action = \"payment.create\", params.amount.le = 1000, params.currency = \"EUR\""),
            1..=100 => write!(when, "action = \"payment.cr*\", params.amount.gt = -{number}, params.currency = \"C{number}\""),
            _ => write!(when, "action = \"payment.create\", params.amount.gt = -{number}, params.currency = \"C{number}\""),
        }),
        action: payment(),
        limit: twenty,
    });
    scenes.push(Scene {
        name: "100 globs without a common beginning, two conditions each".to_owned(),
        rules: rules(101, |number, when| match number {
            0 => write!(when, "action = \"*.create\", params.amount.le = 1000, params.currency = \"EUR\""),
            _ => write!(when, "action = \"*.create\", params.amount.gt = -{number}, params.currency = \"C{number}\""),
        }),
        action: payment(),
        limit: twenty,
    });
    scenes.push(Scene {
        name: "1000 rules, two conditions each on 1000 parameters".to_owned(),
        rules: rules(1000, |number, when| match number {
            0 => write!(when, "action = \"payment.create\", params.amount.le = 1000, params.currency = \"EUR\""),
            _ => write!(when, "action = \"payment.create\", params.p{number}.le = {number}, params.currency = \"C{number}\""),
        }),
        action: payment(),
        limit: Duration::from_micros(200),
    });
    scenes
}

/// An allowing rule for each number.
fn rules(
    count: u32,
    when: impl Fn(u32, &mut String) -> std::fmt::Result,
) -> Arc<dyn PolicyEvaluator> {
    let mut text = String::from("version = 1\n");
    for number in 0..count {
        write!(
            text,
            "[[rules]]\nid = \"rule-{number}\"\neffect = \"allow\"\nwhen = {{ "
        )
        .unwrap();
        when(number, &mut text).unwrap();
        text.push_str(" }\n");
    }
    Arc::new(RuleSet::from_toml(&text).unwrap_or_else(|errors| panic!("{errors}")))
}

fn payment() -> Action {
    Action::named("payment.create")
        .on(Resource::new("account", "de-1234").label("own"))
        .parameter("amount", 999)
        .parameter("currency", "EUR")
        .parameter("recipient", "de-5678")
        .parameter("text", "invoice 7")
        .reads(Dataset::new("postgres://db:5432", "ledger"))
        .context("environment", "production")
        .build()
        .unwrap()
}
