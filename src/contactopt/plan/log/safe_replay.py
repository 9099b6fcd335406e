"""All candidates of a batch with safety on, and their mixture, done again from the log."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from contactopt.plan.log.batch_record import BatchFacts
from contactopt.plan.log.block import LoggedBlock
from contactopt.plan.log.probabilities import Solved, eligible_of, probabilities_again
from contactopt.plan.log.rounding_record import rounding_from
from contactopt.plan.mixing import mix, share_integers
from contactopt.policy.kernels import floor_pass
from contactopt.policy.safety import SHARE_UNIT, Incumbent
from contactopt.segments import stage_of

__all__ = ["CandidatesAgain", "candidates_again"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class CandidatesAgain(NamedTuple):
    """Integer probabilities, shape (k, m + 1): of each candidate, and mixed."""

    each: dict[str, Ints]
    mixed: Ints


def candidates_again(
    block: LoggedBlock,
    reasons: npt.NDArray[np.object_],
    control: npt.NDArray[np.bool_],
    facts: BatchFacts,
    learned: Ints,
) -> CandidatesAgain:
    """Do all candidates of a block again, and their mixture.

    Parameters
    ----------
    block : LoggedBlock
    reasons : object array, shape (k, m + 1)
    control : bool array, shape (k,)
    facts : BatchFacts
        Of a batch with safety on.
    learned : int64 array, shape (k, m + 1)
        Done again from the learned scores.
    """
    told = facts.safe
    assert told is not None
    each = {"learned": learned}
    if "constant" in told:
        made, price = rounding_from(told["constant"])
        solved = Solved(made, price, "constant_value", "constant_spread")
        found = probabilities_again(block, reasons, control, facts, solved)
        assert found is not None
        each["constant"] = found
    if "incumbent" in told:
        each["incumbent"] = _incumbent_again(block, reasons, control, told["incumbent"], learned)
    lead = told["verdict"]["lead"]
    share = int(told["share"]) if lead != "learned" else SHARE_UNIT
    return CandidatesAgain(each, mix(each[lead], learned, share))


def _incumbent_again(
    block: LoggedBlock,
    reasons: npt.NDArray[np.object_],
    control: npt.NDArray[np.bool_],
    told: dict[str, Any],
    learned: Ints,
) -> Ints:
    k, width = block.shape
    mask, starts = eligible_of(reasons, control)
    stages, code = np.unique(
        stage_of(block.words("segment")[:, 0]).astype(str), return_inverse=True
    )
    table = Incumbent.from_state(told).probabilities(stages, block.action_ids[:-1])
    shares = table[code.ravel()][mask]

    def pairs(name: str) -> Floats:
        return np.ascontiguousarray(block.numbers(name)[:, :-1][mask])

    factor, shrink = (np.array(told[name], dtype=np.float64) for name in ("factor", "shrink"))
    cell, room = pairs("cell").astype(np.int16), np.empty(k)
    floor_pass(
        starts, pairs("value"), pairs("usage"), cell, float(told["floor"]), factor, ~control, room,
        np.zeros(len(factor)),
    )  # fmt: skip
    whole = share_integers(
        starts, np.nonzero(mask)[1].astype(np.int16), cell, shares, room,
        floor=float(told["floor"]), factor=factor, shrink=shrink, n_actions=width - 1,
    )  # fmt: skip
    return mix(whole, learned, int(told["rest"])) if told["rest"] else whole
