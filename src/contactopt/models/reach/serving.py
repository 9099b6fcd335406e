"""From fitted numbers and a history to probabilities per customer and action."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from contactopt.contracts.action_space import ActionSpace
from contactopt.errors import ConfigError
from contactopt.models.reach.attempts import Attempts
from contactopt.models.reach.evidence import group_of
from contactopt.models.reach.families import PERSONAL, media_of
from contactopt.models.reach.persons import fit_persons
from contactopt.models.reach.priors import BLOCK_OF_HOUR, N_BLOCKS, N_MEDIA

__all__ = ["Served"]

#: steps to a customer's own effects when scoring: the same for everybody
_SERVING_SWEEPS = 12

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: columns of the signs' slopes behind the signs themselves: touches and point quality
_TOUCHES, _QUALITY = -2, -1


@dataclasses.dataclass(frozen=True)
class Served:
    """The numbers of a fit, asked for actions.

    Attributes
    ----------
    channels : dict
    effects, variances : dict
        As in `ReachModel`.
    slopes : float array
        Touches, point quality, then covariates.
    signs : float array, shape (n_groups, n_features + 2), or None
        None: fitted before signs were read.
    hours_count : bool array, shape (n_channels,)
        Channels whose attempts tell of a customer's good hours.
    half_life_days : float
    """

    channels: dict[str, str]
    effects: dict[str, Floats]
    variances: dict[str, float]
    slopes: Floats
    signs: Floats | None
    hours_count: npt.NDArray[np.bool_]
    half_life_days: float

    def channel_of(self, actions: ActionSpace) -> Ints:
        """Position of each action's channel, shape (m,)."""
        wrong = [c for c in actions.channels if c not in self.channels]
        if wrong:
            raise ConfigError(
                f"ReachModel does not know the channels {', '.join(wrong)}",
                hint="say what they are like at the fit: ReachModel(like={'rcs': 'sms'})",
            )
        names = list(self.channels)
        codes = np.array([names.index(c) for c in actions.channels], dtype=np.int64)
        return codes[actions.channel_index]

    def population(self, actions: ActionSpace) -> tuple[Floats, Floats]:
        """Logit and variance per action before anything personal, shape (1, m) each."""
        channel = self.channel_of(actions)
        medium = media_of(self.channels)[channel]
        timed = actions.hours >= 0
        e = self.effects
        eta, variance = e["channel"][channel], e["channel_variance"][channel]
        for name, row in (("medium_hour", medium), ("channel_hour", channel)):
            eta = eta + np.where(timed, e[name][row, actions.hours], 0.0)
            variance = variance + np.where(timed, e[f"{name}_variance"][row, actions.hours], 0.0)
        return eta[None, :], variance[None, :]

    def segment(self, actions: ActionSpace, segment: Ints) -> tuple[Floats, Floats]:
        """Logit and variance of each customer's segment, shape (n, m); 0 and the prior's unknown.

        Parameters
        ----------
        segment : int array, shape (n,)
            -1 where unknown.
        """
        e, channel = self.effects, self.channel_of(actions)
        medium = media_of(self.channels)[channel]
        timed, block = actions.hours >= 0, BLOCK_OF_HOUR[actions.hours]
        out = []
        for suffix, unknown in (("", None), ("_variance", self.variances)):
            own = e[f"segment_channel{suffix}"][:, channel]
            hour = e[f"segment_block{suffix}"][:, medium, block]
            table = own + np.where(timed, hour, 0.0)
            none = np.zeros(len(channel))
            if unknown is not None:
                none = unknown["segment_channel"] + timed * unknown["segment_block"]
            out.append(np.vstack([table, none])[segment])
        return out[0], out[1]

    def personal(
        self, actions: ActionSpace, mine: Attempts | None, columns: Floats | None, n: int
    ) -> tuple[Floats, Floats]:
        """Return what each customer's own attempts say: logit and variance, shape (n, m) each.

        Parameters
        ----------
        mine : Attempts, optional
            Of these customers.
        columns : float array, shape (n_attempts, k), optional
            `AttemptColumns.matrix` of the attempts.
        """
        v, sizes = self.variances, {"customer": 1, "customer_medium": N_MEDIA}
        sizes |= {"customer_channel": len(self.channels), "customer_block": N_BLOCKS}
        effect = {
            k: (np.zeros((n, sizes[k])), np.full((n, sizes[k]), v[k])) for k in PERSONAL if k in v
        }
        channel = self.channel_of(actions)
        medium = media_of(self.channels)[channel]
        signs = np.zeros((n, 1))
        if mine is not None and columns is not None and len(mine):
            told = mine.told
            rows = mine.pick(told)
            offset, signs = self._offset(mine, columns)
            effect = self._fitted(rows, offset[told], sizes, n)
            if self.signs is not None:
                signs = signs[:, self._groups()[channel]]
        index = {"customer": np.zeros(len(channel), dtype=np.int64), "customer_medium": medium}
        index |= {"customer_channel": channel, "customer_block": BLOCK_OF_HOUR[actions.hours]}
        hours = (actions.hours >= 0) & self.hours_count[channel]
        value, variance = np.zeros((n, len(channel))) + signs, np.zeros((n, len(channel)))
        for name, parts in effect.items():
            for total, part in zip((value, variance), parts, strict=True):
                if name == "customer_block":
                    # a column of zeros for actions whose hour says nothing
                    part = np.hstack([part, np.zeros((n, 1))])
                    total += part[:, np.where(hours, index[name], N_BLOCKS)]
                else:
                    total += part[:, index[name]]
        return value, variance

    def _fitted(
        self, rows: Attempts, offset: Floats, sizes: dict[str, int], n: int
    ) -> dict[str, tuple[Floats, Floats]]:
        """Effects of customers with attempts: mode and variance per family, (n, size) each."""
        medium = media_of(self.channels)[rows.channel]
        timed = (rows.hour >= 0) & self.hours_count[rows.channel]
        places = {
            "customer": np.zeros(len(rows), dtype=np.int64),
            "customer_medium": medium,
            "customer_channel": rows.channel,
            "customer_block": np.where(timed, BLOCK_OF_HOUR[rows.hour], -1),
        }
        names = [k for k in PERSONAL if k in self.variances]
        start = np.cumsum([0, *(sizes[k] for k in names)])
        level = [
            np.where(places[k] < 0, -1, places[k] + s) for k, s in zip(names, start, strict=False)
        ]
        value, spread2 = fit_persons(
            rows.customer,
            np.column_stack(level),
            np.repeat(np.arange(len(names)), [sizes[k] for k in names]),
            np.array([self.variances[k] for k in names]),
            rows.reached,
            rows.weight(self.half_life_days),
            offset,
            n_customers=n,
            # a stop that looked at all customers would let neighbours move a customer's score
            sweeps=_SERVING_SWEEPS,
        )
        cut = {k: slice(start[i], start[i + 1]) for i, k in enumerate(names)}
        return {k: (value[:, at], spread2[:, at]) for k, at in cut.items()}

    def _groups(self) -> Ints:
        return np.array([group_of(root) for root in self.channels.values()], dtype=np.int64)

    def _offset(self, mine: Attempts, columns: Floats) -> tuple[Floats, Floats]:
        """Shared part of attempts' logit, shape (n_attempts,), and signs now, (n, n_groups)."""
        medium = media_of(self.channels)[mine.channel]
        hour = self.effects["medium_hour"][medium, mine.hour]
        hour = hour + self.effects["channel_hour"][mine.channel, mine.hour]
        level = self.effects["channel"][mine.channel] + np.where(mine.hour < 0, 0.0, hour)
        offset = level + columns @ self.slopes
        if "segment_channel" in self.effects:
            known = mine.segment >= 0
            own = self.effects["segment_channel"][mine.segment, mine.channel]
            block = BLOCK_OF_HOUR[mine.hour]
            when = self.effects["segment_block"][mine.segment, medium, block]
            offset = offset + np.where(known, own + np.where(mine.hour < 0, 0.0, when), 0.0)
        if self.signs is None:
            return offset, np.zeros((mine.n_customers, 1))
        group = self._groups()[mine.channel]
        trail = mine.trail(self.channels, self.half_life_days)
        own, shared = self.signs[:, :_TOUCHES], self.signs[:, _TOUCHES:]
        offset = offset + np.einsum("ij,ij->i", trail.row, own[group])
        offset = offset + np.einsum("ij,ij->i", columns[:, :2], shared[group])
        return offset, np.einsum("igk,gk->ig", trail.end, own)

    def touches_slope(self, actions: ActionSpace) -> Floats:
        """Slope per touch in the trailing week of each action, shape (m,)."""
        return self._own_slope(actions, 0, _TOUCHES)

    def quality_slope(self, actions: ActionSpace) -> Floats:
        """Slope per unit of point quality of each action, shape (m,)."""
        return self._own_slope(actions, 1, _QUALITY)

    def _own_slope(self, actions: ActionSpace, k: int, place: int) -> Floats:
        channel = self.channel_of(actions)
        own = 0.0 if self.signs is None else self.signs[self._groups()[channel], place]
        return self.slopes[k] + np.zeros(len(channel)) + own
