"""The decoding loop: with any drafter at all, the text is that of plain decoding."""

import numpy as np
import pytest

from tests.decoding.scripted import N_VOCAB, ScriptedContext, next_logits, plain_greedy
from trchat.decoding.kv_cache import KVCache
from trchat.decoding.loop import generate
from trchat.decoding.statistics import Statistics
from trchat.recycling.adjacency import AdjacencyMatrix
from trchat.recycling.drafter import LookupDrafter, NoDrafter, RecyclingDrafter
from trchat.recycling.tree import ROOT, DraftTree

PROMPT = [3, 1, 4, 1, 5, 9, 2, 6]


def greedy(_index, row):
    return int(row.argmax())


def run(drafter, prompt=PROMPT, max_tokens=60, context=None, **kwargs):
    cache = KVCache(context or ScriptedContext())
    list(cache.prefill(prompt[:-1]))
    return list(generate(cache, drafter, greedy, prompt, max_tokens=max_tokens, **kwargs))


def text(steps):
    return [token for step in steps for token in step.tokens]


class Oracle:
    """Drafts random trees in which the right continuation is hidden somewhere."""

    mode = "oracle"
    rows_learned = 0

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def begin(self, prompt):
        self.text = list(prompt)
        self.ready = True

    def draft(self, room, n_forced=1):
        right = plain_greedy(self.text, int(self.random.integers(0, 5)))
        tokens, parents, node = [], [], ROOT
        for token in right:
            for _ in range(int(self.random.integers(0, 3))):
                tokens.append(int(self.random.integers(0, N_VOCAB)))
                parents.append(int(self.random.integers(-1, len(tokens))) if len(tokens) > 1 else ROOT)
                parents[-1] = min(parents[-1], len(tokens) - 2)
            tokens.append(token)
            parents.append(node)
            node = len(tokens) - 1
        return DraftTree(np.array(tokens, np.int32), np.array(parents, np.int32)).first(room)

    def learn(self, verified, put_off=False):
        assert self.ready
        self.text.extend(verified.emitted)
        self.ready = not put_off

    def catch_up(self):
        self.ready = True


def drafters():
    return [
        NoDrafter(),
        LookupDrafter(),
        RecyclingDrafter(AdjacencyMatrix(N_VOCAB)),
        *(Oracle(seed) for seed in range(10)),
    ]


class Bushy(NoDrafter):
    """Drafts ``n_nodes`` nodes in ``n_branches`` branches, whatever the context takes."""

    def __init__(self, n_nodes, n_branches):
        self.n_nodes, self.n_branches = n_nodes, n_branches

    def draft(self, room, n_forced=1):
        nodes = np.arange(self.n_nodes)
        return DraftTree((nodes % N_VOCAB).astype(np.int32), np.maximum(nodes - self.n_branches, ROOT))


@pytest.mark.parametrize("n_branches", [1, 16, 63, 64, 300])
@pytest.mark.parametrize("n_nodes", [60, 80, 99, 100, 3000])
def test_a_draft_of_any_size_leaves_the_text_as_it_is(n_nodes, n_branches):
    steps = run(Bushy(n_nodes, n_branches), max_tokens=20)
    assert text(steps) == plain_greedy(PROMPT, 20)
    widest = max(steps, key=lambda step: step.width)
    assert len(widest.tree) == min(n_nodes, 99 if n_branches < 64 else 63), "as much as there is room for"


@pytest.mark.parametrize("drafter", drafters(), ids=lambda drafter: drafter.mode)
@pytest.mark.parametrize("max_tokens", [1, 2, 7, 60])
def test_no_draft_changes_the_text(drafter, max_tokens):
    steps = run(drafter, max_tokens=max_tokens)
    assert text(steps) == plain_greedy(PROMPT, max_tokens)
    assert steps[-1].finish == "length"
    assert all(step.finish is None for step in steps[:-1])


def test_what_is_put_off_while_a_gpu_computes_changes_nothing_in_the_text():
    context = ScriptedContext(computes_apart=True, keeps_order=False, n_spare=0)
    assert text(run(Oracle(4), context=context)) == plain_greedy(PROMPT, 60)


@pytest.mark.parametrize("drafter", drafters(), ids=lambda drafter: drafter.mode)
def test_an_end_token_ends_the_text_also_inside_a_draft(drafter):
    plain = plain_greedy(PROMPT, 60)
    end = plain[20]
    steps = run(drafter, ends={end}.__contains__)
    assert text(steps) == plain[: plain.index(end) + 1]
    assert steps[-1].finish == "stop"


def test_drafts_save_steps_and_the_records_add_up():
    steps = run(Oracle(1))
    statistics = Statistics()
    for step in steps:
        assert step.accepted <= step.drafted
        assert len(step.tokens) in (step.accepted, step.accepted + 1)
        statistics.add(step)
    assert statistics.tokens == 60
    assert statistics.steps < 40
    assert statistics.tokens_per_step == pytest.approx(60 / statistics.steps)


def test_sampling_draws_once_for_each_token_in_order():
    def run_with(drafter):
        random = np.random.default_rng(7)
        draws = []

        def sample(_index, row):
            weights = np.exp(row - row.max())
            draws.append(int(random.choice(N_VOCAB, p=weights / weights.sum())))
            return draws[-1]

        cache = KVCache(ScriptedContext())
        list(cache.prefill(PROMPT[:-1]))
        written = text(generate(cache, drafter, sample, PROMPT, max_tokens=50))
        assert draws == written
        return written

    plain = run_with(NoDrafter())
    assert run_with(LookupDrafter()) == plain
    assert run_with(RecyclingDrafter(AdjacencyMatrix(N_VOCAB))) == plain


def test_the_sampler_is_told_the_place_of_its_row_in_the_batch():
    context = ScriptedContext()
    cache = KVCache(context)
    list(cache.prefill(PROMPT[:-1]))

    def sample(index, row):
        visible = context.visible(int(context.batch.pos[index]), int(context.batch.seq_id[index, 0]))
        assert (row == next_logits(visible)).all()
        return int(row.argmax())

    assert len(text(generate(cache, Oracle(3), sample, PROMPT, max_tokens=40))) == 40


@pytest.mark.parametrize("stop_after", range(6))
def test_leaving_at_any_step_leaves_a_valid_cache(stop_after):
    context = ScriptedContext()
    cache = KVCache(context)
    list(cache.prefill(PROMPT[:-1]))
    steps = generate(cache, Oracle(5), greedy, PROMPT, max_tokens=60)
    written = [token for _ in range(stop_after) for token in next(steps).tokens]
    steps.close()
    assert cache.tokens == (PROMPT + written)[: len(cache.tokens)]

    again = [*PROMPT, *written, 7]
    cached = cache.reuse(again)
    list(cache.prefill(again[cached:-1]))
    rest = text(generate(cache, NoDrafter(), greedy, again, max_tokens=5))
    assert rest == plain_greedy(again, 5)


def test_drafts_shrink_when_the_context_fills_up():
    context = ScriptedContext(n_ctx=40)
    steps = run(RecyclingDrafter(AdjacencyMatrix(N_VOCAB)), max_tokens=40 - len(PROMPT), context=context)
    assert text(steps) == plain_greedy(PROMPT, 40 - len(PROMPT))


def test_models_that_cannot_branch_are_decoded_plainly():
    steps = run(Oracle(2), max_tokens=20, can_draft=False)
    assert [step.width for step in steps] == [1] * 20
    assert text(steps) == plain_greedy(PROMPT, 20)


@pytest.mark.parametrize(
    ("on_gpu", "wait_s", "beside"), [(True, 3.0, True), (True, 0.0, False), (False, 3.0, False)]
)
def test_learning_beside_a_busy_gpu_is_no_work_around_the_model(monkeypatch, on_gpu, wait_s, beside):
    now = [0.0]
    for module in ("loop", "kv_cache"):
        monkeypatch.setattr(f"trchat.decoding.{module}.perf_counter", lambda: now[0])

    class Slow(ScriptedContext):
        def logits(self, n_rows):
            now[0] += wait_s
            return super().logits(n_rows)

    class Late(NoDrafter):
        def catch_up(self):
            now[0] += 5.0

    context = Slow(computes_apart=on_gpu, keeps_order=False, n_spare=0)
    for step in run(Late(), context=context, max_tokens=3):
        assert (step.beside_s, step.learn_s) == ((5.0, 0.0) if beside else (0.0, 5.0))
        assert step.decode_s == wait_s
        assert step.host_s == (0.0 if beside else 5.0)
        assert step.seconds == 5.0 + wait_s


class Forcing:
    """A grammar that forces two tokens behind every third, and some at the start."""

    def __init__(self, start=()):
        self.start, self.text = list(start), []

    def forced(self):
        tokens = self.start if not self.text else [7, 8] if len(self.text) % 3 == 0 else []
        self.text.extend(tokens)
        return tokens

    def sample(self, _index, row):
        self.text.append(int(row.argmax()))
        return self.text[-1]


def run_forced(drafter, start=(), max_tokens=60, **kwargs):
    grammar = Forcing(start)
    context = ScriptedContext()
    cache = KVCache(context)
    list(cache.prefill(PROMPT[:-1]))
    steps = list(
        generate(
            cache,
            drafter,
            grammar.sample,
            PROMPT,
            max_tokens=max_tokens,
            forced=grammar.forced,
            **kwargs,
        )
    )
    assert cache.tokens == (PROMPT + text(steps))[: len(cache.tokens)]
    return steps


@pytest.mark.parametrize("start", [(), (5,), (5, 6, 7)])
@pytest.mark.parametrize("drafter", drafters()[:6], ids=lambda drafter: drafter.mode)
def test_what_is_forced_is_the_same_with_and_without_drafts(drafter, start):
    steps = run_forced(drafter, start)
    assert text(steps) == text(run_forced(NoDrafter(), start))
    assert text(steps)[: len(start)] == list(start)
    assert len(text(steps)) == 60
    assert len(steps) < 45


def test_an_end_that_is_forced_ends_the_text():
    steps = run_forced(NoDrafter(), ends={8}.__contains__)
    assert text(steps)[-2:] == [7, 8]
    assert steps[-1].finish == "stop"
    (whole,) = run_forced(NoDrafter(), (5, 8, 9), ends={8}.__contains__)
    assert (whole.tokens, whole.width, whole.finish) == ((5, 8), 0, "stop")
    (cut,) = run_forced(NoDrafter(), (5, 6, 7), max_tokens=2)
    assert (cut.tokens, cut.finish) == ((5, 6), "length")


def test_more_may_be_forced_than_a_batch_holds():
    start = [token % N_VOCAB for token in range(300)]
    steps = run_forced(NoDrafter(), start, max_tokens=320)
    assert text(steps)[:300] == start
    assert text(steps) == text(run_forced(LookupDrafter(), start, max_tokens=320))
