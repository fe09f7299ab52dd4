from __future__ import annotations

import msgspec
import pytest

from streamer.records import FailureCode
from streamer.worker.redrive.choice import NEVER, Choice
from tests.downstream.test_follow import LOST

FAILED = msgspec.structs.replace(LOST, source="shop", id="a", code="template_error", failed_at=1_000)


@pytest.mark.parametrize(
    ("choice", "matches"),
    [
        (Choice(), True),
        (Choice(codes=frozenset({"template_error", "expired"})), True),
        (Choice(codes=frozenset({"expired"})), False),
        (Choice(id="a"), True),
        (Choice(id="b"), False),
        (Choice(id="a", source="shop"), True),
        (Choice(id="a", source="other"), False),
        (Choice(since=1_000), True),
        (Choice(since=1_001), False),
        (Choice(codes=frozenset({"template_error"}), since=1_001), False),
        (Choice(codes=frozenset({"template_error"}), id="a", source="shop", since=0), True),
    ],
)
def test_each_narrows_it(choice: Choice, matches: bool) -> None:
    assert choice.matches(FAILED) is matches


@pytest.mark.parametrize("code", FailureCode)
@pytest.mark.parametrize("choice", [Choice(), Choice(since=0), Choice(codes=frozenset(FailureCode)), Choice(id="a")])
def test_which_codes_are_taken(choice: Choice, code: FailureCode) -> None:
    named = bool(choice.codes) or choice.id is not None
    taken = code not in NEVER and (code.retryable or named)
    assert (choice.refuses(code) is None) is taken


def test_a_code_of_a_later_version_has_to_be_named() -> None:
    assert Choice().refuses("unheard_of") is not None
    assert Choice(id="a").refuses("unheard_of") is None
