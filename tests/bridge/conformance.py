"""Answers held against `/openapi.json`: route, status, media type, body. As much of JSON Schema as stands there."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_UNDERSTOOD = {
    "type", "$ref", "anyOf", "oneOf", "enum", "const", "properties", "required", "items", "additionalProperties",
    "default", "title", "description", "maxLength", "minimum", "maximum", "maxProperties", "format", "discriminator",
}  # fmt: skip


class Conformance:
    """Remembers which statuses of which routes it saw."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._paths = {
            path: re.compile(re.sub(r"\\\{\w+\\\}", ".*", re.escape(path)), re.DOTALL) for path in document["paths"]
        }
        self.seen: set[tuple[str, str, int]] = set()

    async def check(self, response: httpx.Response) -> None:
        await response.aread()
        method = response.request.method.lower()
        path = self.path(response.request.url.raw_path.partition(b"?")[0].decode())
        described = self._document["paths"].get(path, {}).get(method)
        if described is None:
            self._problem(response, (404, 405))
            return
        answer = described["responses"].get(str(response.status_code))
        assert answer is not None, (method, path, response.status_code, response.text)
        self.seen.add((path, method, response.status_code))
        if "content" not in answer:
            assert response.content == b""
            return
        [(kind, content)] = answer["content"].items()
        if kind == "audio/*":
            return
        assert response.headers["content-type"].partition(";")[0] == kind
        if "json" in kind:
            for line in response.content.splitlines() if kind.endswith("ndjson") else [response.content]:
                self.conforms(json.loads(line), content["schema"])

    def path(self, raw: str) -> str:
        """The route of a path, the longest of those that fit."""
        return max((path for path, shape in self._paths.items() if shape.fullmatch(raw)), key=len, default="")

    def conforms(self, value: Any, schema: dict[str, Any]) -> None:
        assert not schema.keys() - _UNDERSTOOD, schema.keys() - _UNDERSTOOD
        if "$ref" in schema:
            schema = self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        for name in ("anyOf", "oneOf"):
            if name in schema:
                fitting = [each for each in schema[name] if self._fits(value, each)]
                assert fitting, (value, schema)
        assert value in schema.get("enum", [value]), (value, schema)
        assert value == schema.get("const", value), (value, schema)
        if "type" in schema:
            assert type(value) in _TYPES[schema["type"]], (value, schema)
        if isinstance(value, dict):
            assert not set(schema.get("required", ())) - value.keys(), (value, schema)
            known = schema.get("properties", {})
            assert not known or not value.keys() - known.keys(), (value, schema)
            for name, each in value.items():
                self.conforms(each, known.get(name, {}))
        if isinstance(value, list):
            for each in value:
                self.conforms(each, schema.get("items", {}))

    def _fits(self, value: Any, schema: dict[str, Any]) -> bool:
        try:
            self.conforms(value, schema)
        except AssertionError:
            return False
        return True

    def _problem(self, response: httpx.Response, statuses: tuple[int, ...]) -> None:
        assert response.status_code in statuses, (response.request.url, response.status_code)
        if response.request.method != "HEAD":
            self.conforms(response.json(), {"$ref": "ProblemBody"})
