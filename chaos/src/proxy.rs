//! A TCP proxy that harms what passes through it: slow, cut, half-open or throttled, and well again on command.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    time::sleep,
};

/// What is done to every connection, new and old.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Harm {
    /// Nothing.
    #[default]
    None,
    /// Each piece arrives this much later.
    Latency(Duration),
    /// So many bytes a second, in each direction.
    Throttle(u32),
    /// Connections end at once, new ones too.
    Cut,
    /// Connections stand and nothing arrives; they end when the harm does, since what was sent is gone.
    HalfOpen,
}

/// Where a proxy leads.
#[derive(Clone, Debug)]
pub(crate) enum Upstream {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

/// A running proxy; it ends with this.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    harm: watch::Sender<Harm>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(upstream: Upstream) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (harm, seen) = watch::channel(Harm::None);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, upstream.clone(), seen.clone()));
            }
        });
        Ok(Self { address, harm, accepting })
    }

    pub(crate) fn harm(&self, harm: Harm) {
        self.harm.send_replace(harm);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.harm.send_replace(Harm::Cut);
        self.accepting.abort();
    }
}

async fn carry(client: TcpStream, upstream: Upstream, harm: watch::Receiver<Harm>) {
    if *harm.borrow() == Harm::Cut {
        return;
    }
    // An upstream that is away ends the connection, as it would without us.
    match upstream {
        Upstream::Unix(path) => {
            if let Ok(server) = UnixStream::connect(path).await {
                join(client, server, harm).await;
            }
        }
        Upstream::Tcp(address) => {
            if let Ok(server) = TcpStream::connect(address).await {
                let _ = server.set_nodelay(true);
                join(client, server, harm).await;
            }
        }
    }
}

async fn join<S: AsyncRead + AsyncWrite>(client: TcpStream, server: S, harm: watch::Receiver<Harm>) {
    let _ = client.set_nodelay(true);
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = tokio::io::split(server);
    // Whichever direction ends first ends both: these protocols do not half-close.
    tokio::select! {
        () = pump(client_read, server_write, harm.clone()) => {}
        () = pump(server_read, client_write, harm.clone()) => {}
        () = ended_by(harm) => {}
    }
}

/// Returns when the harm ends the connection: a cut at once, a half-open one when it is over.
async fn ended_by(mut harm: watch::Receiver<Harm>) {
    let mut swallowed = false;
    loop {
        let now = *harm.borrow_and_update();
        match now {
            Harm::Cut => return,
            Harm::HalfOpen => swallowed = true,
            _ if swallowed => return,
            _ => {}
        }
        if harm.changed().await.is_err() {
            return;
        }
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    harm: watch::Receiver<Harm>,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read) = from.read(&mut buffer).await
        && read > 0
    {
        let now = *harm.borrow();
        match now {
            Harm::HalfOpen => continue,
            Harm::Latency(latency) => sleep(latency).await,
            Harm::Throttle(bytes) => sleep(Duration::from_secs_f64(read as f64 / f64::from(bytes))).await,
            Harm::None | Harm::Cut => {}
        }
        if to.write_all(&buffer[..read]).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::time::timeout;

    use super::*;

    /// A server that sends back what it gets, behind a proxy.
    async fn echo() -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let upstream = Upstream::Tcp(listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        Proxy::start(upstream).await.unwrap()
    }

    async fn ask(stream: &mut TcpStream, bytes: usize) -> io::Result<Duration> {
        let started = Instant::now();
        stream.write_all(&vec![7; bytes]).await?;
        let mut answer = vec![0; bytes];
        stream.read_exact(&mut answer).await?;
        assert_eq!(answer, vec![7; bytes]);
        Ok(started.elapsed())
    }

    #[tokio::test]
    async fn each_harm_does_what_it_says_and_ends() {
        let proxy = echo().await;
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        assert!(ask(&mut stream, 10).await.unwrap() < Duration::from_millis(200));
        proxy.harm(Harm::Latency(Duration::from_millis(150)));
        assert!(ask(&mut stream, 10).await.unwrap() >= Duration::from_millis(300), "there and back");
        proxy.harm(Harm::Throttle(10_000));
        assert!(ask(&mut stream, 2_000).await.unwrap() >= Duration::from_millis(350), "2 kB there and back");
        proxy.harm(Harm::None);
        assert!(ask(&mut stream, 10).await.unwrap() < Duration::from_millis(200), "well again");

        proxy.harm(Harm::HalfOpen);
        let silent = timeout(Duration::from_millis(300), ask(&mut stream, 10)).await;
        assert!(silent.is_err(), "nothing arrives, and nothing ends");
        proxy.harm(Harm::None);
        assert!(ask(&mut stream, 10).await.is_err(), "what was swallowed cannot be mended");

        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        ask(&mut stream, 10).await.unwrap();
        proxy.harm(Harm::Cut);
        assert!(ask(&mut stream, 10).await.is_err());
        let mut refused = TcpStream::connect(proxy.address).await.unwrap();
        assert!(ask(&mut refused, 10).await.is_err(), "new ones too");
        proxy.harm(Harm::None);
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        ask(&mut stream, 10).await.unwrap();
    }
}
