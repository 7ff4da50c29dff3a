# ruff: noqa: E501
"""How model families write calls of tools: the essentials of their templates, from their public specifications."""

from dataclasses import dataclass

ARGS = {"at": "Zürich", "size": 3}
MORE = {"at": "x", "size": 4}


@dataclass(frozen=True)
class Family:
    """One family.

    Attributes:
        template: its essentials; ``None`` calls are written by the model only.
        marks: those that may be tokens of the vocabulary.
        output: a call of ``look`` with ARGS, as the model writes it.
        two: a call of ``look`` with ARGS and one of ``find`` with MORE.
        end: the mark that ends a turn.
        begun: whether reasoning is open at the end of the prompt.
        malformed: what is meant to be a call and is none, and what of it must be told as text.
        forced: a call of it can be had by a grammar.
    """

    template: str
    marks: tuple[str, ...]
    output: str
    two: str
    end: str = "<|im_end|>"
    malformed: str = ""
    forced: bool = True


def chatml(call: str, *, first: str = "", last: str = "", tools: str = "{{ tools | tojson }}") -> str:
    """A template in ChatML; ``call`` is one call ``c``, ``first`` and ``last`` stand around all of them."""
    return (
        "{% if tools %}<|im_start|>system\n" + tools + "<|im_end|>\n{% endif %}"
        "{% for m in messages %}{% if m.role == 'tool' %}<|im_start|>user\n<tool_response>{{ m.content }}</tool_response><|im_end|>\n"
        "{% else %}<|im_start|>{{ m.role }}\n{{ m.content }}{% if m.tool_calls %}"
        + first
        + "{% for t in m.tool_calls %}{% set c = t.function %}"
        + call
        + "{% endfor %}"
        + last
        + "{% endif %}<|im_end|>\n"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


def _name(text: str) -> str:
    return text.replace("NAME", "{{ c.name }}").replace("ARGS", "{{ c.arguments | tojson }}")


_JSON = '{"name": "NAME", "arguments": ARGS}'
_LOOK = '{"at": "Zürich", "size": 3}'
_FIND = '{"at": "x", "size": 4}'


def _both(form: str, between: str = "", first: str = "", last: str = "") -> dict:
    """A call and two of them, by the ``form`` of one."""
    one = form.replace("NAME", "look").replace("ARGS", _LOOK)
    other = form.replace("NAME", "find").replace("ARGS", _FIND)
    return {"output": first + one + last, "two": first + one + between + other + last}


def _joined(form: str, between: str) -> str:
    return "{% if not loop.first %}" + between + "{% endif %}" + _name(form)


def _tagged(name: str, key: str, value: str, behind: str, end: str) -> str:
    """Jinja for arguments between tags."""
    return (
        name.replace("NAME", "{{ c.name }}")
        + "{% for k, v in c.arguments.items() %}"
        + key
        + "{{ k }}"
        + value
        + "{{ v if v is string else v | tojson }}"
        + behind
        + "{% endfor %}"
        + end
    )


def _tags(
    name: str, key: str, value: str, behind: str, end: str, between: str, first: str = "", last: str = ""
) -> dict:
    def one(called: str, at: str, size: str) -> str:
        return (
            name.replace("NAME", called) + f"{key}at{value}{at}{behind}{key}size{value}{size}{behind}" + end
        )

    look, find = one("look", "Zürich", "3"), one("find", "x", "4")
    return {"output": first + look + last, "two": first + look + between + find + last}


_NL = "{{ '\\n' }}"

FAMILIES = {
    "hermes": Family(
        chatml(_joined("<tool_call>\n" + _JSON + "\n</tool_call>", _NL)),
        ("<tool_call>", "</tool_call>"),
        **_both("<tool_call>\n" + _JSON + "\n</tool_call>", "\n"),
        malformed='<tool_call>\n{"name": "look", "arguments": {"at": }}\n</tool_call>',
    ),
    "hermes-strings": Family(  # arguments must be text
        chatml(
            "<tool_call>" + '{"name": "{{ c.name }}", "arguments": {{ c.arguments + "" }}}' + "</tool_call>"
        ),
        ("<tool_call>", "</tool_call>"),
        **_both("<tool_call>" + _JSON + "</tool_call>"),
        malformed='<tool_call>{"name": "look", "arguments": [1}]</tool_call>',
    ),
    "qwen3-coder": Family(
        chatml(
            _tagged(
                "<tool_call>" + _NL + "<function=NAME>" + _NL,
                "<parameter=",
                ">" + _NL,
                _NL + "</parameter>" + _NL,
                "</function>" + _NL + "</tool_call>" + _NL,
            )
        ),
        ("<tool_call>", "</tool_call>"),
        **_tags(
            "<tool_call>\n<function=NAME>\n",
            "<parameter=",
            ">\n",
            "\n</parameter>\n",
            "</function>\n</tool_call>\n",
            "",
        ),
        malformed="<tool_call>\n<function=look>\n<parameter=at>\nhere\n</function>\n</tool_call>",
        forced=False,
    ),
    "llama3": Family(
        "{{ bos_token }}{% if tools %}{% for t in tools %}{{ t | tojson }}{% endfor %}{% endif %}{% for m in messages %}"
        "<|start_header_id|>{{ 'ipython' if m.role == 'tool' else m.role }}<|end_header_id|>\n\n"
        "{% if m.tool_calls %}{% if m.tool_calls | length != 1 %}{{ raise_exception('only one call at once') }}{% endif %}{% set c = m.tool_calls[0].function %}"
        + _name('{"name": "NAME", "parameters": ARGS}')
        + "{% else %}{{ m.content }}{% endif %}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>", "<|python_tag|>"),
        **_both('{"name": "NAME", "parameters": ARGS}', "; "),
        end="<|eot_id|>",
    ),
    "llama3-python-tag": Family(
        "{{ bos_token }}{% if tools %}{% for t in tools %}{{ t | tojson }}{% endfor %}{% endif %}{% for m in messages %}"
        "<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
        "{% if m.tool_calls %}{% set c = m.tool_calls[0].function %}"
        + _name('<|python_tag|>{"name": "NAME", "parameters": ARGS}')
        + "{% else %}{{ m.content }}{% endif %}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>", "<|python_tag|>"),
        **_both('{"name": "NAME", "parameters": ARGS}', "; ", "<|python_tag|>"),
        end="<|eot_id|>",
        malformed='<|python_tag|>{"name": "look", "parameters": {"at" "it"}}',
    ),
    "mistral-nemo": Family(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{% if loop.last and tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}[INST]{{ m.content }}[/INST]"
        "{% elif m.tool_calls %}[TOOL_CALLS][{% for t in m.tool_calls %}{% if t.id | length != 9 %}{{ raise_exception('ids of nine letters') }}{% endif %}"
        + '{% set c = t.function %}{{ ", " if not loop.first }}{"name": "{{ c.name }}", "arguments": {{ c.arguments | tojson }}, "id": "{{ t.id }}"}{% endfor %}]{{ eos_token }}'
        "{% elif m.role == 'tool' %}[TOOL_RESULTS]{{ m.content }}[/TOOL_RESULTS]{% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}",
        (
            "[INST]",
            "[/INST]",
            "[AVAILABLE_TOOLS]",
            "[/AVAILABLE_TOOLS]",
            "[TOOL_CALLS]",
            "[TOOL_RESULTS]",
            "[/TOOL_RESULTS]",
        ),
        **_both('{"name": "NAME", "arguments": ARGS, "id": "a1b2c3d4e"}', ", ", "[TOOL_CALLS][", "]"),
        end="</s>",
        malformed='[TOOL_CALLS][{"name": "look", "arguments": {"at": "it}}]',
    ),
    "mistral": Family(
        "{{ bos_token }}{% if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]"
        "{% elif m.role == 'tool' %}[TOOL_RESULTS]{{ m.content }}[/TOOL_RESULTS]{% else %}{{ m.content }}{% for t in m.tool_calls or [] %}{% set c = t.function %}"
        + _name("[TOOL_CALLS]NAME[ARGS]ARGS").replace("[{{ c.arguments | tojson }}]", "[ARGS]")
        + "{% endfor %}{{ eos_token }}{% endif %}{% endfor %}",
        (
            "[INST]",
            "[/INST]",
            "[AVAILABLE_TOOLS]",
            "[/AVAILABLE_TOOLS]",
            "[TOOL_CALLS]",
            "[ARGS]",
            "[TOOL_RESULTS]",
            "[/TOOL_RESULTS]",
        ),
        output="[TOOL_CALLS]look[ARGS]" + _LOOK,
        two="[TOOL_CALLS]look[ARGS]" + _LOOK + "[TOOL_CALLS]find[ARGS]" + _FIND,
        end="</s>",
        malformed='[TOOL_CALLS]look[ARGS]{"at": it}',
    ),
    "gpt-oss": Family(
        "{% for m in messages %}{% if m.role == 'assistant' %}{% if m.tool_calls %}{% set c = m.tool_calls[0].function %}<|start|>assistant to=functions.{{ c.name }}<|channel|>commentary json<|message|>{{ c.arguments | tojson }}<|call|>"
        "{% else %}<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|end|>{% endif %}"
        "{% elif m.role == 'tool' %}<|start|>functions.{{ m.name }} to=assistant<|channel|>commentary<|message|>{{ m.content }}<|end|>"
        "{% else %}<|start|>{{ m.role }}<|message|>{% if tools and loop.first %}{{ tools | tojson }}{% endif %}{{ m.content }}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}",
        ("<|start|>", "<|message|>", "<|channel|>", "<|end|>", "<|call|>", "<|return|>", "<|constrain|>"),
        output="<|channel|>commentary to=functions.look <|constrain|>json<|message|>" + _LOOK + "<|call|>",
        two="<|channel|>commentary to=functions.look <|constrain|>json<|message|>"
        + _LOOK
        + "<|end|><|start|>assistant to=functions.find<|channel|>commentary json<|message|>"
        + _FIND
        + "<|call|>",
        end="<|call|>",
        forced=False,
    ),
    "granite-3": Family(  # its template says nothing of calls
        "{% if tools %}<|start_of_role|>available_tools<|end_of_role|>{{ tools | tojson(indent=4) }}<|end_of_text|>\n{% endif %}{% for m in messages %}"
        "<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content }}<|end_of_text|>\n{% endfor %}{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"
        "{# The model answers with <|tool_call|> #}",
        ("<|start_of_role|>", "<|end_of_role|>", "<|tool_call|>", "<|end_of_text|>"),
        **_both(_JSON, ", ", "<|tool_call|>[", "]"),
        end="<|end_of_text|>",
        malformed='<|tool_call|>[{"name": 5}]',
    ),
    "deepseek-3": Family(
        "{{ bos_token }}{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}{% if m.role == 'user' %}<｜User｜>{{ m.content }}{% elif m.role == 'tool' %}<｜tool▁output▁begin｜>{{ m.content }}<｜tool▁output▁end｜>"
        "{% else %}<｜Assistant｜>{{ m.content }}{% if m.tool_calls %}<｜tool▁calls▁begin｜>{% for t in m.tool_calls %}<｜tool▁call▁begin｜>{{ t.type }}<｜tool▁sep｜>{{ t.function.name }}\n```json\n{{ t.function.arguments | tojson }}\n```<｜tool▁call▁end｜>{% endfor %}<｜tool▁calls▁end｜>{% endif %}{{ eos_token }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<｜Assistant｜>{% endif %}",
        (
            "<｜User｜>",
            "<｜Assistant｜>",
            "<｜tool▁calls▁begin｜>",
            "<｜tool▁call▁begin｜>",
            "<｜tool▁sep｜>",
            "<｜tool▁call▁end｜>",
            "<｜tool▁calls▁end｜>",
        ),
        **_both(
            "<｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME\n```json\nARGS\n```<｜tool▁call▁end｜>",
            "",
            "<｜tool▁calls▁begin｜>",
            "<｜tool▁calls▁end｜>",
        ),
        end="</s>",
        malformed='<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>look\n```json\n{"at" 1}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    ),
    "deepseek-3.1": Family(
        "{{ bos_token }}{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}{% if m.role == 'user' %}<｜User｜>{{ m.content }}{% elif m.role == 'tool' %}<｜tool▁output▁begin｜>{{ m.content }}<｜tool▁output▁end｜>"
        "{% else %}<｜Assistant｜>{{ m.content }}{% if m.tool_calls %}<｜tool▁calls▁begin｜>{% for t in m.tool_calls %}<｜tool▁call▁begin｜>{{ t.function.name }}<｜tool▁sep｜>{{ t.function.arguments | tojson }}<｜tool▁call▁end｜>{% endfor %}<｜tool▁calls▁end｜>{% endif %}{{ eos_token }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<｜Assistant｜>{% endif %}",
        (
            "<｜User｜>",
            "<｜Assistant｜>",
            "<｜tool▁calls▁begin｜>",
            "<｜tool▁call▁begin｜>",
            "<｜tool▁sep｜>",
            "<｜tool▁call▁end｜>",
            "<｜tool▁calls▁end｜>",
        ),
        **_both(
            "<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>ARGS<｜tool▁call▁end｜>",
            "",
            "<｜tool▁calls▁begin｜>",
            "<｜tool▁calls▁end｜>",
        ),
        end="</s>",
        malformed='<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>look<｜tool▁sep｜>{"at" 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    ),
    "kimi-k2": Family(
        chatml(
            "<|tool_call_begin|>functions.{{ c.name }}:{{ loop.index0 }}<|tool_call_argument_begin|>{{ c.arguments | tojson }}<|tool_call_end|>",
            first="<|tool_calls_section_begin|>",
            last="<|tool_calls_section_end|>",
        ),
        (
            "<|tool_calls_section_begin|>",
            "<|tool_calls_section_end|>",
            "<|tool_call_begin|>",
            "<|tool_call_end|>",
            "<|tool_call_argument_begin|>",
        ),
        **_both(
            "<|tool_call_begin|>functions.NAME:0<|tool_call_argument_begin|>ARGS<|tool_call_end|>",
            "",
            "<|tool_calls_section_begin|>",
            "<|tool_calls_section_end|>",
        ),
        malformed='<|tool_calls_section_begin|><|tool_call_begin|>functions.look:0<|tool_call_argument_begin|>{"at"}<|tool_call_end|><|tool_calls_section_end|>',
    ),
    "glm": Family(
        chatml(
            _tagged(
                "<tool_call>NAME" + _NL,
                "<arg_key>",
                "</arg_key>" + _NL + "<arg_value>",
                "</arg_value>" + _NL,
                "</tool_call>",
            )
        ),
        ("<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"),
        **_tags(
            "<tool_call>NAME\n",
            "<arg_key>",
            "</arg_key>\n<arg_value>",
            "</arg_value>\n",
            "</tool_call>",
            "\n",
        ),
        malformed="<tool_call>look\n<arg_key>at</arg_key>\n<arg_value>here</tool_call>",
        forced=False,
    ),
    "minimax": Family(
        chatml(
            _tagged(
                '<invoke name="NAME">' + _NL,
                '<parameter name="',
                '">',
                "</parameter>" + _NL,
                "</invoke>" + _NL,
            ),
            first="<minimax:tool_call>" + _NL,
            last="</minimax:tool_call>",
        ),
        ("<minimax:tool_call>", "</minimax:tool_call>"),
        **_tags(
            '<invoke name="NAME">\n',
            '<parameter name="',
            '">',
            "</parameter>\n",
            "</invoke>",
            "\n",
            "<minimax:tool_call>\n",
            "\n</minimax:tool_call>",
        ),
        malformed='<minimax:tool_call>\n<invoke name="look">\n<parameter name="at">here</invoke>\n</minimax:tool_call>',
        forced=False,
    ),
    "gemma-4": Family(
        "{{ bos_token }}{% macro value(v) %}{% if v is string %}<|\"|>{{ v }}<|\"|>{% elif v is mapping %}{ {%- for k, e in v.items() %}{{ ',' if not loop.first }}{{ k }}:{{ value(e) }}{% endfor -%} }{% elif v is iterable %}[{% for e in v %}{{ ',' if not loop.first }}{{ value(e) }}{% endfor %}]{% else %}{{ v | tojson }}{% endif %}{% endmacro %}"
        "{% if tools %}<|turn>system\n{{ tools | tojson }}<turn|>\n{% endif %}{% for m in messages %}<|turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content }}"
        "{% for t in m.tool_calls or [] %}<|tool_call>call:{{ t.function.name }}{{ value(t.function.arguments) }}<tool_call|>{% endfor %}<turn|>\n{% endfor %}{% if add_generation_prompt %}<|turn>model\n{% endif %}",
        ("<|turn>", "<turn|>", "<|tool_call>", "<tool_call|>", '<|"|>', "<|channel>", "<channel|>"),
        output='<|tool_call>call:look{at:<|"|>Zürich<|"|>,size:3}<tool_call|>',
        two='<|tool_call>call:look{at:<|"|>Zürich<|"|>,size:3}<tool_call|><|tool_call>call:find{at:<|"|>x<|"|>,size:4}<tool_call|>',
        end="<turn|>",
        malformed='<|tool_call>call:look{at:<|"|>Zürich<|"|>,size}<tool_call|>',
        forced=False,
    ),
    "lfm2": Family(
        chatml(
            "{{ c.name }}({% for k, v in c.arguments.items() %}{{ ', ' if not loop.first }}{{ k }}={{ v | tojson }}{% endfor %}){{ ', ' if not loop.last }}",
            first="<|tool_call_start|>[",
            last="]<|tool_call_end|>",
        ),
        ("<|tool_call_start|>", "<|tool_call_end|>"),
        output='<|tool_call_start|>[look(at="Zürich", size=3)]<|tool_call_end|>',
        two="<|tool_call_start|>[look(at='Zürich', size=3), find(at='x', size=4)]<|tool_call_end|>",
        malformed="<|tool_call_start|>[look('Zürich')]<|tool_call_end|>",
        forced=False,
    ),
    "command-r": Family(
        chatml(
            '{{ "," if not loop.first }}\n    {"tool_call_id": "{{ loop.index0 }}", "tool_name": "{{ c.name }}", "parameters": {{ c.arguments | tojson }}}',
            first="<|START_ACTION|>[",
            last="\n]<|END_ACTION|>",
        ),
        ("<|START_ACTION|>", "<|END_ACTION|>"),
        **_both(
            '\n    {"tool_call_id": "0", "tool_name": "NAME", "parameters": ARGS}',
            ",",
            "<|START_ACTION|>[",
            "\n]<|END_ACTION|>",
        ),
        malformed='<|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "look", "parameters": [}\n]<|END_ACTION|>',
    ),
    "nemotron": Family(
        chatml(_joined(_JSON, ", "), first="<TOOLCALL>[", last="]</TOOLCALL>"),
        ("<TOOLCALL>", "</TOOLCALL>"),
        **_both(_JSON, ", ", "<TOOLCALL>[", "]</TOOLCALL>"),
        malformed='<TOOLCALL>[{"name": "look", "arguments": {"at": "it"]]</TOOLCALL>',
    ),
    "apertus": Family(
        chatml(_joined('{"NAME": ARGS}', ", "), first="<|tools_prefix|>[", last="]<|tools_suffix|>"),
        ("<|tools_prefix|>", "<|tools_suffix|>"),
        **_both('{"NAME": ARGS}', ", ", "<|tools_prefix|>[", "]<|tools_suffix|>"),
        malformed='<|tools_prefix|>[{"look": 5}]<|tools_suffix|>',
    ),
    "functionary": Family(
        chatml("<function={{ c.name }}>{{ c.arguments | tojson }}</function>"),
        (),
        **_both("<function=NAME>ARGS</function>"),
        malformed='<function=look>{"at": it}</function>',
    ),
    "dsml": Family(
        chatml(
            '<｜DSML｜invoke name="{{ c.name }}">'
            + _NL
            + "{% for k, v in c.arguments.items() %}<｜DSML｜parameter name=\"{{ k }}\" string=\"{{ 'true' if v is string else 'false' }}\">{{ v if v is string else v | tojson }}</｜DSML｜parameter>"
            + _NL
            + "{% endfor %}</｜DSML｜invoke>"
            + _NL,
            first="<｜DSML｜function_calls>" + _NL,
            last="</｜DSML｜function_calls>",
        ),
        ("<｜DSML｜",),
        output='<｜DSML｜function_calls>\n<｜DSML｜invoke name="look">\n<｜DSML｜parameter name="at" string="true">Zürich</｜DSML｜parameter>\n<｜DSML｜parameter name="size" string="false">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>',
        two='<｜DSML｜function_calls>\n<｜DSML｜invoke name="look">\n<｜DSML｜parameter name="at" string="true">Zürich</｜DSML｜parameter>\n<｜DSML｜parameter name="size" string="false">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n<｜DSML｜invoke name="find">\n<｜DSML｜parameter name="at" string="true">x</｜DSML｜parameter>\n<｜DSML｜parameter name="size" string="false">4</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>',
        malformed='<｜DSML｜function_calls>\n<｜DSML｜invoke name="look">\n<｜DSML｜parameter name="at" string="true">here</｜DSML｜invoke>\n</｜DSML｜function_calls>',
        forced=False,
    ),
}

MENTIONS = {
    "hermes": "Write <tool_call> before a call, and </tool_call> behind it.",
    "qwen3-coder": "The tags <function= and <tool_call> begin one.",
    "llama3": '{"colour": "red"} is an object, {"name": "Bob"} another.',
    "mistral": "A call begins with [TOOL_CALLS] there.",
    "glm": "A <tool_call> is what it is called.",
    "functionary": "It begins with <function= and a name.",
    "minimax": "See <invoke name= and the like.",
}
