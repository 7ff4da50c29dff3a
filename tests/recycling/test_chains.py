"""Chains are the likeliest paths of the trees that would be drafted."""

import numpy as np
import pytest

from tests.decoding.scripted import plain_greedy
from tests.decoding.scripted_state import ScriptedState
from trchat.decoding.loop import generate
from trchat.decoding.state_cache import StateCache
from trchat.recycling.auto import AutoDrafter
from trchat.recycling.chains import ChainProposer
from trchat.recycling.cost import FixedCosts
from trchat.recycling.knowledge import Knowledge
from trchat.recycling.proposer import make_proposer

pytestmark = pytest.mark.usefixtures("either_way")

TEXT = [3, 1, 4, 1, 5, 9, 2, 6, 3, 1, 4]
CHEAP = FixedCosts({width: 10.0 + 0.01 * width for width in (1, 2, 4, 8, 16, 32, 64)}, 0.0)


def test_the_likeliest_path_is_proposed_with_its_probabilities():
    trees, chains = make_proposer(Knowledge()), ChainProposer(make_proposer(Knowledge()))
    for proposer in (trees, chains):
        proposer.begin(TEXT)
    chances = list(chains.grow(3))
    chain = chains.cut(3)
    tree = trees.cut(len(trees.grow(32)))
    assert chain.chain == len(chain) == 3
    assert chain.tokens.tolist() == tree.tokens[:3].tolist() == [1, 5, 9]  # as it went on before
    assert chances[:3] == chain.probabilities
    assert chances == sorted(chances, reverse=True)
    assert len(chains.cut(99)) == len(chances)


def test_where_nothing_is_known_nothing_is_proposed():
    chains = ChainProposer(make_proposer(Knowledge()))
    chains.begin([7])
    assert (len(chains.grow(8)), len(chains.cut(8))) == (0, 0)


@pytest.mark.parametrize("snapshots", [0, 4])
def test_auto_drafts_chains_and_learns_from_them(snapshots):
    knowledge, counts = Knowledge(), []
    for _ in range(2):
        cache = StateCache(ScriptedState(snapshots=snapshots))
        list(cache.prefill(TEXT[:-1]))
        drafter = AutoDrafter(knowledge, CHEAP, chains=True)
        steps = list(generate(cache, drafter, lambda _, row: int(np.argmax(row)), TEXT, max_tokens=60))
        assert [token for step in steps for token in step.tokens] == plain_greedy(TEXT, 60)
        assert all(step.tree.chain == step.drafted for step in steps)
        counts.append(sum(step.accepted for step in steps))
    assert counts[1] > counts[0]
    assert counts[1] >= 10
