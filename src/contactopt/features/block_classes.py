"""Classes of feature blocks by the path they are imported from, `package.module:Class`.

A saved pipeline holds no code: a block of the user's own is found again by this path, so its
module must be installed where the pipeline is loaded.
"""

from __future__ import annotations

import importlib
import re

from contactopt.errors import BundleError, ConfigError
from contactopt.features._base import FeatureBlock

__all__ = ["class_at", "class_path"]

_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")


def class_path(kind: type[FeatureBlock]) -> str:
    """Return where a block's class is imported from.

    Raises
    ------
    ConfigError
        If it cannot be imported again: defined in a notebook, a script or a function.
    """
    path = f"{kind.__module__}:{kind.__qualname__}"
    reason = "it is defined in a script or notebook" if kind.__module__ == "__main__" else ""
    if not reason:
        try:
            reason = "" if _look_up(path) is kind else "another class stands there"
        except (ImportError, AttributeError, ValueError):
            reason = "it is defined inside a function"
    if reason:
        raise ConfigError(
            f"the class of feature block {kind.name!r}, {path}, cannot be imported again: {reason}",
            hint="move the class to the top level of a module that can be imported",
        )
    return path


def class_at(path: str) -> type[FeatureBlock]:
    """Return the class of a block from its path.

    Raises
    ------
    BundleError
        If it cannot be imported here, or is no feature block.
    """
    if not _PATH.match(path):
        raise BundleError(f"{path!r} is no path of a feature block, module:Class")
    try:
        kind = _look_up(path)
    except (ImportError, AttributeError) as error:
        raise BundleError(
            f"the saved pipeline needs the feature block {path}, which cannot be imported here "
            f"({type(error).__name__})",
            hint="install the package it was saved with, in the version that has this class",
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, FeatureBlock)):
        raise BundleError(f"{path} is no feature block", hint="subclass contactopt's FeatureBlock")
    return kind


def _look_up(path: str) -> object:
    if not _PATH.match(path):
        raise ValueError(path)
    module, _, name = path.partition(":")
    found: object = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found
