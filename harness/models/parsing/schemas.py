"""What a tool's JSON schema says of a value, for notations that write values as bare text.

Schemas are read as pydantic, zod and people write them: `$ref` into the parameters, `anyOf`, `oneOf`, `allOf`, `enum`
and `const`, lists of types, `nullable`, names of types that other languages have, or no type at all. Cycles end: every
node of a schema is looked at once for a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

KINDS = ("null", "integer", "number", "boolean", "object", "array", "string")
"""JSON's types in the order in which a text is tried as each of them; it is vLLM's order."""

_MAX_NODES = 1000
_OTHER_NAMES = {
    **dict.fromkeys(("str", "text", "varchar", "char", "enum", "date", "datetime"), "string"),
    **dict.fromkeys(("int", "int32", "int64", "uint", "uint32", "uint64", "long", "short", "unsigned"), "integer"),
    **dict.fromkeys(("float", "float32", "float64", "double", "decimal"), "number"),
    **dict.fromkeys(("dict", "map", "json", "struct"), "object"),
    **dict.fromkeys(("arr", "list", "sequence", "tuple", "set"), "array"),
    **dict.fromkeys(("none", "nonetype"), "null"),
    "bool": "boolean",
}
_IMPLIED = {
    **dict.fromkeys(("properties", "additionalProperties", "patternProperties", "required"), "object"),
    **dict.fromkeys(("items", "prefixItems", "minItems", "maxItems", "uniqueItems"), "array"),
    **dict.fromkeys(("pattern", "minLength", "maxLength"), "string"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
}
"""What a schema without a type means where it has such a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSchema:
    """What is declared for one value; nothing where `nodes` is empty."""

    nodes: tuple[Any, ...] = ()
    """Schemas of which the value follows one."""
    root: Any = None
    """The parameters of the tool, into which `$ref` points."""

    def kinds(self) -> frozenset[str]:
        """Return the types that the value may have, all of them where the schema names none."""
        found: set[str] = set()
        options = self._options()
        for option in options:
            found |= _named_kinds(option)
        if not found:
            found = {kind for option in options for key, kind in _IMPLIED.items() if key in option}
        return frozenset(found or (KINDS if self.nodes else ()))

    def allows(self, value: Any) -> bool:
        """Return whether the value follows the schema as far as types, enumerations and members say."""
        known: dict[tuple[int, int], bool] = {}
        return any(_allows(value, node, self.root, known) for node in self.nodes)

    def member(self, name: str) -> ValueSchema:
        """Return what is declared for the object's member of that name."""
        options = self._options()
        found: list[Any] = [option["properties"][name] for option in options if name in _mapping(option, "properties")]
        if not found:
            for option in options:
                patterns = _mapping(option, "patternProperties")
                found += [node for pattern, node in patterns.items() if _matches(pattern, name)]
        if not found:
            found = [option["additionalProperties"] for option in options if option.get("additionalProperties")]
        return ValueSchema(nodes=tuple(found), root=self.root)

    def declares(self, name: str) -> bool:
        """Return whether the object may have a member of that name; any where no members are named."""
        named = [_mapping(option, "properties") for option in self._options() if "properties" in option]
        return not named or any(name in members for members in named)

    def item(self) -> ValueSchema:
        """Return what is declared for the array's items."""
        found: list[Any] = []
        for option in self._options():
            for key in ("items", "prefixItems"):
                node = option.get(key)
                found += node if isinstance(node, list) else [] if node is None else [node]
        return ValueSchema(nodes=tuple(found), root=self.root)

    def _options(self) -> list[Mapping[str, Any]]:
        """Return the nodes with all that they refer to or are composed of, each once."""
        waiting = list(reversed(self.nodes))
        found: list[Mapping[str, Any]] = []
        seen: set[int] = set()
        while waiting and len(seen) < _MAX_NODES:
            node = waiting.pop()
            if not isinstance(node, Mapping) or id(node) in seen:
                continue
            seen.add(id(node))
            found.append(node)
            waiting += [part for key in ("allOf", "oneOf", "anyOf") for part in reversed(_list(node, key))]
            if "$ref" in node:
                waiting.append(_resolve(node["$ref"], (self.root, *self.nodes)))
        return found


def arguments_schema(tools: Iterable[Mapping[str, Any]], tool: str) -> ValueSchema:
    """Return what the tools declare for the arguments of one of them; nothing where none is called so."""
    for definition in tools:
        function = definition.get("function", definition)
        if isinstance(function, Mapping) and function.get("name") == tool:
            keys = ("parameters", "input_schema", "inputSchema")
            parameters: Any = next((function[key] for key in keys if isinstance(function.get(key), Mapping)), {})
            return ValueSchema(nodes=(parameters,), root=parameters)
    return ValueSchema()


def _mapping(node: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = node.get(key)
    return value if isinstance(value, Mapping) else {}


def _list(node: Mapping[str, Any], key: str) -> list[Any]:
    value = node.get(key)
    return value if isinstance(value, list) else []


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name[:200]) is not None
    except re.error:
        return False


def _resolve(reference: Any, roots: Iterable[Any]) -> Any:
    """Return what a `$ref` points to, None where nothing is there.

    It counts from the parameters; a schema that was pasted into others with its own definitions keeps its own root.
    """
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    steps = [step.replace("~1", "/").replace("~0", "~") for step in reference[1:].split("/")[1:]]
    for root in roots:
        found = _follow(root, steps) if reference[1:2] in ("", "/") else _anchored(root, reference[1:])
        if found is not None:
            return found
    return None


def _follow(node: Any, steps: Iterable[str]) -> Any:
    for step in steps:
        if isinstance(node, Mapping):
            node = node.get(step)
        elif isinstance(node, list) and step.isascii() and step.isdigit() and int(step) < len(node):
            node = node[int(step)]
        else:
            return None
    return node


def _anchored(root: Any, name: str) -> Any:
    definitions = [_mapping(root, key) for key in ("$defs", "definitions")] if isinstance(root, Mapping) else []
    nodes = [node for known in definitions for node in known.values() if isinstance(node, Mapping)]
    return next((node for node in nodes if node.get("$anchor") == name or node.get("$id") == f"#{name}"), None)


def _named_kinds(node: Mapping[str, Any]) -> set[str]:
    """Return the types that a node names itself: by name, by a constant, or by the values that it lists."""
    kinds = {kind_of(value) for value in _list(node, "enum")}
    if "const" in node:
        kinds.add(kind_of(node["const"]))
    kinds |= _types(node)
    if kinds and node.get("nullable") is True:
        kinds.add("null")
    return kinds


def _types(node: Mapping[str, Any]) -> set[str]:
    named = node.get("type")
    names = [one for one in (named if isinstance(named, list) else [named]) if isinstance(one, str)]
    kinds: set[str] = set()
    for name in names:
        # `List[int]` and `array<string>` are arrays, as far as this goes.
        plain = re.split(r"[\[<(]", name.strip().lower(), maxsplit=1)[0]
        kinds |= set(KINDS) if plain == "any" else {_OTHER_NAMES.get(plain, plain if plain in KINDS else "string")}
    return kinds


def kind_of(value: Any) -> str:
    """Return the JSON type of a value; whole numbers are integers."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return "object" if isinstance(value, Mapping) else "array" if isinstance(value, list) else "string"


def _allows(value: Any, node: Any, root: Any, known: dict[tuple[int, int], bool]) -> bool:
    if not isinstance(node, Mapping):
        return node is not False
    key = (id(value), id(node))
    if key not in known:
        known[key] = False  # a schema that refers to itself alone allows nothing
        known[key] = _allows_itself(value, node) and _allows_parts(value, node, root, known)
    return known[key]


def _allows_itself(value: Any, node: Mapping[str, Any]) -> bool:
    kind, kinds = kind_of(value), _types(node)
    if kinds and node.get("nullable") is True and value is None:
        return True
    # JSON has one type of numbers: 5 is a number, and 5.0 an integer.
    whole = "integer" in kinds and kind == "number" and value.is_integer()
    if kinds and kind not in kinds and not whole and not ("number" in kinds and kind == "integer"):
        return False
    listed = [*_list(node, "enum"), *([node["const"]] if "const" in node else [])]
    return not listed or any(one == value and isinstance(one, bool) == isinstance(value, bool) for one in listed)


def _allows_parts(value: Any, node: Mapping[str, Any], root: Any, known: dict[tuple[int, int], bool]) -> bool:
    if "$ref" in node:
        target = _resolve(node["$ref"], (root,))
        if target is not None and not _allows(value, target, root, known):
            return False
    if not all(_allows(value, part, root, known) for part in _list(node, "allOf")):
        return False
    for key in ("anyOf", "oneOf"):
        parts = _list(node, key)
        if parts and not any(_allows(value, part, root, known) for part in parts):
            return False
    schema = ValueSchema(nodes=({name: node[name] for name in _INSIDE if name in node},), root=root)
    if isinstance(value, Mapping):
        members = ((one, schema.member(name).nodes) for name, one in value.items())
        return set(_list(node, "required")) <= set(value) and all(
            _any(one, nodes, root, known) for one, nodes in members
        )
    if isinstance(value, list):
        nodes = schema.item().nodes
        return all(_any(one, nodes, root, known) for one in value)
    return True


_INSIDE = ("properties", "patternProperties", "additionalProperties", "items", "prefixItems")


def _any(value: Any, nodes: tuple[Any, ...], root: Any, known: dict[tuple[int, int], bool]) -> bool:
    return not nodes or any(_allows(value, node, root, known) for node in nodes)
