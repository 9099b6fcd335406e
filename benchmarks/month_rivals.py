"""Rivals of the simulated month that score each day: by response, by the best answer rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from compare_policies import contact_log, fixed_rivals, response_model, rivals

#: days between one training and the next, ours too; share of customers drawn at random
UPDATE_DAYS, EPSILON = 5, 0.1


class ByResponse:
    """A rival of compare_policies; one that learns is trained anew and takes one in ten at random.

    Parameters
    ----------
    rival : str
        Its name there.
    seed : int
    learns : bool
    """

    def __init__(self, rival: str, seed: int, *, learns: bool) -> None:
        self.rival, self.seed, self.learns = rival, seed, learns
        self._days, self._model = 0, None

    def scores(self, strategy, portfolio, batch):
        """Return scores and mask of a day."""
        if self.rival in (fixed := fixed_rivals(batch)):
            return fixed[self.rival]
        if self._model is None or (self.learns and self._days % UPDATE_DAYS == 0):
            log = contact_log(portfolio, batch.as_of, strategy.config)
            self._model = response_model(strategy, *log)
        found = rivals(
            portfolio, batch.as_of, strategy.config, batch, strategy, self.seed + self._days,
            response=self._model,
        )  # fmt: skip
        self._days += 1
        scores, allowed = found[self.rival]
        if not self.learns:
            return scores, allowed
        rng = np.random.default_rng([self.seed + self._days, 7])
        lucky = (rng.random(len(scores)) < EPSILON)[:, None]
        random_scores, random_mask = found["random eligible"]
        return np.where(lucky, random_scores, scores), np.where(lucky, random_mask, allowed)


def most_engaged(batch, portfolio, config):
    """Everybody by the channel and at the hour that were answered best, largest debt first."""
    from contactopt.journal.terms import open_journal
    from contactopt.models.reach.attempt_history import attempt_history

    attempts = attempt_history(open_journal(portfolio, config).as_of(batch.as_of))
    attempts = attempts[attempts["local_hour"].notna().to_numpy()]
    rate = attempts.groupby(["channel", "local_hour"])["reached"].agg(["mean", "size"])
    often = rate[rate["size"] >= 30].reset_index()
    best = int(often["mean"].to_numpy().argmax())
    channel, hour = often["channel"].iloc[best], int(often["local_hour"].to_numpy()[best])
    own = np.array(
        [a.channel == channel and a.slot_local_hour in (None, hour) for a in batch.actions]
    )
    debt = np.repeat(batch.amount[:, None], len(own), axis=1)
    return replace(batch, value=debt, lift=debt, allowed=batch.allowed & own)
