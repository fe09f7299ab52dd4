from __future__ import annotations

from streamer.worker.redrive.assessor import Fate
from streamer.worker.redrive.report import Report


def test_by_code_and_reason_the_most_frequent_first() -> None:
    report = Report()
    assert list(report.lines(dry=True)) == []
    report.add("expired", Fate.LEFT, "too late", "shop/e")
    for number in range(3):
        report.add("template_error", Fate.LEFT, "already", f"shop/l{number}")
    report.add("template_error", Fate.LEFT, "deleted", "shop/d")
    report.add("template_error", Fate.SEND, "", "shop/s")
    report.add("template_error", Fate.LOST, "gone", "shop/g")
    assert list(report.lines(dry=False)) == [
        "template_error: 1 sent, first shop/s",
        "template_error: 3 left (already), first shop/l0",
        "template_error: 1 left (deleted), first shop/d",
        "template_error: 1 lost (gone), first shop/g",
        "expired: 1 left (too late), first shop/e",
    ]
    assert next(report.lines(dry=True)) == "template_error: 1 to send, first shop/s"
    assert [report.total(fate) for fate in Fate] == [1, 5, 1, 0]
