"""Downloads from a hub of our own: interrupted, damaged, refused, and never fetched twice."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.catalog.hub_server import REVISION, HubServer
from tests.gguf_files import write_gguf

pytestmark = pytest.mark.slow

pytest.importorskip("huggingface_hub", reason="the extra 'hub' is not installed")

REPO = "org/Repo-GGUF"


@pytest.fixture
def hub(tmp_path):
    content = write_gguf(tmp_path / "model.gguf", vocabulary=3000).read_bytes()
    with HubServer(REPO, {"m-Q4_0.gguf": content, "m-Q8_0.gguf": content + bytes(10)}) as server:
        yield server


@pytest.fixture
def cache():
    return Path.home() / ".cache" / "huggingface" / "hub" / "models--org--Repo-GGUF"


def get(hub, spec, **env):
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "*",
        **env,
    }
    process = subprocess.run(
        [sys.executable, "-m", "trchat", "models", "get", spec],
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    return process.returncode, process.stdout, process.stderr


def gets(hub):
    return [
        (name, start) for method, name, start in hub.requests if method == "GET" and name.endswith(".gguf")
    ]


def test_a_file_arrives_in_the_shared_cache(hub, cache):
    path = cache / "snapshots" / REVISION / "m-Q4_0.gguf"
    size = len(hub.files["m-Q4_0.gguf"])
    assert get(hub, REPO) == (0, f"{path}\n", f"trchat: {REPO}: m-Q4_0.gguf ({round(size / 1000)} kB)\n")
    assert path.read_bytes() == hub.files["m-Q4_0.gguf"]
    assert (cache / "blobs" / hub.sha256("m-Q4_0.gguf")).exists()
    assert (cache / "refs" / "main").read_text() == REVISION
    assert gets(hub) == [("m-Q4_0.gguf", 0)]

    from huggingface_hub import try_to_load_from_cache

    assert try_to_load_from_cache(REPO, "m-Q4_0.gguf", cache_dir=cache.parent) == str(path)


def test_what_is_there_is_not_fetched_again(hub):
    first = get(hub, f"{REPO}:q8_0")
    assert get(hub, f"{REPO}:q8_0") == first
    assert gets(hub) == [("m-Q8_0.gguf", 0)]


def test_an_interrupted_download_goes_on_where_it_stopped(hub, cache):
    content = hub.files["m-Q4_0.gguf"]
    partial = cache / "blobs" / f"{hub.sha256('m-Q4_0.gguf')}.trchat.incomplete"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(content[:1000])
    code, out, _ = get(hub, REPO)
    assert code == 0
    assert gets(hub) == [("m-Q4_0.gguf", 1000)]
    assert Path(out.strip()).read_bytes() == content
    assert not partial.exists()


def test_a_connection_that_breaks_is_taken_up_again(hub):
    cut = 15_000_000  # the library writes in chunks of 10 MiB
    hub.files["m-Q4_0.gguf"] += bytes(cut)
    hub.cut["m-Q4_0.gguf"] = cut
    code, out, err = get(hub, REPO)
    assert (code, err.count("\n")) == (0, 1)
    (_, first), (_, second) = gets(hub)
    assert first == 0 < second <= cut
    assert Path(out.strip()).read_bytes() == hub.files["m-Q4_0.gguf"]


def test_a_damaged_file_is_noticed_and_not_kept(hub, cache):
    content = hub.files["m-Q4_0.gguf"]
    hub.sent["m-Q4_0.gguf"] = content[:-1] + b"x"
    code, out, err = get(hub, REPO)
    assert (code, out) == (1, "")
    assert err.splitlines()[1:] == [
        "trchat: m-Q4_0.gguf arrived damaged (wrong checksum) and was deleted; try again"
    ]
    assert list((cache / "blobs").iterdir()) == []
    hub.sent.clear()
    assert get(hub, REPO)[0] == 0


def test_errors_are_one_line(hub):
    assert get(hub, "org/other") == (
        3,
        "",
        "trchat: there is no org/other on the hub, or it is private: log in with 'hf auth login'\n",
    )
    assert get(hub, "nonsense") == (
        2,
        "",
        "trchat: 'nonsense' is not OWNER/NAME or OWNER/NAME:FILE, such as Qwen/Qwen3-0.6B-GGUF:Q8_0\n",
    )
    code, out, err = get(hub, f"{REPO}:Q2")
    assert (code, out, err.count("\n")) == (2, "", 1)
    hub.status = 500
    code, out, err = get(hub, REPO)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"trchat: the download of {REPO} failed: ")


def test_no_network_is_one_line(hub):
    code, out, err = get(hub, REPO, HF_ENDPOINT="http://127.0.0.1:9")
    assert (code, out, err.count("\n")) == (1, "", 1), err
    code, out, err = get(hub, REPO, HF_HUB_OFFLINE="1")
    assert (code, out, err.count("\n")) == (1, "", 1), err


def test_what_was_downloaded_needs_no_network(hub):
    _, path, _ = get(hub, f"{REPO}:Q4_0")
    for env in ({"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}):
        assert get(hub, f"{REPO}:Q4_0", **env) == (
            0,
            path,
            f"trchat: {REPO}: the hub cannot be reached; m-Q4_0.gguf was downloaded before\n",
        )
        assert get(hub, f"{REPO}:Q8_0", **env)[0] == 1


def test_what_does_not_fit_on_the_disk_is_said_before_the_first_byte(hub, here, monkeypatch):
    from collections import namedtuple

    from trchat.catalog.download import download
    from trchat.errors import TrchatError

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10, 10, 1000))
    with pytest.raises(TrchatError, match=r"not enough disk space: .* to download, 1.0 kB free in "):
        download(REPO)
    assert gets(hub) == []


def test_progress_is_told_and_may_end_it(hub, here):
    from trchat.catalog.download import download
    from trchat.errors import TrchatError

    told = []

    def cancel(done, total):
        told.append((done, total))
        raise TrchatError("cancelled")

    with pytest.raises(TrchatError, match=r"^cancelled$"):
        download(REPO, progress=cancel)
    size = len(hub.files["m-Q4_0.gguf"])
    assert told and all(0 < done <= total == size for done, total in told)


@pytest.fixture
def here(hub, monkeypatch):
    """Calls in this process reach the hub too."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
