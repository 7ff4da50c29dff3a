"""Flags that several commands share.

Defaults are left out of the namespace on purpose (``argparse.SUPPRESS``): what the user did not say
is decided by the layers below the command line, and a subcommand never overwrites what was said before it.
"""

import argparse

DRAFT_MODES = ("auto", "recycling", "lookup", "off")
CACHE_TYPES = ("f16", "q8_0")


MOST = 2**31 - 1
"""What llama.cpp can count to."""
MOST_THREADS = 4096


def _integer(text: str, low: int, meaning: str, most: int = MOST) -> int:
    digits = text.strip().removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise argparse.ArgumentTypeError(f"must be {meaning}, not {text!r}")
    # Python itself refuses to read numbers of thousands of digits.
    value = int(digits[:40])
    if value < low:
        raise argparse.ArgumentTypeError(f"must be {meaning}, not {text!r}")
    if value > most:
        raise argparse.ArgumentTypeError(f"must be at most {most}, not {text!r}")
    return value


def positive_int(text: str) -> int:
    """An integer above zero, for argparse."""
    return _integer(text, 1, "a whole number above 0")


def identifier(text: str) -> int:
    """A conversation's number, for argparse; whether there is one of it is not decided here."""
    return min(_integer(text, 1, "a whole number above 0", 10**40), 2**63 - 1)


def thread_count(text: str) -> int:
    """A number of threads, for argparse."""
    return _integer(text, 1, "a whole number above 0", MOST_THREADS)


def _number(text: str, low: float, high: float, meaning: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"must be {meaning}, not {text!r}")
    return value


def temperature(text: str) -> float:
    """A sampling temperature, for argparse."""
    return _number(text, 0.0, 100.0, "a number from 0 (greedy) to 100")


def probability(text: str) -> float:
    """A number from 0 to 1, for argparse."""
    return _number(text, 0.0, 1.0, "a number from 0 to 1")


def penalty(text: str) -> float:
    """A repeat penalty, for argparse."""
    return _number(text, 0.01, 100.0, "a number above 0 (1 = no penalty)")


def whole(text: str) -> int:
    """An integer of at least zero, for argparse."""
    return _integer(text, 0, "a whole number from 0")


def seed(text: str) -> int:
    """A 32-bit seed, for argparse; the largest number means "random" to llama.cpp."""
    value = _integer(text, 0, "a whole number from 0", 2**32)
    if value >= 2**32 - 1:
        raise argparse.ArgumentTypeError(f"must be below {2**32 - 1}, not {text!r}")
    return value


def gpu_layers(text: str) -> str:
    """Number of layers, ``all`` or ``auto``, for argparse."""
    if text not in ("all", "auto") and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"must be a number, 'all' or 'auto', not {text!r}")
    return text


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
        type=positive_int,
        default=keep,
        help="context size in tokens (default: 4096, or the model's own if smaller)",
    )
    group.add_argument(
        "--threads",
        metavar="N",
        type=thread_count,
        default=keep,
        help="CPU threads (default: physical cores)",
    )
    group.add_argument(
        "--gpu-layers",
        metavar="N|all|auto",
        type=gpu_layers,
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
        type=temperature,
        default=keep,
        help="temperature; 0 always takes the likeliest token (default: 0.7)",
    )
    group.add_argument(
        "--top-k",
        metavar="N",
        type=whole,
        default=keep,
        help="keep the N likeliest tokens, 0 = all (default: 40)",
    )
    group.add_argument(
        "--top-p",
        metavar="P",
        type=probability,
        default=keep,
        help="keep the likeliest tokens that make up P (default: 0.95)",
    )
    group.add_argument(
        "--min-p",
        metavar="P",
        type=probability,
        default=keep,
        help="drop tokens under P times the likeliest (default: 0.05)",
    )
    group.add_argument(
        "--repeat-penalty",
        metavar="X",
        type=penalty,
        default=keep,
        help="make recent tokens X times less likely, 1 = off (default: 1)",
    )
    group.add_argument(
        "--seed", metavar="N", type=seed, default=keep, help="same seed, same answer (default: random)"
    )
    group.add_argument(
        "-n",
        "--max-tokens",
        metavar="N",
        type=positive_int,
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
