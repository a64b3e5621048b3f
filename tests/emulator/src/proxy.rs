//! A forward proxy on loopback that records what it is sent.
//!
//! Clients ask it for plain HTTP with the whole URL (RFC 9112, "absolute-form"), and for TLS with `CONNECT` (RFC 9110).
//! It leads to local servers only, by the name of the host that it is asked for; every other host is answered with 502.

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

use crate::recorded::Recorded;

/// The largest head of a request.
const HEAD_MAX: usize = 64 * 1_024;

/// A request as the proxy saw it. Of what goes through a tunnel, it sees nothing.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `CONNECT`, or the method of a request in plain HTTP.
    pub method: String,
    /// `host:port` of a tunnel, or the whole URL.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
}

/// A running proxy. Dropping it closes its listener and connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    asked: Arc<Recorded<Asked>>,
    routes: Arc<Routes>,
    listener: AbortHandle,
}

/// The servers that it leads to, by `host:port`.
type Routes = Mutex<BTreeMap<String, String>>;

impl Proxy {
    /// Starts a proxy that leads nowhere yet.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let asked = Arc::new(Recorded::default());
        let routes = Arc::new(Routes::default());
        let (record, leads) = (Arc::clone(&asked), Arc::clone(&routes));
        let task = tokio::spawn(async move {
            // Connections end with the listener, because it owns their tasks.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (record, routes) = (Arc::clone(&record), Arc::clone(&leads));
                connections.spawn(async move {
                    if let Err(error) = serve(client, &record, &routes).await {
                        tracing::debug!(%error, "connection broken");
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, asked, routes, listener: task.abort_handle() })
    }

    /// The value of `HTTPS_PROXY` and the like.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Leads requests for a host to a server of this machine, given by its URL or by host and port.
    pub fn leads(&self, host: &str, server: &str) {
        let server = server.rsplit("//").next().unwrap_or(server).to_owned();
        self.routes.lock().insert(host.to_owned(), server);
    }

    /// What it was asked for, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.all()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn serve(mut client: TcpStream, record: &Recorded<Asked>, routes: &Routes) -> io::Result<()> {
    let (head, rest) = read_head(&mut client).await?;
    let text = String::from_utf8_lossy(&head).into_owned();
    let (line, headers) = text.split_once("\r\n").unwrap_or((&text, ""));
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    record.push(Asked {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: headers.lines().filter_map(header).collect(),
    });
    let is_tunnel = method == "CONNECT";
    let (host, path) = if is_tunnel { (target.to_owned(), "") } else { absolute(target) };
    let server = routes.lock().get(&host).cloned();
    let Some(server) = server else {
        return client
            .write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .await;
    };
    let mut server = TcpStream::connect(server).await?;
    if is_tunnel {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    } else {
        // One request a connection: the next one could be for another host.
        let head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n{headers}");
        server.write_all(head.as_bytes()).await?;
    }
    server.write_all(&rest).await?;
    copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}

/// The head of a request with the empty line at its end, and what came after it.
async fn read_head(client: &mut TcpStream) -> io::Result<(Vec<u8>, Vec<u8>)> {
    const END: &[u8] = b"\r\n\r\n";
    let mut read = Vec::new();
    loop {
        if let Some(at) = read.windows(END.len()).position(|window| window == END) {
            let rest = read.split_off(at + END.len());
            return Ok((read, rest));
        }
        if read.len() > HEAD_MAX || client.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    Some((name.trim().parse().ok()?, HeaderValue::from_str(value.trim()).ok()?))
}

/// Host with port, and path, of an absolute URL in plain HTTP.
fn absolute(url: &str) -> (String, &str) {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    (if host.contains(':') { host.to_owned() } else { format!("{host}:80") }, path)
}
