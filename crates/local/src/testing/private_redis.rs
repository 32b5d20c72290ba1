//! A Redis for one test, which may do to it whatever it likes.

use std::ops::{Deref, DerefMut};

use crate::{Error, Redis, ThrowAway};

/// A Redis of a test's own: [`Redis::kill`], [`Redis::stop`], [`Redis::start`], [`Redis::freeze`],
/// [`Redis::thaw`], [`Redis::url`]. The URL stays the same over restarts. It ends when this is dropped.
#[derive(Debug)]
pub struct PrivateRedis(ThrowAway);

impl PrivateRedis {
    /// Starts an empty Redis.
    ///
    /// # Errors
    /// As [`crate::Stores::start`].
    pub fn start() -> Result<Self, Error> {
        ThrowAway::start(false, true).map(Self)
    }
}

impl Deref for PrivateRedis {
    type Target = Redis;

    fn deref(&self) -> &Redis {
        self.0.redis_ref().expect("start asked for Redis, and nothing takes it away")
    }
}

impl DerefMut for PrivateRedis {
    fn deref_mut(&mut self) -> &mut Redis {
        self.0.redis().expect("start asked for Redis, and nothing takes it away")
    }
}
