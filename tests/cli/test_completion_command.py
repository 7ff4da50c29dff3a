"""Completion scripts, tried in the shells that are here."""

import argparse
import os
import shutil
import subprocess

import pytest

from trchat.cli import build_parser
from trchat.cli.completion import bash_script, command_tree, fish_script, zsh_script


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
