//! `countersign verify-receipt`

use countersign::canonical::{Json, Object};
use countersign::log::{
    Checkpoint, CheckpointError, NoteError, Receipt, ReceiptError, TrustedKeys, VerifiedReceipt,
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
}

pub fn run(asked: &VerifyReceipt, out: &mut Out) -> Ended {
    let found = verify(asked);
    let code = match &found {
        Ok(_) => Code::GOOD,
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
    let later = match (&asked.later, &asked.consistency) {
        (Some(checkpoint), Some(proof)) => {
            let note = files::read(checkpoint)?;
            let size = size_of(&note).map_err(refused)?;
            let proof = later::read(&files::read(proof)?, size)
                .map_err(|why| Failure::broken(format!("`{}`: {why}", proof.display())))?;
            Some(
                verified
                    .verify_later(&note, &proof, &keys)
                    .map_err(refused)?,
            )
        }
        _ => None,
    };
    Ok(Proven { verified, later })
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
    let note = countersign::log::Note::parse(note).map_err(CheckpointError::from)?;
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
    fn print(&self, out: &mut Out) {
        let Self { verified, later } = self;
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
        let Self { verified, later } = self;
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
            .with("exit_code", Code::GOOD.number())
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
    }
}
