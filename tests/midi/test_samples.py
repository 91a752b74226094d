"""The sample pieces are what their script composes, and fit to be heard."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from midigpt_core import Score

FOLDER = Path(__file__).resolve().parents[2] / "samples"
SAMPLES = sorted(FOLDER.glob("*.mid"))


def test_script_writes_the_same_bytes_again(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_samples", FOLDER / "make_samples.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules["make_samples"] = script  # dataclasses look their module up
    spec.loader.exec_module(script)
    assert sorted(script.SONGS) == [path.stem for path in SAMPLES]
    for name, compose in script.SONGS.items():
        script.write(compose(), tmp_path / f"{name}.mid")
        assert (tmp_path / f"{name}.mid").read_bytes() == (FOLDER / f"{name}.mid").read_bytes()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_no_voice_stumbles_over_itself(sample: Path) -> None:
    for track in Score.from_midi(sample).tracks:
        position, sounding = 0, {}
        for bar in track.bars:
            for note in bar.notes:
                onset = position + note.onset_ticks
                if track.track_type != "drum":
                    assert sounding.get(note.pitch, 0) <= onset, (track.name, note)
                sounding[note.pitch] = onset + note.duration_ticks
            position += round(bar.beat_length * 480)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_piece_ends_on_a_bar_line(sample: Path) -> None:
    score = Score.from_midi(sample)
    assert any(note for track in score.tracks for note in track.bars[-1].notes)
    assert len({len(track.bars) for track in score.tracks}) == 1


def test_every_piece_has_its_command_in_the_readme() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for sample in SAMPLES:
        commands = re.findall(rf"midigpt infill samples/{sample.name} --bars (\d+)-(\d+)", text)
        assert commands
        assert all(1 <= int(first) <= int(last) <= Score.from_midi(sample).n_bars for first, last in commands)
