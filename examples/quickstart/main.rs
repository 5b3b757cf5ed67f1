//! An agent's tool calls against a real SQLite database, each through the gate.
//!
//! `cargo run --example quickstart` makes a sample database and lets you play the reviewers; `-- path/to/your.sqlite` takes a file
//! of yours, which is only read, but for one update that writes every row with the value that it has. The rules stand beside this
//! file in `rules.toml`, the people in `people.toml`.

#[macro_use]
mod say;

mod agent;
mod effects;
mod evidence;
mod operations;
mod options;
mod people;
mod place;
mod played;
mod prompt;
mod sample;
mod scripted;
mod tables;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use countersign::Countersign;
use countersign::action::{ActorChain, Principal, SessionId};
use countersign::clock::{Clock, SystemClock};
use countersign::identity::{AuthMethod, StaticDirectory};
use countersign::log::Verdict;
use countersign::notify::{Answers, InProcessNotifier, Notices, Terminal};
use countersign::policy::RuleSet;
use countersign::store::{SqliteStore, Store};
use futures::executor::block_on;

use effects::{Failed, Whose};
use options::{Options, Reviewer, USAGE};
use people::{DAN, DemoSignIn, OLGA, Player, RITA, tell_open};
use place::Place;
use played::{Asking, Played};
use scripted::Scripted;

/// The most tables that are named of those that were not looked at.
const SKIPPED: usize = 8;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("{wrong}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if options.help {
        say!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    // Before anything is made: without a person at a terminal nobody could answer.
    let channel = match Channel::open(options.reviewer) {
        Ok(channel) => channel,
        Err(why) => {
            eprintln!(
                "{why}\n`--reviewer scripted` has a script answer for the reviewers, and records will say so"
            );
            return ExitCode::from(2);
        }
    };
    match block_on(run(&options, channel)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("error: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprint!(": {cause}");
                source = cause.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

/// The way to the reviewers, before there is a desk.
enum Channel {
    Terminal(Terminal, Answers),
    Script(InProcessNotifier, Notices),
}

/// Whoever answers.
enum Reviewers {
    Played(Arc<Played>),
    Scripted(Scripted),
}

impl Channel {
    fn open(reviewer: Reviewer) -> Result<Self, Failed> {
        Ok(match reviewer {
            Reviewer::Terminal => {
                let (terminal, answers) = Terminal::open()?;
                Self::Terminal(terminal, answers)
            }
            Reviewer::Scripted => {
                let (notifier, notices) = InProcessNotifier::new("script", 16)?;
                Self::Script(notifier, notices)
            }
        })
    }

    /// How the reviewers sign in, as records name it.
    fn method(&self) -> &'static str {
        match self {
            Self::Terminal(..) => "asserted-demo",
            Self::Script(..) => "scripted-demo",
        }
    }
}

async fn run(options: &Options, channel: Channel) -> Result<(), Failed> {
    let players: &'static [Player] = match (options.solo, options.reviewer) {
        (true, _) => &[OLGA],
        // The script begins with the one who is refused.
        (false, Reviewer::Scripted) => &[OLGA, RITA, DAN],
        (false, Reviewer::Terminal) => &[RITA, DAN, OLGA],
    };
    if let Some(path) = &options.database {
        // Looked at before anything is made, so that what is no database costs nothing.
        look_at(path).map_err(|why| format!("`{}` cannot be used: {why}", path.display()))?;
    }
    let rules = RuleSet::from_path(Place::rules(options))?;
    let place = Place::of(options)?;
    let directory = StaticDirectory::from_path(&place.people)?;
    let found = tables::list(place.database.as_ref())?;
    introduce(&place, &found.skipped, players, channel.method());

    let keys = place.keys()?;
    let trusted = keys.trusted();
    let store = Arc::new(SqliteStore::open_or_create(&place.log)?);
    let before = store.head().await?.map_or(0, |head| head.size);
    let method = AuthMethod::new(channel.method())?;
    let opening = Countersign::open(Arc::clone(&store), keys.clone(), rules, directory);
    // The host says who acts; an agent never names itself. Each run is a session of its own.
    let chain = ActorChain::acting(Principal::agent("demo", "assistant")?);
    let session = SessionId::new(format!("run-{}", SystemClock.now().unix_micros()))?;
    // A channel is named before the log is opened, and given its desk after.
    let (countersign, reviewers) = match channel {
        Channel::Terminal(terminal, answers) => {
            let terminal = Arc::new(terminal);
            let countersign = opening.with_notifier(Asking(Arc::clone(&terminal))).await?;
            let desk = countersign.desk([DemoSignIn::by(method)])?;
            tell_open(&desk, players).await?;
            let played = Played::new(desk, terminal, players);
            answers.serve(Arc::clone(&played));
            (countersign, Reviewers::Played(played))
        }
        Channel::Script(notifier, notices) => {
            let countersign = opening.with_notifier(notifier).await?;
            let desk = countersign.desk([DemoSignIn::by(method)])?;
            tell_open(&desk, players).await?;
            let gate = countersign.gate(chain.clone(), session.clone())?;
            (
                countersign,
                Reviewers::Scripted(Scripted::start(desk, gate, notices, players)),
            )
        }
    };
    let gate = countersign.gate(chain, session)?;
    let left = agent::act(&gate, &place, &found).await?;

    let undecided = match reviewers {
        Reviewers::Played(played) => {
            played.leave();
            Vec::new()
        }
        Reviewers::Scripted(scripted) => scripted.leave()?,
    };
    let opened = evidence::Opened {
        store: &store,
        keys: &keys,
        log: countersign.log(),
    };
    evidence::tell(&opened, before)?;
    evidence::follow(&countersign, &opened, left.exported.as_ref()).await?;
    drop(gate);
    countersign.close().await;

    let report = evidence::verify(&store, &trusted, left.checkpoint.as_deref())?;
    match left.checkpoint {
        Some(_) => {
            say!("\n== The log, verified with its keys and the checkpoint of the last receipt");
            say::write(format_args!("{report}"));
            say!(
                "(The checkpoint was kept outside of the log's file, as an auditor or a witness would. Whoever holds the keys \
                 could still cut off and write anew what came after it.)"
            );
        }
        None => {
            say!("\n== The log, verified with its keys, without a checkpoint from outside");
            say::write(format_args!("{report}"));
            say!(
                "(Nothing ran, so there is no receipt whose checkpoint could be kept outside of the log's file. Whoever holds the \
                 keys could write all of it anew.)"
            );
        }
    }
    if !matches!(
        report.verdict,
        Verdict::IntactAnchored { .. } | Verdict::IntactUnanchored { .. }
    ) {
        return Err("the log of this run does not verify".into());
    }
    evidence::tampered(&place.log, &trusted)?;
    match undecided.len() {
        0 if left.failed > 0 => {
            Err("a call that was let through has failed; its record says so".into())
        }
        0 => Ok(()),
        1 => Err("the script could not decide 1 request, which was withdrawn".into()),
        more => {
            Err(format!("the script could not decide {more} requests, which were withdrawn").into())
        }
    }
}

/// Makes sure that a file is an SQLite database that can be read.
fn look_at(path: &Path) -> Result<(), String> {
    let found = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is not a file".to_owned());
    }
    tables::list(path)
        .map(drop)
        .map_err(|error| format!("it cannot be read as an SQLite database: {error}"))
}

/// Says what is about to happen.
fn introduce(place: &Place, skipped: &[(String, &str)], players: &[Player], method: &str) {
    let whose = match place.whose {
        Whose::Ours => "a sample, made for this run",
        Whose::Yours => "yours: only read, but for one update that changes no value",
    };
    say!("database   {} ({whose})", place.database);
    for (name, why) in skipped.iter().take(SKIPPED) {
        say!("           not looked at: {} ({why})", agent::named(name));
    }
    if let more @ 1.. = skipped.len().saturating_sub(SKIPPED) {
        say!("           not looked at: {more} more");
    }
    say!("rules      {}", place.rules.display());
    say!("people     {}", place.people.display());
    for player in players {
        say!("           {player}");
    }
    say!("log        {}", place.log.display());
    say!(
        "proof      {method}: whoever says to be somebody is believed, and every record of a vote says so"
    );
    if method == "asserted-demo" {
        say!(
            "\nYou play the reviewers: approve, deny, or choose who may not. Ctrl-C at a question denies it."
        );
        say!(
            "A denial by demo/olga, who controls the agent and so has an interest in it, calls the request off instead."
        );
    }
}
