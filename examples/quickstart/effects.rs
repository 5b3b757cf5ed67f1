//! What happens once it may: real SQL on the real file, from the approved operation alone.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, TransactionBehavior};
use sha2::{Digest, Sha256};

use crate::operations::{Change, DropTable, Export, Read, Update};
use crate::tables::{open_to_read, open_to_write, quoted};

pub type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Whose file it is. Somebody's own is never left other than it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The sample that this run has made.
    Ours,
    /// A file that was named on the command line.
    Yours,
}

pub fn read(operation: &Read) -> Result<String, Failed> {
    let connection = open_to_read(Path::new(&operation.database))?;
    let sql = format!(
        "SELECT * FROM {} LIMIT {}",
        quoted(&operation.table),
        operation.at_most
    );
    let mut select = connection.prepare(&sql)?;
    let columns = select.column_count();
    let rows = select
        .query_map([], |_| Ok(()))?
        .collect::<Result<Vec<()>, _>>()?
        .len();
    Ok(format!(
        "read {} with {}",
        counted(rows, "row"),
        counted(columns, "column")
    ))
}

/// So many of these.
fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        more => format!("{more} {what}s"),
    }
}

/// Writes the CSV; what is half written is taken away again.
pub fn export(operation: &Export) -> Result<String, Failed> {
    let path = Path::new(&operation.file);
    // A new file, since what was approved names one that was not there.
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let mut out = BufWriter::new(&file);
    let written = write_csv(operation, &mut out)
        .and_then(|rows| out.flush().map(|()| rows).map_err(Failed::from))
        .and_then(|rows| file.sync_all().map(|()| rows).map_err(Failed::from));
    match written {
        Ok(rows) => Ok(format!(
            "wrote {} to {}",
            counted(rows, "row"),
            operation.file
        )),
        Err(error) => {
            std::fs::remove_file(path)?;
            Err(error)
        }
    }
}

fn write_csv(operation: &Export, out: &mut impl Write) -> Result<usize, Failed> {
    let connection = open_to_read(Path::new(&operation.database))?;
    let sql = format!(
        "SELECT * FROM {} LIMIT {}",
        quoted(&operation.table),
        operation.at_most
    );
    let mut select = connection.prepare(&sql)?;
    let names: Vec<String> = select.column_names().map(cell).collect();
    write!(out, "{}\r\n", names.join(","))?;
    let (mut rows, mut count) = (select.query([])?, 0);
    while let Some(row) = rows.next()? {
        for index in 0..names.len() {
            let comma = if index == 0 { "" } else { "," };
            let text = match row.get_ref(index)? {
                ValueRef::Null => String::new(),
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Real(number) => number.to_string(),
                ValueRef::Text(text) => cell(&String::from_utf8_lossy(text)),
                ValueRef::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            };
            write!(out, "{comma}{text}")?;
        }
        write!(out, "\r\n")?;
        count += 1;
    }
    Ok(count)
}

/// A cell of a CSV file (RFC 4180).
fn cell(text: &str) -> String {
    match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// Updates every row, or none: not if the table has changed since, and not if a value that shall stay would change.
pub fn update(operation: &Update) -> Result<String, Failed> {
    let mut connection = open_to_write(Path::new(&operation.database))?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (table, column) = (quoted(&operation.table), quoted(&operation.column));
    let before = fingerprint(&transaction, &table)?;
    let changed = match operation.change {
        Change::KeepEachValue => {
            transaction.execute(&format!("UPDATE {table} SET {column} = {column}"), [])?
        }
        Change::SetTo(value) => {
            transaction.execute(&format!("UPDATE {table} SET {column} = ?1"), [value])?
        }
    };
    if u64::try_from(changed)? != operation.rows {
        return Err(format!(
            "{} rows were approved and there are {changed}: nothing was changed",
            operation.rows
        )
        .into());
    }
    if operation.change == Change::KeepEachValue && fingerprint(&transaction, &table)? != before {
        return Err("a value would have changed: nothing was changed".into());
    }
    transaction.commit()?;
    Ok(match operation.change {
        Change::KeepEachValue => {
            format!(
                "updated {changed} rows and committed; each has the value that it had, as was compared first"
            )
        }
        Change::SetTo(_) => format!("updated {changed} rows and committed"),
    })
}

/// Every value of a table with its type, digested.
fn fingerprint(connection: &Connection, table: &str) -> Result<[u8; 32], Failed> {
    let mut select = connection.prepare(&format!("SELECT * FROM {table}"))?;
    let columns = select.column_count();
    let (mut rows, mut digest) = (select.query([])?, Sha256::new());
    while let Some(row) = rows.next()? {
        for index in 0..columns {
            let (kind, bytes) = match row.get_ref(index)? {
                ValueRef::Null => (0, Vec::new()),
                ValueRef::Integer(number) => (1, number.to_be_bytes().to_vec()),
                ValueRef::Real(number) => (2, number.to_bits().to_be_bytes().to_vec()),
                ValueRef::Text(text) => (3, text.to_vec()),
                ValueRef::Blob(bytes) => (4, bytes.to_vec()),
            };
            digest.update([kind]);
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        }
    }
    Ok(digest.finalize().into())
}

/// Drops a table, where rules allow that; of somebody's own file the transaction is rolled back.
pub fn drop_table(operation: &DropTable, whose: Whose) -> Result<String, Failed> {
    let mut connection = open_to_write(Path::new(&operation.database))?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(&format!("DROP TABLE {}", quoted(&operation.table)))?;
    match whose {
        Whose::Ours => {
            transaction.commit()?;
            Ok("dropped it".to_owned())
        }
        Whose::Yours => {
            transaction.rollback()?;
            Ok("dropped it and rolled back, since the file is yours".to_owned())
        }
    }
}
