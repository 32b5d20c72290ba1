//! A planted memory: what says the same, what was overtaken, what three agents learnt, what is locked, junk, and the rest.

use std::collections::HashSet;

use hive_tests::TestHive;
use serde_json::{Value, json};

use super::store;

/// Facts, each in other words too. A third entry says the first one with other case and punctuation.
const SAID_AGAIN: [(&str, &str); 20] = [
    ("The checkout service listens on port 8101", "Port 8101 is the port the checkout service listens on"),
    (
        "Nightly backups of the ledger database start at 02:15",
        "The ledger database backups start nightly at 02:15",
    ),
    ("Invoices are rendered by the papermill worker", "The papermill worker is what renders invoices"),
    ("The staging cluster lives in region eu-west-3", "Region eu-west-3 is where the staging cluster lives"),
    ("Feature toggles are read from the flags table", "The flags table is where feature toggles are read"),
    ("Image thumbnails are cached for 90 minutes", "For 90 minutes image thumbnails are cached"),
    ("The search indexer wants 4 GB of memory", "Memory of 4 GB is what the search indexer wants"),
    (
        "Payments are retried with exponential backoff",
        "Exponential backoff is used when payments are retried",
    ),
    ("Customer emails go through the courier gateway", "Through the courier gateway go customer emails"),
    ("Log files are rotated after 14 days", "After 14 days log files are rotated"),
    ("The mobile app pins certificate fingerprints", "Certificate fingerprints are pinned by the mobile app"),
    ("Warehouse stock is synchronised every 20 minutes", "Every 20 minutes warehouse stock is synchronised"),
    (
        "Refunds above 500 euros want a second approval",
        "A second approval is wanted for refunds above 500 euros",
    ),
    ("The docs site is built by the gardener pipeline", "The gardener pipeline builds the docs site"),
    ("Session cookies expire after 12 hours", "After 12 hours session cookies expire"),
    (
        "The fraud model is trained on weekly snapshots",
        "Weekly snapshots are what the fraud model is trained on",
    ),
    ("Currency rates come from the northbank feed", "The northbank feed is where currency rates come from"),
    ("Load tests use the hammer profile", "The hammer profile is used by load tests"),
    ("Printer labels are 62 mm wide", "62 mm wide is how printer labels are"),
    ("Support tickets are triaged by the morning crew", "The morning crew triages support tickets"),
];
/// What held once, and what holds now.
const OVERTAKEN: [(&str, &str); 10] = [
    ("The orders queue holds 500 entries", "The orders queue holds 900 entries"),
    ("The main database runs on Postgres 15", "The main database runs on Postgres 17"),
    ("The release branch is called trunk", "The release branch is called harvest"),
    ("The api gateway times out after 30 seconds", "The api gateway times out after 45 seconds"),
    ("The design team meets on Mondays", "The design team meets on Thursdays"),
    ("The cache server has 8 GB of memory", "The cache server has 16 GB of memory"),
    ("The deploy script lives in tools/ship.sh", "The deploy script lives in tools/launch.sh"),
    ("The default locale is de", "The default locale is fr"),
    ("The billing owner is Alice", "The billing owner is Bob"),
    ("The weekly report covers 7 regions", "The weekly report covers 9 regions"),
];
/// Lessons, each in another order of words too.
const LEARNT: [(&str, &str); 10] = [
    ("Run the migrations before the integration tests", "Before the integration tests run the migrations"),
    ("Build the shop with the pg feature", "With the pg feature build the shop"),
    ("Restart the broker after changing certificates", "After changing certificates restart the broker"),
    ("Freeze the clock in calendar tests", "In calendar tests freeze the clock"),
    ("Use the small fixture for browser tests", "For browser tests use the small fixture"),
    ("Rebase long branches every morning", "Every morning rebase long branches"),
    ("Warm the cache before measuring latency", "Before measuring latency warm the cache"),
    ("Quote paths that hold spaces in the makefile", "In the makefile quote paths that hold spaces"),
    ("Check the quota before uploading artifacts", "Before uploading artifacts check the quota"),
    ("Pin the linter when the compiler changes", "When the compiler changes pin the linter"),
];
/// Locked entries, each with a later one that says otherwise and must not overtake it.
const LOCKED: [(&str, &str); 5] = [
    ("Audit logs are kept for 10 years", "Audit logs are kept for 3 years"),
    ("The root key rotates every 30 days", "The root key rotates every 300 days"),
    ("Production deploys want 2 approvals", "Production deploys want 0 approvals"),
    ("Customer data stays in Frankfurt", "Customer data stays in Dublin"),
    ("The incident channel is called lighthouse", "The incident channel is called bonfire"),
];
/// What looks alike and is not.
const NEAR_MISSES: [&str; 4] = [
    "Server alpha-1 has 64 GB",
    "Server alpha-2 has 64 GB",
    "The photo export is enabled",
    "The photo export is not slow",
];
const ADJECTIVES: [&str; 6] = ["amber", "brisk", "curly", "dusty", "eager", "frosty"];
const NOUNS: [&str; 11] = [
    "anvil", "basket", "candle", "dolphin", "engine", "falcon", "guitar", "hammock", "island", "jacket",
    "kettle",
];

/// The ids of what was planted, by what becomes of it.
pub(super) struct Planted {
    pub(super) same: Vec<[String; 3]>,
    pub(super) overtaken: Vec<(String, String)>,
    pub(super) lessons: Vec<Vec<String>>,
    pub(super) locked: Vec<String>,
    pub(super) junk: Vec<String>,
    pub(super) unrelated: Vec<String>,
    pub(super) private: String,
}

impl Planted {
    /// Plants 220 entries and one that is private.
    pub(super) async fn in_memory_of(hive: &TestHive) -> Self {
        let mut planted = Self {
            same: Vec::new(),
            overtaken: Vec::new(),
            lessons: Vec::new(),
            locked: Vec::new(),
            junk: Vec::new(),
            unrelated: Vec::new(),
            private: String::new(),
        };
        let fact = |content: &str, since: &str| json!({ "content": content, "valid_from": since });
        for (one, other) in SAID_AGAIN {
            let loud = format!("  {}!", one.to_lowercase());
            let ids = [
                store(hive, fact(one, "2026-02-01T00:00:00Z")).await,
                store(hive, fact(&loud, "2026-02-02T00:00:00Z")).await,
                store(hive, fact(other, "2026-02-03T00:00:00Z")).await,
            ];
            planted.same.push(ids);
        }
        for (old, new) in OVERTAKEN {
            let old = store(hive, fact(old, "2026-01-10T00:00:00Z")).await;
            planted.overtaken.push((old, store(hive, fact(new, "2026-06-10T00:00:00Z")).await));
        }
        let agents = agents(hive).await;
        for (one, other) in LEARNT {
            let mut ids = Vec::new();
            for (agent, words) in
                agents.iter().zip([one.to_owned(), format!("{}.", one.to_lowercase()), other.to_owned()])
            {
                ids.push(store(hive, json!({ "content": words, "kind": "lesson", "agent_id": agent })).await);
            }
            planted.lessons.push(ids);
        }
        let secret =
            json!({ "content": "The rollout hint is cornflower", "kind": "lesson", "agent_id": agents[0] });
        planted.private = store(hive, secret).await;
        for (locked, later) in LOCKED {
            let id = store(hive, fact(locked, "2026-01-01T00:00:00Z")).await;
            lock(hive, &id).await;
            planted.locked.push(id);
            planted.unrelated.push(store(hive, fact(later, "2026-07-01T00:00:00Z")).await);
        }
        for nth in 0..30 {
            let junk = json!({ "content": format!("Looked at file number {nth} in the scratch folder"), "importance": 0.02,
                               "valid_from": "2026-03-01T00:00:00Z" });
            planted.junk.push(store(hive, junk).await);
        }
        for text in NEAR_MISSES {
            planted.unrelated.push(store(hive, fact(text, "2026-03-01T00:00:00Z")).await);
        }
        for (nth, (adjective, noun)) in
            ADJECTIVES.iter().flat_map(|adjective| NOUNS.map(|noun| (adjective, noun))).enumerate()
        {
            // Teams with names that no other entry shares.
            let team = ["ba", "ko", "lu", "mi", "ne", "po"][nth % 6].repeat(1 + nth / 6 % 3)
                + ["ran", "sol", "tek", "vim"][nth / 18 % 4];
            let text = format!("The {adjective} {noun} belongs to team {team}");
            planted.unrelated.push(store(hive, fact(&text, "2026-03-01T00:00:00Z")).await);
        }
        assert_eq!(planted.unrelated.len(), 75);
        planted
    }

    /// How many of each class are as a good night leaves them: facts that one entry stands for, overtaken ones that only
    /// the later one answers, lessons that the project knows by three sources, junk that is gone.
    pub(super) fn handled(&self, visible: &[String], changes: &[Value]) -> [usize; 4] {
        let visible: HashSet<&str> = visible.iter().map(String::as_str).collect();
        let is_visible = |id: &String| visible.contains(id.as_str());
        let sources = |change: &Value| -> HashSet<String> {
            let ids = change["sources"].as_array().unwrap().iter();
            ids.map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
        };
        let born_of = |ids: &[String], kind: &str| {
            let of_kind = changes.iter().filter(|change| change["kind"] == kind && !change["born"].is_null());
            let ids: HashSet<String> = ids.iter().cloned().collect();
            of_kind.filter(|change| sources(change).iter().any(|source| ids.contains(source))).count()
        };
        [
            self.same
                .iter()
                .filter(|ids| {
                    ids.iter().filter(|id| is_visible(id)).count() + born_of(&ids[..], "merged") == 1
                })
                .count(),
            self.overtaken.iter().filter(|(old, new)| !is_visible(old) && is_visible(new)).count(),
            self.lessons
                .iter()
                .filter(|ids| {
                    let all: HashSet<String> = ids.iter().cloned().collect();
                    ids.iter().all(is_visible)
                        && changes.iter().any(|change| change["kind"] == "promoted" && sources(change) == all)
                })
                .count(),
            self.junk.iter().filter(|id| !is_visible(id)).count(),
        ]
    }
}

/// Three agents of the roster.
pub(super) async fn agents(hive: &TestHive) -> Vec<String> {
    let ids: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT id FROM agents ORDER BY id LIMIT 3").fetch_all(&hive.pool).await.unwrap();
    assert_eq!(ids.len(), 3);
    ids.iter().map(ToString::to_string).collect()
}

/// Locks an entry at its first version.
pub(super) async fn lock(hive: &TestHive, id: &str) {
    let body = json!({ "locked": true });
    let answer = reqwest::Client::new()
        .patch(format!("{}/api/v1/context/{id}", hive.apis[0].url()))
        .bearer_auth(hive.token())
        .header("If-Match", "\"1\"")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}
