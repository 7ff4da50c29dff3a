"""An engine that says what it is told to, step by step, and waits where a test wants to look."""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trchat.chat.budget import Dropped
from trchat.chat.engine import Engine
from trchat.chat.engine_process import RemoteEngine
from trchat.chat.formats.interface import Marks, Said
from trchat.chat.formats.tags import TagFormat, Tags
from trchat.chat.records import Answer, AnyEngine, Delta, Event, ModelFacts, Prefill, Standing, never
from trchat.chat.template import Turn, Verbatim
from trchat.chat.thinking_switch import AS_IT_IS, NO_SWITCH, Prompting, ThinkingSwitch
from trchat.config import Settings
from trchat.decoding.step import Step
from trchat.llama.sampling import Sampling
from trchat.recycling.calibration import ROWS2, STRIDES, SUFFIX
from trchat.recycling.tree import ROOT, DraftTree

STOP_HERE = object()
"""In a script: wait until the test lets go on."""
STEP_S = 0.01
SPOKEN = TagFormat(Tags("<think>", "<think>", "</think>", "</think>"), Marks((), {}, ()))
"""How it writes its answers."""


@dataclass
class ScriptedEngine:
    """``says``: a list of words for each answer, the last for all further ones; exceptions are raised."""

    says: list[list[object]] = field(default_factory=lambda: [["Hello ", "world."]])
    n_ctx: int = 4096
    can_draft: bool = True
    finish: str = "stop"
    prompts: list[list[tuple[str, str]]] = field(default_factory=list)
    openings: list[Turn | None] = field(default_factory=list)
    sampled: list[Sampling] = field(default_factory=list)
    prompted: list[Prompting] = field(default_factory=list)
    thinking: ThinkingSwitch = NO_SWITCH
    waiting: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    opened: list[tuple[Path, Settings, int]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.words: list[str] = []
        self.mode = "auto"
        self.alive = True

    @property
    def facts(self) -> ModelFacts:
        return ModelFacts("Scripted", "script", self.can_draft, self.n_ctx)

    @property
    def standing(self) -> Standing:
        return Standing(self.mode, 12, 1000 + 4 * len(self.prompts), 10.0)

    def belongs_to(self, conversation: int | None) -> None:
        pass

    def use_draft(self, mode: str) -> None:
        self.mode = mode

    def piece(self, token: int) -> bytes:
        return self.words[token].encode()

    def prompt_tokens(self, turns: Sequence[Turn]) -> tuple[list[str], None]:
        return " ".join(turn.content for turn in turns).split(), None

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
        assert not isinstance(turns, Verbatim), "a chat has turns"
        self.prompts.append([(turn.role, turn.content) for turn in turns])
        self.openings.append(opening)
        self.sampled.append(sampling)
        self.prompted.append(prompting)
        room = self.n_ctx // 4
        left_out = max(len(turns) - room, 0)
        if left_out:
            self.prompts[-1] = self.prompts[-1][left_out:]
            yield Dropped(left_out, len(turns))
        written = f"{opening.reasoning or ''} {opening.content}" if opening else ""
        begun = 2 * len(written.split())  # each word is two tokens
        answer.prompt_tokens = len(self.prompt_tokens(turns)[0]) + begun
        yield Prefill(answer.prompt_tokens, answer.prompt_tokens, 0)
        parser = SPOKEN.parser("")
        if opening is not None:
            parser = SPOKEN.resumed_parser("", opening.reasoning, opening.content)
        in_all = Said()
        script = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        for number, word in enumerate(script):
            if word is STOP_HERE:
                self.waiting.set()
                assert self.go_on.wait(20)
                self.go_on.clear()
                continue
            if isinstance(word, BaseException):
                raise word
            assert isinstance(word, str)
            last = not any(isinstance(each, str) for each in script[number + 1 :])
            limited = max_tokens is not None and len(answer.token_ids) + 1 >= max_tokens
            end = self.finish if last else "length" if limited else None
            step = self._step(word, end)
            answer.statistics.add(step)
            answer.token_ids.extend(step.tokens)
            said = [parser.push(word[: max(len(word) // 2, 1)]), parser.push(word[max(len(word) // 2, 1) :])]
            if end:
                answer.finish = end
                said[-1] += parser.finish()
            in_all = sum(said, in_all)
            answer.reasoning, answer.text = in_all.reasoning, in_all.text
            yield Delta(step, tuple(said))
            if end:
                return

    def _step(self, word: str, finish: str | None) -> Step:
        """One accepted token (the first half of the word) and one of the model's own."""
        middle = max(len(word) // 2, 1)
        first = len(self.words)
        self.words += [word[:middle], word[middle:], "wrong"]
        if not self.can_draft:
            tree, path = DraftTree(np.zeros(0, np.int32), np.zeros(0, np.int32)), tuple[int, ...]()
        else:
            tokens, parents = np.array([first, first + 2], np.int32), np.array([ROOT, ROOT], np.int32)
            tree, path = (
                DraftTree(tokens, parents, [0.9, 0.1], [5 * STRIDES[ROWS2], 2 * STRIDES[SUFFIX]]),
                (0,),
            )
        return Step((first, first + 1), tree, path, 1, finish, 0.0, STEP_S, 0.0, 0.0, 0.0)

    @contextmanager
    def opener(
        self,
        path: Path,
        settings: Settings,
        ctx: int,
        progress: Callable[[float], object],
        tell: Callable[[str], None],
    ) -> Iterator[AnyEngine]:
        """In place of open_engine."""
        self.opened.append((path, settings, ctx))
        progress(0.5)
        for notice in self.notices:
            tell(notice)
        self.n_ctx = min(ctx, self.n_ctx)
        yield self


def engines(real: Engine, elsewhere: RemoteEngine, scripted: ScriptedEngine) -> list[AnyEngine]:
    """For the type checker: what holds for one of them in a test holds for the others."""
    return [real, elsewhere, scripted]
