"""Tasks are the same every time, floors stand under the original, and nothing replaced leaks into the prompt."""

from __future__ import annotations

import pytest
from support import songs
from tiny import engine

from midigpt_core.evaluate.adherence import adherence
from midigpt_core.evaluate.evaluation_report import markdown
from midigpt_core.evaluate.floors import random_in_key, stock
from midigpt_core.evaluate.judge import judge, request_for
from midigpt_core.evaluate.tasks import KINDS, draw_tasks
from midigpt_core.generation.request_plan import fitting_plan
from midigpt_core.generation.step_prompt import prepare_step
from midigpt_core.generation.tokens_to_notes import original_tokens, read_cells
from midigpt_core.request import InferenceConfig


@pytest.fixture(scope="module")
def tasks():
    return draw_tasks(songs(12, stride=400), per_kind=2, seed=3)


def test_every_kind_of_task_is_drawn_and_the_same_ones_each_time(tasks) -> None:
    again = draw_tasks(songs(12, stride=400), per_kind=2, seed=3)
    assert {task.kind for task in tasks} == set(KINDS)
    assert [(t.file, t.cells, t.seed) for t in tasks] == [(t.file, t.cells, t.seed) for t in again]


def test_the_original_is_the_ceiling_and_silence_the_floor(tasks) -> None:
    rows = {
        row["doer"]: row
        for row in judge(engine(), tasks, samplings=1).summary()
        if row["kind"] == row["voice"] == "all"
    }
    assert rows["original"]["note_f1"][0] == 1
    assert rows["silence"]["note_f1"][0] == 0
    assert (
        rows["original"]["note_f1"][0]
        > rows["copy nearest bar"]["note_f1"][0]
        > rows["random bar in key"]["note_f1"][0]
    )
    assert rows["model"]["nll_token"][0] > 1
    assert "| model |" in markdown(list(rows.values()), [], {})


def test_a_random_bar_comes_from_another_song(tasks) -> None:
    one_song = [task for task in tasks if task.file == tasks[0].file]
    assert not any(random_in_key(tasks[0], stock(one_song)).values())
    assert any(any(random_in_key(task, stock(tasks)).values()) for task in tasks)


def test_the_tokens_scored_are_the_original_notes(tasks) -> None:
    task = tasks[0]
    request = request_for(task, InferenceConfig())
    tokenizer = engine().tokenizer
    step = fitting_plan(request, task.score, task.cells, tokenizer, 0, 2048)[0]
    prompt = prepare_step(tokenizer, task.score, step, request, ())
    read = read_cells(tokenizer, prompt, original_tokens(prompt), task.score)
    for track, bar in prompt.cells:
        before = sorted({n.pitch for n in task.score.tracks[track].bars[bar].notes})
        assert sorted({n.pitch for n in read[track, bar]}) == before


def test_adherence_reports_each_control_asked_for_without_and_with_guidance(tasks, monkeypatch) -> None:
    model, asked = engine(), []
    session = type(model).session

    def follow(self, score, request):
        asked.append(request)
        return session(self, score, request)

    monkeypatch.setattr(type(model), "session", follow)
    rows = adherence(model, tasks[:2])
    assert rows
    assert {row["control"] for row in rows} <= set(model.tokenizer.attributes.names)
    for way in ("", "guided_"):
        assert all(0 <= float(row[f"{way}exact"]) <= float(row[f"{way}within_one"]) <= 1 for row in rows)
    guidance = [request.config.guidance for request in asked]
    assert guidance == [wanted for row in rows for wanted in [1.0] * row["n"] + [3.0] * row["n"]]
    plain, guided = ([r for r in asked if r.config.guidance == wanted] for wanted in (1.0, 3.0))
    assert [r.tracks for r in plain] == [r.tracks for r in guided]  # the same levels of the same bars
