//! What a story does to its Redis.

use hive_local::{RedisData, testing::PrivateRedis};
use hive_queue::{Config, Lane, Queue, Subscription, Ticket};
use uuid::Uuid;

use crate::{hive::TestHive, stores::Tickets};

impl TestHive {
    fn own_redis(&mut self) -> &mut PrivateRedis {
        match &mut self.tickets {
            Tickets::Own(redis) => redis,
            Tickets::Shared | Tickets::User(..) => {
                panic!("this story shares its Redis; build it with own_redis()")
            }
        }
    }

    fn redis(&self) -> redis::Connection {
        redis::Client::open(self.tickets.url()).unwrap().get_connection().unwrap()
    }

    /// Forgets everything in Redis.
    ///
    /// # Panics
    /// When the story shares its Redis, or Redis does not answer.
    pub fn flush_redis(&mut self) {
        // Only a Redis of one's own may be flushed.
        self.own_redis();
        redis::cmd("FLUSHALL").exec(&mut self.redis()).unwrap();
    }

    /// Listens to these channels of the hive.
    ///
    /// # Panics
    /// When Redis is not named well.
    #[must_use]
    pub fn listen(&self, channels: &[&str]) -> Subscription {
        let prefix = self.prefix.clone();
        Queue::connect(Config { prefix, ..Config::new(self.tickets.url()) }).unwrap().subscribe(channels)
    }

    /// Kills Redis.
    pub fn kill_redis(&mut self) {
        self.own_redis().kill();
    }

    /// Starts a killed Redis again, empty, at the same address.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_redis(&mut self) {
        self.own_redis().start(RedisData::Wipe).unwrap();
    }

    /// Announces a task again, as a late or repeated announcement would.
    ///
    /// # Panics
    /// When Redis is not named well.
    pub async fn push_ticket(&self, task: Uuid, epoch: i64) {
        let prefix = self.prefix.clone();
        let queue = Queue::connect(Config { prefix, ..Config::new(self.tickets.url()) }).unwrap();
        queue.announce(&[Ticket { task_id: task, epoch, lane: Lane::Normal }]).await;
    }
}
