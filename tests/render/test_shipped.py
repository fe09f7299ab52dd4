"""The rules that come with it, in configs/events.toml."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import RequestFailed
from streamer.records import Event, FailureCode
from streamer.render.events import Events
from streamer.resources import folder
from streamer.voices import Voices

EVENTS = Events.load(folder("configs") / "events.toml", Voices.load(folder("configs") / "voices.toml"))

ORDER = {
    "order_id": "A20261122001",
    "amount": 328.5,
    "customer": {"name": "王女士", "tier": "VIP"},
    "items": [{"name": "苹果"}, {"name": "<b>手机壳</b>【限时】"}],
}
SHIPMENT = {
    "order_id": "A1001",
    "carrier": "顺丰",
    "tracking_number": "SF1234567890",
    "weight": 2,
    "expected_at": "2026-11-24",
    "courier_phone": "13800138000",
}
TICKET = {
    "ticket_id": "T-1002",
    "opened_at": "2026-11-20T18:30:00Z",
    "answer": "请重启设备\n再试",
    "callback_phone": "400-800-1234",
}
LESSON = {"student": "小明", "lesson": "分数乘法", "score": 93.5, "maximum": 100, "rank": 2, "comment": "很好！"}


def spoken(kind: str, data: dict[str, Any]) -> tuple[str, str | None, bool]:
    return EVENTS.render(Event(type=kind, data=json.dumps(data)), {})[:3]


@pytest.mark.parametrize(
    ("kind", "data", "voice", "text"),
    [
        (
            "order.paid",
            ORDER,
            "vip",
            "王女士好，您的订单A，二零二六，一一二二，零零一已付款三百二十八元五角。"
            "包括苹果和手机壳 限时。感谢您的支持！",
        ),
        (
            "order.paid",
            {"order_id": "7", "amount": "12.00", "currency": "USD"},
            "support",
            "您好，您的订单七已付款十二美元。感谢您的支持！",
        ),
        (
            "order.paid.en",
            {"order_id": "A7", "amount": 1.01, "customer": {"name": "Ada"}},
            "support",
            "Hello Ada. We have received one dollar and one cent for your order A, seven. Thank you!",
        ),
        (
            "order.shipped",
            SHIPMENT,
            "support",
            "您的订单A，一零零一已由顺丰发出，运单号S F，幺二三四，五六七，八九零。包裹重两公斤。"
            "预计十一月二十四日星期二送达。快递员电话：幺三八，零零幺三，八零零零。",
        ),
        (
            "order.shipped.en",
            {**SHIPMENT, "carrier": "DHL"},
            "support",
            "Your order A, one zero zero one has been shipped with DHL. "
            "The tracking number is S F, one two three four, five six seven, eight nine zero. "
            "The parcel weighs two kilograms. It should arrive on Tuesday, November twenty-fourth.",
        ),
        (
            "ticket.answered",
            TICKET,
            "support",
            "您好，您在十一月二十一日提交的工单T，一零零二已有答复。请重启设备再试。如需帮助，请拨打四零零，八零零，幺二三四。",
        ),
        (
            "ticket.answered.en",
            {"ticket_id": 12, "answer": "Please restart it", "priority": "urgent"},
            "manager",
            "Hello. Your ticket one two has an answer: Please restart it.",
        ),
        (
            "lesson.graded",
            LESSON,
            "support",
            "小明同学，你的《分数乘法》得了九十三点五分，正确率百分之九十三点五。太棒了，继续保持！你是班级第二名。老师说：很好！",
        ),
        (
            "lesson.graded.en",
            {"student": "Ada", "lesson": "fractions", "score": 2, "maximum": 3},
            "support",
            "Ada, you have two of three points in fractions, that is sixty-six point seven percent. Well done!",
        ),
    ],
)
def test_what_they_say(kind: str, data: dict[str, Any], voice: str, text: str) -> None:
    assert spoken(kind, data) == (text, voice, True)


@pytest.mark.parametrize("kind", ["order.paid", "order.paid.en"])
def test_an_order_of_nothing_is_not_told(kind: str) -> None:
    assert spoken(kind, {**ORDER, "amount": 0}) == ("", None, False)


@pytest.mark.parametrize(
    ("kind", "data"),
    [("order.paid", ORDER), ("order.shipped", SHIPMENT), ("ticket.answered", TICKET), ("lesson.graded", LESSON)],
)
def test_a_field_that_they_need_is_named_when_it_is_missing(kind: str, data: dict[str, Any]) -> None:
    for suffix in ("", ".en"):
        missing = []
        for field in data:
            try:
                spoken(kind + suffix, {name: value for name, value in data.items() if name != field})
            except RequestFailed as error:
                assert error.message.startswith(f"data.{field} is missing in {kind}{suffix}, ")
                missing.append(field)
        assert missing


@pytest.mark.parametrize("kind", EVENTS.types)
def test_every_rule_has_a_time_to_live(kind: str) -> None:
    assert (EVENTS.ttl(kind) or 0) >= 3_600


_FIELDS = sorted({*ORDER, *SHIPMENT, *TICKET, *LESSON, "currency", "priority", "tier", "name"})
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_VALUES = st.recursive(
    _SCALARS | st.sampled_from([1, "A1", "2026-11-22", "13800138000", "USD"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=4),
    max_leaves=8,
)


@given(kind=st.sampled_from(EVENTS.types), data=st.dictionaries(st.sampled_from(_FIELDS), _VALUES), whole=st.booleans())
@settings(max_examples=800)
def test_whatever_is_sent_is_text_or_a_template_error(kind: str, data: dict[str, Any], whole: bool) -> None:
    if whole:
        data = {**ORDER, **SHIPMENT, **TICKET, **LESSON, **data}
    event = Event(type=kind, data=json.dumps(data))
    try:
        rendering = EVENTS.render(event, {})
    except RequestFailed as error:
        assert error.code == FailureCode.TEMPLATE_ERROR and error.message.isprintable()
        return
    assert rendering == EVENTS.render(event, {})
    assert bool(rendering.text) == rendering.wanted


@given(st.text(), st.text(max_size=200))
@settings(max_examples=300)
def test_so_is_what_is_no_event_at_all(kind: str, data: str) -> None:
    for each in (kind, "order.paid"):
        with pytest.raises(RequestFailed) as raised:
            EVENTS.render(Event(type=each, data=data), {})
        assert raised.value.code == FailureCode.TEMPLATE_ERROR
