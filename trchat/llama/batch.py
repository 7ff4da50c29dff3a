"""The arrays of one ``llama_batch``, allocated once; llama.cpp reads them where they lie."""

import numpy as np

ALL_SEQUENCES = -1
"""As a sequence id: whichever there are."""
END = -1
"""As a position behind the last one meant: up to the end."""


class Batch:
    """Room for ``capacity`` tokens with up to ``n_seq`` sequence ids each.

    Attributes, all written by the caller before a decode:
        token, pos, n_seq_id: int32, shape (capacity,).
        seq_id: int32, shape (capacity, n_seq); row i holds ``n_seq_id[i]`` ids.
        logits: int8, shape (capacity,); 1 where a row of logits is wanted.
    """

    def __init__(self, capacity: int, n_seq: int) -> None:
        self.capacity = capacity
        self.n_seq = n_seq
        self.token = np.zeros(capacity, np.int32)
        self.pos = np.zeros(capacity, np.int32)
        self.n_seq_id = np.ones(capacity, np.int32)
        self.seq_id = np.zeros((capacity, n_seq), np.int32)
        self.logits = np.zeros(capacity, np.int8)
