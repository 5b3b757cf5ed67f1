//! Permits as tests have them: asked for, run, and refused.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use countersign::action::RequestId;
use countersign::gate::{ApprovalGate, Executed, Permit, Refusal, RunError};
use futures::executor::block_on;

use crate::common::{World, pay};

pub type Answer = Result<Executed<()>, RunError<String>>;

/// A payment that rita approved.
pub fn approved(world: &World, amount: i64) -> RequestId {
    let request = world.file(pay(amount));
    let _ = world.approve("rita", request).unwrap();
    request
}

/// What a caller who comes back is told.
pub fn resume(world: &World, request: RequestId) -> Result<Permit, Refusal> {
    block_on(world.gate().resume(request))
}

pub fn run(permit: Permit) -> Answer {
    block_on(permit.run(async |_| Ok(())))
}

/// Runs a permit whose effect must not be called.
pub fn refused_run(permit: Permit) -> Refusal {
    refused_by(block_on(never(permit)))
}

/// Runs an effect that must not be called.
pub async fn never(permit: Permit) -> Answer {
    let effect = async |_| -> Result<(), String> { panic!("it ran") };
    permit.run(effect).await
}

#[track_caller]
pub fn refused_by(answer: Answer) -> Refusal {
    match answer {
        Err(RunError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Time passes, and the library has done what was due.
pub fn pass(world: &World, span: Duration) {
    world.clock.advance(span);
    world.clock.settled(1);
}
