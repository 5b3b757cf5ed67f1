//! What may be asked.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use countersign::action::RequestId;
use countersign::clock::Timestamp;
use countersign::log::{KeyId, Role};

const CODES: &str = "\
Exit codes:
   0  intact and anchored; a receipt that verifies; done
   1  broken: a rule does not hold, or a receipt proves nothing
   2  cannot verify, or the command could not do what it was asked
   3  intact, but records lie beyond the last checkpoint from outside
   4  intact, but the SQLite store's own tables beside the log differ from it
  64  the command was called wrongly

STORE is a SQLite store, a directory of tiles or a file of JSON Lines. It is only read.";

/// Checks a log of Countersign, and keeps the keys that sign one.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, after_help = CODES, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Verify a whole log: bytes, signatures, tree, and what the records mean
    Verify(Verify),
    /// Tell a log, one line for each record
    Log(Log),
    /// Show one record in full
    Show(Show),
    /// Write the receipt of one record, which proves itself
    Prove(Prove),
    /// Write the newest checkpoint, and the proof that a receipt's log grew into it
    ProveLater(ProveLater),
    /// Verify a receipt
    VerifyReceipt(VerifyReceipt),
    /// Export a log, as tiles or as JSON Lines
    Export(Export),
    /// Begin the log that takes the place of one that cannot go on
    Recover(Recover),
    /// Make, show and change keys
    #[command(subcommand)]
    Keys(KeysCommand),
}

/// What opens the hidden values of a SQLite store.
#[derive(Debug, Args)]
pub struct Values {
    /// The keys of its hidden values, the file LOG.values beside the signing keys
    #[arg(long, value_name = "FILE")]
    pub values: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// The log
    pub store: PathBuf,
    #[command(flatten)]
    pub values: Values,
    /// The public keys that you were given, as `countersign keys show` prints them
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// A checkpoint that was kept elsewhere; may be given again
    #[arg(long = "expect-checkpoint", value_name = "FILE")]
    pub checkpoints: Vec<PathBuf>,
    /// The witnesses whom you believe (C2SP tlog-policy): what a quorum of them cosigned counts as a checkpoint from elsewhere
    #[arg(long, value_name = "FILE")]
    pub witness_policy: Option<PathBuf>,
    /// Go on from here: what `--save-checkpoint` wrote when an earlier run found the log intact. What came before is not verified again
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,
    /// If the log is intact, write its last checkpoint and what a later run needs to go on from it; the file must not be there yet
    #[arg(long, value_name = "FILE")]
    pub save_checkpoint: Option<PathBuf>,
    /// Exit with 0 instead of 3 where only a checkpoint from outside is missing
    #[arg(long)]
    pub allow_unanchored: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Log {
    /// The log
    pub store: PathBuf,
    #[command(flatten)]
    pub values: Values,
    /// Only records of this request
    #[arg(long, value_name = "ID", value_parser = request)]
    pub request: Option<RequestId>,
    /// Only records of this kind; may be given again
    #[arg(long, value_name = "KIND")]
    pub kind: Vec<String>,
    /// Only from this record on
    #[arg(long, value_name = "SEQ")]
    pub from: Option<u64>,
    /// Only up to this record, which is told too
    #[arg(long, value_name = "SEQ")]
    pub to: Option<u64>,
    /// Only from this time on: 2026-03-01, 2026-03-01T09:30Z or more exactly
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Timestamp>,
    /// Only before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,
    /// Only the last so many of them
    #[arg(long, value_name = "N")]
    pub last: Option<usize>,
    /// Print a JSON object for each record
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Show {
    /// The log
    pub store: PathBuf,
    #[command(flatten)]
    pub values: Values,
    /// The number of the record
    pub seq: u64,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Prove {
    /// The log
    pub store: PathBuf,
    #[command(flatten)]
    pub values: Values,
    /// The number of the record
    pub seq: u64,
    /// The file for the receipt, which must not be there yet
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Put in the value of this hidden member, such as /bound/parameters/to; may be given again
    #[arg(long, value_name = "NAME", conflicts_with = "disclose_all")]
    pub disclose: Vec<String>,
    /// Put in the value of every hidden member
    #[arg(long)]
    pub disclose_all: bool,
}

#[derive(Debug, Args)]
pub struct ProveLater {
    /// The log
    pub store: PathBuf,
    /// The receipt
    pub receipt: PathBuf,
    /// The file for the newest checkpoint, which must not be there yet
    #[arg(long, value_name = "FILE")]
    pub later: PathBuf,
    /// The file for the proof, which must not be there yet
    #[arg(long, value_name = "FILE")]
    pub consistency: PathBuf,
}

#[derive(Debug, Args)]
pub struct VerifyReceipt {
    /// The receipt
    pub receipt: PathBuf,
    /// The public keys that you were given
    #[arg(long, value_name = "FILE")]
    pub keys: PathBuf,
    /// A later checkpoint, to see that the record still stands in its log
    #[arg(long, value_name = "FILE", requires = "consistency")]
    pub later: Option<PathBuf>,
    /// The consistency proof between the two
    #[arg(long, value_name = "FILE", requires = "later")]
    pub consistency: Option<PathBuf>,
    /// The witnesses whom you believe (C2SP tlog-policy): a quorum of them must have cosigned the checkpoint, or the later one
    #[arg(long, value_name = "FILE")]
    pub witness_policy: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Export {
    /// The log
    pub store: PathBuf,
    #[command(flatten)]
    pub values: Values,
    #[command(flatten)]
    pub form: ExportForm,
    /// Hand over the values of hidden members with this name; may be given again
    #[arg(long, value_name = "NAME", conflicts_with = "disclose_all")]
    pub disclose: Vec<String>,
    /// Hand over the values of all hidden members; without this or --disclose, none is
    #[arg(long)]
    pub disclose_all: bool,
    /// Write the disclosures of records anew that the directory has already
    #[arg(long, conflicts_with = "jsonl")]
    pub replace_disclosures: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ExportForm {
    /// Make this directory of tiles, or add to it what is new
    #[arg(long, value_name = "DIR")]
    pub tiles: Option<PathBuf>,
    /// Write this file of JSON Lines, which must not be there yet; `-` is the standard output
    #[arg(long, value_name = "FILE")]
    pub jsonl: Option<PathBuf>,
}

/// Begin the log that takes the place of one that cannot go on: whose store was rolled back, forked, damaged or lost, or whose head
/// file is gone.
///
/// Looks at what is left, which stays as it is, and says what befell it. Then begins a new log in a new store, which names the old
/// one and says what was attested and what was found. What was open in the old log is void: agents have to ask again. The old log is
/// not opened any more with these keys. Where this was cut short it is run again.
#[derive(Debug, Args)]
pub struct Recover {
    /// The SQLite store of the log that cannot go on, by the name under which it was opened; one that is not there is lost
    pub store: PathBuf,
    /// The store for the new log, which must not be there yet
    #[arg(long, value_name = "NEW_STORE")]
    pub to: PathBuf,
    /// The directory of the keys that the log was written with; the new log begins with them
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
    /// The directory of the operator's key; that of `--keys` unless it is named
    #[arg(long, value_name = "DIR")]
    pub operator: Option<PathBuf>,
    /// What you know about what happened; kept as a hidden value of the new log
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// A checkpoint of the old log that was kept elsewhere; may be given again
    #[arg(long = "checkpoint", value_name = "FILE")]
    pub checkpoints: Vec<PathBuf>,
    /// The head file of the old log, where it is not `STORE.head`
    #[arg(long, value_name = "FILE")]
    pub head_file: Option<PathBuf>,
    /// The head file for the new log, where it is not `NEW_STORE.head`
    #[arg(long, value_name = "FILE")]
    pub new_head_file: Option<PathBuf>,
    /// The name of the new log in its checkpoints; made from its id unless it is named
    #[arg(long, value_name = "NAME")]
    pub origin: Option<String>,
    /// Only say what befell the log
    #[arg(long)]
    pub look: bool,
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make keys in a new directory, and print the public ones
    Init(KeysInit),
    /// Print the public keys of a directory, as an auditor is given them
    Show(KeysShow),
    /// Put a new key in the place of one; run it again if it was cut short
    Rotate(KeysRotate),
    /// End a key
    Revoke(KeysRevoke),
    /// Have the log name the keys of another directory
    Add(KeysAdd),
}

#[derive(Debug, Args)]
pub struct KeysInit {
    /// The directory
    pub directory: PathBuf,
    /// The roles to make keys for; all of them if none is named
    #[arg(long, value_name = "ROLE,…", value_delimiter = ',', value_parser = role)]
    pub roles: Vec<Role>,
}

#[derive(Debug, Args)]
pub struct KeysShow {
    /// The directory
    pub directory: PathBuf,
}

/// The log whose keys change, and who may change them.
#[derive(Debug, Args)]
pub struct Operated {
    /// The SQLite store, to which a record is added
    pub store: PathBuf,
    /// The directory of the operator's key; that of `--keys` unless it is named
    #[arg(long, value_name = "DIR")]
    pub operator: Option<PathBuf>,
    /// The head file, where it is not `STORE.head`
    #[arg(long, value_name = "FILE")]
    pub head_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct KeysRotate {
    #[command(flatten)]
    pub operated: Operated,
    /// The directory of the key that goes and of the one that comes
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
    /// Which key
    #[arg(long, value_name = "ROLE", value_parser = role)]
    pub role: Role,
}

#[derive(Debug, Args)]
pub struct KeysRevoke {
    #[command(flatten)]
    pub operated: Operated,
    /// The id of the key, as `countersign keys show` and records have it
    #[arg(value_name = "KEY", value_parser = key)]
    pub key: KeyId,
    /// A directory with a key for checkpoints
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
    #[command(flatten)]
    pub why: Why,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Why {
    /// It is no longer needed
    #[arg(long)]
    pub retired: bool,
    /// Nobody has it any more
    #[arg(long)]
    pub lost: bool,
    /// Somebody else may have used it since this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub compromised_since: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub struct KeysAdd {
    #[command(flatten)]
    pub operated: Operated,
    /// The directory of the keys to add
    #[arg(value_name = "DIR")]
    pub new: PathBuf,
    /// A directory with a key for checkpoints
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
}

fn request(text: &str) -> Result<RequestId, String> {
    RequestId::parse(text).map_err(|error| error.to_string())
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "a role is checkpoint, desk, gate or operator".to_owned())
}

fn key(text: &str) -> Result<KeyId, String> {
    KeyId::parse(text).map_err(|_| "the id of a key is 64 hexadecimal digits".to_owned())
}

/// Reads a time in UTC; what it leaves out at its end is zero.
fn time(text: &str) -> Result<Timestamp, String> {
    const ZERO: &str = "0000-00-00T00:00:00.000000";
    // Where a time may end: after the day, the minute, the second, and with fractions.
    const ENDS: [usize; 4] = [10, 16, 19, 26];
    let wrong = || "a time is like 2026-03-01, 2026-03-01T09:30Z or 2026-03-01T09:30:00.000000Z";
    let given = text.strip_suffix('Z').unwrap_or(text);
    let rest = ZERO
        .get(given.len()..)
        .filter(|_| ENDS.contains(&given.len()))
        .ok_or_else(wrong)?;
    Timestamp::parse(&format!("{given}{rest}Z")).map_err(|_| wrong().to_owned())
}
