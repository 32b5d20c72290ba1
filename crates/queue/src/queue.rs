//! The handle everything else goes through.

use crate::{
    Config, Error, Lane, Subscription, Ticket,
    announce::{Announcer, Place},
    keys::{self, LaneKeys},
    notify::Notifier,
};
use redis::{
    Client,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A reply slower than this is an error. redis-rs gives up after 500 ms, and each such error ends an apalis
/// worker; a Redis that saves or is stopped for a moment is not worth that.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that does not come up in this time is an error; the next call tries again.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// Health asks with less patience than work does.
const PING_WITHIN: Duration = Duration::from_secs(1);

/// The door to Redis. Cheap to clone; all clones share the same connections.
#[derive(Clone, Debug)]
pub struct Queue {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    /// Short commands and sweeps.
    pub(crate) conn: ConnectionManager,
    pub(crate) prefix: String,
    pub(crate) lanes: Arc<[LaneKeys; Lane::COUNT]>,
    announcer: Announcer,
    notifier: Notifier,
}

impl Queue {
    /// Prepares connections and returns at once; Redis may be away. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Url`] and [`Error::Prefix`]: the settings cannot be used.
    pub fn connect(config: Config) -> Result<Self, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        if config.prefix.is_empty() || !config.prefix.chars().all(plain) {
            return Err(Error::Prefix(config.prefix));
        }
        let client = Client::open(config.url.as_str()).map_err(Error::Url)?;
        let conn = connection(&client)?;
        let lanes = Arc::new(Lane::ALL.map(|lane| LaneKeys::new(&config.prefix, lane)));
        let announcer = Announcer::spawn(
            conn.clone(),
            Arc::clone(&lanes),
            config.feed_cap,
            keys::wake_channel(&config.prefix),
        );
        let notifier = Notifier::spawn(connection(&client)?);
        let shared = Shared { client, conn, prefix: config.prefix, lanes, announcer, notifier };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Puts tickets into their lanes and wakes the workers. Returns when they were sent or have failed, after
    /// about 1 s at the latest.
    ///
    /// A ticket that still waits or is being handled is not added twice; those beyond the lane's cap are left
    /// out. Nothing is returned on purpose: what did not arrive is announced again by the reconciler, which
    /// finds it in Postgres. Failures are counted in `hive_queue_announce_failed_total` and logged at most
    /// once a second.
    pub async fn announce(&self, tickets: &[Ticket]) {
        self.shared.announcer.announce(tickets, Place::Last).await;
    }

    /// The same, but before everything that waits in the lane already.
    pub async fn announce_first(&self, tickets: &[Ticket]) {
        self.shared.announcer.announce(tickets, Place::First).await;
    }

    /// Tickets waiting in each lane, in the order of [`Lane::ALL`].
    ///
    /// # Errors
    /// [`Error::Redis`]: Redis is away or did not answer within 5 s.
    pub async fn depth(&self) -> Result<[u64; Lane::COUNT], Error> {
        let mut depth = [0; Lane::COUNT];
        for (keys, depth) in self.shared.lanes.iter().zip(&mut depth) {
            *depth = redis::cmd("LLEN").arg(keys.active()).query_async(&mut self.shared.conn.clone()).await?;
        }
        Ok(depth)
    }

    /// Publishes a live event, best effort: it is carried by a background task, and when Redis is slow the
    /// oldest waiting ones are dropped and counted in `hive_queue_notify_dropped_total`.
    pub async fn notify(&self, channel: &str, payload: &str) {
        self.shared.notifier.notify(keys::events_channel(&self.shared.prefix, channel), payload);
    }

    /// Subscribes to live events. Reconnects for ever; see [`crate::Notice`] for what it yields.
    #[must_use]
    pub fn subscribe(&self, channels: &[&str]) -> Subscription {
        let named =
            |channel: &&str| (keys::events_channel(&self.shared.prefix, channel), (*channel).to_owned());
        Subscription::spawn(self.shared.client.clone(), channels.iter().map(named).collect())
    }

    /// How long Redis takes to answer.
    ///
    /// # Errors
    /// [`Error::Timeout`] after 1 s, [`Error::Redis`] when it is away.
    pub async fn ping(&self) -> Result<Duration, Error> {
        let start = Instant::now();
        let mut conn = self.shared.conn.clone();
        let ping = redis::cmd("PING");
        tokio::time::timeout(PING_WITHIN, ping.exec_async(&mut conn))
            .await
            .map_err(|_| Error::Timeout(PING_WITHIN))??;
        Ok(start.elapsed())
    }
}

/// A connection that is opened on first use and again after each failure, without retries of its own: a call
/// made while Redis is away fails soon, and whoever made it decides when to try again.
pub(crate) fn connection(client: &Client) -> Result<ConnectionManager, Error> {
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_connection_timeout(Some(CONNECTION_TIMEOUT))
        .set_number_of_retries(0);
    ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(Error::Url)
}
