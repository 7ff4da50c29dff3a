"""Between the tables that drafting uses and the rows that are stored."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.adjacency import EMPTY, AdjacencyMatrix
from trchat.recycling.candidates import WAYS, CandidateTable, pack
from trchat.recycling.knowledge import Knowledge
from trchat.storage.recycled.rows import Rows, Shape, joined, merge, no_rows, rank_in_place

MATRIX = "matrix"
_SURE = 255  # the paper's matrix keeps no probabilities


def table_name(table: CandidateTable) -> str:
    """What the rows of a table are stored under."""
    return f"rows{table.order}"


def table_shape(table: CandidateTable, n_vocab: int) -> Shape:
    """Where the rows of ``table`` go."""
    rows = len(table.tags)
    return Shape(table_name(table), rows // WAYS, WAYS, table.k, n_vocab, _layout(table))


def shapes_of(n_vocab: int) -> dict[str, Shape]:
    """Where the rows of every source go, in this program, for a vocabulary of ``n_vocab`` tokens."""
    shapes = [table_shape(table, n_vocab) for table in Knowledge().tables]
    # In the paper's matrix each token is a bucket of its own.
    k = AdjacencyMatrix(0).k
    shapes.append(Shape(MATRIX, n_vocab, 1, k, n_vocab, f"{n_vocab} x {k}"))
    return {shape.source: shape for shape in shapes}


def rows_since(table: CandidateTable, clock: int) -> Rows:
    """Copies of the rows learned after ``clock``, sorted by place."""
    slots = np.flatnonzero((table.stamps > clock) & (table.tags != 0))
    return _at(table, slots)


def absorb(table: CandidateTable, rows: Rows) -> None:
    """Merge ``rows`` (merged themselves) into ``table``: in each bucket, newer rows replace older ones."""
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
        table.packed[slots] = 0
    target = kept.places.astype(np.intp) * WAYS + rank_in_place(kept.places)
    table.tags[target] = kept.tags
    table.stamps[target] = kept.stamps
    table.packed[target] = kept.packed


def matrix_rows_since(matrix: AdjacencyMatrix, clock: int) -> Rows:
    """Copies of the matrix rows learned after ``clock``, sorted by token."""
    tokens = np.flatnonzero(matrix.stamps > clock)
    if not len(tokens):
        return no_rows(matrix.k)
    candidates = matrix.candidates[tokens]
    packed = np.where(candidates == EMPTY, 0, candidates << 8 | _SURE).astype(np.uint32)
    ones = np.ones(len(tokens), np.uint32)
    return Rows(tokens.astype(np.uint32), ones, matrix.stamps[tokens], packed)


def absorb_matrix(matrix: AdjacencyMatrix, rows: Rows) -> None:
    """Merge ``rows`` into ``matrix``: the newer row of each token counts."""
    rows = merge(rows, 1)
    rows = rows.only(rows.stamps >= matrix.stamps[rows.places])
    tokens = (rows.packed >> np.uint32(8)).astype(np.int32)
    matrix.candidates[rows.places] = np.where(rows.packed == 0, EMPTY, tokens)
    matrix.stamps[rows.places] = rows.stamps


def _at(table: CandidateTable, slots: NDArray[np.intp]) -> Rows:
    return Rows(
        (slots // WAYS).astype(np.uint32), table.tags[slots], table.stamps[slots], table.packed[slots]
    )


def _layout(table: CandidateTable) -> str:
    """Geometry, and where a known row comes to lie: so a change of hashing or packing starts cold."""
    probe = CandidateTable(table.order, len(table.tags), table.k)
    contexts = np.array([[70, 14, 5][: table.order]], np.int32)
    chances = np.linspace(-0.1, -9.0, table.k, dtype=np.float32)
    probe.learn(contexts, pack(np.arange(3, 3 + table.k, dtype=np.int32), chances)[None], 1)
    slot = int(np.flatnonzero(probe.tags)[0])
    known = f"{slot} {probe.tags[slot]} {probe.packed[slot].tolist()}"
    check = hashlib.blake2b(known.encode(), digest_size=6).hexdigest()
    return f"{len(table.tags)} x {table.k} in {WAYS}, {check}"
