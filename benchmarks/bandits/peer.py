"""One peer on one task, in a process of its own; run by bench_bandits.py with the peer's Python.

    PYTHON -m bandits.peer NAME TASK SEED [DATA]      (from the folder benchmarks)

Prints one JSON line. Needs NumPy and the peer; nothing of contactopt.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from bandits.tasks import TASKS, play

#: peer -> (package to import, what it is run with)
PEERS = {
    "mabwiser LinUCB": "mabwiser",
    "contextualbandits LinUCB": "contextualbandits",
    "contextualbandits LinTS": "contextualbandits",
    "vowpalwabbit squarecb": "vowpalwabbit",
    "vowpalwabbit regcbopt": "vowpalwabbit",
}


class Mabwiser:
    """LinUCB at its defaults; where actions are ineligible, the best expectation among the rest."""

    def __init__(self, name: str, m: int, d: int, seed: int) -> None:
        from mabwiser.mab import MAB, LearningPolicy  # pyright: ignore[reportMissingImports]

        self.m = m
        self.model = MAB(list(range(m)), LearningPolicy.LinUCB(), seed=seed)
        self.rng = np.random.default_rng([seed, 7])
        self.fitted = False

    def choose(self, X, mask):
        """Return actions, and their probabilities where they are known."""
        if not self.fitted:
            return _at_random(self.rng, len(X), self.m, mask), None
        if mask is None:
            return np.atleast_1d(np.asarray(self.model.predict(X))), None
        told = self.model.predict_expectations(X)
        value = np.array([[row[a] for a in range(self.m)] for row in told])
        return np.where(mask, value, -np.inf).argmax(axis=1), None

    def learn(self, X, action, reward, mask):
        """Learn the batch chosen last."""
        self.model.partial_fit(action, reward, contexts=X)
        self.fitted = True


class ContextualBandits:
    """LinUCB, and LinTS drawing from confidence intervals; the constant is already in X."""

    def __init__(self, name: str, m: int, d: int, seed: int) -> None:
        from contextualbandits.online import LinTS, LinUCB  # pyright: ignore[reportMissingImports]

        given = {"fit_intercept": False, "random_state": seed}
        self.m = m
        self.model = (
            LinUCB(m, **given) if name.endswith("LinUCB") else LinTS(m, sample_from="ci", **given)
        )
        self.rng = np.random.default_rng([seed, 7])
        self.fitted = False

    def choose(self, X, mask):
        """Return actions, and their probabilities where they are known."""
        if not self.fitted:
            return _at_random(self.rng, len(X), self.m, mask), None
        if mask is None:
            return np.asarray(self.model.predict(X)).astype(np.int64), None
        value = np.asarray(self.model.decision_function(X))
        return np.where(mask, value, -np.inf).argmax(axis=1), None

    def learn(self, X, action, reward, mask):
        """Learn the batch chosen last."""
        self.model.partial_fit(X, action, reward)
        self.fitted = True


class VowpalWabbit:
    """squarecb or regcbopt over actions that cross with the features; costs are -reward."""

    def __init__(self, name: str, m: int, d: int, seed: int) -> None:
        from vowpalwabbit import Workspace  # pyright: ignore[reportMissingImports]

        kind = name.split()[1]
        self.model = Workspace(
            f"--cb_explore_adf --{kind} -q SA --cb_type mtr --cb_min_cost -1 --cb_max_cost 0 "
            f"--noconstant --random_seed {seed % 2**31} --quiet"
        )
        self.m = m
        self.rng = np.random.default_rng([seed, 7])

    def choose(self, X, mask):
        """Return actions, and their probabilities where they are known."""
        n = len(X)
        scale = np.maximum(np.abs(X).max(axis=0), 1e-12)
        self.p = np.zeros((n, self.m))
        self.lines, self.open = [], []
        for i in range(n):
            arms = range(self.m) if mask is None else np.flatnonzero(mask[i]).tolist()
            shared = "shared |S " + " ".join(f"{j}:{v:.6g}" for j, v in enumerate(X[i] / scale))
            self.lines.append(shared)
            self.open.append(list(arms))
            told = self.model.predict([shared] + [f"|A a{a}" for a in arms])
            self.p[i, list(arms)] = told
        self.p /= self.p.sum(axis=1, keepdims=True)
        drawn = (self.rng.random((n, 1)) > self.p.cumsum(axis=1)).sum(axis=1)
        return np.minimum(drawn, self.m - 1), self.p

    def learn(self, X, action, reward, mask):
        """Learn the batch chosen last."""
        for i, (shared, arms) in enumerate(zip(self.lines, self.open, strict=True)):
            a = action[i]
            label = f"0:{-reward[i]}:{self.p[i, a]} "
            self.model.learn([shared] + [(label if b == a else "") + f"|A a{b}" for b in arms])


MAKERS = {
    "mabwiser": Mabwiser,
    "contextualbandits": ContextualBandits,
    "vowpalwabbit": VowpalWabbit,
}


def _at_random(rng, n, m, mask):
    value = rng.random((n, m))
    return (value if mask is None else np.where(mask, value, -1.0)).argmax(axis=1)


if __name__ == "__main__":
    peer, task_name, task_seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
    folder = Path(sys.argv[4]) if len(sys.argv) > 4 else None
    given = TASKS[task_name](task_seed, folder)
    made = MAKERS[PEERS[peer]](peer, given.truth.shape[1], given.X.shape[1], task_seed)
    print(json.dumps(play(made, given)))
