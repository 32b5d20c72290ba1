"""Asks the double everything that the SDK can ask of it. Its address is the only argument."""

import json
import sys
import urllib.request

import anthropic

MODEL = "claude-sonnet-5-5"
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def client(**options):
    options = {"api_key": "key", "base_url": sys.argv[1], "max_retries": 0, **options}
    return anthropic.Anthropic(**options)


def ask(text, api=None, **more):
    messages = [{"role": "user", "content": text}]
    fields = {"model": MODEL, "max_tokens": 1000, "messages": messages, **more}
    return (api or client()).messages.create(**fields)


def expect(kind, status, call):
    try:
        call()
    except anthropic.APIStatusError as error:
        assert isinstance(error, kind), f"expected {kind}, got {error!r}"
        assert error.status_code == status, error.status_code
        assert error.request_id and error.request_id.startswith("req_"), error.request_id
        return error
    raise AssertionError(f"expected {kind}")


def basic():
    answer = ask("hello")
    assert answer.content[0].text == "Hello to you.", answer
    assert answer.stop_reason == "end_turn" and answer.model == MODEL
    assert answer.usage.input_tokens == 2 and answer.usage.output_tokens == 4, answer.usage
    assert answer._request_id.startswith("req_")


def stream():
    messages = [{"role": "user", "content": "hello"}]
    with client().messages.stream(model=MODEL, max_tokens=1000, messages=messages) as events:
        assert "".join(events.text_stream) == "Hello to you."
        final = events.get_final_message()
    assert final.stop_reason == "end_turn" and final.usage.output_tokens == 4, final


def tools():
    question = {"role": "user", "content": "What is the weather in Paris?"}
    fields = {"model": MODEL, "max_tokens": 1000, "tools": [WEATHER]}
    whole = client().messages.create(messages=[question], **fields)
    with client().messages.stream(messages=[question], **fields) as events:
        streamed = events.get_final_message()
    for answer in (whole, streamed):
        thinking, said, call = answer.content
        assert (thinking.type, thinking.thinking) == ("thinking", "I need the weather."), thinking
        assert thinking.signature, thinking
        assert said.text == "I look.", said
        assert (call.type, call.name, call.input) == ("tool_use", "get_weather", {"city": "Paris"}), call
        assert answer.stop_reason == "tool_use"
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}
        follow_up = client().messages.create(
            messages=[
                question,
                {"role": "assistant", "content": answer.content},
                {"role": "user", "content": [result]},
            ],
            **fields,
        )
        assert follow_up.content[0].text == "It is 21 degrees.", follow_up


def errors():
    expect(anthropic.BadRequestError, 400, lambda: ask("hello", extra_body={"colour": "red"}))
    expect(anthropic.BadRequestError, 400, lambda: ask("hello", tools=[WEATHER], tool_choice={"type": "any"}))
    expect(anthropic.AuthenticationError, 401, lambda: ask("hello", client(api_key="wrong")))
    expect(anthropic.NotFoundError, 404, lambda: ask("hello", model="claude-2"))
    limited = expect(anthropic.RateLimitError, 429, lambda: ask("fault 429"))
    assert limited.response.headers["retry-after"] == "1"
    expect(anthropic.InternalServerError, 500, lambda: ask("fault 500"))
    overloaded = expect(anthropic.OverloadedError, 529, lambda: ask("fault 529"))
    assert overloaded.type == "overloaded_error" and overloaded.api_message == "Overloaded", overloaded


def error_event():
    messages = [{"role": "user", "content": "fault error event"}]
    try:
        with client().messages.stream(model=MODEL, max_tokens=1000, messages=messages) as events:
            events.get_final_message()
    except anthropic.APIStatusError as error:
        assert error.body["error"]["type"] == "overloaded_error", error.body
        return
    raise AssertionError("an error event has to be raised")


def retries():
    answer = ask("retry", client(max_retries=2))
    assert answer.content[0].text == "third time", answer


def counting():
    messages = [{"role": "user", "content": "hello"}]
    assert client().messages.count_tokens(model=MODEL, messages=messages).input_tokens == 2


def models():
    ids = [model.id for model in client().models.list(limit=5)]
    assert MODEL in ids and len(ids) == len(set(ids)) > 5, ids
    model = client().models.retrieve(MODEL)
    assert model.display_name == "Claude Sonnet 5.5" and model.created_at.year == 2026, model
    expect(anthropic.NotFoundError, 404, lambda: client().models.retrieve("claude-2"))


def thinking():
    question = {"role": "user", "content": "What is the weather in Paris?"}
    fields = {"model": MODEL, "max_tokens": 1000, "tools": [WEATHER]}
    answer = client().messages.create(messages=[question], **fields)
    result = {"type": "tool_result", "tool_use_id": answer.content[2].id, "content": "21 degrees"}
    moved = [
        {"role": "user", "content": "What is the weather in Rome?"},
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": [result]},
    ]
    refused = expect(
        anthropic.BadRequestError, 400, lambda: client().messages.create(messages=moved, **fields)
    )
    assert "bound to a different conversation" in str(refused), refused
    binding = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
    dropped = client().beta.messages.create(
        messages=moved, thinking=binding, betas=["thinking-binding-controls-2026-08-01"], **fields
    )
    (report,) = dropped.input_transformations
    assert (report.type, report.path) == ("thinking_dropped", "messages.1.content.0"), report
    assert dropped.content[0].text == "It is 21 degrees.", dropped


def caching():
    long = [{"role": "user", "content": "hello " * 2000}]
    fields = {"model": MODEL, "max_tokens": 100, "messages": long, "cache_control": {"type": "ephemeral"}}
    first = client().messages.create(system="Be brief.", diagnostics={"previous_message_id": None}, **fields)
    assert first.usage.cache_creation.ephemeral_5m_input_tokens > 0 and first.diagnostics is None, first
    previous = {"previous_message_id": first.id}
    changed = client().messages.create(system="Be long.", diagnostics=previous, **fields)
    reason = changed.diagnostics.cache_miss_reason
    assert reason.type == "system_changed" and reason.cache_missed_input_tokens > 0, reason
    same = client().messages.create(system="Be brief.", diagnostics=previous, **fields)
    assert same.diagnostics is None and same.usage.cache_read_input_tokens > 0, same


def compaction():
    beta = {"betas": ["compact-2026-09-04"], "model": MODEL, "max_tokens": 1000}
    asked = client().beta.messages.create(
        messages=[{"role": "user", "content": "hello"}], compaction={"type": "summarize"}, **beta
    )
    (block,) = asked.content
    assert (block.type, block.content, asked.stop_reason) == ("compaction", "Hello to you.", "compaction"), asked
    after = [{"role": "assistant", "content": asked.content}, {"role": "user", "content": "hello again"}]
    assert client().beta.messages.create(messages=after, **beta).content[0].text == "Hello to you."
    forged = [{"role": "assistant", "content": [{**block.to_dict(), "content": "Other."}]}, after[1]]
    refused = expect(
        anthropic.BadRequestError, 400, lambda: client().beta.messages.create(messages=forged, **beta)
    )
    assert refused.body["error"]["details"]["error_code"] == "compaction_content_mismatch", refused.body


def batches():
    api = client()
    params = {"model": MODEL, "max_tokens": 100}
    said = lambda text: {**params, "messages": [{"role": "user", "content": text}]}
    requests = [
        {"custom_id": "good", "params": said("hello")},
        {"custom_id": "bad", "params": said("fault 529")},
        {"custom_id": "odd", "params": {**said("hello"), "colour": "red"}},
    ]
    batch = api.messages.batches.create(requests=requests)
    assert batch.processing_status == "in_progress" and batch.request_counts.processing == 3, batch
    control = urllib.request.Request(sys.argv[1] + "/_double/clock", data=json.dumps({"seconds": 60}).encode())
    urllib.request.urlopen(control, timeout=10).close()
    batch = api.messages.batches.retrieve(batch.id)
    assert batch.processing_status == "ended" and batch.request_counts.errored == 2, batch
    results = {line.custom_id: line.result for line in api.messages.batches.results(batch.id)}
    assert results["good"].message.content[0].text == "Hello to you.", results
    assert results["good"].message.usage.service_tier == "batch", results
    assert results["bad"].error.error.type == "overloaded_error", results
    assert results["odd"].error.error.type == "invalid_request_error", results
    second = api.messages.batches.create(requests=requests)
    assert api.messages.batches.cancel(second.id).processing_status == "canceling"
    listed = [one.id for one in api.messages.batches.list(limit=1)]
    assert listed == [second.id, batch.id], listed
    assert api.messages.batches.delete(batch.id).type == "message_batch_deleted"
    expect(anthropic.NotFoundError, 404, lambda: api.messages.batches.retrieve(batch.id))


def every_error():
    expect(anthropic.PermissionDeniedError, 403, lambda: ask("fault 403"))
    expect(anthropic.ConflictError, 409, lambda: ask("fault 409"))
    expect(anthropic.ContentTooLargeError, 413, lambda: ask("fault 413"))
    expect(anthropic.ServiceUnavailableError, 503, lambda: ask("fault 503"))
    expect(anthropic.GatewayTimeoutError, 504, lambda: ask("fault 504"))
    spent = expect(anthropic.RateLimitError, 429, lambda: ask("fault spend"))
    assert spent.body["error"]["details"]["error_code"] == "enforced_spend_limit_reached", spent.body
    assert type(spent).__name__ == "EnforcedSpendLimitReachedError", spent
    assert "retry-after" not in spent.response.headers
    for kind in ("requests", "tokens", "input-tokens", "output-tokens"):
        assert int(spent.response.headers[f"anthropic-ratelimit-{kind}-remaining"]) > 0, kind
    answer = ask("strange")
    assert [block.text for block in answer.content if block.type == "text"] == ["hello all the same"], answer
    assert ask("refuse").stop_details.category == "bio"


CHECKS = (
    basic, stream, tools, thinking, caching, compaction, errors, every_error, error_event, retries, counting, models,
    batches,
)
for check in CHECKS:
    check()
    print(f"{check.__name__} holds")
print("all of it holds")
