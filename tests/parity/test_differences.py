"""Each difference in docs/differences.md is still one: the peer does what the page says, and we do otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from midigpt_core.errors import EncoderConfigError, TokenError
from midigpt_core.score import DRUM, Bar, Note, Score, Track
from midigpt_core.tokens import kernels
from midigpt_core.tokens.encode import EncodeOptions
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.tokenizer import Tokenizer
from tests.parity.token_parity import Peer
from tests.support import encoders

pytest.importorskip("midigpt._core", reason="needs the package midigpt 0.4.2")


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return json.loads((encoders() / "prism_encoder.json").read_text())


@pytest.fixture(scope="module")
def peer(config: dict[str, Any]) -> Peer:
    return Peer.load(config)


@pytest.fixture(scope="module")
def ours(config: dict[str, Any]) -> Tokenizer:
    return Tokenizer.from_config(config)


@pytest.fixture(scope="module")
def corrected(config: dict[str, Any]) -> Tokenizer:
    controls = [{**entry, "revision": 2} for entry in config["attribute_controls"]]
    return Tokenizer.from_config({**config, "attribute_controls": controls})


def halves() -> Score:
    """Four bars of 4/4 that sound for their first half."""
    return Score([Track([Bar([Note(60, 90, 0, 24), Note(64, 90, 0, 24)]) for _ in range(4)])], resolution=12)


def value_of(tokenizer: Tokenizer, tokens: list[int], name: str) -> list[int]:
    return [value for kind, value in map(tokenizer.vocabulary.decode, tokens) if kind.value == name]


def test_an_unlisted_metre(peer: Peer, ours: Tokenizer) -> None:
    score = halves()
    bars = [replace(bar, ts_numerator=7, ts_denominator=16) for bar in score.tracks[0].bars]
    strange = replace(score, tracks=[replace(score.tracks[0], bars=bars)])
    with pytest.raises(RuntimeError, match="7/16"):
        peer.tokenizer.encode(peer.score(strange))
    with pytest.raises(TokenError, match="7/16"):
        ours.encode(strange)


def test_a_score_passed_in(peer: Peer, ours: Tokenizer) -> None:
    theirs, score = peer.score(halves()), halves()
    assert peer.tokenizer.encode(theirs) == ours.encode(score)
    assert theirs.tracks[0].attributes
    assert score.tracks[0].attributes == {}


def test_notes_go_to_the_nearest_tick_where_the_configuration_says_so(config: dict[str, Any]) -> None:
    asked = {**config, "rounding": "nearest"}
    score = Score([Track([Bar([Note(60, 64, 479, 475)]), Bar(), Bar(), Bar()])])
    theirs = Peer.load(asked)
    ours = Tokenizer.from_config(asked)
    cut = [
        (kind.value, value) for kind, value in map(ours.vocabulary.decode, theirs.tokenizer.encode(theirs.score(score)))
    ]
    near = [(kind.value, value) for kind, value in map(ours.vocabulary.decode, ours.encode(score))]
    assert ("TimeAbsolutePos", 11) in cut
    assert ("TimeAbsolutePos", 12) in near
    assert list(theirs.tokenizer.encode(theirs.score(score))) == Tokenizer.from_config(config).encode(score)


def test_an_open_track_before_another(peer: Peer, ours: Tokenizer) -> None:
    two = Score(halves().tracks + halves().tracks, resolution=12)
    options = EncodeOptions(partial_track=0, partial_bars=2)
    tokens = kernels.encode(two, ours.vocabulary, options).tokens
    assert peer.encode(two, options) == (tokens, [])
    assert [len(track.bars) for track in peer.tokenizer.decode(tokens).tracks] == [6]
    assert [len(track.bars) for track in ours.decode(tokens).tracks] == [2, 4]


def test_the_resolution_of_decoded_ticks(peer: Peer, ours: Tokenizer) -> None:
    tokens = ours.encode(halves())
    theirs, raw = peer.tokenizer.decode(tokens, resample=False), kernels.decode(tokens, ours.vocabulary)
    assert (theirs.resolution, theirs.tracks[0].bars[0].notes[0].duration_ticks) == (1920, 24)
    assert (raw.resolution, raw.tracks[0].bars[0].notes[0].duration_ticks) == (12, 24)


def test_a_cell_beyond_the_window(peer: Peer, ours: Tokenizer) -> None:
    options = EncodeOptions(infill=frozenset({(0, 9)}))
    assert peer.encode(halves(), options) is not None
    with pytest.raises(TokenError, match="no bar 9"):
        kernels.encode(halves(), ours.vocabulary, options)


def test_bar_lengths_in_the_json_form() -> None:
    from midigpt._types import Score as PeerScore

    data = {"resolution": 12, "tracks": [{"bars": [{"ts_numerator": 3, "ts_denominator": 4}]}]}
    assert PeerScore.from_dict(data).tracks[0].bars[0].beat_length == 4.0
    assert Score.from_dict(data).tracks[0].bars[0].beat_length == 3.0


def test_unknown_keys_and_model_dim(peer: Peer, config: dict[str, Any]) -> None:
    more = {**config, "shoe_size": 43, "model_dim": 8}
    theirs = json.loads(peer.core.EncoderConfig.from_json(json.dumps(more)).to_json())
    written = EncoderConfig.from_dict(more).to_dict()
    assert "shoe_size" not in theirs
    assert "model_dim" not in theirs
    assert (written["shoe_size"], written["model_dim"]) == (43, 8)


@pytest.mark.parametrize(("key", "value"), [("resolution", 0), ("instrument_merge_groups", [[0, 300]])])
def test_a_malformed_configuration(peer: Peer, config: dict[str, Any], key: str, value: Any) -> None:
    peer.core.EncoderConfig.from_json(json.dumps({**config, key: value}))
    with pytest.raises(EncoderConfigError, match=key):
        EncoderConfig.from_dict({**config, key: value})


def test_pitch_classes_are_written_from_revision_2_on(peer: Peer, ours: Tokenizer, corrected: Tokenizer) -> None:
    tokens = peer.encode_score(halves())
    assert tokens == ours.encode(halves())
    assert value_of(ours, tokens, "BarLevelPitchClassSet") == []
    assert value_of(ours, corrected.encode(halves()), "BarLevelPitchClassSet") == [2, 2, 2, 2]


def test_silence_is_heard_from_revision_2_on(peer: Peer, ours: Tokenizer, corrected: Tokenizer) -> None:
    name = "TrackLevelSilenceProportionMax"
    assert value_of(ours, peer.encode_score(halves()), name) == [8]
    assert value_of(ours, corrected.encode(halves()), name) == [5]


def test_drums_have_no_key_from_revision_2_on(peer: Peer, ours: Tokenizer, corrected: Tokenizer) -> None:
    drums = replace(halves().tracks[0], track_type=DRUM)
    score = Score([Track([Bar() for _ in range(4)]), drums], resolution=12)
    assert value_of(ours, peer.encode_score(score), "KeySignature") == [0]
    assert value_of(ours, corrected.encode(score), "KeySignature") == [24]


def test_a_hidden_bar_without_a_mask_token_shows_its_notes(peer: Peer, ours: Tokenizer) -> None:
    score = halves()
    score.tracks[0].bars[0].future = True
    tokens, _ = peer.encode(score, EncodeOptions())
    assert tokens == kernels.encode(score, ours.vocabulary).tokens
    assert len(value_of(ours, tokens, "NoteOnset")) == 8
    hidden = kernels.encode(score, ours.vocabulary, EncodeOptions(hiding="remove")).tokens
    assert len(value_of(ours, hidden, "NoteOnset")) == 6
