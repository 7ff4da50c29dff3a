"""``trchat config``: every setting and where it comes from."""

from tests.gguf_files import write_gguf
from trchat.catalog.sources import models_dir


def outcome(process):
    return process.returncode, process.stdout, process.stderr


def test_settings_and_where_each_comes_from(program, home):
    def add(writer):
        writer.add_float32("general.sampling.top_p", 0.9)

    write_gguf(models_dir() / "tiny.gguf", add=add)
    (home / "config.toml").write_text(
        'default_model = "tiny"\n[model.tiny]\nctx = 512\n[personas]\nbrief = "Be brief.\\nVery."\n'
    )
    process = program("config", "-t", "0.2", env={"TRCHAT_DRAFT": "off"})
    assert outcome(process) == (
        0,
        f"{home / 'config.toml'}\n"
        "SETTING\tVALUE\tFROM\n"
        "model\ttiny\tconfig.toml:1\n"
        "system\t-\tdefault\n"
        "temp\t0.2\t--temp\n"
        "top_k\t40\tdefault\n"
        "top_p\t0.9\tthe model's file\n"
        "min_p\t0.05\tdefault\n"
        "repeat_penalty\t1.0\tdefault\n"
        "seed\t-\tdefault\n"
        "max_tokens\t-\tdefault\n"
        "ctx\t512\tconfig.toml:3\n"
        "threads\t-\tdefault\n"
        "gpu_layers\tauto\tdefault\n"
        "cache_type\tf16\tdefault\n"
        "flash_attn\tauto\tdefault\n"
        "kv_disk\tauto\tdefault\n"
        "draft\toff\tTRCHAT_DRAFT\n"
        "recall\ton\tdefault\n"
        "template\t-\tdefault\n"
        "think\tauto\tdefault\n"
        "think_budget\t-\tdefault\n"
        "template_arg\t{}\tdefault\n"
        "stop\t[]\tdefault\n"
        "split_mode\tlayer\tdefault\n"
        "tensor_split\t-\tdefault\n"
        "main_gpu\t-\tdefault\n"
        "rpc\t-\tdefault\n"
        "theme\t-\tdefault\n"
        "personas.brief\tBe brief.␊Very.\tconfig.toml:5\n",
        "",
    )


def test_without_file_or_model_it_still_shows_the_settings(program, home):
    code, out, err = outcome(program("config"))
    assert code == 0
    assert out.startswith(f"{home / 'config.toml'} (not there)\nSETTING\tVALUE\tFROM\nmodel\t-\tdefault\n")
    assert err.startswith("trchat: no model found: ") and err.count("\n") == 1


def test_path(program, home):
    assert outcome(program("config", "path")) == (0, f"{home / 'config.toml'}\n", "")


def test_a_typo_is_an_error_of_one_line(program, home):
    home.mkdir()
    (home / "config.toml").write_text("\ntemprature = 1\n")
    assert outcome(program("config")) == (
        2,
        "",
        f"trchat: {home / 'config.toml'}:2: unknown key 'temprature'; did you mean 'template'?\n",
    )
    assert program("models", "info").returncode == 2


def test_a_wrong_environment_variable_is_an_error_of_one_line(program):
    assert outcome(program("config", env={"TRCHAT_CTX": "big"})) == (
        2,
        "",
        "trchat: TRCHAT_CTX must be a whole number from 1 to 2147483647, not 'big'\n",
    )
