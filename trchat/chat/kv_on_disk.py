"""What a model has read is kept for later, and read back where a prompt begins alike, instead of being read.

Pieces of the cache are copied out in the pauses between answers, in front of whoever waits for nothing, and
written by another thread. What a prompt is about to push out of the cache is copied out before that.
"""

from collections import deque
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from time import monotonic, perf_counter, time

import numpy as np

from trchat.chat.settings import Remember
from trchat.config_rules import bytes_in
from trchat.decoding.kv_cache import common_length
from trchat.decoding.state_cache import Cache
from trchat.errors import TrchatError
from trchat.llama.context import Context
from trchat.llama.device import WHOLE, backend, build_version
from trchat.llama.log import note
from trchat.storage.conversations import existing_history
from trchat.storage.recycled.records import Identity
from trchat.storage.states.folder import Name, StatesFolder, budget_for
from trchat.storage.states.owners import remove_all, states_dir, states_of
from trchat.storage.states.span import About, Span, next_key, root_key
from trchat.storage.states.store import Match, StateStore

CLOSING_S = 1.0
"""How long the end of the program waits for what is still to be written."""
LEAST_S = 0.5
"""What would take less to be read again is not kept."""
DISK_BYTES_PER_S = 1e9
"""Of a common SSD, until loading has shown what there is."""
_LEAST_TOKENS = 16
"""A prompt's part of fewer tokens says little of how long reading takes."""
_WAIT_S = 0.02


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part [start, stop) of the text in the cache, and what it is called."""

    start: int
    stop: int
    name: Name


class DiskCache:
    """Between one engine's cache and the store of states; used on the engine's thread."""

    def __init__(self, cache: Cache, store: StateStore, *, write: bool = True) -> None:
        """Without ``write`` states are only read."""
        self._cache = cache
        self._store = store
        self._write = write
        self._todo: deque[_Piece] = deque()
        self._conversation: int | None = None
        self._token_s: float | None = None
        self._lasting: int | None = None
        self._proven = False  # what is read back was found to be worth it
        self._bytes_per_s = DISK_BYTES_PER_S
        self._token_bytes = 0.0

    def reuse(self, prompt: Sequence[int]) -> int:
        """As the cache's, after whatever the store has of ``prompt`` has been read back."""
        cache = self._cache
        wanted = prompt[:-1]
        common = common_length(cache.tokens, wanted)
        if len(cache.tokens) - common >= _LEAST_TOKENS:
            self._leave()
        self._todo.clear()
        self._conversation = self._lasting = None
        matches = self._store.find(wanted, cache.span)
        known = sum(match.length for match in matches)
        if known >= cache.reachable(common) + _LEAST_TOKENS:
            self._load(prompt, matches, common)
        return cache.reuse(prompt)

    def has_read(self, tokens: int, seconds: float) -> None:
        """Take note of how long a prompt took to read."""
        if tokens >= _LEAST_TOKENS:
            self._token_s = seconds / tokens

    def belongs_to(self, conversation: int | None) -> None:
        """Say which saved conversation was answered last; without one it is kept in memory only."""
        if self._conversation is None:  # else the answer never came to be, and the cache is still another's
            self._conversation = conversation
            self._plan(whole=False)

    def answered(self, lasting: int | None = None) -> None:
        """An answer is over: what it left in the cache is kept in the pauses from now on.

        ``lasting`` is how many tokens of it are: a template leaves out of later prompts what was thought.
        """
        self._lasting = lasting
        self._plan(whole=False)

    def pause(self) -> bool:
        """Do a piece of the work that was put off, some milliseconds; whether there is more."""
        if not self._todo:
            return False
        if self._store.full:
            self._store.wait_for_room(_WAIT_S)
        else:
            self._keep(self._todo.popleft())
        return bool(self._todo)

    def close(self) -> None:
        """Keep the rest, for a second at most."""
        end = monotonic() + CLOSING_S
        self._leave(end)
        self._store.close(max(end - monotonic(), 0.0))

    def _leave(self, end: float | None = None) -> None:
        """Keep all that is in the cache, its last tokens too."""
        self._plan(whole=True)
        end = monotonic() + CLOSING_S if end is None else end
        while self._todo and (not self._store.full or self._store.wait_for_room(max(end - monotonic(), 0.0))):
            if monotonic() > end:
                break
            self._keep(self._todo.popleft())
        self._todo.clear()

    def _plan(self, *, whole: bool) -> None:
        """Find out what of the cache is to be kept: whole pieces, and ``whole`` the rest as well."""
        self._todo.clear()
        store, owner = self._store, self._conversation
        for_good = owner is not None and store.on_disk
        if not self._write or not (for_good or store.in_memory) or not self._worthwhile():
            return
        pieces = self._pieces(whole=whole)
        if owner is not None and pieces:
            store.own(owner, [piece.name for piece in pieces], time())
        self._todo.extend(piece for piece in pieces if not store.has(piece.name, for_good=for_good))

    def _pieces(self, *, whole: bool) -> list[_Piece]:
        step, text = self._cache.span, np.array(self._cache.tokens, np.int32)
        if not step and not whole:
            return []
        if step:
            text = text[: self._lasting]
        stops = [*range(step, len(text) + 1, step)] if step else []
        if whole and len(text) > (stops[-1] if stops else 0):
            stops.append(len(text))
        pieces, key, start = [], self._store.root, 0
        for stop in stops:
            name = Name(key, next_key(key, text[start:stop]))
            pieces.append(_Piece(start, stop, name))
            key, start = name.key, stop
        return pieces

    def _keep(self, piece: _Piece) -> None:
        store = self._store
        span = store.held(piece.name)
        if span is None:
            points, parts = self._cache.save_span(piece.start, piece.stop)
            if not parts:
                self._write = False  # llama.cpp cannot, now or ever
                return
            tokens = np.array(self._cache.tokens[piece.start : piece.stop], np.int32)
            span = Span(About(piece.name.parent, tokens, tuple(points)), parts)
        self._token_bytes = span.size / (piece.stop - piece.start)
        store.put(span, self._conversation, time())

    def _worthwhile(self) -> bool:
        """Whether reading the text again would take longer than the disk does, and long enough to matter."""
        if self._token_s is None or self._proven:
            return self._proven
        saved_s = self._token_s - self._token_bytes / self._bytes_per_s
        return saved_s * len(self._cache.tokens) >= LEAST_S

    def _load(self, prompt: Sequence[int], matches: Sequence[Match], common: int) -> None:
        cache, store, step = self._cache, self._store, self._cache.span
        whole = common // step if step else 0  # pieces that the cache has already
        if step:
            cache.truncate(whole * step)
        at = whole * step
        start, loaded = perf_counter(), 0
        for match in matches[whole:]:
            span = store.get(match.name)
            if span is None:
                break
            tokens = span.about.tokens.tolist()
            if at + len(tokens) > cache.context.n_ctx:  # it is longer than of use
                break
            if tokens[: match.length] != list(prompt[at : at + match.length]) or not cache.load_span(
                tokens, span.about.points, span.parts
            ):
                store.drop(match.name)
                break
            at += len(tokens)
            loaded += span.size
        self._proven = self._proven or loaded > 0
        if loaded > 1 << 20:
            self._bytes_per_s = loaded / (perf_counter() - start)


def open_disk_cache(
    cache: Cache, context: Context, identity: Identity, layers: int, kv_disk: str, wanted: Remember
) -> DiskCache | None:
    """What keeps the states of a ``context``, whose model has this ``identity``; None where nothing is kept.

    ``layers`` is how many of its layers were offered to a GPU, ``kv_disk`` the setting.
    """
    setting = bytes_in(kv_disk)
    if setting == 0 and wanted.write:
        remove_all(states_dir())
    on_disk = (wanted.read or wanted.write) and setting != 0
    if not on_disk and not wanted.memory:
        return None
    folder = None
    if on_disk:
        folder = StatesFolder(states_of(identity.file_name), budget_for(setting), note)
    store = StateStore(
        root_key(_about(context, identity, layers)),
        folder,
        memory=wanted.memory,
        is_kept=_is_kept,
        note=note,
    )
    return DiskCache(cache, store, write=wanted.write or bool(wanted.memory))


def _about(context: Context, identity: Identity, layers: int) -> tuple[object, ...]:
    """All that shows in what is cached of a text, to the last bit."""
    model, attention = context.model, context.attention
    # Some models turn positions by other numbers where the context is longer than they were first trained on.
    trained = model.metadata.get(f"{model.architecture}.rope.scaling.original_context_length", "")
    long = context.n_ctx + context.n_spare > (int(trained) if trained.isdecimal() else model.n_ctx_train)
    return (
        identity.weights,
        identity.tokenizer,
        build_version(),
        backend(),
        *(() if model.split == WHOLE else (str(model.split),)),
        layers,
        attention.flash,
        attention.key_type,
        attention.value_type,
        context.snapshots,
        long,
    )


def _is_kept(conversation: int) -> bool:
    """Whether a conversation is there and was not deleted."""
    try:
        store = existing_history()
        if store is None:
            return False
        with closing(store):
            return store.all_kept([conversation])
    except TrchatError:
        return False
