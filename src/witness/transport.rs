use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;

/// More than any answer of a witness: a checkpoint with all the signatures that it may have.
pub const MOST_RESPONSE_BYTES: usize = 1_000_000;

/// How a witness is reached: one HTTP request and its answer.
///
/// # Contract
/// - **As it is.** Method, address and body go out unchanged, and status and body come back so. Statuses are answers, never errors.
///   No redirection is followed: the policy says where the witness is.
/// - **Bounded.** It answers, or fails, within a time that its owner chose, and reads no more than [`MOST_RESPONSE_BYTES`] of an
///   answer; one that is longer is an error.
/// - **Once.** It repeats no request by itself.
/// - **Cancellation.** A future that is dropped may or may not have reached the witness.
///
/// # What breaks
/// Nothing that it hands over is believed: cosignatures are verified. A transport that makes answers up can hold witnesses off and raise a
/// false alarm, so that requests should go over TLS.
///
/// # Implementing
/// ```
/// use countersign::witness::{Request, Response, Transport, TransportError};
///
/// /// Never reaches anybody.
/// #[derive(Debug)]
/// struct Offline;
///
/// #[async_trait::async_trait]
/// impl Transport for Offline {
///     async fn exchange(&self, _: Request) -> Result<Response, TransportError> {
///         Err(TransportError::new("this machine has no network"))
///     }
/// }
/// ```
#[async_trait]
pub trait Transport: Debug + Send + Sync + 'static {
    /// Sends the request and waits for the answer.
    async fn exchange(&self, request: Request) -> Result<Response, TransportError>;
}

/// A request to a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The whole address.
    pub url: String,
    /// What is wanted.
    pub call: Call,
}

/// The method of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `GET`.
    Get,
    /// `POST` with this body.
    Post(Vec<u8>),
}

/// The answer of a witness, whatever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// A witness was not reached, or its answer did not arrive.
#[derive(Debug, Clone, Error)]
#[error("the witness was not reached: {0}")]
pub struct TransportError(#[source] Arc<dyn Error + Send + Sync>);

impl TransportError {
    /// An error with its cause.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(cause.into()))
    }
}

#[async_trait]
impl<T: Transport + ?Sized> Transport for Arc<T> {
    async fn exchange(&self, request: Request) -> Result<Response, TransportError> {
        (**self).exchange(request).await
    }
}
