"""Other programs on the bench's questions, for the README's honest results.

``python assets/compare_peers.py OUT.json [--model MODEL.gguf] [--server path/to/llama-server]``

Every program gets the same token ids, decodes greedily, and is timed without reading the prompt: trchat,
llama-cpp-python plain and with its prompt lookup, and, where a ``llama-server`` is named, that one plain and
with its own speculative modes that need no second model. Run it on a machine that does nothing else, with
OUT.json in ``assets/results``; ``assets/results_table.py`` writes what it found into the README.
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

from trchat.bench.machine import describe_machine
from trchat.bench.questions import Question, load_questions
from trchat.bench.runner import run as measure
from trchat.bench.runner import run_in
from trchat.chat.loading import open_engine
from trchat.chat.settings import Remember, sampling_of
from trchat.chat.template import Turn
from trchat.drafting import make_drafter
from trchat.startup import Prepared, prepare

SERVER_MODES = ("none", "ngram-simple", "ngram-map-k", "ngram-map-k4v", "ngram-mod", "ngram-cache")
LOOKUP_TOKENS = (2, 10)
SERVER_START_S = 120

Timing = tuple[int, float]
"""Tokens, and the seconds they took."""


def main() -> int:
    """Measure one program after the other and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", help="default: the one trchat would use")
    parser.add_argument("--server", type=Path, help="a llama-server program")
    parser.add_argument("--questions", type=Path, help="Spec-Bench format (default: built in)")
    parser.add_argument("--per-category", type=int, default=2)
    parser.add_argument("--max-tokens", type=int, default=96)
    args = parser.parse_args()
    questions = load_questions(args.questions, args.per_category)
    prepared = prepare({"temp": 0.0, "seed": 0, **({"model": args.model} if args.model else {})})
    programs, prompts, machine = ours(prepared, questions, args.max_tokens)
    threads = machine["threads"]
    programs += theirs("llama-cpp-python", in_python(prepared, prompts, args.max_tokens, threads))
    if args.server:
        served = in_server(args.server, prepared, prompts, args.max_tokens, threads)
        programs += theirs("llama-server", served)
    settings = {"model": prepared.model.name, "questions": len(questions), "max_tokens": args.max_tokens}
    report = {"settings": settings, "machine": machine, "programs": programs}
    args.output.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def row(program: str, draft: str, timings: list[Timing], plain: float | None) -> dict[str, Any]:
    """One program in one mode; ``plain`` is its own speed without drafts in tokens/s."""
    speed = sum(tokens for tokens, _ in timings) / sum(seconds for _, seconds in timings)
    print(f"{program:18} {draft:16} {speed:8.1f} tokens/s", file=sys.stderr)
    ratio = round(speed / plain, 4) if plain else None
    return {"program": program, "draft": draft, "tokens_per_s": round(speed, 2), "speedup": ratio}


def ours(
    prepared: Prepared, questions: list[Question], max_tokens: int
) -> tuple[list[dict[str, Any]], list[list[int]], dict[str, Any]]:
    """trchat's rows, the prompts as token ids, and the machine."""
    cold = Remember(read=False, write=False)
    with open_engine(prepared.model.path, prepared.settings, prepared.ctx, remember=cold) as engine:
        prompts = [engine.prompts.build([Turn("user", each.turns[0])]).ids for each in questions]

        def make(mode: str) -> Any:
            return make_drafter(mode, engine.model.n_vocab, engine.costs)

        sampling = sampling_of(prepared.settings, 0)
        timings: dict[str, list[Timing]] = {"off": [], "auto": []}
        run_in(engine, map(make, timings), sampling)
        for each in measure(engine, make, tuple(timings), questions, sampling, max_tokens):
            timings[each.mode].append((len(each.token_ids), each.seconds))
        machine = describe_machine(engine, prepared.model.card)
    plain = row("trchat", "off", timings["off"], None)
    return [plain, row("trchat", "auto", timings["auto"], plain["tokens_per_s"])], prompts, machine


def theirs(program: str, modes: Iterator[tuple[str, list[Timing]]]) -> list[dict[str, Any]]:
    """Another program's rows; its first mode is plain decoding."""
    rows: list[dict[str, Any]] = []
    for draft, timings in modes:
        rows.append(row(program, draft, timings, rows[0]["tokens_per_s"] if rows else None))
    return rows


def in_python(
    prepared: Prepared, prompts: list[list[int]], max_tokens: int, threads: int
) -> Iterator[tuple[str, list[Timing]]]:
    """llama-cpp-python's own class, plain and with its prompt lookup."""
    from llama_cpp import Llama
    from llama_cpp.llama_speculative import LlamaPromptLookupDecoding

    for ahead in (0, *LOOKUP_TOKENS):
        llama = Llama(
            str(prepared.model.path),
            n_ctx=prepared.ctx,
            n_threads=threads,
            n_threads_batch=threads,
            n_gpu_layers=-1,
            logits_all=bool(ahead),  # without it a draft near the end of a batch is an error
            draft_model=LlamaPromptLookupDecoding(num_pred_tokens=ahead) if ahead else None,
            verbose=False,
        )
        timings = []
        for prompt in prompts:
            llama.reset()
            start, count = 0.0, 0
            for token in llama.generate(prompt, temp=0.0, repeat_penalty=1.0):
                count += 1
                start = start or perf_counter()
                if token == llama.token_eos() or count == max_tokens:
                    break
            timings.append((count - 1, perf_counter() - start))
        llama.close()
        yield (f"prompt lookup, {ahead} tokens" if ahead else "none"), timings


def in_server(
    server: Path, prepared: Prepared, prompts: list[list[int]], max_tokens: int, threads: int
) -> Iterator[tuple[str, list[Timing]]]:
    """llama-server in each of its modes; its own clock is taken, which leaves HTTP out."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    for mode in SERVER_MODES:
        command = [server, "-m", prepared.model.path, "--port", str(port), "-c", str(prepared.ctx)]
        command += ["-np", "1", "-t", str(threads), "--spec-type", mode]
        with tempfile.TemporaryFile() as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                wait_for(lambda: call(f"{address}/health"), process)
                timings = []
                for prompt in prompts:
                    asked = {
                        "prompt": prompt,
                        "n_predict": max_tokens,
                        "temperature": 0,
                        "cache_prompt": False,
                    }
                    told = call(f"{address}/completion", asked)["timings"]
                    timings.append((told["predicted_n"], told["predicted_ms"] / 1e3))
            finally:
                process.terminate()
        yield mode, timings


def call(url: str, body: dict[str, Any] | None = None) -> Any:
    """What the server answers, as JSON. Raises URLError."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)


def wait_for(ready: Callable[[], Any], process: subprocess.Popen[bytes]) -> None:
    """Ask until the server answers. Raises RuntimeError when it ends, or takes too long."""
    end = monotonic() + SERVER_START_S
    while monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server has ended with exit code {process.returncode}")
        try:
            ready()
            return
        except (urllib.error.URLError, ConnectionError):
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
    raise RuntimeError("the server does not answer")


if __name__ == "__main__":
    sys.exit(main())
