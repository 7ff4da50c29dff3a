"""How an answer ended that was cut, or says nothing, in one line for a person."""

from trchat.chat.records import Answer

CUT = ("length", "context")
"""Ends that were not asked for, by ``Answer.finish``."""


def remark_on(answer: Answer) -> str | None:
    """What to say of an answer that was cut or is empty; None of one that is complete, or was stopped."""
    count = len(answer.token_ids)
    tokens = "1 token" if count == 1 else f"{count} tokens"
    says_nothing = not answer.text.strip()
    only_thought = says_nothing and bool(answer.reasoning.strip())
    match answer.finish:
        case "length" if only_thought:
            return (
                f"the reasoning took all of {tokens}, so there is no answer; a larger -n leaves room for one"
            )
        case "length":
            return f"the answer is cut after {tokens}; a larger -n lets it go on"
        case "context" if only_thought:
            return (
                "the context is full of reasoning, so there is no answer; a larger --ctx leaves room for one"
            )
        case "context":
            return "the answer is cut because the context is full; a larger --ctx lets it go on"
        case "stop" if only_thought:
            return "the model ended inside its reasoning, so there is no answer"
        case "stop" if says_nothing:
            return "the model ended its answer before the first word"
    return None
