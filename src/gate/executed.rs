//! What a guarded effect left behind.

use std::fmt;

use crate::action::RequestId;
use crate::approval::StopCause;
use crate::log::Receipt;

use super::Refusal;

/// An effect that ran to its end, with the receipt of the record that says so.
///
/// An effect that happened is never an `Err` that loses its value, for a host would run it again: where the last record
/// could not be written, the value is here all the same and [`Executed::receipt`] is the error.
#[must_use = "the value is what the effect returned, and the receipt says whether the log knows"]
pub struct Executed<T> {
    value: T,
    receipt: Result<Receipt, RecordError>,
    request: RequestId,
}

impl<T: fmt::Debug> fmt::Debug for Executed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executed")
            .field("value", &self.value)
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

impl<T> Executed<T> {
    pub(crate) fn new(value: T, receipt: Result<Receipt, RecordError>, request: RequestId) -> Self {
        Self {
            value,
            receipt,
            request,
        }
    }

    /// What the effect returned.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// What the effect returned, by value.
    pub fn into_value(self) -> T {
        self.value
    }

    /// The receipt of the `finished` record.
    ///
    /// # Errors
    /// [`RecordError`] if that record could not be written. It is tried once more in the background; if that fails too, the execution
    /// is listed as unresolved once its lease has passed.
    pub fn receipt(&self) -> Result<&Receipt, &RecordError> {
        self.receipt.as_ref()
    }

    /// The request whose effect this was.
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// Value and receipt, by value.
    pub fn into_parts(self) -> (T, Result<Receipt, RecordError>) {
        (self.value, self.receipt)
    }

    /// Changes the value, keeps the receipt.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Executed<U> {
        let Self {
            value,
            receipt,
            request,
        } = self;
        Executed {
            value: change(value),
            receipt,
            request,
        }
    }
}

/// The effect ended but its `finished` record could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the effect ended but its record could not be written: {why}")]
pub struct RecordError {
    /// The request. The end is written once more in the background; if that fails too, the request stays running in the log until
    /// its lease has passed.
    pub request: RequestId,
    pub(crate) why: String,
}

/// Why a guarded effect gave no value.
#[non_exhaustive]
pub enum RunError<E> {
    /// The effect was never called.
    Refused(Refusal),
    /// The effect ran and failed: `Failed` in the log, or `Unknown` after `unsure()`.
    Effect {
        /// The effect's own error.
        error: E,
        /// The receipt of the record that says so.
        receipt: Result<Box<Receipt>, RecordError>,
    },
    /// The effect was stopped half way: its outcome is `Unknown` and waits for a reviewer to reconcile it.
    Stopped {
        /// Why.
        cause: StopCause,
        /// The request.
        request: RequestId,
    },
    /// The effect panicked: its outcome is `Unknown` and waits for a reviewer to reconcile it.
    Panicked {
        /// The request.
        request: RequestId,
    },
}

impl<E> RunError<E> {
    /// Changes the effect's error, keeps everything else.
    pub fn map_effect<F>(self, change: impl FnOnce(E) -> F) -> RunError<F> {
        match self {
            Self::Refused(refusal) => RunError::Refused(refusal),
            Self::Effect { error, receipt } => RunError::Effect {
                error: change(error),
                receipt,
            },
            Self::Stopped { cause, request } => RunError::Stopped { cause, request },
            Self::Panicked { request } => RunError::Panicked { request },
        }
    }

    /// The refusal, if the effect was never called.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Effect { .. } | Self::Stopped { .. } | Self::Panicked { .. } => None,
        }
    }

    /// Folds the library's own failures into the host's error type.
    pub fn into_host(self, other: impl FnOnce(RunError<std::convert::Infallible>) -> E) -> E {
        match self {
            Self::Effect { error, .. } => error,
            Self::Refused(refusal) => other(RunError::Refused(refusal)),
            Self::Stopped { cause, request } => other(RunError::Stopped { cause, request }),
            Self::Panicked { request } => other(RunError::Panicked { request }),
        }
    }
}

impl<E> From<Refusal> for RunError<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: fmt::Debug> fmt::Debug for RunError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => f.debug_tuple("Refused").field(refusal).finish(),
            Self::Effect { error, .. } => f
                .debug_struct("Effect")
                .field("error", error)
                .finish_non_exhaustive(),
            Self::Stopped { cause, request } => f
                .debug_struct("Stopped")
                .field("cause", cause)
                .field("request", request)
                .finish(),
            Self::Panicked { request } => f
                .debug_struct("Panicked")
                .field("request", request)
                .finish(),
        }
    }
}

impl<E: fmt::Display> fmt::Display for RunError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "{refusal}"),
            Self::Effect { error, .. } => write!(f, "the effect failed: {error}"),
            Self::Stopped { request, .. } => {
                write!(f, "the effect of request {request} was stopped half way")
            }
            Self::Panicked { request } => write!(f, "the effect of request {request} panicked"),
        }
    }
}

// `anyhow::Error` and boxed errors are not `Error` themselves, so no more than this can be asked of E.
impl<E: fmt::Debug + fmt::Display> std::error::Error for RunError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Effect { .. } | Self::Stopped { .. } | Self::Panicked { .. } => None,
        }
    }
}
