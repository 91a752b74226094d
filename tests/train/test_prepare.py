"""Folders and archives of MIDI files become shards: nothing lost, nothing twice, every reason counted."""

from __future__ import annotations

import json
import shutil
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midigpt_core.errors import TrainingError
from midigpt_core.midi_file import read_score
from midigpt_core.tokens.encode import EncodeOptions, encode
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.grid import to_grid
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary
from midigpt_core.train.collect import collect, held_out, read_bytes
from midigpt_core.train.prepare import PrepareOptions, prepare
from midigpt_core.train.shards import Shards
from midigpt_core.train.summary import as_text
from midigpt_core.train.tokenise import fingerprint, tokenise

ALONE = PrepareOptions(processes=1)


def test_shards_hold_every_note_token_of_the_encoder(songs: list[Path], shards: Shards, encoder: EncoderConfig) -> None:
    vocabulary = Vocabulary(encoder)
    structure = {TokenType.BAR, TokenType.BAR_END, TokenType.TIME_SIG, TokenType.TRACK, TokenType.TRACK_END}
    structure |= {TokenType.INSTRUMENT, TokenType.PIECE_START, TokenType.NUM_BARS}
    names = shards.names()
    for song in songs:
        row = shards.pieces[names.index(song.name)]
        score = to_grid(read_score(song), encoder)
        score.tracks = [track for track in score.tracks if any(bar.notes for bar in track.bars)]
        ids = encode(score, vocabulary, EncodeOptions(window_bars=4)).tokens
        notes = [i for i in ids if vocabulary.types[i] not in structure]
        tracks = range(row["first_track"], row["first_track"] + row["n_tracks"])
        stored = [shards.body(track, bar) for track in tracks for bar in range(row["n_bars"])]
        assert np.concatenate(stored).tolist() == notes


def test_broken_files_and_duplicates_are_counted_and_left_out(
    songs: list[Path], encoder: EncoderConfig, tmp_path: Path
) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    shutil.copy(songs[0], folder / "a.mid")
    shutil.copy(songs[0], folder / "again.mid")
    shutil.copy(songs[1], folder / "b.mid")
    (folder / "broken.mid").write_bytes(b"MThd, it says, and then nothing of the kind")
    result = prepare([folder], tmp_path / "data", encoder, ALONE)
    assert result["pieces"] == 2
    assert sum(result["skipped"].values()) == 2
    assert result["skipped"]["duplicate of another file's notes"] == 1
    assert any("MidiFileError" in reason for reason in result["skipped"])
    assert "left out: 2 files" in as_text(result)


def test_two_processes_write_what_one_writes(
    songs: list[Path], data: Path, encoder: EncoderConfig, tmp_path: Path
) -> None:
    prepare(songs, tmp_path, encoder, PrepareOptions(processes=2, valid_share=0.2))
    for name in ("tokens.u16", "cells.npy", "pieces.npy", "tracks.npy", "metres.npy"):
        assert (tmp_path / name).read_bytes() == (data / name).read_bytes()


def test_archives_hold_the_same_files_as_the_folder(songs: list[Path], tmp_path: Path) -> None:
    packed, tape = tmp_path / "songs.zip", tmp_path / "songs.tar.xz"
    with zipfile.ZipFile(packed, "w") as archive:
        for song in songs[:2]:
            archive.write(song, f"band/{song.name}")
    with tarfile.open(tape, "w:xz") as archive:
        for song in songs[:2]:
            archive.add(song, f"band/{song.name}")
    wanted = {song.read_bytes() for song in songs[:2]}
    for place in (packed, tape):
        found = collect([place])
        assert {item.source for item in found} == {"band"}
        assert {content for _, content in read_bytes(found)} == wanted


def test_a_manifest_decides_files_split_and_piece(songs: list[Path], encoder: EncoderConfig, tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    rows = [f"easyrpg/{songs[i].name},{split},rpg,piece{i},permissive" for i, split in enumerate(("valid", "train"))]
    manifest.write_text("\n".join(["path,split,source,piece,tier", *rows]))
    prepare([songs[0].parents[1] / "easyrpg"], tmp_path / "d", encoder, replace(ALONE, manifest=str(manifest)))
    found = Shards(tmp_path / "d")
    assert sorted(found.names()) == sorted(f"easyrpg/{song.name}" for song in songs[:2])
    assert found.sources == ["rpg"]
    assert len(found.select("valid")) == 1
    assert found.pieces["permissive"].all()


def test_a_piece_keeps_its_split_when_files_are_added() -> None:
    pieces = [f"song {i}" for i in range(400)]
    before, after = held_out(pieces[:300], 0.1), held_out(pieces, 0.1)
    assert before == after & set(pieces[:300])
    assert 20 < len(after) < 60


def test_of_a_small_folder_the_asked_share_is_held_out() -> None:
    pieces = [f"song {i}" for i in range(20)]
    assert len(held_out(pieces, 0.2)) == 4
    assert len(held_out(pieces[:2], 0.05)) == 1
    assert held_out(pieces, 0.0) == set()


def test_a_piece_in_another_key_has_the_same_fingerprint_when_keys_are_ignored(
    songs: list[Path], encoder: EncoderConfig
) -> None:
    vocabulary = Vocabulary(encoder)
    score = to_grid(read_score(songs[0]), encoder)
    plain = tokenise(score, vocabulary)
    for track in score.tracks:
        for bar in track.bars:
            bar.notes = [replace(n, pitch=n.pitch + 2 * (track.track_type != "drum"), velocity=90) for n in bar.notes]
    moved = tokenise(score, vocabulary)
    assert fingerprint(plain, vocabulary) != fingerprint(moved, vocabulary)
    assert fingerprint(plain, vocabulary, any_key=True) == fingerprint(moved, vocabulary, any_key=True)


def test_a_folder_without_midi_is_refused_with_the_way_out(encoder: EncoderConfig, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no \.mid file"):
        prepare([tmp_path], tmp_path / "d", encoder)
    with pytest.raises(TrainingError, match="midigpt train prepare"):
        Shards(tmp_path)


@pytest.mark.parametrize("name", ["tokens.u16", "cells.npy", "pieces.npy", "tracks.npy", "metres.npy"])
@pytest.mark.parametrize("sums", [True, False])
def test_a_damaged_data_set_is_refused(data, tmp_path, name, sums):
    """Without checksums, as in older data sets, what cannot be: a cut file, a token outside the vocabulary."""
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    if not sums:
        meta = json.loads((folder / "meta.json").read_text())
        del meta["checksums"]
        (folder / "meta.json").write_text(json.dumps(meta))
    Shards(folder)
    whole = (folder / name).read_bytes()
    middle = len(whole) // 2
    damaged = [whole[:-10], b""]
    if sums:
        damaged += [whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]]
    if sums or name == "tokens.u16":
        damaged += [whole[:middle] + b"\xff" * 400 + whole[middle + 400 :]]
    for content in damaged:
        (folder / name).write_bytes(content)
        with pytest.raises(TrainingError, match="damaged"):
            Shards(folder)
