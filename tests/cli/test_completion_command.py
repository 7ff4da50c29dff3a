"""Completion scripts, tried in the shells that are here."""

import argparse
import os
import shutil
import subprocess

import pytest

from trchat.cli import build_parser
from trchat.cli.completion import bash_script, command_tree, fish_script, zsh_script
from trchat.storage.conversations import open_history


def tree():
    return list(command_tree(build_parser()))


def complete(tmp_path, *words):
    """What a real bash offers for the last of ``words``."""
    bash = shutil.which("bash")
    if not bash or os.name == "nt":
        pytest.skip("no bash here")
    quoted = " ".join(f"'{word}'" for word in words)
    script = bash_script(tree()) + (
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _trchat 2>/dev/null\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    (tmp_path / "here").mkdir(exist_ok=True)
    done = subprocess.run(
        [bash, "--norc", "-c", script], cwd=tmp_path / "here", capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("\n")[:-1]


def test_bash_offers_commands_flags_and_words(tmp_path):
    assert complete(tmp_path, "trchat", "mod") == ["models"]
    assert set(complete(tmp_path, "trchat", "models", "")) >= {
        "list",
        "info",
        "default",
        "path",
        "get",
        "--json",
    }
    assert complete(tmp_path, "trchat", "models", "info", "--j") == ["--json"]
    assert complete(tmp_path, "trchat", "completion", "z") == ["zsh"]
    assert complete(tmp_path, "trchat", "config", "--top-") == ["--top-k", "--top-p"]
    assert complete(tmp_path, "trchat", "config", "--draft", "") == ["auto", "recycling", "lookup", "off"]
    assert complete(tmp_path, "trchat", "config", "--seed", "") == [""], "a number is the user's own"


def test_bash_offers_files_with_spaces_where_files_go(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "my model.gguf").write_text("")
    assert complete(tmp_path, "trchat", "config", "-m", "my") == ["my model.gguf"]
    assert complete(tmp_path, "trchat", "config", "--temp", "my") == [""]


@pytest.fixture
def stand_in(tmp_path):
    """A program that says what was asked of it, as models and conversations."""
    path = tmp_path / "trchat"
    path.write_text(
        '#!/bin/sh\n[ "$1 $2" = "completion --found" ] && printf "%s-one\\tabout\\n7b\\tsmall\\n" "$3"\n'
    )
    path.chmod(0o755)
    return str(path)


def test_bash_asks_for_models_and_conversations(tmp_path, stand_in):
    assert complete(tmp_path, stand_in, "-m", "mod") == ["models-one"]
    assert complete(tmp_path, stand_in, "ask", "--model", "7") == ["7b"]
    assert complete(tmp_path, stand_in, "--continue", "") == ["conversations-one", "7b"]
    assert complete(tmp_path, stand_in, "history", "show", "conv") == ["conversations-one"]
    assert complete(tmp_path, stand_in, "models", "info", "mo") == ["models-one"]
    assert complete(tmp_path, stand_in, "config", "get", "top") == ["top_k", "top_p"]
    assert complete(tmp_path, stand_in, "history", "export", "--format", "m") == ["md"]


def test_models_and_conversations_are_found_with_a_word_about_each(program, home):
    store = open_history(print)
    number = store.create_conversation("Sky:\tand\nsea").id
    store.add_message(number, "user", "Hi")
    store.close()
    assert program("completion", "--found", "conversations").stdout == f"{number}\tSky: and sea\n"
    models = home / "models"
    models.mkdir(parents=True, exist_ok=True)
    (models / "tiny one.gguf").write_bytes(b"GGUF")
    (models / "odd\nname.gguf").write_bytes(b"GGUF")
    assert "tiny one\t" in program("completion", "--found", "models").stdout
    assert "odd" not in program("completion", "--found", "models").stdout


def test_fish_offers_commands_flags_and_words(tmp_path):
    fish = shutil.which("fish")
    if not fish:
        pytest.skip("no fish here")

    def offered(line):
        script = fish_script(tree()) + f"complete -C '{line}'\n"
        done = subprocess.run(
            [fish, "--no-config", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")
        return [each.split("\t")[0] for each in done.stdout.splitlines()]

    assert offered("trchat mod") == ["models"]
    assert offered("trchat models inf") == ["info"]
    assert offered("trchat config --draft ") == ["auto", "lookup", "off", "recycling"]
    assert "--top-k" in offered("trchat config --top-")
    assert "models" not in offered("trchat models ")


def test_every_command_and_flag_is_in_every_script():
    def walk(parser):
        for action in parser._actions:
            if action.help == argparse.SUPPRESS:
                continue
            if isinstance(action, argparse._SubParsersAction):
                for name, inner in action.choices.items():
                    yield name
                    yield from walk(inner)
            else:
                yield from action.option_strings

    offered = set(walk(build_parser()))
    assert {"models", "--top-k", "get"} <= offered
    bash, zsh, fish = bash_script(tree()), zsh_script(tree()), fish_script(tree())
    for name in offered:
        assert name in bash and name in zsh
        spelled = (
            name if not name.startswith("-") else f"-l {name[2:]}" if name[1] == "-" else f"-s {name[1:]}"
        )
        assert spelled in fish


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_valid_for_their_shells(program, tmp_path, shell):
    process = program("completion", shell)
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith("#")
    found = shutil.which(shell)
    if not found or os.name == "nt":
        pytest.skip(f"no {shell} here")
    script = tmp_path / "script"
    script.write_text(process.stdout)
    done = subprocess.run([found, "-n", str(script)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_shell_is_a_usage_error(program):
    process = program("completion", "tcsh")
    assert process.returncode == 2
    assert "invalid choice: 'tcsh'" in process.stderr
