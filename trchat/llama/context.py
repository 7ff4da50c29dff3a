"""A llama.cpp context: decode a batch, look at its logits, and edit the KV cache by name."""

import ctypes
import os
from dataclasses import dataclass, replace
from typing import Any

import llama_cpp.llama_cpp as llama
import numpy as np
from numpy.typing import NDArray

from trchat.attention import BF16, F16, Attention, choose_attention
from trchat.errors import TrchatError
from trchat.llama.batch import END, Batch
from trchat.llama.log import clear_errors, last_error
from trchat.llama.model import Model
from trchat.llama.owned import Owned
from trchat.llama.threads import physical_cores

DEFAULT_CONTEXT = 4096
_CELLS = 256
"""A context holds a multiple of so many tokens."""

_SPARE = 512  # cells; a multiple of _CELLS

_FLASH = {"auto": -1, "off": 0, "on": 1}
_STATE_ONLY = 1  # LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY


class DecodeError(TrchatError):
    """llama.cpp could not compute a batch; nothing of it counts as cached."""


class Interrupted(DecodeError):
    """A batch was given up because ``Context.interrupt`` was called; nothing of it counts as cached."""


@dataclass(frozen=True, slots=True)
class ContextOptions:
    """How a context is made.

    Attributes:
        n_ctx: tokens it can hold; None = 4096 or what the model was trained on, if less.
        threads: CPU threads; None = physical cores.
        cache_type: ``f16`` or ``q8_0``.
        flash_attn: ``auto``, ``on`` or ``off``.
        n_batch: most tokens in one batch.
        n_seq: sequence ids, one per leaf of a draft tree and one more for hidden cells (at most 256).
        n_rows: most rows of logits in one batch.
        on_gpu: whether any layer runs on a GPU.
        snapshots: states to keep beside the last one, so that as many tokens can be taken back; None = what
            suits the model. Where llama.cpp cannot do that, a state can be copied instead.
    """

    n_ctx: int | None = None
    threads: int | None = None
    cache_type: str = "f16"
    flash_attn: str = "auto"
    n_batch: int = 512
    n_seq: int = 64
    n_rows: int = 128
    on_gpu: bool = False
    snapshots: int | None = None


def _strlen() -> Any:
    return (ctypes.cdll.msvcrt if os.name == "nt" else ctypes.CDLL(None)).strlen


class Context(Owned):
    """One KV cache and the means to fill it. Free it with ``close()``, before its model.

    Attributes:
        n_ctx: tokens it can hold.
        n_spare: further cells, for gaps between them.
        attention: what kernel it uses.
        keeps_order: whether the order of cells shows in the results, to the last bit; of no use where
            kernels round differently by batch width anyway, as on a GPU.
        computes_apart: whether ``decode`` returns before a GPU is done; ``logits`` then waits for it.
        n_seq: sequence ids.
        n_rows: most rows of logits in one batch.
        batch: what the next decode will compute.
        snapshots: how many tokens of a batch can be taken back by ``remove``, where a state is kept.
        saves_state: whether there is a state that ``save`` and ``copy`` are good for.
        window: tokens that layers with a sliding window see; 0 without such layers.
    """

    def __init__(self, model: Model, options: ContextOptions) -> None:
        """Allocate the cache and compute buffers; raises TrchatError when there is no memory for them."""
        self.model = model
        self.options = options
        self.n_rows = max(options.n_rows, options.n_seq)
        self.threads = threads_for(options)
        self.attention = attention_for(model, options)
        wanted = model.snapshots if options.snapshots is None else options.snapshots
        self.snapshots = wanted if model.keeps_state else 0
        self._context: Any = self._create(self.attention)
        if not self._context and self.attention.value_type == BF16:
            # A cache of these types may be more than some builds of llama.cpp know.
            self.attention = replace(
                self.attention, key_type=F16, value_type=F16, keeps_order=False, alike=False
            )
            self._context = self._create(self.attention)
        if self._context and self.snapshots and llama.llama_n_rs_seq(self._context) != self.snapshots:
            llama.llama_free(self._context)
            self.snapshots = 0
            self._context = self._create(self.attention)
        if not self._context:
            raise TrchatError(
                f"not enough memory for a context of {_wanted_ctx(model, options)} tokens ({last_error()}); "
                "try a smaller --ctx or --cache-type q8_0"
            )
        self._rows: dict[tuple[int, int], NDArray[np.float32]] = {}  # views, by address and number
        # llama.cpp asks before each part of a batch whether to go on. Asking Python would take its lock some
        # hundred times a batch; C's own strlen sees as well whether the flag's first byte is set.
        self._flag = ctypes.create_string_buffer(2)
        llama.llama_set_abort_callback(
            self._context, ctypes.cast(_strlen(), llama.ggml_abort_callback), ctypes.addressof(self._flag)
        )
        self._memory: Any = llama.llama_get_memory(self._context)
        self.keeps_order = self.attention.keeps_order
        self.computes_apart = options.on_gpu
        self.n_spare = self._wanted_spare()
        self.n_ctx = int(llama.llama_n_ctx(self._context)) - self.n_spare
        self.n_seq = self._wanted_sequences()
        self.saves_state = model.copies_state
        self.window = int(llama.llama_model_n_swa(model.handle))
        self.batch = Batch(options.n_batch, self.n_seq)
        # The pointer table must live as long as the struct that points at it.
        self._struct, self._seq_rows = self._point_at(self.batch)

    def close(self) -> None:
        """Free the cache and the buffers. May be called twice."""
        if self._context:
            llama.llama_free(self._context)
            self._context = self._memory = None

    @property
    def handle(self) -> Any:
        """llama.cpp's context pointer, for the rooms of this package only."""
        return self._context

    def interrupt(self, wanted: bool = True) -> None:
        """Have the batch that is being computed, and all further ones, given up; or no longer. On any thread.

        GPUs compute theirs to the end.
        """
        self._flag.value = b"1" if wanted else b""

    def decode(self, n_tokens: int) -> None:
        """Compute the first ``n_tokens`` of ``batch`` and put their keys and values into the cache.

        Raises DecodeError; cells of the failed batch may then be left over and must be removed by the caller.
        """
        clear_errors()
        self._struct.n_tokens = n_tokens
        status = llama.llama_decode(self._context, self._struct)
        if status == 1:
            raise DecodeError("the context is full; start a new conversation or raise --ctx")
        if status == 2:
            raise Interrupted("the batch was given up")
        if status != 0:
            raise DecodeError(f"llama.cpp could not compute a batch: {last_error() or f'status {status}'}")

    def logits(self, n_rows: int) -> NDArray[np.float32]:
        """The last batch's rows of logits, in batch order: a view of shape (n_rows, n_vocab).

        The view is llama.cpp's own memory: the next decode overwrites it, on a GPU when that is done.
        Every batch of up to ``n_seq`` rows has the same place, which stays readable. What the model must
        never write has a logit of minus infinity there, for all who choose, guess or learn.
        """
        place = ctypes.addressof(llama.llama_get_logits(self._context).contents)
        if (place, n_rows) not in self._rows:
            if len(self._rows) >= 2 * self.n_rows:
                self._rows.clear()  # they have moved
            row = ctypes.c_float * self.model.n_vocab
            # Made once: numpy takes longer over this than over a search in a row.
            self._rows[place, n_rows] = np.ctypeslib.as_array((row * n_rows).from_address(place))
        rows = self._rows[place, n_rows]
        if self.model.suppressed.size:
            rows[:, self.model.suppressed] = -np.inf
        return rows

    def remove(self, seq: int, start: int, stop: int = END) -> bool:
        """Take ``seq`` off the cells at positions [start, stop); cells without a sequence are free again.

        False when the memory cannot do that (recurrent state has no past to go back to).
        """
        return bool(llama.llama_memory_seq_rm(self._memory, seq, start, stop))

    def copy(self, source: int, target: int, start: int, stop: int) -> None:
        """Let ``target`` see the cells of ``source`` at positions [start, stop); no data moves.

        A state is shared too, until one of the two goes on.
        """
        llama.llama_memory_seq_cp(self._memory, source, target, start, stop)

    def save(self, seq: int = 0, *, whole: bool = False) -> NDArray[np.uint8]:
        """A copy of the state after the last token of ``seq``; of its keys and values only where ``whole``.

        Empty where llama.cpp cannot give it.
        """
        flags = 0 if whole else _STATE_ONLY
        size = llama.llama_state_seq_get_size_ext(self._context, seq, flags)
        saved = np.empty(size, np.uint8)
        place = saved.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        written = llama.llama_state_seq_get_data_ext(self._context, place, size, seq, flags)
        return saved[:written]

    def restore(self, saved: NDArray[np.uint8], seq: int = 0, *, whole: bool = False) -> bool:
        """Put back what ``save`` returned; the keys and values behind a state are then to be removed.

        False when llama.cpp does not take it; ``seq`` is then to be cleared.
        """
        place = saved.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        flags = 0 if whole else _STATE_ONLY
        return bool(llama.llama_state_seq_set_data_ext(self._context, place, len(saved), seq, flags))

    def span(self, seq: int) -> tuple[int, int]:
        """The first and the last position that everything is cached for, of ``seq``; (-1, -1) for nothing."""
        memory = self._memory
        first, last = llama.llama_memory_seq_pos_min(memory, seq), llama.llama_memory_seq_pos_max(memory, seq)
        return int(first), int(last)

    def clear(self) -> None:
        """Forget everything."""
        llama.llama_memory_clear(self._memory, False)

    def _wanted_spare(self) -> int:
        return _SPARE if self.model.drafts == "trees" and self.attention.keeps_order else 0

    def _wanted_sequences(self) -> int:
        if not self.model.keeps_state:
            return self.options.n_seq
        return 2 if self.model.copies_state and not self.snapshots else 1

    def _create(self, attention: Attention) -> Any:
        options = self.options
        params = llama.llama_context_default_params()
        # llama.cpp rounds the context up by itself, but not the limit of a batch that it takes from it: a
        # prompt of 400 tokens in a context of "300" would abort the process.
        params.n_ctx = _cells(_wanted_ctx(self.model, options)) + self._wanted_spare()
        params.n_batch, params.n_ubatch = options.n_batch, attention.batch
        params.n_threads = params.n_threads_batch = self.threads
        params.n_seq_max = self._wanted_sequences()
        params.n_rs_seq = self.snapshots
        params.n_outputs_max = self.n_rows
        params.kv_unified = True  # tree attention: all sequences share one pool of cells
        params.swa_full = True  # a rewind needs the cells that a sliding window would already have dropped
        params.flash_attn_type = _FLASH[attention.flash]
        params.no_perf = True
        # A GPU that is there but not wanted would compute wide batches all the same, and round differently.
        params.op_offload = options.on_gpu
        params.type_k, params.type_v = attention.key_type, attention.value_type
        clear_errors()
        return llama.llama_init_from_model(self.model.handle, params)

    @staticmethod
    def _point_at(batch: Batch) -> tuple[Any, NDArray[np.uintp]]:
        def pointer(array: NDArray[Any], kind: Any) -> Any:
            return array.ctypes.data_as(ctypes.POINTER(kind))

        rows = batch.seq_id.ctypes.data + np.arange(batch.capacity, dtype=np.uintp) * batch.seq_id.strides[0]
        struct = llama.llama_batch()
        struct.token = pointer(batch.token, llama.llama_token)
        struct.embd = None
        struct.pos = pointer(batch.pos, llama.llama_pos)
        struct.n_seq_id = pointer(batch.n_seq_id, ctypes.c_int32)
        struct.seq_id = ctypes.cast(rows.ctypes.data, ctypes.POINTER(ctypes.POINTER(llama.llama_seq_id)))
        struct.logits = pointer(batch.logits, ctypes.c_int8)
        return struct, rows


def attention_for(model: Model, options: ContextOptions) -> Attention:
    """The attention of a context of ``model``, but for its values' type where that cannot be had."""
    return choose_attention(
        options.flash_attn,
        options.cache_type,
        on_gpu=options.on_gpu,
        rounding=model.rounding,
        latent=model.latent,
        batch=options.n_batch,
        row_scores=_cells(_wanted_ctx(model, options)) * model.n_heads,
    )


def threads_for(options: ContextOptions) -> int:
    """The CPU threads that a context will have."""
    return options.threads or physical_cores()


def _wanted_ctx(model: Model, options: ContextOptions) -> int:
    return options.n_ctx or min(DEFAULT_CONTEXT, model.n_ctx_train or DEFAULT_CONTEXT)


def _cells(n_tokens: int) -> int:
    return -(-n_tokens // _CELLS) * _CELLS
