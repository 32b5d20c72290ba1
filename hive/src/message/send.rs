//! Sending a message, and waiting for the answer to a question.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::{agent::called, client::Client, failure::Failure, output, output::escaped};

/// How often a question is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks in a row that may fail before the server counts as gone.
const PATIENCE: u32 = 120;

#[derive(Args)]
pub(crate) struct Send {
    /// What they read.
    content: String,
    /// To this agent, by its id or its name.
    #[arg(long, group = "receivers")]
    to: Vec<String>,
    /// To all active agents of this type.
    #[arg(long, group = "receivers")]
    to_type: Option<String>,
    /// To all active agents with an open task in this session.
    #[arg(long, group = "receivers")]
    to_session: Option<String>,
    /// To all active agents.
    #[arg(long, group = "receivers")]
    broadcast: bool,
    /// In the name of this agent, by its id or its name.
    #[arg(long)]
    from: Option<String>,
    /// The message that it replies to.
    #[arg(long)]
    reply_to: Option<String>,
    /// Makes it a question: how many seconds an answer is waited for.
    #[arg(long, value_name = "SECONDS")]
    answer_within: Option<u64>,
    /// Wait for the answer and print it; exit code 6 when it stays unanswered in that time.
    #[arg(long, requires = "answer_within")]
    wait: bool,
    /// Whether an idle agent gets a task for it.
    #[arg(long)]
    wake: Option<bool>,
    /// Makes it safe to send again for 48 hours.
    #[arg(long)]
    idempotency_key: Option<String>,
}

impl Send {
    /// Puts ids in the place of names.
    pub(super) async fn resolve(&mut self, client: &Client) -> Result<(), Failure> {
        called::resolve(client, "--to", &mut self.to).await?;
        called::resolve(client, "--from", &mut self.from).await
    }

    pub(super) async fn run(self, client: &Client, as_json: bool) -> Result<(), Failure> {
        let key = self.idempotency_key.as_deref();
        let sent = client.post_once("/api/v1/messages/send", &self.body(), key).await?;
        if self.wait {
            return wait(client, &sent, as_json).await;
        }
        if as_json {
            return output::json(&sent);
        }
        let receivers = sent["receivers"].as_array().cloned().unwrap_or_default();
        println!("{}  to {} agents", output::text(&sent["id"]), receivers.len());
        for refused in sent["refused"].as_array().into_iter().flatten() {
            println!("not to {}: {}", output::text(&refused["agent_id"]), output::text(&refused["code"]));
        }
        Ok(())
    }

    fn body(&self) -> Value {
        let mut body = json!({ "content": self.content, "broadcast": self.broadcast });
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body[name] = value;
            }
        };
        match self.to.as_slice() {
            [] => {}
            [one] => set("to_agent_id", Some(json!(one))),
            some => set("to_agent_ids", Some(json!(some))),
        }
        set("to_agent_type", self.to_type.as_deref().map(Value::from));
        set("to_session_id", self.to_session.as_deref().map(Value::from));
        set("from_agent_id", self.from.as_deref().map(Value::from));
        set("reply_to", self.reply_to.as_deref().map(Value::from));
        set("answer_within_seconds", self.answer_within.map(Value::from));
        set("wake", self.wake.map(Value::from));
        body
    }
}

/// Looks at a question until it is answered or its time is over, as the server says.
async fn wait(client: &Client, asked: &Value, as_json: bool) -> Result<(), Failure> {
    let conversation = output::text(&asked["conversation_id"]);
    // Whoever gives up waiting finds the answer there.
    eprintln!("hive message conversation {conversation}");
    let mut failed = 0;
    loop {
        let looked = match message(client, &conversation, &asked["number"]).await {
            Ok(question) => look(client, &conversation, &question).await,
            Err(failure) => Err(failure),
        };
        match looked {
            Ok(Some(answer)) if as_json => return output::json(&answer),
            Ok(Some(answer)) => {
                println!("{}", output::plain(&output::text(&answer["content"])));
                return Ok(());
            }
            Ok(None) => failed = 0,
            Err(Failure::Unreachable(_) | Failure::Later(_)) if failed < PATIENCE => failed += 1,
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The answer, once it is there.
async fn look(client: &Client, conversation: &str, question: &Value) -> Result<Option<Value>, Failure> {
    match question["answer"]["state"].as_str() {
        Some("awaited") => Ok(None),
        Some("answered") => message(client, conversation, &question["answer"]["number"]).await.map(Some),
        Some("unanswered") => {
            let [id, by] = [&question["id"], &question["answer_by"]].map(output::text);
            Err(Failure::Unanswered(format!("message {id} was not answered by {by}")))
        }
        _ => Err(Failure::Failed(format!("the server does not say whether it was answered: {question}"))),
    }
}

/// The message of this number.
async fn message(client: &Client, conversation: &str, number: &Value) -> Result<Value, Failure> {
    let number = number.as_i64().ok_or_else(|| Failure::Failed("the message has no number".to_owned()))?;
    let before = number - 1;
    let path = format!("/api/v1/conversations/{}?limit=1&cursor={before}", escaped(conversation));
    Ok(client.get(&path).await?["items"][0].take())
}
