"""Asks the double everything that the SDK can ask of it. Its address is the only argument."""

import sys

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
        assert type(error) is kind, f"expected {kind}, got {error!r}"
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


for check in (basic, stream, tools, errors, error_event, retries, counting, models):
    check()
    print(f"{check.__name__} holds")
print("all of it holds")
