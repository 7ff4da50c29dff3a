"""``trchat history`` from the command line to the last byte."""

import json

import pytest

from trchat.cli import main
from trchat.storage.conversations import history_file, open_history

EVIL = "\x1b]0;owned\x07 \u202e"


@pytest.fixture
def history():
    """Two conversations: 1 about the sky, with two branches, and 2, used last, with hostile text."""
    store = open_history(pytest.fail)
    sky = store.create_conversation()
    question = store.add_message(sky.id, "user", "Why is the sky blue?")
    answer = store.begin_answer(question.id, "smol")
    store.finish_answer(answer.id, "Scattering.", "stop", completion_tokens=3, tokens_per_s=20.0)
    store.edit_message(question.id, "Why is the sea blue?")
    evil = store.create_conversation("Evil " + EVIL)
    store.add_message(evil.id, "user", f"Say {EVIL}é\r\n")
    store.close()


def ids():
    store = open_history(pytest.fail)
    found = [chat.id for chat in store.conversations()]
    store.close()
    return found


def test_list(history, capsys):
    assert main(["history", "list"]) == 0
    out, err = capsys.readouterr()
    columns, evil, sky = (line.split("\t") for line in out.splitlines())
    assert columns == ["ID", "LAST USED", "MESSAGES", "TITLE"]
    assert (sky[0], sky[2], sky[3]) == ("1", "3", "Why is the sky blue?")
    assert (evil[0], evil[2]) == ("2", "1") and "\x1b" not in evil[3]
    assert err == ""
    assert main(["history"]) == 0
    assert capsys.readouterr().out == out


def test_list_says_when_there_is_more(history, capsys):
    assert main(["history", "list", "--limit", "1"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2 and "--limit" in err


@pytest.mark.parametrize("command", [["list"], ["search", "x"], []])
def test_an_empty_history_is_no_error(command, capsys):
    assert main(["history", *command]) == 0
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1


def test_show_prints_the_branch_shown_last(history, capsys):
    assert main(["history", "show", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# Why is the sky blue?\n") and "Why is the sea blue?" in out
    assert "Scattering" not in out


def test_show_without_an_id_is_the_one_used_last(history, capsys):
    assert main(["history", "show"]) == 0
    assert capsys.readouterr().out.startswith("# Evil")


def test_export_json_has_all_branches(history, capsys):
    assert main(["history", "export", "1", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [message["text"] for message in document["messages"]] == [
        "Why is the sky blue?",
        "Scattering.",
        "Why is the sea blue?",
    ]


def test_a_pipe_gets_every_byte_as_it_is(history, capsysbinary):
    assert main(["history", "export", "2"]) == 0
    assert f"Say {EVIL}é\r\n".encode() in capsysbinary.readouterr().out


@pytest.mark.parametrize(
    "command", [["list"], ["show"], ["export"], ["search", "say"], ["export", "--format=json"]]
)
def test_a_terminal_gets_nothing_that_acts_on_it(history, terminal, capsys, command, monkeypatch):
    terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["history", *command]) == 0
    out, err = capsys.readouterr()
    assert out and err == ""
    assert not set(out) & {"\x1b", "\x07", "\r", "\u202e"}
    if command == ["show"]:
        assert "Say ␛]0;owned␇ \\u202eé␍\n" in out


def test_search(history, capsys):
    assert main(["history", "search", "scatt"]) == 0
    columns, hit = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert columns == ["ID", "DATE", "ROLE", "TEXT", "TITLE"]
    assert (hit[0], *hit[2:]) == ("1", "assistant", "Scattering.", "Why is the sky blue?")
    assert main(["history", "search", "sky", "blue"]) == 0
    assert capsys.readouterr().out.count("\n") == 2
    assert main(["history", "search", '"AND', "(("]) == 0
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("trchat: nothing found")


def test_a_terminal_gets_found_words_in_bold_below_their_conversation(history, terminal, capsys, monkeypatch):
    terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main(["history", "search", "blue"]) == 0
    title, *found = capsys.readouterr().out.splitlines()
    assert title.split(maxsplit=3)[0] == "1" and title.endswith("Why is the sky blue?")
    assert sorted(found) == [
        "       user: Why is the sea \x1b[1mblue\x1b[0m?",
        "       user: Why is the sky \x1b[1mblue\x1b[0m?",
    ]


def test_looking_makes_no_file(home, capsys):
    for command in (["list"], ["search", "x"], ["show"], ["rm", "1", "--yes"]):
        main(["history", *command])
    assert not home.exists()


def test_no_words_are_wrong_usage(history, capsys):
    assert main(["history", "search", " "]) == 2
    assert capsys.readouterr().err == "trchat: there are no words to search for\n"


def test_rm_asks_first(history, terminal, capsys):
    for keys in ("n\n", "\n", ""):
        terminal(keys)
        assert main(["history", "rm", "1"]) == 0
        assert ids() == [2, 1]
    terminal("y\n")
    assert main(["history", "rm", "2"]) == 0
    assert ids() == [1]
    assert "\x1b" not in capsys.readouterr().err


def test_rm_without_a_terminal_needs_yes(history, capsys):
    assert main(["history", "rm", "1"]) == 2
    assert "--yes" in capsys.readouterr().err and ids() == [2, 1]
    assert main(["history", "rm", "1", "2", "1", "--yes"]) == 0
    assert ids() == []


def test_rm_removes_nothing_when_one_is_unknown(history, capsys):
    assert main(["history", "rm", "1", "9", "--yes"]) == 2
    assert capsys.readouterr().err == "trchat: there is no conversation 9\n"
    assert ids() == [2, 1]


def test_rm_does_not_claim_what_it_could_not_do(history, capsys, monkeypatch):
    monkeypatch.setattr("trchat.storage.database.identity", lambda path: object())
    assert main(["history", "rm", "1", "--yes"]) == 1
    err = capsys.readouterr().err.splitlines()
    assert "is gone" in err[0] and "still there" in err[-1] and "removed" not in "".join(err)


@pytest.mark.parametrize(
    "command", [["show", "9"], ["export", "9"], ["rm", "9", "--yes"], ["show", "9" * 30], ["show"]]
)
def test_unknown_ids_are_one_line_and_exit_code_2(command, capsys):
    assert main(["history", *command]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("trchat: there ") and err.count("\n") == 1


@pytest.mark.parametrize(
    "command", [["show", "abc"], ["show", "0"], ["rm"], ["search"], ["export", "--format", "x"]]
)
def test_wrong_usage(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["history", *command])
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_path_prints_where_and_makes_nothing(home, capsys):
    assert main(["history", "path"]) == 0
    assert capsys.readouterr().out == f"{history_file()}\n"
    assert not home.exists()


def test_a_damaged_history_is_one_warning(history, capsys):
    history_file().write_bytes(b"garbage" * 1000)
    assert main(["history", "list"]) == 0
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines()[0].startswith("trchat: warning: ") and len(err.splitlines()) == 2
