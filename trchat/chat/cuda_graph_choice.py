"""Whether a model on a GPU does without CUDA graphs, by what its steps took in earlier sessions.

Graphs save the processor most of the work of launching a step's kernels. Where a step is long enough for
that work to be done beside it, they save nothing; but a batch of another width than the one before has to be
recorded anew, which takes 5 to 12 ms over two steps, and drafts are of many widths.
"""

from pathlib import Path

from trchat.chat.remembering import Tell, costs_setting
from trchat.errors import ModelError
from trchat.llama import cuda_graphs
from trchat.llama.context import ContextOptions
from trchat.llama.model import Model
from trchat.model_store import plain_step_times

_LAUNCHES_MS = 0.1  # of a layer: where they took longer than the GPU, 28 layers took 2.7 ms (a 3 GHz Xeon)
_BESIDE = 4 / 3  # of that: a step that long hides it all (30 layers at 4.3 ms lost 1 %)
_LOSS = 1.025  # of a plain step: a single change of width in fifty steps of 4 ms costs more with graphs


def choose_graphs(path: Path, model: Model, options: ContextOptions, layers: int, tell: Tell) -> None:
    """Decide for this process, before ``model`` from ``path`` gets its first context.

    ``layers`` is how many of its layers were offered to the GPU; ``tell`` gets a line where what earlier
    sessions have kept is damaged.
    """
    if not options.on_gpu or not cuda_graphs.records_graphs():
        return
    settings = [costs_setting(model, options, layers, graphs=graphs) for graphs in (True, False)]
    try:
        recorded, launched = plain_step_times(path, model.n_vocab, settings, tell)
    except ModelError:  # the catalogue does not know this kind of file
        recorded = launched = None
    cuda_graphs.decide(disable=better_without(recorded, launched, model.layers))


def better_without(recorded: float | None, launched: float | None, layers: int) -> bool:
    """Whether to do without graphs.

    ``recorded`` and ``launched`` are milliseconds of a plain step with and without them, as far as they were
    seen. They are tried with first; then without, where a step is long enough for that to be free; and that
    is kept if it was.
    """
    if recorded is None:
        return False
    if launched is None:
        return recorded >= _BESIDE * _LAUNCHES_MS * layers
    return launched <= _LOSS * recorded
