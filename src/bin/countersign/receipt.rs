//! `countersign verify-receipt`

use countersign::canonical::{Json, Object};
use countersign::log::{
    Checkpoint, CheckpointError, NotWitnessed, Note, NoteError, Receipt, ReceiptError, TrustedKeys,
    VerifiedReceipt, Window, WitnessPolicy, Witnessed,
};
use countersign::notify::visible;

use crate::arguments::VerifyReceipt;
use crate::ending::{Code, Ended, Failure};
use crate::out::Out;
use crate::text::pretty;
use crate::{files, later};

/// What a receipt proves.
struct Proven {
    verified: VerifiedReceipt,
    later: Option<Checkpoint>,
    vouched: Vouched,
}

/// What the witnesses say whom the auditor believes.
enum Vouched {
    /// Nobody brought a policy, or one that asks for no witness.
    NotAsked,
    /// A quorum cosigned the checkpoint over so many records.
    Quorum { size: u64, witnessed: Witnessed },
    /// Why none did; of the receipt's own checkpoint, unless a later one was brought.
    NoQuorum(NotWitnessed),
}

pub fn run(asked: &VerifyReceipt, out: &mut Out) -> Ended {
    let found = verify(asked);
    let code = match &found {
        Ok(proven) => proven.code(),
        Err(failure) => failure.code(),
    };
    match (&found, asked.json) {
        (Ok(proven), true) => out.json(&proven.to_json()),
        (Ok(proven), false) => proven.print(out),
        (Err(failure), true) => {
            let is = if code == Code::BROKEN {
                "not_verified"
            } else {
                "cannot_verify"
            };
            let verdict = Object::new()
                .with("is", is)
                .with("why", failure.to_string());
            out.json(
                &Object::new()
                    .with("exit_code", code.number())
                    .with("verdict", verdict),
            );
        }
        (Err(failure), false) => {
            let is = if code == Code::BROKEN {
                "proves nothing"
            } else {
                "cannot verify"
            };
            out.line(&format!("verdict      {is}: {failure}"));
        }
    }
    Ok(code)
}

fn verify(asked: &VerifyReceipt) -> Result<Proven, Failure> {
    let keys = files::keys(&asked.keys)?;
    let receipt = Receipt::from_bytes(&files::read(&asked.receipt)?).map_err(refused)?;
    known(&receipt, &keys)?;
    let verified = receipt.verify_with_keys(&keys).map_err(refused)?;
    let policy = asked.witness_policy.as_deref().map(files::policy);
    let policy = policy.transpose()?;
    let own = receipt.checkpoint.clone();
    let mut notes = vec![(verified.checkpoint().size, own)];
    let later = match (&asked.later, &asked.consistency) {
        (Some(checkpoint), Some(proof)) => {
            let note = files::read(checkpoint)?;
            let size = size_of(&note).map_err(refused)?;
            let proof = later::read(&files::read(proof)?, size)
                .map_err(|why| Failure::broken(format!("`{}`: {why}", proof.display())))?;
            let later = verified
                .verify_later(&note, &proof, &keys)
                .map_err(refused)?;
            notes.push((later.size, note));
            Some(later)
        }
        _ => None,
    };
    let vouched = policy.map_or(Vouched::NotAsked, |policy| vouched(&policy, &notes, &keys));
    Ok(Proven {
        verified,
        later,
        vouched,
    })
}

/// Whether a quorum cosigned any of these checkpoints, which are all verified.
fn vouched(policy: &WitnessPolicy, notes: &[(u64, Vec<u8>)], keys: &TrustedKeys) -> Vouched {
    let mut vouched = Vouched::NotAsked;
    for (size, note) in notes {
        let own = keys.iter().map(|(key, _)| key.key());
        let found = Note::parse(note)
            .map_err(NotWitnessed::from)
            .and_then(|note| policy.witnessed(&note, own, Window::ALWAYS));
        vouched = match found {
            Ok(witnessed) => {
                return Vouched::Quorum {
                    size: *size,
                    witnessed,
                };
            }
            Err(NotWitnessed::NotAsked) => Vouched::NotAsked,
            Err(why) => Vouched::NoQuorum(why),
        };
    }
    vouched
}

/// Whether any of its signatures is by a key that was brought: if not, nothing was found to be wrong, nor right.
fn known(receipt: &Receipt, keys: &TrustedKeys) -> Result<(), Failure> {
    let signers = &receipt.record.signatures;
    let known = keys
        .iter()
        .any(|(key, _)| signers.iter().any(|(signer, _)| *signer == key.key().id()));
    if known {
        Ok(())
    } else {
        Err(Failure::cannot(
            "none of the trusted keys says to have signed the record",
        ))
    }
}

fn size_of(note: &[u8]) -> Result<u64, ReceiptError> {
    let note = Note::parse(note).map_err(CheckpointError::from)?;
    Ok(Checkpoint::parse(note.unverified_text())?.size)
}

fn refused(error: ReceiptError) -> Failure {
    match error {
        ReceiptError::Checkpoint(CheckpointError::Note(NoteError::Unknown)) => {
            Failure::cannot(error.to_string())
        }
        other => Failure::broken(other.to_string()),
    }
}

impl Proven {
    fn code(&self) -> Code {
        match self.vouched {
            Vouched::NotAsked | Vouched::Quorum { .. } => Code::GOOD,
            Vouched::NoQuorum(_) => Code::UNANCHORED,
        }
    }

    fn print(&self, out: &mut Out) {
        let Self {
            verified,
            later,
            vouched,
        } = self;
        let statement = verified.record().statement();
        let checkpoint = verified.checkpoint();
        out.line(&format!(
            "verdict      record {} stands in the log of {}",
            statement.seq, checkpoint.origin
        ));
        out.line(&format!("log          {}", statement.log));
        out.line(&format!("kind         {}", statement.kind.as_str()));
        out.line(&format!("time         {}", statement.ts));
        if let Some(request) = statement.request {
            out.line(&format!("request      {request}"));
        }
        for key in verified.record().signers() {
            out.line(&format!("signed by    {key}"));
        }
        out.line(&format!("checkpoint   of {} records", checkpoint.size));
        if let Some(later) = later {
            out.line(&format!(
                "later        it still stands in the log of {} records",
                later.size
            ));
        }
        match vouched {
            Vouched::NotAsked => {}
            Vouched::Quorum { size, witnessed } => out.line(&format!(
                "witnesses    a quorum vouches for the log of {size} records since {}:{}",
                witnessed.since,
                names(witnessed)
            )),
            Vouched::NoQuorum(why) => {
                out.line(&format!(
                    "witnesses    no quorum vouches for the log: {why}"
                ));
            }
        }
        out.raw(&format!(
            "body         {}\n",
            pretty(&Json::from(statement.body.clone()), 0)
        ));
        for member in verified.members() {
            out.raw(&format!(
                "  {} = {}\n",
                visible(&member.pointer()),
                pretty(member.value(), 2)
            ));
        }
        if verified.withheld() > 0 {
            out.line(&format!(
                "hidden       {} members that are not disclosed",
                verified.withheld()
            ));
        }
    }

    fn to_json(&self) -> Object {
        let Self {
            verified,
            later,
            vouched,
        } = self;
        let statement = verified.record().statement();
        let number = |number: u64| Json::try_from(number).unwrap_or(Json::Null);
        let signers = verified.record().signers().iter();
        let signers: Vec<Json> = signers.map(|key| Json::from(key.to_string())).collect();
        let mut members = Object::new();
        for member in verified.members() {
            members.insert(member.pointer(), member.value().clone());
        }
        let later = later
            .as_ref()
            .map_or(Json::Null, |later| number(later.size));
        let request = statement.request.map(|id| id.to_string());
        Object::new()
            .with("body", statement.body.clone())
            .with("checkpoint_size", number(verified.checkpoint().size))
            .with("disclosed", members)
            .with("exit_code", self.code().number())
            .with("kind", statement.kind.as_str())
            .with("later_size", later)
            .with("log", statement.log.to_string())
            .with("origin", verified.checkpoint().origin.as_str())
            .with("request", request.map_or(Json::Null, Json::from))
            .with("seq", number(statement.seq.get()))
            .with("signers", signers)
            .with("ts", statement.ts.to_string())
            .with("verdict", Object::new().with("is", "verified"))
            .with("withheld", number(verified.withheld() as u64))
            .with("witnesses", vouched.to_json())
    }
}

/// The names of witnesses, each after a blank.
fn names(witnessed: &Witnessed) -> String {
    let names = witnessed.by.iter();
    names.map(|(name, _)| format!(" {name}")).collect()
}

impl Vouched {
    fn to_json(&self) -> Object {
        match self {
            Self::NotAsked => Object::new().with("asked", false),
            Self::NoQuorum(why) => Object::new()
                .with("asked", true)
                .with("size", 0)
                .with("why", why.to_string()),
            Self::Quorum { size, witnessed } => {
                let by = witnessed.by.iter().map(|(name, at)| {
                    let witness = Object::new().with("name", name.as_str());
                    Json::from(witness.with("at", at.to_string()))
                });
                Object::new()
                    .with("asked", true)
                    .with("size", Json::try_from(*size).unwrap_or(Json::Null))
                    .with("since", witnessed.since.to_string())
                    .with("by", by.collect::<Vec<_>>())
            }
        }
    }
}
