"""Per-action ridge in NumPy: greedy, inverse-gap weighting, Thompson sampling."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Ridge:
    """Ridge regression per action with penalty 1; ties are broken at random.

    Parameters
    ----------
    n_actions, n_features, seed : int
    explore : {"greedy", "inverse_gap", "thompson"}
    """

    def __init__(self, n_actions: int, n_features: int, seed: int, explore: str) -> None:
        self.gram = np.repeat(np.eye(n_features)[None], n_actions, axis=0)
        self.cross = np.zeros((n_actions, n_features))
        self.squares, self.rounds = 0.0, 0
        self.rng = np.random.default_rng([seed, 7])
        self.explore = explore

    def choose(
        self, X: Floats, mask: npt.NDArray[np.bool_] | None
    ) -> tuple[npt.NDArray[np.int64], Floats | None]:
        """Return actions, and their probabilities where they are known."""
        theta = np.asarray(np.linalg.solve(self.gram, self.cross[:, :, None])[:, :, 0], np.float64)
        value = X @ theta.T
        n, m = value.shape
        if self.explore == "thompson":
            value = value + self._spread(X, theta) * self.rng.standard_normal((n, m))
        if self.rounds == 0:
            value = self.rng.random((n, m))
        if mask is not None:
            value = np.where(mask, value, -np.inf)
        best = value.argmax(axis=1)
        if self.explore != "inverse_gap":
            return best, (np.eye(m)[best] if self.explore == "greedy" else None)
        size = np.full((n, 1), m) if mask is None else mask.sum(axis=1, keepdims=True)
        gap = value.max(axis=1, keepdims=True) - value
        p = 1.0 / (size + np.sqrt(m * max(self.rounds, 1)) * gap)
        p[np.arange(n), best] = 0.0
        p[np.arange(n), best] = 1.0 - p.sum(axis=1)
        action = (self.rng.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1)
        return np.minimum(action, m - 1), p

    def _spread(self, X: Floats, theta: Floats) -> Floats:
        left = self.squares - (theta * self.cross).sum()
        noise = max(left / self.rounds, 1e-6) if self.rounds else 1.0
        root = np.linalg.cholesky(np.linalg.inv(self.gram))
        return np.sqrt(noise) * np.sqrt(((X @ root) ** 2).sum(axis=2)).T

    def learn(self, X: Floats, action: npt.NDArray[np.int64], reward: Floats, mask: object) -> None:
        """Add the batch to the Gram matrices."""
        for a in range(len(self.gram)):
            rows = action == a
            own = X[rows]
            self.gram[a] += own.T @ own
            self.cross[a] += own.T @ reward[rows]
        self.squares += float(reward @ reward)
        self.rounds += len(X)
