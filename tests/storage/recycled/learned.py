"""What a model might have taught: made-up rows, known in advance."""

import numpy as np

from trchat.recycling import kernel
from trchat.recycling.calibration import Calibration
from trchat.recycling.candidates import CandidateTables, pack
from trchat.recycling.knowledge import Knowledge
from trchat.storage.recycled.files import open_memory
from trchat.storage.recycled.records import Identity, Totals

VOCABULARY = 5000
TOKENS = list(range(0, 300, 3))


def identity(vocabulary=VOCABULARY, weights="w", quantisation="Q8_0", name="Some Model"):
    return Identity(name, "llama", 135_000_000, vocabulary, quantisation, "t" * 32, weights * 32)


def candidates(numbers):
    """Eight packed candidates (n, 8) that follow from a number (n,)."""
    numbers = np.asarray(numbers, np.int32)[:, None]
    tokens = (numbers * 7 + np.arange(8, dtype=np.int32) * 3) % (VOCABULARY - 1)
    return pack(tokens, np.broadcast_to(-np.arange(8, dtype=np.float32), tokens.shape))


def teach(knowledge: Knowledge, tokens, numbers):
    """Learn, in one step, a row of every table for each of ``tokens``; its candidates follow from numbers."""
    tokens = np.asarray(tokens, np.int32)
    forget_at_once(knowledge.rows)
    knowledge.learn(np.stack([tokens, tokens + 1, tokens + 2], axis=1), candidates(numbers))


def forget_at_once(rows: CandidateTables):
    """Let a row be what was taught last, not a mean of that and what it held."""
    rows._finders = [(*finder, 0.0) for *finder, _ in rows._finders]
    if kernel.KERNEL is not None:
        rows.handle = rows._compiled(kernel.KERNEL)


def teach_at_random(knowledge: Knowledge, random, count, vocabulary):
    """Learn ``count`` rows of random contexts and distinct random candidates in one step."""
    contexts = random.integers(0, vocabulary, (count, 3)).astype(np.int32)
    tokens = (
        random.integers(0, vocabulary, (count, 1)) + np.arange(8) * random.integers(1, 999, (count, 1))
    ) % vocabulary
    knowledge.learn(contexts, pack(tokens.astype(np.int32), -10 * random.random((count, 8), np.float32)))


def known(knowledge: Knowledge, tokens):
    """The packed candidates of every table for each of ``tokens``, as lists."""
    return [[*map(list, knowledge.rows.find((token, token + 1, token + 2)))] for token in tokens]


def expected(numbers):
    """What ``known`` gives for rows taught with these numbers."""
    sizes = [shape.k for shape in Knowledge().rows.shapes]
    return [[row[:k].tolist() for k in sizes] for row in candidates(numbers)]


def one(tokens=10, steps=4):
    return Totals(1, tokens, steps, 8, 6)


def counts(calibration):
    """Hits and guesses by level of the first source, without the priors they begin with."""
    fresh = Calibration()
    return (
        calibration.source_hits[0] - fresh.source_hits[0],
        calibration.source_seen[0] - fresh.source_seen[0],
    )


def saved(told, who=None, tokens=TOKENS, numbers=TOKENS, **options):
    """A session that learns ``numbers`` for ``tokens`` and ends."""
    memory = open_memory(who or identity(), "cpu", told.append, **options)
    teach(memory.knowledge, tokens, numbers)
    memory.save("auto", one())
    assert memory.close(30)
    return memory
