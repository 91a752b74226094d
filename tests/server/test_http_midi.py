"""Files over HTTP: a .mid comes back as it was but for the bars asked for, and scores become files and back."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace

import pytest
from serving import client_of, midi
from tiny import song

from midigpt_core.score import Score, Track
from tests.support import songs


def infill(client, file: bytes, **fields):
    return client.post("/infill", files={"file": ("my song.mid", file, "audio/midi")}, data=fields)


def test_bars_and_tracks_count_from_one_and_only_they_change(client):
    before = Score.from_midi(midi())
    answer = infill(client, midi(), bars="5-6", track="bass", seed="3", density_hard_limit="6", echo="0")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "audio/midi"
    assert "my%20song.infill.mid" in answer.headers["content-disposition"]
    after = Score.from_midi(answer.content)
    changed = {
        (t, b)
        for t, track in enumerate(before.tracks)
        for b in range(8)
        if [(n.pitch, n.onset_ticks) for n in after.tracks[t].bars[b].notes]
        != [(n.pitch, n.onset_ticks) for n in track.bars[b].notes]
    }
    assert changed == {(1, 4), (1, 5)}
    report = json.loads(answer.headers["x-midigpt-report"])
    assert report["seed"] == 3
    assert report["generated_bars"] == {"1": [4, 5]}


def test_the_same_seed_gives_the_same_file(client):
    first = infill(client, midi(), bars="2", track="1", seed="5", density_hard_limit="4")
    assert first.content == infill(client, midi(), bars="2", track="1", seed="5", density_hard_limit="4").content


def test_a_real_song_keeps_what_was_not_asked_for(client):
    from midigpt_core.midi_file import read_score

    for path in songs(400):
        before = read_score(path)
        if len(before.tracks) > 1 and 8 <= before.n_bars <= 200:
            break
    else:
        pytest.skip("no song of that size in the corpus")
    fields = {"bars": "2", "track": "1", "seed": "1", "density_hard_limit": "4", "silence_check": "false"}
    answer = infill(client, path.read_bytes(), max_attempts="1", **fields)  # with no check on, it always comes
    assert answer.status_code == 200, answer.text
    after = read_score(answer.content)
    for t in range(1, len(before.tracks)):
        assert after.tracks[t].bars == before.tracks[t].bars


def test_several_takes_come_as_a_zip_with_a_report(client):
    answer = infill(client, midi(), bars="5", track="bass", seed="3", num_candidates="3", density_hard_limit="6")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = [f"my song.infill.{number:02d}.mid" for number in (1, 2, 3)]
        assert archive.namelist() == [*names, "report.json"]
        assert [take["seed"] for take in json.loads(archive.read("report.json"))["candidates"]] == [3, 4, 5]


def test_options_of_the_command_line_are_fields(client):
    answer = infill(
        client, midi(), bars="5", track="bass", scale="C:major", seed="3", temperature="0.9", density_hard_limit="6"
    )
    assert answer.status_code == 200, answer.text
    notes = Score.from_midi(answer.content).tracks[1].bars[4].notes
    assert notes
    assert all(note.pitch % 12 in (0, 2, 4, 5, 7, 9, 11) for note in notes)


def test_a_whole_request_may_be_given_instead(client):
    wish = {"tracks": [{"id": t, "bars": [4] if t == 1 else []} for t in range(3)], "config": {"seed": 3}}
    answer = infill(client, midi(), request=json.dumps(wish))
    assert json.loads(answer.headers["x-midigpt-report"])["generated_bars"] == {"1": [4]}


def test_bars_of_a_request_and_of_a_form_may_be_said_in_words(client):
    wish = {"tracks": [{"id": t, **({"bars": "-2-,1.2-1.3"} if t == 1 else {})} for t in range(3)]}
    answer = infill(client, midi(), request=json.dumps({**wish, "config": {"seed": 3}}))
    assert json.loads(answer.headers["x-midigpt-report"])["generated_bars"] == {"1": [0, 6, 7]}
    answer = infill(client, midi(), where="sounding", track="bass", seed="3")
    written = json.loads(answer.headers["x-midigpt-report"])["generated_bars"]
    assert written == {"1": [b for b, bar in enumerate(Score.from_midi(midi()).tracks[1].bars) if bar.notes]}


def test_a_plan_is_json_and_writes_nothing(client):
    told = infill(client, midi(), bars="4-5", plan_only="true").json()
    assert told["status"] == "planned"
    assert told["plan"][0]["generate"]["1"] == [3, 4]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "bars"),
        ({"bars": "4-99"}, "bars"),
        ({"bars": "4", "track": "tuba"}, "track"),
        ({"bars": "4", "temprature": "1"}, "temprature"),
        ({"bars": "4", "temperature": "hot"}, "temperature"),
        ({"bars": "4", "temperature": "0"}, "config.temperature"),
        ({"bars": "4", "scale": "H:major"}, "scale"),
        ({"bars": "4", "silence_check": "perhaps"}, "silence_check"),
        ({"bars": "9" * 5000}, "bars"),
    ],
)
def test_a_wrong_field_is_named(client, fields, field):
    answer = infill(client, midi(), **fields)
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert "--" not in answer.json()["detail"]


def test_a_file_that_is_no_midi_is_a_400(client):
    assert infill(client, b"RIFF....", bars="1").status_code == 400
    assert infill(client, b"", bars="1").status_code == 400
    assert client.post("/infill", data={"bars": "1"}).status_code in (400, 415)
    assert client.post("/infill", json={}).status_code == 415


def test_a_score_becomes_a_file_and_the_file_the_score(client):
    score = song(8)
    file = client.post("/score", json=score.to_dict())
    assert file.headers["content-type"] == "audio/midi"
    back = client.post("/score", content=file.content, headers={"content-type": "audio/midi"})
    assert Score.from_dict(back.json()).tracks[2].bars == score.tracks[2].bars
    as_form = client.post("/score", files={"file": ("a.mid", file.content)})
    assert as_form.json() == back.json()


def test_what_cannot_be_converted_is_refused(client):
    assert client.post("/score", content=b"x", headers={"content-type": "text/plain"}).status_code == 415
    assert client.post("/score", content=b"x", headers={"content-type": "audio/midi"}).status_code == 400
    assert client.post("/score", json={"tracks": 3}).status_code == 400


def test_half_a_letter_in_a_name_is_no_fault_of_ours(client):
    raw = b'{"tracks": [{"name": "\\ud800", "bars": [{}]}]}'
    assert client.post("/score", content=raw, headers={"content-type": "application/json"}).status_code < 500


def test_a_song_beyond_the_limits_is_a_413(client):
    from serving import client_of

    with client_of(max_bars=4, max_tracks=2) as small:
        assert infill(small, midi(), bars="1").status_code == 413
        assert small.post("/score", json=song(8).to_dict()).status_code == 413
    many = b"MThd\0\0\0\6\0\1\0\1\0\1MTrk\0\0\0\x0f\0\xff\x58\4\1\2\x18\x08\x87\xff\xff\x7f\xff\x2f\0"
    answer = client.post("/score", content=many, headers={"content-type": "audio/midi"})
    assert answer.status_code == 413
    assert "bars" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"rhythm_lock": "true", "track": "bass", "scale": "drums/C:major"}, "name it with track too"),
        ({"attribute": "8:note_density=3"}, "add it to bars"),
        ({"pitch_range": "C9"}, "pitch_range = "),
    ],
)
def test_what_is_wrong_with_a_form_is_said_in_its_fields(client, fields, says):
    answer = infill(client, midi(), bars="2", **fields)
    told = answer.json()
    assert answer.status_code == 422, answer.text
    assert says in told["detail"]
    assert "--" not in told["detail"] + told["remedy"] + told["field"]


def test_a_form_says_how_the_song_is_read(client):
    """The fields are the command's: a track that plays drums, a silent one that is named, channels kept apart."""
    told = {"bars": "5", "track": "melodic", "melodic_track": "drums", "plan_only": "true"}
    assert infill(client, midi(), **told).json()["plan"][0]["generate"].keys() == {"0", "1", "2"}
    assert infill(client, midi(), bars="5", drum_track="kazoo").status_code == 422
    assert infill(client, midi(), bars="5", split_channels="perhaps").status_code == 422


def test_a_silent_track_that_is_named_is_written(client):
    score = song(8)
    score.tracks.append(Track([replace(bar, notes=[]) for bar in score.tracks[0].bars], 33, name="Cello"))
    answer = infill(client, midi(score), bars="5", track="cello", density_hard_limit="6")
    assert answer.status_code == 200, answer.text
    written = Score.from_midi(answer.content).tracks
    assert [(track.name, track.instrument) for track in written][-1] == ("Cello", 33)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"add_bars": "9000"}, "the song would have 9008 bars; this server takes 4096 (max_bars)"),
        ({"add_track": ["violin"] * 160}, "tracks; this server takes 100 (max_tracks)"),
    ],
)
def test_what_is_added_is_counted_before_it_is_made(fields, says, monkeypatch):
    monkeypatch.setattr("midigpt_cli.server.form.with_additions", lambda *_: pytest.fail("it was made"))
    with client_of(max_tracks=100) as client:
        answer = infill(client, midi(), bars="1", **fields)
    assert answer.status_code == 413, answer.text
    assert says in answer.json()["detail"]


def test_new_tracks_and_bars_are_fields_too(client):
    answer = infill(client, midi(), bars="8-9", add_track="violin", add_bars="1", seed="1")
    assert answer.status_code == 200, answer.text
    before, after = Score.from_midi(midi()), Score.from_midi(answer.content)
    assert [len(bar.notes) > 0 for bar in after.tracks[-1].bars][-2:] == [True, True]
    assert after.tracks[-1].instrument == 40
    assert [track.bars[:8] for track in after.tracks[:-1]] == [track.bars for track in before.tracks]


def test_wishes_are_fields_of_the_form_and_of_the_request(client) -> None:
    fields = {"chords": "5:Dm 6:Bb", "velocity": "50-60", "keep_range": "on", "motion": "5:steps:0.6"}
    answer = infill(client, midi(), bars="5-6", track="bass", seed="3", plan_only="true", **fields)
    assert answer.status_code == 200, answer.text
    refusal = infill(client, midi(), bars="5-6", track="bass", velocity="loud")
    assert refusal.status_code == 422
    assert "velocity" in refusal.text


def test_rhythm_wishes_are_fields_of_a_form(client):
    """The options of the command under their own names: a rhythm from another track, and one that is kept."""
    before = Score.from_midi(midi())
    answer = infill(client, midi(), bars="5-6", track="bass", rhythm_from="drums:every", seed="1")
    assert answer.status_code == 200, answer.text
    after = Score.from_midi(answer.content)
    drums = next(t for t in after.tracks if t.track_type == "drum")
    bass = after.tracks[1]
    for bar in (4, 5):
        assert {n.onset_ticks for n in bass.bars[bar].notes} == {n.onset_ticks for n in drums.bars[bar].notes}
    kept = infill(client, midi(), bars="5-6", track="bass", rhythm_lock="onsets", seed="1")
    for old, new in zip(before.tracks[1].bars[4:6], Score.from_midi(kept.content).tracks[1].bars[4:6], strict=True):
        assert {n.onset_ticks for n in new.notes} == {n.onset_ticks for n in old.notes}


def test_regions_of_a_form_are_written_and_nothing_else(client):
    form = {"region": ["1/5", "bass/6"], "seed": "1", "density_hard_limit": "6", "plan_only": "true"}
    answer = client.post("/infill", data=form, files={"file": midi()})
    assert answer.status_code == 200, answer.text
    cells = [step["generate"] for step in answer.json()["plan"]]
    assert cells == [{"0": [4], "1": [5]}]
    refused = client.post("/infill", data={"region": "bass"}, files={"file": midi()})
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("region = 'bass'")


@pytest.mark.parametrize(
    ("field", "wrong"), [("swing", "2"), ("syncopation", "lots"), ("fill", "soon"), ("rhythm_from", "nobody")]
)
def test_a_rhythm_wish_that_cannot_be_is_refused_in_the_words_of_its_field(client, field, wrong):
    answer = infill(client, midi(), bars="5-6", track="drums", **{field: wrong})
    assert answer.status_code == 422, answer.text
    assert field in answer.json()["detail"]


def test_swing_of_a_form_places_the_offbeats(client):
    wishes = {"swing": "1", "syncopation": "0.4", "density_hard_limit": "6", "echo": "0"}
    answer = infill(client, midi(), bars="5-6", track="bass", seed="1", **wishes)
    assert answer.status_code == 200, answer.text
    score = Score.from_midi(answer.content)
    beat = score.resolution
    places = {n.onset_ticks % beat for bar in score.tracks[1].bars[4:6] for n in bar.notes}
    assert places <= {0, beat // 3, 2 * beat // 3, 5 * beat // 6}
