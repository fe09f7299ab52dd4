"""What an S3 server answered, and what it means: the one place that tells a store that is down from an object's fault.

obstore has no codes of its own: status and code stand in the text of its errors, in S3's XML.
"""

from __future__ import annotations

import html
import re
from typing import Final, NamedTuple

from obstore.exceptions import BaseError

from streamer.errors import ConfigurationError, StoreError, StoreRejected, StoreUnavailable, StreamerError

CLIENT_ERRORS: Final = (BaseError, FileNotFoundError)
"""What obstore raises for an answer, or for none."""

_OWN = {
    "EntityTooLarge",
    "EntityTooSmall",
    "ExistingObjectIsDirectory",  # versitygw on a file system: a key that is a folder of others
    "InvalidArgument",
    "InvalidObjectName",
    "InvalidRange",
    "KeyTooLong",
    "KeyTooLongError",
    "MetadataTooLarge",
    "ObjectParentIsFile",  # versitygw on a file system: a key below another object
    "XMinioInvalidObjectName",
}
"""Codes that are the object's own, and will be the same tomorrow."""
_OWN_STATUS = {413, 414, 416}

_WRONG_CREDENTIALS = {"InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "XAdminUserNotFound"}
_WRONG_REGION = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
_CREDENTIALS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (with temporary ones AWS_SESSION_TOKEN as well)"
_METADATA_SERVICE = "169.254."

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_NOT_DELETED = re.compile(r"DeleteObjects request failed for key .* \(code: (\w+)\)")
"""Objects are deleted by lists, and a list is answered 200 whatever is said of each."""
_MESSAGE = re.compile(r"<Message>([^<]{1,200})")
_KIND = re.compile(r"\bkind: (\w+)")
_SYSTEM = re.compile(r'(?:message|error): "([^"]{1,120})"')
_NO_ANSWER = {
    "Connect": "no connection",
    "Request": "the request was refused by the client",
    "Timeout": "no answer in time",
    "Interrupted": "the connection broke",
    "Decode": "the answer broke off",
}


class Answer(NamedTuple):
    """`status` is None where no HTTP answer came; `code` is S3's and may be empty: a HEAD has no body."""

    status: int | None
    code: str
    said: str

    @property
    def unclear(self) -> bool:
        """Whether a write may have happened all the same; a conflict is another's write under way."""
        return self.status is None or self.status >= 500 or self.status == 409

    @property
    def absent(self) -> bool:
        """No such object; a bucket or a user that is not there is another matter."""
        return self.status == 404 and self.code in ("", "NoSuchKey")


def answer(error: BaseException) -> Answer:
    text = str(error)
    status, code = _STATUS.search(text), _CODE.search(text)
    if status is None:
        refused = _NOT_DELETED.search(text)
        return Answer(None, refused[1] if refused else "", _silence(text))
    message = _MESSAGE.search(text)
    said = " ".join(found[1] for found in (status, code, message) if found)
    return Answer(int(status[1]), code[1] if code else "", html.unescape(said))


def converted(what: str, error: BaseException) -> StoreError:
    """While running: what may pass is StoreUnavailable, expired or withdrawn rights included. `what` names the object.

    Rights and buckets come back and the audio of a request does not, so nothing is failed for want of them.
    """
    found = answer(error)
    own = found.code in _OWN or found.status in _OWN_STATUS
    return (StoreRejected if own else StoreUnavailable)(f"{what}: {found.said}")


def at_opening(action: str, where: str, error: StoreError) -> StreamerError:
    """At the start: the same with its remedy. `action`: write, read or list; `where`: the store and its endpoint."""
    cause = error.__cause__ or error
    found = answer(cause)
    if _METADATA_SERVICE in str(cause).partition("\n")[0]:
        return no_credentials(where)  # where the environment has none, the machine's own service is asked
    if found.code in _WRONG_CREDENTIALS:
        return _wrong(f"{where} does not take the credentials ({found.said}): set {_CREDENTIALS}")
    if found.code == "NoSuchBucket":
        return _wrong(f"store.url: {where} has no such bucket: create it, or set store.url")
    if found.code in _WRONG_REGION or found.status == 301:
        return _wrong(f"store.region (or AWS_REGION) is not that of {where} ({found.said})")
    if found.code == "RequestTimeTooSkewed":
        return StoreUnavailable(f"{where}: this machine's clock and the server's are too far apart; set the clock")
    if found.code == "NotImplemented":
        return _wrong(f"store.url: {where} has no conditional writes (If-None-Match): use a server that has")
    if found.code in ("AccessDenied", "AllAccessDisabled") or (found.status == 403 and not found.code):
        return _wrong(
            f"the credentials may not {action} in {where} ({found.said}): "
            "grant s3:PutObject, s3:GetObject and s3:AbortMultipartUpload on its objects, s3:ListBucket on the bucket"
        )
    return StoreUnavailable(f"{where} cannot be used ({found.said}): is it running, and is store.endpoint right?")


def no_credentials(where: str) -> ConfigurationError:
    return _wrong(f"there are no credentials for {where}: set {_CREDENTIALS}")


def _wrong(problem: str) -> ConfigurationError:
    return ConfigurationError([problem])


def _silence(text: str) -> str:
    """What is known of a request without an answer."""
    kinds = [_NO_ANSWER[kind] for kind in _KIND.findall(text) if kind in _NO_ANSWER]
    system = _SYSTEM.search(text)
    first = text.partition("\n")[0].rpartition(" - ")[2][:200]
    return f"{kinds[0] if kinds else first}{f' ({system[1]})' if system else ''}"
