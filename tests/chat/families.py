# ruff: noqa: E501
"""Chat templates of model families, written from their public specifications, and what their vocabularies hold."""

from dataclasses import dataclass

_RAISE = "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
_ALTERNATE = (
    "{% for m in turns %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}" + _RAISE + "{% endif %}"
)


@dataclass(frozen=True)
class Family:
    """A template; its special tokens (the second is BOS, the third EOS in BPE); where a turn begins and ends."""

    template: str
    control: tuple[str, ...] = ()
    user_defined: tuple[str, ...] = ()
    spm: bool = False
    text_markers: tuple[str, ...] = ()
    system: bool = True
    expected: str = ""
    """The prompt of system "S", user "U", assistant "A", user "V"; BOS as its text."""


FAMILIES = {
    "llama2": Family(
        "{% if messages[0].role == 'system' %}{% set turns = messages[1:] %}{% set system = messages[0].content %}"
        "{% else %}{% set turns = messages %}{% set system = false %}{% endif %}" + _ALTERNATE + "{% if"
        " loop.index0 == 0 and system %}{% set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + m.content %}"
        "{% else %}{% set content = m.content %}{% endif %}{% if m.role == 'user' %}"
        "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% else %}"
        "{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
        spm=True,
        text_markers=("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"),
        expected="<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nU [/INST] A </s><s>[INST] V [/INST]",
    ),
    "llama3": Family(
        "{% for m in messages %}{% set content = '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n'"
        " + m.content | trim + '<|eot_id|>' %}{% if loop.first %}{% set content = bos_token + content %}{% endif %}"
        "{{ content }}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
        ("<|end_of_text|>", "<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"),
        expected="<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nU<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nV<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    "qwen": Family(
        "{% for m in messages %}{% if loop.first and m.role != 'system' %}"
        "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}"
        "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' + '\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        expected="<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n"
        "<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n",
    ),
    "mistral": Family(
        "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set turns = messages[1:] %}"
        "{% else %}{% set turns = messages %}{% endif %}{{ bos_token }}"
        + _ALTERNATE
        + "{% if m.role == 'user' %}"
        "{% if loop.last and system is defined %}{{ '[INST] ' + system + '\\n\\n' + m.content + '[/INST]' }}"
        "{% else %}{{ '[INST] ' + m.content + '[/INST]' }}{% endif %}{% else %}"
        "{{ ' ' + m.content | trim + eos_token }}{% endif %}{% endfor %}",
        ("[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[TOOL_CALLS]"),
        spm=True,
        expected="<s>[INST] U[/INST] A</s>[INST] S\n\nV[/INST]",
    ),
    "gemma": Family(
        "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}"
        "{% endif %}{% set turns = messages %}"
        + _ALTERNATE
        + "{% set role = 'model' if m.role == 'assistant' else"
        " m.role %}{{ '<start_of_turn>' + role + '\\n' + m.content | trim + '<end_of_turn>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}",
        ("<start_of_turn>", "<end_of_turn>"),
        ("<table>", "\n\n"),
        spm=True,
        system=False,
        expected="<s><start_of_turn>user\nS\n\nU<end_of_turn>\n<start_of_turn>model\nA<end_of_turn>\n"
        "<start_of_turn>user\nV<end_of_turn>\n<start_of_turn>model\n",
    ),
    "phi3": Family(
        "{% for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content + '<|end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}",
        ("<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>"),
        ("<|user|>",),
        spm=True,
        expected="<|system|>\nS<|end|>\n<|user|>\nU<|end|>\n<|assistant|>\nA<|end|>\n<|user|>\nV<|end|>\n"
        "<|assistant|>\n",
    ),
    "zephyr": Family(
        "{% for m in messages %}\n{% if m['role'] == 'user' %}\n{{ '<|user|>\\n' + m['content'] + eos_token }}\n"
        "{% elif m['role'] == 'system' %}\n{{ '<|system|>\\n' + m['content'] + eos_token }}\n"
        "{% elif m['role'] == 'assistant' %}\n{{ '<|assistant|>\\n' + m['content'] + eos_token }}\n{% endif %}\n"
        "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}",
        spm=True,
        text_markers=("<|user|>", "<|system|>", "<|assistant|>"),
        expected="<|system|>\nS</s>\n<|user|>\nU</s>\n<|assistant|>\nA</s>\n<|user|>\nV</s>\n<|assistant|>\n",
    ),
    "deepseek-r1": Family(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}"
        "{% elif m.role == 'user' %}{{ '<｜User｜>' + m.content }}{% else %}{% set content = m.content %}"
        "{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}"
        "{{ '<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}",
        ("<pad>", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"),
        ("<think>", "</think>"),
        expected="<｜begin▁of▁sentence｜>S<｜User｜>U<｜Assistant｜>A<｜end▁of▁sentence｜><｜User｜>V"
        "<｜Assistant｜><think>\n",
    ),
    "command-r": Family(
        "{{ bos_token }}{% if messages[0].role == 'system' %}{% set turns = messages[1:] %}"
        "{% set system = messages[0].content %}{% else %}{% set turns = messages %}{% set system = false %}{% endif %}"
        "{% if system != false %}{{ '<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>' + system + '<|END_OF_TURN_TOKEN|>' }}"
        "{% endif %}" + _ALTERNATE + "{% set who = 'USER' if m.role == 'user' else 'CHATBOT' %}"
        "{{ '<|START_OF_TURN_TOKEN|><|' + who + '_TOKEN|>' + m.content.strip() + '<|END_OF_TURN_TOKEN|>' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}",
        ("<PAD>", "<BOS_TOKEN>", "<EOS_TOKEN>", "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>"),
        ("<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|SYSTEM_TOKEN|>"),
        expected="<BOS_TOKEN><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>S<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>U<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>A<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>V<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
    ),
    "vicuna": Family(
        "{% for m in messages %}{% if m.role == 'system' %}{{ m.content + '\\n\\n' }}{% elif m.role == 'user' %}"
        "{{ 'USER: ' + m.content + '\\n' }}{% else %}{{ 'ASSISTANT: ' + m.content + eos_token + '\\n' }}{% endif %}"
        "{% endfor %}{{ 'ASSISTANT:' }}",
        spm=True,
        text_markers=("USER:", "ASSISTANT:"),
        expected="S\n\nUSER: U\nASSISTANT: A</s>\nUSER: V\nASSISTANT:",
    ),
}
