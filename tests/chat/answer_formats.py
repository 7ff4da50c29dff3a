# ruff: noqa: E501
"""How model families write their answers: the essentials of their templates, from their public specifications."""

from dataclasses import dataclass, field

REASONING, ANSWER = "I'm\nthinking", "Hello, world!\nWhat's up?"
_LAST = "{% set last = namespace(user=-1) %}{% for m in messages %}{% if m.role == 'user' %}{% set last.user = loop.index0 %}{% endif %}{% endfor %}"
THINKS_NOW = "m.reasoning_content is defined and loop.index0 > last.user"


def chat(user: str, assistant: str, begun: str, first: str = "") -> str:
    """A template: what a question and an answer are, and what begins the next answer."""
    return (
        first
        + "{% for m in messages %}{% if m.role == 'user' %}"
        + user
        + "{% elif m.role == 'assistant' %}"
        + assistant
        + "{% endif %}{% endfor %}{% if add_generation_prompt %}"
        + begun
        + "{% endif %}"
    )


def chatml(assistant: str, begun: str = "", first: str = _LAST) -> str:
    """A template in ChatML; ``assistant`` is what stands in an answer."""
    return chat(
        "<|im_start|>user\n{{ m.content }}<|im_end|>{{ '\\n' }}",
        "<|im_start|>assistant\n" + assistant + "<|im_end|>{{ '\\n' }}",
        "<|im_start|>assistant\n" + begun,
        first,
    )


@dataclass(frozen=True)
class Family:
    """One family.

    Attributes:
        template: its essentials.
        output: what the model writes for REASONING and ANSWER, as the tests of llama.cpp have it.
        marks: its marks that may be tokens of the vocabulary.
        end: the mark that ends the turn.
        prompt: the prompt for a first question ``U``.
        again: the prompt for ``V`` after that answer to it.
        thinking, silent: variables that have it think, and not; both empty where it cannot be switched.
        reasoning: where it is not REASONING alone.
        alone: an answer without reasoning, behind a prompt for one.
    """

    template: str
    output: str
    marks: tuple[str, ...]
    end: str
    prompt: str
    again: str
    thinking: dict = field(default_factory=dict)
    silent: dict = field(default_factory=dict)
    reasoning: str = REASONING
    alone: str = ANSWER


_ML = ("<|im_start|>", "<|im_end|>")
_THINK = ("<think>", "</think>")
_ASK = "<|im_start|>user\n{}<|im_end|>\n"
_SAID = "<|im_start|>assistant\n"
_DROPPED = _ASK.format("U") + _SAID + ANSWER + "<|im_end|>\n" + _ASK.format("V") + _SAID
_OFF, _ON = {"enable_thinking": False}, {"enable_thinking": True}
_IF_OFF = "{% if enable_thinking is defined and not enable_thinking %}"


def _qwen(begun: str, **more) -> dict:
    kept = "<think>{{ '\\n' }}{{ m.reasoning_content }}\n</think>\n\n"
    return {
        "template": chatml("{% if " + THINKS_NOW + " %}" + kept + "{% endif %}{{ m.content }}", begun),
        "marks": (*_ML, *_THINK),
        "end": "<|im_end|>",
        "silent": _OFF,
        **more,
    }


def _deepseek(begun: str, before: str = "</think>", **more) -> dict:
    said = "{% if m.reasoning_content is defined and loop.last %}<think>{{ m.reasoning_content }}</think>{% else %}"
    return {
        "template": chat(
            "<｜User｜>{{ m.content }}",
            "<｜Assistant｜>" + said + before + "{% endif %}{{ m.content }}<｜end▁of▁sentence｜>",
            "<｜Assistant｜>" + begun,
        ),
        "output": f"{REASONING}</think>{ANSWER}",
        "marks": ("<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", *_THINK),
        "end": "<｜end▁of▁sentence｜>",
        **more,
    }


def _v3(closed: str, before: str) -> Family:
    opened = "<｜User｜>U<｜Assistant｜>"
    return Family(
        **_deepseek(
            "{% if thinking is defined and thinking %}<think>{% else %}" + closed + "{% endif %}",
            before,
            thinking={"thinking": True},
            silent={"thinking": False},
            prompt=opened + closed,
            again=f"{opened}{before}{ANSWER}<｜end▁of▁sentence｜><｜User｜>V<｜Assistant｜>{closed}",
        )
    )


_GLM_KEPT = "{% if m.reasoning_content is defined and (loop.index0 > last.user or clear_thinking is defined and not clear_thinking) %}"
_CMD_U = (
    "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{}<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"
)
_CMD = (
    "<|START_OF_TURN_TOKEN|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|USER_TOKEN|>",
    "<|CHATBOT_TOKEN|>",
    "<|START_THINKING|>",
    "<|END_THINKING|>",
)
_K3_U = '<|open|>message role="user"<|sep|>{}<|close|>message<|sep|><|end_of_msg|><|open|>message role="assistant"<|sep|>'
_K3_THINK, _K3_SAY = "<|open|>think<|sep|>", "<|open|>response<|sep|>"
_K3_END = "<|close|>response<|sep|><|close|>message<|sep|>"
_SOLAR_U = "<|begin|>user<|content|>{}<|end|><|begin|>assistant"
_OSS_U = "<|start|>user<|message|>{}<|end|><|start|>assistant"
_MUSE_U = "<|start|>user<|message|>{}<|eot|><|start|>assistant"

_APRIEL = "<|system|>\nProvide the final solution in this format: [BEGIN FINAL RESPONSE] ... [END FINAL RESPONSE].\n<|end|>\n"

FAMILIES = {
    "Qwen3": Family(
        **_qwen(_IF_OFF + "<think>\n\n</think>\n\n{% endif %}"),
        output=f"<think>\n{REASONING}\n</think>\n\n{ANSWER}",
        prompt=_ASK.format("U") + _SAID,
        again=_DROPPED,
    ),
    "Qwen3.5": Family(
        **_qwen(_IF_OFF + "<think>\n\n</think>\n\n{% else %}<think>{{ '\\n' }}{% endif %}"),
        output=f"{REASONING}\n</think>\n\n{ANSWER}",
        prompt=_ASK.format("U") + _SAID + "<think>\n",
        again=_DROPPED + "<think>\n",
    ),
    "DeepSeek R1": Family(
        template=chat(
            "<｜User｜>{{ m.content }}",
            "<｜Assistant｜>{{ m.content.split('</think>')[-1] }}<｜end▁of▁sentence｜>",
            "<｜Assistant｜><think>{{ '\\n' }}",
        ),
        output=f"{REASONING}\n</think>\n\n{ANSWER}",
        marks=("<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", *_THINK),
        end="<｜end▁of▁sentence｜>",
        prompt="<｜User｜>U<｜Assistant｜><think>\n",
        again=f"<｜User｜>U<｜Assistant｜>{ANSWER}<｜end▁of▁sentence｜><｜User｜>V<｜Assistant｜><think>\n",
    ),
    "DeepSeek V3.1": _v3("<think></think>", "<think></think>"),
    "DeepSeek V3.2": _v3("<think></think>", "</think>"),
    "DeepSeek V4": _v3("</think>", "</think>"),
    "gpt-oss": Family(
        template=chat(
            "<|start|>user<|message|>{{ m.content }}<|end|>",
            "{% if m.thinking is defined and loop.last and not add_generation_prompt %}"
            "<|start|>assistant<|channel|>analysis<|message|>{{ m.thinking }}<|end|>{% endif %}"
            "<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|end|>",
            "<|start|>assistant",
            "{% if reasoning_effort is defined %}<|start|>system<|message|>Reasoning: {{ reasoning_effort }}<|end|>{% endif %}",
        ),
        output=f"<|channel|>analysis<|message|>{REASONING}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}",
        marks=("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>", "<|call|>"),
        end="<|return|>",
        prompt=_OSS_U.format("U"),
        again=_OSS_U.format("U") + f"<|channel|>final<|message|>{ANSWER}<|end|>" + _OSS_U.format("V"),
        alone=f"<|channel|>final<|message|>{ANSWER}",
    ),
    "Gemma 4": Family(
        template=chat(
            "<|turn>user\n{{ m.content }}<turn|>{{ '\\n' }}",
            "<|turn>model\n{{ m.content }}<turn|>{{ '\\n' }}",
            "<|turn>model\n{% if not enable_thinking | default(false) %}<|channel>thought\n<channel|>{% endif %}",
        ),
        output=f"<|channel>thought\n{REASONING}<channel|>{ANSWER}<|channel>thought\n<channel|><channel|>",
        marks=("<|turn>", "<turn|>", "<|channel>", "<channel|>"),
        end="<turn|>",
        prompt="<|turn>user\nU<turn|>\n<|turn>model\n<|channel>thought\n<channel|>",
        again=f"<|turn>user\nU<turn|>\n<|turn>model\n{ANSWER}<turn|>\n<|turn>user\nV<turn|>\n<|turn>model\n<|channel>thought\n<channel|>",
        thinking=_ON,
        silent=_OFF,
    ),
    "Ministral 3": Family(
        template=chat(
            "[INST]{{ m.content }}[/INST]",
            "{% if m.content is string %}{{ m.content }}{% else %}{% for b in m.content %}{% if b.type == 'thinking' %}"
            "[THINK]{{ b.thinking }}[/THINK]{% else %}{{ b.text }}{% endif %}{% endfor %}{% endif %}{{ eos_token }}",
            "",
        ),
        output=f"[THINK]{REASONING}[/THINK]{ANSWER}",
        marks=("[INST]", "[/INST]", "[THINK]", "[/THINK]", "</s>"),
        end="</s>",
        prompt="[INST]U[/INST]",
        again=f"[INST]U[/INST][THINK]{REASONING}[/THINK]{ANSWER}</s>[INST]V[/INST]",
    ),
    "Granite 3.3": Family(
        template=chat(
            "<|start_of_role|>user<|end_of_role|>{{ m.content }}<|end_of_text|>{{ '\\n' }}",
            "<|start_of_role|>assistant<|end_of_role|>{{ m.content }}<|end_of_text|>{{ '\\n' }}",
            "<|start_of_role|>assistant<|end_of_role|>",
            "{% if thinking is defined and thinking %}Write your thoughts between <think></think> and write your "
            "response between <response></response> for each user query.{{ '\\n' }}{% endif %}",
        ),
        output=f"<think>{REASONING}</think>\n<response>{ANSWER}</response>",
        marks=("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"),
        end="<|end_of_text|>",
        prompt="<|start_of_role|>user<|end_of_role|>U<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>",
        again="<|start_of_role|>user<|end_of_role|>U<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>"
        + ANSWER
        + "<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>V<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>",
    ),
    "Seed-OSS": Family(
        template=chat(
            "<seed:bos>user\n{{ m.content }}<seed:eos>",
            "<seed:bos>assistant\n{% if m.reasoning_content is defined %}<seed:think>{{ m.reasoning_content }}</seed:think>\n"
            "{% endif %}{{ m.content }}<seed:eos>",
            "<seed:bos>assistant{{ '\\n' }}{% if thinking_budget is defined and thinking_budget == 0 %}<seed:think></seed:think>{% endif %}",
            "{% if thinking_budget is defined and thinking_budget > 0 %}<seed:bos>system\nThink for {{ thinking_budget }} tokens.<seed:eos>{% endif %}",
        ),
        output=f"<seed:think>{REASONING}</seed:think>\n{ANSWER}",
        marks=("<seed:bos>", "<seed:eos>", "<seed:think>", "</seed:think>"),
        end="<seed:eos>",
        prompt="<seed:bos>user\nU<seed:eos><seed:bos>assistant\n",
        again=f"<seed:bos>user\nU<seed:eos><seed:bos>assistant\n<seed:think>{REASONING}</seed:think>\n{ANSWER}<seed:eos>"
        "<seed:bos>user\nV<seed:eos><seed:bos>assistant\n",
    ),
    "MiniMax-M2": Family(
        template=chat(
            "]~b]user\n{{ m.content }}[e~[{{ '\\n' }}",
            "]~b]ai\n{% if "
            + THINKS_NOW
            + " %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}{{ m.content }}[e~[{{ '\\n' }}",
            "]~b]ai\n<think>{{ '\\n' }}",
            _LAST,
        ),
        output=f"{REASONING}\n</think>\n\n{ANSWER}",
        marks=("]~b]", "[e~[", *_THINK),
        end="[e~[",
        prompt="]~b]user\nU[e~[\n]~b]ai\n<think>\n",
        again=f"]~b]user\nU[e~[\n]~b]ai\n{ANSWER}[e~[\n]~b]user\nV[e~[\n]~b]ai\n<think>\n",
    ),
    "MiniMax-M3": Family(
        template=chat(
            "]~b]user\n{{ m.content }}[e~[{{ '\\n' }}",
            "]~b]ai\n{% if m.reasoning_content is defined %}<mm:think>{{ m.reasoning_content }}{% endif %}</mm:think>{{ m.content }}[e~[{{ '\\n' }}",
            "]~b]ai\n{% if thinking_mode is defined and thinking_mode == 'disabled' %}</mm:think>{% elif thinking_mode is defined "
            "and thinking_mode == 'enabled' %}<mm:think>{% endif %}",
        ),
        output=f"<mm:think>{REASONING}</mm:think>{ANSWER}",
        marks=("]~b]", "[e~[", "<mm:think>", "</mm:think>"),
        end="[e~[",
        prompt="]~b]user\nU[e~[\n]~b]ai\n",
        again=f"]~b]user\nU[e~[\n]~b]ai\n<mm:think>{REASONING}</mm:think>{ANSWER}[e~[\n]~b]user\nV[e~[\n]~b]ai\n",
        silent={"thinking_mode": "disabled"},
        alone=f"</mm:think>{ANSWER}",
    ),
    "GLM-4.6": Family(
        template=chat(
            "<|user|>\n{{ m.content }}",
            "<|assistant|>\n{% if "
            + THINKS_NOW
            + " %}<think>{{ m.reasoning_content }}</think>{% else %}<think></think>{% endif %}{{ '\\n' + m.content }}",
            "<|assistant|>" + _IF_OFF + "{{ '\\n' }}<think></think>{% endif %}",
            _LAST,
        ),
        output=f"\n<think>{REASONING}</think>\n{ANSWER}",
        marks=("<|user|>", "<|assistant|>", *_THINK),
        end="<|user|>",
        prompt="<|user|>\nU<|assistant|>",
        again=f"<|user|>\nU<|assistant|>\n<think></think>\n{ANSWER}<|user|>\nV<|assistant|>",
        silent=_OFF,
    ),
    "GLM-4.7": Family(
        template=chat(
            "<|user|>{{ m.content }}",
            "<|assistant|>"
            + _GLM_KEPT
            + "<think>{{ m.reasoning_content }}{% endif %}</think>{{ m.content }}",
            "<|assistant|>" + _IF_OFF + "</think>{% else %}<think>{% endif %}",
            _LAST,
        ),
        output=f"{REASONING}</think>{ANSWER}",
        marks=("<|user|>", "<|assistant|>", *_THINK),
        end="<|user|>",
        prompt="<|user|>U<|assistant|><think>",
        again=f"<|user|>U<|assistant|><think>{REASONING}</think>{ANSWER}<|user|>V<|assistant|><think>",
        silent=_OFF,
    ),
    "Kimi-K2-Thinking": Family(
        template=chat(
            "<|im_user|>user<|im_middle|>{{ m.content }}<|im_end|>",
            "<|im_assistant|>assistant<|im_middle|><think></think>{{ m.content }}<|im_end|>",
            "<|im_assistant|>assistant<|im_middle|>",
        ),
        output=f"<think>{REASONING}</think>{ANSWER}",
        marks=("<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>", *_THINK),
        end="<|im_end|>",
        prompt="<|im_user|>user<|im_middle|>U<|im_end|><|im_assistant|>assistant<|im_middle|>",
        again=f"<|im_user|>user<|im_middle|>U<|im_end|><|im_assistant|>assistant<|im_middle|><think></think>{ANSWER}<|im_end|>"
        "<|im_user|>user<|im_middle|>V<|im_end|><|im_assistant|>assistant<|im_middle|>",
    ),
    "Kimi-K3": Family(
        template=chat(
            '<|open|>message role="user"<|sep|>{{ m.content }}<|close|>message<|sep|><|end_of_msg|>',
            '<|open|>message role="assistant"<|sep|>{% if on %}<|open|>think<|sep|>{{ m.reasoning_content }}<|close|>think<|sep|>{% endif %}'
            "<|open|>response<|sep|>{{ m.content }}<|close|>response<|sep|><|close|>message<|sep|><|end_of_msg|>",
            '<|open|>message role="assistant"<|sep|><|open|>{{ "think" if on else "response" }}<|sep|>',
            "{% set on = thinking is undefined or thinking %}",
        ),
        output=f"{REASONING}<|close|>think<|sep|>{_K3_SAY}{ANSWER}{_K3_END}",
        marks=("<|open|>", "<|close|>", "<|sep|>", "<|end_of_msg|>"),
        end="<|end_of_msg|>",
        prompt=_K3_U.format("U") + _K3_THINK,
        again=_K3_U.format("U")
        + f"{_K3_THINK}{REASONING}<|close|>think<|sep|>{_K3_SAY}{ANSWER}{_K3_END}<|end_of_msg|>"
        + _K3_U.format("V")
        + _K3_THINK,
        silent={"thinking": False},
    ),
    "Nemotron Nano v2": Family(
        template=chat(
            "<SPECIAL_11>User\n{{ m.content }}{{ '\\n' }}",
            "<SPECIAL_11>Assistant\n{{ m.content.split('</think>')[-1] }}\n<SPECIAL_12>{{ '\\n' }}",
            "<SPECIAL_11>Assistant\n{% if silent.said %}<think></think>{% else %}<think>{{ '\\n' }}{% endif %}",
            "{% set silent = namespace(said=false) %}{% for m in messages %}{% if m.role == 'system' and '/no_think' in m.content %}"
            "{% set silent.said = true %}{% endif %}{% endfor %}",
        ),
        output=f"{REASONING}\n</think>\n{ANSWER}",
        marks=("<SPECIAL_11>", "<SPECIAL_12>"),
        end="<SPECIAL_12>",
        prompt="<SPECIAL_11>User\nU\n<SPECIAL_11>Assistant\n<think>\n",
        again=f"<SPECIAL_11>User\nU\n<SPECIAL_11>Assistant\n{ANSWER}\n<SPECIAL_12>\n<SPECIAL_11>User\nV\n<SPECIAL_11>Assistant\n<think>\n",
    ),
    "Nemotron 3": Family(
        template=chatml(
            "{% if m.reasoning_content is defined and not ((truncate_history_thinking is undefined or truncate_history_thinking) and loop.index0 < last.user) %}"
            "<think>\n{{ m.reasoning_content }}\n</think>\n{% else %}<think></think>{% endif %}{{ m.content }}",
            _IF_OFF + "<think></think>{% else %}<think>{{ '\\n' }}{% endif %}",
        ),
        output=f"{REASONING}\n</think>\n{ANSWER}",
        marks=(*_ML, *_THINK),
        end="<|im_end|>",
        prompt=_ASK.format("U") + _SAID + "<think>\n",
        again=_ASK.format("U")
        + _SAID
        + f"<think>\n{REASONING}\n</think>\n{ANSWER}<|im_end|>\n"
        + _ASK.format("V")
        + _SAID
        + "<think>\n",
        silent=_OFF,
    ),
    "Command-R7B": Family(
        template=chat(
            "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{{ m.content }}<|END_OF_TURN_TOKEN|>",
            "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>{{ m.content }}<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
            "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% if not enable_thinking | default(false) %}<|START_THINKING|><|END_THINKING|>{% endif %}",
        ),
        output=f"<|START_THINKING|>{REASONING}<|END_THINKING|><|START_RESPONSE|>{ANSWER}<|END_RESPONSE|>",
        marks=(*_CMD, "<|START_RESPONSE|>", "<|END_RESPONSE|>"),
        end="<|END_OF_TURN_TOKEN|>",
        prompt=_CMD_U.format("U") + "<|START_THINKING|><|END_THINKING|>",
        again=_CMD_U.format("U")
        + f"<|START_RESPONSE|>{ANSWER}<|END_RESPONSE|><|END_OF_TURN_TOKEN|>"
        + _CMD_U.format("V")
        + "<|START_THINKING|><|END_THINKING|>",
        thinking=_ON,
        silent=_OFF,
        alone=f"<|START_RESPONSE|>{ANSWER}<|END_RESPONSE|>",
    ),
    "Cohere2MoE": Family(
        template=chat(
            "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{{ m.content }}<|END_OF_TURN_TOKEN|>",
            "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% if m.reasoning is defined %}<|START_THINKING|>{{ m.reasoning }}<|END_THINKING|>{% endif %}"
            "<|START_TEXT|>{{ m.content }}<|END_TEXT|><|END_OF_TURN_TOKEN|>",
            "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_THINKING|>{% if reasoning is defined and not reasoning %}<|END_THINKING|>{% endif %}",
        ),
        output=f"{REASONING}<|END_THINKING|><|START_TEXT|>{ANSWER}<|END_TEXT|>",
        marks=(*_CMD, "<|START_TEXT|>", "<|END_TEXT|>"),
        end="<|END_OF_TURN_TOKEN|>",
        prompt=_CMD_U.format("U") + "<|START_THINKING|>",
        again=_CMD_U.format("U")
        + f"<|START_THINKING|>{REASONING}<|END_THINKING|><|START_TEXT|>{ANSWER}<|END_TEXT|><|END_OF_TURN_TOKEN|>"
        + _CMD_U.format("V")
        + "<|START_THINKING|>",
        silent={"reasoning": False},
        alone=f"<|START_TEXT|>{ANSWER}<|END_TEXT|>",
    ),
    "Apriel 1.6": Family(
        template=chat(
            "<|begin_user|>\n{{ m.content }}",
            "{{ '\\n' }}<|begin_assistant|>\n{% if m.reasoning_content is defined and loop.last %}{{ m.reasoning_content }}\n[BEGIN FINAL RESPONSE]\n"
            "{% endif %}{{ m.content }}{% if not loop.last %}{{ '\\n' }}<|end|>\n{% endif %}",
            "{{ '\\n' }}<|begin_assistant|>\nHere are my reasoning steps:{{ '\\n' }}",
        ),
        output=f"{REASONING}\n[BEGIN FINAL RESPONSE]\n{ANSWER}",
        marks=("<|begin_user|>", "<|begin_assistant|>", "<|end|>", "[BEGIN FINAL RESPONSE]"),
        end="<|end|>",
        prompt="<|begin_user|>\nU\n<|begin_assistant|>\nHere are my reasoning steps:\n",
        again=f"<|begin_user|>\nU\n<|begin_assistant|>\n{ANSWER}\n<|end|>\n<|begin_user|>\nV\n<|begin_assistant|>\nHere are my reasoning steps:\n",
        reasoning=f"Here are my reasoning steps:\n{REASONING}",
    ),
    "Apriel 1.5": Family(
        template=chat(
            "<|user|>\n{{ m.content }}\n<|end|>{{ '\\n' }}",
            "<|assistant|>\n{{ m.content }}\n<|end|>{{ '\\n' }}",
            "<|assistant|>{{ '\\n' }}",
            "<|system|>\nProvide the final solution in this format: [BEGIN FINAL RESPONSE] ... [END FINAL RESPONSE].\n<|end|>{{ '\\n' }}",
        ),
        output=f"Here are my reasoning steps:\n{REASONING}\n[BEGIN FINAL RESPONSE]\n{ANSWER}\n[END FINAL RESPONSE]",
        marks=("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        end="<|end|>",
        prompt=_APRIEL + "<|user|>\nU\n<|end|>\n<|assistant|>\n",
        again=f"{_APRIEL}<|user|>\nU\n<|end|>\n<|assistant|>\n{ANSWER}\n<|end|>\n<|user|>\nV\n<|end|>\n<|assistant|>\n",
        reasoning=f"Here are my reasoning steps:\n{REASONING}",
    ),
    "Hy3": Family(
        template=chat(
            "<｜hy_User｜>{{ m.content }}",
            "<｜hy_Assistant｜><think:opensource>{% if "
            + THINKS_NOW
            + " %}{{ m.reasoning_content }}{% endif %}</think:opensource>{{ m.content }}<｜hy_eos｜>",
            "<｜hy_Assistant｜><think:opensource>{% if reasoning_effort is undefined or reasoning_effort == 'no_think' or reasoning_effort not in ['low', 'high'] %}</think:opensource>{% endif %}",
            _LAST,
        ),
        output=f"{REASONING}</think:opensource>{ANSWER}",
        marks=(
            "<｜hy_User｜>",
            "<｜hy_Assistant｜>",
            "<｜hy_eos｜>",
            "<think:opensource>",
            "</think:opensource>",
        ),
        end="<｜hy_eos｜>",
        prompt="<｜hy_User｜>U<｜hy_Assistant｜><think:opensource></think:opensource>",
        again=f"<｜hy_User｜>U<｜hy_Assistant｜><think:opensource></think:opensource>{ANSWER}<｜hy_eos｜><｜hy_User｜>V<｜hy_Assistant｜><think:opensource></think:opensource>",
        thinking={"reasoning_effort": "high"},
    ),
    "LFM2.5": Family(
        template=chatml(
            "{% if m.thinking is defined and (preserve_thinking | default(false) or loop.index0 > last.user) %}<think>{{ m.thinking }}</think>{% endif %}{{ m.content }}"
        ),
        output=f"<think>{REASONING}</think>{ANSWER}",
        marks=(*_ML, *_THINK),
        end="<|im_end|>",
        prompt=_ASK.format("U") + _SAID,
        again=_ASK.format("U")
        + _SAID
        + f"<think>{REASONING}</think>{ANSWER}<|im_end|>\n"
        + _ASK.format("V")
        + _SAID,
    ),
    "SmolLM3": Family(
        template=chatml("{{ m.content }}", _IF_OFF + "<think>\n\n</think>{{ '\\n' }}{% endif %}"),
        output=f"<think>\n{REASONING}\n</think>\n{ANSWER}",
        marks=(*_ML, *_THINK),
        end="<|im_end|>",
        prompt=_ASK.format("U") + _SAID,
        again=_DROPPED,
        silent=_OFF,
    ),
    "StepFun 3.5": Family(
        template=chatml(
            "<think>\n{% if "
            + THINKS_NOW
            + " %}{{ m.reasoning_content }}{% endif %}{{ '\\n' }}</think>\n{{ m.content }}",
            "<think>{{ '\\n' }}",
        ),
        output=f"{REASONING}\n</think>\n{ANSWER}",
        marks=(*_ML, *_THINK),
        end="<|im_end|>",
        prompt=_ASK.format("U") + _SAID + "<think>\n",
        again=_ASK.format("U")
        + _SAID
        + f"<think>\n\n</think>\n{ANSWER}<|im_end|>\n"
        + _ASK.format("V")
        + _SAID
        + "<think>\n",
    ),
    "Spark2.5": Family(
        template=chat(
            "<|User|>{{ m.content }}<｜end▁of▁sentence｜>",
            "<|Bot|>{% if m.reasoning_content is defined %}<think>{{ m.reasoning_content }}{% endif %}</think>{{ m.content }}<｜end▁of▁sentence｜>",
            "<|Bot|>" + _IF_OFF + "</think>{% else %}<think>{% endif %}",
        ),
        output=f"{REASONING}</think>{ANSWER}",
        marks=("<|User|>", "<|Bot|>", "<｜end▁of▁sentence｜>", *_THINK),
        end="<｜end▁of▁sentence｜>",
        prompt="<|User|>U<｜end▁of▁sentence｜><|Bot|><think>",
        again=f"<|User|>U<｜end▁of▁sentence｜><|Bot|><think>{REASONING}</think>{ANSWER}<｜end▁of▁sentence｜><|User|>V<｜end▁of▁sentence｜><|Bot|><think>",
        silent=_OFF,
    ),
    "Ling 3": Family(
        template=chat(
            "<role>HUMAN</role>{{ m.content }}<|role_end|>",
            "<role>ASSISTANT</role>\n<think>{{ m.reasoning_content }}</think>{{ m.content }}<|role_end|>",
            "<role>ASSISTANT</role>\n<think>" + _IF_OFF + "</think>{% endif %}",
        ),
        output=f"{REASONING}</think>{ANSWER}",
        marks=("<role>", "</role>", "<|role_end|>", *_THINK),
        end="<|role_end|>",
        prompt="<role>HUMAN</role>U<|role_end|><role>ASSISTANT</role>\n<think>",
        again=f"<role>HUMAN</role>U<|role_end|><role>ASSISTANT</role>\n<think>{REASONING}</think>{ANSWER}<|role_end|>"
        "<role>HUMAN</role>V<|role_end|><role>ASSISTANT</role>\n<think>",
        silent=_OFF,
    ),
    "Laguna": Family(
        template=chat(
            "<user>{{ m.content }}</user>{{ '\\n' }}",
            "<assistant><think>{{ m.reasoning_content }}</think>{{ m.content }}</assistant>{{ '\\n' }}",
            "<assistant>" + _IF_OFF + "</think>{% else %}<think>{% endif %}",
        ),
        output=f"{REASONING}</think>{ANSWER}",
        marks=("<user>", "</user>", "<assistant>", "</assistant>", *_THINK),
        end="</assistant>",
        prompt="<user>U</user>\n<assistant><think>",
        again=f"<user>U</user>\n<assistant><think>{REASONING}</think>{ANSWER}</assistant>\n<user>V</user>\n<assistant><think>",
        silent=_OFF,
    ),
    "Solar Open": Family(
        template=chat(
            "<|begin|>user<|content|>{{ m.content }}<|end|>",
            "{% if m.reasoning is defined and loop.index0 > last.user %}<|begin|>assistant<|think|>{{ m.reasoning }}<|end|>{% endif %}<|begin|>assistant<|content|>{{ m.content }}<|end|>",
            "<|begin|>assistant{% if reasoning_effort is defined and reasoning_effort in ['low', 'minimal'] %}<|think|><|end|><|begin|>assistant{% endif %}",
            _LAST,
        ),
        output=f"<|think|>{REASONING}<|end|><|begin|>assistant<|content|>{ANSWER}",
        marks=("<|begin|>", "<|end|>", "<|content|>", "<|think|>"),
        end="<|end|>",
        prompt=_SOLAR_U.format("U"),
        again=_SOLAR_U.format("U") + f"<|content|>{ANSWER}<|end|>" + _SOLAR_U.format("V"),
        alone=f"<|content|>{ANSWER}",
    ),
    "Bielik": Family(
        template=chatml(
            "{% if m.reasoning_content is defined %}<think>\n{{ m.reasoning_content }}\n</think>\n{% endif %}{{ m.content }}",
            "{% if enable_thinking is defined and enable_thinking %}<think>{{ '\\n' }}{% endif %}",
        ),
        output=f"<think>\n{REASONING}\n</think>\n{ANSWER}",
        marks=(*_ML, *_THINK),
        end="<|im_end|>",
        prompt=_ASK.format("U") + _SAID,
        again=_ASK.format("U")
        + _SAID
        + f"<think>\n{REASONING}\n</think>\n{ANSWER}<|im_end|>\n"
        + _ASK.format("V")
        + _SAID,
    ),
    "Muse Glimmer": Family(
        template=chat(
            "<|start|>user<|message|>{{ m.content }}<|eot|>",
            "{% if m.reasoning_content is defined %}<|start|>assistant to=self<|message|>{{ m.reasoning_content }}<|eom|>{% endif %}"
            "<|start|>assistant to=user<|message|>{{ m.content }}<|eot|>",
            "<|start|>assistant",
            "{% if reasoning_strength is defined %}<|start|>system<|message|>Strength {{ reasoning_strength }}<|eot|>{% endif %}",
        ),
        output=f" to=self<|message|>{REASONING}<|eom|><|start|>assistant to=user<|message|>{ANSWER}",
        marks=("<|start|>", "<|message|>", "<|eom|>", "<|eot|>"),
        end="<|eot|>",
        prompt=_MUSE_U.format("U"),
        again=_MUSE_U.format("U")
        + f" to=self<|message|>{REASONING}<|eom|><|start|>assistant to=user<|message|>{ANSWER}<|eot|>"
        + _MUSE_U.format("V"),
        alone=f" to=user<|message|>{ANSWER}",
    ),
}
