"""Best-first growth of one draft tree from all sources."""

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from itertools import islice

import numpy as np

from trchat.recycling.sources import Guesses, Source
from trchat.recycling.suffix import Context, Match, SuffixIndex
from trchat.recycling.tree import ROOT, DraftTree

GOOD = 0.7
"""Hit rate of a good guess."""

LEAST = 1e-4
"""A path less likely than this is not worth a place on any machine."""

_BELOW = -2
_FILL_FROM = 256  # tokens at the end of the text


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
        return self.guess(context, self._text.after(context))

    def matches_below(self, matches: Sequence[Match], context: Context) -> Sequence[Match]:
        """Matches after going on to ``context``: those that went the same way, else a short one."""
        return self._text.below(matches, context)


class Growth:
    """The likeliest nodes below one context, in the order they were taken; parents come before children.

    Each node's probability is its parent's times the hit rate of its kind of guess; guesses that exclude one
    another share what there is where their rates add up to more than 1.

    Asking the sources is most of the work, so what comes below a node is asked only when it is that node's
    turn: when no guess is waiting that is likelier than what a good guess below it would be.

    ``probabilities`` are those of the whole path down to a node, ``kinds`` those of its guess. ``guesses``
    holds, for each node that was expanded (and ROOT), what was guessed below it.
    """

    def __init__(
        self, guesser: Guesser, rates: Mapping[int, float], context: Context, matches: Sequence[Match]
    ) -> None:
        """Below ``context``, which equals the text at ``matches``; ``rates`` are the hit rates by kind."""
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.probabilities: list[float] = []
        self.kinds: list[int] = []
        self.guesses: dict[int, Guesses] = {}
        self._guesser = guesser
        self._rates = rates
        # (-probability, count, token, kind, parent, parent's context, its matches); _BELOW: ask below parent
        self._heap: list[tuple[float, int, int, int, int, Context, Sequence[Match]]] = []
        self._count = 1
        self._expand(ROOT, context, matches)

    def to(self, limit: int) -> Sequence[float]:
        """Take nodes until there are ``limit`` or no guesses are left; the probabilities of all so far."""
        heap, tokens = self._heap, self.tokens
        while heap and len(tokens) < limit:
            negative, _, token, kind, node, context, matches = heappop(heap)
            if token == _BELOW:
                self._expand(node, context, self._guesser.matches_below(matches, context))
                continue
            tokens.append(token)
            self.parents.append(node)
            self.probabilities.append(-negative)
            self.kinds.append(kind)
            context = (token, context[0], context[1])
            heappush(heap, (GOOD * negative, self._count, _BELOW, 0, len(tokens) - 1, context, matches))
            self._count += 1
        return self.probabilities

    def _expand(self, node: int, context: Context, matches: Sequence[Match]) -> None:
        found = self.guesses[node] = self._guesser.guess(context, matches)
        rates = self._rates
        chances = [rates[kind] for kind in found.values()]
        share = (1.0 if node == ROOT else self.probabilities[node]) / max(1.0, sum(chances))
        for (token, kind), chance in zip(found.items(), chances, strict=True):
            path = share * chance
            if path > LEAST:
                heappush(self._heap, (-path, self._count, token, kind, node, context, matches))
                self._count += 1

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
