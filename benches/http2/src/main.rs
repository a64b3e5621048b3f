//! What HTTP/2 would change for a burst of events on a cold process: `cargo run --release` in this folder.
//!
//! The server has TLS 1.3, and offers HTTP/2 and HTTP/1.1 by ALPN. Each round has a client of its own, as a process that
//! has just started has it: first 64 seals at once, of three requests one after the other, then 64 again on the
//! connections that are there. The rounds of the ways alternate. `--way NAME --rounds N` has one way alone, so that
//! `valgrind --tool=callgrind` can count its instructions, those of the server's thread included.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client, Method};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, rustls::pki_types::PrivateKeyDer};

const BURST: usize = 64;
/// How long a request takes in ARM.
const ARM_TIME: Duration = Duration::from_millis(50);
/// About what a disk has.
const ANSWER: &[u8] = &[b' '; 1_500];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// HTTP/1.1, as the handler has it.
    Http1,
    /// HTTP/2 by ALPN.
    Http2,
    /// The same after one request alone, whose connection the burst can use.
    Http2Warm,
    /// HTTP/1.1 after one request alone.
    Http1Warm,
}

const WAYS: [(&str, Way); 4] = [
    ("http1", Way::Http1),
    ("http2", Way::Http2),
    ("http1-warm", Way::Http1Warm),
    ("http2-warm", Way::Http2Warm),
];

#[derive(Default)]
struct Count {
    connections: AtomicUsize,
    handshakes: AtomicUsize,
    read: AtomicUsize,
    written: AtomicUsize,
}

/// A socket whose bytes are counted.
struct Counted(TcpStream, Arc<Count>);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.0).poll_read(cx, buf);
        self.1.read.fetch_add(buf.filled().len() - before, Relaxed);
        result
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let result = Pin::new(&mut self.0).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = result {
            self.1.written.fetch_add(written, Relaxed);
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The server's address, its certificate, and what it counts.
async fn serve(arm_time: Duration) -> (SocketAddr, String, Arc<Count>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(Count::default()));
    tokio::spawn({
        let count = Arc::clone(&count);
        async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let _ = socket.set_nodelay(true);
                count.connections.fetch_add(1, Relaxed);
                let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    let Ok(socket) = acceptor.accept(Counted(socket, Arc::clone(&count))).await else {
                        return;
                    };
                    count.handshakes.fetch_add(1, Relaxed);
                    let answer = service_fn(move |request: Request<Incoming>| async move {
                        request.into_body().collect().await?;
                        // The time that ARM takes for a request.
                        tokio::time::sleep(arm_time).await;
                        Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from_static(ANSWER))))
                    });
                    let mut server = auto::Builder::new(TokioExecutor::new());
                    // What Azure's front end allows is not documented; 100 is the usual value.
                    server.http2().max_concurrent_streams(100);
                    let _ = server.serve_connection(TokioIo::new(socket), answer).await;
                });
            }
        }
    });
    (address, certificate.pem(), count)
}

async fn seal(client: &Client, url: &str, n: usize) {
    let disk = format!(
        "{url}/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d{n}"
    );
    for (method, body) in [(Method::GET, ""), (Method::PATCH, "{}"), (Method::PATCH, "{}")] {
        // A token has between 1 and 2 KiB.
        let request = client.request(method, &disk).header("authorization", "x".repeat(1_500)).body(body);
        request.send().await.unwrap().bytes().await.unwrap();
    }
}

/// The connections, handshakes and KiB (both ways) of a cold burst, and the times of a cold and a warm one.
async fn round(way: Way, arm_time: Duration) -> [f64; 5] {
    let (address, pem, count) = serve(arm_time).await;
    let certificate = Certificate::from_pem(pem.as_bytes()).unwrap();
    let client = Client::builder().tls_certs_only([certificate]).no_proxy();
    let client = if matches!(way, Way::Http1 | Way::Http1Warm) { client.http1_only() } else { client };
    let client = client.build().unwrap();
    let url = format!("https://localhost:{}", address.port());
    if matches!(way, Way::Http1Warm | Way::Http2Warm) {
        client.get(&url).send().await.unwrap().bytes().await.unwrap();
    }
    let burst = || async {
        let start = Instant::now();
        join_all((0..BURST).map(|n| seal(&client, &url, n))).await;
        start.elapsed().as_secs_f64() * 1_000.0
    };
    let cold = burst().await;
    let bytes = count.read.load(Relaxed) + count.written.load(Relaxed);
    let counted = [count.connections.load(Relaxed), count.handshakes.load(Relaxed), bytes / 1_024];
    let warm = burst().await;
    let [connections, handshakes, kib] = counted.map(|value| value as f64);
    [connections, handshakes, kib, cold, warm]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let arguments: Vec<_> = std::env::args().collect();
    let value = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    let rounds = value("--rounds").map_or(11, |text| text.parse().unwrap());
    let only = value("--way");
    let ways = WAYS.iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name));
    let ways: Vec<_> = ways.collect();
    for arm_time in [Duration::ZERO, ARM_TIME] {
        if only.is_some() && arm_time != Duration::ZERO {
            break;
        }
        let mut figures = vec![vec![]; ways.len()];
        for _ in 0..rounds {
            for (place, (_, way)) in ways.iter().enumerate() {
                figures[place].push(round(*way, arm_time).await);
            }
        }
        println!("{BURST} seals at once, ARM at {} ms, median of {rounds} rounds:", arm_time.as_millis());
        for ((name, _), rounds) in ways.iter().zip(figures) {
            let of = |column: usize| median(rounds.iter().map(|round| round[column]).collect());
            println!(
                "{name:<11} {:>3} connections, {:>3} handshakes, {:>4} KiB; cold {:>4.0} ms, warm {:>4.0} ms",
                of(0),
                of(1),
                of(2),
                of(3),
                of(4)
            );
        }
    }
}
