//! The rate of the whole fleet at the provider: requests, input and output tokens a minute for each key and model. One
//! script asks for a call, one says what came of it; both go by the clock of Redis. What is lost with Redis is counted
//! anew, and workers without Redis keep to their share of the limits by themselves.

use std::{sync::LazyLock, time::Duration};

use redis::Script;

use crate::{Error, Queue};

static RESERVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/reserve.lua")));
static SETTLE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/settle.lua")));
static HOLD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/hold.lua")));

/// Longer than a busy machine takes: a worker that goes by its own share while Redis serves the others adds to the whole.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Which bucket: the fingerprint of a key, and a model.
#[derive(Clone, Copy, Debug)]
pub struct Bucket<'a> {
    /// The first digits of the key's SHA-256.
    pub key: &'a str,
    /// The model's id.
    pub model: &'a str,
}

/// Requests, input and output tokens of a minute; 0 where nothing is known.
pub type Minute = [u64; 3];

/// A call that is about to be made.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Input tokens that it is expected to be charged with, cached ones left out.
    pub input: u64,
    /// Output tokens that it is expected to be charged with.
    pub output: u64,
    /// No reply has shown yet how many tokens calls take: who finds no place asks again within seconds.
    pub is_guess: bool,
    /// The limits that were configured; 0 goes by what the provider said.
    pub limits: Minute,
    /// It repeats a call that failed.
    pub repeats: bool,
    /// What has to wait longer gets no place.
    pub longest_wait: Duration,
    /// Repeats among the calls of a minute, in percent, and at least so many.
    pub repeats_allowed: (u32, u32),
}

/// What a call gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Its place: it may be made after this time.
    Go(Duration),
    /// The provider said when to come back, and that lies so far ahead.
    Held(Duration),
    /// There is no place soon; ask again after this time. Those who ask together are told different times.
    Full(Duration),
    /// Too many of the minute's calls were repeats; ask again after this time.
    TooManyRepeats(Duration),
}

/// How a call ended, as far as it tells about the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was answered.
    Answered,
    /// The provider or the way to it failed.
    Failed,
    /// It says nothing about the provider.
    Neither,
}

/// What came of a call that had a place.
#[derive(Clone, Copy, Debug)]
pub struct Settlement {
    /// Input and output tokens that it asked for.
    pub asked: [u64; 2],
    /// How long ago its place was, when they were a guess: see [`Ask::is_guess`]. Nothing is given back of a guess that
    /// others stand behind.
    pub guessed: Option<Duration>,
    /// Those that it was charged with.
    pub charged: [u64; 2],
    /// It was sent; else its request is given back as well.
    pub is_sent: bool,
    /// The limits that were configured; 0 for none.
    pub limits: Minute,
    /// The limits that the provider's headers named; 0 where they did not.
    pub said: Minute,
    /// What the headers say is left of them.
    pub left: [Option<u64>; 3],
    /// How it ended.
    pub ended: Ended,
    /// Failures in a row that are too many; how many of the last ends are looked at, half of which may not be failures;
    /// for how long an end counts.
    pub too_many: (u32, u32, Duration),
}

impl Queue {
    /// Asks for a place of a call. When what it takes is a guess, and another worker was charged for a guess meanwhile, `ask`
    /// says afterwards what the place has.
    ///
    /// # Errors
    /// [`Error::Timeout`] after 2 s, [`Error::Redis`] when Redis is away: the caller keeps to its share.
    pub async fn reserve(&self, bucket: Bucket<'_>, ask: &mut Ask) -> Result<Grant, Error> {
        let mut call = RESERVE.prepare_invoke();
        call.key(self.gate_key(bucket, "rate")).key(self.gate_key(bucket, "hold"));
        call.arg(ask.input).arg(ask.output);
        ask.limits.iter().for_each(|limit| {
            call.arg(*limit);
        });
        call.arg(u8::from(ask.repeats)).arg(millis(ask.longest_wait));
        call.arg(ask.repeats_allowed.0).arg(ask.repeats_allowed.1).arg(u8::from(ask.is_guess));
        let answer: Vec<u64> = within(call.invoke_async(&mut self.shared.conn.clone())).await?;
        let wait = Duration::from_millis(answer.get(1).copied().unwrap_or(0));
        if let [0, _, input, output, is_guess] = *answer {
            (ask.input, ask.output, ask.is_guess) = (input, output, is_guess == 1);
        }
        Ok(match answer.first() {
            Some(0) => Grant::Go(wait),
            Some(1) => Grant::Held(wait),
            Some(2) => Grant::Full(wait),
            _ => Grant::TooManyRepeats(wait),
        })
    }

    /// Says what came of a call. True: so many failed lately that the model's breaker should open.
    ///
    /// # Errors
    /// As [`Queue::reserve`].
    pub async fn settle_call(&self, bucket: Bucket<'_>, settlement: &Settlement) -> Result<bool, Error> {
        let mut call = SETTLE.prepare_invoke();
        call.key(self.gate_key(bucket, "rate")).key(self.gate_key(bucket, "seen"));
        let numbers =
            [settlement.asked.as_slice(), &settlement.charged, &settlement.limits, &settlement.said];
        numbers.into_iter().flatten().for_each(|number| {
            call.arg(*number);
        });
        settlement.left.iter().for_each(|left| {
            call.arg(left.map_or(-1, |left| i64::try_from(left).unwrap_or(i64::MAX)));
        });
        call.arg(match settlement.ended {
            Ended::Answered => 0,
            Ended::Failed => 1,
            Ended::Neither => -1,
        });
        let (in_a_row, among, window) = settlement.too_many;
        call.arg(in_a_row).arg(among).arg(millis(window)).arg(u8::from(!settlement.is_sent));
        call.arg(settlement.guessed.map_or(-1, |ago| i64::try_from(millis(ago)).unwrap_or(i64::MAX)));
        let too_many: u8 = within(call.invoke_async(&mut self.shared.conn.clone())).await?;
        Ok(too_many == 1)
    }

    /// No worker that asks Redis calls before this time has passed; a longer hold stands.
    ///
    /// # Errors
    /// As [`Queue::reserve`].
    pub async fn hold(&self, bucket: Bucket<'_>, wait: Duration) -> Result<(), Error> {
        let mut call = HOLD.prepare_invoke();
        call.key(self.gate_key(bucket, "hold")).arg(millis(wait).max(1));
        let _: u8 = within(call.invoke_async(&mut self.shared.conn.clone())).await?;
        Ok(())
    }

    /// How long no worker calls yet, as far as Redis knows.
    ///
    /// # Errors
    /// As [`Queue::reserve`].
    pub async fn held(&self, bucket: Bucket<'_>) -> Result<Duration, Error> {
        let (key, mut ask) = (self.gate_key(bucket, "hold"), redis::cmd("PTTL"));
        // Below zero where nothing is held.
        let left: i64 = within(ask.arg(key).query_async(&mut self.shared.conn.clone())).await?;
        Ok(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
    }

    /// Ends a hold before its time.
    ///
    /// # Errors
    /// As [`Queue::reserve`].
    pub async fn lift_hold(&self, bucket: Bucket<'_>) -> Result<(), Error> {
        let (key, mut lift) = (self.gate_key(bucket, "hold"), redis::cmd("DEL"));
        let _: u8 = within(lift.arg(key).query_async(&mut self.shared.conn.clone())).await?;
        Ok(())
    }

    /// The braces keep the keys of a bucket in one cluster slot.
    fn gate_key(&self, bucket: Bucket<'_>, name: &str) -> String {
        format!("{{{}:gate:{}:{}}}:{name}", self.shared.prefix, bucket.key, bucket.model)
    }
}

/// Rounded up: a wait that the provider named is not undercut.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).min(1 << 45)
}

async fn within<T>(answer: impl Future<Output = redis::RedisResult<T>>) -> Result<T, Error> {
    match tokio::time::timeout(ANSWER_WITHIN, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Error::Timeout(ANSWER_WITHIN)),
    }
}
