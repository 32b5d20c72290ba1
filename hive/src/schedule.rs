//! `hive schedule …`

use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::{agent::called, cli::Common, client::Client, failure::Failure, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a schedule, of a task, of a duty of housekeeping or of nights.
    Create(Box<Create>),
    /// List schedules with their next time.
    List,
    /// Show a schedule with its next five times and its last slots.
    Show {
        /// Its id or its name.
        id: String,
    },
    /// Let it fire, from its next time on.
    Enable {
        /// Its id or its name.
        id: String,
    },
    /// Keep it from firing.
    Disable {
        /// Its id or its name.
        id: String,
    },
    /// Delete it; the tasks it made stay.
    Delete {
        /// Its id or its name.
        id: String,
    },
    /// Fire it now.
    Run {
        /// Its id or its name.
        id: String,
    },
}

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("made").args(["title", "task", "duty", "sleep_type", "sleep_agent", "sleep_all"]).required(true)))]
pub(crate) struct Create {
    /// Unique in the project.
    name: String,
    /// When: minute, hour, day of month, month, day of week; or six fields with seconds first; or @daily and its like.
    #[arg(long)]
    cron: String,
    /// A time zone such as Europe/Berlin; UTC without it.
    #[arg(long)]
    time_zone: Option<String>,
    /// What a slot does while the task of an earlier one runs: allow, skip, queue.
    #[arg(long)]
    overlap: Option<String>,
    /// What happens to slots that were missed: none, one, all.
    #[arg(long)]
    catch_up: Option<String>,
    /// How many of them fire at most.
    #[arg(long)]
    catch_up_limit: Option<u32>,
    /// The title of the task that each slot makes.
    #[arg(long)]
    title: Option<String>,
    /// And its description.
    #[arg(long, requires = "title")]
    description: Option<String>,
    /// Which kind of agent does it.
    #[arg(long, requires = "title")]
    agent_type: Option<String>,
    /// Its repository, a git URL.
    #[arg(long, requires = "title")]
    repo: Option<String>,
    /// Branch, tag or commit that each of them begins with; looked up anew each time.
    #[arg(long, requires = "repo")]
    base: Option<String>,
    /// A command that must be green on its final tree; may be given several times.
    #[arg(long = "accept", value_name = "CMD", requires = "repo")]
    accept: Vec<String>,
    /// The whole task instead, as JSON in the form of POST /api/v1/tasks.
    #[arg(long, value_name = "JSON")]
    task: Option<String>,
    /// A duty of housekeeping instead of a task; see `hive housekeeping list`.
    #[arg(long)]
    duty: Option<String>,
    /// Put all agents of this type to sleep instead.
    #[arg(long, value_name = "TYPE")]
    sleep_type: Option<String>,
    /// Or these agents, by their ids or names.
    #[arg(long, value_name = "AGENT", num_args = 1..)]
    sleep_agent: Vec<String>,
    /// Or all agents.
    #[arg(long)]
    sleep_all: bool,
    /// Let the duty only look.
    #[arg(long, requires = "duty")]
    dry_run: bool,
    /// Make it, and do not let it fire yet.
    #[arg(long)]
    disabled: bool,
}

impl Create {
    fn body(&self) -> Result<Value, Failure> {
        let mut body = Map::new();
        let mut set = |name: &str, value: Value| {
            if !value.is_null() {
                body.insert(name.to_owned(), value);
            }
        };
        set("name", json!(self.name));
        set("cron", json!(self.cron));
        set("time_zone", json!(self.time_zone));
        set("overlap", json!(self.overlap));
        set("catch_up", json!(self.catch_up));
        set("catch_up_limit", json!(self.catch_up_limit));
        set("enabled", json!(!self.disabled));
        set("duty", json!(self.duty));
        set("sleep", self.sleep());
        if self.dry_run {
            set("options", json!({ "dry_run": true }));
        }
        set("task", self.task()?);
        Ok(body.into())
    }

    fn sleep(&self) -> Value {
        match &self.sleep_type {
            Some(kind) => json!({ "agent_type": kind }),
            None if self.sleep_all => json!({ "all": true }),
            None if self.sleep_agent.is_empty() => Value::Null,
            None => json!({ "agent_ids": self.sleep_agent }),
        }
    }

    fn task(&self) -> Result<Value, Failure> {
        if let Some(text) = &self.task {
            return serde_json::from_str(text).map_err(|error| Failure::Usage(format!("--task: {error}")));
        }
        let Some(title) = &self.title else { return Ok(Value::Null) };
        let mut task = json!({ "title": title });
        for (name, value) in [("description", &self.description), ("agent_type", &self.agent_type)] {
            if let Some(value) = value {
                task[name] = json!(value);
            }
        }
        if let Some(url) = &self.repo {
            task["repository"] = json!({ "url": crate::task::url_of(url)?, "base_ref": self.base });
            let checks: Vec<Value> =
                self.accept.iter().map(|command| json!({ "command": command })).collect();
            task["acceptance"] = json!(checks);
        }
        Ok(task)
    }
}

impl Command {
    /// Puts the id of a schedule at the place of its name.
    async fn by_id(mut self, client: &Client) -> Result<Self, Failure> {
        let (Self::Show { id }
        | Self::Enable { id }
        | Self::Disable { id }
        | Self::Delete { id }
        | Self::Run { id }) = &mut self
        else {
            return Ok(self);
        };
        if uuid::Uuid::try_parse(id).is_err() {
            *id = id_of(client, id).await?;
        }
        Ok(self)
    }
}

async fn id_of(client: &Client, name: &str) -> Result<String, Failure> {
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/api/v1/schedules?limit=200{cursor}")).await?;
        let found = page["items"].as_array().into_iter().flatten().find(|schedule| schedule["name"] == name);
        if let Some(schedule) = found {
            return Ok(output::text(&schedule["id"]));
        }
        let Some(next) = page["next_cursor"].as_str() else {
            return Err(Failure::Failed(format!("no schedule has the id or the name {name:?}")));
        };
        cursor = format!("&cursor={next}");
    }
}

pub(crate) async fn run(command: Command, common: &Common, json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    let path = |id: &str| format!("/api/v1/schedules/{id}");
    let command = command.by_id(&client).await?;
    let schedule = match command {
        Command::List => {
            let page = client.get("/api/v1/schedules?limit=200").await?;
            return if json { output::json(&page) } else { list(&page) };
        }
        Command::Delete { id } => {
            client.delete(&path(&id)).await?;
            return if json { output::json(&json!({ "deleted": id })) } else { Ok(()) };
        }
        Command::Run { id } => {
            let slot = client.post(&format!("{}/run", path(&id)), &json!({})).await?;
            if json {
                return output::json(&slot);
            }
            let made = [&slot["task_id"], &slot["order_id"]].map(output::text).concat();
            println!("{made}");
            return Ok(());
        }
        Command::Create(mut create) => {
            called::resolve(&client, "--sleep-agent", &mut create.sleep_agent).await?;
            client.post("/api/v1/schedules", &create.body()?).await?
        }
        Command::Show { id } => client.get(&path(&id)).await?,
        Command::Enable { id } => client.patch(&path(&id), &json!({ "enabled": true })).await?,
        Command::Disable { id } => client.patch(&path(&id), &json!({ "enabled": false })).await?,
    };
    if json { output::json(&schedule) } else { show(&schedule) }
}

fn list(page: &Value) -> Result<(), Failure> {
    let schedules = page["items"].as_array().cloned().unwrap_or_default();
    let row = |schedule: &Value| {
        let next = match schedule["enabled"].as_bool() {
            Some(true) => output::text(&schedule["next_fire_times"][0]),
            _ => "disabled".to_owned(),
        };
        let field = |name: &str| output::plain(&output::text(&schedule[name]));
        vec![field("id"), field("name"), field("cron"), field("time_zone"), next]
    };
    let rows: Vec<Vec<String>> = schedules.iter().map(row).collect();
    output::table(&["ID", "NAME", "CRON", "ZONE", "NEXT"], &rows);
    Ok(())
}

fn show(schedule: &Value) -> Result<(), Failure> {
    let makes = match &schedule["duty"] {
        Value::Null if !schedule["sleep"].is_null() => format!("nights of {}", schedule["sleep"]),
        Value::Null => format!("task {:?}", output::text(&schedule["task"]["title"])),
        duty => format!("duty {}", output::text(duty)),
    };
    let field = |name: &str| output::plain(&output::text(&schedule[name]));
    println!("{}  {}", field("id"), field("name"));
    println!("{}  in {}  makes {}", field("cron"), field("time_zone"), output::plain(&makes));
    println!("overlap {}  catch-up {}", field("overlap"), field("catch_up"));
    if schedule["enabled"] == false {
        println!("disabled");
    }
    for time in schedule["next_fire_times"].as_array().into_iter().flatten() {
        println!("next  {}", output::text(time));
    }
    if !schedule["last_error"].is_null() {
        println!("failed  {}", field("last_error"));
    }
    for slot in schedule["last_slots"].as_array().into_iter().flatten() {
        let made = [&slot["task_id"], &slot["order_id"], &slot["detail"]].map(output::text).concat();
        println!(
            "{}  {}  {}",
            output::text(&slot["slot"]),
            output::text(&slot["outcome"]),
            output::plain(&made)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }

    fn body(words: &[&str]) -> Result<Value, Failure> {
        let line = Line::try_parse_from([&["hive", "create"], words].concat())
            .map_err(|error| Failure::Usage(error.to_string()))?;
        let Command::Create(create) = line.command else { panic!("another command") };
        create.body()
    }

    #[test]
    fn the_words_become_the_body() {
        let task =
            body(&["n", "--cron", "@daily", "--title", "T", "--catch-up", "all", "--disabled"]).unwrap();
        let expected = json!({ "name": "n", "cron": "@daily", "catch_up": "all", "enabled": false,
                               "task": { "title": "T" } });
        assert_eq!(task, expected);
        let duty = body(&["n", "--cron", "@daily", "--duty", "records", "--dry-run"]).unwrap();
        assert_eq!((&duty["duty"], &duty["options"]), (&json!("records"), &json!({ "dry_run": true })));
        let night = body(&["n", "--cron", "@daily", "--sleep-type", "qa"]).unwrap();
        assert_eq!(night["sleep"], json!({ "agent_type": "qa" }));
        body(&["n", "--cron", "@daily"]).unwrap_err();
        body(&["n", "--cron", "@daily", "--task", "{"]).unwrap_err();
        body(&["n", "--cron", "@daily", "--title", "T", "--duty", "records"]).unwrap_err();
    }
}
