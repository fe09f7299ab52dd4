"""Templates and conditions: Jinja, confined to what may be said of an event, in bounded time.

Jinja's sandbox keeps a template from Python but not from time and memory. So nothing may be called, loops do not nest,
lists and data are bounded, arithmetic is decimal and on numbers only, and the text is cut off as it grows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from decimal import Context, Decimal, localcontext
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.filters import FILTERS
from jinja2.parser import Parser
from jinja2.runtime import Context as Scope
from jinja2.runtime import LoopContext, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS

from streamer.render.grammar import ENTRIES, EXACT, MAX_TEMPLATE, VERDICT, guarded, problems
from streamer.render.locale import MAX_ITEMS, shown
from streamer.render.tree import Fields, Items

MAX_TEXT = 50_000
"""Characters that a template may give; what the engine takes is less (engine.max_text)."""
_PRECISION = 34
"""Digits of arithmetic, as of IEEE 754's decimal128."""

_FILTERS = ("default", "first", "last", "length", "map")
_TESTS = ("defined", "undefined", "string", "number", "true", "false", "odd", "even", "in")
_LOOP = frozenset({"index", "index0", "first", "last", "length", "revindex"})
_FAILURES = (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError)
"""What a template can raise: its own errors, and those of comparing, slicing or computing what cannot be."""

Filter = Callable[..., Any]


class TemplateInvalid(Exception):
    """A template or condition that must not be used; `problems` are (line, message)."""

    def __init__(self, problems: list[tuple[int, str]]) -> None:
        super().__init__("; ".join(message for _, message in problems))
        self.problems = problems


class RenderFailed(Exception):
    """This event cannot be rendered; `line` of the template, 0 where it is not known; whether a field is missing."""

    def __init__(self, message: str, line: int = 0, *, missing: bool = False) -> None:
        super().__init__(message)
        self.line = line
        self.missing = missing


class Missing(StrictUndefined):
    """A field that was not sent, or null. Its name is its whole path; its fields are missing too."""

    __slots__ = ()

    @property
    def path(self) -> str:
        return str(self._undefined_name)

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or f"{self.path} is missing"


class Template:
    """A template that passed; rendering is pure."""

    def __init__(self, template: jinja2.Template) -> None:
        self._template = template

    def render(self, names: Mapping[str, Any]) -> str:
        """Errors: RenderFailed."""
        parts, length = [], 0
        try:
            for part in self._template.generate(names):
                length += len(part)
                if length > MAX_TEXT:
                    raise RenderFailed(f"the text is longer than {MAX_TEXT} characters; say less")
                parts.append(part)
        except _FAILURES as error:
            raise RenderFailed(
                _reason(error), _line(error), missing=isinstance(error, jinja2.UndefinedError)
            ) from error
        return "".join(parts)


class Condition:
    """An expression that is true or false of an event."""

    def __init__(self, template: Template) -> None:
        self._template = template

    def holds(self, names: Mapping[str, Any]) -> bool:
        """Errors: RenderFailed."""
        return self._template.render(names) != ""


class Sandbox(ImmutableSandboxedEnvironment):
    """Compiles templates that may use `filters` beside a few of Jinja's, and the `names` of what is rendered."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, filters: Mapping[str, Filter], names: frozenset[str]) -> None:
        super().__init__(undefined=Missing, finalize=_printable, autoescape=False, cache_size=0)
        self._names = names
        self.globals = {}
        self.filters = {name: FILTERS[name] for name in _FILTERS}
        self.filters |= {**filters, ENTRIES: _entries, EXACT: _exact, VERDICT: _verdict}
        self.tests = {name: TESTS[name] for name in _TESTS}

    def template(self, source: str) -> Template:
        """Errors: TemplateInvalid with all that is wrong."""
        return self._compiled(source, self.parse)

    def condition(self, source: str) -> Condition:
        """Errors: TemplateInvalid with all that is wrong."""
        return Condition(self._compiled(source, self._expression))

    def _expression(self, source: str) -> nodes.Template:
        parser = Parser(self, source, state="variable")
        expression = parser.parse_expression()
        if not parser.stream.eos:
            raise jinja2.TemplateSyntaxError("is more than one expression", parser.stream.current.lineno)
        verdict = nodes.Filter(expression, VERDICT, [], [], None, None, lineno=1)
        return nodes.Template([nodes.Output([verdict], lineno=1)], lineno=1)

    def _compiled(self, source: str, parse: Callable[[str], nodes.Template]) -> Template:
        if len(source) > MAX_TEMPLATE:
            raise TemplateInvalid([(1, f"has {len(source)} characters; at most {MAX_TEMPLATE} are allowed")])
        try:
            tree = parse(source)
            tree.set_environment(self)
            if found := problems(tree, self._names, self.filters):
                raise TemplateInvalid(found)
            tree = guarded(tree)
            tree.set_environment(self)
            return Template(self.from_string(tree))
        except jinja2.TemplateSyntaxError as error:
            raise TemplateInvalid([(error.lineno, error.message or "is no template")]) from error
        except (ValueError, RecursionError, SyntaxError) as error:  # thousands of digits, brackets by the hundred
            raise TemplateInvalid([(1, f"cannot be read: {error}")]) from error

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Data only, never an attribute of Python's: `data.items` is the field items."""
        value = None
        if isinstance(obj, dict):
            value = obj.get(argument)
        elif isinstance(obj, list | tuple | str) and isinstance(argument, int) and -len(obj) <= argument < len(obj):
            value = obj[argument]
        if isinstance(value, list) and len(value) > MAX_ITEMS:
            where = value.path if isinstance(value, Items) else "a list"
            raise jinja2.TemplateRuntimeError(f"{where} has {len(value)} entries; send at most {MAX_ITEMS}")
        return Missing(name=_path(obj, argument)) if value is None else value

    def call_binop(self, context: Scope, operator: str, left: Any, right: Any) -> Any:
        left, right = _number(operator, left), _number(operator, right)
        with localcontext(Context(prec=_PRECISION)):
            return super().call_binop(context, operator, left, right)


def _number(operator: str, value: Any) -> Decimal:
    if isinstance(value, StrictUndefined):
        str(value)  # raises its own error
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise jinja2.TemplateRuntimeError(f"{shown(value)} is no number, so that {operator} cannot take it")
    return Decimal(value)


def _path(obj: Any, argument: Any) -> str:
    if isinstance(obj, Missing | Fields | Items):
        return f"{obj.path}.{argument}" if isinstance(argument, str) else f"{obj.path}[{argument}]"
    return f"{argument} of {shown(obj)}"


def _printable(value: Any) -> Any:
    """Text and numbers as they are; what only a programmer reads is refused."""
    if isinstance(value, bool | list | dict | tuple | Iterator) or value is None:
        kind = "true or false" if isinstance(value, bool) else "nothing" if value is None else "a list or an object"
        raise jinja2.TemplateRuntimeError(f"{{{{ … }}}} gives {kind}, which cannot be spoken; choose words for it")
    return value


def _entries(values: Any) -> list[Any]:
    """What a loop goes through."""
    if isinstance(values, str):
        raise jinja2.TemplateRuntimeError(f"{shown(values)} is a text; a loop takes a list")
    entries = list(itertools.islice(values, MAX_ITEMS + 1))
    if len(entries) > MAX_ITEMS:
        raise jinja2.TemplateRuntimeError(f"the loop has more than {MAX_ITEMS} entries; send fewer")
    return entries


def _exact(text: str) -> Decimal:
    return Decimal(text)


def _verdict(value: Any) -> str:
    if isinstance(value, StrictUndefined):
        str(value)  # raises its own error
    if not isinstance(value, bool):
        raise jinja2.TemplateRuntimeError(f"the condition gives {shown(value)}, not true or false; compare it")
    return "true" if value else ""


def _reason(error: BaseException) -> str:
    if isinstance(error, jinja2.TemplateError):
        return error.message or "the template failed"
    return f"cannot be computed from such data: {error}"[:300]


def _line(error: BaseException) -> int:
    """Of the innermost frame of the template; Jinja has put its lines into the traceback."""
    line, frame = 0, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "<template>":
            line = frame.tb_lineno
        frame = frame.tb_next
    return line
