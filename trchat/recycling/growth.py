"""Draft trees in plain Python: sources of guesses, best-first growth from all of them, and what to learn.

What the compiled kernel does (see compiled_growth.py), to be read, and where there is none.

A source looks at where the text stands (or would stand, below a guess) and adds its level to the kind of
each token that it has something to say about. To add one: give it a name, sizes and priors in
trchat.recycling.calibration, a class here, and a line in ``all_sources``.
"""

from collections.abc import Container, KeysView, Mapping, Sequence
from heapq import heappop, heappush
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.calibration import (
    ALONE,
    DIVIDED,
    EARLIER,
    OPPOSED,
    RECENT,
    ROWS1,
    STRIDES,
    SUFFIX,
    UNITED,
    Labels,
    earlier_level,
    other_suffix_level,
    passed_over_level,
    recent_level,
    row_levels,
    suffix_level,
)
from trchat.recycling.candidates import CONTEXT, CandidateTables, pack
from trchat.recycling.knowledge import CANDIDATES, Knowledge
from trchat.recycling.suffix import Context, EarlierTexts, Match, SuffixIndex
from trchat.recycling.topk import NOTHING, SAMPLED, top_k_and_mass
from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree

ROWS_LEARNED = 17
"""Rows of a step whose candidates are learned whatever became of them: those of the likeliest nodes. More
brought nothing on the recorded answers, and those of 64 take longer to find than a GPU's next step."""

FADE = 0.85
"""Of a weight, per token emitted."""

LEAST_WEIGHT, MOST_WEIGHT = 0.02, 2.0
"""A weight below the one is nothing, and none is above the other."""

UNIT_AT_MOST = 1e6
"""Then weights are counted in a unit of 1 again, and what has faded is dropped."""


class RecentCandidates:
    """Weights of tokens that stood among the candidates of the last few emitted ones.

    Instead of fading all weights at each step, the unit that new ones are counted in grows.
    """

    def __init__(self) -> None:
        self._weights: dict[int, float] = {}
        self._unit = 1.0

    @property
    def tokens(self) -> KeysView[int]:
        """Those with any weight."""
        return self._weights.keys()

    def kind(self, token: int) -> int:
        """What one of ``tokens`` adds to the kind of a guess."""
        weight = self._weights[token] / self._unit
        return recent_level(weight) * STRIDES[RECENT] if weight >= LEAST_WEIGHT else 0

    def step(
        self,
        candidates: Sequence[Sequence[int]],
        chances: Sequence[Sequence[float]],
        emitted: Sequence[int],
    ) -> None:
        """Take in the candidates, with their chances, among which each of ``emitted`` was chosen."""
        weights = self._weights
        unit = self._unit = self._unit / FADE ** len(emitted)
        for row, shares, said in zip(candidates, chances, emitted, strict=True):
            for token, share in zip(row, shares, strict=True):
                if token != said:
                    weights[token] = min(MOST_WEIGHT * unit, weights.get(token, 0.0) + share * unit)
        if unit > UNIT_AT_MOST:
            self._weights = {
                token: weight / unit for token, weight in weights.items() if weight >= LEAST_WEIGHT * unit
            }
            self._unit = 1.0


Guesses = dict[int, int]
"""Guessed token -> kind of guess."""

_LONG = 64  # longer matches than this are of one level


class Source(Protocol):
    """Proposes tokens."""

    parts: tuple[str, ...]
    """What can be left out of it, or all of it, to measure what that brings."""

    def add(self, guesses: Guesses, context: Context, matches: Sequence[Match]) -> None:
        """Add its level, times its stride, to the kind of each token it knows of after ``context``.

        ``matches`` are places that the context equals, in the text, best first, then in an earlier one.
        """


def row_kinds(table: int) -> list[int]:
    """What a candidate of the ``table``-th rows adds to a kind, by its 8-bit probability step."""
    return [level * STRIDES[ROWS1 + table] for level in row_levels()]


def earlier_kinds() -> list[int]:
    """What a match in an earlier text adds to a kind, by its length in tokens."""
    return [earlier_level(length) * STRIDES[EARLIER] for length in range(_LONG)]


def suffix_kinds() -> list[list[int]]:
    """What a match adds to a kind, by its length in tokens.

    One list for what followed the best match by what others say (ALONE to OPPOSED), one for what followed the
    next best that differs, one for guesses that the best speaks against.
    """
    stride, lengths = STRIDES[SUFFIX], range(_LONG)
    return [
        *(
            [suffix_level(length, others) * stride for length in lengths]
            for others in (ALONE, UNITED, DIVIDED, OPPOSED)
        ),
        [other_suffix_level(length) * stride for length in lengths],
        [passed_over_level(length) * stride for length in lengths],
    ]


class RowSource:
    """Candidates that the model itself computed after the same tokens, earlier."""

    def __init__(self, rows: CandidateTables, without: Container[str] = ()) -> None:
        """``without`` names tables to leave out."""
        self.parts = tuple(shape.name for shape in rows.shapes)
        self._find = rows.find
        self._kinds = [
            None if shape.name in without else row_kinds(number) for number, shape in enumerate(rows.shapes)
        ]

    def add(self, guesses: Guesses, context: Context, matches: Sequence[Match]) -> None:
        """All candidates of the rows, by their probability."""
        for row, kinds in zip(self._find(context), self._kinds, strict=True):
            if kinds is None:
                continue
            for packed in row:
                if packed:
                    token = packed >> 8
                    guesses[token] = guesses.get(token, 0) + kinds[packed & 255]


class SuffixSource:
    """What followed the end of the text the last times it stood there."""

    parts: tuple[str, ...] = ("suffix",)

    def __init__(self, text: SuffixIndex) -> None:
        self._follows = text.follows
        *self._first, self._other, self._passed_over = suffix_kinds()

    def add(self, guesses: Guesses, context: Context, matches: Sequence[Match]) -> None:
        """What followed the best match, and the next best that differs; all other guesses are passed over."""
        own = [match for match in matches if match[0] >= 0]
        if not own:
            return
        first, length = self._follows(own[0]), own[0][1]
        same, other = 0, None
        for match in own[1:]:
            if self._follows(match) == first:
                same += 1
            elif other is None:
                other = (self._follows(match), match[1])
        others = len(own) - 1
        say = ALONE if not others else UNITED if same == others else DIVIDED if same else OPPOSED
        proposed = {first: self._first[say][min(length, _LONG - 1)]}
        if other is not None:
            token, shorter = other
            proposed[token] = self._other[min(shorter, _LONG - 1)]
        passed_over = self._passed_over[min(length, _LONG - 1)]
        for token in guesses:
            if token not in proposed:
                guesses[token] += passed_over
        for token, kind in proposed.items():
            guesses[token] = guesses.get(token, 0) + kind


class EarlierSource:
    """What an earlier text went on with, where it equals this one's end for longer than this one itself."""

    parts: tuple[str, ...] = ("earlier",)

    def __init__(self, text: SuffixIndex) -> None:
        self._follows = text.follows
        self._kinds = earlier_kinds()

    def add(self, guesses: Guesses, context: Context, matches: Sequence[Match]) -> None:
        """Its one guess."""
        for match in matches:
            if match[0] < 0:
                token = self._follows(match)
                guesses[token] = guesses.get(token, 0) + self._kinds[min(match[1], _LONG - 1)]


class RecentSource:
    """Favours guesses that were among the model's candidates for one of the last few tokens."""

    parts: tuple[str, ...] = ("recent",)

    def __init__(self, recent: RecentCandidates) -> None:
        self._recent = recent

    def add(self, guesses: Guesses, context: Context, matches: Sequence[Match]) -> None:
        """Add to what others have guessed; on its own it would guess too much."""
        kind = self._recent.kind
        for token in guesses.keys() & self._recent.tokens:
            guesses[token] += kind(token)


def all_sources(
    knowledge: Knowledge, text: SuffixIndex, recent: RecentCandidates, without: Container[str] = ()
) -> list[Source]:
    """Every source but those named in ``without``, in the order in which they are asked."""
    sources: list[Source] = [
        RowSource(knowledge.rows, without),
        SuffixSource(text),
        EarlierSource(text),
        RecentSource(recent),
    ]
    return [source for source in sources if not all(part in without for part in source.parts)]


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
        """The same where the matches have not been followed down."""
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
                self.kinds.append(0)  # not a guess

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


class PlainProposer:
    """See trchat.recycling.proposer."""

    def __init__(self, knowledge: Knowledge, without: Container[str] = ()) -> None:
        self._knowledge = knowledge
        self._without = without
        self._kinds: list[int] = []
        self._right: list[bool] = []
        self._growth: Growth | None = None
        self._guesses: dict[int, Guesses] = {}  # of the tree as it was cut
        self._earlier = EarlierTexts()
        self.begin([])

    def begin(self, prompt: Sequence[int]) -> None:
        """Index the prompt: its own successions are guesses for the answer."""
        self._text = SuffixIndex(self._earlier)
        self._text.extend(prompt)
        self.tokens = self._text.tokens
        self._recent = RecentCandidates()
        self._guesser = Guesser(
            all_sources(self._knowledge, self._text, self._recent, self._without), self._text
        )
        self.forget()

    def remember(self, text: Sequence[int]) -> None:
        """Take in a text that is over."""
        self._earlier.add(text)

    def forget_texts(self) -> None:
        """Forget all texts that are over."""
        self._earlier.clear()

    def grow(self, limit: int) -> Sequence[float]:
        """Take nodes until there are ``limit``, if there are as many; the probabilities of all so far."""
        if self._growth is None:
            text = self._text
            self._growth = Growth(
                self._guesser, self._knowledge.calibration.rates, text.context(), text.matches()
            )
            self._guesses = {ROOT: self._growth.guesses[ROOT]}
        return self._growth.to(limit)

    def cut(self, n_nodes: int) -> DraftTree:
        """The tree of the likeliest nodes; what was guessed below them is kept to be labelled."""
        growth = self._growth
        if growth is None:
            return EMPTY_TREE
        if n_nodes > len(growth.tokens):
            growth.fill(n_nodes, self._text.tokens)
        order = growth.order(min(n_nodes, len(growth.tokens)))
        for place, node in enumerate(order):
            if node in growth.guesses:
                self._guesses[place] = growth.guesses[node]
        return growth.tree(order) if order else EMPTY_TREE

    def forget(self) -> None:
        """What was guessed was for another place."""
        self._growth = None
        self._guesses = {}

    def note(self, tree: DraftTree, path: Sequence[int], emitted: Sequence[int]) -> None:
        """Label all guesses there were for each token the model was asked for; then the text goes on."""
        context, node = self._text.context(), ROOT
        if not self._guesses:  # no tree was grown here
            self._guesses[ROOT] = self._guesser.guess(context, self._text.matches())
        asked = emitted[: len(path) + 1]
        for number, token in enumerate(asked):
            guesses = self._guesses.get(node)
            if guesses is None:
                guesses = self._guesser.guess_anew(context)
            self._kinds.extend(guesses.values())
            self._right.extend([guess == token for guess in guesses])
            if number < len(path):
                node = path[number]
                context = (token, context[0], context[1])
        self.forget()
        # The last tokens before what each verified row foretells, last first.
        self._contexts = np.empty((1 + len(tree), CONTEXT), np.int32)
        self._contexts[0] = self._text.context()
        self._contexts[1:, 0] = tree.tokens
        parents = tree.parents + 1
        self._contexts[1:, 1] = self._contexts[parents, 0]
        self._contexts[1:, 2] = self._contexts[parents, 1]
        self._chosen = [0, *(1 + node for node in path)][: len(asked)]
        self._emitted = asked
        self._text.extend(emitted)

    def recycle(self, logits: NDArray[np.float32], sample: NDArray[np.float32] | None = None) -> None:
        """As told there, by numpy."""
        logits = logits[: max(min(len(logits), ROWS_LEARNED), 1 + max(self._chosen, default=-1))]
        best, values, mass = top_k_and_mass(logits, CANDIDATES, changing=sample is not None)
        if sample is not None and (logits[0, ::SAMPLED] != sample).any():
            return
        certain = np.where(values > NOTHING, values - mass[:, None], -np.inf)
        packed = np.where(np.isfinite(certain), pack(best, certain), 0)
        self._knowledge.learn(self._contexts[: len(logits)], packed)
        chances = np.exp(certain[self._chosen])
        self._recent.step(best[self._chosen].tolist(), chances.tolist(), self._emitted)

    @property
    def n_labels(self) -> int:
        """Guesses that were labelled since labels were last taken."""
        return len(self._kinds)

    def take_labels(self) -> Labels:
        """What was labelled since."""
        labels = np.array(self._kinds, np.int32), np.array(self._right, np.uint8)
        self._kinds, self._right = [], []
        return labels
