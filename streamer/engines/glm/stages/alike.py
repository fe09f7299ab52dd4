"""Whether the rows of a batch are rounded alike: or else a request would be other bytes in another place of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from streamer.errors import ConfigurationError


def check_alike(made: Sequence[Tensor], key: str) -> None:
    """`made`: of one and the same piece in every row of a batch. `key`: of [engine.glm], how many rows there are.

    Errors: ConfigurationError where they differ by a bit.
    """
    if not all(torch.equal(one, made[0]) for one in made):
        raise ConfigurationError(
            [
                f"engine.glm.{key} of which a batch has {len(made)}: this device rounds a row by its place in such a "
                f"batch, so that speech would depend on its neighbours; use a smaller number, 1 in any case"
            ]
        )
