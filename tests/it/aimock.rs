//! Our client against a server that others wrote: aimock, which imitates the Messages API from its own reading of it.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hive_claude::{
    Block, Claude, Config, Error, Progress, Request, RequestMessage, Secret, StopReason, Tool, ToolInput,
};
use hive_tests::NpmPackage;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const NAME: &str = "@copilotkit/aimock";
const VERSION: &str = "1.43.0";
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// The server, which ends with this value.
struct Aimock {
    url: String,
    http: reqwest::Client,
    _process: Child,
    _fixtures: tempfile::TempDir,
}

impl Aimock {
    async fn start(package: &NpmPackage) -> Self {
        let fixtures = tempfile::tempdir().unwrap();
        let file = fixtures.path().join("fixtures.json");
        let said = json!({ "fixtures": [
            { "match": { "userMessage": "greet" }, "response": { "content": "Hello." } },
            { "match": { "userMessage": "speak" }, "response": { "content": "One, two, three, four, fünf." } },
            { "match": { "hasToolResult": true }, "response": { "content": "It is 21 degrees." } },
            { "match": { "userMessage": "weather" }, "response": {
                "toolCalls": [{ "name": "get_weather", "arguments": "{\"city\":\"Paris\"}" }] } },
        ] });
        fs::write(&file, said.to_string()).unwrap();
        let mut node = Command::new("node");
        node.arg(package.file(NAME, "dist/cli.js"));
        node.args(["--port", "0", "--host", "127.0.0.1", "--chunk-size", "3", "--fixtures"]).arg(&file);
        let command = node.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = command.kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = tokio::time::timeout(STARTS_WITHIN, async {
            loop {
                let line = lines.next_line().await.unwrap().expect("it ended before it listened");
                if let Some((_, url)) = line.split_once("listening on ") {
                    break url.trim().to_owned();
                }
            }
        })
        .await
        .expect("aimock did not say where it listens");
        // What it says later is read too, so that it never waits for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url, http, _process: process, _fixtures: fixtures }
    }

    fn client(&self) -> Claude {
        let mut config = Config::new(self.url.parse().unwrap(), Secret::new("sk-test"));
        config.total_timeout = Duration::from_secs(20);
        Claude::new(config).unwrap()
    }

    /// Lets every call fail in one way.
    async fn chaos(&self, rate: &str) {
        let url = format!("{}/__aimock/chaos", self.url);
        self.http.delete(&url).send().await.unwrap().error_for_status().unwrap();
        let body = json!({ rate: 1 }).to_string();
        let set = self.http.post(&url).header("content-type", "application/json").body(body);
        set.send().await.unwrap().error_for_status().unwrap();
    }
}

fn user(text: &str) -> RequestMessage {
    RequestMessage::user(serde_json::value::to_raw_value(text).unwrap())
}

fn request(text: &str) -> Request {
    let mut request = Request::new("claude-sonnet-5-5", 500);
    request.messages.push(user(text));
    request
}

#[tokio::test]
async fn our_client_speaks_with_a_server_that_others_wrote() {
    let Some(package) = NpmPackage::find(NAME, VERSION, Path::new(env!("CARGO_TARGET_TMPDIR"))).await else {
        return;
    };
    let server = Aimock::start(&package).await;
    let client = server.client();

    let plain = client.create(&request("greet"), |_| ()).await.unwrap();
    assert!(
        matches!(plain.message.content.as_slice(), [Block::Text { text }] if text == "Hello."),
        "{plain:?}"
    );
    assert_eq!(plain.message.stop_reason, StopReason::EndTurn);

    let mut pieces = Vec::new();
    let spoken = request("speak");
    let streamed = client.create(&spoken, |progress| {
        if let Progress::Text(piece) = progress {
            pieces.push(piece.to_owned());
        }
    });
    streamed.await.unwrap();
    assert_eq!(pieces.concat(), "One, two, three, four, fünf.");
    assert!(pieces.len() > 3, "it comes in pieces: {pieces:?}");

    uses_a_tool(&client).await;
    fails_well(&server, &client).await;
}

async fn uses_a_tool(client: &Claude) {
    let mut request = request("What is the weather in Paris?");
    let schema =
        json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] });
    request.tools.push(Tool::custom(
        "get_weather",
        "The weather of a city.",
        serde_json::value::to_raw_value(&schema).unwrap(),
    ));
    let reply = client.create(&request, |_| ()).await.unwrap();
    assert_eq!(reply.message.stop_reason, StopReason::ToolUse);
    let [Block::ToolUse { id, name, input: ToolInput::Json(input) }] = reply.message.content.as_slice()
    else {
        panic!("{reply:?}");
    };
    assert_eq!((name.as_str(), input.get()), ("get_weather", r#"{"city":"Paris"}"#));
    let result = json!([{ "type": "tool_result", "tool_use_id": id, "content": "21 degrees" }]);
    let content = serde_json::value::RawValue::from_string(reply.content_json.clone()).unwrap();
    request.messages.push(RequestMessage::assistant(content));
    request.messages.push(RequestMessage::user(serde_json::value::to_raw_value(&result).unwrap()));
    let last = client.create(&request, |_| ()).await.unwrap();
    assert!(last.content_json.contains("It is 21 degrees."), "{}", last.content_json);
}

/// Its chaos: each way to fail is told apart, and none is taken for an answer.
async fn fails_well(server: &Aimock, client: &Claude) {
    let fails = async |rate: &str| {
        server.chaos(rate).await;
        client.create(&request("greet"), |_| ()).await.expect_err(rate)
    };
    let dropped = fails("dropRate").await;
    assert!(matches!(&dropped, Error::Api(error) if error.status == 500), "{dropped:?}");
    let limited = fails("rateLimitRate").await;
    assert!(
        matches!(&limited, Error::Api(error) if error.status == 429 && error.retry_after.is_some()),
        "{limited:?}"
    );
    let malformed = fails("malformedRate").await;
    assert!(matches!(&malformed, Error::Protocol { .. }), "{malformed:?}");
    let cut = fails("disconnectRate").await;
    assert!(!matches!(&cut, Error::Api(_) | Error::Protocol { .. } | Error::Config(_)), "{cut:?}");
}
