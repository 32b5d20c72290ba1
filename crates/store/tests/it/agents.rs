//! Agents and their versions.

use hive_domain::{AgentId, AgentStatus, ProjectId};
use hive_store::{Error, NewAgent};

use crate::bed::{Bed, connect, definition, new_agent};

#[tokio::test]
async fn a_changed_definition_is_a_new_version_and_the_old_one_stays() {
    let bed = Bed::make().await;
    let changed = bed
        .store
        .update_agent(
            bed.agent,
            Some(1),
            Some("maker"),
            Some(AgentStatus::Inactive),
            Some(&definition("Makes.")),
        )
        .await
        .unwrap();
    assert_eq!((changed.version, changed.name.as_str(), changed.status), (2, "maker", AgentStatus::Inactive));
    assert_eq!(changed.definition, definition("Makes."));
    assert!(changed.updated_at > changed.created_at);
    assert_eq!(bed.store.agent_definition(bed.agent, 1).await.unwrap(), definition("Builds things."));
    assert_eq!(bed.store.agent_definition(bed.agent, 2).await.unwrap(), definition("Makes."));

    let renamed = bed.store.update_agent(bed.agent, None, Some("builder"), None, None).await.unwrap();
    assert_eq!((renamed.version, renamed.status), (2, AgentStatus::Inactive), "a name is no version");
}

#[tokio::test]
async fn an_update_of_what_somebody_changed_meanwhile_is_a_conflict() {
    let bed = Bed::make().await;
    let mut updates = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let (store, agent) = (bed.store.clone(), bed.agent);
        updates.spawn(async move {
            let definition = definition(&format!("writer {writer}"));
            store.update_agent(agent, Some(1), None, None, Some(&definition)).await
        });
    }
    let (won, lost): (Vec<_>, Vec<_>) = updates.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    for error in lost.into_iter().filter_map(Result::err) {
        assert!(matches!(error, Error::Conflict { code: "agent_changed", .. }), "{error:?}");
    }
    assert_eq!(bed.number("SELECT count(*) FROM agent_versions").await, 2);
}

#[tokio::test]
async fn what_is_wrong_with_an_agent_is_named() {
    let bed = Bed::make().await;
    let taken = bed.store.create_agent(&new_agent("builder", "qa")).await.unwrap_err();
    assert!(matches!(taken, Error::Conflict { code: "agent_name_taken", .. }), "{taken:?}");
    let nowhere = NewAgent { project: ProjectId::new(), ..new_agent("x", "qa") };
    let nowhere = bed.store.create_agent(&nowhere).await.unwrap_err();
    assert!(matches!(nowhere, Error::Invalid { field: "/project_id", .. }), "{nowhere:?}");
    let other = new_agent("other", "qa");
    bed.store.create_agent(&other).await.unwrap();
    let taken = bed.store.update_agent(other.id, None, Some("builder"), None, None).await.unwrap_err();
    assert!(matches!(taken, Error::Conflict { code: "agent_name_taken", .. }), "{taken:?}");
    for missing in [
        bed.store.agent(AgentId::new()).await.map(drop).unwrap_err(),
        bed.store.update_agent(AgentId::new(), None, None, None, None).await.map(drop).unwrap_err(),
        bed.store.agent_definition(bed.agent, 9).await.map(drop).unwrap_err(),
    ] {
        assert!(matches!(missing, Error::NotFound { .. }), "{missing:?}");
    }
    assert_eq!(bed.number("SELECT count(*) FROM agents").await, 2);
    assert_eq!(bed.number("SELECT count(*) FROM agent_versions").await, 2);
}

#[tokio::test]
async fn many_processes_seed_the_same_agents_once() {
    let bed = Bed::make().await;
    let mut seeds = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = connect(&bed.database);
        seeds.spawn(async move {
            let agents = ["builder", "one", "two", "three"].map(|name| new_agent(name, "qa"));
            store.seed_agents(&agents).await.unwrap()
        });
    }
    assert_eq!(seeds.join_all().await.iter().sum::<usize>(), 3, "one of the four was there");
    let all = bed.store.agents(None, None, None, 10).await.unwrap();
    assert_eq!(all.len(), 4);
}

#[tokio::test]
async fn agents_are_listed_by_type_and_page() {
    let bed = Bed::make().await;
    for name in ["a", "b", "c"] {
        bed.store.create_agent(&new_agent(name, "qa")).await.unwrap();
    }
    let names =
        |agents: Vec<hive_store::Agent>| agents.into_iter().map(|agent| agent.name).collect::<Vec<_>>();
    let first = bed.store.agents(Some("qa"), None, None, 2).await.unwrap();
    let cursor = first.last().unwrap().id;
    assert_eq!(names(first), ["a", "b"]);
    assert_eq!(names(bed.store.agents(Some("qa"), None, Some(cursor), 2).await.unwrap()), ["c"]);
    assert_eq!(names(bed.store.agents(None, None, None, 10).await.unwrap()), ["builder", "a", "b", "c"]);
    assert!(bed.store.agents(Some("astronaut"), None, None, 10).await.unwrap().is_empty());
}
