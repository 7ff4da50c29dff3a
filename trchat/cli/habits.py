"""What people type who come from llama.cpp, Ollama or llm, and what it is called here."""

import shlex
from collections.abc import Collection
from difflib import get_close_matches

COMMANDS = {
    "chat": "trchat",
    "run": "trchat --model NAME",
    "prompt": 'trchat ask "…"',
    "list": "trchat models",
    "ls": "trchat models",
    "show": "trchat models info NAME",
    "pull": "trchat models get OWNER/NAME",
    "download": "trchat models get OWNER/NAME",
    "logs": "trchat history",
    "help": "trchat --help",
    "version": "trchat --version",
}
ACTIONS = {"delete": "rm", "remove": "rm", "ls": "list", "find": "search", "download": "get", "pull": "get"}
FLAGS = {
    "--temperature": "--temp",
    "--ctx-size": "--ctx",
    "--num-ctx": "--ctx",
    "--predict": "--max-tokens",
    "--n-predict": "--max-tokens",
    "--num-predict": "--max-tokens",
    "--n-gpu-layers": "--gpu-layers",
    "--cache-type-k": "--cache-type",
    "--flash-attention": "--flash-attn",
    "--system-prompt": "--system",
    "--grammar-file": "--grammar",
    "--json-schema": "--schema",
    "--spec-type": "--draft",
}


def unknown_command(word: str, known: Collection[str]) -> str:
    """What to say of a command that there is not: the one that was meant, or all there are."""
    if len(word.split()) > 1:
        return f"there is no such command; to ask that: trchat ask {shlex.quote(word)}"
    near = get_close_matches(word, known, 1)
    meant = COMMANDS.get(word) or (f"trchat {near[0]}" if near else None)
    if meant:
        return f"there is no command {word!r}; did you mean '{meant}'?"
    return f"there is no command {word!r}, only {', '.join(known)}"


def unknown_action(word: str, known: Collection[str]) -> str:
    """What to say of a command's action that there is not: the one that was meant, or all there are."""
    near = get_close_matches(word, known, 1)
    meant = ACTIONS.get(word) if ACTIONS.get(word) in known else near[0] if near else None
    return f"there is no action {word!r}" + (
        f"; did you mean {meant}?" if meant else f", only {', '.join(known)}"
    )


def unknown_arguments(arguments: Collection[str], known: Collection[str]) -> str:
    """What to say of arguments that nothing takes, with the flag that was meant by the first such flag."""
    message = f"unrecognized arguments: {' '.join(arguments)}"
    for argument in arguments:
        flag = argument.partition("=")[0]
        if flag.startswith("--"):
            near = get_close_matches(flag, known, 1, 0.75)
            meant = FLAGS.get(flag) or (near[0] if near else None)
            return f"{message}; did you mean {meant}?" if meant in known else message
    return message
