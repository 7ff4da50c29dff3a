"""Each setting in a line, for the list of settings."""

EXPLAINED = {
    "model": "the model that answers",
    "system": "the system prompt: how the model is to answer, in every conversation that has none of its own",
    "ctx": "context size in tokens: how much of the conversation the model sees; more takes more memory",
    "threads": "CPU threads; as many as there are physical cores is usually fastest",
    "gpu_layers": "how many of the model's layers run on the GPU",
    "cache_type": "precision of the KV cache; q8_0 takes half the memory of f16",
    "flash_attn": "flash attention; auto turns it on where it suits model and machine",
    "draft": "how tokens are guessed ahead; changes the speed, never the answer",
    "think": "whether, and how long, the model thinks before it answers; auto leaves that to the model",
    "think_budget": "longest thinking in tokens; not set, there is no limit",
    "template_arg": "variables for the chat template, by name, as a JSON object",
    "template": "chat template: a Jinja file or chatml, where the model's own does not work",
    "temp": "temperature: 0 always takes the likeliest token, higher values vary more",
    "top_k": "choose among this many of the likeliest tokens only; 0 turns it off",
    "top_p": "choose among the likeliest tokens that together make up this probability; 1 turns it off",
    "min_p": "leave out tokens less likely than this part of the likeliest one; 0 turns it off",
    "repeat_penalty": "make tokens that were used lately less likely; 1 turns it off",
    "seed": "the same seed gives the same answer to the same question; not set, it is random",
    "max_tokens": "longest answer in tokens; not set, it is what the context leaves",
    "theme": "the colors of the full-screen chat",
}
