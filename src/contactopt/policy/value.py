"""What an action is worth over waiting: margin x lift - cost - harm, with its uncertainty.

The *lift* factorises, not the total: people who are not reached pay too, so the money of reached
customers is never compared with that of unreached ones. For an action a and a customer i

    lift(i,a) = reach(i,a) * [p_pay(i | reached by a) - p_pay(i | wait)] * amount(i) * discount

The effect per right-party contact comes from randomised or propensity-weighted contrasts of drawn
actions, divided by the reach they induce (Angrist, Imbens and Rubin, "Identification of Causal
Effects Using Instrumental Variables", JASA 1996).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ActionValues", "action_values", "discount_factor", "window_discounts"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ActionValues:
    """Value of every arm over waiting and the parts it is made of, shape (n, m) each.

    ``value == margin * lift - cost - harm`` holds to rounding for every pair.
    """

    value: Floats
    spread: Floats
    p_pay: Floats
    lift: Floats


def discount_factor(rate_yearly: float, days: float) -> float:
    """Return what one unit of money in ``days`` days is worth today.

    Examples
    --------
    >>> discount_factor(0.0, 30)
    1.0
    """
    return float((1.0 + rate_yearly) ** (-days / 365.0))


def window_discounts(rate_yearly: float, horizon_days: Floats) -> Floats:
    """Return the discount of money that comes in the middle of each row's window, shape (n,).

    Examples
    --------
    >>> window_discounts(0.1, np.array([30.0, 30.0, 90.0])).round(4).tolist()
    [0.9961, 0.9961, 0.9883]
    """
    # one power per length, so that rows do not depend on how many there are
    length, at = np.unique(horizon_days, return_inverse=True)
    return np.array([discount_factor(rate_yearly, d / 2) for d in length.tolist()])[at]


def action_values(
    *,
    reach: Floats,
    reach_sd: Floats,
    p_pay_wait: Floats,
    gain: Floats,
    gain_sd: Floats,
    amount: Floats,
    margin: Floats,
    cost: Floats,
    harm: Floats,
    discount: float | Floats = 1.0,
) -> ActionValues:
    """Combine reach, effect and money into the value of each arm over waiting.

    Parameters
    ----------
    reach, reach_sd : float array, shape (n, m)
        Probability that the attempt reaches the customer, and its standard deviation.
    p_pay_wait : float array, shape (n,)
        Probability of payment within the horizon when waiting.
    gain, gain_sd : float array, shape (n, m)
        What reaching the customer adds to the probability of payment, and its sd.
    amount : float array, shape (n,)
        Expected money given payment, strategy currency.
    margin, cost, harm : float array, shape (n, m)
    discount : float or float array, shape (n,)
        Present value of one unit of money paid within the horizon.

    Returns
    -------
    ActionValues
        Arrays of shape (n, m); empty input gives empty arrays.
    """
    money = (amount * discount)[:, None]
    lift = reach * gain * money
    # sd of a product of independent parts, to first order; money scales all arms alike and
    # cannot change a customer's choice, so its own uncertainty is left out
    part_sd = np.sqrt((reach * gain_sd) ** 2 + (gain * reach_sd) ** 2)
    return ActionValues(
        value=margin * lift - cost - harm,
        spread=margin * money * part_sd,
        p_pay=np.clip(p_pay_wait[:, None] + reach * gain, 0.0, 1.0),
        lift=lift,
    )
