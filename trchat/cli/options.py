"""Flags that several commands share.

Defaults are left out of the namespace on purpose (``argparse.SUPPRESS``): what the user did not say
is decided by the layers below the command line, and a subcommand never overwrites what was said before it.
"""

import argparse
from collections.abc import Callable

from trchat.config_rules import CACHE_TYPES, DRAFT_MODES, MOST, SETTINGS, Number, Rule, Value, spelled

_LARGEST_IDENTIFIER = 2**63 - 1


def accepted_by(rule: Rule) -> Callable[[str], Value]:
    """A type for argparse: what the rule takes, and what it wants where it does not."""

    def parse(text: str) -> Value:
        try:
            return spelled(rule, text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be {rule.meaning}, not {text!r}") from None

    return parse


positive_int = accepted_by(Number(1, MOST, f"a whole number from 1 to {MOST}", whole=True))
"""An integer above zero, for argparse."""

_any_positive_int = accepted_by(Number(1, 10**40, "a whole number above 0", whole=True))


def identifier(text: str) -> int:
    """A conversation's number, for argparse; whether there is one of it is not decided here."""
    return min(int(_any_positive_int(text)), _LARGEST_IDENTIFIER)


def add_general_options(parser: argparse.ArgumentParser) -> None:
    """Flags that every command takes."""
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show tracebacks and more detail",
    )


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Which model runs, on what, with how much context."""
    group = parser.add_argument_group("model")
    keep = argparse.SUPPRESS
    group.add_argument(
        "-m", "--model", metavar="PATH|NAME", default=keep, help="a GGUF file, or a name it is known by"
    )
    group.add_argument(
        "-c",
        "--ctx",
        metavar="N",
        type=accepted_by(SETTINGS["ctx"]),
        default=keep,
        help="context size in tokens (default: 4096, or the model's own if smaller)",
    )
    group.add_argument(
        "--threads",
        metavar="N",
        type=accepted_by(SETTINGS["threads"]),
        default=keep,
        help="CPU threads (default: physical cores)",
    )
    group.add_argument(
        "--gpu-layers",
        metavar="N|all|auto",
        type=accepted_by(SETTINGS["gpu_layers"]),
        default=keep,
        help="layers to put on the GPU (default: auto)",
    )
    group.add_argument(
        "--cache-type",
        choices=CACHE_TYPES,
        default=keep,
        help="KV cache; q8_0 takes half the memory (default: f16)",
    )
    group.add_argument(
        "--template",
        metavar="FILE|chatml",
        default=keep,
        help="chat template: a Jinja file, or 'chatml' (default: the model's own)",
    )


def add_sampling_options(parser: argparse.ArgumentParser) -> None:
    """What is sampled from the model's probabilities."""
    group = parser.add_argument_group("sampling")
    keep = argparse.SUPPRESS
    group.add_argument(
        "-t",
        "--temp",
        metavar="T",
        type=accepted_by(SETTINGS["temp"]),
        default=keep,
        help="temperature; 0 always takes the likeliest token (default: 0.7)",
    )
    group.add_argument(
        "--top-k",
        metavar="N",
        type=accepted_by(SETTINGS["top_k"]),
        default=keep,
        help="keep the N likeliest tokens, 0 = all (default: 40)",
    )
    group.add_argument(
        "--top-p",
        metavar="P",
        type=accepted_by(SETTINGS["top_p"]),
        default=keep,
        help="keep the likeliest tokens that make up P (default: 0.95)",
    )
    group.add_argument(
        "--min-p",
        metavar="P",
        type=accepted_by(SETTINGS["min_p"]),
        default=keep,
        help="drop tokens under P times the likeliest (default: 0.05)",
    )
    group.add_argument(
        "--repeat-penalty",
        metavar="X",
        type=accepted_by(SETTINGS["repeat_penalty"]),
        default=keep,
        help="make recent tokens X times less likely, 1 = off (default: 1)",
    )
    group.add_argument(
        "--seed",
        metavar="N",
        type=accepted_by(SETTINGS["seed"]),
        default=keep,
        help="same seed, same answer (default: random)",
    )
    group.add_argument(
        "-n",
        "--max-tokens",
        metavar="N",
        type=accepted_by(SETTINGS["max_tokens"]),
        default=keep,
        help="longest answer in tokens (default: what the context leaves)",
    )


def add_draft_option(parser: argparse.ArgumentParser) -> None:
    """How tokens are guessed ahead."""
    parser.add_argument_group("drafting").add_argument(
        "--draft",
        choices=DRAFT_MODES,
        default=argparse.SUPPRESS,
        help="how to guess tokens ahead; never changes the answer (default: auto)",
    )
