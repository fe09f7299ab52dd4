from __future__ import annotations

import secrets

import pytest

from streamer.embedded.ports import choose
from streamer.errors import ConfigurationError, StoreError, StoreRejected, StoreUnavailable
from streamer.store.opening import open_store
from streamer.store.s3_errors import answer, at_opening, converted
from tests.faults.proxy import FaultProxy, clear
from tests.store.s3server import S3Server


def _refusal(status: str, code: str = "") -> Exception:
    """As obstore words it."""
    body = f"<Error><Code>{code}</Code><Message>it &#34;said&#34;</Message></Error>" if code else ""
    return FileNotFoundError(
        f"Error performing PUT http://h/b/k - Server returned non-2xx status code: {status}: {body}"
    )


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        ("400 Bad Request", "EntityTooLarge", StoreRejected),
        ("400 Bad Request", "KeyTooLongError", StoreRejected),
        ("400 Bad Request", "InvalidArgument", StoreRejected),
        ("413 Content Too Large", "", StoreRejected),
        ("400 Bad Request", "ExpiredToken", StoreUnavailable),
        ("400 Bad Request", "RequestTimeout", StoreUnavailable),
        ("403 Forbidden", "AccessDenied", StoreUnavailable),
        ("403 Forbidden", "RequestTimeTooSkewed", StoreUnavailable),
        ("404 Not Found", "NoSuchBucket", StoreUnavailable),
        ("409 Conflict", "ConditionalRequestConflict", StoreUnavailable),
        ("429 Too Many Requests", "", StoreUnavailable),
        ("500 Internal Server Error", "InternalError", StoreUnavailable),
        ("503 Service Unavailable", "SlowDown", StoreUnavailable),
    ],
)
def test_only_what_will_be_the_same_tomorrow_is_rejected(status: str, code: str, kind: type[StoreError]) -> None:
    error = converted("s3://bucket/a", _refusal(status, code))
    assert type(error) is kind
    assert str(error).startswith(f"s3://bucket/a: {status[:3]}")
    assert code in str(error)


def test_of_a_list_to_delete_the_objects_own_code_counts() -> None:
    said = "Generic S3 error: DeleteObjects request failed for key a/b: Access Denied (code: AccessDenied)"
    found = answer(OSError(f"{said}\n\nDebug source:\nGeneric {{ code: ... }}"))
    assert (found.status, found.code) == (None, "AccessDenied")
    assert "Access Denied" in found.said


@pytest.mark.parametrize(
    ("status", "code", "unclear", "absent"),
    [
        ("404 Not Found", "NoSuchKey", False, True),
        ("404 Not Found", "", False, True),
        ("404 Not Found", "NoSuchBucket", False, False),
        ("404 Not Found", "XAdminUserNotFound", False, False),
        ("403 Forbidden", "AccessDenied", False, False),
        ("409 Conflict", "ConditionalRequestConflict", True, False),
        ("500 Internal Server Error", "", True, False),
    ],
)
def test_what_may_have_happened_and_what_is_not_there(status: str, code: str, unclear: bool, absent: bool) -> None:
    found = answer(_refusal(status, code))
    assert (found.unclear, found.absent) == (unclear, absent)


@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        ("403 Forbidden", "RequestTimeTooSkewed", StoreUnavailable, "set the clock"),
        ("400 Bad Request", "ExpiredToken", StoreUnavailable, "ExpiredToken"),
        ("501 Not Implemented", "NotImplemented", ConfigurationError, "If-None-Match"),
        ("301 Moved Permanently", "PermanentRedirect", ConfigurationError, "store.region"),
        ("403 Forbidden", "AccessDenied", ConfigurationError, "may not list"),
        ("403 Forbidden", "InvalidAccessKeyId", ConfigurationError, "AWS_ACCESS_KEY_ID"),
        ("503 Service Unavailable", "SlowDown", StoreUnavailable, "store.endpoint"),
    ],
)
def test_the_start_says_what_to_do(status: str, code: str, kind: type[Exception], says: str) -> None:
    failure = StoreUnavailable("probe")
    failure.__cause__ = _refusal(status, code)
    error = at_opening("list", "s3://bucket/ at AWS", failure)
    assert type(error) is kind
    assert says in str(error)
    assert "s3://bucket/ at AWS" in str(error)


# On a real server


@pytest.fixture
def prefix() -> str:
    return f"errors/{secrets.token_hex(8)}"


def _problem(s3: S3Server, prefix: str, **changes: object) -> str:
    with pytest.raises(ConfigurationError) as raised:
        open_store(s3.settings(prefix, **changes))
    (problem,) = raised.value.problems
    return problem


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
def test_wrong_credentials(s3: S3Server, prefix: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "wrong")
    problem = _problem(s3, prefix)
    assert "does not take the credentials" in problem
    assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in problem
    assert "wrong" not in problem


def test_half_the_credentials(s3: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "there are no credentials" in _problem(s3, prefix)


def test_a_user_without_rights(s3: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = f"user-{secrets.token_hex(4)}"
    s3.add_user(key, "secret-of-user")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-user")
    problem = _problem(s3, prefix)
    assert "may not read" in problem
    assert "grant s3:PutObject, s3:GetObject" in problem


def test_a_bucket_that_is_not_there(s3: S3Server, prefix: str) -> None:
    assert "no such bucket: create it" in _problem(s3, prefix, url="s3://nobody-made-this")


def test_another_region(s3: S3Server, prefix: str) -> None:
    assert "store.region" in _problem(s3, prefix, region="eu-central-1")


@pytest.mark.parametrize("endpoint", ["127.0.0.1:1", "ftp://127.0.0.1", "http://", "http://a b", "http://[::1"])
def test_an_endpoint_that_is_none(s3: S3Server, prefix: str, endpoint: str) -> None:
    assert "store.endpoint" in _problem(s3, prefix, endpoint=endpoint)


def test_an_endpoint_of_the_environment(s3: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    assert open_store(s3.settings(prefix, endpoint="")).put("a", b"x") is True
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "nonsense")
    assert open_store(s3.settings(prefix)).put("a", b"x") is False
    assert "AWS_ENDPOINT_URL_S3 is 'nonsense'" in _problem(s3, prefix, endpoint="")


def test_where_nothing_answers_it_says_where(s3: S3Server, prefix: str) -> None:
    endpoint = f"http://127.0.0.1:{choose()}"
    with pytest.raises(StoreUnavailable, match=rf"at {endpoint} cannot be used .*store\.endpoint"):
        open_store(s3.settings(prefix, endpoint=endpoint))


def test_a_server_that_overwrites_is_refused(s3: S3Server, prefix: str) -> None:
    with _Overwriting(s3.port, clear, give_up=5) as proxy:
        assert "ignores If-None-Match" in _problem(s3, prefix, endpoint=proxy.endpoint)


class _Overwriting(FaultProxy):
    """As servers do that do not know the header."""

    async def _forwarded(self, head: bytes, body: bytes) -> bytes:
        answer = await super()._forwarded(head, body)
        if answer.startswith(b"HTTP/1.1 412"):
            return b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
        return answer
