"""`midigpt evaluate` shows a table that can be read, and refuses what it cannot use before it begins."""

from __future__ import annotations

import json
import re
import threading

import pytest

FEW = ("--per-kind", 1, "--samplings", 1, "--no-controls")


def test_the_table_has_a_row_per_measure_and_fits_a_terminal(midigpt, song, model) -> None:
    answer = midigpt("evaluate", song, *FEW, "-m", model)
    assert answer.code == 0
    [row] = [line for line in answer.out.splitlines() if "NLL/note" in line][:1]
    assert any(float(cell) > 1 for cell in row.replace("│", " ").split()[1:])
    assert "…" not in answer.out
    assert "melodic tracks" in answer.out


def test_the_json_report_and_the_page_are_of_one_run(midigpt, song, model, tmp_path) -> None:
    page = tmp_path / "new" / "report.md"
    answer = midigpt("evaluate", song, *FEW, "-m", model, "--json", "--report", page)
    [row] = [
        r for r in json.loads(answer.out)["summary"] if (r["doer"], r["kind"], r["voice"]) == ("model", "all", "all")
    ]
    assert f"{row['note_f1'][0]:.3f} ±" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere.mid"], 3, "nowhere.mid: no such file"),
        (["--report", "/dev/null/report.md"], 1, "/dev/null: is a file"),
        (["--manifest", "nowhere.csv"], 1, "nowhere.csv: No such file"),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(midigpt, song, model, words, code, said) -> None:
    answer = midigpt("evaluate", song, *words, *FEW, "-m", model)
    assert answer.code == code
    assert said in answer.err


def test_a_manifest_without_its_columns_is_refused(midigpt, song, model, tmp_path) -> None:
    (tmp_path / "list.csv").write_text("path,split\nsong.mid,valid\n")
    answer = midigpt("evaluate", tmp_path, "--manifest", tmp_path / "list.csv", *FEW, "-m", model)
    assert answer.code == 2
    assert "no column source" in answer.err


def test_off_a_terminal_a_line_now_and_then_says_that_it_goes_on(midigpt, song, model, monkeypatch) -> None:
    monkeypatch.setattr("midigpt_cli.output.heartbeat.EVERY", 0.001)
    answer = midigpt("evaluate", song, *FEW, "-m", model, "--json")
    assert re.search(r"^tasks \d+ of \d+, \d+ s$", answer.err, re.MULTILINE)
    json.loads(answer.out)
    assert midigpt("evaluate", song, *FEW, "-m", model, "-q").err == ""


def test_a_failure_ends_the_lines_too(midigpt, song, model, tmp_path) -> None:
    midigpt("evaluate", "nowhere.mid", *FEW, "-m", model)
    assert not [thread for thread in threading.enumerate() if "_speak" in thread.name]
