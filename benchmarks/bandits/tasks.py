"""Bandit tasks with a known truth, and the loop that every policy goes through (NumPy only)."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: seed of the first task; the others follow
FIRST_SEED = 20240601


@dataclass(frozen=True)
class Task:
    """Features, true mean reward of every action, eligible actions (None: all), rewards.

    Parameters
    ----------
    X : float array, shape (n, d)
        The last column is constant.
    truth : float array, shape (n, m)
        P(reward = 1).
    mask : bool array, shape (n, m), or None
    batch : int
        Rounds proposed before their rewards are learned.
    ticket : float array, shape (n,)
        The reward is 1 where the ticket is below the truth: the same luck for every policy.
    """

    X: Floats
    truth: Floats
    mask: npt.NDArray[np.bool_] | None
    batch: int
    ticket: Floats

    @property
    def oracle(self) -> float:
        """Mean reward of the best eligible action."""
        best = self.truth if self.mask is None else np.where(self.mask, self.truth, -np.inf)
        return float(best.max(axis=1).mean())


class Policy(Protocol):
    """What a competitor does: choose a batch, then learn its rewards."""

    def choose(
        self, X: Floats, mask: npt.NDArray[np.bool_] | None
    ) -> tuple[npt.NDArray[np.int64], Floats | None]:
        """Return actions, and the probabilities (n, m) they were drawn with where known."""
        ...

    def learn(
        self,
        X: Floats,
        action: npt.NDArray[np.int64],
        reward: Floats,
        mask: npt.NDArray[np.bool_] | None,
    ) -> None:
        """Learn the rewards of the batch chosen last."""
        ...


def linear(seed: int, data: Path | None = None) -> Task:
    """P(reward) = clip(0.5 + 0.15 Z, 0, 1); 12 actions, 31 features, batches of 1,000."""
    rng = np.random.default_rng(seed)
    X, Z = _scores(rng)
    return Task(X, np.clip(0.5 + 0.15 * Z, 0, 1), None, 1000, rng.random(len(X)))


def sparse(seed: int, data: Path | None = None) -> Task:
    """logistic(b + 0.7 Z), b ~ N(-4.3, 0.4) per action; half of each row's actions ineligible."""
    rng = np.random.default_rng(seed)
    X, Z = _scores(rng)
    m = Z.shape[1]
    b = rng.normal(-4.3, 0.4, m)
    mask = np.argsort(rng.random(Z.shape), axis=1) < m // 2
    return Task(X, 1 / (1 + np.exp(-(b + 0.7 * Z))), mask, 1000, rng.random(len(X)))


def penbased(seed: int, data: Path | None = None) -> Task:
    """Reward 1 for the right digit; 16 features as they come and a constant; batches of 100."""
    assert data is not None
    with gzip.open(data / "multiclass" / "penbased.csv.gz", "rt") as file:
        rows = np.loadtxt(file, delimiter=",", skiprows=1)
    rng = np.random.default_rng(seed)
    rows = rows[rng.permutation(len(rows))]
    label = np.unique(rows[:, -1], return_inverse=True)[1]
    X = np.column_stack([rows[:, :-1], np.ones(len(rows))])
    return Task(X, np.eye(label.max() + 1)[label], None, 100, rng.random(len(X)))


def _scores(rng: np.random.Generator) -> tuple[Floats, Floats]:
    n, d, m = 100_000, 30, 12
    X = rng.standard_normal((n, d))
    theta = rng.standard_normal((m, d)) / np.sqrt(d)
    return np.column_stack([X, np.ones(n)]), X @ theta.T


TASKS: dict[str, Callable[..., Task]] = {
    "linear": linear,
    "sparse": sparse,
    "penbased": penbased,
}


def play(policy: Policy, task: Task) -> dict[str, Any]:
    """Go through a task; only choosing and learning are timed.

    The value is the true mean reward: expected under the policy's probabilities where it tells
    them, else that of the actions it chose. Rounds per second are told by the clock, and by the
    processor time of this process (all threads), which a busy machine disturbs less. The effective
    share of the uniform policy is 1 / mean(w^2), w the weight of the uniform policy over the
    eligible actions (expected).
    """
    n = len(task.truth)
    seconds, busy, value, squares, told = 0.0, 0.0, 0.0, 0.0, True
    for first in range(0, n, task.batch):
        rows = slice(first, min(first + task.batch, n))
        X, truth = task.X[rows], task.truth[rows]
        mask = None if task.mask is None else task.mask[rows]
        began, ran = time.perf_counter(), time.process_time()
        action, p = policy.choose(X, mask)
        seconds, busy = seconds + time.perf_counter() - began, busy + time.process_time() - ran
        at = np.arange(len(X))
        if mask is not None and not mask[at, action].all():
            raise RuntimeError("an ineligible action was chosen")
        chosen = truth[at, action]
        reward = (task.ticket[rows] < chosen).astype(np.float64)
        began, ran = time.perf_counter(), time.process_time()
        policy.learn(X, action, reward, mask)
        seconds, busy = seconds + time.perf_counter() - began, busy + time.process_time() - ran
        if p is None:
            told = False
            value += float(chosen.sum())
            continue
        value += float((p * truth).sum())
        eligible = np.ones_like(truth, dtype=bool) if mask is None else mask
        uniform = eligible / eligible.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            squares += float(np.where(eligible, uniform**2 / p, 0.0).sum())
    return {
        "value": value / n,
        "regret": task.oracle - value / n,
        "rounds_per_s": n / seconds,
        "rounds_per_cpu_s": n / busy,
        "uniform_share": n / squares if told else None,
    }
