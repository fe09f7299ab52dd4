from __future__ import annotations

import asyncio
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bridge.running import Running, running

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = {
    "source": st.text(min_size=1, max_size=5) | JSON,
    "id": st.sampled_from(["1", "2", ""]) | JSON,
    "text": st.text(min_size=1) | JSON,
    "event": st.fixed_dictionaries({"type": st.text(), "data": JSON}) | JSON,
    "voice": st.text() | JSON,
    "seed": st.integers() | JSON,
    "sample_rate": st.integers() | JSON,
    "output_name": st.text() | JSON,
    "metadata": st.dictionaries(st.text(), st.text()) | JSON,
    "expires_at": st.integers() | st.datetimes().map(str) | JSON,
    "other": JSON,
}


BODIES = st.lists(st.fixed_dictionaries({}, optional=FIELDS).map(json.dumps) | st.binary(), min_size=1, max_size=5)


def test_whatever_is_posted_nothing_breaks_and_nothing_is_accepted_in_vain() -> None:
    async def scenario(bridge: Running, bodies: list[str | bytes]) -> None:
        before = len(bridge.records)
        posts = [bridge.post(content=body, headers={"content-type": "application/json"}) for body in bodies]
        answers = await asyncio.gather(*posts)
        assert {answer.status_code for answer in answers} <= {202, 400, 409, 422}
        accepted = {answer.json()["task_id"] for answer in answers if answer.status_code == 202}
        assert accepted <= {request.id for request in bridge.requests}
        assert len(bridge.records) - before <= sum(answer.status_code == 202 for answer in answers)
        for answer in answers:
            assert answer.status_code in (202, 409) or answer.json()["errors"]

    with asyncio.Runner() as runner:
        context = running()
        bridge = runner.run(context.__aenter__())

        @settings(deadline=None)
        @given(BODIES)
        def holds(bodies: list[str | bytes]) -> None:
            runner.run(scenario(bridge, bodies))

        try:
            holds()
        finally:
            runner.run(context.__aexit__(None, None, None))
