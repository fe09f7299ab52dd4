"""Prompt, text and prompt speech → speech tokens: a Llama, decoded in fixed shapes.

config.py      the sizes, as the checkpoint says      weights.py     its tensors, each to its place
audio.py       the ids that may follow                rope.py        rotary positions
cache.py       keys and values of all rows            attention.py   over a prompt, or over the cache by blocks
products.py    products with a matrix, laid out for a CPU
layer.py       attention and SwiGLU                   llama.py       all layers: prefill, decode, logits
choices.py     drawing by each row's own numbers      sampling.py    which token comes next
job.py         what a row is given                    decoder.py     rows that join and leave
history.py     what is prompted with, over segments
"""
