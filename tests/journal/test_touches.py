"""When a touch and its outcome are known, and what digital events make of it."""

import pandas as pd
import pytest
from worlds import at, debt, frame, journal, touch

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.local_time import to_us


def outcome(tables, instant, **settings):
    found = journal(tables, **settings).as_of(instant).touches
    return [] if found.empty else found["outcome"].tolist()


@pytest.mark.parametrize(
    ("more", "known"),
    [
        ({"outcome_at": at("03-02 09:00")}, at("03-02 09:00")),
        ({"responded_at": at("03-03 09:00")}, at("03-03 09:00")),
        ({"outcome_at": at("03-02 09:00"), "responded_at": at("03-03 09:00")}, at("03-02 09:00")),
        ({"duration_s": 90.5}, at("03-01 10:01:30.5")),
        ({}, at("03-01 10:00")),
        # never before the row itself
        ({"duration_s": 60.0, "recorded_at": at("03-01 20:00")}, at("03-01 20:00")),
        ({"outcome_at": at("03-02 09:00"), "recorded_at": at("03-01 20:00")}, at("03-02 09:00")),
    ],
)
def test_an_outcome_is_unknown_until_it_is_known(more, known):
    tables = {"touches": frame(touch("T", at("03-01 10:00"), "promise", **more))}
    before = journal(tables).as_of(known.value // 1000 - 1).touches
    assert before["outcome"].tolist() in ([], ["unknown"])
    after = journal(tables).as_of(known).touches
    assert after["outcome"].tolist() == ["promise"]
    assert after["outcome_known_us"].tolist() == [to_us(known)]


def test_rows_without_recorded_at_come_with_the_tables_delay():
    tables = {"touches": frame(touch("T", at("03-01 10:00"), "promise", duration_s=60.0))}
    delay = {"touches": 6.0}
    assert outcome(tables, at("03-01 15:59"), data_delay=delay) == []
    assert outcome(tables, at("03-01 16:00"), data_delay=delay) == ["unknown"]
    assert outcome(tables, at("03-01 16:01"), data_delay=delay) == ["promise"]
    tables["touches"]["recorded_at"] = at("03-01 12:00")
    assert outcome(tables, at("03-01 12:00"), data_delay=delay) == ["promise"]


def email(own, *events):
    rows = [{"touch_id": "T", "event": e, "occurred_at": t, "machine": m} for e, t, m in events]
    return {
        "touches": frame(touch("T", at("03-01 10:00"), own, channel="email")),
        "touch_events": frame(*rows),
    }


def test_machine_opens_are_no_engagement():  # 000-14
    tables = email(
        "delivered",
        ("opened", at("03-01 10:01"), True),
        ("opened", at("03-02 08:00"), False),
        ("clicked", at("03-02 08:01"), False),
    )
    found = journal(tables).as_of(at("03-01 12:00")).touches
    assert found["outcome"].tolist() == ["delivered"] and found["machine_only"].tolist() == [True]
    assert outcome(tables, at("03-02 08:00")) == ["opened"]
    found = journal(tables).as_of(at("03-02 09:00")).touches
    assert found["outcome"].tolist() == ["clicked"] and found["machine_only"].tolist() == [False]
    assert found["outcome_known_us"].tolist() == [to_us(at("03-02 08:01"))]


def test_a_touch_marked_opened_only_by_machines_counts_as_delivered():
    tables = email("opened", ("opened", at("03-01 10:01"), True))
    assert outcome(tables, at("03-01 10:00")) == ["opened"]  # the machine flag is not known yet
    assert outcome(tables, at("03-01 10:01")) == ["delivered"]
    tables = email("opened", ("opened", at("03-01 10:01"), True), ("opened", at("03-02"), False))
    assert outcome(tables, at("03-02")) == ["opened"]


@pytest.mark.parametrize(
    ("own", "event", "expected"),
    [
        ("undelivered", "opened", "opened"),
        ("unknown", "replied", "replied"),
        ("clicked", "opened", "clicked"),
        ("clicked", "opted_out", "opted_out"),
        ("promise", "opened", "promise"),
        ("wrong_number", "opened", "wrong_number"),
    ],
)
def test_the_best_human_event_wins_over_delivery_not_over_a_conversation(own, event, expected):
    assert outcome(email(own, (event, at("03-01 11:00"), False)), at("03-02")) == [expected]


def test_named_debts_come_from_both_places():
    tables = {
        "debts": frame(debt("D"), debt("E"), debt("F")),
        "touches": frame(
            touch("T1", at("03-01"), "no_answer", debt_id="D"),
            touch("T2", at("03-02"), "no_answer", debt_id=None),
            touch("T3", at("03-03"), "no_answer", debt_id=None),
        ),
        "touch_debts": frame(
            {"touch_id": "T2", "debt_id": "E"}, {"touch_id": "T2", "debt_id": "F"}
        ),
    }
    view = journal(tables).as_of(at("04-01"))
    assert view.touches["n_debts"].tolist() == [1, 2, 0]
    assert view.touches["debt"].tolist() == [0, -1, -1]
    assert view.touch_debts.values.tolist() == [[0, 0], [1, 1], [1, 2]]


def test_a_point_is_dead_until_an_answer_shows_otherwise():  # 000-27
    def tables(*outcomes):
        rows = [
            touch(f"T{k}", at(f"03-{k + 1:02d}"), o, contact_point_id="P")
            for k, o in enumerate(outcomes)
        ]
        point = {"contact_point_id": "P", "customer_id": "C", "kind": "mobile",
                 "place": "home", "valid_from": at("01-01")}  # fmt: skip
        return {"touches": frame(*rows), "contact_points": frame(point)}

    def dead(*outcomes):
        return journal(tables(*outcomes)).as_of(at("04-01")).points["dead"].tolist()[0]

    assert dead("invalid") and dead("bounced") and dead("wrong_number")
    assert dead("promise", "invalid", "no_answer", "voicemail")
    assert not dead("invalid", "delivered") and not dead("no_answer")
    assert dead("wrong_number", "delivered")  # somebody has it, only not the customer
    assert not dead("wrong_number", "refused")


def test_a_touch_that_still_lasts_has_no_duration_yet():
    tables = {"touches": frame(touch("T", at("03-01 10:00"), "promise", duration_s=600.0))}
    found = journal(tables).as_of(at("03-01 10:05")).touches
    assert found["duration_s"].isna().tolist() == [True]
    assert found["outcome_known_us"].tolist() == [NO_INSTANT]


@pytest.mark.parametrize("word", ["deceased", "asked_to_stop", "bounced"])
def test_an_event_that_ends_contact_is_heard(word: str) -> None:
    """A vendor's event file may carry the word that the touch row does not."""
    from contactopt.journal import Journal

    t0 = pd.Timestamp("2026-06-01T12:00Z")
    tables = {
        "customers": pd.DataFrame({"customer_id": ["a"], "time_zone": ["UTC"]}),
        "touches": pd.DataFrame(
            {
                "touch_id": ["t"],
                "customer_id": ["a"],
                "direction": ["outbound"],
                "channel": ["email"],
                "started_at": [t0],
                "outcome": ["delivered"],
            }
        ),
        "touch_events": pd.DataFrame(
            {
                "touch_id": ["t", "t"],
                "occurred_at": [t0 + pd.Timedelta(hours=h) for h in (1, 2)],
                "event": [word, "opened"],
                "machine": [False, False],
            }
        ),
    }
    journal = Journal(tables)
    assert journal.as_of("2026-06-01T12:30Z").touches["outcome"].tolist() == ["delivered"]
    for later in ("2026-06-01T13:00Z", "2026-06-01T15:00Z"):
        assert journal.as_of(later).touches["outcome"].tolist() == [word]
