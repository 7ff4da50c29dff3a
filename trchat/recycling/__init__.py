"""Where drafts come from: numpy, and the inner loops once more in C (native); no llama.cpp.

Token Recycling (Luo et al., ACL 2025, arXiv 2408.08696) and its relatives, for any vocabulary.
"""
