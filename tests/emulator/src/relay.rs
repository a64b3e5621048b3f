//! A relay on loopback between a client and a server, which fails as what is on the way fails: a port that is closed,
//! a peer that says nothing, a slow one, and one that closes connections which carry nothing.
//!
//! The last is what Azure's own front does: "Azure Load Balancer TCP Reset and Idle Timeout" says after how long a
//! connection without traffic is dropped, and that nobody is informed of it by default.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::sleep,
};

/// How the relay behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// It passes everything on.
    #[default]
    Open,
    /// Its port is closed, and what was connected is cut off: nobody listens there.
    Closed,
    /// It accepts connections and passes nothing on, in either direction.
    Silent,
    /// It passes everything on, each part after this time.
    Slow(Duration),
}

/// A running relay. Dropping it closes its port and its connections.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    server: Arc<Mutex<String>>,
    way: watch::Sender<Way>,
    listener: AbortHandle,
}

impl Relay {
    /// Starts a relay that leads nowhere yet. A connection on which the server has spoken last, and nothing was sent for
    /// `idle`, is closed.
    pub async fn start(idle: Option<Duration>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let server = Arc::new(Mutex::new(String::new()));
        let way = watch::Sender::new(Way::Open);
        let task = tokio::spawn(serve(listener, address, Arc::clone(&server), way.subscribe(), idle));
        Ok(Self { address, server, way, listener: task.abort_handle() })
    }

    /// Leads to a server of this machine from now on, given by its URL or by host and port.
    pub fn leads(&self, server: &str) {
        let server = server.rsplit("//").next().unwrap_or(server);
        server.split('/').next().unwrap_or(server).clone_into(&mut self.server.lock());
    }

    /// Host and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it behaves from now on.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn serve(
    listener: TcpListener,
    address: SocketAddr,
    server: Arc<Mutex<String>>,
    mut way: watch::Receiver<Way>,
    idle: Option<Duration>,
) {
    let mut listener = Some(listener);
    // Connections end with the relay, because it owns their tasks.
    let mut connections = JoinSet::new();
    loop {
        if *way.borrow_and_update() == Way::Closed {
            listener = None;
            connections.abort_all();
        } else if listener.is_none() {
            // Another program may have taken the port meanwhile; then it is tried again when the way changes.
            listener = TcpListener::bind(address).await.ok();
        }
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = way.changed() => if changed.is_err() { return },
            accepted = accepted => {
                let Ok((client, _)) = accepted else { continue };
                let (server, way) = (server.lock().clone(), way.clone());
                connections.spawn(async move {
                    if let Err(error) = pass_on(client, &server, way, idle).await {
                        tracing::debug!(%error, "connection broken");
                    }
                });
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn pass_on(
    mut client: TcpStream,
    server: &str,
    mut way: watch::Receiver<Way>,
    idle: Option<Duration>,
) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut up, mut down) = (vec![0; 16 * 1_024], vec![0; 16 * 1_024]);
    let mut answered = false;
    loop {
        let idle = async {
            match idle.filter(|_| answered) {
                Some(idle) => sleep(idle).await,
                None => std::future::pending().await,
            }
        };
        let (length, to_server) = tokio::select! {
            length = client.read(&mut up) => (length?, true),
            length = server.read(&mut down) => (length?, false),
            () = idle => return Ok(()),
        };
        if length == 0 {
            return Ok(());
        }
        answered = !to_server;
        // A change to `Closed` aborts this task.
        let passable = way.wait_for(|way| *way != Way::Silent).await;
        let Ok(passable) = passable.map(|way| *way) else { return Ok(()) };
        if let Way::Slow(wait) = passable {
            sleep(wait).await;
        }
        if to_server {
            server.write_all(&up[..length]).await?;
        } else {
            client.write_all(&down[..length]).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    async fn echo() -> (String, AbortHandle) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let task = tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut from, mut to) = socket.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        (address, task.abort_handle())
    }

    async fn said(socket: &mut TcpStream, text: &str) -> String {
        socket.write_all(text.as_bytes()).await.unwrap();
        let mut answer = vec![0; text.len()];
        socket.read_exact(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn a_closed_way_cuts_off_and_refuses_until_it_is_open_again() {
        let (server, echo) = echo().await;
        let relay = Relay::start(None).await.unwrap();
        relay.leads(&format!("http://{server}/path"));
        let mut socket = TcpStream::connect(relay.address()).await.unwrap();
        assert_eq!(said(&mut socket, "one").await, "one");
        relay.set(Way::Closed);
        assert!(matches!(socket.read(&mut [0]).await, Ok(0) | Err(_)), "cut off");
        assert!(TcpStream::connect(relay.address()).await.is_err());
        relay.set(Way::Open);
        let mut socket = loop {
            // Until the port is open again there is nothing to wait for.
            match TcpStream::connect(relay.address()).await {
                Ok(socket) => break socket,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        assert_eq!(said(&mut socket, "two").await, "two");
        echo.abort();
    }

    #[tokio::test]
    async fn a_silent_way_keeps_what_is_sent_until_it_is_open_again() {
        let (server, echo) = echo().await;
        let relay = Relay::start(None).await.unwrap();
        relay.leads(&server);
        let mut socket = TcpStream::connect(relay.address()).await.unwrap();
        assert_eq!(said(&mut socket, "one").await, "one");
        relay.set(Way::Silent);
        socket.write_all(b"two").await.unwrap();
        let mut answer = [0; 3];
        tokio::select! {
            biased;
            _ = socket.read_exact(&mut answer) => panic!("a silent way has spoken"),
            () = tokio::task::yield_now() => {}
        }
        relay.set(Way::Slow(Duration::from_millis(1)));
        socket.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"two");
        echo.abort();
    }

    #[tokio::test]
    async fn a_connection_that_carries_nothing_is_closed_after_an_answer_alone() {
        let (server, echo) = echo().await;
        let relay = Relay::start(Some(Duration::from_millis(20))).await.unwrap();
        relay.leads(&server);
        let mut socket = TcpStream::connect(relay.address()).await.unwrap();
        assert_eq!(said(&mut socket, "one").await, "one");
        assert_eq!(socket.read(&mut [0]).await.unwrap(), 0);
        echo.abort();
    }
}
