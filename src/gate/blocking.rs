//! For hosts without an async runtime.

use futures::executor::{self, block_on};

use crate::ledger::on_own_thread;

use super::{Cause, Refusal};

/// Runs a future of this library to its end on the calling thread.
///
/// # Errors
/// [`Refusal::CouldNotDecide`] on one of the library's own threads (inside a notifier or a recorder, for example), where it
/// would wait for itself.
///
/// ```no_run
/// # use countersign::action::Action;
/// # use countersign::gate::{ApprovalGateExt, Gate};
/// # fn host(gate: &Gate, action: Action) -> Result<(), Box<dyn std::error::Error>> {
/// let done = countersign::gate::wait(gate.run(action, async |authorized| {
///     let to: String = authorized.parameter("to")?;
///     anyhow::Ok(to)
/// }))??;
/// # let _ = done; Ok(())
/// # }
/// # mod anyhow { pub fn Ok<T>(value: T) -> Result<T, countersign::action::ParameterError> { Result::Ok(value) } }
/// ```
pub fn wait<T>(future: impl Future<Output = T>) -> Result<T, Refusal> {
    // Inside of an executor the thread is not free to wait either.
    if on_own_thread() || executor::enter().is_err() {
        return Err(Refusal::CouldNotDecide(Cause::WouldBlockItself));
    }
    Ok(block_on(future))
}
