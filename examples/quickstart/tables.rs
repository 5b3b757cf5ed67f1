//! What stands in the database: which tables, and which of their columns look personal.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

/// Larger tables are not chosen for what writes or copies all of a table.
const MANY: u64 = 100_000;

/// Words in the names of columns that hold something about a person.
const PERSONAL: [&str; 27] = [
    "address",
    "birth",
    "birthday",
    "birthdate",
    "card",
    "dob",
    "email",
    "fax",
    "firstname",
    "fullname",
    "gender",
    "iban",
    "lastname",
    "mail",
    "mobile",
    "passport",
    "phone",
    "postcode",
    "postalcode",
    "salary",
    "ssn",
    "street",
    "surname",
    "taxid",
    "tel",
    "telephone",
    "zip",
];

/// A table of the database.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    /// A column that an update may name.
    pub column: Option<String>,
    pub personal: Vec<String>,
    /// How many rows it has; `None` if more than are counted.
    pub rows: Option<u64>,
}

/// Opens the database for reading, without making a file beside it.
///
/// SQLite leaves files of its own beside a database in write-ahead mode, even if it only reads; not where it is told that nobody
/// writes, which holds if there is neither a log nor a journal.
pub fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let beside = |suffix: &str| {
        let mut name = OsString::from(path);
        name.push(suffix);
        std::fs::metadata(name).is_ok_and(|found| found.len() > 0)
    };
    let quiet = !beside("-wal") && !beside("-journal");
    let uri = format!(
        "file:{}?mode=ro{}",
        escaped(path),
        if quiet { "&immutable=1" } else { "" }
    );
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    harmless(Connection::open_with_flags(uri, flags)?)
}

/// Opens the database for an approved change.
pub fn open_to_write(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = harmless(Connection::open_with_flags(path, flags)?)?;
    // What is approved is one statement on one table, so nothing that the file itself says follows from it.
    connection.pragma_update(None, "foreign_keys", false)?;
    Ok(connection)
}

/// The file is somebody's, and its schema is not trusted.
fn harmless(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(Duration::from_secs(2))?;
    for (config, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    ] {
        connection.set_db_config(config, on)?;
    }
    Ok(connection)
}

fn escaped(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match plain(byte) {
            true => text.push(char::from(*byte)),
            false => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// A name as SQL has it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What was found in a database.
#[derive(Debug, Default)]
pub struct Found {
    pub tables: Vec<Table>,
    /// What was not looked at, and why.
    pub skipped: Vec<(String, &'static str)>,
}

/// The tables that can be shown by name; also says whether the file is a database at all.
pub fn list(path: &Path) -> rusqlite::Result<Found> {
    let connection = open_to_read(path)?;
    let mut select = connection.prepare(
        "SELECT name, type FROM pragma_table_list WHERE schema = 'main' \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    let named: Vec<(String, String)> = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut found = Found::default();
    for (name, kind) in named {
        let why = match kind.as_str() {
            "virtual" => Some("a virtual table"),
            "shadow" => Some("part of a virtual table"),
            "view" => Some("a view"),
            _ if name.len() > 128 => Some("its name is longer than 128 bytes"),
            _ if name.chars().any(char::is_control) => Some("control characters in its name"),
            _ => None,
        };
        match why {
            Some(why) => found.skipped.push((name, why)),
            None => found.tables.push(look(&connection, name)?),
        }
    }
    Ok(found)
}

fn look(connection: &Connection, name: String) -> rusqlite::Result<Table> {
    // `hidden` is 0 for what is neither generated nor internal; the columns of the primary key come last.
    let mut select = connection
        .prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY pk > 0, cid")?;
    let columns: Vec<String> = select
        .query_map([&name], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let count = format!(
        "SELECT count(*) FROM (SELECT 1 FROM {} LIMIT {})",
        quoted(&name),
        MANY + 1
    );
    let rows: i64 = connection.query_row(&count, [], |row| row.get(0))?;
    let rows = u64::try_from(rows).ok().filter(|rows| *rows <= MANY);
    Ok(Table {
        column: columns.first().cloned(),
        personal: columns
            .into_iter()
            .filter(|column| looks_personal(column))
            .collect(),
        rows,
        name,
    })
}

/// Whether a word in the name says so: `e_mail`, `homeAddress`, `phone2`.
fn looks_personal(column: &str) -> bool {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for character in column.chars() {
        let begins = character.is_uppercase() && before.is_lowercase();
        if begins || !character.is_alphabetic() {
            words.push(String::new());
        }
        if character.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.extend(character.to_lowercase());
        }
        before = character;
    }
    let joined = words.concat();
    words.push(joined);
    words.iter().any(|word| PERSONAL.contains(&word.as_str()))
}

/// The table to export: the one with the most columns that look personal.
pub fn most_personal(tables: &[Table]) -> Option<&Table> {
    let small = || tables.iter().filter(|table| table.rows.is_some());
    small()
        .filter(|table| !table.personal.is_empty())
        .max_by_key(|table| {
            (
                table.rows.is_some_and(|rows| rows > 0),
                table.personal.len(),
            )
        })
        .or_else(|| small().max_by_key(|table| table.rows.is_some_and(|rows| rows > 0)))
        .or_else(|| tables.first())
}

/// The table to update: the same one if it has more than one row, or else one that has.
pub fn to_update<'t>(tables: &'t [Table], first: &'t Table) -> Option<&'t Table> {
    std::iter::once(first)
        .chain(tables)
        .find(|table| table.column.is_some() && table.rows.is_some_and(|rows| rows > 1))
}
