"""The decoding loop: draft, verify, accept, learn, rewind."""

from collections.abc import Callable, Container, Iterator, Sequence
from time import perf_counter
from typing import Any

from trchat.decoding.accept import accept
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
    end_tokens: Container[int] = (),
    can_draft: bool = True,
) -> Iterator[Step]:
    """Write what follows ``prompt``, at most ``max_tokens`` tokens, one record per batch.

    ``cache`` must hold all of ``prompt`` but its end (see KVCache.reuse and prefill); prompt and answer
    together must fit into the context. ``sample(index, row)`` chooses the token after the batch's token
    ``index`` from its logits. The cache is settled before each record is handed out, so the caller may
    stop at any step.
    """
    drafter.begin(prompt)
    forced = list(prompt[len(cache.tokens) :])
    left = max_tokens
    while left > 0:
        start = perf_counter()
        # The last token allowed comes with the row before it, so nothing need be guessed for it.
        room = cache.room_for_drafts(len(forced)) if can_draft and left > 1 else 0
        tree = cache.fitting(drafter.draft(room, len(forced)), len(forced)) if room > 0 else EMPTY_TREE
        if cache.moves_rows(1 + len(tree)):
            drafter.catch_up()  # with the rows where they still are
        drafted = perf_counter()
        cache.submit(forced, tree)
        submitted = perf_counter()
        drafter.catch_up()
        caught_up = perf_counter()
        logits = cache.result()
        decoded = perf_counter()
        first = len(forced) - 1
        path, tokens = accept(tree, lambda row: sample(first + row, logits[row]), end_tokens, left)  # noqa: B023
        accepted = perf_counter()
        width = len(forced) + len(tree)
        verified = Verified(forced[-1], tree, logits, path, tokens, width)
        drafter.learn(verified, put_off=cache.computes_apart)
        learned = perf_counter()
        kept = cache.keep(path)
        forced = [*cache.again, *tokens[kept:]]
        left -= len(tokens)
        finish = "stop" if tokens[-1] in end_tokens else "length" if left == 0 else None
        settled = perf_counter()
        draft_s, accept_s = drafted - start, accepted - decoded
        beside_s = caught_up - submitted if cache.waited else 0.0
        learn_s = (learned - accepted) + (caught_up - submitted) - beside_s
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
            cache_s=(settled - start) - (draft_s + cache.decode_s + beside_s + accept_s + learn_s),
            beside_s=beside_s,
        )
        if finish:
            return
