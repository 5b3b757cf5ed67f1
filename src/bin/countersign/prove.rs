//! `countersign prove`

use countersign::log::{Receipt, ReceiptError, Seq, TreeSize, prove_record, stored_disclosures};

use crate::arguments::Prove;
use crate::ending::{Code, Ended, Failure};
use crate::files;
use crate::out::Out;
use crate::store::Log;

pub fn run(asked: &Prove, out: &mut Out) -> Ended {
    let mut log = Log::opening(&asked.store, asked.values.values.as_deref())?;
    let seq = Seq::new(asked.seq);
    let mut receipt = prove_record(log.reader.as_mut(), seq, TreeSize::Newest)?;
    if asked.disclose_all || !asked.disclose.is_empty() {
        let stored = stored_disclosures(log.reader.as_mut(), seq)?;
        receipt = disclose(asked, receipt.with_disclosures(stored).map_err(damaged)?)?;
    }
    files::write(&asked.out, &receipt.to_bytes())?;
    out.line(&format!(
        "record {seq} and its proof are in `{}`, with {} disclosed members; `countersign verify-receipt` verifies it",
        asked.out.display(),
        receipt.disclosures.len()
    ));
    Ok(Code::GOOD)
}

/// Keeps what was asked for. A name that stands for nothing is a mistake that the receiver would find.
fn disclose(asked: &Prove, receipt: Receipt) -> Result<Receipt, Failure> {
    if asked.disclose_all {
        return Ok(receipt);
    }
    let mut met = vec![false; asked.disclose.len()];
    let kept = receipt
        .disclosing_only(|pointer| {
            let mut keep = false;
            for (name, met) in asked.disclose.iter().zip(&mut met) {
                if name == pointer {
                    (*met, keep) = (true, true);
                }
            }
            keep
        })
        .map_err(damaged)?;
    let strange = asked.disclose.iter().zip(&met).find(|(_, met)| !**met);
    match strange {
        None => Ok(kept),
        Some((name, _)) => Err(Failure::cannot(format!(
            "record {} discloses no member `{name}`; `countersign show` names those that it has",
            asked.seq
        ))),
    }
}

fn damaged(error: ReceiptError) -> Failure {
    Failure::broken(format!(
        "the disclosures of the record are damaged: {error}"
    ))
}
