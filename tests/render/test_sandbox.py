from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest

from streamer.render.filters import filters
from streamer.render.locale import Locale
from streamer.render.sandbox import MAX_TEXT, RenderFailed, Sandbox, TemplateInvalid
from streamer.render.tree import fields_of

SANDBOX = Sandbox(filters(Locale("zh")), frozenset({"data", "type"}))


def rendered(source: str, data: str = "{}") -> str:
    return SANDBOX.template(source).render({"data": fields_of(data), "type": "order.paid"})


def holds(source: str, data: str = "{}") -> bool:
    return SANDBOX.condition(source).holds({"data": fields_of(data), "type": "order.paid"})


def failure(source: str, data: str = "{}") -> RenderFailed:
    with pytest.raises(RenderFailed) as raised:
        rendered(source, data)
    return raised.value


@pytest.mark.parametrize(
    ("source", "data", "text"),
    [
        ("{{ data.a }} {{ type }}", '{"a": 1.10}', "1.10 order.paid"),
        ("{{ data.order.total }}", '{"order": {"total": 3}}', "3"),
        ("{{ data['order-id'] }}{{ data.a[0] }}{{ data.a[-1] }}", '{"order-id": "x", "a": [1, 2]}', "x12"),
        ("{{ data.items | length }}{{ data.keys }}{{ data.get }}", '{"items": [1], "keys": "k", "get": "g"}', "1kg"),
        ("{{ data.phone[-4:] }}", '{"phone": "13800138000"}', "8000"),
        ("{{ data.a | default('none') }}{{ data.a.b.c | default('none') }}", "{}", "nonenone"),
        ("{{ data.a | default('none') }}", '{"a": null}', "none"),
        ("{% if data.a is defined %}yes{% else %}no{% endif %}", '{"a": null}', "no"),
        (
            "{% for i in data.a %}{{ loop.index }}{{ i.n }}{% if not loop.last %},{% endif %}{% endfor %}",
            '{"a": [{"n": "x"}, {"n": "y"}]}',
            "1x,2y",
        ),
        ("{{ data.a - data.b }} {{ data.a * 0.1 }}", '{"a": 1.10, "b": 0.10}', "1.00 0.110"),
        ("{{ 0.1 + 0.2 }} {{ 7 // 2 }} {{ 7 % 4 }} {{ 1 / 4 }} {{ -3 }}", "{}", "0.3 3 3 0.25 -3"),
        ("{{ (data.a / 3) | money }}", '{"a": 10}', "三元三角三分"),
        ("{% set who = data.a | default('您') %}{{ who }}好", "{}", "您好"),
        ("{{ data.a | map(attribute='n') | series }}", '{"a": [{"n": "x"}, {"n": "y"}]}', "x和y"),
        ("{{ data.a }}", '{"a": "{{ 7 * 7 }}<b>{% if %}"}', "{{ 7 * 7 }}<b>{% if %}"),
        ("{# a comment #}{{ 'VIP' if data.a in ['VIP', 'SVIP'] else 'x' }}", '{"a": "VIP"}', "VIP"),
    ],
)
def test_templates(source: str, data: str, text: str) -> None:
    assert rendered(source, data) == text


@pytest.mark.parametrize(
    ("source", "data", "message", "line"),
    [
        ("{{ data.order.total }}", "{}", "data.order.total is missing", 1),
        ("a\n\n{{ data.total }}", "{}", "data.total is missing", 3),
        ("{{ data.total | money }}", '{"total": null}', "data.total is missing", 1),
        ("{{ 5 | money(data.currency) }}", "{}", "data.currency is missing", 1),
        ("{{ 5 | money(currency=data.currency) }}", "{}", "data.currency is missing", 1),
        ("{{ data.a + 1 }}", "{}", "data.a is missing", 1),
        ("{% if data.a > 1 %}{% endif %}", "{}", "data.a is missing", 1),
        ("{% if data.a %}{% endif %}", "{}", "data.a is missing", 1),
        ("{% if 'x' in data.a %}{% endif %}", "{}", "data.a is missing", 1),
        ("{% if data.a in ['x'] %}{% endif %}", "{}", "data.a is missing", 1),
        ("{% for i in data.a %}{% endfor %}", "{}", "data.a is missing", 1),
        ("{% for i in data.a %}\n{{ i.n }}{% endfor %}", '{"a": [{"n": 1}, {}]}', "data.a[1].n is missing", 2),
        ("{{ data.a[3] }}", '{"a": [1]}', "data.a[3] is missing", 1),
        ("{{ data.a | map(attribute='n') | series }}", '{"a": [{"n": "x"}, {}]}', "data.a[1].n is missing", 1),
        ("{{ data.a.b }}", '{"a": "text"}', "b of 'text' is missing", 1),
        ("{{ data.a.upper }}", '{"a": "text"}', "upper of 'text' is missing", 1),
        ("{{ data.__class__ }}", "{}", "data.__class__ is missing", 1),
    ],
)
def test_what_is_missing_is_named_with_its_path(source: str, data: str, message: str, line: int) -> None:
    failed = failure(source, data)
    assert (str(failed), failed.line, failed.missing) == (message, line, True)


@pytest.mark.parametrize(
    ("source", "data", "message"),
    [
        ("{{ data.a | money }}", '{"a": "much"}', "money: 'much' is no number; send digits, such as 1234.50"),
        ("{{ data.a | date }}", '{"a": "soon"}', "date: 'soon' is no date"),
        ("{{ data.a }}", '{"a": true}', "gives true or false, which cannot be spoken"),
        ("{{ data.a }}", '{"a": {"b": 1}}', "gives a list or an object"),
        ("{{ data.a }}", '{"a": [1]}', "gives a list or an object"),
        ("{{ data }}", "{}", "gives a list or an object"),
        ("{{ data.a | map('money') }}", '{"a": [1]}', "gives a list or an object"),
        ("{{ data.a * 100 }}", '{"a": "x"}', "'x' is no number, so that * cannot take it"),
        ("{{ 'x' * 1000000000 }}", "{}", "'x' is no number"),
        ("{{ [1] * 1000000000 }}", "{}", "is no number"),
        ("{{ '%999999999d' % 1 }}", "{}", "is no number"),
        ("{{ data.a / 0 }}", '{"a": 1}', "Division"),
        ("{% for i in data.a %}{% endfor %}", '{"a": "text"}', "is a text; a loop takes a list"),
        ("{% for i in data.a %}{% endfor %}", '{"a": 5}', "cannot be computed from such data: "),
        ("{% if data.a > 1 %}{% endif %}", '{"a": "5"}', "cannot be computed from such data: "),
    ],
)
def test_what_cannot_be_said_or_computed_is_told(source: str, data: str, message: str) -> None:
    failed = failure(source, data)
    assert message in str(failed)
    assert (failed.line, failed.missing) == (1, False)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ order.total }}", "order is not known; a template sees data, type"),
        ("{{ data.a.upper() }}", "calls a function; use filters"),
        ("{{ range(10) }}", "calls a function"),
        ("{% for i in range(10) %}{% endfor %}", "range is not known"),
        ("{{ 2 ** 1000 }}", "raises to a power"),
        ("{{ 'a' ~ 'b' }}", "joins text with ~"),
        ("{% include 'x' %}", "uses Include"),
        ("{% import 'x' as x %}", "uses Import"),
        ("{% extends 'x' %}", "uses Extends"),
        ("{% macro m() %}{% endmacro %}", "uses Macro"),
        ("{% block b %}{% endblock %}", "uses Block"),
        ("{% set x %}a{% endset %}", "uses AssignBlock"),
        ("{% set x, y = 1, 2 %}", "sets more than one name"),
        ("{% filter money %}1{% endfilter %}", "uses FilterBlock"),
        ("{% for a in data.a %}{% for b in data.b %}{% endfor %}{% endfor %}", "a loop within a loop"),
        ("{{ data.a | center(1000000000) }}", "has no filter center; known are "),
        ("{{ data.a | attr('x') }}", "has no filter attr"),
        ("{{ data.a | format(1) }}", "has no filter format"),
        ("{{ data.a is callable }}", "No test named 'callable'"),
        ("{{ data.a | money(precision=2) }}", "uses money wrongly"),
        ("{{ data.a | money(1, 2, 3) }}", "uses money wrongly"),
        ("{{ data.a | money(*data.b) }}", "by * or **"),
        ("{{ 99999999999999999999 }}", "more than 16 digits"),
        ("{{ 1e999 }}", "more than 16 digits"),
        ("{{ " + "9" * 5_000 + " }}", "cannot be read"),
        ("{{ " + "(" * 4_000 + "1" + ")" * 4_000 + " }}", "cannot be read"),
        ("x" * 20_001, "has 20001 characters"),
        ("{% if %}", "Expected an expression"),
        ("{{ data.a ", "end of"),
        ("{% if data.a %}", "end of"),
    ],
)
def test_what_a_template_must_not_do_is_told_when_it_is_read(source: str, message: str) -> None:
    with pytest.raises(TemplateInvalid) as raised:
        SANDBOX.template(source)
    assert message in str(raised.value)


def test_all_that_is_wrong_is_told_with_its_line() -> None:
    with pytest.raises(TemplateInvalid) as raised:
        SANDBOX.template("{{ order }}\n{{ data.a | nope }}\n{{ data.f() }}")
    assert [line for line, _ in raised.value.problems] == [1, 2, 3]


@pytest.mark.parametrize(
    ("source", "data", "expected"),
    [
        ("data.a > 0", '{"a": 0.01}', True),
        ("data.a > 0", '{"a": 0}', False),
        ("data.a == 0.1", '{"a": 0.1}', True),
        ("data.a > 0.1", '{"a": 0.1}', False),
        ("data.a == 'VIP' or data.b", '{"a": "x", "b": true}', True),
        ("data.a is defined and data.a > 5", "{}", False),
        ("data.a is not defined", "{}", True),
        ("data.a | default('') == 'VIP'", "{}", False),
        ("data.items | length > 1", '{"items": [1, 2]}', True),
        ("type == 'order.paid'", "{}", True),
        ("not data.a", '{"a": false}', True),
    ],
)
def test_conditions(source: str, data: str, expected: bool) -> None:
    assert holds(source, data) is expected


@pytest.mark.parametrize(
    ("source", "data", "message"),
    [
        ("data.a > 0", "{}", "data.a is missing"),
        ("data.a", "{}", "data.a is missing"),
        ("data.a", '{"a": "false"}', "gives 'false', not true or false; compare it"),
        ("data.a", '{"a": 1}', "gives '1', not true or false"),
        ("data.a > 0", '{"a": "1"}', "cannot be computed from such data: "),
    ],
)
def test_a_condition_that_cannot_be_judged_fails(source: str, data: str, message: str) -> None:
    with pytest.raises(RenderFailed) as raised:
        holds(source, data)
    assert message in str(raised.value)


@pytest.mark.parametrize("source", ["", "data.a %}x{% if true", "data.a }}{{ data.b", "data.a data.b", "f()", "x"])
def test_what_is_no_condition_is_told(source: str) -> None:
    with pytest.raises(TemplateInvalid):
        SANDBOX.condition(source)


def test_the_text_is_cut_off_as_it_grows() -> None:
    long = "{% for i in data.a %}" + "x" * 1_000 + "{% endfor %}"
    data = '{"a": [' + ",".join("1" * 200) + "]}"
    assert f"longer than {MAX_TEXT} characters" in str(failure(long, data))


@pytest.mark.parametrize("source", ["{{ data.a | length }}", "{% for i in data.a %}{% endfor %}", "{{ data.a[0] }}"])
def test_a_list_that_nobody_would_listen_to_is_refused(source: str) -> None:
    assert "data.a has 201 entries; send at most 200" in str(failure(source, '{"a": [' + ",".join("1" * 201) + "]}"))


def test_so_is_an_object_with_more_fields_than_a_loop_takes() -> None:
    fields = ",".join(f'"f{number}": 1' for number in range(201))
    assert "the loop has more than 200 entries" in str(failure("{% for i in data %}{% endfor %}", f"{{{fields}}}"))


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("{% for i in data.a %}{% if data.a | series == i %}{% endif %}{% endfor %}", ["x" * 300] * 200),
        ("{% for i in data.a %}{{ i | spoken }}{% endfor %}", ["<a" * 150] * 200),
        ("{% for i in data.a %}{% if data.b | spoken == i %}{% endif %}{% endfor %}", ["x"] * 200),
        ("{{ data.c * data.c * data.c | default(1) }}", []),
    ],
)
def test_the_worst_that_data_can_do_to_a_template_ends_soon(source: str, data: Any) -> None:
    entries = ",".join(f'"{entry}"' for entry in data)
    begun = time.process_time()
    with contextlib.suppress(RenderFailed):
        rendered(source, f'{{"a": [{entries}], "b": "{"&lt;" * 490}", "c": 1e300000}}')
    assert time.process_time() - begun < 10
