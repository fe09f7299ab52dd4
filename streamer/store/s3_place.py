"""From [store] and the usual AWS_ variables to the bucket, and a client for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import S3Store as Client

from streamer import settings
from streamer.errors import ConfigurationError, StoreRejected
from streamer.store.keys import check
from streamer.store.s3_errors import no_credentials

if TYPE_CHECKING:
    from obstore.store import RetryConfig, S3Config

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]").fullmatch
_ENDPOINT: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_CONNECT = timedelta(seconds=5)


class Place(NamedTuple):
    """Where objects lie. `endpoint` and `region` are empty where the environment, or AWS itself, decides."""

    bucket: str
    prefix: str
    """Empty, or ends with `/`."""
    endpoint: str
    region: str
    timeout: timedelta
    """Of one request, from connecting to the last byte."""

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{quote(self.prefix)}"

    def __str__(self) -> str:
        return f"{self.uri} at {self.endpoint or 'AWS'}"


def place(choice: settings.Store, environment: Mapping[str, str]) -> Place:
    """Errors: ConfigurationError that names the key or the variable."""
    parts = urlsplit(choice.url)
    if not _BUCKET(parts.netloc):
        raise _wrong("url", choice.url, f"{parts.netloc!r} is no name of a bucket; give s3://bucket/prefix")
    if parts.query or parts.fragment:
        raise _wrong("url", choice.url, "'?' and '#' in a prefix are written %3F and %23")
    prefix = unquote(parts.path).strip("/")
    try:
        prefix = f"{check(prefix)}/" if prefix else ""
    except StoreRejected as error:
        raise _wrong("url", choice.url, f"the prefix is no {error}; give s3://bucket/prefix") from error
    variable = next((name for name in _ENDPOINT if environment.get(name)), "")
    endpoint = choice.endpoint or environment.get(variable, "")
    if endpoint:
        _check_endpoint(endpoint, "" if choice.endpoint else variable)
    return Place(parts.netloc, prefix, endpoint.rstrip("/"), choice.region, timedelta(seconds=choice.timeout))


def client(where: Place, retries: RetryConfig) -> Client:
    """Credentials come from the environment, as obstore finds them. Errors: ConfigurationError where a half is missing.

    Whatever else the environment says of bucket, endpoint and conditional writes, the configuration wins.
    """
    config: S3Config = {"conditional_put": "etag"}
    if where.region:
        config["region"] = where.region
    if where.endpoint:
        config |= {"endpoint": where.endpoint, "aws_endpoint_url_s3": where.endpoint}
    try:
        return Client(
            where.bucket,
            config=config,
            client_options={
                "allow_http": where.endpoint.startswith("http://"),
                "timeout": where.timeout,
                "connect_timeout": min(where.timeout, _CONNECT),
            },
            retry_config=retries,
        )
    except BaseError as error:
        if "AccessKey" in str(error):
            raise no_credentials(str(where)) from error
        reason = str(error).partition("\n")[0]
        raise ConfigurationError([f"{where} cannot be opened ({reason}); look at the AWS_ variables"]) from error


def _check_endpoint(endpoint: str, variable: str) -> None:
    try:
        parts = urlsplit(endpoint)
        right = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment)
        right = right and parts.port != 0 and endpoint.isascii() and not re.search(r"[\s<>\"\\{}|^`]", endpoint)
    except ValueError:
        right = False
    if not right:
        named = f"{variable} is" if variable else "store.endpoint (environment: STREAMER_STORE__ENDPOINT) is"
        raise ConfigurationError([f"{named} {endpoint[:200]!r}: give http://host:port or https://host:port"])


def _wrong(key: str, value: str, reason: str) -> ConfigurationError:
    variable = f"STREAMER_STORE__{key.upper()}"
    return ConfigurationError([f"store.{key} (environment: {variable}) is {value[:200]!r}: {reason}"])
