//! The emulator over loopback: plain and with TLS, from an authority that lives as long as the server.
//!
//! The Azure SDKs and the Azure CLI refuse to send bearer tokens over plain HTTP, so Resource Manager
//! supports both, with the same state.

use std::{
    convert::Infallible,
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use axum::{Router, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::{AbortHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::{
    Emulator,
    collector::Collector,
    router::{Reset, Scheme, broken},
};

mod authority;

/// The addresses of a running emulator. Dropping it closes all of them.
#[derive(Debug)]
pub struct Serving {
    /// Resource Manager with TLS: `https://localhost:PORT`.
    pub arm_https: String,
    /// Resource Manager without TLS: `http://127.0.0.1:PORT`.
    pub arm_http: String,
    /// The value of `IDENTITY_ENDPOINT`: `http://127.0.0.1:PORT/msi/token`.
    pub identity: String,
    /// The value of `IDENTITY_HEADER`.
    pub identity_header: String,
    /// Azure Monitor's OTLP ingestion, with TLS.
    pub azure_monitor: Collector,
    /// The certificate of the authority that signed the server's, in PEM.
    pub ca_pem: PathBuf,
    /// Signs certificates for other TLS servers.
    tls: Tls,
    /// Holds the file; dropping deletes it.
    _folder: TempDir,
    listeners: Vec<AbortHandle>,
}

/// The ports of 127.0.0.1 to serve on; 0 means any free port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// Resource Manager with TLS.
    pub arm_https: u16,
    /// Resource Manager without TLS.
    pub arm_http: u16,
    /// The managed-identity endpoint.
    pub identity: u16,
    /// The control surface.
    pub control: u16,
    /// Event Grid's custom topic with TLS.
    pub topic_https: u16,
    /// Event Grid's custom topic without TLS.
    pub topic_http: u16,
    /// Azure Monitor's OTLP ingestion.
    pub azure_monitor: u16,
}

/// The TLS configuration with the server's certificate.
#[derive(Clone)]
pub(crate) struct Tls(TlsAcceptor);

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Tls")
    }
}

impl Serving {
    /// The authority's certificate, for `SSL_CERT_FILE` and the like.
    pub fn ca_pem(&self) -> &Path {
        &self.ca_pem
    }

    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// The instance metadata service's form of the identity endpoint.
    pub fn instance_metadata(&self) -> String {
        self.identity.replace("/msi/token", "/metadata/identity/oauth2/token")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

impl Emulator {
    /// Serves on free ports of 127.0.0.1.
    pub async fn serve(&self) -> io::Result<Serving> {
        self.serve_on(Ports::default()).await
    }

    /// Serves on these ports of 127.0.0.1.
    pub async fn serve_on(&self, ports: Ports) -> io::Result<Serving> {
        let folder = tempfile::tempdir()?;
        let ca_pem = folder.path().join("ca.pem");
        let tls = Tls(authority::issue(&ca_pem)?);
        let (https, arm_https) = listen(ports.arm_https, self.router(), Some(&tls)).await?;
        let (http, arm_http) = listen(ports.arm_http, self.router(), None).await?;
        let (msi, identity) = listen(ports.identity, self.identity_router(), None).await?;
        let azure_monitor = Collector::of_azure_monitor(self, &tls, ports.azure_monitor).await?;
        Ok(Serving {
            azure_monitor,
            arm_https: format!("https://localhost:{}", arm_https.port()),
            arm_http: format!("http://127.0.0.1:{}", arm_http.port()),
            identity: format!("http://127.0.0.1:{}/msi/token", identity.port()),
            identity_header: self.options().identity_header.clone(),
            ca_pem,
            tls,
            _folder: folder,
            listeners: vec![https, http, msi],
        })
    }
}

/// Serves on a port of 127.0.0.1 until the handle is aborted.
pub(crate) async fn listen(
    port: u16,
    router: Router,
    tls: Option<&Tls>,
) -> io::Result<(AbortHandle, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(accept(listener, router, tls.map(|tls| tls.0.clone())));
    Ok((task.abort_handle(), address))
}

/// Connections end with the listener, because it owns their tasks.
async fn accept(listener: TcpListener, router: Router, tls: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            // For example, out of file descriptors: connections in progress must continue to free some.
            tokio::task::yield_now().await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let _ = socket.set_nodelay(true);
        let (router, tls) = (router.clone(), tls.clone());
        connections.spawn(async move {
            match tls {
                None => converse(socket, router, "http").await,
                Some(tls) => match tls.accept(socket).await {
                    Ok(socket) => converse(socket, router, "https").await,
                    Err(error) => tracing::debug!(%error, "TLS handshake failed"),
                },
            }
        });
    }
}

async fn converse(socket: impl AsyncRead + AsyncWrite + Unpin, router: Router, scheme: &'static str) {
    let service = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move { answer(router, request, scheme).await }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection broken");
    }
}

async fn answer(
    router: Router,
    mut request: Request<Incoming>,
    scheme: &'static str,
) -> io::Result<Response> {
    request.extensions_mut().insert(Scheme(scheme));
    let response = router.oneshot(request).await.unwrap_or_else(|never: Infallible| match never {});
    // An error of the service closes the connection without an answer.
    if response.extensions().get::<Reset>().is_some() { Err(broken()) } else { Ok(response) }
}
