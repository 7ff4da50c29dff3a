"""The thinking switch: what a template is told, so that the model thinks, thinks harder, or does not think.

Every family has its own variable for it, and no list of models knows the next one's. So the template is
asked: of the variables that it looks up, those whose names speak of thinking are tried with the values that
its source names, and what changes the prompt is a switch. Which way it goes is seen in the prompt, where
that begins the reasoning or ends it at once; else the name says it. Templates that look for a word in the
messages (``/no_think``) are tried with the word.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from trchat.chat.formats.find_format import tail_of
from trchat.chat.formats.interface import Format, Place
from trchat.chat.template import ChatTemplate, Turn
from trchat.chat.tools.calls import Tools
from trchat.errors import TrchatError

EFFORTS = ("low", "medium", "high")
_RUNGS = {"minimal": 0, "low": 1, "medium": 2, "high": 3, "xhigh": 4, "max": 5}
_OFF_WORDS = ("none", "off", "disabled", "disable", "no_think", "nothink", "no_thinking", "no", "never")
_ON_WORDS = ("on", "enabled", "enable", "think", "thinking", "yes", "always")
_BUDGETS = {"low": 1024, "medium": 4096, "high": 16384}
"""Tokens, for templates that are told how long to think: from a short question's worth, a factor of four
apart. All three are among the sizes that Seed-OSS was trained on."""

_TOPIC = re.compile(r"think|thought|reason|effort|deliberat|(^|_)cot(_|$)")
_OF_THE_PAST = re.compile(r"(^|_)(past|history|preserved?|keep|retain|clear|truncate|drop|strip|remove)(_|$)")
_FORGETTING = re.compile(r"(^|_)(clear|truncate|drop|strip|remove)(_|$)")
_PART_OF_A_TURN = re.compile(r"content|text|parts|prompt")
_NEGATIVE = re.compile(r"(^|_)(no|not|non|disabled?|skip|without|hide|suppress)(_|$)|^nothink")
_GRADED = re.compile(r"effort|strength|level|mode|option|degree|intensity|type|style")
_AMOUNT = re.compile(r"budget|tokens|limit|length")
_TYPED = re.compile(r"/no_?think(?:ing)?\b|/think(?:ing)?\b|\bdetailed thinking (?:on|off)\b")
_NONSENSE = "qlevelq"

_QUESTION = "qfirstq"
_ASKED = Turn("user", _QUESTION)
_SHAPES: tuple[tuple[Turn, ...], ...] = ((_ASKED,), (Turn("system", "qsystemq"), _ASKED))
"""Without a system prompt and with one: some templates look at their variables only in one of the two. There
is no earlier answer, so that what only changes how the past is told is no switch."""

CANNOT = "the thinking of this model cannot be switched: its chat template has nothing for it"
_ONLY_ON_OFF = "the thinking of this model is only on or off: it is on"
_DEAF = (
    "this model's chat template can switch thinking only in conversations with a system prompt",
    "this model's chat template can switch thinking only in conversations without a system prompt",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to give to the template.

    Attributes:
        variables: for it to read.
        system: a line for the system prompt, where the template looks for it there.
        note: one line for a person, where what was wished for cannot be had as it is.
        deaf: such a line for conversations without and with a system prompt, where it has no effect there.
    """

    variables: Mapping[str, object] = field(default_factory=dict)
    system: str = ""
    note: str = ""
    deaf: tuple[str, str] = ("", "")

    def said(self, has_system: bool) -> str:
        """The line for a person, in a conversation with or without a system prompt; mostly empty."""
        return self.deaf[has_system] or self.note


NOTHING = Plan()


@dataclass(frozen=True, slots=True)
class ThinkingSwitch:
    """What each of ``on``, ``off``, ``low``, ``medium``, ``high`` means to one template.

    ``kinds`` names what it reads; it is empty where there is nothing to switch. ``steps`` are the modes that
    make a difference, ``auto`` (the template's own default) first.
    """

    plans: Mapping[str, Plan]
    kinds: tuple[str, ...] = ()
    steps: tuple[str, ...] = ("auto",)

    def plan(self, mode: str) -> Plan:
        """What ``mode`` means; ``auto`` leaves everything to the template."""
        return self.plans.get(mode, NOTHING)

    def budget(self, tokens: int) -> Mapping[str, object]:
        """Variables that tell the template how long the model may think, where it reads any."""
        return {name: tokens for name in self.kinds if _AMOUNT.search(name)}


@dataclass(frozen=True, slots=True)
class Prompting:
    """What prompts are made with.

    Attributes:
        think: ``auto``, ``on``, ``off``, ``low``, ``medium`` or ``high``.
        think_budget: most tokens of reasoning; None leaves its end to the model.
        variables: for the template; they are laid over all that follows from the rest.
        tools: what the model may call; None where there is nothing.
    """

    think: str = "auto"
    think_budget: int | None = None
    variables: Mapping[str, object] = field(default_factory=dict)
    tools: Tools | None = None

    @property
    def switches(self) -> bool:
        """Whether anything is wished for that the template's switch may have to do with."""
        return self.think != "auto" or self.think_budget is not None


AS_IT_IS = Prompting()
"""Everything is left to the template."""
NO_SWITCH = ThinkingSwitch(dict.fromkeys(("on", "off", *EFFORTS), Plan(note=CANNOT)))


def variables_for(prompting: Prompting, switch: ThinkingSwitch, reads: frozenset[str]) -> dict[str, object]:
    """All that a template which ``reads`` these variables is given."""
    given = {**remembering(reads), **switch.plan(prompting.think).variables}
    if prompting.think_budget is not None and prompting.think != "off":
        given.update(switch.budget(prompting.think_budget))
    return {**given, **prompting.variables}


def notes_on(
    prompting: Prompting,
    switch: ThinkingSwitch,
    reads: frozenset[str],
    *,
    reasons: bool,
    has_system: bool,
) -> list[str]:
    """Lines for a person: wishes that cannot be fulfilled, in conversations with a system prompt or without.

    ``reasons``: the model is known to write reasoning.
    """
    unread = [name for name in prompting.variables if name not in reads]
    about = f"the chat template of this model reads no variable {', '.join(unread)}" if unread else ""
    endless = prompting.think_budget is not None and not reasons
    budget = "this model is not known to reason: there is nothing that a thinking budget could end"
    return [
        line
        for line in (switch.plan(prompting.think).said(has_system), about, budget if endless else "")
        if line
    ]


def find_switch(template: ChatTemplate, format: Format | None = None) -> ThinkingSwitch:
    """Try what ``template`` reads: by many renderings, so call it once. Those without a switch cost nothing.

    ``format`` tells where in an answer a prompt ends; without one nothing is known of that.
    """
    return _Search(template, format).found()


def remembering(reads: frozenset[str]) -> dict[str, object]:
    """Values for the switches by which templates keep or drop the reasoning of earlier answers: it is kept.

    As llama.cpp has it: the next prompt then begins with all that was computed for the last.
    """
    return {
        name: not _FORGETTING.search(name)
        for name in sorted(reads)
        if _TOPIC.search(name) and _OF_THE_PAST.search(name)
    }


def typed_to_the_model(text: str, source: str | None) -> bool:
    """Whether a line that begins as a command does is a switch that the model itself reads (``/no_think``).

    ``source`` is the chat template. Some look for the word, and say so. Qwen3 was trained on it, and what is
    to be seen of that in a template is the variable for the same thing.
    """
    word = text.split(maxsplit=1)[0] if text.strip() else ""
    if not source or not _TYPED.fullmatch(word):
        return False
    return word in source or re.search(r"\benable_thinking\b", source) is not None


def with_system_line(turns: Sequence[Turn], line: str) -> list[Turn]:
    """``turns`` with ``line`` at the end of their system prompt."""
    if not line:
        return list(turns)
    if turns and turns[0].role == "system":
        return [replace(turns[0], content=f"{turns[0].content}\n\n{line}"), *turns[1:]]
    return [Turn("system", line), *turns]


_Prompts = tuple[str | None, ...]
"""The prompt of each shape; None where the template refuses it."""


class _Search:
    """Tries variables on one template."""

    def __init__(self, template: ChatTemplate, format: Format | None) -> None:
        self._template = template
        self._format = format if format is not None and format.closing else None
        names = [
            name
            for name in template.reads
            if _TOPIC.search(name) and not _OF_THE_PAST.search(name) and not _PART_OF_A_TURN.search(name)
        ]
        # The commonest names first: of several that do the same, the one that people know is used.
        self._names = sorted(names, key=lambda name: (name != "enable_thinking", name != "thinking", name))
        self._usual: _Prompts = ()

    def found(self) -> ThinkingSwitch:
        words = sorted(set(_TYPED.findall(self._template.source)))
        if not self._names and not words:
            return NO_SWITCH
        self._usual = self._prompts({})
        boolean = self._boolean()
        name, on, off = boolean or self._in_words() or self._amount() or ("", None, None)
        efforts_name, efforts, strict = self._efforts(on or NOTHING, name if boolean else "")
        if off is None and not efforts:
            name, on, off = self._in_messages(words) or ("", None, None)
            if off is None:
                return NO_SWITCH
        plans = {} if off is None else {"off": off}
        if off is None:
            least = min(efforts, key=_RUNGS.__getitem__)
            only = f"this model has no switch to stop thinking; the least it knows is {efforts_name}={least}"
            plans["off"] = (
                efforts[least] if self._silences(efforts[least]) else replace(efforts[least], note=only)
            )
        plans["on"] = on if on is not None else self._thinking_by(efforts, plans["off"])
        for effort in EFFORTS:
            plans[effort] = self._at(effort, efforts, plans["on"], strict)
            if effort in efforts and self._silences(efforts[effort]):
                without = f"this model does not think at all with {efforts_name}={effort}"
                plans[effort] = replace(efforts[effort], note=without)
        kinds = tuple(dict.fromkeys(filter(None, (name, efforts_name))))
        return ThinkingSwitch(plans, kinds, _steps(plans))

    def _prompts(self, variables: Mapping[str, object], system: str = "") -> _Prompts:
        shapes = ((Turn("system", system), _ASKED),) if system else _SHAPES
        prompts: list[str | None] = []
        for shape in shapes:
            try:
                prompts.append(self._template.render(shape, variables))
            except TrchatError:
                prompts.append(None)
        return tuple(prompts)

    def _boolean(self) -> tuple[str, Plan, Plan] | None:
        """A variable that is true or false."""
        for name in self._names:
            if _GRADED.search(name) or _AMOUNT.search(name):
                continue
            true, false = self._prompts({name: True}), self._prompts({name: False})
            if None not in true + false and _differ(_with_word(true, "True", "False"), false):
                more, less = self._thinks(true), self._thinks(false)
                yes = more > less if more != less else not _NEGATIVE.search(name)
                deaf = _deaf(true, false)
                return name, Plan({name: yes}, deaf=deaf), Plan({name: not yes}, deaf=deaf)
        return None

    def _in_words(self) -> tuple[str, Plan | None, Plan] | None:
        """A variable with a word for not thinking."""
        for name in self._names:
            silent, others = self._words_by_effect(name)
            known = silent or self._words(name, _OFF_WORDS)[0] or self._words_for_the_rest(name)
            by_itself = bool(others) and not any(self._thinks(self._usual))  # it does not think untold
            if known or by_itself:
                words = [word for word in self._words(name, _ON_WORDS)[0] if word not in known]
                words += [word for word in others if word not in _RUNGS]
                off = Plan({name: known[0]}) if known else NOTHING
                return name, Plan({name: words[0]}) if words else None, off
        return None

    def _words_by_effect(self, name: str) -> tuple[list[str], list[str]]:
        """Words that the template compares a variable with: those with which the prompt ends the reasoning
        before it begins, and those that begin it; neither where all words, known or not, do the same.

        Of the former, words for an effort come last: they say less than those for nothing.
        """
        if self._format is None or _AMOUNT.search(name):
            return [], []
        beside = re.findall(rf"\b{name}\b[^%}}]*", self._template.source)
        words = dict.fromkeys(
            word for each in beside for word in re.findall(r"""['"]([A-Za-z_]+)['"]""", each)
        )
        prompts = {word: self._prompts({name: word}) for word in (*words, _NONSENSE) if word != name}
        thinks = {word: self._thinks(each) for word, each in prompts.items() if None not in each}
        silent = [word for word, much in thinks.items() if not any(much)]
        most = max(thinks.values(), default=())
        if not any(most) or not silent:
            return [], []
        silent.sort(key=lambda word: (word in _RUNGS, word not in _OFF_WORDS, _RUNGS.get(word, 0)))
        others = [word for word, much in thinks.items() if much == most]
        silent, others = ([word for word in each if word != _NONSENSE] for each in (silent, others))
        return silent, others

    def _thinks(self, prompts: _Prompts) -> tuple[int, ...]:
        """How near to reasoning each of ``prompts`` ends: 2 inside it, 0 behind its end, 1 where none of it
        stands there."""
        if self._format is None:
            return (1,) * len(prompts)
        places = [self._format.parser(tail_of(each or "", _QUESTION)).place for each in prompts]
        return tuple({Place.REASONING: 2, Place.MARKUP: 0}.get(place, 1) for place in places)

    def _silences(self, plan: Plan) -> bool:
        """Whether no prompt leaves room for reasoning."""
        return not any(self._thinks(self._prompts(plan.variables, plan.system)))

    def _words_for_the_rest(self, name: str) -> list[str]:
        """Words for not thinking where that is also what any unknown word does: the template compares the
        variable with them, and others make a difference."""
        compared = [
            word
            for word in _OFF_WORDS
            if re.search(rf"""\b{name}\b[^%}}]*['"]{word}['"]""", self._template.source, re.I)
        ]
        others = self._words(name, (*_ON_WORDS, *_RUNGS))[0] if compared else []
        thinking = [self._prompts({name: other}) for other in others]
        return [word for word in compared if any(_differ(self._prompts({name: word}), on) for on in thinking)]

    def _amount(self) -> tuple[str, Plan, Plan] | None:
        """A variable that says for how many tokens to think."""
        for name in self._names:
            if _AMOUNT.search(name) and _differ(self._prompts({name: 0}), self._usual):
                return name, NOTHING, Plan({name: 0})
        return None

    def _in_messages(self, words: Sequence[str]) -> tuple[str, Plan, Plan] | None:
        """A word in the system prompt."""
        known = {word: self._reads_word(word) for word in words}
        off = next((word for word in words if known[word] and ("/no" in word or "off" in word)), None)
        if off is None:
            return None
        on = next((word for word in words if known[word] and word != off), "")
        return off, Plan(system=on), Plan(system=off)

    def _reads_word(self, word: str) -> bool:
        """Whether the template does more with a word than to repeat it."""
        with_word, without = self._prompts({}, word)[0], self._prompts({}, _NONSENSE)[0]
        if with_word is None or without is None:
            return False
        return with_word.replace(word, "") != without.replace(_NONSENSE, "")

    def _efforts(self, on: Plan, boolean: str) -> tuple[str, dict[str, Plan], bool]:
        """How hard to think: the variable's name, a plan for each word that it knows, and whether it refuses
        those that it does not know. ``boolean`` is the variable that only says whether to think."""
        for name in self._names:
            if name == boolean:
                continue
            if _AMOUNT.search(name):
                if _differ(self._prompts({name: _BUDGETS["low"]}), self._usual):
                    return name, {effort: Plan({name: _BUDGETS[effort]}) for effort in EFFORTS}, False
                continue
            words, repeats, strict = self._words(name, tuple(_RUNGS), on.variables)
            known = sorted({*words, *(EFFORTS if repeats else ())}, key=_RUNGS.__getitem__)
            if known:
                plans = {word: replace(on, variables={**on.variables, name: word}) for word in known}
                return name, plans, strict
        return "", {}, False

    def _words(
        self, name: str, words: Sequence[str], given: Mapping[str, object] | None = None
    ) -> tuple[list[str], bool, bool]:
        """Which of ``words`` a variable knows, whether it repeats any word, and whether it refuses others.

        A template that repeats its variable ("Reasoning: high") knows what it was trained on; what it knows
        besides, as any other template does, stands in its source.
        """
        named = [word for word in words if re.search(rf"""['"]{word}['"]""", self._template.source, re.I)]
        given = given or {}
        other = self._prompts({**given, name: _NONSENSE})
        repeats = any(prompt is not None and _NONSENSE in prompt.lower() for prompt in other)
        accepted = {word: prompts for word in named if any(prompts := self._prompts({**given, name: word}))}
        if not any(
            _differ(prompts, _with_word(other, _NONSENSE, word)) for word, prompts in accepted.items()
        ):
            return [], repeats, not any(other)
        usual = self._prompts(given)
        known = [
            word
            for word, prompts in accepted.items()
            if _differ(prompts, _with_word(other, _NONSENSE, word)) or prompts == usual
        ]
        return known, repeats, not any(other)

    def _thinking_by(self, efforts: Mapping[str, Plan], off: Plan) -> Plan:
        """How to think where no variable says just that."""
        off_prompts = self._prompts(off.variables, off.system)
        if efforts and not _differ(off_prompts, self._usual):  # it does not think unless it is told to
            return efforts.get("high") or efforts[max(efforts, key=_RUNGS.__getitem__)]
        return NOTHING

    @staticmethod
    def _at(effort: str, efforts: Mapping[str, Plan], on: Plan, strict: bool) -> Plan:
        """The plan for an effort, or for the nearest that there is; of two as near, the greater."""
        if effort in efforts:
            return efforts[effort]
        if not efforts:
            return replace(on, note=on.note or _ONLY_ON_OFF)
        known = ", ".join(efforts)
        says = f"this model knows no thinking effort {effort!r}, only {known}"
        if not strict:  # what it does not know is its usual effort
            return replace(on, note=f"{says}: it thinks as usual")
        rung = _RUNGS[effort]
        nearest = min(efforts, key=lambda word: (abs(_RUNGS[word] - rung), -_RUNGS[word]))
        return replace(efforts[nearest], note=f"{says}: it is {nearest!r}")


def _differ(some: _Prompts, others: _Prompts) -> bool:
    return any(one != other for one, other in zip(some, others, strict=False))


def _deaf(on: _Prompts, off: _Prompts) -> tuple[str, str]:
    """What to say of the shapes in which a switch changes nothing."""
    works = [one != other for one, other in zip(on, off, strict=True)]
    return ("" if works[0] else _DEAF[0], "" if works[1] else _DEAF[1])


def _with_word(prompts: _Prompts, word: str, other: str) -> _Prompts:
    """The prompts with another word in place of one that was only repeated."""
    return tuple(prompt and prompt.replace(word, other) for prompt in prompts)


def _steps(plans: Mapping[str, Plan]) -> tuple[str, ...]:
    """The modes that differ from one another and from what the template does by itself."""
    steps = {"auto": NOTHING}
    for mode in ("off", *EFFORTS, "on"):
        plan = plans[mode]
        if not plan.note and all(
            (plan.variables, plan.system) != (p.variables, p.system) for p in steps.values()
        ):
            steps[mode] = plan
    return tuple(sorted(steps, key=("auto", "off", "on", *EFFORTS).index))
