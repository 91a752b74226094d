"""What a developer meets: versions, types, readable objects, names known from MIDI-GPT, mistakes that are told."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from xml.dom.minidom import parseString

import pytest
from tiny import engine, request, song

import midigpt_core
from midigpt_core import (
    CheckpointError,
    GenerationRequest,
    InferenceConfig,
    InferenceEngine,
    RequestValidationError,
    Score,
    TrackPrompt,
)
from midigpt_core.model.names import HubReference
from midigpt_core.score import Bar, Note, Track

POP = Path(__file__).resolve().parents[1] / "samples" / "pop.mid"


def test_the_version_is_the_installed_one_and_types_are_for_others_too() -> None:
    assert midigpt_core.__version__ == version("midigpt-cli")
    assert "__version__" in dir(midigpt_core)
    assert all((files(package) / "py.typed").is_file() for package in ("midigpt_core", "midigpt_cli"))


def test_editors_and_type_checkers_see_every_public_name_where_it_is_defined() -> None:
    tree = ast.parse(Path(str(midigpt_core.__file__)).read_text(encoding="utf-8"))
    told = {
        (name.asname, each.module)
        for branch in tree.body
        if isinstance(branch, ast.If)
        for each in branch.body
        if isinstance(each, ast.ImportFrom)
        for name in each.names
    }
    assert told == {(name, getattr(midigpt_core, name).__module__) for name in midigpt_core.__all__}


def test_a_score_a_take_and_a_result_are_one_line_each() -> None:
    score = Score.from_midi(POP)
    assert repr(score) == "Score(16 bars, 500 notes, 112 bpm, tracks: Lead, Chords, Bass, Strings, Drums)"
    made = engine().session(song(), request(song(), {1: [4]}, num_candidates=2, density_hard_limit=4)).run_takes()
    assert re.fullmatch(r"Take\(seed 7, consensus -?[\d.]+, \d+ tokens(, rejected: [^\n]+)?\)", repr(made.takes[0]))
    assert re.fullmatch(r"Result\(2 takes, 1 bars written, best: Take\(seed [78][^\n]+\)", repr(made))


def test_a_notebook_shows_every_note_lights_what_is_new_and_plays_what_is_melodic() -> None:
    score = replace(song(), tracks=[replace(track, name=f"<{track.name}>") for track in song().tracks])
    score.tracks[1] = replace(score.tracks[1], name="<b>")
    notes = sum(len(bar.notes) for track in score.tracks for bar in track.bars)
    page = score._repr_html_()
    drawing = parseString(page[page.index("<svg") : page.index("</svg>") + 6])
    assert len(drawing.getElementsByTagName("rect")) == notes + 3  # and a ground for each track
    assert "&lt;b&gt;" in page
    sounding = sum(len(bar.notes) for track in score.tracks[1:] for bar in track.bars)
    assert len(re.findall(r"\[[\d.]+, [\d.]+, \d+, \d+\]", page)) == sounding
    made = engine().session(song(), request(song(), {1: [4]}, density_hard_limit=4)).run_takes()
    new = len(made.ranked[0].score.tracks[1].bars[4].notes)
    assert made._repr_html_().count("#e4572e") == new
    assert made.takes[0]._repr_html_().count("#e4572e") == 0
    assert "<svg" in Score()._repr_html_()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: InferenceConfig(temprature=1.0), "InferenceConfig has no 'temprature'; did you mean 'temperature'?"),
        (lambda: replace(InferenceConfig(), sed=1), "did you mean 'seed'?"),
        (lambda: TrackPrompt(id=0, bar=[1]), "did you mean 'bars'?"),
        (lambda: GenerationRequest(track=[]), "did you mean 'tracks'?"),
        (lambda: Track(program=3), "Track has no 'program'; known: "),
        (lambda: InferenceEngine.from_pretrained("open", devise="cpu"), "did you mean 'device'?"),
    ],
)
def test_an_argument_that_is_none_is_met_with_the_one_meant(make, said) -> None:
    with pytest.raises(TypeError, match=re.escape(said)):
        make()


@pytest.mark.parametrize("thing", [Score(), Track(), Bar(), Note(), engine()], ids=lambda thing: type(thing).__name__)
def test_setting_what_nobody_reads_is_an_error(thing) -> None:
    with pytest.raises(AttributeError):
        thing.temprature = 1
    session = engine().session(song(), request(song(), {1: [4]}))
    with pytest.raises(AttributeError):
        session.listner = print


def test_errors_are_also_those_that_python_has_for_them(tmp_path: Path) -> None:
    assert issubclass(RequestValidationError, ValueError)
    with pytest.raises(FileNotFoundError, match="no such file"):
        InferenceEngine.from_checkpoint(tmp_path / "none.safetensors")
    with pytest.raises(FileNotFoundError, match="no such file"):
        InferenceEngine.from_pretrained(str(tmp_path / "none.safetensors"))
    (tmp_path / "bad.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"not a \.safetensors file") as caught:
        InferenceEngine.from_checkpoint(tmp_path / "bad.safetensors")
    assert isinstance(caught.value, CheckpointError)


def test_names_known_from_midi_gpt_do_what_they_do_there() -> None:
    score = Score.from_bytes(POP.read_bytes())
    assert score == Score.from_midi(POP)
    finer = score.resample(960)
    first, again = score.tracks[0].bars[0].notes[0], finer.tracks[0].bars[0].notes[0]
    assert (finer.resolution, again.onset_ticks, again.duration_ticks) == (
        960,
        2 * first.onset_ticks,
        2 * first.duration_ticks,
    )
    assert score.resample(1).tracks[0].bars[0].notes[0].duration_ticks >= 1
    sizes = engine().tokenizer.attributes.attribute_sizes()
    assert sizes["note_density"] == engine().tokenizer.attributes.get("note_density").size
    assert set(engine().tokenizer.attributes.attribute_levels().values()) == {"track", "bar"}


def test_a_session_tells_what_it_will_do_and_hands_out_notes_as_they_come() -> None:
    session = engine().session(song(), request(song(), {1: [4, 5], 2: [5]}, seed=3, num_candidates=2))
    heard: list[dict[str, int]] = []
    session.note_sink = heard.extend
    assert session.resolved_seed == 3
    assert session.generated_bars == {1: [4, 5], 2: [5]}
    [step] = session.plan_summary()
    assert (step["autoregressive"], step["generate"]) == (False, {"1": [4, 5], "2": [5]})
    first, second = session.run_variations()
    assert [made["seed"] for made in (first, second)] == [3, 4]
    assert {(note["track"], note["bar"]) for note in heard} <= {(1, 4), (1, 5), (2, 5)}
    kept = {(n.pitch, n.onset_ticks) for n in first["score"].tracks[1].bars[4].notes}
    assert kept <= {(n["pitch"], n["onset_ticks"]) for n in heard if (n["track"], n["bar"]) == (1, 4)}
    drawn = engine().session(song(), request(song(), {1: [4]}, seed=-1))
    assert drawn.resolved_seed == drawn.run_takes().seed


def test_a_name_and_a_repository_are_looked_up_as_midi_gpt_does(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def resolve(name: object, filename: str | None = None, **where: object) -> Path:
        asked.append((name, filename))
        raise CheckpointError("enough")

    monkeypatch.setattr("midigpt_core.model.hub.resolve", resolve)
    for words in ({"name": "yellow_medium"}, {"name": "mine", "hf_repo": "me/models"}):
        with pytest.raises(CheckpointError, match="enough"):
            InferenceEngine.from_pretrained(**words)
    assert asked == [("yellow_medium", None), (HubReference("me/models", prefix="mine", name="me/models:mine*"), None)]
