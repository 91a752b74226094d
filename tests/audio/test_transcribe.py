"""Audio becomes notes, bars and tempo; known MIDI comes back through its own sound."""

from __future__ import annotations

import csv
import io
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest

from midigpt_core.audio import pitch_model
from midigpt_core.audio.audio_files import read_audio, write_audio
from midigpt_core.audio.beats import Pulse, find_pulse
from midigpt_core.audio.note_finding import FindingSettings, HeardNote, find_notes
from midigpt_core.audio.pitch_model import Activations
from midigpt_core.audio.synthesis import synthesise
from midigpt_core.errors import AudioError, AudioFileError
from midigpt_core.midi_file import read_score, score_to_bytes
from midigpt_core.score import Bar, Note, Score, Track

QUARTER = 480
SAMPLES = Path(__file__).resolve().parents[2] / "samples"
TUNE = [60, 64, 67, 72, 71, 67, 65, 62] * 4  # eight bars of quarter notes


def tune(bpm: float = 100, metre: tuple[int, int] = (4, 4)) -> Score:
    """A melody over one bass note a bar."""
    beats = metre[0]
    bars = []
    for first in range(0, len(TUNE) // beats * beats, beats):
        notes = [Note(p, 90, i * QUARTER, QUARTER - 40) for i, p in enumerate(TUNE[first : first + beats])]
        bars.append(Bar([Note(36, 110, 0, QUARTER * beats - 60), *notes], *metre, float(beats)))
    return Score([Track(bars, 0, channel=0)], resolution=QUARTER, tempo=round(60e6 / bpm))


def sound(score: Score, lead_in: float = 0.0) -> np.ndarray:
    stereo = synthesise(score_to_bytes(score), pitch_model.RATE, engine="builtin")
    mono = stereo.mean(axis=1)
    return np.concatenate([np.zeros(round(lead_in * pitch_model.RATE)), mono / np.abs(mono).max() * 0.8]).astype("f4")


def activations(frames: np.ndarray, onsets: np.ndarray) -> Activations:
    times = np.arange(len(frames)) * pitch_model.HOP / pitch_model.RATE
    contours = np.zeros((len(frames), 264), dtype=np.float32)
    return Activations(frames.astype("f4"), onsets.astype("f4"), contours, times)


def silence(frames: int = 200) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((frames, 88)), np.zeros((frames, 88))


# ---- finding notes in activations ----


def test_a_note_runs_from_its_onset_until_its_frames_fade() -> None:
    frames, onsets = silence()
    frames[20:60, 39], onsets[20, 39] = 0.8, 0.9
    (note,) = find_notes(activations(frames, onsets))
    assert (note.pitch, note.velocity) == (60, round(127 * 0.8))
    assert note.start == pytest.approx(20 * 256 / 22050)
    assert note.end == pytest.approx(60 * 256 / 22050)


def test_a_short_gap_is_bridged_and_a_long_one_ends_the_note() -> None:
    for gap, count in ((5, 1), (20, 2)):
        frames, onsets = silence()
        frames[20:120, 39], frames[60 : 60 + gap, 39] = 0.4, 0.2
        frames[150:190, 70] = 1.0  # the clearest rise there is: beside it, 0.2 to 0.4 is no new onset
        onsets[20, 39] = onsets[150, 70] = 0.9
        assert len([n for n in find_notes(activations(frames, onsets)) if n.pitch == 60]) == count


def test_repeated_onsets_cut_a_held_pitch_into_notes() -> None:
    frames, onsets = silence()
    frames[20:100, 39] = 0.8
    onsets[20, 39] = onsets[60, 39] = 0.9
    assert [round(n.start * 22050 / 256) for n in find_notes(activations(frames, onsets))] == [20, 60]


def test_short_notes_and_leaks_into_neighbours_are_left_out() -> None:
    frames, onsets = silence()
    frames[20:28, 39], onsets[20, 39] = 0.8, 0.9
    assert find_notes(activations(frames, onsets)) == []
    assert len(find_notes(activations(frames, onsets), FindingSettings(minimum_note_ms=50))) == 1
    frames[20:60, 39], frames[20:60, 40] = 0.8, 0.35
    assert [n.pitch for n in find_notes(activations(frames, onsets))] == [60]


def test_notes_without_an_onset_need_the_melodia_rule() -> None:
    frames, onsets = silence()
    frames[20:100, 39] = np.hanning(80)
    assert [n.pitch for n in find_notes(activations(frames, onsets))] == [60]
    assert find_notes(activations(frames, onsets), FindingSettings(melodia=False)) == []


def test_frequency_bounds_keep_notes_out() -> None:
    frames, onsets = silence()
    for column in (10, 39, 70):
        frames[20:60, column], onsets[20, column] = 0.8, 0.9
    bounded = FindingSettings(minimum_hz=100, maximum_hz=1000)
    assert [n.pitch for n in find_notes(activations(frames, onsets), bounded)] == [60]


@pytest.mark.parametrize(
    "wrong",
    [
        {"onset_threshold": 0},
        {"frame_threshold": 1.5},
        {"minimum_note_ms": -1},
        {"minimum_note_ms": nan},
        {"minimum_hz": 9, "maximum_hz": 5},
        {"minimum_hz": nan},
        {"maximum_hz": nan},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(AudioError):
        FindingSettings(**wrong)


@pytest.mark.parametrize("wrong", [{"bpm": 0}, {"bpm": nan}, {"bpm": inf}, {"downbeat": -inf}, {"downbeat": nan}])
def test_an_impossible_pulse_is_refused_before_anything_is_heard(wrong: dict[str, float]) -> None:
    from midigpt_core.audio.transcribe import TranscribeSettings

    with pytest.raises(AudioError, match=next(iter(wrong))):
        TranscribeSettings(**wrong)


# ---- the pulse, from notes alone ----


def heard(times: np.ndarray) -> list[HeardNote]:
    return [HeardNote(float(t), float(t) + 0.2, 40 if i % 4 == 0 else 70, 90, ()) for i, t in enumerate(times)]


def test_a_given_tempo_is_kept_and_the_bass_tells_the_bars() -> None:
    notes = heard(1.3 + np.arange(32) * 0.5)
    pulse = find_pulse(np.zeros(1, "f4"), notes, (4, 4), bpm=120)
    assert pulse.bpm == 120
    assert pulse.downbeat == pytest.approx(1.3, abs=0.01)


def test_followed_beats_place_times_between_them() -> None:
    pulse = Pulse(0.5, 0.0, (0.0, 0.5, 1.1, 1.5))
    assert [pulse.beat_at(t) for t in (0.25, 0.8, 1.5, 1.7)] == pytest.approx([0.5, 1.5, 3.0, 3.5])


def test_a_tempo_out_of_range_is_refused() -> None:
    with pytest.raises(AudioError, match="bpm is 5"):
        find_pulse(np.zeros(1, "f4"), [], (4, 4), bpm=5)


def notes_of(score: Score) -> list[HeardNote]:
    """What a perfect ear would hear in a score, give or take 10 ms."""
    beat, jitter, found = score.tempo / 1e6, np.random.default_rng(3), []
    for track in score.tracks:
        position = 0.0
        for bar in track.bars if track.track_type != "drum" else ():
            for note in bar.notes:
                start = (position + note.onset_ticks / score.resolution) * beat + jitter.normal(0, 0.01)
                length = note.duration_ticks / score.resolution * beat
                found.append(HeardNote(max(start, 0.0), start + length, note.pitch, note.velocity, ()))
            position += bar.beat_length
    return sorted(found, key=lambda note: note.start)


@pytest.mark.parametrize(("bpm", "misheard"), [(93, 116), (104, 117), (140, 123), (140, 70)])
def test_the_notes_overrule_a_misheard_tempo_and_tell_how_sure_it_is(monkeypatch, bpm: int, misheard: float) -> None:
    monkeypatch.setattr("midigpt_core.audio.beats._estimate", lambda samples: misheard)
    pulse = find_pulse(np.zeros(1, "f4"), notes_of(tune(bpm)), (4, 4))
    assert pulse.bpm == pytest.approx(bpm, rel=0.01)
    assert pulse.trust == ("likely" if bpm == 2 * misheard else "unsure")


def test_two_estimates_that_agree_are_sure_and_a_given_tempo_is_given(monkeypatch) -> None:
    monkeypatch.setattr("midigpt_core.audio.beats._estimate", lambda samples: 102.0)
    assert find_pulse(np.zeros(1, "f4"), notes_of(tune(100)), (4, 4)).trust == "sure"
    assert find_pulse(np.zeros(1, "f4"), notes_of(tune(100)), (4, 4), bpm=90).trust == "given"
    monkeypatch.setattr("midigpt_core.audio.beats._estimate", lambda samples: None)
    assert find_pulse(np.zeros(1, "f4"), [], (4, 4)).trust == "unsure"


def test_the_tempo_of_real_songs_is_found_in_their_notes_up_to_doubling(monkeypatch) -> None:
    monkeypatch.setattr("midigpt_core.audio.beats._estimate", lambda samples: None)
    for song in ("pop", "blues", "waltz", "nocturne"):
        score = read_score(SAMPLES / f"{song}.mid")
        metre = (score.tracks[0].bars[1].ts_numerator, score.tracks[0].bars[1].ts_denominator)
        found = find_pulse(np.zeros(1, "f4"), notes_of(score), metre).bpm / (60e6 / score.tempo)
        assert min(abs(found / ratio - 1) for ratio in (0.5, 1, 1.5, 2, 3)) < 0.02, song


def test_where_the_mixdown_cancels_the_louder_channel_is_heard(tmp_path: Path) -> None:
    wave = np.sin(np.arange(8000) / 10).astype("f4")
    for channels, loud in (((wave, -wave), 1.0), ((wave * 0.5, -wave * 0.52), 0.52), ((wave, wave), 1.0)):
        write_audio(np.stack(channels, axis=1) * 0.9, tmp_path / "x.wav", 22_050)
        assert np.abs(read_audio(tmp_path / "x.wav")[0]).max() == pytest.approx(0.9 * loud, abs=0.01)


# ---- with the model ----


@pytest.fixture(scope="module")
def engine() -> None:
    for package in ("onnxruntime", "librosa", "soundfile", "soxr"):
        pytest.importorskip(package, reason="the transcribe extra is not installed")
    try:
        pitch_model.model_file()
    except AudioError as missing:
        pytest.skip(str(missing))


@pytest.mark.usefixtures("engine")
def test_rendered_notes_come_back_with_their_tempo_and_bars() -> None:
    from midigpt_core.audio.transcribe import TranscribeSettings, transcribe_samples

    original = tune(bpm=100)
    found = transcribe_samples(sound(original, lead_in=0.7), TranscribeSettings(snap=4))
    assert found.pulse.bpm == pytest.approx(100, rel=0.005)
    assert found.pulse.downbeat == pytest.approx(0.7, abs=0.03)
    score = read_score(found.midi)
    assert score.tempo == pytest.approx(600_000, rel=0.005)
    wanted = {(b, n.onset_ticks, n.pitch) for b, bar in enumerate(original.tracks[0].bars) for n in bar.notes}
    got = {(b, n.onset_ticks, n.pitch) for b, bar in enumerate(score.tracks[0].bars) for n in bar.notes}
    assert len(wanted & got) > 0.9 * len(wanted)
    assert len(wanted & got) > 0.6 * len(got)
    assert all(n.bends.count(0) > len(n.bends) / 2 for n in found.notes if n.pitch > 50), "a piano does not bend"


@pytest.mark.usefixtures("engine")
def test_three_four_has_three_beats_to_the_bar() -> None:
    from midigpt_core.audio.transcribe import TranscribeSettings, transcribe_samples

    found = transcribe_samples(sound(tune(120, (3, 4))), TranscribeSettings(metre=(3, 4), bpm=120))
    score = read_score(found.midi)
    assert {(bar.ts_numerator, bar.ts_denominator) for bar in score.tracks[0].bars} == {(3, 4)}
    starts = [bar.notes[0].pitch if bar.notes else 0 for bar in score.tracks[0].bars]
    assert sum(min((n.pitch for n in bar.notes), default=0) == 36 for bar in score.tracks[0].bars) > 0.7 * len(starts)


@pytest.mark.usefixtures("engine")
def test_any_rate_and_format_is_read_and_the_table_has_its_columns(tmp_path: Path) -> None:
    from midigpt_core.audio.transcribe import TranscribeSettings, transcribe

    stereo = synthesise(score_to_bytes(tune(bpm=150)), 32_000, engine="builtin")
    write_audio(stereo[: 3 * 32_000] * 2, tmp_path / "x.ogg", 32_000)
    settings = TranscribeSettings(bpm=150, follow=True, bends=True)
    found = transcribe(tmp_path / "x.ogg", settings)
    assert found.seconds == pytest.approx(3, abs=0.05)
    rows = list(csv.reader(io.StringIO(found.notes_csv())))
    assert rows[0] == ["start_time_s", "end_time_s", "pitch_midi", "velocity", "pitch_bend"]
    assert len(rows) == len(found.notes) + 1 > 5
    assert read_score(found.midi).n_bars == found.bars


@pytest.mark.usefixtures("engine")
def test_silence_has_no_notes() -> None:
    from midigpt_core.audio.transcribe import transcribe_samples

    found = transcribe_samples(np.zeros(22_050, dtype=np.float32))
    assert found.notes == ()
    assert read_score(found.midi).tracks == []


def test_without_the_model_the_command_that_brings_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(AudioError, match="pip install --no-deps basic-pitch"):
        pitch_model.model_file()


@pytest.mark.usefixtures("engine")
def test_what_is_no_audio_is_refused(tmp_path: Path) -> None:
    from midigpt_core.audio.transcribe import transcribe

    (tmp_path / "x.wav").write_text("not a sound")
    for name, words in (("x.wav", "not audio"), ("y.wav", "no such file")):
        with pytest.raises(AudioFileError, match=words):
            transcribe(tmp_path / name)
