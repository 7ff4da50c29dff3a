"""An engine that goes on from what earlier sessions have learned, and leaves what it learns to later ones."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from trchat.chat.engine import Engine
from trchat.chat.records import Answer
from trchat.chat.settings import Remember
from trchat.drafting import make_drafter
from trchat.errors import ModelError
from trchat.llama.context import ContextOptions, attention_for, threads_for
from trchat.llama.cuda_graphs import graphs_disabled
from trchat.llama.device import WHOLE, backend
from trchat.llama.model import Model
from trchat.model_store import identity_of
from trchat.recycling.drafter import Drafter
from trchat.storage.recycled.files import open_memory
from trchat.storage.recycled.memory import CLOSING_S, Memory
from trchat.storage.recycled.records import Identity, Totals

Tell = Callable[[str], None]


class Remembering:
    """Makes the drafters of one engine, with what is known, and saves what they learn."""

    def __init__(
        self, engine: Engine, path: Path, layers: int, wanted: Remember, tell: Tell, *, recall: bool = True
    ) -> None:
        """``path`` is the model's file, ``layers`` how many of its layers were offered to a GPU.

        ``tell`` gets lines for a person: where it starts from, and trouble with the disk. ``recall`` says
        whether answers that are over may be guessed to come again.
        """
        self._engine = engine
        self._path = path
        self._layers = layers
        self._wanted = wanted
        self._recall = recall
        self._tell = tell
        self._memory: Memory | None = None
        self._identity: Identity | None = None
        self._counted = {"auto", "recycling"} if wanted.write else set()
        engine.on_answer_end = self._save
        engine.came_free = lambda: self._memory.came_free if self._memory else 0

    def drafter(self, mode: str) -> Drafter:
        """A drafter for ``mode``; the store is opened when the first one is wanted that learns."""
        n_vocab = self._engine.model.n_vocab
        if mode not in ("auto", "recycling"):
            return make_drafter(mode, n_vocab)
        if self._memory is None:
            self._memory = self._open(n_vocab)
            if self._memory.costs_recalled:
                self._engine.costs = self._memory.costs
            else:
                self._memory.costs = self._engine.costs
        chains = self._engine.model.drafts == "chains"
        return make_drafter(
            mode, n_vocab, self._engine.costs, self._memory, chains=chains, recall=self._recall
        )

    @property
    def costs_known(self) -> bool:
        """Whether step times of this machine came from the store, so that none need be measured."""
        memory = self._memory
        return memory is not None and memory.costs_recalled

    def identity(self) -> Identity:
        """What tells the model from others. Raises ModelError for a file that cannot be read."""
        if self._identity is None:
            self._identity = replace(identity_of(self._path), vocabulary=self._engine.model.n_vocab)
        return self._identity

    def close(self) -> None:
        """Save the rest; a disk that is too slow is left behind after some seconds."""
        if self._memory is not None and not self._memory.close():
            self._tell(f"the disk took more than {CLOSING_S:.0f} s: what was learned last may not be saved")

    def _open(self, n_vocab: int) -> Memory:
        if not self._wanted.read and not self._wanted.write:
            return Memory(n_vocab)
        try:
            identity = self.identity()
        except ModelError as error:
            # llama.cpp has loaded it: the catalogue does not know its kind yet, or the file is gone by now.
            self._tell(f"nothing learned before can be used, nor be saved: {error}")
            return Memory(n_vocab)
        return open_memory(
            identity,
            costs_setting(
                self._engine.model, self._engine.context.options, self._layers, graphs=not graphs_disabled()
            ),
            self._tell,
            remember=self._wanted.write,
            recall=self._wanted.read,
        )

    def _save(self, answer: Answer) -> None:
        mode = self._engine.drafter.mode
        if self._memory is not None and mode in self._counted:
            counts = answer.statistics
            totals = Totals(1, counts.tokens, counts.steps, counts.drafted, counts.accepted)
            self._memory.save(mode, totals)


def costs_setting(model: Model, options: ContextOptions, layers: int, *, graphs: bool) -> str:
    """What step costs depend on, ``model`` itself apart; ``graphs`` is whether a GPU may record them."""
    return (
        f"{backend()} | threads {threads_for(options)} | layers {layers} | "
        f"cache {options.cache_type} | flash {attention_for(model, options).flash}"
        + ("" if model.split == WHOLE else f" | {model.split}")
        + (" | without graphs" if options.on_gpu and not graphs else "")
    )
