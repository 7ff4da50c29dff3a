"""Asking in this process and looking at what was kept; shared by the tests of ``trchat ask``."""

import json
import subprocess

from trchat.storage.conversations import open_history

FAST = ("-t", "0", "-n", "8", "--threads", "1", "--draft", "off")


def without_cut(err):
    """What was said on stderr but that the answer is cut, as these short ones are."""
    return "".join(line for line in err.splitlines(keepends=True) if "a larger -n " not in line)


def told(here, *args, **kwargs):
    code, out, err = here("ask", "--json", *args, **kwargs)
    assert code == 0, err
    return json.loads(out)


def as_a_process(here):
    """The program in this process: what it says, and what it leaves behind, is the same."""

    def run(*args, input=b""):
        code, out, err = here(*args, input=input)
        return subprocess.CompletedProcess(args, code, out.encode(), err.encode())

    return run


def history():
    """Every message kept, as (conversation, role, text, finish reason, whether interrupted)."""
    store = open_history(print)
    try:
        return [
            (each.id, message.role, message.text, message.finish_reason, message.interrupted)
            for each in reversed(store.conversations())
            for message in store.messages(each.id)
        ]
    finally:
        store.close()
