"""YAML and JSON in which no key stands twice: plain readers keep the last one and say nothing."""

from __future__ import annotations

import json
from typing import Any

import yaml

__all__ = ["json_value", "yaml_value"]


class _OnceEach(yaml.SafeLoader):
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if key.value in seen:
                raise yaml.YAMLError(
                    f"key {key.value!r} stands twice, in lines {seen[key.value]} and {line}"
                )
            seen[key.value] = line
        return super().construct_mapping(node, deep)


def yaml_value(text: str) -> Any:
    """Read YAML text as plain values.

    Raises
    ------
    yaml.YAMLError
        If it is no YAML, or a section has a key twice: of two caps or shares only one can be meant.

    Examples
    --------
    >>> yaml_value("slots: [9, 10]")
    {'slots': [9, 10]}
    """
    # our own loader is a safe one
    return yaml.load(text, Loader=_OnceEach)


def json_value(text: str) -> Any:
    """Read JSON text as plain values.

    Raises
    ------
    ValueError
        If it is no JSON, or an object has a key twice.

    Examples
    --------
    >>> json_value('{"slots": [9, 10]}')
    {'slots': [9, 10]}
    """
    return json.loads(text, object_pairs_hook=_once_each)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r} stands twice in an object")
    return found
