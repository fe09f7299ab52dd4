"""What a decode step of the LLM, or a stretch of an input, does between its matrix products, as few kernels as can be.

base.py                the interface of a step and of a stretch of an input, and the scratch memory that a step works in
plain.py               in torch, for a CPU, and to compare with
triton_step.py         the same on an NVIDIA GPU, of these kernels:
triton_attention.py    attention over live keys alone, in a fixed split
triton_stretch.py      the same of many positions of one row, each over those before it
triton_rotation.py     rotary positions, and new keys and values into the cache
triton_swiglu.py       the gated half of the feed-forward network
triton_norm.py         a sum and its RMS norm

draws.py               the interface of what drawing a token takes
plain_draws.py         in torch
triton_draws.py        on an NVIDIA GPU, of these kernels:
triton_candidates.py   the most likely columns
triton_draw.py         a draw out of all of them

launch.py              what starting a kernel takes
opening.py             which of them a device gets

triton is imported by launch.py and the modules named after it alone, and these only where a GPU is, or where Triton's
interpreter stands in for one.
"""
