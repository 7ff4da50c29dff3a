"""The only door to ``llama_cpp``: model, context, sampler chain and llama.cpp's log."""
