"""From the configuration to an engine; the engines themselves have tests of their own."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from streamer.clock import ManualClock
from streamer.engines.opening import open_engine
from streamer.errors import ConfigurationError
from streamer.settings import EngineChoice, Glm

GLM = EngineChoice(name="glm", glm=Glm(checkpoint="/srv/glm"))


def failing(monkeypatch: pytest.MonkeyPatch, error: ImportError) -> None:
    """The engine's module is there, and opening it meets `error`."""

    def open_glm(*arguments: object) -> None:
        raise error

    module = ModuleType("streamer.engines.glm.opening")
    monkeypatch.setattr(module, "open_glm", open_glm, raising=False)
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.parametrize("name", ["torch", "torch._C", "tn.chinese", None])
def test_a_library_that_is_missing_is_told_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    failing(monkeypatch, ImportError(f"No module named {name!r}", name=name))
    with pytest.raises(ConfigurationError) as raised:
        open_engine(GLM, ManualClock())
    assert raised.value.exit_code == 2
    (problem,) = raised.value.problems
    assert "pip install 'streamer[glm]'" in problem
    assert repr(name) in problem


def test_a_module_of_ours_that_is_missing_is_no_matter_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, ImportError("cannot import name 'x'", name="streamer.engines.base"))
    with pytest.raises(ImportError, match="cannot import name"):
        open_engine(GLM, ManualClock())
