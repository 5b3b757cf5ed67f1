//! What was asked for on the command line.

use std::ffi::OsString;
use std::path::PathBuf;

/// How to use this program.
pub const USAGE: &str = "\
usage: cargo run --example quickstart [-- [DATABASE] [OPTIONS]]

  DATABASE              any SQLite file; a sample is made in a temporary directory without one
  --reviewer scripted   have the reviewers' answers scripted, as records will say; without it you play them at a terminal
  --solo                one person alone: rules-solo.toml, with its recorded exception
  --log PATH            keep the log there, its keys in PATH.keys, and the exported file in the same directory
  --policy PATH         apply these rules";

/// What was asked for.
#[derive(Debug, Default)]
pub struct Options {
    pub database: Option<PathBuf>,
    pub log: Option<PathBuf>,
    pub policy: Option<PathBuf>,
    pub solo: bool,
    pub reviewer: Reviewer,
    pub help: bool,
}

/// Who answers for the reviewers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Reviewer {
    /// Whoever sits at the terminal.
    #[default]
    Terminal,
    /// A script.
    Scripted,
}

impl Options {
    /// Reads the arguments; an error is a sentence about the first that is wrong.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = |name: &str| {
                arguments
                    .next()
                    .ok_or_else(|| format!("`{name}` wants a value after it"))
            };
            match argument.to_str() {
                Some("--help" | "-h") => options.help = true,
                Some("--solo") => options.solo = true,
                Some("--log") => options.log = Some(value("--log")?.into()),
                Some("--policy") => options.policy = Some(value("--policy")?.into()),
                Some("--reviewer") => match value("--reviewer")?.to_str() {
                    Some("scripted") => options.reviewer = Reviewer::Scripted,
                    _ => return Err("`--reviewer` knows only `scripted`".to_owned()),
                },
                Some(unknown) if unknown.starts_with('-') => {
                    return Err(format!("there is no option `{}`", unknown.escape_debug()));
                }
                _ if options.database.is_some() => {
                    return Err("one database at a time".to_owned());
                }
                _ => options.database = Some(argument.into()),
            }
        }
        if options.solo && options.policy.is_some() {
            return Err(
                "`--solo` brings its own rules: leave out `--policy`, or `--solo`".to_owned(),
            );
        }
        Ok(options)
    }
}
