"""What a real model said at every place of some answers, replayed in front of any drafter.

``recorded.npz`` holds answers of Qwen2.5-Coder-1.5B-Instruct (Q4_K_M, greedy, at most 64 tokens) to three
questions of each kind in Spec-Bench (Apache-2.0): the tokens of prompt and answer, numbered as they come up,
and for each place of the answer a tree of up to 24 guesses with the model's six likeliest tokens after each
of its nodes, their logarithms of probability in eighths.
"""

import random
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from trchat.recycling.cost import FixedCosts, WidthHistory
from trchat.recycling.drafter import Verified
from trchat.recycling.tree import EMPTY_TREE, ROOT

UNLIKELY = -20.0
"""The logarithm of what is left for every other token."""


@dataclass(frozen=True)
class Place:
    """One place in an answer: its guesses by (parent, token), and each row's likeliest tokens."""

    nodes: dict[tuple[int, int], int]
    best: np.ndarray
    logp: np.ndarray


@dataclass(frozen=True)
class Recorded:
    category: str
    prompt: list[int]
    answer: list[int]
    places: list[Place]


def load():
    """All answers, and the size of the vocabulary."""
    with np.load(Path(__file__).with_name("recorded.npz")) as data:
        held = {name: data[name] for name in data.files}
    trees = np.concatenate([[0], np.cumsum(held["tree_n"].astype(int))])
    prompts = np.split(held["prompts"].tolist(), np.cumsum(held["prompt_n"].astype(int))[:-1])
    answers = np.split(held["answers"].tolist(), np.cumsum(held["answer_n"].astype(int))[:-1])
    places = []
    for number, (start, stop) in enumerate(pairwise(trees.tolist())):
        guesses = zip(held["parents"][start:stop].tolist(), held["tokens"][start:stop].tolist(), strict=True)
        nodes: dict[tuple[int, int], int] = {}
        for node, key in enumerate(guesses):
            nodes.setdefault(key, node)
        rows = slice(start + number, stop + number + 1)
        places.append(Place(nodes, held["best"][rows].astype(int), held["logp"][rows] / -8.0))
    found, before = [], 0
    for category, prompt, answer in zip(held["categories"].tolist(), prompts, answers, strict=True):
        found.append(
            Recorded(category, prompt.tolist(), answer.tolist(), places[before : before + len(answer)])
        )
        before += len(answer)
    return found, int(held["n_vocab"])


class Clock:
    """Stands in for perf_counter: time passes only in steps of the model."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def replay(answers, n_vocab, drafter, clock, curve, preparing=(0.0, 0.0, 0.0), seed=0, noise=0.05):
    """Write ``answers`` with ``drafter`` on a machine of ``curve``; milliseconds of steps that scatter.

    A guess that was not recorded has the row of a model that has no idea.
    """
    scatter = random.Random(seed)
    costs = FixedCosts(curve, 0.0)
    total, history = 0.0, WidthHistory()
    for each in answers:
        drafter.begin(each.prompt)
        history.begin()
        done, root = 0, each.prompt[-1]
        while done < len(each.answer):
            left = len(each.answer) - done
            tree = drafter.draft(63) if left > 1 else EMPTY_TREE
            width = 1 + len(tree)
            ms = costs.of(width) * scatter.lognormvariate(0, noise)
            ms += (0.0, *preparing)[history.needed(width)]
            history.ran(width)
            total, clock.now = total + ms, clock.now + ms / 1e3
            logits = np.full((width, n_vocab), UNLIKELY, np.float32)

            def know(row, place, recorded, logits=logits):
                logits[row, place.best[recorded]] = place.logp[recorded]

            place = each.places[done]
            know(0, place, 0)
            recorded = {ROOT: ROOT}
            children = {}
            for node, key in enumerate(zip(tree.parents.tolist(), tree.tokens.tolist(), strict=True)):
                children.setdefault(key, node)
                found = place.nodes.get((recorded.get(key[0], -2), key[1]))
                if found is not None:
                    recorded[node] = found
                    know(1 + node, place, 1 + found)
            path, emitted, node = [], [], ROOT
            while len(emitted) < left:
                emitted.append(each.answer[done + len(emitted)])
                child = children.get((node, emitted[-1]))
                if child is None:
                    break
                path.append(child)
                node = child
                if len(emitted) < left:
                    know(1 + child, each.places[done + len(emitted)], 0)
            drafter.learn(Verified(root, tree, logits, tuple(path), tuple(emitted), width))
            done, root = done + len(emitted), emitted[-1]
        drafter.settle()
    return total
