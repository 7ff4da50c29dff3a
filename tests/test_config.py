"""Settings: which layer wins, and what is said of a wrong value, with its line."""

import dataclasses

import pytest

from trchat.config import Settings, settle
from trchat.config_file import change_config, config_path, load_config, setting_key
from trchat.config_rules import SETTINGS
from trchat.errors import TrchatError, UsageError

FULL = """
default_model = "qwen3"
draft = "lookup"
theme = "nord"
ctx = 8192
gpu_layers = 20
system = "Be brief."

[sampling]
temp = 1
top_k = 20
seed = 7

[model.qwen3]
temp = 0.6
ctx = 2048

[model."qwen3-0.6b"]
temp = 0.5
think = "low"
template_arg = { a = [1, true] }
rpc = ["a:1", "b.local:2"]

[personas]
pirate = "Answer as a pirate."

[keys]
quit = "ctrl+q"
"""


VARIABLES = (
    ':1: template_arg must be a JSON object of names and values, such as {"enable_thinking": false}, not '
)


def write(text):
    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(text):
    path = write(text)
    with pytest.raises(UsageError) as caught:
        load_config()
    assert caught.value.exit_code == 2
    message = str(caught.value)
    assert "\n" not in message and message.startswith(str(path))
    return message.removeprefix(str(path))


def test_defaults():
    settings = settle({}, environ={})
    assert settings == Settings()
    assert (settings.temp, settings.top_k, settings.top_p, settings.min_p) == (0.7, 40, 0.95, 0.05)
    assert (settings.repeat_penalty, settings.gpu_layers, settings.cache_type) == (1.0, "auto", "f16")
    assert (settings.flash_attn, settings.draft, settings.ctx, settings.seed) == ("auto", "auto", None, None)
    assert set(settings.origins.values()) == {"default"}
    assert set(settings.origins) == {f.name for f in dataclasses.fields(Settings)} - {"origins"}


def test_each_layer_covers_the_ones_below():
    write(FULL)
    names = ("Qwen3-0.6B.Q4_0", "Qwen3-0.6B.Q4_0.gguf")
    environ = {
        "TRCHAT_TOP_K": "30",
        "TRCHAT_DRAFT": "off",
        "TRCHAT_THREADS": "4",
        "TRCHAT_SEED": "",
        "TRCHAT_TENSOR_SPLIT": "3,1",
    }
    flags = {"draft": "auto", "max_tokens": 5, "verbose": True, "run": print, "prompt": ["x"]}
    recommended = {"temp": 0.9, "top_p": 0.8, "min_p": 0.0}
    settings = settle(flags, environ=environ, model_names=names, recommended=recommended)
    got = {name: (getattr(settings, name), settings.origins[name]) for name in SETTINGS}
    assert got == {
        "model": ("qwen3", "config.toml:2"),
        "system": ("Be brief.", "config.toml:7"),
        "temp": (0.5, "config.toml:19"),
        "top_k": (30, "TRCHAT_TOP_K"),
        "top_p": (0.8, "the model's file"),
        "min_p": (0.0, "the model's file"),
        "repeat_penalty": (1.0, "default"),
        "seed": (7, "config.toml:12"),
        "max_tokens": (5, "--max-tokens"),
        "ctx": (2048, "config.toml:16"),
        "threads": (4, "TRCHAT_THREADS"),
        "gpu_layers": ("20", "config.toml:6"),
        "split_mode": ("layer", "default"),
        "tensor_split": ("3,1", "TRCHAT_TENSOR_SPLIT"),
        "main_gpu": (None, "default"),
        "rpc": ("a:1,b.local:2", "config.toml:22"),
        "cache_type": ("f16", "default"),
        "flash_attn": ("auto", "default"),
        "kv_disk": ("auto", "default"),
        "draft": ("auto", "--draft"),
        "recall": ("on", "default"),
        "template": (None, "default"),
        "think": ("low", "config.toml:20"),
        "think_budget": (None, "default"),
        "template_arg": ('{"a": [1, true]}', "config.toml:21"),
        "stop": ("[]", "default"),
        "theme": ("nord", "config.toml:4"),
    }


def test_another_models_section_does_not_count():
    write(FULL)
    assert settle({}, environ={}, model_names=("llama",)).temp == 1.0


def test_personas_and_keys():
    write(FULL)
    config = load_config()
    assert config.personas["pirate"].value == "Answer as a pirate."
    config.check_keys(["quit"])
    with pytest.raises(
        UsageError, match=r"config.toml:28: unknown key 'quit' in \[keys\]; did you mean 'quits'"
    ):
        config.check_keys(["quits", "new"])


SHARES = ":1: tensor_split must be up to 16 numbers, one a GPU, such as 3,1, not "
MACHINES = ":1: rpc must be up to 16 different HOST:PORT, with commas between them, not "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("thme = 'x'", ":1: unknown key 'thme'; did you mean 'theme'?"),
        ("\n\n[sampling]\ntempp = 1", ":4: unknown key 'tempp' in [sampling]; did you mean 'temp'?"),
        ("[sampling]\ntop-k = 1", ":2: unknown key 'top-k' in [sampling]; did you mean 'top_k'?"),
        ("temp = 1.5", ":1: unknown key 'temp'; it belongs into [sampling]"),
        (
            "[sampling]\nctx = 1",
            ":2: unknown key 'ctx' in [sampling]; it belongs to the top of the file, above all [tables]",
        ),
        ("[samplin]\ntemp = 1", ":1: unknown key 'samplin'; did you mean 'sampling'?"),
        ("[model.x]\ntheme = 'y'", None),
        ("[model.x]\ntemp = 'hot'", ":2: temp must be a number from 0 (greedy) to 100, not 'hot'"),
        ("[sampling]\ntemp = nan", ":2: temp must be a number from 0 (greedy) to 100, not nan"),
        ("[sampling]\ntemp = -1", ":2: temp must be a number from 0 (greedy) to 100, not -1"),
        ("[sampling]\ntemp = true", ":2: temp must be a number from 0 (greedy) to 100, not True"),
        ("[sampling]\ntop_k = 1.5", ":2: top_k must be a whole number from 0 (all) to 2147483647, not 1.5"),
        ("ctx = 1" + "0" * 400, f":1: ctx must be a whole number from 1 to 2147483647, not 1{'0' * 59}"),
        ("temp = 1\n" + "ctx = " + "1_0" * 3000, ":2: a number is too long"),
        ("ctx = 0", ":1: ctx must be a whole number from 1 to 2147483647, not 0"),
        ("draft = 'fast'", ":1: draft must be one of auto, recycling, lookup, off, not 'fast'"),
        ("gpu_layers = -1", ":1: gpu_layers must be a number, 'all' or 'auto', not -1"),
        ("tensor_split = [1, -1]", f"{SHARES}[1, -1]"),
        ("tensor_split = '0,0'", f"{SHARES}'0,0'"),
        ("tensor_split = 'a'", f"{SHARES}'a'"),
        ("tensor_split = true", f"{SHARES}True"),
        ("main_gpu = 16", ":1: main_gpu must be a whole number from 0 to 15, not 16"),
        ("rpc = 'a'", f"{MACHINES}'a'"),
        ("rpc = 'a:1,a:1'", f"{MACHINES}'a:1,a:1'"),
        ("rpc = ['a:70000']", f"{MACHINES}['a:70000']"),
        ("rpc = '[::1]:1'", f"{MACHINES}'[::1]:1'"),
        ("rpc = 7", f"{MACHINES}7"),
        ("think = 'hard'", ":1: think must be one of auto, on, off, low, medium, high, not 'hard'"),
        ("think_budget = -1", ":1: think_budget must be a whole number from 0 to 2147483647, not -1"),
        ("template_arg = { messages = 1 }", VARIABLES + "{'messages': 1}"),
        ("template_arg = { d = 1979-05-27 }", VARIABLES + "{'d': datetime.date(1979, 5, 27)}"),
        ("template_arg = '[1]'", VARIABLES + "'[1]'"),
        ("[model.x.template_arg]\n'a b' = 1", None),
        ("system = ''", ":1: system must be a text in quotes, not ''"),
        ("sampling = 3", ":1: sampling must be a table: [sampling]"),
        ("[model]\nx = 3", ":2: model.x must be a table: [model.x]"),
        ("model = 'qwen'", ":1: the default model is written default_model = 'qwen'"),
        ("[personas]\nx = 1", ":2: x in [personas] must be a text in quotes"),
        ("[[keys]]\nx = 'y'", ":1: keys must be a table: [keys]"),
        ("ctx = 0\nthme = 1", ":1: ctx must be a whole number from 1 to 2147483647, not 0"),
        ('[personas]\na = """\nthme = 1\n"""\n[sampling]\nx = 1', None),
        ('"\\u001b" = 1', None),
        ("a = ", ":1: is not valid TOML: Invalid value"),
        ("x = 1\n\nx = = 2", ":3: is not valid TOML: Invalid value"),
        (b"theme = 'ok'\nsystem = '\xff'", ":2: is not UTF-8 text; save it as UTF-8"),
        (b"#" * 2**21, " is larger than a configuration can be (1048576 bytes)"),
    ],
)
def test_mistakes_are_named_with_their_line(text, message):
    got = refused(text)
    assert "\x1b" not in got
    if message is not None:
        assert got == message
    else:
        assert ": unknown key " in got or ": template_arg must be " in got


def test_a_mistake_behind_a_long_text_has_the_right_line():
    assert refused('[personas]\na = """\nthme = 1\n"""\n[sampling]\nx = 1').startswith(":6: unknown key 'x'")


def test_deep_nesting_is_a_mistake_not_a_crash():
    assert refused("a = " + "[" * 100_000)


def test_a_byte_order_mark_is_no_mistake():
    write(b"\xef\xbb\xbftheme = 'x'\r\n")
    assert load_config().values["theme"].value == "x"


def test_no_file_is_an_empty_one_and_a_folder_is_a_mistake():
    assert not load_config().exists
    config_path().mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot be read"):
        load_config()


@pytest.mark.parametrize(
    ("variable", "text", "meaning"),
    [
        ("TRCHAT_CTX", "many", "a whole number from 1 to 2147483647"),
        ("TRCHAT_CTX", "1.5", "a whole number from 1 to 2147483647"),
        ("TRCHAT_CTX", "1" + "0" * 30, "a whole number from 1 to 2147483647"),
        ("TRCHAT_TEMP", "nan", "a number from 0 (greedy) to 100"),
        ("TRCHAT_DRAFT", "fast", "one of auto, recycling, lookup, off"),
        ("TRCHAT_THREADS", "0", "a whole number from 1 to 4096"),
        ("TRCHAT_GPU_LAYERS", "-1", "a number, 'all' or 'auto'"),
        ("TRCHAT_TEMPLATE_ARG", "{", 'a JSON object of names and values, such as {"enable_thinking": false}'),
        ("TRCHAT_SEED", str(2**32), f"a whole number from 0 to {2**32 - 2}"),
    ],
)
def test_mistakes_in_the_environment(variable, text, meaning):
    with pytest.raises(UsageError) as caught:
        settle({}, environ={variable: text})
    assert str(caught.value) == f"{variable} must be {meaning}, not {text!r}"


def test_changing_the_file_keeps_the_rest():
    path = write(FULL)
    assert change_config(("theme",), "light") == path
    assert path.read_text() == FULL.replace('"nord"', '"light"')
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_changing_makes_the_file():
    path = change_config(("default_model",), "C:\\m.gguf")
    assert path.read_text() == 'default_model = "C:\\\\m.gguf"\n'
    assert load_config().values["model"].value == "C:\\m.gguf"


def test_a_wrong_file_is_not_changed():
    path = write("thme = 1\n")
    with pytest.raises(UsageError):
        change_config(("theme",), "x")
    assert path.read_text() == "thme = 1\n"
    path.write_text("")
    with pytest.raises(UsageError, match="ctx must be"):
        change_config(("ctx",), 0)
    assert path.read_text() == ""


def test_a_link_stays_a_link(tmp_path):
    target = tmp_path / "dotfiles.toml"
    target.write_text("")
    config_path().parent.mkdir(parents=True)
    try:
        config_path().symlink_to(target)
    except OSError:
        pytest.skip("no right to make links")
    change_config(("theme",), "x")
    assert config_path().is_symlink()
    assert target.read_text() == 'theme = "x"\n'


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRCHAT_HOME", str(tmp_path / "file" / "below"))
    with pytest.raises(TrchatError) as caught:
        change_config(("theme",), "x")
    assert "\n" not in str(caught.value)


COMMENTED = '''# my settings
theme = "nord"   # dark

[sampling]
temp = 0.7

[personas]
long = """
theme = "not a key"
[sampling]
"""

[model."a.b"]
top_k = 5
'''


@pytest.mark.parametrize(
    ("key", "value", "before", "after"),
    [
        (("theme",), "light", '"nord" ', '"light" '),
        (("sampling", "temp"), 0.2, "temp = 0.7", "temp = 0.2"),
        (("sampling", "top_k"), 9, "temp = 0.7\n", "temp = 0.7\ntop_k = 9\n"),
        (("model", "a.b", "top_k"), 9, "top_k = 5", "top_k = 9"),
        (("model", "c", "top_k"), 9, "top_k = 5\n", "top_k = 5\n\n[model.c]\ntop_k = 9\n"),
        (("personas", "long"), "short", '"""\ntheme = "not a key"\n[sampling]\n"""', '"short"'),
        (("draft",), "off", "# dark\n", '# dark\ndraft = "off"\n'),
        (("sampling", "temp"), None, "temp = 0.7\n", ""),
        (("sampling", "seed"), None, "", ""),
        (("model", "c", "seed"), None, "", ""),
    ],
)
def test_a_change_leaves_comments_and_everything_else(key, value, before, after):
    path = write(COMMENTED)
    change_config(key, value)
    assert path.read_text() == COMMENTED.replace(before, after)


@pytest.mark.parametrize(
    "value", ['"', "\\", "C:\\models\\x.gguf", "a\nb\tc\r", "\x1b\x7f", "größe 😀", "'", "#"]
)
def test_any_text_survives(value):
    write(COMMENTED)
    change_config(("theme",), value)
    assert load_config().values["theme"].value == value


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("temp", ("sampling", "temp")),
        ("max-tokens", ("sampling", "max_tokens")),
        ("model", ("default_model",)),
        ("default_model", ("default_model",)),
        ("theme", ("theme",)),
        ("sampling.temp", ("sampling", "temp")),
        ("model.qwen2.5-0.5b.temp", ("model", "qwen2.5-0.5b", "temp")),
        ("personas.old pirate", ("personas", "old pirate")),
        ("keys.quit", ("keys", "quit")),
    ],
)
def test_where_a_setting_stands(name, key):
    assert setting_key(name) == key


@pytest.mark.parametrize("name", ["tempo", "", "sampling.ctx", "model.temp", "model.x.theme", "foo.bar", "."])
def test_what_is_no_setting(name):
    with pytest.raises(UsageError):
        setting_key(name)
