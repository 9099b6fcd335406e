"""What a mapping file may say, and how it is told what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from vendor_files import DIALLER, GATEWAY, with_keys

from contactopt.config import example_mapping_text
from contactopt.contracts import VendorMapping
from contactopt.contracts.vendors.codes import Code
from contactopt.contracts.vendors.mapping import Match
from contactopt.errors import ConfigError

PAYMENTS = {
    "table": "payments",
    "columns": {"debt_id": "LOAN", "paid_at": "DATE", "amount": "SUM"},
}


def refused(mapping: dict) -> str:
    with pytest.raises(ConfigError) as caught:
        VendorMapping.from_mapping(mapping)
    return str(caught.value)


def test_the_annotated_example_is_valid(tmp_path: Path):
    path = tmp_path / "mapping.yaml"
    path.write_text(example_mapping_text(), "utf-8")
    mapping = VendorMapping.from_yaml(path)
    assert mapping.table == "touches" and mapping.time_zone == "America/Bogota"
    assert mapping.read.separator == ";" and mapping.read.decimal == ","
    assert mapping.codes["outcome"]["no llamar mas"] == Code("asked_to_stop")
    assert mapping.id_from == ("CLIENTE", "FECHA", "HORA") and not mapping.receipts


def test_every_example_in_the_comments_is_valid(tmp_path: Path):
    """Mappings that stand in the comments, a `table:` line first, are read as well."""
    lines = [line[4:] for line in example_mapping_text().splitlines() if line.startswith("#   ")]
    starts = [k for k, line in enumerate(lines) if line.startswith("table:")]
    assert len(starts) == 3
    ends = [*starts[1:], len(lines)]
    tables = []
    for begin, end in zip(starts, ends, strict=True):
        path = tmp_path / "mapping.yaml"
        path.write_text("\n".join(lines[begin:end]), "utf-8")
        tables.append(VendorMapping.from_yaml(path).table)
    assert tables == ["touches", "payments", "promises"]


def test_all_faults_are_told_at_once_with_the_likely_word():
    told = refused(
        {
            "table": "touches",
            "colums": {},
            "vendor": "x",
            "columns": {"custmer_id": "A", "outcome": "R"},
            "time_zone": "America/Bogta",
            "codes": {"X": "promisse"},
            "read": {"separador": ";", "encoding": "klingon"},
            "format": "dd/mm/yyyy",
            "match": {"adress_key": "T"},
            "constants": {"direction": "outbund"},
        }
    )
    for text in (
        "colums: unknown key (did you mean 'columns'?)",
        "vendor: unknown key (it belongs under `constants`)",
        "columns.custmer_id: touches has no such column (did you mean 'customer_id'?)",
        "'promisse' is no word of outcome (did you mean 'promise'?)",
        "(did you mean 'America/Bogota'?)",
        "read.separador: unknown key (did you mean 'separator'?)",
        "read.encoding: no such encoding",
        "unknown format 'dd/mm/yyyy': write for example %d/%m/%Y",
        "match.adress_key: unknown key (did you mean 'address_key'?)",
        "constants.direction: unknown word (did you mean 'outbound'?)",
        "columns.channel: missing",
        "columns.started_at or columns.occurred_at: missing",
    ):
        assert text in told


def test_a_file_keeps_codes_as_they_are_written(tmp_path: Path):
    path = tmp_path / "m.yaml"
    path.write_text(
        "table: touches\n"
        "columns: {customer_id: C, started_at: T, outcome: R}\n"
        "constants: {channel: sms}\n"
        "codes:\n  NO: no_answer\n  007: delivered\n  on: busy\n  1.0: voicemail\n"
        "  '': unreachable\n",
        "utf-8",
    )
    codes = VendorMapping.from_yaml(path).codes["outcome"]
    assert codes == {
        "no": Code("no_answer"),
        "007": Code("delivered"),
        "on": Code("busy"),
        "1.0": Code("voicemail"),
        "": Code("unreachable"),
    }
    path.write_text("table: touches\ntable: payments\n", "utf-8")
    with pytest.raises(ConfigError, match="'table' stands twice"):
        VendorMapping.from_yaml(path)
    path.write_bytes("table: touches # ñ\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        VendorMapping.from_yaml(path)
    with pytest.raises(ConfigError, match="no mapping file"):
        VendorMapping.from_yaml(tmp_path / "none.yaml")


def test_a_truth_value_as_a_code_has_to_be_quoted():
    assert "quote it" in refused(with_keys(DIALLER, codes={False: "no_answer"}))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("customer_id", Match("customer_id", ("C",))),
        ({"customer_id": "D"}, Match("customer_id", ("D",))),
        ({"by": "address_key", "column": "TEL"}, Match("address_key", ("TEL",))),
        (
            {"address_key": ["CC", "TEL"], "hash": "SHA-256", "strip": False},
            Match("address_key", ("CC", "TEL"), "sha256", False),
        ),
        ({"debt_id": "LOAN", "hash": None}, Match("debt_id", ("LOAN",))),
        (None, Match("customer_id", ("C",))),
    ],
)
def test_short_and_long_forms_of_match(given, wanted):
    mapping = {
        "table": "touches",
        "columns": {"customer_id": "C", "started_at": "T"},
        "constants": {"channel": "sms"},
        "match": given,
    }
    assert VendorMapping.from_mapping(mapping).match == wanted


def test_match_says_what_it_needs():
    columns = {"started_at": "T"}
    base = {"table": "touches", "columns": columns, "constants": {"channel": "sms"}}
    assert "say how a row's customer is told" in refused(base)
    assert "name their column" in refused({**base, "match": "address_key"})
    assert "one of sha256, sha1, md5" in refused(
        {**base, "match": {"address_key": "T", "hash": "crc"}}
    )


def test_payments_are_matched_by_their_debt():
    mapping = VendorMapping.from_mapping(PAYMENTS)
    assert mapping.match == Match("debt_id", ("LOAN",)) and mapping.key == "payment_id"
    assert mapping.id_from == ("LOAN", "DATE", "SUM")
    assert "columns.amount: missing" in refused(
        {**PAYMENTS, "columns": {"debt_id": "LOAN", "paid_at": "DATE"}}
    )
    named = VendorMapping.from_mapping({**PAYMENTS, "constants": {"vendor": "bank"}})
    assert named.vendor == "bank"


def test_receipts_need_to_know_their_message():
    assert VendorMapping.from_mapping(GATEWAY).receipts
    told = refused(
        with_keys(GATEWAY, id_from=None, columns={"customer_id": "r", "occurred_at": "t"})
    )
    assert "tell one message from another" in told
    timed = with_keys(
        GATEWAY, id_from=None, columns={**GATEWAY["columns"], "started_at": "sent_at"}
    )
    assert VendorMapping.from_mapping(timed).id_from == ("ref", "tpl", "sent_at")


def test_codes_of_several_columns_stand_under_their_names():
    mapping = VendorMapping.from_mapping(
        with_keys(
            DIALLER,
            columns={**DIALLER["columns"], "channel": "TIPO"},
            constants={"vendor": "x"},
            codes={"outcome": {"nc": "no_answer"}, "channel": {"VOZ": "call_agent", "T": "rcs"}},
        ),
        extra_channels=("rcs",),
    )
    assert mapping.codes["channel"] == {"voz": Code("call_agent"), "t": Code("rcs")}
    assert "is no word of channel" in refused(
        with_keys(
            DIALLER,
            columns={**DIALLER["columns"], "channel": "TIPO"},
            constants={},
            codes={"channel": {"T": "rcs"}},
        )
    )


def test_the_same_code_cannot_mean_two_things():
    assert "different meanings" in refused(
        with_keys(DIALLER, codes={"Abierto": "opened", " ABIERTO": "clicked"})
    )


def test_an_id_is_theirs_or_made_but_not_both():
    columns = {**GATEWAY["columns"], "touch_id": "message"}
    assert "give one of the two" in refused(with_keys(GATEWAY, columns=columns))
    assert (
        VendorMapping.from_mapping(with_keys(GATEWAY, columns=columns, id_from=None)).id_from == ()
    )
