"""Answers conversations: one model, one context, one drafter; every front end streams the same records."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter

import numpy as np

from trchat.chat.budget import fit, fit_whole
from trchat.chat.checkpoints import checkpoints
from trchat.chat.earlier import EarlierAnswers
from trchat.chat.formats.tags import AS_WRITTEN
from trchat.chat.kv_on_disk import DiskCache
from trchat.chat.prompt import Prompt, PromptBuilder
from trchat.chat.reader import AnswerReader
from trchat.chat.records import Answer, Delta, Event, ModelFacts, Prefill, Standing, never
from trchat.chat.template import ChatTemplate, Turn, Verbatim
from trchat.chat.thinking_switch import (
    AS_IT_IS,
    NO_SWITCH,
    Prompting,
    ThinkingSwitch,
    variables_for,
    with_system_line,
)
from trchat.decoding.kv_cache import KVCache
from trchat.decoding.loop import generate
from trchat.decoding.start_costs import measure_start
from trchat.decoding.state_cache import Cache, StateCache
from trchat.drafting import make_drafter
from trchat.llama.context import Context, ContextOptions
from trchat.llama.model import Model
from trchat.llama.owned import Owned
from trchat.llama.sampler import SamplerChain, check_in_time
from trchat.llama.sampling import Sampling
from trchat.recycling.cost import StepCosts
from trchat.recycling.drafter import Drafter, NoDrafter
from trchat.recycling.topk import Contenders
from trchat.recycling.tree import EMPTY_TREE

SAVED_BYTES = 1 << 28


class Engine(Owned):
    """Owns a context of ``model``; close it before the model.

    Attributes:
        drafter: what guesses ahead; may be exchanged between answers.
        costs: step times of this machine, for drafters that choose by them.
        make_drafter: makes a drafter for a mode, going on from what was learned; for changes of mode.
        on_answer_end: called with each answer when it is complete or was left.
        earlier: tells drafters what was answered in earlier conversations; None tells them nothing.
        disk_cache: keeps what was read for later, and reads it back; None reads every text anew.
        tool_source: a chat template for conversations with tools, where the usual one knows none.
        came_free: tells how many tokens drafting has saved with this model since its first day.
    """

    def __init__(
        self,
        model: Model,
        options: ContextOptions,
        template: ChatTemplate | None = None,
        saved_bytes: int = SAVED_BYTES,
    ) -> None:
        """States of the text, of a model that keeps one, are saved in up to ``saved_bytes``."""
        self.model = model
        self.drafter: Drafter = NoDrafter()
        self.make_drafter: Callable[[str], Drafter] = lambda mode: make_drafter(
            mode, model.n_vocab, self.costs, chains=model.drafts == "chains"
        )
        self.on_answer_end: Callable[[Answer], None] | None = None
        self.earlier: EarlierAnswers | None = None
        self.disk_cache: DiskCache | None = None
        self.tool_source: str | None = None
        self._tool_prompts: PromptBuilder | None = None
        self.came_free: Callable[[], int] = lambda: 0
        self.template = template or ChatTemplate(model.chat_template, model.bos_text, model.eos_text)
        self.prompts = PromptBuilder(self.template, model)
        self.context = Context(model, options)
        self.cache: Cache = (
            StateCache(self.context, saved_bytes) if model.keeps_state else KVCache(self.context)
        )
        self._contenders = Contenders(model.n_vocab)
        self.costs = StepCosts(shared=options.on_gpu or self.context.attention.flash == "off")
        self._drafters: dict[str, Drafter] = {}
        self._followed = ""
        """The schema that was last seen to be one that can be followed in time."""

    @property
    def facts(self) -> ModelFacts:
        """What is loaded."""
        return ModelFacts(
            name=self.model.name,
            architecture=self.model.architecture,
            can_draft=self.model.can_draft,
            n_ctx=self.context.n_ctx,
            brings_template=not self.template.is_fallback,
            template_reads=self.template.reads,
            reasons=bool(self.prompts.format.closing),
        )

    @property
    def thinking(self) -> ThinkingSwitch:
        """How its chat template has the model think, or not."""
        return self.prompts.switch

    @property
    def standing(self) -> Standing:
        """How drafting goes; counts rows, which takes a moment."""
        drafter = self.drafter
        return Standing(drafter.mode, drafter.rows_learned, self.came_free(), self.costs.plain_ms)

    @property
    def alive(self) -> bool:
        """Whether it can answer: as long as this process can."""
        return True

    def piece(self, token: int) -> bytes:
        """The bytes of a token."""
        return self.model.piece(token)

    def belongs_to(self, conversation: int | None) -> None:
        """Say, after an answer, which saved conversation it belongs to (see disk_cache and earlier)."""
        if self.earlier is not None:
            self.earlier.belongs_to(conversation)
        if self.disk_cache is not None:
            self.disk_cache.belongs_to(conversation)

    def pause(self) -> bool:
        """Use a pause for a few milliseconds of work that was put off; whether there is more of it."""
        more = self.disk_cache is not None and self.disk_cache.pause()
        return (self.earlier is not None and self.earlier.pause()) or more

    def interrupt(self, wanted: bool = True) -> None:
        """Have the answer that is being written end now, within a step, and all further ones; or no longer.

        May be called on any thread.
        """
        self.context.interrupt(wanted)

    def use_draft(self, mode: str) -> None:
        """Guess ahead in another way from the next answer on; what a mode has learned stays."""
        if not self.model.can_draft:
            return
        self._drafters.setdefault(self.drafter.mode, self.drafter)
        if mode not in self._drafters:
            self._drafters[mode] = self.make_drafter(mode)
            if mode == "auto" and self.costs.plain_ms is None:
                self.learn_costs(0.0)  # was loaded for another mode; the next prompt is read anew
        self.drafter = self._drafters[mode]

    def close(self) -> None:
        """Free the context and end the template's process. May be called twice."""
        self.context.close()
        self.template.close()
        if self._tool_prompts is not None:
            self._tool_prompts.template.close()

    def learn_costs(self, load_s: float) -> None:
        """Measure step times, for about 0.3 s or 5 % of ``load_s`` at most, on a GPU for twice as long."""
        measure_start(self.cache, self.costs, load_s)

    def forget(self) -> None:
        """Empty the KV cache, so that the next answer starts from nothing."""
        self.cache.truncate(0)

    def margin(self, tokens: Sequence[int]) -> float:
        """How far apart, in logits, the two likeliest tokens after ``tokens`` are."""
        cached = self.cache.reuse(tokens)
        for _ in self.cache.prefill(tokens[cached:-1]):
            pass
        row = self.cache.verify(tokens[-1:], EMPTY_TREE)[0]
        second, first = np.partition(row, len(row) - 2)[-2:].tolist()
        self.cache.keep(())
        return float(first - second)

    def answer(
        self,
        turns: Sequence[Turn] | Verbatim,
        sampling: Sampling,
        max_tokens: int | None,
        answer: Answer,
        *,
        opening: Turn | None = None,
        prompting: Prompting = AS_IT_IS,
        stops: Sequence[str] = (),
        whole: bool = False,
        stop: Callable[[], bool] = never,
    ) -> Generator[Event, None, None]:
        """Stream the answer to ``turns``, or what follows a ``Verbatim`` text, filling ``answer`` as it goes.

        ``opening`` is what the answer says already, when one that was cut goes on; it is not said again.
        ``prompting`` says what the template is told. The answer ends before the first of ``stops`` in it.
        ``stop`` is for engines in processes of their own, which ask it while they wait; here, ``interrupt``
        ends what takes long.

        Closing the iterator at any event leaves the context fit for the next answer and ``answer`` with
        what there is. Of a conversation that is too long the oldest turns are left out (see
        trchat.chat.budget), unless it must be read ``whole``; raises ContextError when the question alone
        leaves no room (or all of it does not), what the template raises, and DecodeError from llama.cpp.
        """

        prompts, tools = self.prompts, prompting.tools
        if tools is not None or (not isinstance(turns, Verbatim) and any(turn.calls for turn in turns)):
            prompts = self._for_tools()
        switch = prompts.switch if prompting.switches else NO_SWITCH
        variables = variables_for(prompting, switch, prompts.template.reads)
        line = switch.plan(prompting.think).system
        format = prompts.format
        if tools is not None:
            format = prompts.format_with(tools)
            if tools.must:
                sampling = replace(sampling, schema=prompts.rules_for(tools))
        if sampling.schema != self._followed:
            check_in_time(self.model, sampling.schema)
            self._followed = sampling.schema

        def build(some: Sequence[Turn]) -> Prompt:
            definitions = tools.definitions if tools else ()
            return prompts.build(with_system_line(some, line), variables, opening, definitions)

        if isinstance(turns, Verbatim):
            fitted = fit_whole(self.prompts.verbatim(turns), (), self.context.n_ctx)
        elif whole:
            fitted = fit_whole(build(turns), turns, self.context.n_ctx)
        else:
            fitted = fit(turns, build, self.context.n_ctx, max_tokens)
        prompt = fitted.prompt.ids
        answer.prompt_tokens = len(prompt)
        answer.dropped = fitted.dropped
        if fitted.dropped:
            yield fitted.dropped
        points: Sequence[int] = ()
        if not self.cache.goes_back and fitted.turns:
            points = checkpoints(fitted.turns, build, prompt)
        room = self.context.n_ctx - len(prompt)
        limit = min(room, max_tokens or room)
        start = perf_counter()
        cached = (self.disk_cache or self.cache).reuse(prompt)
        answer.cached_prompt_tokens = cached
        reading = perf_counter()
        for done in self.cache.prefill(prompt[cached:-1], points):
            answer.prompt_s = perf_counter() - start
            yield Prefill(cached + done, len(prompt), cached)
        answer.prompt_s = perf_counter() - start
        if self.disk_cache is not None:
            self.disk_cache.has_read(len(prompt) - 1 - cached, perf_counter() - reading)

        format = AS_WRITTEN if isinstance(turns, Verbatim) else format
        tail = fitted.prompt.tail
        parser = (
            format.parser(tail)
            if opening is None
            else format.resumed_parser(tail, opening.reasoning, opening.content)
        )
        reader = AnswerReader(
            self.model,
            format,
            parser,
            stops,
            prompting.think_budget,
            ruled=bool(sampling.grammar or sampling.schema),
        )
        drafter = self.drafter
        if self.earlier is not None:
            self.earlier.prepare(drafter)
        with (
            self._until_the_end_of(answer, drafter),
            SamplerChain(self.context, sampling, prompt, reader, self._contenders) as chain,
        ):
            steps = generate(
                self.cache,
                drafter,
                chain.sample,
                prompt,
                max_tokens=limit,
                ends=reader.take,
                can_draft=self.model.can_draft,
                forced=chain.forced,
            )
            for step in steps:
                answer.statistics.add(step)
                answer.token_ids.extend(step.tokens)
                if step.finish:
                    reader.finish(cut=step.finish == "length")
                    out_of_room = step.finish == "length" and limit == room and limit != max_tokens
                    answer.finish = "context" if out_of_room else step.finish
                answer.reasoning, answer.text = reader.reasoning, reader.text
                answer.calls = reader.calls
                answer.reasoning_tokens = reader.reasoning_tokens
                told = zip(chain.likely(len(step.tokens)), reader.spoken(), strict=False)
                likely = tuple(each if spoken else None for each, spoken in told)
                yield Delta(step, tuple(reader.news()), likely)

    def _for_tools(self) -> PromptBuilder:
        """By what to make prompts where there are tools."""
        if self.tool_source is None or self.prompts.tool_use.variable is not None:
            return self.prompts
        if self._tool_prompts is None:
            template = ChatTemplate(self.tool_source, self.model.bos_text, self.model.eos_text)
            self._tool_prompts = PromptBuilder(template, self.model)
        return self._tool_prompts

    @contextmanager
    def _until_the_end_of(self, answer: Answer, drafter: Drafter) -> Iterator[None]:
        try:
            yield
        finally:
            drafter.settle()
            if self.disk_cache is not None:
                self.disk_cache.answered(answer.prompt_tokens if answer.reasoning else None)
            if self.on_answer_end is not None:
                self.on_answer_end(answer)
