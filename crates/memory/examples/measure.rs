//! Latency and recall of searches among many entries, over a durable Postgres of its own.
//!
//! `cargo run --release --package hive-memory --example measure -- [entries] [seconds]` prints, for a reader who may see
//! half of the entries and one who may see a hundredth, what 50 searches at a time take, how many of the ten nearest an
//! exact comparison finds too, and what storing takes.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on has ended")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hive_domain::{
    AgentDefinition, AgentId, ContextId, Limits, MemoryOwner, MemoryReader, ProjectId, TrustClass,
};
use hive_embed::{Config, Embedder, Kind};
use hive_local::{Stores, StoresConfig};
use hive_memory::{Memory, Recall, Settings, fuse::Weights, index::Filter};
use hive_store::{NewAgent, NewContext, Store};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use sqlx::PgPool;
use uuid::Uuid;

const PROJECT: ProjectId = ProjectId::DEFAULT;
/// Texts that are really embedded; the others are mixtures of two of them.
const EMBEDDED: usize = 4_000;
const AT_ONCE: usize = 50;
/// Questions that were asked before.
const KNOWN: u64 = 300;

const SUBJECTS: &str = "deployment invoice certificate queue worker schema index backup tenant session cache gateway \
    printer payroll contract shipment warehouse sensor camera ticket release branch mailbox calendar voucher refund \
    parcel turbine greenhouse harbour library theatre museum orchestra recipe garden bakery bicycle";
const VERBS: &str = "failed moved expired grew stalled recovered changed leaked vanished restarted doubled shrank \
    overheated merged split closed opened rotated drifted timed";
const PLACES: &str =
    "Berlin Lisbon Oslo Prague Quito Riga Sofia Turin Utrecht Vienna Warsaw Zagreb Accra Bogota Cairo";
const CAUSES: &str = "power network memory weather holiday typo firmware audit strike migration licence humidity \
    traffic budget vendor password firewall timeout rounding timezone";

fn sentence(rng: &mut StdRng) -> String {
    let mut pick =
        |words: &str| words.split_whitespace().collect::<Vec<_>>().choose(rng).unwrap().to_string();
    let (subject, verb, place, cause, other) =
        (pick(SUBJECTS), pick(VERBS), pick(PLACES), pick(CAUSES), pick(SUBJECTS));
    let number = rng.random_range(1..5_000);
    format!("The {subject} in {place} {verb} because of the {cause}, and {other} {number} was told about it")
}

fn question(rng: &mut StdRng) -> String {
    let mut pick =
        |words: &str| words.split_whitespace().collect::<Vec<_>>().choose(rng).unwrap().to_string();
    let (subject, verb, place) = (pick(SUBJECTS), pick(VERBS), pick(PLACES));
    let number = rng.random_range(1..5_000);
    format!("why was it that the {subject} of {place} {verb} in week {number}")
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>().unwrap());
    let (entries, seconds) = (arguments.next().unwrap_or(100_000), arguments.next().unwrap_or(20));
    let directory = tempfile::tempdir().unwrap();
    let stores = Stores::start(&StoresConfig::new(directory.path().join("state"))).unwrap();
    let url = stores.database_url().unwrap().to_owned();
    let store = Store::connect_lazy(&hive_store::Config::new(url.clone())).unwrap();
    store.migrate().await.unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    let embedder = Embedder::open(&Config::embedded()).unwrap();
    let mut rng = StdRng::seed_from_u64(7);

    // A half for one agent, a hundredth for another, the rest for a third.
    let agents = [agent(&store, "half").await, agent(&store, "hundredth").await, agent(&store, "rest").await];
    let begun = Instant::now();
    let texts: Vec<String> = (0..EMBEDDED).map(|_| sentence(&mut rng)).collect();
    let mut vectors = Vec::new();
    for texts in texts.chunks(512) {
        vectors.extend(embedder.embed(texts, Kind::Document).await.unwrap());
    }
    let each = begun.elapsed() / u32::try_from(EMBEDDED).unwrap();
    println!("a text of {} tokens is embedded in {each:?}", embedder.count_tokens(&texts[0]));
    seed(&pool, entries, &agents, &vectors, &mut rng).await;
    println!("{entries} entries after {:?}", begun.elapsed());

    let memory = Memory::new(store.clone(), embedder.clone(), Settings::default());
    let tended = memory.clone();
    tokio::spawn(async move { tended.tend().await });
    let first = Instant::now();
    recall(&memory, agents[0], "anything", Weights::default()).await;
    println!(
        "the first search, which reads the index: {:?}; {} MiB of index",
        first.elapsed(),
        memory.bytes() >> 20
    );
    println!("resident: {} MiB", resident());

    for (name, agent) in [("50 %", agents[0]), ("1 %", agents[1])] {
        for cold in [true, false] {
            search_for(&memory, agent, name, cold, Duration::from_secs(seconds as u64)).await;
        }
        nearest(&memory, &pool, &embedder, agent, name).await;
    }
    storing(&memory, &store, agents[1]).await;
    println!("resident: {} MiB", resident());
}

async fn agent(store: &Store, name: &str) -> AgentId {
    let definition = AgentDefinition {
        role: String::new(),
        system_prompt: String::new(),
        model: "work".to_owned(),
        fallback_models: Vec::new(),
        tools: Vec::new(),
        capabilities: Vec::new(),
        limits: Limits::default(),
    };
    let new = NewAgent {
        id: AgentId::new(),
        project: PROJECT,
        name: name.to_owned(),
        kind: "any".to_owned(),
        definition,
    };
    store.create_agent(&new).await.unwrap().id
}

async fn seed(pool: &PgPool, entries: usize, agents: &[AgentId; 3], vectors: &[Vec<f32>], rng: &mut StdRng) {
    sqlx::query("DROP INDEX context_vectors_minilm").execute(pool).await.unwrap();
    let (mut ids, mut owners, mut texts, mut written): (Vec<Uuid>, Vec<Uuid>, Vec<String>, Vec<String>) =
        Default::default();
    for number in 0..entries {
        let agent = match number % 100 {
            0 => agents[1],
            rest if rest % 2 == 1 => agents[0],
            _ => agents[2],
        };
        ids.push(Uuid::now_v7());
        owners.push(agent.uuid());
        texts.push(sentence(rng));
        let (a, b) = (vectors.choose(rng).unwrap(), vectors.choose(rng).unwrap());
        let mut mixed: Vec<f32> =
            a.iter().zip(b).map(|(a, b)| 0.8 * a + 0.4 * b + rng.random_range(-0.02..0.02)).collect();
        let length = mixed.iter().map(|x| x * x).sum::<f32>().sqrt();
        mixed.iter_mut().for_each(|x| *x /= length);
        written.push(format!("{mixed:?}"));
        if ids.len() == 1_000 || number + 1 == entries {
            sqlx::query(
                "WITH new AS (
                     INSERT INTO contexts (id, lineage, scope, project_id, agent_id, kind, content, trust, author, valid_from)
                     SELECT id, id, 'agent', $5, agent, 'fact', content, 'user', 'seed', now()
                     FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS n (id, agent, content)
                 )
                 INSERT INTO context_vectors (context_id, model, chunk, dims, vector)
                 SELECT id, 'minilm-l6-v2-int8', 0, 384, vector::vector
                 FROM unnest($1::uuid[], $4::text[]) AS n (id, vector)",
            )
            .bind(std::mem::take(&mut ids))
            .bind(std::mem::take(&mut owners))
            .bind(std::mem::take(&mut texts))
            .bind(std::mem::take(&mut written))
            .bind(PROJECT.uuid())
            .execute(pool)
            .await
            .unwrap();
        }
    }
    for sql in [
        "SET maintenance_work_mem = '512MB'",
        "CREATE INDEX context_vectors_minilm ON context_vectors USING hnsw ((vector::vector(384)) vector_cosine_ops)
         WHERE model = 'minilm-l6-v2-int8'",
        "VACUUM ANALYZE",
    ] {
        sqlx::query(sql).execute(pool).await.unwrap();
    }
}

async fn recall(memory: &Memory, agent: AgentId, text: &str, weights: Weights) -> Vec<ContextId> {
    let recall = Recall {
        text: text.to_owned(),
        reader: MemoryReader { project: PROJECT, session: None, agent: Some(agent) },
        as_of: None,
        filter: Filter::default(),
        weights,
        most: 10,
    };
    let recalled = memory.recall(&recall).await.unwrap();
    assert!(recalled.model.is_some(), "a query was not embedded");
    recalled.hits.into_iter().map(|hit| hit.context.id).collect()
}

/// 50 searches at a time; cold ones ask what nobody asked before, so that each is embedded.
async fn search_for(memory: &Memory, agent: AgentId, name: &str, cold: bool, time: Duration) {
    let known = |number: u64| question(&mut StdRng::seed_from_u64(number % KNOWN));
    if !cold {
        for number in 0..KNOWN {
            recall(memory, agent, &known(number), Weights::default()).await;
        }
    }
    let (stop, number) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (begun, used) = (Instant::now(), cpu());
    let clients: Vec<_> = (0..AT_ONCE)
        .map(|client| {
            let (memory, stop, number) = (memory.clone(), Arc::clone(&stop), Arc::clone(&number));
            tokio::spawn(async move {
                let mut rng = StdRng::seed_from_u64(client as u64);
                let mut times = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let at = number.fetch_add(1, Ordering::Relaxed);
                    let text = if cold { question(&mut rng) } else { known(at as u64) };
                    let begun = Instant::now();
                    recall(&memory, agent, &text, Weights::default()).await;
                    times.push(begun.elapsed());
                }
                times
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.unwrap());
    }
    let (took, used) = (begun.elapsed(), cpu() - used);
    let kind = if cold { "new questions" } else { "questions asked before" };
    let per_second = times.len() as f64 / took.as_secs_f64();
    let each = used * 1_000.0 / times.len() as f64;
    println!(
        "{name}, {kind}: {per_second:.0} searches/s, p50 {:.1} ms, p95 {:.1} ms, {each:.2} ms of this process' processor each",
        percentile(&mut times, 50),
        percentile(&mut times, 95),
    );
}

/// How many of the ten nearest by an exact comparison in Postgres a search by meaning alone finds.
async fn nearest(memory: &Memory, pool: &PgPool, embedder: &Embedder, agent: AgentId, name: &str) {
    let only =
        Weights { vector: 1.0, text: 0.0, text_window: 0.0, vector_window: 0.0, exact: 0.0, strength: 0.0 };
    let mut rng = StdRng::seed_from_u64(99);
    let (mut hits, mut all) = (0, 0);
    for _ in 0..100 {
        let text = question(&mut rng);
        let vector = embedder.embed(std::slice::from_ref(&text), Kind::Query).await.unwrap().remove(0);
        let exact: Vec<Uuid> = sqlx::query_scalar(
            "WITH own AS MATERIALIZED (
                 SELECT v.context_id, v.vector FROM context_vectors v JOIN contexts c ON c.id = v.context_id
                 WHERE c.agent_id = $1 AND v.model = 'minilm-l6-v2-int8'
             )
             SELECT context_id FROM own ORDER BY vector <=> $2::real[]::vector LIMIT 10",
        )
        .bind(agent.uuid())
        .bind(vector)
        .fetch_all(pool)
        .await
        .unwrap();
        let found = recall(memory, agent, &text, only).await;
        all += exact.len();
        hits += exact.iter().filter(|id| found.contains(&ContextId::from(**id))).count();
    }
    println!("{name}: {hits} of the {all} nearest are found");
}

async fn storing(memory: &Memory, store: &Store, agent: AgentId) {
    for at_once in [1, 8] {
        let clients: Vec<_> = (0..at_once)
            .map(|client| {
                let (memory, store) = (memory.clone(), store.clone());
                tokio::spawn(async move {
                    let mut rng = StdRng::seed_from_u64(1_000 + client);
                    let mut times = Vec::new();
                    for _ in 0..200 {
                        let new = NewContext {
                            id: ContextId::new(),
                            owner: MemoryOwner::Agent(PROJECT, agent),
                            parent: None,
                            follows: None,
                            kind: "fact".to_owned(),
                            title: String::new(),
                            content: sentence(&mut rng),
                            trust: TrustClass::User,
                            author: "measure".to_owned(),
                            origin: None,
                            sources: Vec::new(),
                            valid_from: None,
                            valid_to: None,
                            importance: 0.5,
                            pinned: false,
                        };
                        let begun = Instant::now();
                        let vectors = memory.vectors_of(&new.title, &new.content).await;
                        store.put_context(&new, vectors.as_ref()).await.unwrap();
                        times.push(begun.elapsed());
                    }
                    times
                })
            })
            .collect();
        let mut times = Vec::new();
        for client in clients {
            times.extend(client.await.unwrap());
        }
        println!(
            "storing, {at_once} at a time: p50 {:.1} ms, p95 {:.1} ms",
            percentile(&mut times, 50),
            percentile(&mut times, 95)
        );
    }
}

fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100).saturating_sub(1)].as_secs_f64() * 1e3
}

/// Seconds of the processor that this process has used.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// The resident set, in MiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() >> 10
}
