"""Where an answer leaves the plain one, and how close the model's choice was there."""

from collections.abc import Iterable

from trchat.bench.runner import Measurement
from trchat.chat.engine import Engine
from trchat.decoding.kv_cache import common_length


def fork_margins(engine: Engine, measurements: Iterable[Measurement]) -> dict[Measurement, float]:
    """For each measurement whose tokens differ from ``off``'s: how far the two likeliest tokens were apart.

    In logits, at the first token that differs. llama.cpp's kernels may round differently by batch width (see
    the README): then a difference is a matter of a margin near 0, and anything else would be a mistake.
    """
    measured = list(measurements)
    plain = {(m.question.id, m.turn): m for m in measured if m.mode == "off"}
    margins = {}
    for m in measured:
        off = plain.get((m.question.id, m.turn))
        if off is None or off.token_ids == m.token_ids:
            continue
        common = m.token_ids[: common_length(m.token_ids, off.token_ids)]
        margins[m] = engine.margin([*engine.prompts.build(m.turns).ids, *common])
    return margins
