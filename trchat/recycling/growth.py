"""Best-first growth of one draft tree from all sources."""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from trchat.recycling.sources import Context, Guesses, Source
from trchat.recycling.suffix import Match, SuffixIndex
from trchat.recycling.tree import ROOT, DraftTree

_BELOW = -2
_GOOD = 0.7  # hit rate of a good guess
_FILL_FROM = 256  # tokens at the end of the text
_LEAST = 1e-4  # a path less likely than this is not worth a place on any machine


class Guesser:
    """Asks all sources what comes next, at the end of the text or below a guess."""

    def __init__(self, sources: Sequence[Source], text: SuffixIndex) -> None:
        self._ask = [source.add for source in sources]
        self._text = text

    def guess(self, context: Context, matches: Sequence[Match]) -> Guesses:
        """All guesses after ``context``; ``matches`` are places in the text that it equals, best first."""
        guesses: Guesses = {}
        for add in self._ask:
            add(guesses, context, matches)
        return guesses

    def guess_anew(self, context: Context) -> Guesses:
        """The same where nobody has followed the matches down."""
        found = self._text.after(*context)
        return self.guess(context, [found] if found else [])

    def matches_below(self, matches: Sequence[Match], context: Context) -> Sequence[Match]:
        """Matches after going on to ``context``: those that went the same way, else a short one."""
        text = self._text.tokens
        end, token = len(text), context[0]
        below = [
            (place + 1, length + 1) for place, length in matches if text[place] == token and place + 1 < end
        ]
        if below:
            return below
        found = self._text.after(*context)
        return [found] if found is not None else []


@dataclass(frozen=True, slots=True)
class Growth:
    """Nodes in the order they were taken, likeliest first; parents come before children.

    ``probabilities`` are those of the whole path down to a node, ``kinds`` those of its guess. ``guesses``
    holds, for each node that was expanded (and ROOT), what was guessed below it.
    """

    tokens: list[int]
    parents: list[int]
    probabilities: list[float]
    kinds: list[int]
    guesses: dict[int, Guesses]

    def fill(self, n_nodes: int, text: Sequence[int]) -> None:
        """Add nodes below the root, up to ``n_nodes``, with what ``text`` said last, as far as that goes."""
        known = {token for token, parent in zip(self.tokens, self.parents, strict=True) if parent == ROOT}
        for token in islice(reversed(text), _FILL_FROM):
            if len(self.tokens) == n_nodes:
                break
            if token not in known:
                known.add(token)
                self.tokens.append(token)
                self.parents.append(ROOT)
                self.probabilities.append(0.0)
                self.kinds.append(0)  # nobody's guess

    def order(self, n_nodes: int) -> list[int]:
        """The first ``n_nodes`` nodes as they stand in a draft tree: the likeliest chain, then the others."""
        leading: list[int] = []
        end = ROOT
        for node in range(n_nodes):
            # The first child taken is the likeliest one.
            if self.parents[node] == end:
                leading.append(node)
                end = node
        on_chain = set(leading)
        return leading + [node for node in range(n_nodes) if node not in on_chain]

    def tree(self, order: Sequence[int]) -> DraftTree:
        """The draft tree of the nodes in ``order``, in that order."""
        place = {node: index for index, node in enumerate(order)}
        place[ROOT] = ROOT
        return DraftTree(
            np.array([self.tokens[node] for node in order], np.int32),
            np.array([place[self.parents[node]] for node in order], np.int32),
            [self.probabilities[node] for node in order],
            [self.kinds[node] for node in order],
        )


def grow(
    guesser: Guesser,
    rates: Mapping[int, float],
    context: Context,
    matches: Sequence[Match],
    limit: int,
    go_on: Callable[[float], bool] | None = None,
) -> Growth:
    """Take the likeliest nodes below ``context``.

    Each node's probability is its parent's times the hit rate of its kind of guess (``rates``); guesses
    that exclude one another share what there is where their rates add up to more than 1. Stops at
    ``limit`` nodes, or when ``go_on``, told each node's probability, says so.

    Asking the sources is most of the work, so what comes below a node is asked only when it is that node's
    turn: when no guess is waiting that is likelier than what a good guess below it would be.
    """
    # (-probability, count, token, kind, parent, parent's context, its matches); _BELOW: ask below parent
    heap: list[tuple[float, int, int, int, int, Context, Sequence[Match]]] = []
    tokens: list[int] = []
    parents: list[int] = []
    probabilities: list[float] = []
    kinds: list[int] = []
    guesses: dict[int, Guesses] = {}
    push, pop = heapq.heappush, heapq.heappop
    push(heap, (-_GOOD, 0, _BELOW, 0, ROOT, context, matches))
    count = 1
    while not guesses or (heap and len(tokens) < limit):
        negative, _, token, kind, node, context, matches = pop(heap)
        if token == _BELOW:
            if node != ROOT:
                matches = guesser.matches_below(matches, context)
            found = guesses[node] = guesser.guess(context, matches)
            chances = [rates[kind] for kind in found.values()]
            share = (1.0 if node == ROOT else probabilities[node]) / max(1.0, sum(chances))
            for (token, kind), chance in zip(found.items(), chances, strict=True):
                path = share * chance
                if path > _LEAST:
                    push(heap, (-path, count, token, kind, node, context, matches))
                    count += 1
            continue
        tokens.append(token)
        parents.append(node)
        probabilities.append(-negative)
        kinds.append(kind)
        if go_on is not None and not go_on(-negative):
            break
        context = (token, context[0], context[1])
        push(heap, (_GOOD * negative, count, _BELOW, 0, len(tokens) - 1, context, matches))
        count += 1
    return Growth(tokens, parents, probabilities, kinds, guesses)
