"""Best-first growth of one draft tree from all sources."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trchat.recycling.candidates import mix1, mix2, mix3
from trchat.recycling.kinds import (
    ONE,
    SIBLING,
    SUFFIX,
    THREE,
    TWO,
    other_suffix_level,
    row_levels,
    suffix_level,
)
from trchat.recycling.knowledge import Knowledge
from trchat.recycling.suffix import Match, SuffixIndex
from trchat.recycling.tree import ROOT, DraftTree

Guesses = dict[int, int]
"""Guessed token -> kind of guess."""

_ONE = [level * ONE for level in row_levels()]
_TWO = [level * TWO for level in row_levels()]
_THREE = [level * THREE for level in row_levels()]
_SUFFIX = [suffix_level(length) * SUFFIX for length in range(64)]
_OTHER = [other_suffix_level(length) * SUFFIX for length in range(64)]
_LEAST = 1e-4  # a path less likely than this is not worth a place on any machine


class Sources:
    """Everything that proposes tokens: candidate rows, the text itself, hints from rejected siblings."""

    def __init__(
        self, knowledge: Knowledge, text: SuffixIndex, without: frozenset[str] = frozenset()
    ) -> None:
        """``without`` leaves sources out to measure them: rows1, rows2, rows3, suffix, siblings."""
        self._find_one, self._find_two, self._find_three = (
            _nothing if f"rows{table.order}" in without else table.find for table in knowledge.tables
        )
        self._text = text
        self._use_matches = "suffix" not in without
        self._use_siblings = "siblings" not in without

    def guess(self, last: int, second: int, third: int, matches: list[Match], siblings: Guesses) -> Guesses:
        """All guesses after these last three tokens (-1 = before the text's beginning).

        ``matches`` are places in the text that this context equals, best first; ``siblings`` maps tokens to
        levels.
        """
        guesses: Guesses = {}
        key = mix1(last)
        for packed in self._find_one(key):
            if packed:
                guesses[packed >> 8] = _ONE[packed & 255]
        for packed in self._find_two(mix2(last, second)):
            if packed:
                token = packed >> 8
                guesses[token] = guesses.get(token, 0) + _TWO[packed & 255]
        for packed in self._find_three(mix3(last, second, third)):
            if packed:
                token = packed >> 8
                guesses[token] = guesses.get(token, 0) + _THREE[packed & 255]
        if matches and self._use_matches:
            text = self._text.tokens
            place, length = matches[0]
            first = text[place]
            guesses[first] = guesses.get(first, 0) + _SUFFIX[min(length, 63)]
            for place, length in matches[1:]:
                token = text[place]
                if token != first:
                    guesses[token] = guesses.get(token, 0) + _OTHER[min(length, 63)]
                    break
        for token, level in siblings.items() if self._use_siblings else ():
            guesses[token] = guesses.get(token, 0) + level * SIBLING
        return guesses

    def matches_below(self, matches: list[Match], token: int, second: int, third: int) -> list[Match]:
        """Matches after going on with ``token``: those that went the same way, else a short one."""
        if not self._use_matches:
            return []
        text = self._text.tokens
        end = len(text)
        below = [
            (place + 1, length + 1) for place, length in matches if text[place] == token and place + 1 < end
        ]
        if below:
            return below
        found = self._text.after(token, second, third)
        return [found] if found is not None else []


def _nothing(_mixed: int) -> list[int]:
    return []


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

    def chain(self) -> list[int]:
        """The path of likeliest children from the root down."""
        likeliest: dict[int, int] = {}
        for node, parent in enumerate(self.parents):
            likeliest.setdefault(parent, node)
        chain: list[int] = []
        node = ROOT
        while node in likeliest:
            node = likeliest[node]
            chain.append(node)
        return chain


def grow(
    sources: Sources,
    rates: memoryview,
    context: tuple[int, int, int],
    matches: list[Match],
    siblings: Guesses,
    limit: int,
    go_on: Callable[[float], bool] | None = None,
) -> Growth:
    """Take the likeliest nodes below ``context`` (last token, the one before, the third last).

    Each node's probability is its parent's times the hit rate of its kind of guess (``rates``). Stops at
    ``limit`` nodes, or when ``go_on``, told each node's probability, says so.
    """
    heap: list[tuple[float, int, int, int, int, int, list[Match]]] = []
    tokens: list[int] = []
    parents: list[int] = []
    probabilities: list[float] = []
    kinds: list[int] = []
    guesses: dict[int, Guesses] = {}
    last, second, third = context
    node, share, count = ROOT, 1.0, 0
    below = matches
    while True:
        found = sources.guess(last, second, third, below, siblings if node == ROOT else {})
        guesses[node] = found
        for token, kind in found.items():
            path = share * rates[kind]
            if path > _LEAST:
                count += 1
                heapq.heappush(heap, (-path, count, token, node, last, second, below))
        if not heap or len(tokens) >= limit:
            break
        negative, _, token, parent, second, third, matches = heapq.heappop(heap)
        share, last, node = -negative, token, len(tokens)
        tokens.append(token)
        parents.append(parent)
        probabilities.append(share)
        kinds.append(guesses[parent][token])
        if go_on is not None and not go_on(share):
            break
        below = sources.matches_below(matches, token, second, third)
    return Growth(tokens, parents, probabilities, kinds, guesses)


def tree_of(growth: Growth, chosen: list[int], chain: list[int]) -> tuple[DraftTree, dict[int, int]]:
    """The draft tree of the ``chosen`` nodes, its chain first, and where each node of the growth went."""
    wanted = set(chosen)
    spine = [node for node in chain if node in wanted]
    on_spine = set(spine)
    order = spine + [node for node in chosen if node not in on_spine]
    place = {node: index for index, node in enumerate(order)}
    place[ROOT] = ROOT
    tokens = np.array([growth.tokens[node] for node in order], np.int32)
    parents = np.array([place[growth.parents[node]] for node in order], np.int32)
    probabilities = [growth.probabilities[node] for node in order]
    return DraftTree(tokens, parents, probabilities, [growth.kinds[node] for node in order]), place
