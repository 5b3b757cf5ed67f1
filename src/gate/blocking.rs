//! For hosts without an async runtime.

use futures::executor::{self, block_on};

use crate::ledger::on_own_thread;

use super::{Cause, Refusal};

/// Runs a future of this library to its end on the calling thread.
///
/// It blocks that thread until the future ends, which may be once people have decided. Under an async runtime it would hold up
/// whatever else the thread serves: await the future there, or call this on a thread that may block, such as one of tokio's
/// `spawn_blocking`.
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
///     authorized.parameter::<String>("to")
/// }))??;
/// # let _ = done; Ok(())
/// # }
/// ```
pub fn wait<T>(future: impl Future<Output = T>) -> Result<T, Refusal> {
    // Inside of an executor the thread is not free to wait either.
    if on_own_thread() || executor::enter().is_err() {
        return Err(Refusal::CouldNotDecide(Cause::WouldBlockItself));
    }
    Ok(block_on(future))
}
