"""Draft, verify, accept, learn, rewind: the decoding loop and what it keeps in the KV cache."""
