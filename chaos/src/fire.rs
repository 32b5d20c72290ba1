//! The strikes of a run, and what is watched meanwhile.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    fleet::Fleet,
    metrics::Counters,
    open::drained,
    options::Options,
    plan::{self, Amounts, Strike},
    strike::Struck,
    verify,
};

/// Kills that must have hit a task in flight: fewer prove nothing.
pub(crate) const LEAST_KILLS: usize = 20;
/// Once no more kills than these can be spared, each waits for its worker to run something.
const SPARE: usize = 6;
/// How long a kill waits for that.
const AIM: Duration = Duration::from_secs(3);
/// How often the checker runs under fire.
const VERIFY_EVERY: Duration = Duration::from_secs(15);

/// The strikes, and what is watched meanwhile.
pub(crate) struct Fire {
    plan: Vec<(Duration, Strike)>,
    /// Kills that wait for a run to hit, and until when.
    aimed: Vec<(Duration, Strike)>,
    pub(crate) struck: Struck,
    pub(crate) counters: Counters,
    http: reqwest::Client,
    pub(crate) verified: usize,
    pub(crate) violations: Vec<String>,
}

impl Fire {
    pub(crate) fn new(options: &Options, seed: u64) -> anyhow::Result<Self> {
        Ok(Self {
            plan: plan::plan(seed, options.span(), &Amounts::of(options.long)),
            aimed: Vec::new(),
            struck: Struck::default(),
            counters: Counters::default(),
            http: reqwest::Client::builder().no_proxy().build()?,
            verified: 0,
            violations: Vec::new(),
        })
    }

    pub(crate) async fn burn(&mut self, fleet: &mut Fleet) -> anyhow::Result<()> {
        let started = Instant::now();
        let (mut scraped, mut checked) = (started, started);
        let plan = std::mem::take(&mut self.plan);
        let mut shots = plan.iter().filter(|(_, strike)| strike.kills_a_worker()).count();
        for (at, strike) in plan {
            while started.elapsed() < at {
                self.struck.revive(fleet)?;
                self.fire_aimed(fleet, started).await?;
                if scraped.elapsed() > Duration::from_secs(1) {
                    self.counters.scrape(fleet, &self.http).await;
                    scraped = Instant::now();
                }
                if checked.elapsed() > VERIFY_EVERY {
                    self.verify(fleet).await?;
                    checked = Instant::now();
                }
                sleep(Duration::from_millis(20)).await;
            }
            // While there are kills to spare they fall where they fall; the last ones wait for a run to hit.
            let kills = strike.kills_a_worker();
            if kills && shots <= SPARE + self.struck.still_to_hit(LEAST_KILLS) {
                self.aimed.push((at + AIM, strike));
            } else {
                self.strike(fleet, started, strike).await?;
            }
            shots -= usize::from(kills);
        }
        while !self.aimed.is_empty() {
            self.struck.revive(fleet)?;
            self.fire_aimed(fleet, started).await?;
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn strike(&mut self, fleet: &mut Fleet, started: Instant, strike: Strike) -> anyhow::Result<()> {
        println!("{:>6.1} s  {strike}", started.elapsed().as_secs_f64());
        self.struck.strike(fleet, strike).await
    }

    /// Kills whose worker runs something now, or whose time is over.
    async fn fire_aimed(&mut self, fleet: &mut Fleet, started: Instant) -> anyhow::Result<()> {
        for (by, strike) in std::mem::take(&mut self.aimed) {
            if started.elapsed() < by && self.struck.would_miss(fleet, strike).await {
                self.aimed.push((by, strike));
            } else {
                self.strike(fleet, started, strike).await?;
            }
        }
        Ok(())
    }

    async fn verify(&mut self, fleet: &Fleet) -> anyhow::Result<()> {
        if let Some(verified) = verify::now(fleet).await? {
            self.verified += 1;
            self.violations.extend(verified.at_any_moment());
        }
        Ok(())
    }

    /// Keeps everything alive until the client is done.
    pub(crate) async fn watch_until(
        &mut self,
        fleet: &mut Fleet,
        deadline: Instant,
        submitting: tokio::task::JoinHandle<()>,
    ) -> anyhow::Result<()> {
        while !submitting.is_finished() {
            if Instant::now() > deadline {
                // What was not submitted by now is judged as missing.
                submitting.abort();
                return Ok(());
            }
            self.struck.revive(fleet)?;
            self.counters.scrape(fleet, &self.http).await;
            sleep(Duration::from_millis(500)).await;
        }
        Ok(submitting.await?)
    }

    /// Waits until nothing is open, or the time is up; what is open then.
    pub(crate) async fn drain(&mut self, fleet: &mut Fleet, deadline: Instant) -> anyhow::Result<i64> {
        fleet.all_ready(Duration::from_secs(60)).await?;
        drained(fleet, deadline, async |fleet| {
            self.struck.revive(fleet)?;
            self.counters.scrape(fleet, &self.http).await;
            Ok(())
        })
        .await
    }
}
