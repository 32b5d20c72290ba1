//! Looking at what lies in the lanes, without touching it.

use std::time::Duration;

use redis::FromRedisValue;

use crate::{Error, Lane, Queue, Ticket, scripts};

/// Tickets of a lane that are shown at most; a lane takes 500 unless told otherwise.
const MOST: usize = 10_000;

/// What lies in one lane.
#[derive(Clone, Debug)]
pub struct LaneList {
    /// The lane.
    pub lane: Lane,
    /// How many tickets wait in it, shown or not.
    pub waiting: u64,
    /// The tickets, waiting or held by a worker that has not handed them over yet.
    pub tickets: Vec<ListedTicket>,
    /// Entries that nobody here wrote, as they are.
    pub unreadable: Vec<String>,
}

/// A ticket as it lies in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedTicket {
    /// The ticket.
    pub ticket: Ticket,
    /// How long ago it was announced, by Redis' clock; `None` when its bookkeeping is gone.
    pub age: Option<Duration>,
    /// Whether a worker has fetched it.
    pub held: bool,
}

impl Queue {
    /// The tickets of all lanes, in the order of [`Lane::ALL`]. Each lane is one moment. Reads only.
    ///
    /// # Errors
    /// [`Error::Redis`]: Redis is away or did not answer within 5 s.
    pub async fn list(&self) -> Result<Vec<LaneList>, Error> {
        let mut lanes = Vec::with_capacity(Lane::ALL.len());
        for keys in self.shared.lanes.iter() {
            let values = scripts::list(&self.shared.conn, keys, MOST).await?;
            lanes.push(read(keys.lane, &values)?);
        }
        Ok(lanes)
    }
}

fn read(lane: Lane, values: &[redis::Value]) -> Result<LaneList, Error> {
    let number = |value: Option<&redis::Value>| -> Result<u64, Error> {
        Ok(value
            .map(u64::from_redis_value_ref)
            .transpose()
            .map_err(redis::RedisError::from)?
            .unwrap_or_default())
    };
    let (now, waiting) = (number(values.first())?, number(values.get(1))?);
    let mut list = LaneList { lane, waiting, tickets: Vec::new(), unreadable: Vec::new() };
    for entry in values.get(2..).unwrap_or_default().chunks_exact(3) {
        let id = Vec::<u8>::from_redis_value_ref(&entry[0]).map_err(redis::RedisError::from)?;
        let (at, held) = (number(entry.get(1))?, number(entry.get(2))? == 1);
        match Ticket::read(&id, lane) {
            Some(ticket) => {
                let age = (at > 0).then(|| Duration::from_secs(now.saturating_sub(at)));
                list.tickets.push(ListedTicket { ticket, age, held });
            }
            None => list.unreadable.push(String::from_utf8_lossy(&id).into_owned()),
        }
    }
    Ok(list)
}
