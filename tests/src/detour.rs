//! A way to the double that keeps back the creation of batches, before it arrives or behind it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::TestHive;

/// How a creation begins.
const CREATES: &[u8] = b"POST /v1/messages/batches ";

/// What is kept back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// The request: the double never sees it.
    Request,
    /// The answer: the batch is created, and who asked never hears of it.
    Answer,
}

/// A proxy before the double.
pub struct Detour {
    address: SocketAddr,
    kept: Arc<AtomicUsize>,
    is_open: Arc<AtomicBool>,
    accepting: JoinHandle<()>,
}

impl Detour {
    /// Starts it.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn before_double(hive: &TestHive, keeps: Keeps) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let double = hive.double.url().trim_start_matches("http://").to_owned();
        let kept = Arc::new(AtomicUsize::new(0));
        let is_open = Arc::new(AtomicBool::new(false));
        let (counting, opened) = (Arc::clone(&kept), Arc::clone(&is_open));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(server) = TcpStream::connect(&double).await {
                    let keeps = (!opened.load(Ordering::SeqCst)).then_some(keeps);
                    tokio::spawn(carry(client, server, keeps, Arc::clone(&counting)));
                }
            }
        });
        Self { address, kept, is_open, accepting }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets everything through on connections to come.
    pub fn open(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }

    /// How many creations were kept back.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.kept.load(Ordering::SeqCst)
    }
}

impl Drop for Detour {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(client: TcpStream, server: TcpStream, keeps: Option<Keeps>, kept: Arc<AtomicUsize>) {
    let (mut client_read, mut client_write) = client.into_split();
    let (mut server_read, mut server_write) = server.into_split();
    let (silent, mut is_silent) = tokio::sync::watch::channel(false);
    let asking = async {
        let mut piece = vec![0; 64 * 1024];
        loop {
            let length = client_read.read(&mut piece).await?;
            if length == 0 {
                return Ok(());
            }
            // A client writes a request with nothing before it.
            if let Some(keeps) = keeps.filter(|_| piece[..length].starts_with(CREATES)) {
                silent.send_replace(true);
                if keeps == Keeps::Request {
                    kept.fetch_add(1, Ordering::SeqCst);
                    return std::future::pending().await;
                }
            }
            server_write.write_all(&piece[..length]).await?;
        }
    };
    let answering = async {
        let mut piece = vec![0; 64 * 1024];
        loop {
            let length = server_read.read(&mut piece).await?;
            if length == 0 {
                return Ok(());
            }
            if *is_silent.borrow_and_update() {
                kept.fetch_add(1, Ordering::SeqCst);
                return std::future::pending().await;
            }
            client_write.write_all(&piece[..length]).await?;
        }
    };
    let ended: std::io::Result<()> = tokio::select! { ended = asking => ended, ended = answering => ended };
    drop(ended);
}
