"""Rules of --prompt: what is understood is written, options win, and both are told."""

from __future__ import annotations

import json

import pytest

from midigpt_cli.parse.jam_messages import read_start
from midigpt_core import Score
from midigpt_core.errors import RequestValidationError

FEW = ("--seed", 1, "--max-density", 4, "--pool", 1, "--control-tries", 1)


def test_generate_writes_the_parts_tempo_metre_and_bars_of_the_prompt(midigpt, tmp_path, model) -> None:
    file = tmp_path / "new.mid"
    words = "flute melody and drums in F# dorian, 3/4, 90 bpm, 2 bars"
    answer = midigpt("generate", "--prompt", words, "-o", file, *FEW, "-m", model)
    assert answer.code == 0, answer.err
    score = Score.from_midi(file)
    assert [(track.instrument, track.track_type) for track in score.tracks] == [(73, "melodic"), (0, "drum")]
    assert (score.n_bars, score.tempo) == (2, round(60_000_000 / 90))
    assert score.tracks[0].bars[0].ts_numerator == 3
    pitches = {note.pitch % 12 for bar in score.tracks[0].bars for note in bar.notes}
    assert pitches <= {6, 8, 9, 11, 1, 3, 4}
    assert "scale F#:dorian" in answer.err


def test_an_option_wins_over_a_word_and_the_answer_says_so(midigpt, tmp_path, model) -> None:
    file = tmp_path / "new.mid"
    words = ("--prompt", "purple piano, 90 bpm", "--tempo", 100, "--bars", 1)
    answer = midigpt("generate", *words, "-o", file, *FEW, "-m", model, "--json")
    understood = json.loads(answer.out)["understood"]
    assert understood["overruled"] == ["--tempo 100.0 wins over bpm 90.0 of --prompt"]
    assert understood["unknown"] == ["purple"]
    assert Score.from_midi(file).tempo == 600_000


def test_infill_writes_the_tracks_that_the_prompt_names(midigpt, song, model) -> None:
    before = Score.from_midi(song)
    answer = midigpt("infill", song, "--bars", "3-4", "--prompt", "piano", *FEW, "-m", model, "--json")
    assert answer.code == 0, answer.err
    assert {track for track, _ in json.loads(answer.out)["songs"][0]["generated"]} == {2}
    after = Score.from_midi(song.with_name("song.infill.mid"))
    assert after.tracks[:2] == before.tracks[:2]


def test_infill_refuses_a_prompt_whose_part_no_track_plays(midigpt, song, model) -> None:
    answer = midigpt("infill", song, "--bars", "3-4", "--prompt", "piano and tuba", *FEW, "-m", model)
    assert answer.code == 2
    assert "'tuba' is played by no track of this song" in answer.err


def test_a_loop_from_nothing_is_asked_for_in_words(midigpt, tmp_path, model) -> None:
    file = tmp_path / "new.mid"
    words = ("--prompt", "2 bars of flute at 90 bpm", "--variations", 1, "-o", file, *FEW, "-m", model, "--json")
    answer = midigpt("loop", *words)
    assert answer.code == 0, answer.err
    score = Score.from_midi(file)
    assert (score.n_bars, score.tempo, score.tracks[0].instrument) == (2, round(60_000_000 / 90), 73)
    assert json.loads(answer.out)["understood"]["bpm"] == 90


def test_styles_of_a_jam_are_mixed_by_their_weights() -> None:
    jazz, funk = (read_start({"styles": name}, None).bpm for name in ("jazz", "funk"))
    both = read_start({"styles": ["jazz", "funk"], "style_weights": [3, 1]}, None)
    assert both.bpm == pytest.approx((3 * jazz + funk) / 4, abs=1)
    assert both.tracks == read_start({"styles": "jazz"}, None).tracks


def test_what_a_jam_says_itself_wins_over_its_prompt() -> None:
    settings = read_start({"prompt": "slow sparse piano in E minor", "bpm": 111}, None)
    assert settings.bpm == 111
    assert settings.attributes[0] == {"note_density": 2}
    assert settings.controls[0]["pitch_mask"] == {"scale": "minor", "root": 4}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"styles": "qwertz"}, "styles"),
        ({"styles": "jazz,funk", "style_weights": "1"}, "style_weights"),
        ({"styles": "jazz", "prompt": "funk"}, "styles"),
        ({"prompt": 3}, "prompt"),
    ],
)
def test_words_of_a_jam_that_cannot_be_read_are_refused_by_name(data, field) -> None:
    with pytest.raises(RequestValidationError) as caught:
        read_start(data, None)
    assert caught.value.field == field


def test_a_control_that_wins_over_the_prompt_is_told(midigpt, tmp_path, model) -> None:
    controls = ("--scale", "C:major", "--attribute", "note_density=7", "--grid", "quarter")
    words = ("--prompt", "sparse swinging piano in E minor", *controls, "--bars", 1, "-o", tmp_path / "x.mid")
    answer = midigpt("generate", *words, *FEW, "-m", model, "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["understood"]["overruled"] == [
        "--scale C:major wins over scale E:minor of --prompt",
        "--grid quarter wins over grid eighth_triplet:0.8 of --prompt",
        "--attribute note_density=7 wins over note_density 2 of --prompt",
    ]


def test_infill_says_that_tempo_metre_and_bars_of_a_prompt_are_not_used(midigpt, song, model) -> None:
    answer = midigpt("infill", song, "--bars", "3", "--prompt", "slow piano, 3/4", *FEW, "-m", model, "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["understood"]["overruled"] == [
        "bpm 70 of --prompt is not used: it is the song's own",
        "metre 3/4 of --prompt is not used: it is the song's own",
    ]
