"""The sizes of the flow, as its config.yaml says."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Size = Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]

POSITION_GROUPS = 16
"""Groups of the position convolution's channels."""
SPEAKER = 192
"""Length of a speaker vector."""


class FlowConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of config.yaml; what a file leaves out has the value with which the official weights load.

    The three switches choose between networks, of which only one is here. Errors: ValueError that names the field.
    """

    spkr_emb_adaLN: bool = True
    """The speaker vector joins the time in every adaptive norm."""
    speech_token_cfg: bool = False
    """Whether the unconditional half loses its tokens too."""
    remove_spkr_concat_condition: bool = True
    """Whether the speaker vector is left out of what each frame is made of."""
    t_scheduler: Literal["cosine"] = "cosine"
    input_frame_rate: Literal[25] = 25
    """Tokens a second."""
    mel_framerate: Literal[50] = 50
    """Frames a second; the vocoders' hop is fixed to it."""
    inference_cfg_rate: float = 0.7
    """How far the velocity is pushed away from the unconditional one."""
    mel_dim: Size = 80
    speech_token_dim: Size = 512
    vocab_size: Size = 100_000
    """Tokens; the embedding has a row more."""
    trans_dim: Size = 768
    depth: Size = 18
    heads: Size = 12
    dim_head: Size = 64
    ff_mult: Size = 2
    conv_layers: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)] = 4

    def __post_init__(self) -> None:
        for field, supported in _SWITCHES.items():
            value = getattr(self, field)
            if value is not supported:
                raise ValueError(f"`{field}` is {value}; only {supported} is supported")
        for field, factor in (("speech_token_dim", 2), ("dim_head", 2), ("trans_dim", POSITION_GROUPS)):
            value = getattr(self, field)
            if value % factor:
                raise ValueError(f"`{field}` is {value}, which is no multiple of {factor}")


_SWITCHES = {"spkr_emb_adaLN": True, "speech_token_cfg": False, "remove_spkr_concat_condition": True}
