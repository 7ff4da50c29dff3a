"""Settings to a running engine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from trchat.chat.engine import Engine
from trchat.chat.template import CHATML, ChatTemplate
from trchat.config import Settings
from trchat.drafting import make_drafter
from trchat.llama.context import ContextOptions
from trchat.llama.log import route_log
from trchat.llama.model import ALL_LAYERS, Model, gpu_available
from trchat.llama.sampler import Sampling
from trchat.paths import log_file


@contextmanager
def open_engine(
    path: Path, settings: Settings, ctx: int | None = None, progress: Callable[[float], None] | None = None
) -> Iterator[Engine]:
    """Load the model at ``path`` and hold an engine open for it; all is freed at the end.

    ``ctx`` is the context in tokens (None = the settings', or the engine's own default). ``progress`` is
    called with a fraction from 0 to 1 while the weights are read. Raises ModelError or TrchatError.
    """
    route_log(log_file())
    layers = _gpu_layers(settings.gpu_layers)
    options = ContextOptions(
        n_ctx=ctx or settings.ctx,
        threads=settings.threads,
        cache_type=settings.cache_type,
        flash_attn=settings.flash_attn,
        on_gpu=layers != 0,
    )
    start = perf_counter()
    with Model(path, layers, progress) as model:
        load_s = perf_counter() - start
        template = ChatTemplate(
            CHATML if settings.template == "chatml" else model.chat_template, model.bos_text, model.eos_text
        )
        mode = settings.draft if model.can_draft else "off"
        with Engine(model, options, template) as engine:
            if mode == "auto":
                engine.learn_costs(load_s)
            engine.drafter = make_drafter(mode, model.n_vocab, engine.costs)
            yield engine


def sampling_of(settings: Settings, seed: int) -> Sampling:
    """The sampler chain's part of the settings."""
    return Sampling(
        temperature=settings.temp,
        top_k=settings.top_k,
        top_p=settings.top_p,
        min_p=settings.min_p,
        repeat_penalty=settings.repeat_penalty,
        seed=seed,
    )


def _gpu_layers(wanted: str) -> int:
    if not gpu_available():
        return 0
    return ALL_LAYERS if wanted in ("auto", "all") else int(wanted)
