"""Nobody sees a letter being read: what other contacts tell of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from contactopt.contracts import ActionSpace
from contactopt.models import ReachModel

LETTER = ActionSpace.from_channels({"letter": [None]})
FRESH, WORN = "C0000", "C0001"


def log(
    wear: float, channels: tuple[str, ...] = ("sms", "email"), *, n: int = 1500, seed: int = 0
) -> pd.DataFrame:
    """Return messages every third day, each read `wear` times as often as the one before.

    Every second customer has two of them, the others sixteen. Letters lie among them, unseen.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(n):
        count = 16 if k % 2 else 2
        for j in range(count):
            channel = channels[int(rng.random() * len(channels))]
            read = rng.random() < 0.5 * wear**j
            rows.append((f"C{k:04d}", channel, "read" if read else "delivered", 3.0 * (count - j)))
        rows.append((f"C{k:04d}", "letter", "delivered", 3.0 * count))
    frame = pd.DataFrame(rows, columns=["customer", "channel", "outcome", "age_days"])
    reached = np.where(frame["channel"] == "letter", np.nan, frame["outcome"] == "read")
    return frame.assign(local_hour=12.0, reached=reached.astype(float))


def letters(frame: pd.DataFrame, **known) -> np.ndarray:
    model = ReachModel().fit(frame)
    return model.predict([FRESH, WORN], LETTER, history=frame, **known).probability[:, 0]


def test_who_has_had_many_contacts_reads_fewer_letters_where_messages_wear_off():
    fresh, worn = letters(log(0.85))
    assert worn < 0.7 * fresh
    assert 0.35 < fresh < 0.65  # near the prior of 0.60


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_one_kind_of_message_is_enough_to_tell(channel):
    fresh, worn = letters(log(0.85, (channel,)))
    assert worn < 0.5 * fresh
    still, tired = letters(log(1.0, (channel,)))
    assert tired > 0.6 * still


def test_a_stray_message_of_a_third_kind_changes_next_to_nothing():
    frame = log(0.85)
    push = frame.head(1).assign(
        customer="C0003", channel="push", outcome="read", reached=1.0, age_days=1.0
    )
    with_push = pd.concat([frame, push], ignore_index=True)
    assert letters(with_push) == pytest.approx(letters(frame), rel=0.05)


def test_letters_keep_their_prior_where_messages_do_not_wear_off():
    fresh, worn = letters(log(1.0))
    assert worn == pytest.approx(fresh, rel=0.2)
    assert fresh == pytest.approx(0.60, abs=0.08)


def test_letters_to_better_addresses_are_read_more_often():
    frame = log(1.0, n=300)
    bad, good = letters(frame, point_quality=[[0.1], [0.9]])
    assert good > bad + 0.1
