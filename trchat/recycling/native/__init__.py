"""The drafter's inner loops compiled: drafting, learning and searching logits take a tenth of the time.

Each C file is the twin of one or two Python modules, which say what it does and are used where no compiler
was at hand when trchat was installed. Drafts are the same either way (tests/recycling/test_native.py).
"""
