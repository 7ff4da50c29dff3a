"""Between the tables that drafting uses and the rows that are stored: all that the store knows of them.

A table is arrays with one entry a row: ``tags`` (0 = free), ``stamps``, and what the row says, in buckets of
neighbouring rows. Another size, number of candidates, way of hashing or of packing changes the layout, and
what was stored in another layout is left out.
"""

import hashlib
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.adjacency import EMPTY, AdjacencyMatrix
from trchat.recycling.candidates import CONTEXT, WAYS, CandidateTable, pack
from trchat.recycling.knowledge import CANDIDATES, Knowledge
from trchat.storage.recycled.rows import Content, Rows, Shape, joined, merge, no_rows, rank_in_place

MATRIX = "matrix"
_SURE = 255  # the paper's matrix keeps no probabilities


def shapes_of(n_vocab: int) -> dict[str, Shape]:
    """Where the rows of every source go, in this program, for a vocabulary of ``n_vocab`` tokens."""
    knowledge = Knowledge()
    _teach(knowledge)
    shapes = [table_shape(table, n_vocab) for table in knowledge.tables]
    # In the paper's matrix each token is a bucket of its own.
    k = AdjacencyMatrix(0).k
    layout = f"{n_vocab} x {k}"
    shapes.append(Shape(MATRIX, n_vocab, 1, 4 * k, layout, _sound(np.dtype(np.uint32), n_vocab)))
    return {shape.source: shape for shape in shapes}


def table_shape(table: CandidateTable, n_vocab: int) -> Shape:
    """Where the rows of ``table`` go, in a layout that depends on the rows it holds."""
    sound = _sound(table.packed.dtype, n_vocab)
    buckets = len(table.tags) // WAYS
    return Shape(table.name, buckets, WAYS, table.packed[0].nbytes, _layout(table), sound)


def rows_since(table: CandidateTable, clock: int) -> Rows:
    """Copies of the rows learned after ``clock``, sorted by place."""
    slots = np.flatnonzero((table.stamps > clock) & (table.tags != 0))
    return _at(table, slots)


def absorb(table: CandidateTable, rows: Rows) -> None:
    """Merge ``rows`` (merged themselves) into ``table``; of a bucket those of most worth stay."""
    if not len(rows):
        return
    kept = rows
    if table.tags.any():
        buckets = np.unique(rows.places).astype(np.intp)
        slots = (buckets[:, None] * WAYS + np.arange(WAYS)).ravel()
        there = _at(table, slots[table.tags[slots] != 0])
        # Of two as old as each other the one from outside counts: it comes second.
        kept = merge(joined([there, rows]), WAYS)
        table.tags[slots] = 0
        table.stamps[slots] = 0
        table.counts[slots] = 0
        table.packed[slots] = 0
    target = kept.places.astype(np.intp) * WAYS + rank_in_place(kept.places)
    table.tags[target] = kept.tags
    table.stamps[target] = kept.stamps
    table.counts[target] = kept.counts
    table.packed[target] = kept.content.view(table.packed.dtype)


def matrix_rows_since(matrix: AdjacencyMatrix, clock: int) -> Rows:
    """Copies of the matrix rows learned after ``clock``, sorted by token."""
    tokens = np.flatnonzero(matrix.stamps > clock)
    if not len(tokens):
        return no_rows(4 * matrix.k)
    candidates = matrix.candidates[tokens]
    packed = np.where(candidates == EMPTY, 0, candidates << 8 | _SURE).astype(np.uint32)
    tags, counts = np.ones(len(tokens), np.uint32), np.ones(len(tokens), np.uint8)
    return Rows(tokens.astype(np.uint32), tags, matrix.stamps[tokens], counts, packed.view(np.uint8))


def absorb_matrix(matrix: AdjacencyMatrix, rows: Rows) -> None:
    """Merge ``rows`` into ``matrix``: the newer row of each token counts."""
    rows = merge(rows, 1)
    rows = rows.only(rows.stamps >= matrix.stamps[rows.places])
    packed = rows.content.view(np.uint32)
    tokens = (packed >> np.uint32(8)).astype(np.int32)
    matrix.candidates[rows.places] = np.where(packed == 0, EMPTY, tokens)
    matrix.stamps[rows.places] = rows.stamps


def _at(table: CandidateTable, slots: NDArray[np.intp]) -> Rows:
    content = table.packed[slots].view(np.uint8)
    places = (slots // WAYS).astype(np.uint32)
    return Rows(places, table.tags[slots], table.stamps[slots], table.counts[slots], content)


def _teach(knowledge: Knowledge) -> None:
    """Some known rows: where they come to lie, and as what, is what a layout is about."""
    tokens = np.arange(3, 3 + CANDIDATES, dtype=np.int32)
    chances = np.linspace(-0.1, -9.0, CANDIDATES, dtype=np.float32)
    for start in (5, 50, 500):
        context = np.arange(start, start + CONTEXT, dtype=np.int32)
        knowledge.learn(context[None], pack(tokens + start, chances)[None])


def _layout(table: CandidateTable) -> str:
    """Geometry, and how the rows in ``table`` lie: so a change of hashing or packing starts cold."""
    known = _at(table, np.flatnonzero(table.tags))
    columns = (known.places, known.tags, known.stamps, known.content)
    facts = repr((sys.byteorder, table.packed.dtype.str, [column.tolist() for column in columns]))
    check = hashlib.blake2b(facts.encode(), digest_size=6).hexdigest()
    return f"{len(table.tags)} x {table.packed.shape[1]} in {WAYS}, {check}"


def _sound(dtype: np.dtype[np.unsignedinteger], n_vocab: int) -> Callable[[Content], NDArray[np.bool_]]:
    """A check for rows of ``token << 8 | probability step``, 0 = no candidate."""

    def check(content: Content) -> NDArray[np.bool_]:
        """Which rows hold tokens of the vocabulary only, each at most once and with a probability."""
        packed = content.view(dtype)
        tokens = packed >> 8
        empty = packed == 0
        sound = empty | ((tokens < n_vocab) & ((packed & 255) != 0))
        right: NDArray[np.bool_] = sound.all(axis=1) & ~empty.all(axis=1)
        # A token proposed twice by one row would be taken for a guess of another kind.
        for one in range(packed.shape[1]):
            for other in range(one):
                right &= empty[:, one] | (tokens[:, one] != tokens[:, other])
        return right

    return check
