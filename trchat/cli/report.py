"""An answer's figures, for programs (``--json``) and for people (``--stats``)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trchat.chat.records import Answer


def report(
    answer: "Answer",
    model: str,
    model_file: str,
    mode: str,
    hot_rows: int,
    load_s: float,
    conversation: int | None = None,
) -> dict[str, Any]:
    """The answer as ``--json`` prints it."""
    return {
        "text": answer.text,
        "reasoning": answer.reasoning or None,
        "model": model,
        "model_file": model_file,
        "finish_reason": answer.finish,
        "prompt_tokens": answer.prompt_tokens,
        "cached_prompt_tokens": answer.cached_prompt_tokens,
        "completion_tokens": len(answer.token_ids),
        "token_ids": answer.token_ids,
        "seed": answer.seed,
        "conversation": conversation,
        "dropped_turns": answer.dropped.turns if answer.dropped else 0,
        "draft": {"mode": mode, **answer.drafting, "hot_rows": hot_rows},
        "timings": {"load_s": round(load_s, 4), **answer.timings},
    }


def statistics_line(answer: "Answer") -> str:
    """One line of sizes, speed and draft counts."""
    statistics = answer.statistics
    return (
        f"prompt of {answer.prompt_tokens} tokens ({answer.cached_prompt_tokens} cached), "
        f"{statistics.tokens} tokens, {statistics.tokens_per_s:.1f} tokens/s, "
        f"{statistics.tokens_per_step:.2f} tokens per step, "
        f"{statistics.accepted}/{statistics.drafted} drafted tokens accepted"
    )
