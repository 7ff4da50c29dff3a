# ruff: noqa: E501
"""Templates from anywhere: each ends as a prompt or as one line with a way out, and none goes on for ever."""

import contextlib
import signal
import sys
from datetime import datetime
from functools import partial

import pytest

from trchat.chat.template import CHATML, ChatTemplate, Turn
from trchat.chat.template_process import TemplateProcess
from trchat.errors import TrchatError, UsageError

TURNS = [Turn("user", "Hi")]


def render_in(process, source, turns=TURNS):
    return ChatTemplate(source, "<s>", "</s>", process).render(turns)


class LastingProcess(TemplateProcess):
    """One for all templates, however they fail."""

    def close(self):
        pass


@pytest.fixture(scope="module")
def render():
    """Render by a source, in one process for all tests: what one template does must not harm the next."""
    process = LastingProcess(30.0)
    yield partial(render_in, process)
    assert process.request({"source": "", "bos": "", "eos": ""})["ok"] == "", "it has come to an end"
    TemplateProcess.close(process)


def test_the_date_is_todays(render):
    """As llama.cpp has it; Llama 3.1's template would say 26 July 2024."""
    source = "{{ date_string }}|{{ datetime }}|{{ strftime_now('%d %b %Y|%b %d %Y') }}"
    parts = render(source).split("|")
    assert parts[:2] == parts[2:]
    assert parts[0].endswith(str(datetime.now().year))


def test_variables_are_the_templates_to_read():
    template = ChatTemplate(
        "{% set a = b %}{{ a }}{% for m in messages %}{{ c | default(1) }}{% endfor %}", "", ""
    )
    assert template.reads == {"b", "c", "messages"}
    assert template.render(TURNS) == "1"
    assert template.render(TURNS, {"b": [1, {"x": None}], "c": "2", "unknown": 3}) == "[1, {'x': None}]2"
    assert template.render(TURNS) == "1"
    template.close()


def test_without_a_template_it_is_chatml_and_says_so():
    template = ChatTemplate(None, "", "")
    assert template.is_fallback
    assert template.render(TURNS) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    template.close()
    template.close()


@pytest.mark.parametrize(
    ("source", "prompt"),
    [
        ("{{ bos_token }}{{ messages[0]['content'] }}{{ eos_token }}", "<s>Hi</s>"),
        ("  {% for m in messages %}\n{{ m.content }}{% break %}{% endfor %}\n", "Hi"),
        ("{% generation %}{{ messages|length }}{% endgeneration %}", "1"),
        ('{{ {"a": "é<"} | tojson }}', '{"a": "é<"}'),
        ("{{ messages | tojson(indent=1) }}", '[\n {\n  "role": "user",\n  "content": "Hi"\n }\n]'),
        ("{% if tools is not defined and documents is not defined %}plain{% endif %}", "plain"),
        ("{% for tool in tools %}{{ tool }}{% endfor %}{{ tools | length }}", "0"),
        ("{{ strftime_now('%%') }}", "%"),
        (
            "{% set ns = namespace(n=0) %}{% for c in 'abc' %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
            "3",
        ),
    ],
)
def test_what_templates_may_use(render, source, prompt):
    assert render(source) == prompt


def test_contents_go_through_untouched(render):
    odd = "\x00\x1b[31m\r\n\u2028\ufdd0\ud800{{ 7 * 7 }}{% raw %}\U0001f600"
    assert render("{{ messages[0].content }}", [Turn("user", odd)]) == odd


def test_a_template_without_system_role_gets_it_in_the_first_question(render):
    source = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}{{ messages[0].content }}"
    )
    assert render(source, [Turn("system", "S"), Turn("user", "U")]) == "S\n\nU"


@pytest.mark.parametrize(
    "source", ["{% for %}", "{{ x | no_such_filter }}", "{% include 'x' %}", "{{ '", "{% bogus %}"]
)
def test_a_broken_template_is_one_line_with_a_way_out(render, source):
    with pytest.raises(TrchatError) as caught:
        render(source)
    assert "--template chatml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_template_that_refuses_says_why(render):
    with pytest.raises(
        UsageError, match="refuses this conversation: roles must alternate; use --template chatml"
    ):
        render("{{ raise_exception('roles must\\nalternate') }}")


ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__init__.__globals__ }}",
    "{{ self._TemplateReference__context.environment.loader }}{{ cycler.__init__.__globals__.os.getcwd() }}",
    "{{ messages.append(1) }}",
    "{{ (messages | attr('__class__')).__base__ }}",
    "{{ '{0.__class__.__base__}'.format(7).foo }}",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_nothing_leads_out_of_the_sandbox(render, source):
    with pytest.raises(TrchatError, match="--template chatml"):
        render(source)


FAILING = [
    "{{ nothing.at.all }}",
    "{{ 1 / 0 }}",
    "{{ messages[99].content }}",
    "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
    "{{ range(10000000) | list }}",
    "{% for a in range(99999) %}{{ 'x' * 99999 }}{% endfor %}",
]


@pytest.mark.parametrize("source", FAILING)
def test_a_failing_template_is_one_line_with_a_way_out(render, source):
    with pytest.raises(TrchatError, match=r"the chat template fails: .*--template chatml") as caught:
        render(source)
    assert "\n" not in str(caught.value)


ENDLESS = [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{{ 10 ** (10 ** 10) }}",
    "{{ messages|length + 9 ** (9 ** (8 + messages|length)) }}",
    "{% set ns = namespace(x=[1]) %}{% for a in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
    "{% set ns = namespace(x='x') %}{% for a in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x | length }}",
    "{{ 'x'.center(10 ** 12) }}",
    "{{ '%99999999999d' % 1 }}",
]


@pytest.mark.slow
@pytest.mark.parametrize("source", ENDLESS)
def test_nothing_goes_on_for_ever(source):
    """The time limit only decides how soon: none of these would ever come to an end, or to a prompt."""
    with (
        contextlib.closing(TemplateProcess(0.7)) as process,
        pytest.raises(TrchatError, match=r"the chat template (fails|is broken): .*--template chatml"),
    ):
        render_in(process, source)


def test_a_failure_leaves_the_next_conversation_alone():
    source = "{% if messages|length > 1 %}{{ 1 / 0 }}{% endif %}{{ messages[0].content }}"
    template = ChatTemplate(source, "", "")
    with pytest.raises(TrchatError):
        template.render([*TURNS, Turn("assistant", "x")])
    assert template.render(TURNS) == "Hi"
    template.close()


def test_nothing_is_imported_from_the_users_folder(tmp_path, monkeypatch):
    (tmp_path / "jinja2.py").write_text("raise SystemExit")
    (tmp_path / "json.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(TemplateProcess()) as process:
        assert render_in(process, CHATML).startswith("<|im_start|>user")


def test_no_process_to_be_had_is_one_line(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(TrchatError, match="cannot start the process"):
        TemplateProcess()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGSTOP"])
def test_a_process_that_is_killed_or_stopped_is_replaced(name):
    process = TemplateProcess(0.4)
    template = ChatTemplate("{{ messages[0].content }}", "", "", process)
    process._process.send_signal(getattr(signal, name))
    with contextlib.suppress(TrchatError):  # what was under way is lost
        assert template.render(TURNS) == "Hi"
    assert template.render(TURNS) == "Hi"
    template.close()


@pytest.mark.parametrize("form", ["%200000000d", "%-99999d", "x" * 300])
def test_a_hostile_form_of_a_date_is_refused(render, form):
    with pytest.raises(TrchatError, match="strftime_now cannot write"):
        render(f"{{{{ strftime_now('{form}') }}}}")
