//! A way to a story's Postgres that keeps back what Postgres answers.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
};

use crate::TestHive;

/// A piece of the statement whose connection is to go dead; taken by the first that carries it.
type Swallows = Arc<Mutex<Option<&'static str>>>;

/// What happens to an answer while a condition holds.
#[derive(Clone)]
enum Hold {
    Keep(String),
    Cut(String),
}

/// A proxy before Postgres. It still carries statements there when it keeps back their answers.
pub struct Gate {
    address: SocketAddr,
    holds: watch::Sender<Option<Hold>>,
    cuts: Arc<AtomicUsize>,
    swallows: Swallows,
    accepting: JoinHandle<()>,
}

impl Gate {
    /// A gate before the hive's Postgres, open.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn before_postgres(hive: &TestHive) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (holds, seen) = watch::channel(None);
        let cuts = Arc::new(AtomicUsize::new(0));
        let pool = hive.pool.clone();
        let swallows = Swallows::default();
        let (swallowing, cutting) = (Arc::clone(&swallows), Arc::clone(&cuts));
        let options: PgConnectOptions = hive.store_urls()[0].parse().unwrap();
        let directory = options.get_socket().expect("the stores of a story listen on sockets");
        let socket = directory.join(format!(".s.PGSQL.{}", options.get_port()));
        // Where the double runs as well: the story may block, and statements pass all the same.
        let runtime = hive.runtime.as_ref().expect("the hive runs").handle().clone();
        let listener = listener.into_std().unwrap();
        let accepting = runtime.clone().spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(server) = UnixStream::connect(&socket).await {
                    let (swallowing, cutting) = (Arc::clone(&swallowing), Arc::clone(&cutting));
                    runtime.spawn(carry(client, server, seen.clone(), pool.clone(), swallowing, cutting));
                }
            }
        });
        Self { address, holds, cuts, swallows, accepting }
    }

    /// The database behind the gate, for who is to come through it.
    ///
    /// # Panics
    /// When the hive's own URL does not name a user and a database.
    #[must_use]
    pub fn url(&self, hive: &TestHive) -> String {
        let url = &hive.store_urls()[0];
        let (account, _) = url.split_once("@localhost").expect("the stores of a story are on this machine");
        let options: PgConnectOptions = url.parse().unwrap();
        let database = options.get_database().expect("a database of the story's own");
        format!("{account}@{}/{database}?sslmode=disable", self.address)
    }

    /// Keeps back every answer from the moment on in which this condition, in SQL, holds.
    pub fn close_when(&self, condition: &str) {
        self.holds.send_replace(Some(Hold::Keep(format!("SELECT {condition}"))));
    }

    /// Loses every answer from the moment on in which this condition, in SQL, holds: its connection is cut instead.
    pub fn cut_when(&self, condition: &str) {
        self.holds.send_replace(Some(Hold::Cut(format!("SELECT {condition}"))));
    }

    /// How many connections were cut.
    #[must_use]
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }

    /// Lets the connection of the next statement with these words go dead: it stands, and nothing arrives any more.
    ///
    /// # Panics
    /// When a connection of this gate has panicked.
    pub fn swallow(&self, words: &'static str) {
        *self.swallows.lock().unwrap() = Some(words);
    }

    /// Whether that statement came.
    ///
    /// # Panics
    /// When a connection of this gate has panicked.
    #[must_use]
    pub fn has_swallowed(&self) -> bool {
        self.swallows.lock().unwrap().is_none()
    }

    /// Lets answers through, those that were kept first.
    pub fn open(&self) {
        self.holds.send_replace(None);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(
    client: TcpStream,
    server: UnixStream,
    mut holds: watch::Receiver<Option<Hold>>,
    pool: PgPool,
    swallows: Swallows,
    cuts: Arc<AtomicUsize>,
) {
    client.set_nodelay(true).unwrap();
    let (mut client_read, mut client_write) = client.into_split();
    let (mut server_read, mut server_write) = server.into_split();
    let asking = async {
        let (mut piece, mut read) = (vec![0; 64 * 1024], Vec::new());
        loop {
            let length = client_read.read(&mut piece).await?;
            if length == 0 {
                return Ok(());
            }
            read.extend_from_slice(&piece[..length]);
            if swallows.lock().unwrap().take_if(|words| contains(&read, words)).is_some() {
                return std::future::pending().await;
            }
            // What was kept back is at most one statement.
            let kept = read.len().saturating_sub(8 * 1024);
            read.drain(..kept);
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
            let hold = holds.borrow_and_update().clone();
            if let Some(Hold::Keep(condition) | Hold::Cut(condition)) = &hold {
                let holding: bool = sqlx::query_scalar(condition).fetch_one(&pool).await.unwrap();
                if holding && matches!(hold, Some(Hold::Cut(_))) {
                    cuts.fetch_add(1, Ordering::SeqCst);
                    return Ok(());
                }
                if holding && holds.wait_for(Option::is_none).await.is_err() {
                    return Ok(());
                }
            }
            client_write.write_all(&piece[..length]).await?;
        }
    };
    let ended: std::io::Result<()> = tokio::select! { ended = asking => ended, ended = answering => ended };
    drop(ended);
}

fn contains(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|window| window == words.as_bytes())
}
