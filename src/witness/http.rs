use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::oneshot;
use ureq::Agent;

use super::transport::{Call, MOST_RESPONSE_BYTES, Request, Response, Transport, TransportError};

/// How long a request may take by default.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reaches witnesses over HTTPS, with the roots of trust of Mozilla.
///
/// Each request has a thread of its own for as long as it takes, so that this works on any executor. A proxy that the environment
/// names (`HTTPS_PROXY` and so on) is used.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    patience: Duration,
    https_only: bool,
}

impl Default for HttpTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpTransport {
    /// Over HTTPS alone, with 20 seconds for a request.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            patience: PATIENCE,
            https_only: true,
        }
    }

    /// How long a request may take, from looking up the name to the last byte.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Takes addresses without TLS too, for a witness on the same machine or behind a tunnel.
    ///
    /// Whoever is in between cannot forge a cosignature, but hold the witness off and raise a false alarm.
    #[must_use]
    pub const fn dangerous_without_tls(mut self) -> Self {
        self.https_only = false;
        self
    }

    fn agent(&self) -> Agent {
        Agent::config_builder()
            .https_only(self.https_only)
            .timeout_global(Some(self.patience))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .build()
            .into()
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn exchange(&self, request: Request) -> Result<Response, TransportError> {
        let agent = self.agent();
        let (done, answer) = oneshot::channel();
        thread::Builder::new()
            .name("countersign-witness".to_owned())
            .spawn(move || {
                // Whoever no longer waits needs no answer.
                let _gone = done.send(exchange(&agent, request));
            })
            .map_err(TransportError::new)?;
        answer.await.map_err(TransportError::new)?
    }
}

fn exchange(agent: &Agent, request: Request) -> Result<Response, TransportError> {
    let Request { url, call } = request;
    let answered = match call {
        Call::Get => agent.get(&url).call(),
        Call::Post(body) => agent
            .post(&url)
            .content_type("text/plain; charset=utf-8")
            .send(&body[..]),
    };
    let mut answered = answered.map_err(TransportError::new)?;
    let status = answered.status().as_u16();
    let most = u64::try_from(MOST_RESPONSE_BYTES).unwrap_or(u64::MAX);
    let body = answered.body_mut().with_config().limit(most);
    Ok(Response {
        status,
        body: body.read_to_vec().map_err(TransportError::new)?,
    })
}
