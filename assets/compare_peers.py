"""Other programs on the bench's questions, for honest results in docs/results.md.

``python assets/compare_peers.py OUT.json [--model MODEL.gguf] [--server path/to/llama-server] [--plain]``

Every program gets the same token ids, decodes greedily, and is timed without reading the prompt: trchat,
llama-cpp-python plain and with its prompt lookup, and, where a ``llama-server`` is named, that one plain and
with its own speculative modes that need no second model; with ``--plain`` plain decoding alone. All of them
are open at once and answer each question in turn, each time in another order, so that what else the machine
does, and how warm it is, meets all alike. Run it on a machine that does nothing else, with OUT.json in
``assets/results``; ``assets/results_table.py`` writes what it found into docs/results.md.
"""

import argparse
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

from trchat.bench.machine import describe_machine
from trchat.bench.questions import Question, load_questions
from trchat.chat.engine import Engine
from trchat.chat.loading import open_engine
from trchat.chat.records import new_answer
from trchat.chat.settings import Remember
from trchat.chat.template import Turn, Verbatim
from trchat.drafting import make_drafter
from trchat.llama.sampling import Sampling
from trchat.startup import Prepared, prepare

SERVER_MODES = ("ngram-simple", "ngram-map-k", "ngram-map-k4v", "ngram-mod", "ngram-cache")
LOOKUP_TOKENS = (2, 10)
SERVER_START_S = 120
PLAIN = "none"

Timing = tuple[int, float]
"""Tokens, and the seconds they took."""
Answer = Callable[[list[int]], Timing]
"""Answers a prompt, given as token ids."""


def main() -> int:
    """Measure all programs and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", help="default: the one trchat would use")
    parser.add_argument("--server", type=Path, help="a llama-server program")
    parser.add_argument("--plain", action="store_true", help="no drafts, in no program")
    parser.add_argument("--questions", type=Path, help="Spec-Bench format (default: built in)")
    parser.add_argument("--per-category", type=int, default=2)
    parser.add_argument("--max-tokens", type=int, default=96)
    args = parser.parse_args()
    questions = load_questions(args.questions, args.per_category)
    prepared = prepare({"temp": 0.0, "seed": 0, **({"model": args.model} if args.model else {})})
    cold = Remember(read=False, write=False)
    with ExitStack() as stack:
        engine = stack.enter_context(
            open_engine(prepared.model.path, prepared.settings, prepared.ctx, remember=cold)
        )
        machine = describe_machine(engine, prepared.model.card)
        n, threads = args.max_tokens, machine["threads"]
        programs: dict[tuple[str, str], Answer] = {("trchat", PLAIN): ours(engine, "off", n)}
        if not args.plain:
            programs["trchat", "auto"] = ours(engine, "auto", n)
        for ahead in (0, *(() if args.plain else LOOKUP_TOKENS)):
            name = f"prompt lookup, {ahead} tokens" if ahead else PLAIN
            programs["llama-cpp-python", name] = in_python(stack, prepared, n, threads, ahead)
        for mode in (PLAIN, *(() if args.plain else SERVER_MODES)) if args.server else ():
            programs["llama-server", mode] = in_server(stack, args.server, prepared, n, threads, mode)
        timings = in_turn(programs, [prompt_of(engine, each) for each in questions])
    settings = {"model": prepared.model.name, "questions": len(questions), "max_tokens": args.max_tokens}
    report = {"settings": settings, "machine": machine, "programs": rows(timings)}
    args.output.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def prompt_of(engine: Engine, question: Question) -> list[int]:
    """The question as token ids."""
    return engine.prompts.build([Turn("user", question.turns[0])]).ids


def in_turn(
    programs: dict[tuple[str, str], Answer], prompts: list[list[int]]
) -> dict[tuple[str, str], list[Timing]]:
    """Each prompt answered by each program; the first one twice, since what comes first is set up first."""
    names = list(programs)
    timings: dict[tuple[str, str], list[Timing]] = {name: [] for name in names}
    for number, prompt in enumerate([prompts[0], *prompts]):
        at = number % len(names)
        for name in (*names[at:], *names[:at]):
            timings[name].append(programs[name](prompt))
        print(f"{number} of {len(prompts)} questions", file=sys.stderr)
    return {name: each[1:] for name, each in timings.items()}


def rows(timings: dict[tuple[str, str], list[Timing]]) -> list[dict[str, Any]]:
    """One row a program and mode, its speed beside its own and trchat's plain decoding."""
    speeds = {
        name: sum(tokens for tokens, _ in each) / sum(seconds for _, seconds in each)
        for name, each in timings.items()
    }
    found = []
    for (program, draft), speed in speeds.items():
        plain = speeds[program, PLAIN]
        ratio = round(speed / plain, 4) if draft != PLAIN else None
        beside = round(speed / speeds["trchat", PLAIN], 4)
        print(f"{program:18} {draft:26} {speed:8.1f} tokens/s {beside:6.3f}", file=sys.stderr)
        row = {"program": program, "draft": draft, "tokens_per_s": round(speed, 2), "speedup": ratio}
        found.append({**row, "against_plain_trchat": beside})
    return found


def ours(engine: Engine, mode: str, max_tokens: int) -> Answer:
    """trchat; drafters begin with nothing."""
    drafter = make_drafter(mode, engine.model.n_vocab, engine.costs)
    sampling = Sampling(temperature=0.0, seed=0)

    def answer(prompt: list[int]) -> Timing:
        engine.forget()
        engine.drafter = drafter
        said = new_answer(0)
        for _ in engine.answer(Verbatim(tuple(prompt)), sampling, max_tokens, said):
            pass
        return len(said.token_ids), said.statistics.seconds

    return answer


def in_python(stack: ExitStack, prepared: Prepared, max_tokens: int, threads: int, ahead: int) -> Answer:
    """llama-cpp-python's own class, with its prompt lookup of so many tokens ``ahead``, or plain."""
    from llama_cpp import Llama
    from llama_cpp.llama_speculative import LlamaPromptLookupDecoding

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
    stack.callback(llama.close)

    def answer(prompt: list[int]) -> Timing:
        llama.reset()
        start, count = 0.0, 0
        for token in llama.generate(prompt, temp=0.0, repeat_penalty=1.0):
            count += 1
            start = start or perf_counter()
            if token == llama.token_eos() or count == max_tokens:
                break
        return count - 1, perf_counter() - start

    return answer


def in_server(
    stack: ExitStack, server: Path, prepared: Prepared, max_tokens: int, threads: int, mode: str
) -> Answer:
    """llama-server in one of its modes; its own clock is taken, which leaves HTTP out."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [server, "-m", prepared.model.path, "--port", str(port), "-c", str(prepared.ctx)]
    command += ["-np", "1", "-t", str(threads), "--spec-type", mode]
    nowhere = subprocess.DEVNULL
    process = stack.enter_context(subprocess.Popen(command, stdout=nowhere, stderr=nowhere))
    stack.callback(process.terminate)
    wait_for(lambda: call(f"{address}/health"), process)

    def answer(prompt: list[int]) -> Timing:
        asked = {"prompt": prompt, "n_predict": max_tokens, "temperature": 0, "cache_prompt": False}
        told = call(f"{address}/completion", asked)["timings"]
        # The first token comes with the prompt, before its clock starts.
        return told["predicted_n"] - 1, told["predicted_ms"] / 1e3

    return answer


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
