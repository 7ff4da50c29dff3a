"""The decoding loop: draft, verify, accept, rewind, learn."""

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Any

from trchat.decoding.accept import accept, never, nothing
from trchat.decoding.state_cache import Cache
from trchat.decoding.step import Step
from trchat.recycling.drafter import Drafter, Verified
from trchat.recycling.tree import EMPTY_TREE


def generate(
    cache: Cache,
    drafter: Drafter,
    sample: Callable[[int, Any], int],
    prompt: Sequence[int],
    *,
    max_tokens: int,
    ends: Callable[[int], bool] = never,
    can_draft: bool = True,
    forced: Callable[[], Sequence[int]] = nothing,
) -> Iterator[Step]:
    """Write what follows ``prompt``, at most ``max_tokens`` tokens, one record per batch.

    ``cache`` must hold all of ``prompt`` but its end (see KVCache.reuse and prefill); prompt and answer
    together must fit into the context. ``sample(index, row)`` chooses the token after the batch's token
    ``index`` from its logits, and ``ends(token)`` then reads it and says whether the answer ends with it.
    ``forced()`` tells what must come behind it, and before the first one, which needs no model: it is sent
    with the next batch. The cache is settled before each record is handed out, so the caller may stop at any
    step.
    """
    ahead, ended = _read(forced(), ends, max_tokens)
    drafter.begin([*prompt, *ahead])
    known = [*prompt[len(cache.tokens) :], *ahead]
    left = max_tokens - len(ahead)
    if ahead:
        end = "stop" if ended else "length" if left == 0 else None
        yield Step(ahead, EMPTY_TREE, (), 0, end, 0.0, 0.0, 0.0, 0.0, 0.0)
        if end:
            return
    while left > 0:
        start = perf_counter()
        for _ in cache.prefill(known[: -cache.longest_known]):
            pass
        known = known[-cache.longest_known :]
        # The last token allowed comes with the row before it, so nothing need be guessed for it.
        room = cache.room_for_drafts(len(known)) if can_draft and left > 1 else 0
        tree = cache.fitting(drafter.draft(room, len(known)), len(known)) if room > 0 else EMPTY_TREE
        if cache.moves_rows(1 + len(tree)):
            drafter.catch_up()  # with the rows where they still are
        drafted = perf_counter()
        cache.submit(known, tree)
        submitted = perf_counter()
        drafter.catch_up()
        caught_up = perf_counter()
        logits = cache.result()
        decoded = perf_counter()
        first = len(known) - 1
        path, tokens, ended = accept(
            tree,
            lambda row: sample(first + row, logits[row]),  # noqa: B023
            ends,
            left,
            forced,
        )
        accepted = perf_counter()
        width, root = len(known) + len(tree), known[-1]
        kept = cache.keep(path)
        known = [*cache.again, *tokens[kept:]]
        settled = perf_counter()
        verified = Verified(root, tree, logits, path, tokens, width)
        drafter.learn(verified, put_off=cache.computes_apart)
        learned = perf_counter()
        left -= len(tokens)
        finish = "stop" if ended else "length" if left == 0 else None
        draft_s, accept_s = drafted - start, accepted - decoded
        beside_s = caught_up - submitted if cache.waited else 0.0
        learn_s = (learned - settled) + (caught_up - submitted) - beside_s
        yield Step(
            tokens=tokens,
            tree=tree,
            path=path,
            width=width,
            finish=finish,
            draft_s=draft_s,
            decode_s=cache.decode_s,
            accept_s=accept_s,
            learn_s=learn_s,
            # All the rest.
            cache_s=(learned - start) - (draft_s + cache.decode_s + beside_s + accept_s + learn_s),
            beside_s=beside_s,
        )
        if finish:
            return


def _read(tokens: Sequence[int], ends: Callable[[int], bool], limit: int) -> tuple[tuple[int, ...], bool]:
    """As many of ``tokens`` as an answer of at most ``limit`` tokens holds, and whether the last ends it."""
    for number, token in enumerate(tokens[:limit], 1):
        if ends(token):
            return tuple(tokens[:number]), True
    return tuple(tokens[:limit]), False
