"""Finds out how a model writes its answers: from samples that its template renders, and its vocabulary."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Protocol

from trchat.chat.formats import apriel, gemma4, kimi_k3
from trchat.chat.formats.harmony import Harmony
from trchat.chat.formats.interface import Format, Marks
from trchat.chat.formats.muse_glimmer import MuseGlimmer
from trchat.chat.formats.tags import TagFormat, Tags

Message = Mapping[str, object]
Render = Callable[[Sequence[Message], Mapping[str, object]], str | None]
"""Messages and variables to what the template makes of them; None where it fails."""

_QUESTION, _NEXT, _THOUGHT, _ANSWER = "qfirstq", "qsecondq", "qthoughtq", "qanswerq"
_USER = {"role": "user", "content": _QUESTION}
_SAID = {"role": "assistant", "content": _ANSWER}
_CALL = {"type": "function", "id": "call00001", "function": {"name": "look", "arguments": {"at": "it"}}}
_ON = {"enable_thinking": True, "thinking": True}
_OFF = {"enable_thinking": False, "thinking": False}

_MARK = re.compile(r"<[^<>\s{}%'\"]{1,40}>|\[/?[A-Z][A-Z0-9_ ]{1,30}\]|◁[^◁▷\s]{1,40}▷")
"""Mark-up as templates spell it: ``<think>``, ``[/THINK]``, ``<|END_TEXT|>``, ``◁/think▷``."""
_THINKING = re.compile(r"think|thought|reason", re.IGNORECASE)
_PLAIN_TAG = re.compile(r"</?[A-Za-z_:]+>")
_PAIR = re.compile(r"<([A-Za-z_:]+)></\1>")


class Vocabulary(Protocol):
    """What is needed of a model (see trchat.llama.model)."""

    control_texts: frozenset[str]

    @property
    def special_ids(self) -> Mapping[str, int]: ...  # noqa: D102


Carrier = Callable[[str, str], dict[str, object]]
"""Answer and reasoning to the message that carries both."""


def _field(name: str) -> Carrier:
    return lambda text, reasoning: {"role": "assistant", "content": text, name: reasoning}


def _blocks(text: str, reasoning: str) -> dict[str, object]:
    blocks = [{"type": "thinking", "thinking": reasoning}, {"type": "text", "text": text}]
    return {"role": "assistant", "content": blocks}


_CARRIERS: tuple[Carrier, ...] = (
    _field("reasoning_content"),
    _field("thinking"),
    _field("reasoning"),
    _blocks,
)


@dataclass(frozen=True, slots=True)
class Found:
    """How a model writes answers, and how its template takes them back.

    Attributes:
        format: parsers for what the model writes.
        carry: makes a message of an answer with its reasoning; None where the template takes no reasoning.
    """

    format: Format
    carry: Carrier | None


def find_format(source: str, render: Render, vocabulary: Vocabulary) -> Found:
    """Look at a template, by its ``source`` and what it renders, and at the vocabulary."""
    special = vocabulary.special_ids
    carry, sample = _carrier(render)

    def marks(spellings: Collection[str]) -> Marks:
        return Marks(spellings, special, vocabulary.control_texts)

    def has(told_by: Collection[str]) -> bool:
        return all(each in source for each in told_by) or all(each in special for each in told_by)

    if has(Harmony.told_by):
        return Found(Harmony(marks(Harmony.spellings)), carry)
    if has(MuseGlimmer.told_by):
        return Found(MuseGlimmer(marks(MuseGlimmer.spellings)), carry)
    if has(kimi_k3.TOLD_BY):
        return Found(kimi_k3.kimi_k3(marks(kimi_k3.SPELLINGS)), carry)
    if has(gemma4.TOLD_BY):
        return Found(gemma4.gemma4(marks(gemma4.SPELLINGS)), carry)
    if has(apriel.TOLD_BY):
        return Found(apriel.apriel(marks(apriel.SPELLINGS)), carry)
    tags = _tags(source, render, special, sample)
    code = marks([each for each in special if any(each in literal for literal in _literals(tags))])
    return Found(TagFormat(_coded(tags, code, vocabulary), code), carry)


def tail_of(rendered: str, question: str) -> str:
    """What a template writes behind the last question; empty where that is not to be found."""
    _before, found, tail = rendered.rpartition(question)
    return tail if found else ""


def _carrier(render: Render) -> tuple[Carrier | None, str | None]:
    """How the template takes reasoning, and the last answer with some as it renders it; None for neither."""
    for variables in ({}, _ON):
        for carry in _CARRIERS:
            message = carry(_ANSWER, _THOUGHT)
            rendered = render([_USER, message], {**variables, "add_generation_prompt": False})
            if rendered and _takes(rendered):
                return carry, rendered
    for carry in _CARRIERS[:-1]:  # some pass it on only between the calls of one turn
        message = {**carry("", _THOUGHT), "tool_calls": [_CALL]}
        rendered = render([_USER, message], {**_ON, "add_generation_prompt": False})
        if rendered and _takes(rendered):
            return carry, None
    return None, None


def _takes(rendered: str) -> bool:
    """Whether the reasoning stands there as it is, and not in a dump of the message."""
    before, found, behind = rendered.partition(_THOUGHT)
    return bool(found) and before[-1:] not in ("'", '"') and behind[:1] not in ("'", '"')


def _tags(source: str, render: Render, special: Collection[str], sample: str | None) -> Tags:
    prompts = [tail_of(render([_USER], each) or "", _QUESTION) for each in ({}, _ON, _OFF)]
    plain = tail_of(render([_USER, _SAID], {"add_generation_prompt": False}) or "", _QUESTION)
    tags = Tags()
    if sample is not None:
        tags = _around_reasoning(tail_of(sample, _QUESTION), prompts, plain, special)
    if not tags.closer:
        tags = _by_name(source, [*prompts, plain], special)
    tags = _around_answer(tags, prompts, plain)
    following = render([_USER, _SAID, {"role": "user", "content": _NEXT}], {})
    if following and _ANSWER in following:
        end = _first_mark(following.partition(_ANSWER)[2].partition(_NEXT)[0], special)
        tags = replace(tags, ends=(end,) if end and end != tags.answer_closer else ())
    if tags.closer and tags.answer_closer == tags.closer:
        tags = replace(tags, ends=(tags.closer,))
    pairs = [*dict.fromkeys(_PAIR.findall(source))]
    if not tags.answer_opener and len(pairs) > 1 and f"<{pairs[0]}>" == tags.opener:
        # "Write your thoughts between <think></think> and your response between <response></response>."
        tags = replace(tags, answer_opener=f"<{pairs[1]}>", answer_closer=f"</{pairs[1]}>")
    return tags


def _around_reasoning(sample: str, prompts: Sequence[str], plain: str, special: Collection[str]) -> Tags:
    """Tags from an answer with reasoning as the template renders it, behind the question as all of these."""
    before, _, rest = sample.partition(_THOUGHT)
    closing, found, _rest = rest.partition(_ANSWER)
    closer = _closer(closing.strip(), special)
    if not found or not closer:
        return Tags()
    prompt = next((each for each in prompts if before.startswith(each.rstrip()) and each.strip()), "")
    opening = before[len(prompt.rstrip()) :] if prompt else before
    opener = _last_mark(opening if opening.strip() else before, special)
    if opener == _last_mark(plain.partition(_ANSWER)[0], special):  # of the turn, not of the reasoning
        opener = ""
    if not opener:
        opener = _unlike_words(_beyond(plain.partition(_ANSWER)[0], before).strip())
    if not opening.strip():
        opening = opener  # the prompt has it
    lead = ""
    if not opener:
        # The prompt itself may begin the reasoning, in words.
        head = before.rstrip()
        lead = next((each[len(head) :] for each in prompts if each.startswith(head)), "")
        opening = ""
    elif not prompt:
        opening = opener
    return Tags(opening=opening, opener=opener, closing=closing, closer=closer, lead=lead)


def _by_name(source: str, prompts: Sequence[str], special: Collection[str]) -> Tags:
    """Tags that are called by what they are for, where the template does not show what they do."""
    written = [match.group() for text in (*prompts, source) for match in _MARK.finditer(text)]
    names = [each for each in dict.fromkeys([*written, *sorted(special)]) if _THINKING.search(each)]
    for opener in names:
        closers = _counterparts(opener)
        closer = next((each for each in closers if each in names or each in source), None)
        if closer is None and any(each.rstrip().endswith(opener) for each in prompts):
            closer = next(iter(closers), None)
        if closer is not None:
            return Tags(
                opening=opener, opener=opener, closing=_closing(opener, closer, prompts), closer=closer
            )
    return Tags()


def _closing(opener: str, closer: str, prompts: Sequence[str]) -> str:
    """A closer and the blanks around it: those of reasoning that a prompt leaves empty, or the usual ones."""
    for prompt in prompts:
        if match := re.search(rf"{re.escape(opener)}(\s*){re.escape(closer)}(\s*)", prompt):
            before = match[1][: (len(match[1]) + 1) // 2]
            return before + closer + (match[2] or "\n\n" if before else match[2])
    blanks = "\n" if _PLAIN_TAG.fullmatch(opener) else ""
    return f"{blanks}{closer}{blanks}{blanks}"


def _around_answer(tags: Tags, prompts: Sequence[str], plain: str) -> Tags:
    """Add what the template writes right before and behind an answer without reasoning."""
    before, found, behind = plain.partition(_ANSWER)
    if not found:
        return tags
    prompt = next((each for each in prompts if before.startswith(each.rstrip()) and each.strip()), "")
    answering = before[len(prompt.rstrip()) :] if prompt else ""
    if any(tag and tag in answering for tag in (tags.opener, tags.closer)):
        answering = ""
    marks = _MARK.findall(tags.closing.strip().removeprefix(tags.closer)) or _MARK.findall(answering)
    if not marks:
        return tags
    closer = _MARK.match(behind.lstrip())
    closing = tags.closing
    if answering.strip() and marks[-1] not in closing:
        closing = closing.rstrip() + answering.lstrip()
    return replace(
        tags,
        closing=closing,
        answering=answering if answering.strip() else "",
        answer_opener=marks[-1],
        answer_closer=closer.group() if closer else "",
    )


def _coded(tags: Tags, marks: Marks, vocabulary: Vocabulary) -> Tags:
    """The same in code; what ends a turn counts in letters too, as models are known to spell it out."""
    coded = Tags(
        opening=marks.coded(tags.opening),
        opener=marks.coded(tags.opener),
        closing=marks.coded(tags.closing),
        closer=marks.coded(tags.closer),
        answering=marks.coded(tags.answering),
        answer_opener=marks.coded(tags.answer_opener),
        answer_closer=marks.coded(tags.answer_closer),
        lead=tags.lead,
    )
    ends = tuple(dict.fromkeys(each for end in tags.ends for each in (marks.coded(end), end)))
    hidden = bool(tags.closer) and {tags.opener or tags.closer, tags.closer} <= vocabulary.control_texts
    return replace(coded, ends=ends, certain=hidden)


def _literals(tags: Tags) -> tuple[str, ...]:
    return (tags.opening, tags.closing, tags.answering, tags.answer_opener, tags.answer_closer, *tags.ends)


def _counterparts(opener: str) -> list[str]:
    """What may close a tag, by its name; the likeliest first."""
    found = []
    for begin, end in (("start", "end"), ("begin", "end"), ("open", "close")):
        for one, other in ((begin, end), (begin.upper(), end.upper()), (begin.title(), end.title())):
            if re.search(rf"(?<![A-Za-z]){one}(?![A-Za-z])", opener.replace("_", " ")):
                found.append(re.sub(rf"(?<![A-Za-z]){one}(?![A-Za-z])", other, opener))
    bracket, inner = opener[0], opener[1:]
    if found or inner.startswith("/"):
        return found
    found = [f"{bracket}/{inner}"]
    if inner[0] in "|｜":
        bar, name = inner[0], inner[1:].rstrip(">").rstrip("|｜")
        found += [f"<{bar}/{name}{bar}>", f"<{bar}end_{name}{bar}>", f"<{bar}end_of_{name}{bar}>"]
        if not inner.rstrip(">").endswith(bar):
            found.insert(0, f"<{name}{bar}>")
    return found


def _first_mark(text: str, special: Collection[str]) -> str:
    """The mark that ``text`` begins with, blanks left out, or the first one in it."""
    body = text.lstrip()
    known = max((each for each in special if len(each) > 1 and body.startswith(each)), key=len, default="")
    match = _MARK.search(body)
    return known or (match.group() if match else "")


def _closer(closing: str, special: Collection[str]) -> str:
    """The mark that ends reasoning, in what stands between it and the answer: spelled as none is otherwise,
    it is the first word, or all of it."""
    mark = _first_mark(closing, special)
    word = _unlike_words(closing.split(maxsplit=1)[0] if closing else "")
    return word if mark and mark in word[1:] else mark or closing


def _beyond(shorter: str, longer: str) -> str:
    """What ``longer`` says from where ``shorter`` says something else."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(shorter, longer, strict=False))
    return longer[sum(1 for _ in same) :]


def _unlike_words(text: str) -> str:
    """``text`` where it may be a mark, however it is spelled: it does not begin as words do."""
    return text if text[:1] and not text[0].isalnum() else ""


def _last_mark(text: str, special: Collection[str]) -> str:
    """The mark that ``text`` ends with, blanks left out; empty where it ends with something else."""
    body = text.rstrip()
    known = max((each for each in special if len(each) > 1 and body.endswith(each)), key=len, default="")
    ending = next((m.group() for m in _MARK.finditer(body) if m.end() == len(body)), "")
    return known or ending
