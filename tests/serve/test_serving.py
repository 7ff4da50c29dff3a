"""Who is served, in what order, and how it ends."""

import signal
import threading
import time

import httpx
import pytest

from tests.cli.asking import history
from tests.serve.conftest import chunks

pytestmark = pytest.mark.slow
LONG = {"max_tokens": 1900, "stop": None}


def test_a_client_that_goes_away_stops_its_answer(server):
    with server.streaming(**LONG) as response:
        next(response.iter_lines())
        server.until(lambda page: page["answering"])
    server.until(lambda page: page["answering"] is None)
    assert any("cancelled" in line for line in server.lines)


def test_who_waits_is_told_its_place_and_may_leave(server):
    with server.streaming(**LONG) as first:
        lines = first.iter_lines()
        next(lines)
        results = []
        waiting = [
            threading.Thread(target=lambda n=n: results.append((n, server.chat(f"Number {n}"))))
            for n in range(3)
        ]
        for number, thread in enumerate(waiting, 1):
            thread.start()
            server.until(lambda page, number=number: page["waiting"] == number or not page["answering"])
        with pytest.raises(httpx.ReadTimeout):
            server.client.post(
                "/v1/chat/completions",
                json={"messages": [{"role": "user", "content": "Impatient"}]},
                timeout=0.2,
            )
        page = server.health()
        if page["answering"]:
            assert [each["place"] for each in page["queue"]] == list(range(1, page["waiting"] + 1))
    for thread in waiting:
        thread.join(60)
    assert [number for number, _ in results] == [0, 1, 2]
    assert all(response.status_code == 200 for _, response in results)


def test_the_key(serve):
    server = serve(env={"TRCHAT_API_KEY": "s3cret"})
    assert server.client.get("/health").status_code == 200
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "s3cret"}):
        response = server.client.get("/v1/models", headers=headers)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
    assert server.client.get("/v1/models", headers={"Authorization": "Bearer s3cret"}).status_code == 200
    assert "access-control-allow-origin" not in server.client.get("/health").headers


def test_web_pages_come_in_only_where_they_are_named(serve, server):
    page, other = {"Origin": "https://chat.example"}, {"Origin": "https://evil.example"}
    assert server.client.get("/v1/models", headers=page).status_code == 403
    assert server.client.get("/v1/models", headers={"Host": "evil.example:8080"}).status_code == 403
    named = serve("--cors-origin", "https://chat.example", "--keep")
    allowed = named.client.get("/v1/models", headers=page)
    assert allowed.headers["access-control-allow-origin"] == "https://chat.example"
    assert named.client.get("/v1/models", headers=other).status_code == 403
    asked = {
        **page,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    assert named.client.options("/v1/chat/completions", headers=asked).status_code == 200
    assert named.chat(model="other").status_code == 404  # --keep
    assert [each["id"] for each in named.client.get("/v1/models").json()["data"]] == ["tiny-chat"]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows ends processes without asking")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end(serve, number):
    server = serve()
    statuses = []
    with server.streaming(**LONG) as response:
        lines = response.iter_lines()
        found = [next(lines)]
        waiting = threading.Thread(target=lambda: statuses.append(server.chat().status_code))
        waiting.start()
        server.until(lambda page: page["waiting"] == 1 or not page["answering"])
        begun = time.monotonic()
        server.process.send_signal(number)
        found += lines
    assert server.process.wait(30) == 0
    assert time.monotonic() - begun < 5  # mostly a third of a second; machines may be busy
    last = chunks(found)[-1]
    assert last.get("error", {}).get("code") == "shutting_down" or last["choices"][0]["finish_reason"]
    waiting.join(10)
    assert statuses in ([503], [200])


def test_nothing_is_kept_unless_wanted(serve, monkeypatch):
    server = serve()
    server.chat("A secret question")
    server.end()
    monkeypatch.setenv("TRCHAT_HOME", str(server.home))
    assert history() == []
    assert not any("secret" in line for line in server.lines)
    for file in server.home.rglob("*"):
        assert file.is_dir() or b"A secret question" not in file.read_bytes(), file


def test_saved_conversations_go_on(serve, monkeypatch):
    server = serve("--save")
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "First"}]
    for question in ("Second", None):
        body = {"messages": messages, "max_tokens": 4, "temperature": 0}
        said = server.client.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]
        messages += [said, {"role": "user", "content": question}]
    server.end()
    monkeypatch.setenv("TRCHAT_HOME", str(server.home))
    kept = history()
    assert [(number, role, text) for number, role, text, _, _ in kept] == [
        (1, each["role"], each["content"]) for each in messages[:-1]
    ]


def test_others_need_a_key(here, tiny):
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        code, _, err = here("serve", "-m", tiny, "--host", host)
        assert code == 2 and "TRCHAT_API_KEY" in err and err.count("\n") == 1
    code, _, err = here("serve", "-m", tiny, "--api-key", " ")
    assert code == 2 and "key" in err


def test_a_port_that_is_taken(server, here, tiny):
    port = server.url.rsplit(":", 1)[1].removesuffix("/v1")
    code, _, err = here("serve", "-m", tiny, "--port", port)
    assert code == 1 and "--port" in err and err.count("\n") == 1


def test_no_such_model(here):
    code, _, err = here("serve", "-m", "no-such-model")
    assert code == 3 and err.count("\n") == 1


def test_without_the_extra(here, tiny, monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "uvicorn" else find(name, *rest)
    )
    code, _, err = here("serve", "-m", tiny)
    assert code == 2 and "pip install" in err and err.count("\n") == 1
