"""Step times measured before the first answer."""

import pytest

from tests.decoding.scripted import ScriptedContext
from trchat.decoding import start_costs
from trchat.decoding.kv_cache import KVCache
from trchat.decoding.start_costs import measure_start
from trchat.recycling.cost import Preparing, StepCosts


class Clock:
    """Time that passes only when a batch is decoded, as ``milliseconds`` says for the n-th one of a width."""

    def __init__(self, context, milliseconds):
        self.now, self._runs, self._last = 0.0, 0, 0
        self._decode, self._milliseconds = context.decode, milliseconds
        context.decode = self.decode

    def __call__(self):
        return self.now

    def decode(self, n_tokens):
        self._runs = self._runs + 1 if n_tokens == self._last else 1
        self._last = n_tokens
        self.now += self._milliseconds(n_tokens, self._runs) / 1e3
        self._decode(n_tokens)


def preparing(costs):
    return [costs.preparing_ms(what) for what in (Preparing.CHANGE, Preparing.UPDATE, Preparing.RECORDING)]


def measured(monkeypatch, milliseconds, load_s=0.0, **context):
    context = ScriptedContext(**context)
    clock = Clock(context, milliseconds)
    monkeypatch.setattr(start_costs, "perf_counter", clock)
    monkeypatch.setattr("trchat.decoding.kv_cache.perf_counter", clock)
    costs = StepCosts()
    cache = KVCache(context)
    measure_start(cache, costs, load_s)
    assert cache.tokens == [] and not any(context.cells)
    return costs, context


def test_the_settled_run_of_a_width_counts_and_what_came_before_is_the_price_of_a_change(monkeypatch):
    costs, context = measured(monkeypatch, lambda n, run: (9, 6, 2, 2)[run - 1], computes_apart=True)
    assert sorted(costs.curve) == [1, 2, 3, 4, 8, 16, 32, 64]
    assert costs.of(1) == costs.of(64) == pytest.approx(2.0)
    assert preparing(costs) == pytest.approx([7.0, 4.0 / 3, 4.0])
    assert costs.plain_ms == pytest.approx(2.0)
    assert context.decodes == 8 * 3


def test_on_a_cpu_the_second_run_is_settled(monkeypatch):
    costs, context = measured(monkeypatch, lambda n, run: 3 if run == 1 else 2)
    assert preparing(costs) == pytest.approx([1.0, 0.0, 0.0])
    assert context.decodes == 8 * 2


def test_a_slow_machine_is_not_kept_from_answering(monkeypatch):
    costs, context = measured(monkeypatch, lambda n, run: 20.0 * n)
    assert sorted(costs.curve) == [1, 2, 4]
    assert context.decodes * 20 <= 300
    costs, _ = measured(monkeypatch, lambda n, run: 20.0 * n, load_s=20.0)  # 5 % of a long time are longer
    assert sorted(costs.curve) == [1, 2, 4, 8]


@pytest.mark.parametrize(("once_ms", "known"), [(250, [1, 2, 3, 4, 8, 16, 32, 64]), (2000, [1, 2, 4, 8, 16])])
def test_what_a_gpu_sets_up_once_does_not_hide_wide_batches(monkeypatch, once_ms, known):
    """As a matrix library does that is first used for batches of 32."""

    def milliseconds(n_tokens, run):
        return (16, 9, 6, 6)[run - 1] + (once_ms if n_tokens == 32 and run == 1 else 0)

    costs, _ = measured(monkeypatch, milliseconds, computes_apart=True)
    assert sorted(costs.curve) == known
    if 64 in known:
        assert costs.of(64) < 9
        assert preparing(costs) == pytest.approx([10.0, 1.0, 3.0])


def test_nor_does_what_it_sets_up_before_anything_else(monkeypatch):
    def milliseconds(n_tokens, run):
        return (16, 9, 6, 6)[run - 1] + (250 if n_tokens == 1 and run == 1 else 0)

    costs, _ = measured(monkeypatch, milliseconds, computes_apart=True)
    assert 64 in costs.curve


@pytest.mark.parametrize("held_up", (2, 4, 8, 32))
def test_one_run_that_is_held_up_neither_makes_a_width_dear_nor_changes_free(monkeypatch, held_up):
    def milliseconds(n_tokens, run):
        settled = 30.0 if n_tokens == held_up and run == 3 else 2.0 + 0.05 * n_tokens
        return settled + (0, 7, 4, 0, 0)[run]

    costs, _ = measured(monkeypatch, milliseconds, computes_apart=True)
    assert costs.of(held_up) <= costs.of(64) < 10
    assert preparing(costs) == pytest.approx([7.0, 4.0 / 3, 4.0])
