"""The public contextual bandit: learn from rounds, propose with exact probabilities, draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from contactopt.policy.bandit.bayesian_linear import BayesianLinear, checked_features
from contactopt.policy.bandit.decisions import LearnedDecisions
from contactopt.policy.bandit.design import BanditDesign
from contactopt.policy.bandit.proposal import Proposal
from contactopt.policy.bandit.proposal_kernels import draw_rows
from contactopt.policy.bandit.rounds import (
    Rounds,
    actions_seen,
    checked_mask,
    checked_rounds,
    days_of,
    length_of,
    lotteries,
    refuse_lotteries,
)
from contactopt.policy.bandit.settings import check_settings
from contactopt.policy.bandit.shards import check_shards
from contactopt.policy.bandit.state import policy_state, restored
from contactopt.policy.bandit.statistics import LinearStatistics
from contactopt.policy.bandit.strengths import Strengths
from contactopt.policy.exploration import Exploration
from contactopt.policy.log_barrier import LogBarrier

__all__ = ["BanditPolicy"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: without a floor of one's own: this share of every row is spread over its eligible actions, which
#: keeps the effective sample of the uniform policy at least so large a share of the rounds
_FLOOR_SHARE = 0.003
#: strengths are estimated anew once the rounds have grown by this share: in the first so many
#: rounds, and after them
_GROWTH, _LATER_GROWTH, _EARLY_ROUNDS = 0.25, 1.0, 5000
#: steps of the strengths' fixed point: from nothing, on from the last strengths, and later
_FIRST_STEPS, _STEPS, _LATER_STEPS = 30, 3, 1
#: actions x coefficients cubed that the steps of one proposal may take together
_MOST_WORK = 3_000_000_000


class BanditPolicy(BaseEstimator):
    """Contextual bandit with masks, batches, delayed rewards and exact probabilities.

    Rewards are learned by `BayesianLinear`: one Bayesian linear layer per action around what the
    actions share, on mergeable statistics kept per day; noise and prior variances come from the
    data, so that no scale has to be set. Each row's probabilities solve

        maximise  sum_a p_a (m_a + optimism sd_a) + tau w R(p)

    over the eligible actions: m and sd the posterior's, w the mean sd of the row's actions, R the
    log barrier, so that p_a = tau w / (nu + gap_a) (Foster and Rakhlin 2020); a floor lies under
    it. The sd is that of an action's own coefficients: what all actions share cannot change their
    order. Probabilities are multiples of 2**-36, as logged and drawn.

    Parameters
    ----------
    n_actions : int, optional
        Number of actions; learned by the first `fit` or `update` (largest action + 1, or the
        mask's width) where None. With a number the policy proposes before it has learned anything.
    exploration : LogBarrier or Softmax, optional
        The log barrier where None.
    tau : float
        Dimensionless exploration weight, positive. Small, because optimism does most of the
        exploring here; plans without optimism need about ten times as much.
    floor : float, optional
        Least probability of an eligible action (at most half of a row goes into floors); 0.003
        divided by the number of eligible actions where None.
    optimism : float
        Posterior standard deviations added to the mean before exploring, at least 0.
    forgetting : float
        Weight of a day relative to the next, in (0, 1].
    action_features : array, shape (n_actions, q), optional
        Numbers that describe the actions; cold actions then start from those like them.
    random_state : int, optional
        Seed of the draws; fresh entropy where None.
    num_threads : int
        Threads that propose for large batches; no probability depends on it.

    Attributes
    ----------
    n_actions_, n_features_in_, feature_names_in_
        Seen at the first fit or update.
    n_rounds_ : int
        Rounds learned, those without an eligible action left out.

    References
    ----------
    Foster and Rakhlin, "Beyond UCB: Optimal and Efficient Contextual Bandits with Regression
    Oracles", ICML 2020.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> policy = BanditPolicy(n_actions=2)
    >>> for _ in range(20):
    ...     X = rng.normal(size=(100, 1))
    ...     action, propensity = policy.draw(X)
    ...     reward = np.where(action == 1, X[:, 0], -X[:, 0]) + rng.normal(size=100)
    ...     policy = policy.update(X, action, reward, propensity)
    >>> policy.action_probabilities([[2.0], [-2.0]]).round(2)
    array([[0., 1.],
           [1., 0.]])
    >>> policy.action_probabilities([[2.0]], mask=[[True, False]])
    array([[1., 0.]])
    """

    layers_: BayesianLinear

    def __init__(
        self,
        *,
        n_actions: int | None = None,
        exploration: Exploration | None = None,
        tau: float = 0.0005,
        floor: float | None = None,
        optimism: float = 1.2,
        forgetting: float = 1.0,
        action_features: Any = None,
        random_state: int | None = 0,
        num_threads: int = 1,
    ) -> None:
        self.n_actions = n_actions
        self.exploration = exploration
        self.tau = tau
        self.floor = floor
        self.optimism = optimism
        self.forgetting = forgetting
        self.action_features = action_features
        self.random_state = random_state
        self.num_threads = num_threads

    def fit(
        self,
        X: Any,
        action: Any,
        reward: Any,
        propensity: Any = None,
        mask: Any = None,
        day: Any = None,
        decision_id: Any = None,
    ) -> BanditPolicy:
        """Forget everything and learn a log by replay; see `update`."""
        fresh = type(self)(**self.get_params(deep=False))
        fresh.update(X, action, reward, propensity, mask, day, decision_id)
        for name in [k for k in vars(self) if k.endswith("_")]:
            delattr(self, name)
        self.__dict__.update({k: v for k, v in vars(fresh).items() if k.endswith("_")})
        return self

    def update(
        self,
        X: Any,
        action: Any,
        reward: Any,
        propensity: Any = None,
        mask: Any = None,
        day: Any = None,
        decision_id: Any = None,
    ) -> BanditPolicy:
        """Learn rounds; where anything is wrong, nothing of them is learned.

        Parameters
        ----------
        X : array or frame, shape (n, d)
            Features. Arrays hold finite numbers; frames may hold categories and missing values
            (what the first rows show decides the columns).
        action : int array, shape (n,)
            0 to n_actions - 1. Rows with -1 (`draw`: nothing was eligible) teach nothing.
        reward : float array, shape (n,)
        propensity : float array, shape (n,), optional
            Probability of the drawn action. It is checked; the posterior does not need it, because
            draws depend on nothing but what the layers are given.
        mask : bool array, shape (n, m), optional
            Eligible actions at the time.
        day : int or date, or an array of them, shape (n,), optional
            Day the round belongs to, for forgetting; the latest day known where None. Days may
            come late and in any order.
        decision_id : array of str or int, shape (n,), optional
            A decision that was learned before with the same action and reward is passed over, so
            that an update may be repeated.

        Raises
        ------
        ContractError
            A reward or feature is missing or infinite, an action out of range or not eligible, a
            propensity outside (0, 1], a decision twice in the update or learned differently.
        ConfigError
            A parameter is out of its range.
        """
        check_settings(self)
        n = length_of(X)
        known = getattr(self, "n_actions_", self.n_actions)
        rounds = checked_rounds(action, reward, propensity, mask, n, known)
        m = known if known is not None else actions_seen(rounds.action, mask)
        if n == 0 and not hasattr(self, "design_"):
            return self  # no row has shown the columns yet
        design = getattr(self, "design_", None) or BanditDesign().fit(X)
        matrix = design.transform(X)
        decisions = getattr(self, "decisions_", None) or LearnedDecisions()
        learned = rounds.action >= 0
        keys = None
        if decision_id is not None:
            keys, fresh = decisions.told(decision_id, rounds.action, rounds.reward)
            learned &= fresh
        statistics = getattr(self, "statistics_", None) or LinearStatistics(
            m, design.n_columns_, forgetting=self.forgetting
        )
        checked_features(self.action_features, m)
        if not learned.all():
            day = days_of(day, learned)
            matrix = matrix[learned]
            rounds = Rounds(rounds.action[learned], rounds.reward[learned])
        statistics.add(matrix, rounds.action, rounds.reward, day=day)
        if keys is not None:
            decisions.add(*keys)
        self._settle(design, statistics, decisions, m)
        self.n_rounds_ = getattr(self, "n_rounds_", 0) + len(matrix)
        self._proposal_ = None
        return self

    def _settle(
        self,
        design: BanditDesign,
        statistics: LinearStatistics,
        decisions: LearnedDecisions,
        n_actions: int,
    ) -> None:
        """Keep what the first rows showed."""
        self.design_, self.statistics_, self.decisions_ = design, statistics, decisions
        self.n_actions_ = n_actions
        self.n_features_in_ = design.n_features_in_
        if hasattr(design, "feature_names_in_"):
            self.feature_names_in_ = design.feature_names_in_

    def merge(self, other: BanditPolicy) -> BanditPolicy:
        """Add what another shard has learned; ``other`` stays as it is.

        The order in which shards are merged changes no probability: strengths are estimated anew
        from the merged statistics. Raises what `check_shards` raises.
        """
        if not hasattr(other, "statistics_"):
            return self
        check_shards(self, other)
        if not hasattr(self, "statistics_"):
            return self._take_over(other)
        self.statistics_.merge(other.statistics_)
        self.decisions_.add(other.decisions_.keys, other.decisions_.said)
        self.n_rounds_ += other.n_rounds_
        self.strengths_, self.rounds_at_strengths_, self._proposal_ = None, 0, None
        return self

    def _take_over(self, other: BanditPolicy) -> BanditPolicy:
        self._settle(
            BanditDesign.from_state(other.design_.to_state()),
            other.statistics_.copy(),
            LearnedDecisions.from_state(other.decisions_.to_state()),
            other.n_actions_,
        )
        self.n_rounds_ = other.n_rounds_
        return self

    def action_probabilities(self, X: Any, mask: Any = None) -> Floats:
        """Return the probability of every action.

        Parameters
        ----------
        X : array or frame, shape (n, d)
        mask : bool array, shape (n, m), optional
            Eligible actions; all where None.

        Returns
        -------
        float array, shape (n, m)
            Multiples of 2**-36 that sum to exactly 1, exactly 0 where not eligible, above 0
            elsewhere. A row in which nothing is eligible holds only zeros: it waits. Shape (0, m)
            for no rows. Before anything is learned, every eligible action has the same.

        Raises
        ------
        NotFittedError
            Nothing was learned and ``n_actions`` is not set.
        """
        return self._proposal_for(X, mask)

    def draw(
        self,
        X: Any,
        mask: Any = None,
        *,
        random_state: int | np.random.Generator | None = None,
        probabilities: Floats | None = None,
    ) -> tuple[Ints, Floats]:
        """Draw one action per row with exactly the probabilities of `action_probabilities`.

        Parameters
        ----------
        X, mask
            As in `action_probabilities`.
        random_state : int or Generator, optional
            Seed of this draw; the policy's own stream where None, which goes on from call to call.
        probabilities : float array, shape (n, m), optional
            What `action_probabilities` gave for these rows, to save working it out twice.

        Returns
        -------
        action : int array, shape (n,)
            -1 where nothing is eligible: the row waits.
        propensity : float array, shape (n,)
            Probability of the action drawn, 1 where the row waits.
        """
        if probabilities is None:
            p = self._proposal_for(X, mask)
        else:
            p = lotteries(probabilities, length_of(X), self._n_actions())
        source = self._stream() if random_state is None else np.random.default_rng(random_state)
        before = source.bit_generator.state
        action, propensity = np.empty(len(p), np.int64), np.empty(len(p))
        if draw_rows(p, source.random(len(p)), action, propensity):
            source.bit_generator.state = before  # a refused draw uses up no luck
            refuse_lotteries(*p.shape)
        return action, propensity

    def expected_reward(self, X: Any) -> tuple[Floats, Floats]:
        """Return posterior mean and standard deviation of every action's reward, (n, m) each."""
        if not hasattr(self, "statistics_"):
            raise NotFittedError("BanditPolicy has learned nothing yet: call fit or update")
        self._proposed()
        return self.layers_.predict(self.design_.transform(X))

    def _n_actions(self) -> int:
        known = getattr(self, "n_actions_", self.n_actions)
        if known is None:
            raise NotFittedError(
                "BanditPolicy has learned nothing yet: call fit or update, or set n_actions"
            )
        return known

    def _proposal_for(self, X: Any, mask: Any) -> Floats:
        check_settings(self)
        m, n = self._n_actions(), length_of(X)
        eligible = checked_mask(mask, n, m)
        if n == 0:
            return np.zeros((0, m))
        method = (self.exploration or LogBarrier()).method
        floor = (0.0, _FLOOR_SHARE) if self.floor is None else (float(self.floor), 0.0)
        setting = (method, float(self.tau), *floor, float(self.optimism))
        if not hasattr(self, "statistics_"):
            return Proposal.cold(m).probabilities(np.zeros((n, 0)), eligible, setting)
        matrix = self.design_.transform(X)
        return self._proposed().probabilities(matrix, eligible, setting, self.num_threads)

    def _proposed(self) -> Proposal:
        """Return the current proposal, solving the layers where something was learned since."""
        known: Proposal | None = getattr(self, "_proposal_", None)
        if known is not None:
            return known
        last: Strengths | None = getattr(self, "strengths_", None)
        since = getattr(self, "rounds_at_strengths_", 0)
        early = self.n_rounds_ <= _EARLY_ROUNDS
        growth = _GROWTH if early else _LATER_GROWTH
        steps = 0
        if last is None or self.n_rounds_ >= (1.0 + growth) * since:
            steps = _FIRST_STEPS if last is None else _STEPS if early else _LATER_STEPS
            work = self.n_actions_ * (self.design_.n_columns_ + 1) ** 3
            steps = min(steps, max(_MOST_WORK // work, 2))
            self.rounds_at_strengths_ = self.n_rounds_
        layers = BayesianLinear(action_features=self.action_features, max_iterations=steps)
        self.layers_ = layers.fit(self.statistics_, last)
        self.strengths_ = self.layers_.strengths_
        self._proposal_ = proposal = Proposal.of(self.layers_)
        return proposal

    def _stream(self) -> np.random.Generator:
        if getattr(self, "_stream_", None) is None:
            self._stream_ = np.random.default_rng(self.random_state)
        return self._stream_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "statistics_")

    def to_state(self) -> dict[str, Any]:
        """Return parameters, statistics and the state of the draws as plain values."""
        return policy_state(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> BanditPolicy:
        """Rebuild from `to_state`: goes on exactly where it was saved."""
        return restored(cls, state)
