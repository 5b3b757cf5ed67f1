//! Reading a policy file: strictly, and with the line that is wrong.

use std::collections::{HashMap, HashSet};

use thiserror::Error;

use super::{Group, Member, PolicyLog, PolicyWitness, WitnessPolicy};
use crate::log::{keys::PublicKey, vkey::NotAVerifierKey};

/// The largest file that is read.
const MOST_BYTES: usize = 1_000_000;

/// How many logs, and how many groups, a policy may have.
const MOST: usize = 256;

/// Fewer than a note holds signatures, so that all can cosign one.
const MOST_WITNESSES: usize = 64;

impl WitnessPolicy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// [`WitnessPolicyError`] names the line. Beside everything that C2SP tlog-policy forbids, a public key that is both a log's and
    /// a witness's is refused, and so is a key that is not Ed25519: nobody here could check what it signs.
    pub fn parse(bytes: &[u8]) -> Result<Self, WitnessPolicyError> {
        let mut reading = Reading::default();
        let whole = |line, why| WitnessPolicyError { line, why };
        if bytes.len() > MOST_BYTES {
            return Err(whole(1, WitnessPolicyFault::TooLarge));
        }
        let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        let rest = lines.pop().unwrap_or_default();
        for (index, line) in lines.iter().enumerate() {
            reading.line(line).map_err(|why| whole(index + 1, why))?;
        }
        if !rest.is_empty() {
            return Err(whole(lines.len() + 1, WitnessPolicyFault::NotEnded));
        }
        let end = lines.len().max(1);
        reading.finish().map_err(|why| whole(end, why))
    }
}

#[derive(Default)]
struct Reading {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    /// Names are bytes, whatever they look like.
    names: HashMap<Vec<u8>, Member>,
    members: HashSet<Member>,
    quorum: Option<Option<Member>>,
}

impl Reading {
    fn line(&mut self, line: &[u8]) -> Result<(), WitnessPolicyFault> {
        let allowed = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7F);
        if !line.iter().all(allowed) {
            return Err(WitnessPolicyFault::Control);
        }
        let items: Vec<&[u8]> = line
            .split(|byte| *byte == b' ' || *byte == b'\t')
            .filter(|item| !item.is_empty())
            .collect();
        match items.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key, url @ ..] => self.log(key, url),
            [b"witness", name, key, url @ ..] => self.witness(name, key, url),
            [b"group", name, need, members @ ..] => self.group(name, need, members),
            [b"quorum", name] => self.quorum(name),
            _ => Err(WitnessPolicyFault::NotALine),
        }
    }

    fn log(&mut self, key: &[u8], url: &[&[u8]]) -> Result<(), WitnessPolicyFault> {
        let log = PolicyLog {
            key: text(key)?.parse()?,
            url: read_url(url)?,
        };
        self.new_key(log.key.key(), self.logs.len(), MOST)?;
        self.logs.push(log);
        Ok(())
    }

    fn witness(
        &mut self,
        name: &[u8],
        key: &[u8],
        url: &[&[u8]],
    ) -> Result<(), WitnessPolicyFault> {
        let witness = PolicyWitness {
            name: String::from_utf8_lossy(name).into_owned(),
            key: text(key)?.parse()?,
            url: read_url(url)?,
        };
        let place = self.witnesses.len();
        self.new_key(witness.key.key(), place, MOST_WITNESSES)?;
        self.define(name, Member::Witness(place))?;
        self.witnesses.push(witness);
        Ok(())
    }

    fn group(
        &mut self,
        name: &[u8],
        need: &[u8],
        members: &[&[u8]],
    ) -> Result<(), WitnessPolicyFault> {
        let place = self.groups.len();
        if place >= MOST {
            return Err(WitnessPolicyFault::TooLarge);
        }
        let need = match need {
            b"all" => members.len(),
            b"any" => 1,
            number => read_number(number).ok_or(WitnessPolicyFault::Threshold)?,
        };
        if need == 0 || need > members.len() {
            return Err(WitnessPolicyFault::Threshold);
        }
        let mut found = Vec::with_capacity(members.len());
        for member in members {
            let member = self.named(member)?;
            if !self.members.insert(member) {
                return Err(WitnessPolicyFault::MemberTwice);
            }
            found.push(member);
        }
        self.define(name, Member::Group(place))?;
        self.groups.push(Group {
            need,
            members: found,
        });
        Ok(())
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), WitnessPolicyFault> {
        let quorum = match name {
            b"none" => None,
            name => Some(self.named(name)?),
        };
        if self.quorum.replace(quorum).is_some() {
            return Err(WitnessPolicyFault::QuorumTwice);
        }
        Ok(())
    }

    fn finish(self) -> Result<WitnessPolicy, WitnessPolicyFault> {
        Ok(WitnessPolicy {
            logs: self.logs,
            witnesses: self.witnesses,
            groups: self.groups,
            quorum: self.quorum.ok_or(WitnessPolicyFault::NoQuorum)?,
        })
    }

    fn new_key(
        &self,
        key: &PublicKey,
        there: usize,
        most: usize,
    ) -> Result<(), WitnessPolicyFault> {
        if there >= most {
            return Err(WitnessPolicyFault::TooLarge);
        }
        let logs = self.logs.iter().map(|log| log.key.key());
        let witnesses = self.witnesses.iter().map(|witness| witness.key.key());
        if logs.chain(witnesses).any(|known| known == key) {
            return Err(WitnessPolicyFault::KeyTwice);
        }
        Ok(())
    }

    fn define(&mut self, name: &[u8], member: Member) -> Result<(), WitnessPolicyFault> {
        if name == b"none" || self.names.insert(name.to_vec(), member).is_some() {
            return Err(WitnessPolicyFault::NameTaken);
        }
        Ok(())
    }

    fn named(&self, name: &[u8]) -> Result<Member, WitnessPolicyFault> {
        let found = self.names.get(name).copied();
        found.ok_or(WitnessPolicyFault::NoSuchName)
    }
}

fn text(item: &[u8]) -> Result<&str, WitnessPolicyFault> {
    str::from_utf8(item).map_err(|_| WitnessPolicyFault::NotText)
}

fn read_url(items: &[&[u8]]) -> Result<Option<String>, WitnessPolicyFault> {
    match items {
        [] => Ok(None),
        [url] => Ok(Some(text(url)?.to_owned())),
        _ => Err(WitnessPolicyFault::NotALine),
    }
}

/// A decimal number in its one spelling.
fn read_number(item: &[u8]) -> Option<usize> {
    let text = str::from_utf8(item).ok()?;
    let number: usize = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Which line of a policy is wrong, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line {line} of the witness policy: {why}")]
pub struct WitnessPolicyError {
    /// The line, counted from 1; of what is missing, the last one.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub why: WitnessPolicyFault,
}

/// What can be wrong with a line of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WitnessPolicyFault {
    /// None of the four sorts.
    #[error(
        "expected `log KEY [URL]`, `witness NAME KEY [URL]`, `group NAME all|any|NUMBER MEMBER...` or `quorum NAME`"
    )]
    NotALine,
    /// A control character that is no tab, such as a carriage return.
    #[error("it has a control character; lines end with a line feed alone")]
    Control,
    /// A key or an address that is not UTF-8.
    #[error("a key or an address in it is not UTF-8")]
    NotText,
    /// The file was cut, or its editor left the last line open.
    #[error("it is not ended by a line feed: the file may have been cut")]
    NotEnded,
    /// More than this implementation takes.
    #[error("the policy has more than 1 MB, 256 logs, 64 witnesses or 256 groups")]
    TooLarge,
    /// No key.
    #[error(transparent)]
    Key(#[from] NotAVerifierKey),
    /// The public key stands in an earlier line, under whatever name and for whatever purpose.
    #[error(
        "its public key stands in an earlier line: a key is one log or one witness, under one name"
    )]
    KeyTwice,
    /// Another witness or group has the name, or it is `none`.
    #[error("its name is taken, or is `none`")]
    NameTaken,
    /// No witness or group in an earlier line has the name.
    #[error("it names no witness or group of an earlier line")]
    NoSuchName,
    /// A member of this or another group already.
    #[error("it names a member that a group has already, and would count twice")]
    MemberTwice,
    /// Not from 1 to the number of members.
    #[error("the number of members that it needs is not from 1 to the number that it has")]
    Threshold,
    /// A second quorum line.
    #[error("there is a quorum line already")]
    QuorumTwice,
    /// No quorum line.
    #[error("the file ends without a quorum line")]
    NoQuorum,
}
