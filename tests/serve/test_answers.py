"""What is answered to which request, by the real program on a loopback port."""

import json
import math

import pytest

from tests.serve.conftest import text_of

pytestmark = pytest.mark.slow


def test_a_whole_answer(server):
    told = server.chat().json()
    (choice,) = told["choices"]
    assert told["object"] == "chat.completion" and told["model"] == "tiny-chat"
    assert choice["message"]["role"] == "assistant" and choice["message"]["content"]
    assert choice["finish_reason"] == "length" and choice["logprobs"] is None
    usage = told["usage"]
    assert usage["completion_tokens"] == 8
    assert usage["total_tokens"] == usage["prompt_tokens"] + 8
    assert {"drafted", "accepted", "tokens_per_s"} <= set(told["timings"])


def test_a_stream_says_the_same(server):
    whole = server.chat("Tell me").json()["choices"][0]["message"]["content"]
    found = server.streamed("Tell me", stream_options={"include_usage": True})
    assert text_of(found) == whole
    assert found[0]["choices"][0]["delta"]["role"] == "assistant"
    finishes = [choice["finish_reason"] for chunk in found for choice in chunk["choices"]]
    assert finishes == [None] * (len(finishes) - 1) + ["length"]
    assert found[-1]["choices"] == [] and found[-1]["usage"]["completion_tokens"] == 8
    assert len({chunk["id"] for chunk in found}) == 1


def test_usage_is_streamed_only_when_wanted(server):
    assert not any("usage" in chunk for chunk in server.streamed())


def test_what_was_read_before_is_not_read_again(server):
    server.chat("The same question, read once")
    usage = server.chat("The same question, read once").json()["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == usage["prompt_tokens"] - 1


def test_greedy_answers_and_seeds_repeat(server):
    def said(**more):
        return server.chat("Once", **more).json()["choices"][0]["message"]["content"]

    assert said() == said()
    assert said(temperature=1.5, seed=5, top_k=0) == said(temperature=1.5, seed=5, top_k=0)
    assert len({said(temperature=1.5, seed=seed, top_k=0) for seed in range(4)}) > 1


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities(server, stream):
    more = {"logprobs": True, "top_logprobs": 3, "max_tokens": 6}
    if stream:
        found = server.streamed("Likely?", **more)
        listed = [
            each
            for chunk in found
            for choice in chunk["choices"]
            if choice["logprobs"]
            for each in choice["logprobs"]["content"]
        ]
        text = text_of(found)
    else:
        choice = server.chat("Likely?", **more).json()["choices"][0]
        listed, text = choice["logprobs"]["content"], choice["message"]["content"]
    assert len(listed) == 6
    assert bytes(byte for each in listed for byte in each["bytes"]).decode("utf-8", "replace") == text
    for each in listed:
        tops = each["top_logprobs"]
        assert len(tops) == 3
        assert each["logprob"] == tops[0]["logprob"]  # greedy: the likeliest
        assert tops == sorted(tops, key=lambda top: -top["logprob"])
        assert sum(math.exp(top["logprob"]) for top in tops) <= 1.0001


def test_stop_texts(server):
    whole = server.chat("Go on").json()["choices"][0]["message"]["content"]
    stop = whole[3:6]
    choice = server.chat("Go on", stop=[stop]).json()["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["content"] == whole[: whole.index(stop)]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_fits_its_schema(server, stream):
    schema = {
        "type": "object",
        "properties": {"sure": {"type": "boolean"}, "colour": {"enum": ["red", "blue"]}},
        "required": ["sure", "colour"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "it", "strict": True, "schema": schema}}
    more = {"response_format": form, "max_tokens": 64}
    if stream:
        text = text_of(server.streamed(**more))
    else:
        text = server.chat(**more).json()["choices"][0]["message"]["content"]
    told = json.loads(text)
    assert set(told) == {"sure", "colour"} and told["colour"] in ("red", "blue")


@pytest.mark.parametrize("stream", [False, True])
def test_a_finished_answer_that_does_not_fit_is_an_error(server, stream):
    form = {"type": "json_schema", "json_schema": {"schema": {"const": ["a", "b"]}}}
    more = {"response_format": form, "max_tokens": 64, "stop": ["b"]}  # which ends it in its middle
    if stream:
        problem = server.streamed(**more)[-1]["error"]
    else:
        reply = server.chat(**more)
        assert reply.status_code == 500
        problem = reply.json()["error"]
    assert (problem["code"], problem["param"]) == ("answer_unfit", "response_format")
    assert "does not fit the schema" in problem["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_completions(server, stream):
    more = {"max_tokens": 5, "logprobs": 2, "temperature": 0}
    if stream:
        found = server.streamed("Once upon", path="/v1/completions", **more)
        assert all(chunk["object"] == "text_completion" for chunk in found)
        listed = [c["logprobs"] for chunk in found for c in chunk["choices"] if c["logprobs"]]
        tokens = [token for each in listed for token in each["tokens"]]
        offsets = [offset for each in listed for offset in each["text_offset"]]
    else:
        told = server.client.post("/v1/completions", json={"prompt": "Once upon", **more}).json()
        (choice,) = told["choices"]
        assert choice["text"] == "".join(choice["logprobs"]["tokens"])
        tokens, offsets = choice["logprobs"]["tokens"], choice["logprobs"]["text_offset"]
    assert len(tokens) == 5
    assert offsets == [len("".join(tokens[:n])) for n in range(5)]


def test_a_completion_reads_special_tokens(server):
    def length(prompt):
        told = server.client.post("/v1/completions", json={"prompt": prompt, "max_tokens": 1}).json()
        return told["usage"]["prompt_tokens"]

    assert length("<|im_end|>" * 8) < length("<|im_and|>" * 8)


def test_a_prompt_of_tokens(server):
    told = server.client.post("/v1/completions", json={"prompt": [1, 300, 301], "max_tokens": 1})
    assert told.json()["usage"]["prompt_tokens"] == 3
    assert server.client.post("/v1/completions", json={"prompt": [-1]}).status_code == 400


def test_parts_developers_and_prefills(server):
    content = [{"type": "text", "text": "Hello"}, {"type": "text", "text": "there"}]
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": content}]
    whole = server.client.post(
        "/v1/chat/completions", json={"messages": messages, "max_tokens": 8, "temperature": 0}
    ).json()["choices"][0]["message"]["content"]
    begun = [*messages, {"role": "assistant", "content": whole[:1]}]
    rest = server.client.post("/v1/chat/completions", json={"messages": begun, "max_tokens": 4})
    assert rest.status_code == 200


def test_models(server):
    listed = server.client.get("/v1/models").json()
    assert listed["object"] == "list"
    names = {each["id"]: each["loaded"] for each in listed["data"]}
    assert "tiny-chat" in names and "other" in names
    assert server.client.get("/v1/models/tiny-chat").json()["id"] == "tiny-chat"
    assert server.client.get("/v1/models/none").status_code == 404


def test_another_model_is_loaded_when_it_is_named(server):
    assert server.chat(model="other").json()["model"] == "other"
    assert server.health()["model"] == "other"
    assert server.chat().json()["model"] == "other"  # who names none takes what there is
    assert server.chat(model="tiny-chat").json()["model"] == "tiny-chat"


BAD = [
    ({"n": 2}, "n"),
    ({"logit_bias": {"5": 1}}, "logit_bias"),
    ({"temperature": -1}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": 3}, "top_p"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"stop": 5}, "stop"),
    ({"stream": "yes"}, "stream"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"top_logprobs": 30, "logprobs": True}, "top_logprobs"),
    ({"reasoning_effort": "huge"}, "reasoning_effort"),
    ({"messages": []}, "messages"),
    ({"messages": "Hi"}, "messages"),
    ({"messages": [{"role": "wizard", "content": "Hi"}]}, "messages[0]"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
    ({"response_format": {"type": "xml"}}, "response_format"),
    ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format"),
    ({"response_format": {"type": "json_object", "schema": {"not": {}}}}, "response_format"),
    ({"functions": [{}]}, "functions"),
    ({"tools": [{"type": "function", "function": {"name": "look"}}]}, None),  # its template knows none
    ({"tools": [{"type": "function"}]}, "tools[0]"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0]"),
    ({"tools": [{"type": "web_search"}]}, "tools[0]"),
    ({"tools": [{"type": "function", "function": {"name": "a"}}] * 2}, "tools"),
    ({"tools": {"name": "a"}}, "tools"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tools": [{"function": {"name": "a"}}], "tool_choice": "sometimes"}, "tool_choice"),
    ({"tools": [{"function": {"name": "a"}}], "tool_choice": {"function": {"name": "b"}}}, "tool_choice"),
    ({"tools": [{"function": {"name": "a"}}], "parallel_tool_calls": "no"}, "parallel_tool_calls"),
    ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages[0].tool_calls[0]"),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": "{"}}]}]},
        "messages[0].tool_calls[0]",
    ),
    ({"modalities": ["text", "audio"]}, "modalities"),
]


@pytest.mark.parametrize(("more", "param"), BAD, ids=[str(more)[:40] for more, _ in BAD])
def test_what_is_wrong_is_told_in_one_line(server, more, param):
    response = server.chat(**more)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == param and error["type"] == "invalid_request_error"
    assert error["message"] and "\n" not in error["message"]


def test_what_is_no_request(server):
    post = server.client.post
    for body in (b"", b"{", b"[]", b"\xff", b'{"messages": NaN}', b"[" * 100_000):
        assert post("/v1/chat/completions", content=body).status_code == 400, body[:20]
    assert server.client.get("/v1/chat/completions").status_code == 405
    assert server.client.get("/v1/elsewhere").json()["error"]["code"] == "not_found"
    assert server.chat(model="no-such-model").json()["error"]["code"] == "model_not_found"
    assert server.chat(model="no-such-model").status_code == 404


def test_null_is_nothing_said(server):
    nothing = dict.fromkeys(
        ("n", "stop", "seed", "top_p", "tools", "tool_choice", "response_format", "stream_options", "model")
    )
    assert server.chat(**nothing).status_code == 200


def test_a_file_is_no_model_s_name(server, tiny):
    assert server.chat(model=str(tiny.with_name("elsewhere.gguf"))).status_code == 404
    assert server.chat(model="/etc/passwd").status_code == 404


def test_half_characters_do_no_harm(server):
    body = b'{"messages": [{"role": "user", "content": "a\\ud800b\\u0000"}], "max_tokens": 2}'
    assert server.client.post("/v1/chat/completions", content=body).status_code == 200


def test_too_large_requests(server):
    assert server.chat("a" * 16_000_001).status_code == 413
    response = server.chat("word " * 3000)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"
