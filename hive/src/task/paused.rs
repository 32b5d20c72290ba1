//! Whether a pause keeps a task from starting, which its row does not say.

use hive_queue::Lane;
use serde_json::Value;

/// True for a ready task that one of these pauses covers. What runs into a pause is told by its own reason.
pub(crate) fn is_held(task: &Value, pauses: &Value) -> bool {
    let lane = task["priority"].as_u64().and_then(|priority| u8::try_from(priority).ok());
    let lane = lane.map(|priority| Lane::from_priority(priority).as_str());
    let covers = |pause: &Value| {
        let name = pause["name"].as_str();
        match pause["scope"].as_str() {
            Some("fleet") => true,
            Some("lane") => name.is_some() && name == lane,
            Some("agent") => name.is_some() && name == task["agent"]["id"].as_str(),
            Some("session") => name.is_some() && name == task["session_id"].as_str(),
            _ => false,
        }
    };
    task["status"] == "ready" && pauses["items"].as_array().is_some_and(|pauses| pauses.iter().any(covers))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pause_holds_what_it_covers_and_is_ready() {
        let task = json!({ "status": "ready", "priority": 7, "agent": { "id": "a" }, "session_id": "s" });
        let holds = |scope: &str, name: &str, task: &Value| {
            is_held(task, &json!({ "items": [{ "scope": scope, "name": name }] }))
        };
        for (scope, name) in [("fleet", ""), ("lane", "low"), ("agent", "a"), ("session", "s")] {
            assert!(holds(scope, name, &task), "{scope}");
            let mut running = task.clone();
            running["status"] = json!("running");
            assert!(!holds(scope, name, &running), "{scope}");
        }
        for (scope, name) in [("lane", "high"), ("agent", "b"), ("session", "t")] {
            assert!(!holds(scope, name, &task), "{scope}");
        }
        let alone = json!({ "status": "ready", "priority": 5, "agent": null, "session_id": null });
        assert!(!holds("agent", "a", &alone) && !holds("session", "s", &alone));
        assert!(!is_held(&task, &json!({ "items": [] })));
    }
}
