"""Prompt, text and prompt speech → speech tokens: a Llama, decoded in fixed shapes.

config.py      the sizes, as the checkpoint says      weights.py     its tensors, each to its place
audio.py       the ids that may follow                rope.py        rotary positions
cache.py       keys and values of all rows            attention.py   over an input
products.py    with a matrix, laid out for a CPU      layer.py       attention and SwiGLU
llama.py       all layers: an input, logits           stretches.py   an input, captured on a GPU
step.py        all rows, one token further            rooms.py       what those two are computed in
choices.py     drawing by each row's own numbers      sampling.py    which token comes next
rows.py        what each row stands at                decoder.py     rows that join and leave
job.py         what a row is given                    history.py     what is prompted with, over segments
"""
