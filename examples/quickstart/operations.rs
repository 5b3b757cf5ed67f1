//! What the agent can ask for: typed operations, whose fields are what people approve.

use countersign::action::{ActionBuilder, Dataset, Operation, Resource, Tool};
use serde::{Deserialize, Serialize};

/// Reads some rows of a table.
#[derive(Debug, Serialize, Deserialize)]
pub struct Read {
    pub database: String,
    pub table: String,
    pub at_most: u32,
}

/// Writes a table to a new file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Export {
    pub database: String,
    pub table: String,
    /// The columns that look personal.
    pub personal: Vec<String>,
    pub file: String,
    pub at_most: u32,
}

/// Changes a column of every row of a table.
#[derive(Debug, Serialize, Deserialize)]
pub struct Update {
    pub database: String,
    pub table: String,
    pub column: String,
    pub change: Change,
    /// How many rows there are; if it is another number when the update runs, nothing is changed.
    pub rows: u64,
}

/// What an update writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Every row is written with the value that it has: a real update that changes nothing.
    KeepEachValue,
    /// Every row gets this value.
    SetTo(i64),
}

/// Removes a table.
#[derive(Debug, Serialize, Deserialize)]
pub struct DropTable {
    pub database: String,
    pub table: String,
}

/// The table as lineage knows it.
pub fn table(database: &str, table: &str) -> Dataset {
    Dataset::new("sqlite://localhost", format!("{database}#{table}"))
}

/// The exported file as lineage knows it.
pub fn file(path: &str) -> Dataset {
    Dataset::new("file://localhost", path)
}

/// What every operation on a table says of itself.
fn on(action: ActionBuilder, name: &str) -> ActionBuilder {
    action
        .tool(Tool::new("sqlite-tools").version(env!("CARGO_PKG_VERSION")))
        .on(Resource::new("table", name).clear_id())
}

impl Operation for Read {
    const NAME: &'static str = "db.read";

    fn describe(&self, action: ActionBuilder) -> ActionBuilder {
        on(action, &self.table).reads(table(&self.database, &self.table))
    }
}

impl Operation for Export {
    const NAME: &'static str = "db.export";

    fn describe(&self, action: ActionBuilder) -> ActionBuilder {
        let source = table(&self.database, &self.table);
        let source = if self.personal.is_empty() {
            source
        } else {
            source.label("pii")
        };
        on(action, &self.table)
            .reads(source)
            .writes(file(&self.file))
    }
}

impl Operation for Update {
    const NAME: &'static str = "db.update";

    fn describe(&self, action: ActionBuilder) -> ActionBuilder {
        on(action, &self.table).writes(table(&self.database, &self.table))
    }
}

impl Operation for DropTable {
    const NAME: &'static str = "db.drop";

    fn describe(&self, action: ActionBuilder) -> ActionBuilder {
        on(action, &self.table).writes(table(&self.database, &self.table))
    }
}
