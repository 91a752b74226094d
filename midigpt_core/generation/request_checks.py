"""Refuse a request that does not fit its score or checkpoint, before any work: small checks in one tuple."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from midigpt_core.attributes import AttributeTable
from midigpt_core.constraints.controls import CONTROLS
from midigpt_core.constraints.piece_controls import PIECE_CONTROLS
from midigpt_core.constraints.rhythm import RHYTHMS, check_source
from midigpt_core.fields import check, nearest, refused
from midigpt_core.request import AUTO, GenerationRequest, TrackPrompt
from midigpt_core.score import DRUM, Score, Track, check_score
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.types import TokenType


@dataclass(frozen=True)
class Case:
    """Everything a check may look at."""

    request: GenerationRequest
    score: Score
    encoder: EncoderConfig
    attributes: AttributeTable

    @cached_property
    def prompts(self) -> list[tuple[str, TrackPrompt, Track]]:
        """Each prompt that asks for something, with its place in the request and its track; only once ids are known to
        be right."""
        tracks, prompts = self.score.tracks, self.request.tracks
        return [(f"tracks[{i}]", prompt, tracks[prompt.id]) for i, prompt in enumerate(prompts) if prompt.asks]

    def has(self, kind: TokenType) -> bool:
        """Whether the checkpoint's vocabulary has this token type."""
        return any(domain == kind for domain, _ in self.encoder.token_domains)


def check_request(request: GenerationRequest, score: Score, encoder: EncoderConfig, attributes: AttributeTable) -> None:
    """Raise RequestValidationError (field, value, remedy) for the first thing that does not fit; ScoreError for what no
    score can hold."""
    case = Case(request, score, encoder, attributes)
    for passes in CHECKS:
        passes(case)


# ---- settings ----


def _every_value_is_in_range(case: Case) -> None:
    check(case.request, "")


def _score_is_sound(case: Case) -> None:
    check_score(case.score)


def _filters_leave_something(case: Case) -> None:
    config = case.request.config
    if config.mask_p and config.top_p < 1 and config.mask_p >= config.top_p:
        raise refused(
            "config.mask_p", config.mask_p, f"removes all that top_p = {config.top_p} keeps", "use less than top_p"
        )
    if config.mask_k and config.top_k and config.mask_k >= config.top_k:
        raise refused(
            "config.mask_k", config.mask_k, f"removes all that top_k = {config.top_k} keeps", "use less than top_k"
        )


def _window_is_known(case: Case) -> None:
    config, known = case.request.config, case.encoder.num_bars_map
    if config.model_dim != AUTO and known and config.model_dim not in known:
        listed = ", ".join(map(str, known))
        raise refused(
            "config.model_dim", config.model_dim, "is not a window of this checkpoint", f"use one of {listed}, or auto"
        )
    if config.model_dim != AUTO and config.bars_per_step > config.model_dim:
        raise refused(
            "config.bars_per_step", config.bars_per_step, "is more than the window", f"use at most {config.model_dim}"
        )


def _hidden_bars_can_be_shown(case: Case) -> None:
    if case.request.config.mask_mode == "token" and not case.has(TokenType.MASK_BAR):
        raise refused(
            "config.mask_mode",
            "token",
            "needs a MaskBar token, which this checkpoint lacks",
            "use auto, attention, attention_approx, attention_skip or remove",
        )


def _distance_is_a_range(case: Case) -> None:
    asked = list(case.request.config.distance)
    if asked and (len(asked) != 2 or asked[0] > asked[1]):
        raise refused("config.distance", asked, "is not a range", "give the lowest and the highest, such as [0.2, 0.6]")
    if asked and any(prompt.autoregressive for prompt in case.request.tracks):
        raise refused("config.distance", asked, "is for bars that are filled in", "drop it where tracks are continued")


def _passes_have_parts(case: Case) -> None:
    config = case.request.config
    if config.rounds > 1 and config.passes == "off":
        raise refused(
            "config.rounds",
            config.rounds,
            "has no effect without passes",
            "set passes to thirds, tracks, bars or random",
        )
    forward = [prompt.autoregressive for prompt in case.request.tracks if prompt.bars or prompt.autoregressive]
    if config.passes != "off" and forward and all(forward):
        raise refused("config.passes", config.passes, "is for bars that are filled in", "drop it")


# ---- score and track ids ----


def _score_has_bars(case: Case) -> None:
    counts = [track.n_bars for track in case.score.tracks]
    if not counts or 0 in counts:
        raise refused("score.tracks", counts, "holds no music", "give at least one track, each with at least one bar")
    if len(set(counts)) > 1:
        raise refused("score.tracks", counts, "differ in their number of bars", "pad the shorter ones with empty bars")


def _every_track_has_one_prompt(case: Case) -> None:
    count = len(case.score.tracks)
    ids = [prompt.id for prompt in case.request.tracks]
    for i, track_id in enumerate(ids):
        if not 0 <= track_id < count:
            raise refused(
                f"tracks[{i}].id", track_id, f"is not a track of this score of {count}", f"use 0 to {count - 1}"
            )
    twice = [track_id for track_id, n in Counter(ids).items() if n > 1]
    if twice:
        raise refused("tracks", twice, "have two prompts", "merge them into one")
    missing = sorted(set(range(count)) - set(ids))
    if missing:
        raise refused(
            "tracks", missing, "have no prompt", "add {id, bars: []} for context, or ignore: true to leave out"
        )
    for name in ("context_drop", "context_keep"):
        for track_id in getattr(case.request.config, name):
            if not 0 <= track_id < count:
                raise refused(f"config.{name}", track_id, "is not a track of this score", f"use 0 to {count - 1}")


def _something_is_written(case: Case) -> None:
    if not any(prompt.bars or prompt.autoregressive for prompt in case.request.tracks):
        raise refused("tracks", None, "name no bars to write", "give at least one track a list of bars")


# ---- bars ----


def _bars_are_in_the_piece(case: Case) -> None:
    for where, prompt, track in case.prompts:
        last = track.n_bars - 1
        places: dict[str, Iterable[int]] = {
            "bars": prompt.bars,
            "mask_bars": prompt.mask_bars,
            "bar_attributes": prompt.bar_attributes,
            "bar_controls": prompt.bar_controls,
        }
        for name, bars in places.items():
            for bar in bars:
                if not 0 <= bar <= last:
                    raise refused(f"{where}.{name}", bar, f"is not a bar of track {prompt.id}", f"use 0 to {last}")


def _bars_have_one_role(case: Case) -> None:
    for where, prompt, track in case.prompts:
        if prompt.ignore and (prompt.bars or prompt.mask_bars or prompt.autoregressive):
            raise refused(f"{where}.ignore", True, "contradicts bars to write or hide", "drop one of the two")
        written = set(prompt.bars or (range(track.n_bars) if prompt.autoregressive else ()))
        both = sorted(written & set(prompt.mask_bars))
        if both:
            raise refused(f"{where}.mask_bars", both, "are also to be written", "list each bar once")
        future = [bar for bar in sorted(written) if track.bars[bar].future]
        if future:
            raise refused(
                f"{where}.bars", future, "are marked future (hidden) in the score", "clear the mark to write them"
            )
        if (
            prompt.autoregressive
            and prompt.bars
            and sorted(prompt.bars) != list(range(min(prompt.bars), len(track.bars)))
        ):
            last = len(track.bars) - 1
            raise refused(
                f"{where}.bars", sorted(prompt.bars), "must run to the end when autoregressive", f"end on bar {last}"
            )


# ---- controls ----


def _attributes_exist_and_fit(case: Case) -> None:
    for where, prompt, track in case.prompts:
        for name, value in prompt.attributes.items():
            _attribute(case, f"{where}.attributes", name, value, track, "track")
        for bar, values in prompt.bar_attributes.items():
            if bar not in prompt.bars and not prompt.autoregressive:
                raise refused(
                    f"{where}.bar_attributes", bar, "is not a bar to be written", "add it to bars, or drop it"
                )
            for name, value in values.items():
                _attribute(case, f"{where}.bar_attributes[{bar}]", name, value, track, "bar")


def _attribute(case: Case, where: str, name: str, value: int, track: Track, level: str) -> None:
    attribute = case.attributes.get(name)
    if attribute is None:
        raise refused(
            f"{where}.{name}", None, "is not a control of this checkpoint", nearest(name, case.attributes.names)
        )
    if attribute.level != level:
        place = "bar_attributes, by bar" if attribute.level == "bar" else "attributes"
        raise refused(f"{where}.{name}", value, f"is a control of the whole {attribute.level}", f"set it in {place}")
    if not 0 <= value < attribute.size:
        raise refused(f"{where}.{name}", value, "is not a level of this control", f"use 0 to {attribute.size - 1}")
    wanted = attribute.track_type
    if wanted != "both" and (wanted == DRUM) != (track.track_type == DRUM):
        raise refused(
            f"{where}.{name}", value, f"is for {wanted} tracks; track {track.name!r} is {track.track_type}", "drop it"
        )


def _controls_exist_and_fit(case: Case) -> None:
    for where, prompt, track in case.prompts:
        _controls(case, f"{where}.controls", prompt.controls, prompt.controls, track)
        for bar, values in prompt.bar_controls.items():
            place = f"{where}.bar_controls[{bar}]"
            if values and bar not in prompt.bars and not prompt.autoregressive:
                raise refused(place, None, "is not a bar to be written", "add it to bars, or drop it")
            _controls(case, place, values, prompt.controls_in(bar), track)


def _controls(case: Case, where: str, values: Mapping[str, Any], together: Mapping[str, Any], track: Track) -> None:
    """Those given in one place, and `together` all that hold there."""
    for name, value in values.items():
        if name not in CONTROLS:
            raise refused(f"{where}.{name}", None, "is not a known control", nearest(name, CONTROLS))
        CONTROLS[name].check(value, f"{where}.{name}", case.encoder, track)
    rhythms = [name for name in RHYTHMS if together.get(name)]  # one at most
    if "syncopation" in together:
        rhythms += ["syncopation"] if {"rhythm_lock", "rhythm_from", "remix"} & set(rhythms) else []
    if len(rhythms) > 1:
        raise refused(where, rhythms, "all set the rhythm", "keep one of them")


def _rhythms_are_there_to_follow(case: Case) -> None:
    written = {prompt.id: prompt for prompt in case.request.tracks}
    for where, prompt, track in case.prompts:
        places = [(f"{where}.controls", prompt.controls, prompt.bars or range(track.n_bars))]
        places += [(f"{where}.bar_controls[{bar}]", own, [bar]) for bar, own in prompt.bar_controls.items()]
        for place, controls, bars in places:
            value = controls.get("rhythm_from")
            if value is None:
                continue
            check_source(value, f"{place}.rhythm_from", case.score.tracks, prompt.id)
            source = written[value["track"]]
            both = sorted(set(bars) & set(source.bars))
            if both or source.autoregressive:
                problem = f"follows track {source.id + 1}, which is written at the same time"
                raise refused(f"{place}.rhythm_from", None, problem, "write it before, in a run of its own")


def _piece_controls_exist_and_fit(case: Case) -> None:
    for name, value in case.request.controls.items():
        if name not in PIECE_CONTROLS:
            raise refused(f"controls.{name}", None, "is not a known control", nearest(name, PIECE_CONTROLS))
        PIECE_CONTROLS[name](value, f"controls.{name}", case.encoder)


CHECKS: tuple[Callable[[Case], None], ...] = (
    _every_value_is_in_range,
    _score_is_sound,
    _filters_leave_something,
    _window_is_known,
    _hidden_bars_can_be_shown,
    _distance_is_a_range,
    _passes_have_parts,
    _score_has_bars,
    _every_track_has_one_prompt,
    _something_is_written,
    _bars_are_in_the_piece,
    _bars_have_one_role,
    _attributes_exist_and_fit,
    _controls_exist_and_fit,
    _rhythms_are_there_to_follow,
    _piece_controls_exist_and_fit,
)
