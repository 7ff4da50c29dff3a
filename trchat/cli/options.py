"""Flags that several commands share.

Defaults are left out of the namespace on purpose (``argparse.SUPPRESS``): what the user did not say
is decided by the layers below the command line, and a subcommand never overwrites what was said before it.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any

from trchat.config_rules import MOST, SETTINGS, Choice, Number, Rule, Text, Value, is_variable, spelled

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


def add_answering_options(parser: argparse.ArgumentParser) -> None:
    """All that a command that answers takes: model, sampling, thinking, drafts, and the general flags."""
    add_model_options(parser)
    add_sampling_options(parser)
    add_thinking_options(parser)
    add_draft_option(parser)
    add_general_options(parser)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Which model runs, on what, with how much context."""
    group = parser.add_argument_group("model")
    _add(group, "-m --model", "PATH|NAME", "a GGUF file, or a name it is known by")
    _add(group, "-c --ctx", "N", "context size in tokens (default: 4096, or the model's own if smaller)")
    _add(group, "--threads", "N", "CPU threads (default: physical cores)")
    _add(group, "--gpu-layers", "N|all|auto", "layers to put on the GPU (default: auto, what fits)")
    _add(
        group,
        "--split-mode",
        None,
        "how several GPUs share the model; none = only --main-gpu (default: layer)",
    )
    _add(group, "--tensor-split", "N,N,…", "how much of it each GPU gets (default: by free memory)")
    _add(group, "--main-gpu", "N", "which GPU, from 0; other machines' come first (default: 0)")
    machines = "have machines with ggml-rpc-server compute along; plain text, for trusted networks only"
    _add(group, "--rpc", "HOST:PORT,…", machines)
    _add(group, "--cache-type", None, "KV cache; q8_0 takes half the memory (default: f16)")
    _add(group, "--flash-attn", None, "flash attention (default: auto, what suits model and machine)")
    kept = (
        "disk for conversations that wake up at once, 0 = off (default: auto, 2 GB or 5 %% of what is free)"
    )
    _add(group, "--kv-disk", "SIZE", kept)
    template = "chat template: a Jinja file, or 'chatml' (default: the model's own)"
    _add(group, "--template", "FILE|chatml", template)


def add_sampling_options(parser: argparse.ArgumentParser) -> None:
    """What is sampled from the model's probabilities."""
    group = parser.add_argument_group("sampling")
    _add(group, "-t --temp", "T", "temperature; 0 always takes the likeliest token (default: 0.7)")
    _add(group, "--top-k", "N", "keep the N likeliest tokens, 0 = all (default: 40)")
    _add(group, "--top-p", "P", "keep the likeliest tokens that make up P (default: 0.95)")
    _add(group, "--min-p", "P", "drop tokens under P times the likeliest (default: 0.05)")
    _add(group, "--repeat-penalty", "X", "make recent tokens X times less likely, 1 = off (default: 1)")
    _add(group, "--seed", "N", "same seed, same answer (default: random)")
    _add(group, "-n --max-tokens", "N", "longest answer in tokens (default: what the context leaves)")
    group.add_argument(
        "--stop",
        metavar="TEXT",
        action=_StopText,
        default=argparse.SUPPRESS,
        help="end the answer before this text; can be repeated",
    )


class _TemplateArgument(argparse.Action):
    """Collects ``NAME=VALUE`` into the text of one JSON object."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        name, given, text = str(values).partition("=")
        if not given or not is_variable(name):
            raise argparse.ArgumentError(self, f"must be NAME=VALUE, not {str(values)!r}")
        collected = json.loads(getattr(namespace, self.dest, "{}"))
        try:
            collected[name] = _json_or_text(text)
            told = spelled(SETTINGS[self.dest], json.dumps(collected))
        except (ValueError, RecursionError):
            raise argparse.ArgumentError(
                self, f'{name} must be JSON, such as true, 3, "text" or [1, 2], not {text!r}'
            ) from None
        setattr(namespace, self.dest, told)


class _StopText(argparse.Action):
    """Collects texts into the text of one JSON list."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        if not values:
            raise argparse.ArgumentError(self, "must be a text that is not empty")
        collected = [*json.loads(getattr(namespace, self.dest, "[]")), str(values)]
        setattr(namespace, self.dest, json.dumps(collected))


_PYTHONS = {"True": True, "False": False, "None": None}
"""Written by people who come from the ``transformers`` library; as texts all three would be true."""


def _json_or_text(text: str) -> object:
    """What JSON says; a bare word is that word. Raises ValueError for what only begins as JSON."""
    if text in _PYTHONS:
        return _PYTHONS[text]
    try:
        return json.loads(text)
    except ValueError:
        if text[:1] in ("{", "[", '"'):
            raise
        return text


def add_thinking_options(parser: argparse.ArgumentParser) -> None:
    """Whether the model reasons before it answers, and what else its template can be told."""
    group = parser.add_argument_group("thinking")
    _add(group, "--think", None, "think before answering, or not (default: auto, what the template does)")
    _add(group, "--think-budget", "N", "end the thinking after N tokens (default: when the model does)")
    group.add_argument(
        "--template-arg",
        metavar="NAME=VALUE",
        action=_TemplateArgument,
        default=argparse.SUPPRESS,
        help="set a variable of the chat template, in JSON; can be repeated",
    )


def add_draft_option(parser: argparse.ArgumentParser) -> None:
    """How tokens are guessed ahead."""
    group = parser.add_argument_group("drafting")
    _add(group, "--draft", None, "how to guess tokens ahead; never changes the answer (default: auto)")
    _add(group, "--recall", None, "guess from answers of earlier conversations as well (default: on)")


def _add(group: argparse._ArgumentGroup, flags: str, metavar: str | None, help: str) -> None:
    """One setting: its spellings, what its value is called (None = one of a few words), and its help."""
    names = flags.split()
    rule = SETTINGS[names[-1].removeprefix("--").replace("-", "_")]
    if isinstance(rule, Choice):
        group.add_argument(*names, choices=rule.words, default=argparse.SUPPRESS, help=help)
    elif isinstance(rule, Text):  # an empty model name or system prompt is answered further on, in words
        group.add_argument(*names, metavar=metavar, default=argparse.SUPPRESS, help=help)
    else:
        parse = accepted_by(rule)
        group.add_argument(*names, metavar=metavar, type=parse, default=argparse.SUPPRESS, help=help)
