"""Which of Jinja's language a template may use, judged once, when it is loaded."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

EXACT, ENTRIES, VERDICT = "-exact", "-entries", "-verdict"
"""Filters that only the sandbox itself can ask for: no template can write these names."""

MAX_TEMPLATE = 20_000
"""Characters of a template or condition."""
_MAX_CONSTANT = 10**16

_ALLOWED: tuple[type[nodes.Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign),
    *(nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.List, nodes.Tuple),
    *(nodes.Filter, nodes.Test, nodes.Keyword, nodes.Compare, nodes.Operand, nodes.CondExpr),
    *(nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod),
)
_REMEDIES: dict[type[nodes.Node], str] = {
    nodes.Call: "calls a function; use filters",
    nodes.Pow: "raises to a power; send the number",
    nodes.Concat: "joins text with ~; write the parts side by side",
}

Problem = tuple[int, str]
"""Line and message."""


def problems(tree: nodes.Template, names: frozenset[str], filters: Mapping[str, Callable[..., Any]]) -> list[Problem]:
    """All that a template must not do; names of `names` and filters of `filters` are known to it."""
    found: set[Problem] = set()
    known = names | {"loop"} | {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    for node in tree.find_all(nodes.Name):
        if node.name not in known:
            found.add((node.lineno, f"{node.name} is not known; a template sees {', '.join(sorted(names))}"))
    for each, in_loop in _walk(tree, False):
        if message := _problem(each, in_loop, filters):
            found.add((each.lineno or 1, message))
    return sorted(found)


def guarded(tree: nodes.Template) -> nodes.Template:
    """With exact constants, so that 0.1 is what 0.1 of the data is, and loops over what `ENTRIES` lets through."""
    changed: nodes.Template = _Guard().visit(tree)
    return changed


class _Guard(NodeTransformer):
    def visit_Const(self, node: nodes.Const) -> nodes.Node:
        if not isinstance(node.value, float):
            return node
        return _filtered(nodes.Const(repr(node.value), lineno=node.lineno), EXACT)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        node.iter = _filtered(node.iter, ENTRIES)
        return self.generic_visit(node)


def _filtered(value: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(value, name, [], [], None, None, lineno=value.lineno)


def _walk(node: nodes.Node, in_loop: bool) -> Iterator[tuple[nodes.Node, bool]]:
    yield node, in_loop
    inside = in_loop or isinstance(node, nodes.For)
    for child in node.iter_child_nodes():
        yield from _walk(child, inside)


def _problem(node: nodes.Node, in_loop: bool, filters: Mapping[str, Callable[..., Any]]) -> str:
    if not isinstance(node, _ALLOWED):
        return _REMEDIES.get(type(node), f"uses {type(node).__name__}, which templates of events do not have")
    if isinstance(node, nodes.For) and in_loop:
        return "has a loop within a loop; use the filter series for the inner one"
    if isinstance(node, nodes.Assign) and not isinstance(node.target, nodes.Name):
        return "sets more than one name"
    if isinstance(node, nodes.Const) and isinstance(node.value, int | float):
        large = not math.isfinite(node.value) or abs(node.value) >= _MAX_CONSTANT
        return "has a number of more than 16 digits" if large else ""
    if isinstance(node, nodes.Filter):
        return _filter_problem(node, filters)
    return ""


def _filter_problem(node: nodes.Filter, filters: Mapping[str, Callable[..., Any]]) -> str:
    """Whether the filter exists and takes such arguments; what stands in them is known only with an event."""
    if node.name == VERDICT:
        return ""
    if node.name not in filters:
        known = sorted(name for name in filters if not name.startswith("-"))
        return f"has no filter {node.name}; known are {', '.join(known)}"
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return f"gives {node.name} its arguments by * or **; name them"
    function = filters[node.name]
    if getattr(function, "__module__", "").startswith("jinja2."):
        return ""
    try:
        inspect.signature(function).bind(None, *node.args, **{str(pair.key): None for pair in node.kwargs})
    except TypeError as error:
        return f"uses {node.name} wrongly: {error}"
    return ""
