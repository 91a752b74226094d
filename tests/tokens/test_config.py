"""The encoder configuration is read tolerantly, kept whole, and refused by the name of the key that is wrong."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from midigpt_core.errors import EncoderConfigError
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.tokenizer import Tokenizer
from midigpt_core.tokens.types import TOKEN_FACTS, TokenType, token_type
from midigpt_core.tokens.vocabulary import Vocabulary
from tests.support import encoders

OPEN = files("midigpt_core.tokens") / "open_encoder.json"


def open_config(**changes: Any) -> dict[str, Any]:
    config = json.loads(OPEN.read_text())
    config.update(changes)
    return config


def without(config: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in keys}


def test_unknown_keys_are_kept_and_written_back() -> None:
    config = EncoderConfig.from_dict(open_config(shoe_size=43))
    assert config.extra == {"shoe_size": 43}
    assert config.to_dict()["shoe_size"] == 43


@pytest.mark.parametrize("name", ["yellow", "prism", "expressive"])
def test_a_published_configuration_survives_writing_and_reading(name: str) -> None:
    config = EncoderConfig.load(encoders() / f"{name}_encoder.json")
    assert EncoderConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.extra == {}


def test_load_takes_a_path_a_dict_and_a_configuration(tmp_path) -> None:
    path = tmp_path / "encoder.json"
    path.write_text(json.dumps(open_config()))
    config = EncoderConfig.load(path)
    assert EncoderConfig.load(str(path)) == EncoderConfig.load(open_config()) == EncoderConfig.load(config) == config


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"resolution": 0}, "resolution"),
        ({"resolution": "12"}, "resolution"),
        ({"model_dim": True}, "model_dim"),
        ({"supports_infill": "yes"}, "supports_infill"),
        ({"temperature": "warm"}, "temperature = 'warm' is not a number"),
        ({"temperature": 0}, "temperature = 0 is too small"),
        ({"drum_temperature": [1]}, "drum_temperature"),
        ({"echo": -1}, "echo = -1 is too small"),
        ({"optional_controls": "yes"}, "optional_controls"),
        ({"rounding": "up"}, "rounding = 'up' is not known"),
        ({"time_signatures": ["4/4", "four"]}, r"time_signatures\[1\]"),
        ({"time_signatures": "4/4"}, "time_signatures"),
        ({"num_bars_map": [4, -8]}, r"num_bars_map\[1\]"),
        ({"pitch_range": [100, 20]}, "pitch_range"),
        ({"instrument_merge_groups": [[1, 2], [128]]}, r"instrument_merge_groups\[1\]"),
        ({"genre_groups": {"pop": "rock"}}, r"genre_groups\.pop"),
        ({"token_domains": [{"type": "Bar"}]}, r"token_domains\[0\]"),
        ({"token_domains": [{"type": "Bars", "domain_size": 1}]}, "Bars"),
        ({"token_domains": [{"type": "Bar", "domain_size": 0}]}, r"token_domains\[0\]\.domain_size"),
        ({"token_domains": [{"type": "PitchRange", "domain_size": 2}] * 2}, "PitchRange"),
        ({"attribute_controls": [{"name": "loudness"}]}, "loudness"),
        ({"attribute_controls": [{"name": "polyphony_quantile", "params": {"voices": 3}}]}, "polyphony_quantile"),
    ],
)
def test_a_malformed_value_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(EncoderConfigError, match=named):
        EncoderConfig.from_dict(open_config(**changes))


def test_a_file_that_is_missing_or_no_json_is_named(tmp_path) -> None:
    with pytest.raises(EncoderConfigError, match=r"gone\.json"):
        EncoderConfig.load(tmp_path / "gone.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(EncoderConfigError, match=r"bad\.json"):
        EncoderConfig.load(tmp_path / "bad.json")


def test_legacy_spellings_name_the_same_types() -> None:
    for fact in TOKEN_FACTS:
        if fact.legacy:
            assert token_type(fact.legacy) is fact.type
        assert token_type(fact.type.value) is fact.type
    assert token_type("PitchClassSet") is TokenType.BAR_LEVEL_PITCH_CLASS_SET
    assert token_type("PieceEnd") is TokenType.NONE


def test_a_configuration_in_legacy_spelling_is_the_same_configuration() -> None:
    legacy = {fact.type: fact.legacy for fact in TOKEN_FACTS}
    old = open_config()
    for domain in old["token_domains"]:
        domain["type"] = legacy[token_type(domain["type"])] or domain["type"]
    assert EncoderConfig.from_dict(old) == EncoderConfig.from_dict(open_config())


@pytest.mark.parametrize("name", ["yellow", "prism", "expressive"])
def test_domains_that_are_not_listed_are_derived_as_the_peer_derives_them(name: str) -> None:
    core = pytest.importorskip("midigpt._core", reason="needs the package midigpt 0.4.2")
    from midigpt.tokenizer import Tokenizer as PeerTokenizer

    config = without(json.loads((encoders() / f"{name}_encoder.json").read_text()), "token_domains")
    peer = PeerTokenizer(core.EncoderConfig.from_json(json.dumps(config)))
    theirs = json.loads(peer._vocab.config().to_json())["token_domains"]
    ours = EncoderConfig.from_dict(config).to_dict()["token_domains"]
    assert ours == [{"type": d["type"], "domain_size": d["domain_size"]} for d in theirs]


def test_a_switch_for_micro_timing_means_there_is_micro_timing() -> None:
    config = EncoderConfig.from_dict(without(open_config(switchable_microtiming=True), "token_domains"))
    assert config.emit_delta_tokens
    assert Vocabulary(config).has(TokenType.DELTA)


def test_a_control_without_a_domain_gets_one_at_the_end() -> None:
    config = open_config()
    config["token_domains"] = [d for d in config["token_domains"] if d["type"] != "PitchRange"]
    assert EncoderConfig.from_dict(config).token_domains[-1] == (TokenType.PITCH_RANGE, 128)


def test_genres_are_found_by_any_of_their_names_in_any_case() -> None:
    config = EncoderConfig.load(encoders() / "prism_encoder.json")
    assert config.genres[config.genre_id("K POP")] == "asian"
    assert config.genres[config.genre_id("Reggae-Ska")] == "hip-hop"
    with pytest.raises(EncoderConfigError, match="polka"):
        config.genre_id("polka")


def test_the_peer_reads_our_own_encoder_and_numbers_its_tokens_alike() -> None:
    core = pytest.importorskip("midigpt._core", reason="needs the package midigpt 0.4.2")
    from midigpt.tokenizer import Tokenizer as PeerTokenizer

    peer = PeerTokenizer(core.EncoderConfig.from_json(OPEN.read_text()))._vocab
    ours = Tokenizer.from_config(open_config()).vocabulary
    assert peer.size() == ours.size
    for token in range(ours.size):
        kind, value = peer.decode(token)
        assert token_type(kind.name) is ours.types[token]
        assert value == ours.values[token]
