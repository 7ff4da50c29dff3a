"""Other processes of ours that write into the same files."""

import sqlite3
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(script, *arguments):
    """Run a script of ours with its streams in our hands."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_together(scripts):
    """Let processes that wait for a line go on, once all of them run."""
    for each in scripts:
        each.stdin.write("go\n")
        each.stdin.flush()


def assert_whole(file):
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
