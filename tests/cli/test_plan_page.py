"""``contactopt rank --html`` leaves a page beside the plan, with the rules' texts."""

from __future__ import annotations

from pathlib import Path

from test_line import run


def test_rank_writes_the_page_too(tmp_path: Path) -> None:
    run("simulate", "--customers", 80, "--days", 10, "--out", "W", cwd=tmp_path)
    ranked = run(
        *("rank", "W/portfolio", "--strategy", "W/strategy.yaml", "--as-of", "latest"),
        *("--out", "plan", "--html", "pages/plan.html"),
        cwd=tmp_path,
    )
    assert "pages/plan.html" in ranked["files"]
    text = (tmp_path / "pages" / "plan.html").read_text("utf-8")
    assert ranked["batch_id"] in text and "Not legal advice" in text
    assert "CFR" in text and "content of the message is not checked" in text
    assert len(text) < 2_000_000
