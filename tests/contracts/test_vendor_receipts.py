"""Delivery receipts: one touch per message, events beside it, machines are no engagement."""

from __future__ import annotations

import pandas as pd
import pytest
from contract_tables import small_tables
from vendor_files import GATEWAY, GATEWAY_ROWS, gateway_frame, with_keys

from contactopt.contracts import Portfolio, VendorMapping, read_vendor_file
from contactopt.features import FeaturePipeline
from contactopt.journal import Journal

MAPPING = VendorMapping.from_mapping(GATEWAY)
AS_OF = pd.Timestamp("2026-03-02T12:00Z")


@pytest.fixture(scope="module")
def small() -> Portfolio:
    return Portfolio.from_frames(small_tables())


def test_a_message_is_one_touch_with_its_events(small):  # 003-27
    file = read_vendor_file(gateway_frame(), MAPPING, portfolio=small)
    touches = file.tables["touches"].set_index("customer_id")
    assert len(touches) == 3
    assert touches["outcome"].to_dict() == {"C1": "delivered", "C2": "clicked", "C3": "bounced"}
    assert set(touches["started_at"]) == {pd.Timestamp("2026-02-20T14:00Z")}
    assert touches["outcome_at"]["C2"] == pd.Timestamp("2026-02-20T18:31Z")
    assert set(touches["template_id"]) == {"reminder"} and set(touches["channel"]) == {"email"}
    events = file.tables["touch_events"]
    assert len(events) == 7  # `sent` is no event
    assert events["machine"].sum() == 2 and set(events.loc[events["machine"], "event"]) == {
        "opened"
    }
    assert file.report.made == {"touches": 3, "touch_events": 7}


def test_machine_opens_are_not_engagement(small):  # 000-14
    with_machines = gateway_frame()
    without = gateway_frame([r for r in GATEWAY_ROWS if r[3] != "open-proxy"])
    tables, views, features = [], [], []
    for frame in (with_machines, without):
        file = read_vendor_file(frame, MAPPING, portfolio=small)
        tables.append(file.tables["touches"])
        journal = Journal(small.with_vendor_file(file), data_delay={})
        views.append(journal.as_of(AS_OF).touches[["touch_id", "outcome", "machine_only"]])
        features.append(FeaturePipeline().fit_transform(journal, as_of=AS_OF))
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pd.testing.assert_frame_equal(views[0], views[1])
    pd.testing.assert_frame_equal(features[0], features[1])
    human = gateway_frame([(*r[:3], "open") if r[3] == "open-proxy" else r for r in GATEWAY_ROWS])
    file = read_vendor_file(human, MAPPING, portfolio=small)
    journal = Journal(small.with_vendor_file(file), data_delay={})
    moved = FeaturePipeline().fit_transform(journal, as_of=AS_OF)
    assert not moved.equals(features[0])  # the same opens by a person do count


def test_a_machine_column_says_it_as_well_and_a_doubtful_flag_is_a_machine(small):
    mapping = VendorMapping.from_mapping(
        with_keys(GATEWAY, columns={**GATEWAY["columns"], "machine": "bot"})
    )
    frame = gateway_frame([(f"m{k}", "C1", "2026-02-20T14:00:00Z", "open") for k in range(5)])
    frame["bot"] = ["TRUE", "sí", "0", "", "perhaps"]
    file = read_vendor_file(frame, mapping, portfolio=small)
    machine = file.tables["touch_events"].set_index("touch_id")["machine"]
    outcome = file.tables["touches"].set_index("touch_id")["outcome"]
    assert machine.sum() == 3
    assert outcome[machine.index[machine]].isin(["delivered", "unknown"]).all()
    assert set(outcome[machine.index[~machine]]) == {"opened"}
    assert file.report.faults["check"].tolist() == ["neither true nor false"]


def test_a_machine_that_unsubscribes_still_stops_contact(small):
    codes = {**GATEWAY["codes"], "unsubscribe": {"outcome": "opted_out", "machine": True}}
    mapping = VendorMapping.from_mapping(with_keys(GATEWAY, codes=codes))
    frame = gateway_frame([*GATEWAY_ROWS, ("m2", "C2", "2026-02-21T10:00:00Z", "unsubscribe")])
    touches = read_vendor_file(frame, mapping, portfolio=small).tables["touches"]
    assert touches.set_index("customer_id")["outcome"]["C2"] == "opted_out"


def test_a_send_time_of_its_own(small):
    mapping = VendorMapping.from_mapping(
        with_keys(
            GATEWAY, columns={**GATEWAY["columns"], "started_at": "sent_at"}, id_from=["message"]
        )
    )
    frame = gateway_frame(GATEWAY_ROWS[1:2]).assign(sent_at="2026-02-20T13:59:00Z")
    touches = read_vendor_file(frame, mapping, portfolio=small).tables["touches"]
    assert touches["started_at"][0] == pd.Timestamp("2026-02-20T13:59Z")


def test_events_without_a_meaning_make_no_event_but_the_touch_stays(small):
    frame = gateway_frame([("m9", "C1", "2026-02-20T14:00:00Z", "queued")])
    file = read_vendor_file(frame, MAPPING, portfolio=small)
    assert file.tables["touches"]["outcome"].tolist() == ["unknown"]
    assert file.tables["touch_events"].empty
    assert file.report.unmapped_codes == {"queued": 1}
    assert not len(file.report.faults)


def test_receipts_that_come_in_two_files_fall_into_one_touch(small):
    frame = gateway_frame()
    whole = small.with_vendor_file(read_vendor_file(frame, MAPPING, portfolio=small))
    parts = small
    for part in (frame[::2], frame[1::2], frame):
        parts = parts.with_vendor_file(read_vendor_file(part, MAPPING, portfolio=parts))
    assert parts.content_hash == whole.content_hash
