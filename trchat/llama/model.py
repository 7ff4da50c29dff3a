"""A GGUF model in memory: its vocabulary, its metadata, and text to tokens and back."""

import ctypes
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import llama_cpp.llama_cpp as llama
import numpy as np
from numpy.typing import NDArray

from trchat.attention import Rounding, rounding_of
from trchat.catalog.caches import caches_of
from trchat.catalog.card import part_files
from trchat.catalog.gguf_header import read_header
from trchat.errors import ModelError
from trchat.llama.amx_probe import amx_kernels_work
from trchat.llama.device import WHOLE, Split, gpu_available
from trchat.llama.log import clear_errors, last_error
from trchat.llama.owned import Owned

ALL_LAYERS = -1
Drafts = Literal["trees", "chains", "none"]

_EMBEDDING_ARCHITECTURES = ("bert", "t5encoder")
_ROWS_WRONG = {"chameleon", "cogvlm"}
"""llama.cpp computes wrong logits for them where a batch asks for fewer rows than it has tokens."""
_SPLIT_MODES = {"none": 0, "layer": 1, "row": 2}  # enum llama_split_mode
_POOLING_NONE = "0"
_ATTR_UNKNOWN, _ATTR_CONTROL, _ATTR_USER_DEFINED = 1 << 0, 1 << 3, 1 << 4  # enum llama_token_attr
_VOCAB_NONE = 0
_STATES_COPIED_WRONGLY = {"deepseek4"}  # by llama.cpp: what follows is computed from another state
_ATTR_SPECIAL = _ATTR_UNKNOWN | _ATTR_CONTROL | _ATTR_USER_DEFINED


class Model(Owned):
    """Weights and vocabulary. Free it with ``close()`` or use it as a context manager.

    Attributes, read at load time and valid after it is freed:
        metadata: the file's key-value pairs as text.
        n_vocab, n_ctx_train: sizes.
        end_tokens: ids that end a generation; ``end_token`` is the one a chat's turn ends with.
        suppressed: ids that the model must never write, as its file says (``suppress_tokens``).
        adds_bos, bos_text, eos_text: what surrounds a text.
        special_ids: control and user-defined tokens by their spelling.
        control_texts: spellings of control (and unknown) tokens, read as such where ``parse_special``.
        user_defined_texts: spellings of user-defined tokens, read as such everywhere.
        split: how GPUs share what is theirs.
        layers, gpu_layers: how many there are, the output's counted, and how many of them are on a GPU.
        drafts: what shape of drafts can be verified: ``trees``, ``chains`` or ``none``.
        keeps_state: whether it keeps a state of the whole text, which cannot branch within a batch.
        copies_state: whether llama.cpp can copy that state, and save it.
        snapshots: how many tokens a context had best be able to take back from that state; 0 where llama.cpp
            takes none back.
        n_heads: attention heads of a layer.
        rounding: whether a CPU's kernels for its weights round alike at all batch widths.
        latent: whether its attention keeps one compressed row a token, which is key and value.

    Raises ModelError when the file cannot be loaded or is not a model that generates text.
    """

    def __init__(
        self,
        path: Path,
        gpu_layers: int = ALL_LAYERS,
        progress: Callable[[float], object] | None = None,
        split: Split = WHOLE,
    ) -> None:
        """Load ``path``; ``progress`` is called with a fraction from 0 to 1 while the weights are read.

        Loading ends with a ModelError when it returns False. ``split`` shares out the ``gpu_layers``.
        """
        self.path = path
        self.split = split
        params = llama.llama_model_default_params()
        params.n_gpu_layers = gpu_layers
        if not gpu_layers:
            # A GPU that is there but not wanted would still have the weights put into its own kind of memory,
            # where the CPU's fast kernels, whose results are the same at every batch width, do not work.
            self._no_devices = (ctypes.c_void_p * 1)(None)
            params.devices = ctypes.cast(self._no_devices, ctypes.c_void_p)
        params.split_mode, params.main_gpu = _SPLIT_MODES[split.mode], split.main_gpu
        if split.shares:
            self._shares = (ctypes.c_float * llama.llama_max_devices())(*split.shares)
            params.tensor_split = self._shares
        params.use_extra_bufts = amx_kernels_work()

        @llama.llama_progress_callback  # type: ignore[untyped-decorator]
        def on_progress(fraction: float, _user_data: Any) -> bool:
            return progress is None or progress(fraction) is not False

        params.progress_callback = on_progress
        clear_errors()
        self._model: Any = llama.llama_model_load_from_file(os.fsencode(path), params)
        if not self._model:
            raise ModelError(f"cannot load {path}: {last_error() or 'llama.cpp gave no reason'}")
        self._vocab: Any = llama.llama_model_get_vocab(self._model)
        try:
            self.metadata = self._read_metadata()
            self._refuse_if_it_cannot_generate()
            self._read_shape(gpu_layers)
            self._read_vocabulary()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Free the weights; contexts made from the model must be closed before. May be called twice."""
        if self._model:
            llama.llama_model_free(self._model)
            self._model = self._vocab = None

    @property
    def handle(self) -> Any:
        """llama.cpp's model pointer, for the rooms of this package only."""
        return self._model

    @property
    def vocab(self) -> Any:
        """llama.cpp's vocabulary pointer, for the rooms of this package only."""
        return self._vocab

    @property
    def can_draft(self) -> bool:
        """Whether drafts can be verified at all."""
        return self.drafts != "none"

    @property
    def architecture(self) -> str:
        """``general.architecture``, such as ``llama`` or ``qwen2``."""
        return self.metadata.get("general.architecture", "unknown")

    @property
    def name(self) -> str:
        """The model's own name, or its file's."""
        return self.metadata.get("general.name") or self.path.stem

    @property
    def chat_template(self) -> str | None:
        """The Jinja chat template that came with the model."""
        return self.metadata.get("tokenizer.chat_template")

    @property
    def tool_template(self) -> str | None:
        """The one for conversations with tools, where a model has two (Hermes, Command R)."""
        return self.metadata.get("tokenizer.chat_template.tool_use")

    def tokenize(self, text: str, *, add_special: bool = False, parse_special: bool = False) -> list[int]:
        """Turn text into token ids.

        ``add_special`` adds the tokens the model wants around a text (such as BOS); ``parse_special``
        reads spellings of control tokens in the text as those tokens.
        """
        raw = text.encode("utf-8", "surrogatepass")
        room = len(raw) + 8
        while True:
            buffer = (llama.llama_token * room)()
            count = llama.llama_tokenize(self._vocab, raw, len(raw), buffer, room, add_special, parse_special)
            if count >= 0:
                return list(buffer[:count])
            room = -count

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """The bytes a token stands for; control tokens are empty unless ``special``."""
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = llama.llama_token_to_piece(self._vocab, token, buffer, room, 0, special)
            if count >= 0:
                return buffer.raw[:count]
            room = -count

    @cached_property
    def grammar_tokenizer(self) -> Any:
        """The vocabulary for the grammar engine, an ``LLTokenizer``; half a second's work, done once.

        It calls llama.cpp's tokenizer, so it must not be used after the model is freed.
        """
        from llguidance import LLTokenizer

        if self.end_token < 0:
            raise ModelError(f"{self.path.name} has no token that ends an answer, which a schema needs")
        pieces = [self._grammar_piece(token) for token in range(self.n_vocab)]
        ends = [self.end_token, *sorted(self.end_tokens - {self.end_token})]
        tokenize = ctypes.cast(llama._lib.llama_tokenize, ctypes.c_void_p).value
        return LLTokenizer.from_llamacpp(  # type: ignore[attr-defined]
            tokens=pieces,
            vocab_ptr=self._vocab,
            tokenize_fptr=tokenize,
            eos_token=ends,
            slices=LLTokenizer.json_slices(),
        )

    def _grammar_piece(self, token: int) -> bytes:
        """The bytes of a token; one that is not text, as control tokens are, is marked in the engine's way.

        User-defined ones, ``<think>`` often among them, are text: llama.cpp writes such a name with them.
        """
        piece = self.piece(token)
        spelling = b"" if piece else self.piece(token, special=True)
        return b"\xff" + spelling if spelling else piece

    def _read_metadata(self) -> dict[str, str]:
        metadata = {}
        for index in range(llama.llama_model_meta_count(self._model)):
            key = self._meta_string(llama.llama_model_meta_key_by_index, index)
            metadata[key] = self._meta_string(llama.llama_model_meta_val_str_by_index, index)
        return metadata

    def _meta_string(self, getter: Callable[..., int], index: int) -> str:
        room = 4096
        while True:
            buffer = ctypes.create_string_buffer(room)
            length = getter(self._model, index, buffer, room)
            if length < room:
                return buffer.value.decode("utf-8", "replace")
            room = length + 1

    def _refuse_if_it_cannot_generate(self) -> None:
        arch = self.architecture
        if llama.llama_model_is_diffusion(self._model):
            raise ModelError(
                f"{self.path.name} is a diffusion model; trchat runs models that write left to right"
            )
        if (
            not llama.llama_model_has_decoder(self._model)
            or any(kind in arch for kind in _EMBEDDING_ARCHITECTURES)
            or self.metadata.get(f"{arch}.attention.causal") == "false"
            or self.metadata.get(f"{arch}.pooling_type", _POOLING_NONE) not in (_POOLING_NONE, "-1")
        ):
            raise ModelError(
                f"{self.path.name} is an embedding model ({arch}) and cannot write text; choose a chat model"
            )
        if llama.llama_model_has_encoder(self._model):
            raise ModelError(
                f"{self.path.name} is an encoder-decoder model ({arch}), which trchat cannot run"
            )

    def _read_shape(self, gpu_layers: int) -> None:
        # Read once, so that nothing asks llama.cpp about a model that has been freed.
        self.layers = int(llama.llama_model_n_layer(self._model)) + 1
        wanted = self.layers if gpu_layers == ALL_LAYERS else gpu_layers
        self.gpu_layers = min(wanted, self.layers) if gpu_available() else 0
        self.keeps_state = bool(
            llama.llama_model_is_recurrent(self._model) or llama.llama_model_is_hybrid(self._model)
        )
        self.copies_state = self.keeps_state and self.architecture not in _STATES_COPIED_WRONGLY
        self.drafts: Drafts = "chains" if self.keeps_state else "trees"
        if self.architecture in _ROWS_WRONG:
            self.drafts = "none"
        self.n_heads = int(llama.llama_model_n_head(self._model))
        self.rounding, self.snapshots = self._read_tensors()
        self.latent = f"{self.architecture}.attention.key_length_mla" in self.metadata

    def _read_tensors(self) -> tuple[Rounding, int]:
        """What follows from the tensors: how kernels round, and how many snapshots of a state to keep."""
        try:
            headers = [read_header(part) for part in part_files(self.path)]
        except ModelError:  # llama.cpp may know more kinds of files, of which nothing is promised
            return Rounding(layers=False, output=False), 0
        tensors = [tensor for header in headers for tensor in header.tensors]
        rounding = rounding_of((tensor.name, tensor.shape, tensor.type_number) for tensor in tensors)
        weights = sum(header.file_size for header in headers)
        return rounding, caches_of(headers[0], tensors).snapshots(weights) if self.keeps_state else 0

    def _read_vocabulary(self) -> None:
        self.n_vocab = int(llama.llama_vocab_n_tokens(self._vocab))
        self.n_ctx_train = int(llama.llama_model_n_ctx_train(self._model))
        self.adds_bos = bool(llama.llama_vocab_get_add_bos(self._vocab))
        self.bos_text = self._token_text(int(llama.llama_vocab_bos(self._vocab)))
        self.eos_text = self._token_text(int(llama.llama_vocab_eos(self._vocab)))
        # llama.cpp aborts when a model without a vocabulary is asked for a token's kind.
        has_tokens = llama.llama_vocab_type(self._vocab) != _VOCAB_NONE
        special = [
            (token, kind)
            for token in range(self.n_vocab if has_tokens else 0)
            if (kind := int(llama.llama_vocab_get_attr(self._vocab, token))) & _ATTR_SPECIAL
        ]
        self.special_ids = {self._spelling(token): token for token, _kind in reversed(special)}
        self.control_texts = frozenset(
            self._spelling(token) for token, kind in special if kind & ~_ATTR_USER_DEFINED & _ATTR_SPECIAL
        ) - {""}
        self.user_defined_texts = (
            frozenset(self._spelling(token) for token, _kind in special) - self.control_texts - {""}
        )
        # Whatever ends a generation is made a control token by llama.cpp, or named in the metadata.
        named: tuple[Callable[[Any], int], ...] = (
            llama.llama_vocab_eos,
            llama.llama_vocab_eot,
            llama.llama_vocab_fim_pad,
            llama.llama_vocab_fim_rep,
            llama.llama_vocab_fim_sep,
        )
        candidates = {token for token, _kind in special} | {int(each(self._vocab)) for each in named}
        self.suppressed = self._read_suppressed()
        self.end_tokens = frozenset(
            token for token in candidates if token >= 0 and llama.llama_vocab_is_eog(self._vocab, token)
        )
        turn_ends = (int(llama.llama_vocab_eot(self._vocab)), int(llama.llama_vocab_eos(self._vocab)))
        # What llama.cpp takes for the end of a turn need not end a generation: gpt-oss's <|end|> does not.
        ends = (*turn_ends, *sorted(self.end_tokens))
        self.end_token = next((token for token in ends if token in self.end_tokens), -1)

    def _read_suppressed(self) -> NDArray[np.intp]:
        count = ctypes.c_int32()
        tokens = llama.llama_vocab_get_suppress_tokens(self._vocab, ctypes.byref(count))
        return np.array([int(tokens[index]) for index in range(count.value)], np.intp)

    def _spelling(self, token: int) -> str:
        return bytes(llama.llama_vocab_get_text(self._vocab, token) or b"").decode("utf-8", "replace")

    def _token_text(self, token: int) -> str:
        return self.piece(token, special=True).decode("utf-8", "replace") if token >= 0 else ""
