"""The report of a refused portfolio, as HTML, and the quarantine on disk."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pandas as pd
import pytest
from contract_tables import T0, days, small_tables

from contactopt.contracts import Portfolio, ValidationReport
from contactopt.errors import ConfigError, ContractError

SECRET = "Maria-at-her-mother's <script>alert(1)</script>"


def faulty() -> dict[str, pd.DataFrame]:
    tables = small_tables()
    tables["payments"].loc[0, "amount"] = -987654.25
    tables["holds"].loc[0, "kind"] = SECRET
    tables["touches"].loc[0, "outcome"] = SECRET
    return tables


def refused(tables: dict[str, pd.DataFrame]) -> ContractError:
    with pytest.raises(ContractError) as caught:
        Portfolio.from_frames(tables)
    return caught.value


def test_a_refusal_carries_what_was_found_and_no_value_in_its_message() -> None:
    error = refused(faulty())
    assert error.quarantine[["table", "key", "column", "value"]].to_numpy().tolist() == [
        ["holds", "H1", "kind", SECRET],
        ["payments", "Y1", "amount", "-987654.25"],
        ["touches", "T1", "outcome", SECRET],
    ]
    assert "987654" not in str(error) and "Maria" not in str(error)


def test_the_report_of_a_refusal() -> None:
    report = ValidationReport.of_refusal(refused(faulty()), as_of=T0)
    assert not report.ok
    assert report.n_quarantined_customers == 1
    assert report.faults.to_dict("records") == [
        {"table": "touches", "column": "outcome", "check": "unknown word", "rows": 1},
        {"table": "payments", "column": "amount", "check": "not above zero", "rows": 1},
        {"table": "holds", "column": "kind", "check": "unknown word", "rows": 1},
    ] or set(report.faults["table"]) == {"touches", "payments", "holds"}
    # C1 is out, C2 and C3 stay
    assert report.ladder.loc[0, "have"].startswith("2 of 2 customers")
    text = repr(report)
    assert text.startswith("ValidationReport: refused")
    assert "holds.kind unknown word: 1 row(s) (H1)" in text
    assert "way on: mend the rows" in text
    assert "Maria" not in text + report.to_html() + json.dumps(report.to_dict())


def test_a_missing_column_and_a_hold_of_nobody_are_reported_too() -> None:
    tables = faulty()
    del tables["debts"]["product"]
    report = ValidationReport.of_refusal(refused(tables))
    assert ("debts", "product", "missing column", 0) in report.faults.itertuples(
        index=False, name=None
    )
    assert set(report.quarantine["table"]) == {"holds", "payments", "touches"}
    nobody = small_tables()
    nobody["holds"].loc[1, "customer_id"] = "C9"
    report = ValidationReport.of_refusal(refused(nobody))
    assert "customer cannot be told" in set(report.faults["check"])
    assert report.rows["holds"] == 2


def test_other_errors_are_no_refusals() -> None:
    with pytest.raises(ContractError, match="no portfolio folder") as caught:
        Portfolio.from_folder("/nowhere/at/all")
    with pytest.raises(ContractError, match="no portfolio folder"):
        ValidationReport.of_refusal(caught.value)


class Outside(HTMLParser):
    """Collects tags that would load, run or never close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe", "object") or dict(attrs).keys() & {
            "src",
            "href",
            "onclick",
        }:
            self.bad.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_loads_nothing_and_escapes_everything(tmp_path) -> None:
    tables = small_tables()
    tables["payments"].loc[0, "payment_id"] = SECRET
    tables["payments"].loc[0, "amount"] = -1.0
    tables["customers"][SECRET] = 1
    tables["touches"]["recorded_at"] = [T0, None, None, None]
    report = Portfolio.from_frames(tables, max_quarantined_share=1.0).validate(as_of=T0 + days(3))
    path = tmp_path / "deep" / "report.html"
    page = report.to_html(path)
    assert path.read_text("utf-8") == page
    seen = Outside()
    seen.feed(page)
    assert (seen.bad, seen.open) == ([], [])
    assert "<script" not in page
    assert "payments" in page and "not above zero" in page
    assert "data_delay: {touches: 216}" in page
    assert len(page) < 20_000
    assert report._repr_html_() in page


def test_suggested_delays_only_where_some_rows_do_not_tell() -> None:
    tables = small_tables()
    paid = tables["payments"]["paid_at"]
    tables["payments"]["recorded_at"] = [paid[0] + pd.Timedelta(hours=29.2), None]
    report = Portfolio.from_frames(tables).validate()
    assert report.data_delay == {"payments": 30.0}
    assert "data_delay: {payments: 30}" in repr(report)
    tables["payments"]["recorded_at"] = paid + pd.Timedelta(hours=5)
    assert Portfolio.from_frames(tables).validate().data_delay == {}


def test_quarantine_files(tmp_path) -> None:  # 003-24
    report = ValidationReport.of_refusal(refused(faulty()))
    written = report.write_quarantine(tmp_path / "q")
    assert [p.name for p in written] == [
        *("holds.csv", "payments.csv", "quarantined_customers.csv", "touches.csv"),
    ]
    holds = pd.read_csv(tmp_path / "q" / "holds.csv")
    assert holds.to_dict("records") == [
        {"key": "H1", "column": "kind", "check": "unknown word", "value": SECRET}
    ]
    out = pd.read_csv(tmp_path / "q" / "quarantined_customers.csv")
    assert out["customer_id"].tolist() == ["C1"]
    # again, with nothing left to say
    Portfolio.from_frames(small_tables()).validate().write_quarantine(tmp_path / "q")
    assert [p.name for p in (tmp_path / "q").iterdir()] == ["quarantined_customers.csv"]
    assert [p.name for p in tmp_path.iterdir()] == ["q"]


def test_quarantine_never_replaces_what_is_not_its_own(tmp_path) -> None:
    report = Portfolio.from_frames(small_tables()).validate()
    (tmp_path / "holds.csv").write_text("hold_id\n")
    with pytest.raises(ConfigError, match="no quarantine folder"):
        report.write_quarantine(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["holds.csv"]
