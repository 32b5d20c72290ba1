//! A way to a story's Postgres that keeps back what Postgres answers.

use std::net::SocketAddr;

use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
};

use crate::TestHive;

/// A proxy before Postgres. It still carries statements there when it keeps back their answers.
pub struct Gate {
    address: SocketAddr,
    closes_when: watch::Sender<Option<String>>,
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
        let (closes_when, seen) = watch::channel(None);
        let pool = hive.pool.clone();
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
                    runtime.spawn(carry(client, server, seen.clone(), pool.clone()));
                }
            }
        });
        Self { address, closes_when, accepting }
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
        self.closes_when.send_replace(Some(format!("SELECT {condition}")));
    }

    /// Lets answers through, those that were kept first.
    pub fn open(&self) {
        self.closes_when.send_replace(None);
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
    mut closes_when: watch::Receiver<Option<String>>,
    pool: PgPool,
) {
    client.set_nodelay(true).unwrap();
    let (mut client_read, mut client_write) = client.into_split();
    let (mut server_read, mut server_write) = server.into_split();
    let asking = async { tokio::io::copy(&mut client_read, &mut server_write).await.map(drop) };
    let answering = async {
        let mut piece = vec![0; 64 * 1024];
        loop {
            let length = server_read.read(&mut piece).await?;
            if length == 0 {
                return Ok(());
            }
            let condition = closes_when.borrow_and_update().clone();
            if let Some(condition) = condition {
                let closed: bool = sqlx::query_scalar(&condition).fetch_one(&pool).await.unwrap();
                if closed && closes_when.wait_for(Option::is_none).await.is_err() {
                    return Ok(());
                }
            }
            client_write.write_all(&piece[..length]).await?;
        }
    };
    let ended: std::io::Result<()> = tokio::select! { ended = asking => ended, ended = answering => ended };
    drop(ended);
}
