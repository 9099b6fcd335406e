"""A small tree as plain arrays with rounded thresholds, and its leaves in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

__all__ = ["ShallowTree", "leaf_rules"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ShallowTree:
    """A binary tree: rows at or below a threshold go left, missing where the fit sent them.

    Parameters
    ----------
    column : int array
        Input that each node splits on, -1 at leaves.
    threshold : float array
    left, right : int array
        Children of each node, -1 at leaves.
    missing_left : bool array
    """

    column: Ints
    threshold: Floats
    left: Ints
    right: Ints
    missing_left: npt.NDArray[np.bool_]

    @classmethod
    def single(cls) -> Self:
        """Return a tree that does not split."""
        none = np.array([-1])
        return cls(none, np.array([np.nan]), none, none, np.array([True]))

    @classmethod
    def of(cls, model: Any) -> Self:
        """Return a fitted scikit-learn tree with thresholds rounded to two digits."""
        tree = model.tree_
        leaf = tree.children_left < 0
        threshold = np.array([_two_digits(t) for t in tree.threshold])
        return cls(
            np.where(leaf, -1, tree.feature).astype(np.int64),
            np.where(leaf, np.nan, threshold),
            tree.children_left.astype(np.int64),
            tree.children_right.astype(np.int64),
            np.asarray(tree.missing_go_to_left, dtype=bool),
        )

    @property
    def leaf_of_node(self) -> Ints:
        """Number of each leaf, -1 at nodes that split."""
        leaf = self.column < 0
        return np.where(leaf, np.cumsum(leaf) - 1, -1)

    def leaves(self, Z: Floats) -> Ints:
        """Return the leaf of each row of the inputs, shape (n,)."""
        node = np.zeros(len(Z), dtype=np.int64)
        while True:
            going = np.flatnonzero(self.column[node] >= 0)
            if not len(going):
                return self.leaf_of_node[node]
            at = node[going]
            x = Z[going, self.column[at]]
            goes_left = np.where(np.isnan(x), self.missing_left[at], x <= self.threshold[at])
            node[going] = np.where(goes_left, self.left[at], self.right[at])

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        names = ("column", "threshold", "left", "right", "missing_left")
        return {name: getattr(self, name).tolist() for name in names}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild from `to_state`."""
        return cls(
            np.asarray(state["column"], dtype=np.int64),
            np.asarray(state["threshold"], dtype=np.float64),
            np.asarray(state["left"], dtype=np.int64),
            np.asarray(state["right"], dtype=np.int64),
            np.asarray(state["missing_left"], dtype=bool),
        )


def leaf_rules(
    tree: ShallowTree, inputs: Sequence[tuple[str, str | None]], with_missing: Sequence[int]
) -> list[str]:
    """Return each leaf's rule in words, by number of the leaf.

    Where missing values go is said of the inputs ``with_missing``.
    """
    rules: dict[int, str] = {}

    def walk(node: int, path: list[tuple[int, bool]]) -> None:
        if tree.column[node] < 0:
            rules[int(tree.leaf_of_node[node])] = _words(tree, inputs, path, with_missing)
            return
        walk(int(tree.left[node]), [*path, (node, True)])
        walk(int(tree.right[node]), [*path, (node, False)])

    walk(0, [])
    return [rules[k] for k in range(len(rules))]


def _words(
    tree: ShallowTree,
    inputs: Sequence[tuple[str, str | None]],
    path: list[tuple[int, bool]],
    with_missing: Sequence[int],
) -> str:
    """Join the conditions of a path, one per input."""
    over: dict[int, float] = {}
    up_to: dict[int, float] = {}
    unknown: dict[int, bool] = {}
    for node, goes_left in path:
        j = int(tree.column[node])
        limit = float(tree.threshold[node])
        if goes_left:
            up_to[j] = min(limit, up_to.get(j, np.inf))
        else:
            over[j] = max(limit, over.get(j, -np.inf))
        unknown[j] = unknown.get(j, True) and bool(tree.missing_left[node]) == goes_left
    said = []
    for j in unknown:
        name, level = inputs[j]
        said_name = " ".join(name.replace("_", " ").replace(".", " ").split())
        if level is not None:
            said.append(f"{said_name} {'is' if j in over else 'is not'} {level.replace('_', ' ')}")
            continue
        also = " or not known" if unknown[j] and j in with_missing else ""
        low, high = over.get(j, -np.inf), up_to.get(j, np.inf)
        if low == np.inf:
            # a split at infinity tells known from missing
            text, also = f"{said_name} not known", ""
        elif np.isfinite(low) and np.isfinite(high):
            text = f"{said_name} over {low:,.6g} up to {high:,.6g}"
        elif np.isfinite(low):
            text = f"{said_name} over {low:,.6g}"
        else:
            text = f"{said_name} up to {high:,.6g}" if np.isfinite(high) else f"{said_name} known"
        said.append(text + also)
    return ", ".join(said) or "everybody"


def _two_digits(x: float) -> float:
    """Round to two significant digits, from 10 to 1000 down to a whole number."""
    if not np.isfinite(x):
        return float(x)
    if 1 <= abs(x) < 1000:
        return float(np.floor(x)) if abs(x) >= 10 else float(f"{x:.2g}")
    return float(f"{x:.2g}")
