from __future__ import annotations

from pathlib import Path

import pytest

from streamer.errors import ConfigurationError, RequestFailed
from streamer.records import Event, FailureCode
from streamer.render.events import Events, Rendering
from streamer.voices import Voice, Voices

VOICES = Voices({"support": Voice(name="support"), "vip": Voice(name="vip")}, "support")


def load(tmp_path: Path, text: str) -> Events:
    file = tmp_path / "events.toml"
    file.write_text(text, encoding="utf-8")
    return Events.load(file, VOICES)


def problems(tmp_path: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as raised:
        load(tmp_path, text)
    prefix = f"events.file {tmp_path / 'events.toml'}"
    assert all(problem.startswith(prefix) for problem in raised.value.problems)
    return tuple(problem.removeprefix(f"{prefix}, ") for problem in raised.value.problems)


def render(events: Events, data: str = "{}", kind: str = "a", metadata: dict[str, str] | None = None) -> Rendering:
    return events.render(Event(type=kind, data=data), metadata or {})


def failure(events: Events, data: str = "{}", kind: str = "a") -> str:
    with pytest.raises(RequestFailed) as raised:
        render(events, data, kind)
    assert raised.value.code == FailureCode.TEMPLATE_ERROR
    return raised.value.message


def test_a_template_sees_data_metadata_and_type(tmp_path: Path) -> None:
    events = load(tmp_path, '[events.a]\ntemplate = "{{ data.n }} {{ metadata.shop }} {{ type }}"')
    assert render(events, '{"n": 1.10}', metadata={"shop": "berlin"})[:3] == ("1.10 berlin a", None, True)


def test_it_is_pure(tmp_path: Path) -> None:
    text = '[events.a]\ntemplate = "{{ data.n | money }}"'
    assert render(load(tmp_path, text), '{"n": 1}') == render(load(tmp_path, text), '{"n": 1}')


VOICE_RULES = """
[events.a]
template = "x"
voice = "support"
voices = [
    { when = "data.tier == 'VIP'", voice = "vip" },
    { when = "data.amount > 100", voice = "support" },
    { when = "true", voice = "vip" },
]
"""


@pytest.mark.parametrize(
    ("data", "voice"),
    [('{"tier": "VIP"}', "vip"), ('{"tier": "x", "amount": 101}', "support"), ('{"tier": "x", "amount": 1}', "vip")],
)
def test_the_first_voice_rule_that_holds_decides(tmp_path: Path, data: str, voice: str) -> None:
    assert render(load(tmp_path, VOICE_RULES), data).voice == voice


def test_a_field_that_a_voice_rule_misses_is_told(tmp_path: Path) -> None:
    message = failure(load(tmp_path, VOICE_RULES), '{"tier": "x"}')
    assert message == "data.amount is missing in a, voices 2 line 1; send it, or give it a default there"


def test_what_is_not_wanted_is_not_rendered(tmp_path: Path) -> None:
    events = load(tmp_path, '[events.a]\nwhen = "data.n > 0"\ntemplate = "{{ data.nothing }}"\nvoice = "vip"')
    rendering = render(events, '{"n": 0}')
    assert rendering[:3] == ("", None, False) and rendering.template
    assert failure(events) == "data.n is missing in a, when line 1; send it, or give it a default there"
    assert failure(events, '{"n": 1}').startswith("data.nothing is missing in a, template line 1; ")


def test_failures_name_type_line_and_remedy(tmp_path: Path) -> None:
    events = load(tmp_path, "[events.a]\ntemplate = '''x\n{{ data.order.total | money }}'''")
    assert failure(events) == "data.order.total is missing in a, template line 2; send it, or give it a default there"
    assert failure(events, '{"order": {"total": "x"}}') == (
        "a, template line 2: money: 'x' is no number; send digits, such as 1234.50"
    )
    assert failure(events, "[]") == "a: data is not one JSON object; send the event's fields as {…}"
    assert "there is no rule for 'b'; add one to events.file, or send a" in failure(events, kind="b")
    assert len(failure(events, kind="b" * 5_000)) < 1_001
    assert len(failure(events, '{"order": {"total": "' + "x" * 60_000 + '"}}')) < 1_001


def test_the_text_is_one_clean_line(tmp_path: Path) -> None:
    events = load(tmp_path, "[events.a]\ntemplate = '''\n  您好，\n  {{ data.name }}\n'''")
    assert render(events, '{"name": "a\\u0000\\u200b\\u2028b\\n"}').text == "您好， a b"
    assert render(load(tmp_path, "[events.a]\ntemplate = '{{ data.n }}'"), '{"n": " "}').text == ""


def test_defaults_are_for_rules_that_do_not_choose(tmp_path: Path) -> None:
    events = load(
        tmp_path,
        """
        [defaults]
        language = "en"
        voice = "vip"
        currency = "EUR"
        time_zone = "+02:00"
        ttl = "2h"
        [events.a]
        template = "{{ 3 | money }} {{ '2026-11-22T10:00:00Z' | time }}"
        [events.b]
        language = "zh"
        voice = "support"
        currency = "CNY"
        time_zone = "UTC"
        ttl = 5
        template = "{{ 3 | money }}{{ '2026-11-22T10:00:00Z' | time }}"
        """,
    )
    assert render(events)[:3] == ("three euros noon", "vip", True)
    assert render(events, kind="b")[:3] == ("三元上午十点", "support", True)
    assert (events.ttl("a"), events.ttl("b"), events.ttl("c")) == (7_200.0, 5.0, None)
    assert events.types == ("a", "b")


@pytest.mark.parametrize(
    ("ttl", "seconds"), [('"90s"', 90), ('"30m"', 1_800), ('"2 h"', 7_200), ('"1d"', 86_400), ("0.5", 0.5)]
)
def test_a_time_to_live_is_told_in_seconds(tmp_path: Path, ttl: str, seconds: float) -> None:
    assert load(tmp_path, f'[events.a]\ntemplate = "x"\nttl = {ttl}').ttl("a") == seconds
    assert load(tmp_path, '[events.a]\ntemplate = "x"').ttl("a") is None


def test_the_hash_covers_what_changes_the_rendering(tmp_path: Path) -> None:
    base = '[events.a]\ntemplate = "x"\n'
    others = (
        '[events.a]\ntemplate = "y"\n',
        base + 'when = "true"',
        base + 'voice = "vip"',
        base + 'voices = [{when = "true", voice = "vip"}]',
        base + 'language = "en"',
        base + 'currency = "USD"',
        base + 'time_zone = "+01:00"',
        f'[defaults]\ncurrency = "USD"\n{base}',
    )
    hashes = [render(load(tmp_path, text)).template for text in (base, *others)]
    assert hashes[6] == hashes[8]  # the same, said in two places
    assert len(set(hashes)) == len(hashes) - 1
    assert render(load(tmp_path, f"# a comment\n{base}")).template == hashes[0]


def test_all_that_is_wrong_is_listed_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
        colour = "red"
        events.a.template = "{{ data.x | nope }}\\n{{ order }}"
        events.a.voice = "nobody"
        events.a.when = "data."
        events.a.voices = [{when = "f()", voice = "ghost"}]
        events.a.ttl = "soon"
        events.a.currency = "XXX"
        events.a.time_zone = "Mars/Base"
        events.b.text = "x"
        events.c.template = 5
        events.c.language = "fr"
        events.c.voices = [{voice = "vip", rate = 3}]
        events.d = "x"
        events.e.template = "fine"
        """,
    )
    expected = [
        "colour: is not known; known are [defaults]",
        "event 'a', voice: there is no voice 'nobody'; voices.file has support, vip",
        "event 'a', currency: is 'XXX'; known are CNY",
        "event 'a', ttl: must be seconds above 0",
        "event 'a', time_zone: there is no time zone 'Mars/Base'",
        "event 'a', template line 1: has no filter nope; known are ",
        "event 'a', template line 2: order is not known",
        "event 'a', when line 1: ",
        "event 'a', voices 1: there is no voice 'ghost'",
        "event 'a', voices 1, when line 1: ",
        "event 'b', text: is no key of it",
        "event 'b', template: is missing",
        "event 'c', language: has the wrong type",
        "event 'c', template: has the wrong type: expected `str`, got `int`",
        "event 'c', voices: has the wrong type",
        "event 'd': is no table",
    ]
    for part in expected:
        assert sum(problem.startswith(part) for problem in found) == 1 or "voices 1, when" in part, (part, found)
    assert not any("'e'" in problem for problem in found)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", 'no [events."<type>"] in it'),
        ("[events]\n", 'no [events."<type>"] in it'),
        ("events = 3\n", "[events]: is no table"),
        ("defaults = 3\n[events.a]\ntemplate = 'x'", "[defaults]: is no table"),
        ("[defaults]\nvoice = 'ghost'\n[events.a]\ntemplate = 'x'\nvoice = 'vip'", "[defaults], voice: there is no"),
        ("[defaults]\nvoice = 'ghost'\n[events.a]\ntemplate = 'x'\n[events.b]\ntemplate = 'x'", "there is no voice"),
        ("[defaults]\ntemplate = 'x'\n[events.a]\ntemplate = 'x'", "[defaults], template: is no key of it"),
        ("[events.a]\ntemplate = 'x'\nttl = 0", "event 'a', ttl: must be seconds above 0"),
        ("[events.a]\ntemplate = 'x'\nttl = inf", "event 'a', ttl: must be seconds above 0"),
        ("[events.a]\ntemplate = 'x'\nttl = '2 weeks'", "event 'a', ttl: must be seconds above 0"),
        ("[events.a]\ntemplate = 'x'\ntime_zone = '+25:00'", "there is no time zone '+25:00'"),
        ("[events.a]\ntemplate = 'x'\ntime_zone = '../x'", "there is no time zone '../x'"),
        ("[events.a\n", "line 1"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, reason: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert reason in problem


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.toml"):
        Events.load(tmp_path / "nothing.toml", VOICES)
    (tmp_path / "latin.toml").write_bytes(b'[events.a]\ntemplate = "\xe9"')
    with pytest.raises(ConfigurationError, match=r"latin\.toml"):
        Events.load(tmp_path / "latin.toml", VOICES)
