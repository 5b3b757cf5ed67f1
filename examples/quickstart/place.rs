//! Where everything of one run stands.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use countersign::ledger::Keys;

use crate::effects::{Failed, Whose};
use crate::options::Options;
use crate::sample;

/// The files of one run.
#[derive(Debug)]
pub struct Place {
    pub database: String,
    pub whose: Whose,
    pub log: PathBuf,
    keys: PathBuf,
    folder: PathBuf,
    pub rules: PathBuf,
    pub people: PathBuf,
}

impl Place {
    /// Finds everything; makes the temporary directory and the sample where nothing was named.
    pub fn of(options: &Options) -> Result<Self, Failed> {
        let named = options
            .database
            .as_ref()
            .map(|path| path.canonicalize())
            .transpose()?;
        if let (Some(database), Some(log)) = (&named, &options.log)
            && log.canonicalize().is_ok_and(|log| log == *database)
        {
            return Err(format!(
                "`{}` is the database itself: name another file for the log",
                log.display()
            )
            .into());
        }
        let kept = options.log.as_deref().map(folder_of).transpose()?;
        let temporary = match (&named, &options.log) {
            (Some(_), Some(_)) => None,
            _ => Some(temporary()?),
        };
        let (log, folder) = match (&options.log, kept, &temporary) {
            (Some(log), Some(folder), _) => (log.clone(), folder),
            (_, _, Some(folder)) => (folder.join("log.sqlite"), folder.clone()),
            (_, _, None) => return Err("there is no place for the log".into()),
        };
        let (database, whose) = match (named, temporary) {
            (Some(path), _) => (path, Whose::Yours),
            (None, Some(folder)) => {
                let path = folder.join("sample.sqlite");
                sample::create(&path)?;
                (path, Whose::Ours)
            }
            (None, None) => return Err("there is no place for the sample".into()),
        };
        let mut keys = OsString::from(&log);
        keys.push(".keys");
        Ok(Self {
            database: text(&database)?,
            whose,
            keys: keys.into(),
            log,
            folder,
            rules: Self::rules(options),
            people: beside("people.toml"),
        })
    }

    /// The rules that apply.
    pub fn rules(options: &Options) -> PathBuf {
        match &options.policy {
            Some(rules) => rules.clone(),
            None if options.solo => beside("rules-solo.toml"),
            None => beside("rules.toml"),
        }
    }

    /// The keys beside the log; made for a new log only.
    pub fn keys(&self) -> Result<Keys, Failed> {
        match (self.keys.exists(), self.log.exists()) {
            (false, false) => Ok(Keys::create(&self.keys)?),
            (false, true) => Err(format!(
                "`{}` is there and its keys `{}` are not: put them back, or name a new file for the log",
                self.log.display(),
                self.keys.display(),
            )
            .into()),
            (true, _) => Ok(Keys::open(&self.keys)?),
        }
    }

    /// A file for the export that is not there yet.
    pub fn csv(&self, table: &str) -> Result<String, Failed> {
        let plain = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
        let name: String = table
            .chars()
            .map(|one| if plain(one) { one } else { '_' })
            .collect();
        let mut number = 1;
        loop {
            let file = match number {
                1 => format!("{name}.csv"),
                _ => format!("{name}-{number}.csv"),
            };
            let path = self.folder.join(file);
            if std::fs::symlink_metadata(&path).is_err() {
                return text(&path);
            }
            number += 1;
        }
    }
}

/// A file beside this one, as it is now: it can be changed without building anew.
fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/quickstart")
        .join(name)
}

fn text(path: &Path) -> Result<String, Failed> {
    let plain = path
        .to_str()
        .filter(|path| path.len() <= 800 && !path.contains(char::is_control));
    let plain = plain.ok_or_else(|| {
        format!(
            "`{}` is too long, or not plain text: it could not be shown to people",
            path.display()
        )
    });
    Ok(plain?.to_owned())
}

fn folder_of(log: &Path) -> Result<PathBuf, Failed> {
    let folder = match log.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.exists() {
        return Err(format!(
            "the folder `{}` for the log is not there: make it first",
            folder.display()
        )
        .into());
    }
    let found = folder.canonicalize();
    Ok(found.map_err(|error| format!("`{}` cannot hold the log: {error}", folder.display()))?)
}

/// A directory that stays, so that what happened can be looked at.
fn temporary() -> Result<PathBuf, Failed> {
    let folder = tempfile::Builder::new()
        .prefix("countersign-quickstart-")
        .tempdir()?
        .keep();
    Ok(folder.canonicalize()?)
}
