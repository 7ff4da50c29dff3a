"""The only door to ``llama_cpp``: model, context, sampler chain and llama.cpp's log."""

import os

from trchat.llama.spinning import limit_spinning

limit_spinning(os.environ)
