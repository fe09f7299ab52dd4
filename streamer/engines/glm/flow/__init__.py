"""Speech tokens → mel: a diffusion transformer that carries noise to a mel in a few Euler steps.

    config.py      the sizes, from flow/config.yaml
    frames.py      how many frames tokens make, and which token each frame belongs to
    job.py         one utterance to be flowed, and a fixed batch of them
    time_step.py   where between noise and mel a step stands, as a vector
    tokens.py      the token embedding: ConvNeXt-V2 blocks over all frames of an utterance
    inputs.py      state, condition and tokens of a frame become one vector, with its position
    attention.py   attention with rotary positions on the first head
    block.py       the transformer block, its adaptive norms, and the last layer
    estimator.py   all of them: the velocity at one moment
    flow.py        the estimator with the weights of a checkpoint
    lane.py        rows that are computed in one batch, from noise to mel
    run.py         the Euler steps of some jobs, one at a time

Attributes of modules are named after the keys of the checkpoint. Every module takes batches whose rows are padded to
one number of frames; a frame after a row's end never reaches one before it.
"""
