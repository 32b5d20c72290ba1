//! Reading live events: a subscription that reconnects for ever and says when something may be missing.

use futures::{Stream, StreamExt};
use redis::Client;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::mpsc, time};
use tokio_util::task::AbortOnDropHandle;

/// Messages that may wait for the reader. A slower reader gets a [`Notice::Gap`] instead of more.
const WAITING: usize = 1_024;
/// A connection that takes longer to come up is given up and tried again.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Pause between two attempts to connect.
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// A dead peer looks like a quiet one, so each connection is asked this often and has as long to answer.
const PING_EVERY: Duration = Duration::from_secs(5);

/// What a subscription yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// From here on messages arrive; earlier ones may be missing. Comes first, after each reconnect, and when
    /// the reader was too slow. Read the truth again.
    Gap,
    /// A message.
    Message {
        /// The channel as it was subscribed, without the prefix.
        channel: String,
        /// What was published.
        payload: String,
    },
}

/// A stream of [`Notice`]s that ends only when it is dropped.
#[derive(Debug)]
pub struct Subscription {
    notices: mpsc::Receiver<Notice>,
    _task: AbortOnDropHandle<()>,
}

impl Subscription {
    /// `channels`: pairs of the name in Redis and the name the reader knows.
    pub(crate) fn spawn(client: Client, channels: Vec<(String, String)>) -> Self {
        let (sender, notices) = mpsc::channel(WAITING);
        let task = tokio::spawn(async move {
            let mut out = Out { sender, gap: false };
            loop {
                if let Err(error) = listen(&client, &channels, &mut out).await {
                    tracing::debug!(%error, "The subscription to Redis ended; connecting again");
                }
                time::sleep(RETRY_AFTER).await;
            }
        });
        Self { notices, _task: AbortOnDropHandle::new(task) }
    }

    /// The next notice.
    pub async fn recv(&mut self) -> Notice {
        // The task holds the sender and never ends before this value does; should it panic, silence is all
        // that is left to say.
        match self.notices.recv().await {
            Some(notice) => notice,
            None => std::future::pending().await,
        }
    }
}

impl Stream for Subscription {
    type Item = Notice;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Notice>> {
        self.notices.poll_recv(cx)
    }
}

struct Out {
    sender: mpsc::Sender<Notice>,
    /// A gap could not be handed over yet.
    gap: bool,
}

impl Out {
    fn gap(&mut self) {
        self.gap = self.sender.try_send(Notice::Gap).is_err();
    }

    fn message(&mut self, channel: String, payload: String) {
        if self.gap {
            self.gap();
        }
        if self.gap || self.sender.try_send(Notice::Message { channel, payload }).is_err() {
            self.gap = true;
            metrics::counter!("hive_queue_subscription_overflow_total").increment(1);
        }
    }
}

async fn listen(client: &Client, channels: &[(String, String)], out: &mut Out) -> redis::RedisResult<()> {
    let late = || redis::RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    let connect = async {
        let (mut sink, stream) = client.get_async_pubsub().await?.split();
        let names: Vec<&str> = channels.iter().map(|(stored, _)| stored.as_str()).collect();
        sink.subscribe(names).await?;
        Ok::<_, redis::RedisError>((sink, stream))
    };
    let (mut sink, mut stream) = time::timeout(CONNECT_WITHIN, connect).await.map_err(|_| late())??;
    out.gap();

    let mut ping = time::interval(PING_EVERY);
    ping.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = stream.next() => {
                let Some(message) = message else { return Ok(()) };
                let stored = message.get_channel_name();
                let known = channels.iter().find(|(name, _)| name == stored).map(|(_, known)| known.clone());
                let payload: String = message.get_payload()?;
                if let Some(channel) = known {
                    out.message(channel, payload);
                }
            }
            _ = ping.tick() => {
                if out.gap {
                    out.gap();
                }
                time::timeout(PING_EVERY, sink.ping::<redis::Value>()).await.map_err(|_| late())??;
            }
        }
    }
}
