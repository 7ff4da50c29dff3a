"""Answers as OpenAI's protocol writes them: whole, and in chunks."""

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from trchat.chat.records import Answer
from trchat.chat.tools.calls import ToolCall
from trchat.serve.news import Grown, Token

Chunk = dict[str, Any]
DONE = b"data: [DONE]\n\n"


class Reply(Protocol):
    """Writes one answer."""

    def opening(self) -> Iterator[Chunk]:
        """What comes before the first word."""

    def growth(self, grown: Grown) -> Iterator[Chunk]:
        """What a step has brought; also where all is sent as a whole."""

    def ending(self, answer: Answer) -> Iterator[Chunk]:
        """What comes behind the last word."""

    def whole(self, answer: Answer) -> Chunk:
        """All of it."""


class _Frame:
    """What is the same in all parts of a reply."""

    def __init__(self, id: str, model: str, include_usage: bool) -> None:
        self._id = id
        self._model = model
        self._created = int(time.time())
        self._include_usage = include_usage

    def framed(self, kind: str, choices: list[Chunk], **more: object) -> Chunk:
        head = {"id": self._id, "object": kind, "created": self._created, "model": self._model}
        return {**head, "choices": choices, **more}

    def last(self, kind: str, answer: Answer) -> Iterator[Chunk]:
        if self._include_usage:
            yield self.framed(kind, [], usage=usage(answer), timings=timings(answer))


class ChatReply:
    """``chat.completion`` and its chunks."""

    def __init__(self, id: str, model: str, *, include_usage: bool, logprobs: bool) -> None:
        self._frame = _Frame(id, model, include_usage)
        self._logprobs = logprobs
        self._tokens: list[Chunk] = []
        self._calls = 0

    def opening(self) -> Iterator[Chunk]:
        """Who speaks."""
        yield self._chunk({"role": "assistant", "content": ""})

    def growth(self, grown: Grown) -> Iterator[Chunk]:
        """Reasoning, text, and calls: of each first who is called, then with what."""
        tokens = [_token(each) for each in grown.tokens]
        self._tokens += tokens
        if grown.reasoning:
            yield self._chunk({"reasoning_content": grown.reasoning})
        if grown.text or tokens:
            yield self._chunk({"content": grown.text}, tokens)
        for call in grown.calls:
            at, self._calls = self._calls, self._calls + 1
            whole = _call(call)
            head = {**whole, "function": {**whole["function"], "arguments": ""}}
            yield self._chunk({"tool_calls": [{"index": at, **head}]})
            arguments = {"arguments": call.arguments}
            yield self._chunk({"tool_calls": [{"index": at, "function": arguments}]})

    def ending(self, answer: Answer) -> Iterator[Chunk]:
        """How it ended, and what it took."""
        yield {**self._chunk({}, finish=_finish(answer)), "timings": timings(answer)}
        yield from self._frame.last("chat.completion.chunk", answer)

    def whole(self, answer: Answer) -> Chunk:
        """All of it."""
        message: Chunk = {"role": "assistant", "content": answer.text}
        if answer.reasoning:
            message["reasoning_content"] = answer.reasoning
        if answer.calls:
            message["content"] = answer.text or None
            message["tool_calls"] = [_call(each) for each in answer.calls]
        choice = {"index": 0, "message": message, "logprobs": self._listed(self._tokens)}
        return self._frame.framed(
            "chat.completion",
            [{**choice, "finish_reason": _finish(answer)}],
            usage=usage(answer),
            timings=timings(answer),
        )

    def _chunk(self, delta: Chunk, tokens: Sequence[Chunk] = (), finish: str | None = None) -> Chunk:
        choice = {"index": 0, "delta": delta, "logprobs": self._listed(tokens) if tokens else None}
        return self._frame.framed("chat.completion.chunk", [{**choice, "finish_reason": finish}])

    def _listed(self, tokens: Sequence[Chunk]) -> Chunk | None:
        return {"content": list(tokens), "refusal": None} if self._logprobs else None


class TextReply:
    """``text_completion``, whose chunks are called so too."""

    def __init__(self, id: str, model: str, *, include_usage: bool, logprobs: bool) -> None:
        self._frame = _Frame(id, model, include_usage)
        self._logprobs = logprobs
        self._tokens: list[Token] = []
        self._length = 0

    def opening(self) -> Iterator[Chunk]:
        """Nothing."""
        yield from ()

    def growth(self, grown: Grown) -> Iterator[Chunk]:
        """Text."""
        self._tokens += grown.tokens
        if grown.text or grown.tokens:
            yield self._framed(grown.text, self._listed(grown.tokens, self._length), None)
        self._length += sum(len(_letters(each.piece)) for each in grown.tokens)

    def ending(self, answer: Answer) -> Iterator[Chunk]:
        """How it ended, and what it took."""
        yield {**self._framed("", None, _finish(answer)), "timings": timings(answer)}
        yield from self._frame.last("text_completion", answer)

    def whole(self, answer: Answer) -> Chunk:
        """All of it."""
        listed = self._listed(self._tokens, 0)
        reply = self._framed(answer.text, listed, _finish(answer))
        return {**reply, "usage": usage(answer), "timings": timings(answer)}

    def _framed(self, text: str, logprobs: Chunk | None, finish: str | None) -> Chunk:
        choice = {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": finish}
        return self._frame.framed("text_completion", [choice])

    def _listed(self, tokens: Sequence[Token], start: int) -> Chunk | None:
        if not self._logprobs:
            return None
        offsets = []
        for token in tokens:
            offsets.append(start)
            start += len(_letters(token.piece))
        return {
            "tokens": [_letters(each.piece) for each in tokens],
            "token_logprobs": [_rounded(each.logprob) for each in tokens],
            "top_logprobs": [
                {_letters(piece): _rounded(logprob) for piece, logprob in each.others} for each in tokens
            ],
            "text_offset": offsets,
        }


def event(chunk: Chunk) -> bytes:
    """A chunk as a server-sent event."""
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode("utf-8") + b"\n\n"


def usage(answer: Answer) -> Chunk:
    """Sizes in tokens."""
    written = len(answer.token_ids)
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": written,
        "total_tokens": answer.prompt_tokens + written,
        "prompt_tokens_details": {"cached_tokens": answer.cached_prompt_tokens},
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
    }


def timings(answer: Answer) -> Chunk:
    """What it took and what drafts brought, by the names that ``trchat ask --json`` has for it."""
    return {**answer.timings, **answer.drafting}


def _finish(answer: Answer) -> str:
    if answer.calls and answer.finish == "stop":
        return "tool_calls"
    return "length" if answer.finish == "context" else answer.finish


def _call(call: ToolCall) -> Chunk:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _token(token: Token) -> Chunk:
    others = [_likely(piece, logprob) for piece, logprob in token.others]
    return {**_likely(token.piece, token.logprob), "top_logprobs": others}


def _likely(piece: bytes, logprob: float) -> Chunk:
    return {"token": _letters(piece), "logprob": _rounded(logprob), "bytes": list(piece)}


def _letters(piece: bytes) -> str:
    return piece.decode("utf-8", "replace")


def _rounded(logprob: float) -> float:
    """As JSON can have it: what is impossible counts as OpenAI's -9999."""
    return max(round(logprob, 6), -9999.0)
