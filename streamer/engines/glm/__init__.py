"""GLM-TTS in this process: text → LLM → flow DiT → vocoder, every stage in batches.

    text/        a text becomes segments of token ids
    voice/       a prompt's sound becomes speech tokens, a speaker vector and a mel
    llm/         text and prompt become speech tokens, 25 a second
    flow/        speech tokens become a mel, 50 frames a second
    vocoder/     a mel becomes samples
    checkpoint/  the official folder of weights: read, checked, fetched, or made tiny

Written from a description of the public reference (zai-org/GLM-TTS, commit c5dc7ae) and held to arrays of its stages
(tests/golden). torch is imported here and nowhere else; this package's own `__init__` imports nothing, so that an
installation without the extra `glm` can look at it.
"""
