// Asks the double everything that the SDK can ask of it. Its address is the only argument.

import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";

const MODEL = "claude-sonnet-5-5";
const URL = process.argv[2];
const WEATHER = {
  name: "get_weather",
  description: "The weather of a city.",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

const client = (options = {}) => new Anthropic({ apiKey: "key", baseURL: URL, maxRetries: 0, ...options });
const fields = (text, more = {}) => ({
  model: MODEL, max_tokens: 1000, messages: [{ role: "user", content: text }], ...more,
});
const ask = (text, more = {}, api = client()) => api.messages.create(fields(text, more));

async function expectError(kind, status, call) {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof kind, `expected ${kind.name}, got ${error}`);
    assert.equal(error.status, status);
    assert.match(error.requestID, /^req_/);
    return error;
  }
  throw new Error(`expected ${kind.name}`);
}

const checks = {
  async basic() {
    const answer = await ask("hello");
    assert.equal(answer.content[0].text, "Hello to you.");
    assert.equal(answer.stop_reason, "end_turn");
    assert.equal(answer.usage.input_tokens, 2);
    assert.match(answer._request_id, /^req_/);
  },

  async headers() {
    const { response } = await client().messages.create(fields("hello")).withResponse();
    for (const kind of ["requests", "tokens", "input-tokens", "output-tokens"]) {
      assert.ok(Number(response.headers.get(`anthropic-ratelimit-${kind}-remaining`)) > 0, kind);
      assert.ok(Date.parse(response.headers.get(`anthropic-ratelimit-${kind}-reset`)) > 0, kind);
    }
  },

  async streaming() {
    const stream = client().messages.stream(fields("hello"));
    let text = "";
    stream.on("text", (piece) => (text += piece));
    const last = await stream.finalMessage();
    assert.equal(text, "Hello to you.");
    assert.equal(last.usage.output_tokens, 4);
  },

  async thinkingAndTools() {
    const question = { role: "user", content: "What is the weather in Paris?" };
    const asked = { model: MODEL, max_tokens: 1000, tools: [WEATHER] };
    const whole = await client().messages.create({ ...asked, messages: [question] });
    const streamed = await client().messages.stream({ ...asked, messages: [question] }).finalMessage();
    for (const answer of [whole, streamed]) {
      const [thinking, said, call] = answer.content;
      assert.equal(thinking.thinking, "I need the weather.");
      assert.ok(thinking.signature.length > 20);
      assert.equal(said.text, "I look.");
      assert.deepEqual([call.name, call.input], ["get_weather", { city: "Paris" }]);
      const result = { type: "tool_result", tool_use_id: call.id, content: "21 degrees" };
      const messages = [
        question,
        { role: "assistant", content: answer.content },
        { role: "user", content: [result] },
      ];
      const after = await client().messages.create({ ...asked, messages });
      assert.equal(after.content[0].text, "It is 21 degrees.");
      const other = [{ role: "user", content: "What is the weather in Rome?" }, ...messages.slice(1)];
      const refused = await expectError(Anthropic.BadRequestError, 400, () =>
        client().messages.create({ ...asked, messages: other }));
      assert.match(refused.message, /bound to a different conversation/);
    }
  },

  async errors() {
    await expectError(Anthropic.BadRequestError, 400, () => ask("hello", { colour: "red" }));
    await expectError(Anthropic.AuthenticationError, 401, () => ask("hello", {}, client({ apiKey: "wrong" })));
    await expectError(Anthropic.PermissionDeniedError, 403, () => ask("fault 403"));
    await expectError(Anthropic.NotFoundError, 404, () => ask("hello", { model: "claude-2" }));
    await expectError(Anthropic.ConflictError, 409, () => ask("fault 409"));
    const limited = await expectError(Anthropic.RateLimitError, 429, () => ask("fault 429"));
    assert.equal(limited.headers.get("retry-after"), "1");
    const spent = await expectError(Anthropic.RateLimitError, 429, () => ask("fault spend"));
    assert.equal(spent.headers.get("retry-after"), null);
    assert.equal(spent.error.error.details.error_code, "enforced_spend_limit_reached");
    await expectError(Anthropic.InternalServerError, 500, () => ask("fault 500"));
    await expectError(Anthropic.InternalServerError, 529, () => ask("fault 529"));
  },

  async tornStreams() {
    await assert.rejects(client().messages.stream(fields("fault error event")).finalMessage(), /overloaded_error/);
    await assert.rejects(client().messages.stream(fields("cut")).finalMessage());
  },

  async strangeAnswers() {
    const answer = await ask("strange");
    assert.ok(answer.content.some((block) => block.text === "hello all the same"));
    const refused = await ask("refuse");
    assert.deepEqual([refused.stop_reason, refused.stop_details.category], ["refusal", "bio"]);
  },

  async retries() {
    const answer = await ask("retry", {}, client({ maxRetries: 2 }));
    assert.equal(answer.content[0].text, "third time");
  },

  async counting() {
    const counted = await client().messages.countTokens({
      model: MODEL, messages: [{ role: "user", content: "hello" }],
    });
    assert.equal(counted.input_tokens, 2);
  },

  async models() {
    const ids = [];
    for await (const model of client().models.list({ limit: 5 })) ids.push(model.id);
    assert.ok(ids.includes(MODEL) && ids.length > 5 && new Set(ids).size === ids.length, ids.join());
    const model = await client().models.retrieve(MODEL);
    assert.equal(model.display_name, "Claude Sonnet 5.5");
    assert.equal(model.capabilities.batch.supported, true);
    await expectError(Anthropic.NotFoundError, 404, () => client().models.retrieve("claude-2"));
  },

  async batches() {
    const api = client();
    const requests = [
      { custom_id: "good", params: fields("hello") },
      { custom_id: "bad", params: fields("fault 529") },
    ];
    const batch = await api.messages.batches.create({ requests });
    assert.equal(batch.processing_status, "in_progress");
    assert.equal(batch.request_counts.processing, 2);
    const advanced = await fetch(`${URL}/_double/clock`, { method: "POST", body: '{"seconds": 60}' });
    assert.ok(advanced.ok);
    const ended = await api.messages.batches.retrieve(batch.id);
    assert.equal(ended.processing_status, "ended");
    const results = {};
    for await (const line of await api.messages.batches.results(batch.id)) results[line.custom_id] = line.result;
    assert.equal(results.good.message.content[0].text, "Hello to you.");
    assert.equal(results.bad.error.error.type, "overloaded_error");
    const listed = [];
    for await (const one of api.messages.batches.list({ limit: 1 })) listed.push(one.id);
    assert.deepEqual(listed, [batch.id]);
    const second = await api.messages.batches.create({ requests });
    const canceling = await api.messages.batches.cancel(second.id);
    assert.equal(canceling.processing_status, "canceling");
    const deleted = await api.messages.batches.delete(batch.id);
    assert.equal(deleted.type, "message_batch_deleted");
    await expectError(Anthropic.NotFoundError, 404, () => api.messages.batches.retrieve(batch.id));
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`${name} holds`);
}
console.log("all of it holds");
