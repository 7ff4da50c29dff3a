"""Settings to a running engine."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import perf_counter

from trchat.chat.cuda_graph_choice import choose_graphs
from trchat.chat.earlier import EarlierAnswers
from trchat.chat.engine import Engine
from trchat.chat.kv_on_disk import open_disk_cache
from trchat.chat.remembering import Remembering, Tell
from trchat.chat.settings import REMEMBER, Remember, template_source
from trchat.chat.template import ChatTemplate
from trchat.chat.template_process import TemplateProcess
from trchat.config import Settings
from trchat.errors import ModelError
from trchat.gpu_layers import place
from trchat.llama.context import DEFAULT_CONTEXT, ContextOptions
from trchat.llama.log import route_log
from trchat.llama.model import Model
from trchat.machines import watch
from trchat.paths import log_file


@contextmanager
def open_engine(
    path: Path,
    settings: Settings,
    ctx: int | None = None,
    progress: Callable[[float], object] | None = None,
    tell: Tell = lambda line: None,
    *,
    remember: Remember = REMEMBER,
) -> Iterator[Engine]:
    """Load the model at ``path`` and hold an engine open for it; all is freed at the end.

    ``ctx`` is the context in tokens (None = the settings', or the engine's own default). ``progress`` is
    called with a fraction from 0 to 1 while the weights are read, and ends that by returning False.
    ``tell`` gets lines for a person, now and after answers, on the thread that uses the engine.
    ``remember`` says what to do with what was and will be learned about the model. Raises ModelError,
    UsageError (a template file that is none) or TrchatError.
    """
    route_log(log_file())
    n_ctx = ctx or settings.ctx
    placement = place(settings, path, n_ctx or DEFAULT_CONTEXT, tell)
    layers = placement.layers
    options = ContextOptions(
        n_ctx=n_ctx,
        threads=settings.threads,
        cache_type=settings.cache_type,
        flash_attn=settings.flash_attn,
        on_gpu=layers != 0,
    )
    source = template_source(settings.template)
    with ExitStack() as stack:
        process = TemplateProcess()  # starts while the weights are read
        stack.callback(process.close)
        start = perf_counter()
        model = stack.enter_context(Model(path, layers, progress, placement.split))
        load_s = perf_counter() - start
        tool_source = model.tool_template if source is None else None
        source = model.chat_template if source is None else source
        template = ChatTemplate(source, model.bos_text, model.eos_text, process)
        mode = settings.draft if model.can_draft else "off"
        if mode != "off":  # without drafts all batches are alike, which is what graphs are for
            choose_graphs(path, model, options, layers, tell)
        engine = stack.enter_context(Engine(model, options, template))
        if settings.rpc:
            watch(settings.rpc.split(","))
        engine.tool_source = tool_source
        remembering = Remembering(engine, path, layers, remember, tell, recall=settings.recall == "on")
        stack.callback(remembering.close)
        if settings.recall == "on":
            engine.earlier = EarlierAnswers(model, read=remember.read)
            stack.callback(engine.earlier.close)
        engine.make_drafter = remembering.drafter
        engine.drafter = remembering.drafter(mode)
        with suppress(ModelError):  # a file that cannot be read any more: nothing can be kept of it
            engine.disk_cache = open_disk_cache(
                engine.cache, engine.context, remembering.identity(), layers, settings.kv_disk, remember
            )
        if engine.disk_cache is not None:
            stack.callback(engine.disk_cache.close)
        if mode == "auto" and not remembering.costs_known:
            engine.learn_costs(load_s)
        yield engine
