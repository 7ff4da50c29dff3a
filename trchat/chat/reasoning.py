"""Splits an answer into its reasoning (``<think>`` and the like) and what it says."""

OPENERS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<reasoning>": "</reasoning>",
    "[THINK]": "[/THINK]",
}


def opened_by(prompt: str) -> str | None:
    """The opening tag that the template itself has put at the end of ``prompt``, if any."""
    end = prompt.rstrip()
    return next((tag for tag in OPENERS if end.endswith(tag)), None)


def split_reasoning(text: str, opener: str | None = None) -> tuple[str | None, str]:
    """Split ``text`` into (reasoning, answer); reasoning is None where there is none.

    ``opener`` is the tag the prompt ended with (see opened_by): the text then begins inside reasoning.
    Unclosed reasoning leaves an empty answer.
    """
    body = text.lstrip()
    if opener is None:
        opener = next((tag for tag in OPENERS if body.startswith(tag)), None)
        if opener is None:
            return None, text
        body = body[len(opener) :]
    reasoning, _closer, answer = body.partition(OPENERS[opener])
    return reasoning.strip(), answer.lstrip("\n")


def rejoined(reasoning: str | None, text: str, opener: str | None = None) -> str:
    """The answer that ``split_reasoning`` split, for the model to go on with.

    ``opener`` is the tag that the prompt ends with, which is not repeated. Reasoning that no answer follows
    was cut, and stays open.
    """
    if reasoning is None and opener is None:
        return text
    tag = opener or next(iter(OPENERS))
    closed = f"\n{OPENERS[tag]}\n\n{text}" if text else ""
    return ("" if opener else f"{tag}\n") + (reasoning or "") + closed
