//! The agent: a script of tool calls, each of which has to pass the gate.

use countersign::action::{Action, Operation};
use countersign::gate::{ApprovalGate, AuthorizedFor, Executed, Filing, Gate, Refusal, RunError};
use countersign::lineage::Node;
use countersign::notify::{quoted, visible};

use crate::effects::{self, Failed, Whose};
use crate::operations::{Change, DropTable, Export, Read, Update, file, table};
use crate::place::Place;
use crate::tables::{Found, Table, most_personal, to_update};

/// The most rows that are exported.
const ROWS: u32 = 100_000;

/// What the calls have left behind.
#[derive(Debug, Default)]
pub struct Left {
    /// The file that was really written, as lineage knows it.
    pub exported: Option<Node>,
    /// The signed checkpoint in the last receipt: kept here, outside of the log's file, it anchors what stands before it.
    pub checkpoint: Option<Vec<u8>>,
    /// How many calls were let through and then failed.
    pub failed: usize,
}

/// What became of a call.
enum Called {
    Done(Executed<String>),
    Refused,
    Failed,
}

/// Makes one call after the other; what is refused does not happen, and the next call comes.
pub async fn act(gate: &Gate, place: &Place, found: &Found) -> Result<Left, Failed> {
    let Found { tables, skipped } = found;
    let database = place.database.to_string();
    let whose = place.whose;
    // Every SQLite file has at least the table of its own tables.
    let schema = Table {
        name: "sqlite_schema".to_owned(),
        column: None,
        personal: Vec::new(),
        rows: None,
    };
    let first = most_personal(tables).unwrap_or(&schema);
    let mut left = Left::default();
    if tables.is_empty() {
        let none = if skipped.is_empty() {
            "there is no table but SQLite's own"
        } else {
            "no table of it is looked at"
        };
        say!("\n   ({none}, so SQLite's list of tables is taken)");
    }

    let read = Read {
        database: database.clone(),
        table: first.name.clone(),
        at_most: 5,
    };
    let done = call(gate, 1, &read, "to see what there is", |authorized| {
        authorized.used(table(
            &authorized.operation().database,
            &authorized.operation().table,
        ));
        effects::read(authorized.operation())
    });
    left.note(done.await?);

    let export = Export {
        database: database.clone(),
        table: first.name.clone(),
        personal: first.personal.clone(),
        file: place.csv(&first.name)?,
        at_most: ROWS,
    };
    if first.personal.is_empty() {
        let of = match (tables.is_empty(), skipped.is_empty()) {
            (true, _) => "of it",
            (false, true) => "of a table that is small enough",
            (false, false) => "of a table that was looked at and is small enough",
        };
        say!("\n   (no column {of} looks personal, so the next call needs nobody)");
    }
    let written = Node::Dataset(file(&export.file).reference());
    let done = call(
        gate,
        2,
        &export,
        "the monthly report wants it",
        |authorized| {
            let export = authorized.operation();
            let said = effects::export(export)?;
            authorized.derived(table(&export.database, &export.table), file(&export.file));
            Ok(said)
        },
    );
    let done = done.await?;
    if let Called::Done(_) = &done {
        left.exported = Some(written);
    }
    left.note(done);

    match to_update(tables, first) {
        None => say!(
            "\n3  (no table of at most {ROWS} rows has more than one: there is no mass update to ask for)"
        ),
        Some(target) => {
            let sample = || (target.name == "customers").then(|| "newsletter".to_owned());
            let (column, change) = match whose {
                Whose::Ours => (sample(), Change::SetTo(0)),
                Whose::Yours => (None, Change::KeepEachValue),
            };
            let update = Update {
                database: database.clone(),
                table: target.name.clone(),
                column: column.or(target.column.clone()).unwrap_or_default(),
                change,
                rows: target.rows.unwrap_or(0),
            };
            if whose == Whose::Yours {
                say!(
                    "\n   (the file is yours, so the next call writes each row with the value that it has)"
                );
            }
            let done = call(gate, 3, &update, "nobody reads it anyway", |authorized| {
                let said = effects::update(authorized.operation())?;
                authorized.generated(table(
                    &authorized.operation().database,
                    &authorized.operation().table,
                ));
                Ok(said)
            });
            left.note(done.await?);
        }
    }

    let drop_it = DropTable {
        database,
        table: first.name.clone(),
    };
    let done = call(gate, 4, &drop_it, "it is in the way", |authorized| {
        effects::drop_table(authorized.operation(), whose)
    });
    left.note(done.await?);
    Ok(left)
}

impl Left {
    fn note(&mut self, called: Called) {
        match called {
            Called::Done(done) => {
                if let Ok(receipt) = done.receipt() {
                    self.checkpoint = Some(receipt.checkpoint.clone());
                }
            }
            Called::Refused => {}
            Called::Failed => self.failed += 1,
        }
    }
}

/// One call: filed, waited for where people are needed, run, and told.
async fn call<O, F>(
    gate: &Gate,
    number: u32,
    operation: &O,
    because: &str,
    effect: F,
) -> Result<Called, Failed>
where
    O: Operation,
    F: FnOnce(&AuthorizedFor<O>) -> Result<String, Failed>,
{
    let action = Action::of(operation).because(because).build()?;
    let on: Vec<String> = action
        .resources()
        .iter()
        .map(|one| named(one.id()))
        .collect();
    say!("\n{number}  {} on {}", action.name(), on.join(", "));
    let permit = match gate.request(action).await {
        Ok(Filing::Permitted(permit)) => {
            say!("   policy allows it");
            Ok(permit)
        }
        Ok(Filing::Waiting(request)) => {
            say!("   waits for people, as request {request}");
            gate.resume(request).await
        }
        Err(refusal) => Err(refusal),
    };
    let ran = match permit.and_then(|permit| permit.typed::<O>()) {
        Ok(permit) => permit.run(async |authorized| effect(&authorized)).await,
        Err(refusal) => Err(RunError::Refused(refusal)),
    };
    match ran {
        Ok(done) => {
            let receipt = match done.receipt() {
                Ok(receipt) => format!("record {} is its receipt", receipt.seq()),
                Err(error) => error.to_string(),
            };
            say!("   {}; {receipt}", visible(done.value()));
            Ok(Called::Done(done))
        }
        Err(RunError::Refused(refusal)) => {
            tell(&refusal);
            Ok(Called::Refused)
        }
        Err(RunError::Effect { error, .. }) => {
            say!(
                "   it failed, and the record says so: {}",
                visible(&error.to_string())
            );
            Ok(Called::Failed)
        }
        Err(other) => Err(other.to_string().into()),
    }
}

/// A name as it is, or in quotation marks where something in it has to be escaped.
pub fn named(name: &str) -> String {
    match visible(name) {
        plain if plain == name => plain,
        _ => quoted(name),
    }
}

/// Why a call did not happen: in full for whoever runs the agent, and what a model may be told.
fn tell(refusal: &Refusal) {
    match refusal {
        Refusal::Denied(denial) => {
            let reason = denial.reason.as_deref().unwrap_or("no rule allows it");
            say!("   {refusal}: {}", visible(reason));
        }
        refused => match refused.comment() {
            Some(comment) => say!("   {refused}: \"{}\"", visible(comment.into_inner())),
            None => say!("   {refused}"),
        },
    }
    say!("   its model is told: {}", refusal.for_model());
}
