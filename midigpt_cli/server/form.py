"""Read the fields of a form: the options of `midigpt infill`, as strings."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args, get_origin, get_type_hints

from midigpt_cli.options.dataclass_options import LIMITED, RANGED, Settings, as_sentence
from midigpt_cli.options.music_options import Music
from midigpt_cli.options.shared_options import Context
from midigpt_cli.parse.additions import Additions, added_tracks, with_additions
from midigpt_cli.parse.build_request import RequestOptions, build_request
from midigpt_cli.parse.named_silent_tracks import with_silent
from midigpt_cli.parse.numbers import share_range
from midigpt_cli.parse.regions import REGION_HELP, places_said, tracks_in, with_regions
from midigpt_cli.parse.selectors import BEATS_HELP, TRACK_HELP, WHERE_HELP, select_tracks, tracks_to_write
from midigpt_cli.parse.song_reading import Reading, read_as_told
from midigpt_cli.parse.where_to_write import placed
from midigpt_cli.server.body import MOST_DIGITS, parse_json, read_request
from midigpt_cli.server.form_examples import EXAMPLES
from midigpt_cli.server.http_errors import RefusalError
from midigpt_core.attributes import AttributeTable
from midigpt_core.errors import RequestValidationError
from midigpt_core.fields import nearest
from midigpt_core.midi_file import ReadLimits
from midigpt_core.request import GenerationRequest, InferenceConfig
from midigpt_core.score import Score

LONGEST_FIELD = 4000  # characters, the request field apart
_OPTION = re.compile(r"--([a-z]+(?:-[a-z]+)*)")


def as_fields(text: str) -> str:
    """A text in which options of the command line are called as the form's fields are."""
    return _OPTION.sub(lambda option: option[1].replace("-", "_"), text)


OWN = {  # field of the form -> label, meaning
    "bars": ("Bars", BEATS_HELP),
    "where": ("Which of the bars", WHERE_HELP),
    "track": ("Tracks", TRACK_HELP),
    "region": ("Regions", f"TRACK/BARS: {as_fields(REGION_HELP)}"),
    "request": (
        "Whole request",
        "The whole request as JSON, tracks and bars from 0, instead of bars, track and musical controls.",
    ),
    "model": ("Model", "An id of GET /models (default: the server's default model)."),
    "request_id": ("Your own id", "Your own id for this request."),
    "plan_only": ("Plan only", "Return the plan as JSON and write nothing."),
}
_REPEATED = ("track", "region")
_GROUPS: tuple[type, ...] = (Music, Context, Settings, Reading, Additions)
_YES, _NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


@dataclass(frozen=True)
class FormRequest:
    """The fields of one form, read."""

    own: Mapping[str, str]
    tracks: tuple[str, ...]
    regions: tuple[str, ...]
    music: Music
    context: Context
    settings: Any  # options.Settings
    reading: Reading
    additions: Additions

    @property
    def takes(self) -> int:
        return self.settings.num_candidates or 1

    def score_of(self, data: bytes, limits: ReadLimits) -> Score:
        """The song, read as the form says. Raises MidiFileError, RequestValidationError."""
        try:
            score = with_silent(read_as_told(data, self.reading, limits), [*self.tracks, *tracks_in(self.regions)])
            self._check_additions(score, limits)
            return with_additions(score, self.additions)
        except RequestValidationError as error:
            raise in_form_words(error) from error

    def _check_additions(self, score: Score, limits: ReadLimits) -> None:
        """Refuse bars and tracks beyond what a song may have, before they are made. Raises RefusalError (413)."""
        sizes = (
            ("add_bars", "bars", score.n_bars + self.additions.add_bars, limits.bars),
            ("add_track", "tracks", len(score.tracks) + len(self.additions.add_track), limits.tracks),
        )
        for field, what, made, most in sizes:
            if made > most:
                raise RefusalError(
                    413, f"the song would have {made} {what}; this server takes {most} (max_{what})", field=field
                )

    def request_for(self, score: Score, table: AttributeTable) -> GenerationRequest:
        """The request for this song. Raises RequestValidationError, RefusalError."""
        if "request" in self.own:
            request = read_request(placed(parse_json(self.own["request"].encode()), score))
        else:
            request = self._built(score, table)
        plan_only = "plan_only" in self.own and _flag("plan_only", self.own["plan_only"])
        return replace(request, config=replace(request.config, plan_only=plan_only)) if plan_only else request

    def _built(self, score: Score, table: AttributeTable) -> GenerationRequest:
        if not {"bars", "where"} & set(self.own) and (self.tracks or not self.regions):
            raise RefusalError(
                422, "bars is missing; say which bars to write, counted from 1, such as bars=4-8", field="bars"
            )
        try:
            places = places_said(self.own.get("bars"), self.own.get("where"), self.regions, score, "")
            tracks = select_tracks(self.tracks, score, "track") if self.tracks else added_tracks(score, self.additions)
            tracks = tracks or tracks_to_write((), score, places.bars)
            targets = with_regions(places.by_track(tracks, score, "where"), self.regions, score, "region")
            chosen = RequestOptions(targets, self.music, self.context, self.settings, dict(places.spans))
            return build_request(chosen, score, table)
        except RequestValidationError as error:
            raise in_form_words(error) from error


def in_form_words(error: RequestValidationError) -> RequestValidationError:
    """The same error, naming the form's fields instead of the command line's options."""
    text, name, remedy = (as_fields(words) for words in (str(error), error.field, error.remedy))
    return RequestValidationError(text, name, error.value, remedy)


def read_fields(fields: Mapping[str, Sequence[str]], extra: Sequence[str] = ()) -> FormRequest:
    """The fields of a form, each known and of the right kind. Raises RefusalError (422)."""
    kinds = {group: _kinds(group) for group in _GROUPS}
    own = {**dict.fromkeys((*OWN, *extra), str), **dict.fromkeys(_REPEATED, list[str])}
    values = read_texts(fields, {**own, **{name: hint for group in kinds.values() for name, hint in group.items()}})
    music, context, settings, reading, additions = (
        group(**{name: value for name, value in values.items() if name in kinds[group]}) for group in _GROUPS
    )
    tracks, regions = (tuple(values.pop(name, ())) for name in _REPEATED)
    told = {name: value for name, value in values.items() if name in own}
    return FormRequest(told, tracks, regions, music, context, settings, reading, additions)


def read_texts(fields: Mapping[str, Sequence[str]], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a form's strings stand for, as `kinds` types them. Raises RefusalError (422)."""
    for name, texts in fields.items():
        if name not in kinds:
            raise RefusalError(422, f"{name[:80]} is not a known field; {nearest(name, kinds)}", field=name[:80])
        if name != "request" and max(map(len, texts)) > LONGEST_FIELD:
            raise RefusalError(422, f"{name} is longer than {LONGEST_FIELD} characters; shorten it", field=name)
    return {name: _value(name, texts, kinds[name]) for name, texts in fields.items()}


def _kinds(group: type) -> dict[str, Any]:
    """{field: type} of a group of options; settings as the library types them."""
    if group is Settings:
        hints = get_type_hints(InferenceConfig)
        names = [option.name for option in dataclasses.fields(group)]
        return {name: list[str] if name in LIMITED else hints[name] for name in names}
    return get_type_hints(group)


def _value(name: str, texts: Sequence[str], hint: Any) -> Any:
    """A field's value, of the kind its type says; of several single values the last. Raises RefusalError (422)."""
    if name in RANGED:
        return _range(name, "..".join(texts))
    if get_origin(hint) is list:
        return [word for text in texts for word in (text.split(",") if name == "novelty_against" else [text])]
    kinds = [kind for kind in (get_args(hint) or (hint,)) if kind is not type(None)]
    return _READERS[kinds[0]](name, texts[-1].strip())


def _flag(name: str, text: str) -> bool:
    if text.lower() not in (*_YES, *_NO):
        raise RefusalError(422, f"{name} = {text[:80]!r} is neither true nor false", field=name)
    return text.lower() in _YES


def _whole(name: str, text: str) -> int:
    if text == "auto" and name in ("model_dim", "bars_per_step", "tracks_per_step"):
        return 0
    try:
        if len(text) > MOST_DIGITS or "_" in text:
            raise ValueError
        return int(text)
    except ValueError:
        raise RefusalError(422, f"{name} = {text[:80]!r} is not a whole number", field=name) from None


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError
        return number
    except ValueError:
        raise RefusalError(422, f"{name} = {text[:80]!r} is not a number", field=name) from None


def _range(name: str, text: str) -> list[float]:
    shares = share_range(text)
    if shares is None:
        raise RefusalError(422, f"{name} = {text[:80]!r} is not a range; write 0.2..0.6", field=name)
    return shares


_READERS: Mapping[Any, Any] = {bool: _flag, int: _whole, float: _number, str: lambda name, text: text}


def schema() -> dict[str, Any]:
    """The form as an OpenAPI schema. `x-section` is where a field stands in the command's help, and in the studio."""
    rows = text_rows({"file": ("Song", "The .mid file."), **OWN})
    rows["file"]["format"] = "binary"
    for name in _REPEATED:
        rows[name] |= {"type": "array", "items": {"type": "string"}}
    rows["plan_only"]["type"] = "boolean"
    for group in _GROUPS:
        rows |= rows_of(group)
    for name, examples in EXAMPLES.items():
        rows[name].get("items", rows[name])["examples"] = list(dict.fromkeys(examples))
    return {
        "title": "InfillForm",
        "type": "object",
        "required": ["file"],
        "properties": rows,
        "additionalProperties": False,
    }


def text_rows(fields: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Fields that are text as OpenAPI properties; `fields` holds {name: (label, meaning)}."""
    return {name: {"type": "string", "title": label, "description": text} for name, (label, text) in fields.items()}


def rows_of(group: type) -> dict[str, Any]:
    """The fields of a group of options as OpenAPI properties."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    rows: dict[str, Any] = {}
    for name, hint in _kinds(group).items():
        inner = next(kind for kind in (get_args(hint) or (hint,)) if kind is not type(None))
        single = {"type": "string" if name in RANGED else kinds[inner]}
        several = get_origin(hint) is list and name not in RANGED
        rows[name] = {"type": "array", "items": single} if several else single
        rows[name] |= _texts(group, name) | _default(group, name)
        if group is Settings and name not in LIMITED and name not in RANGED:
            rows[name].get("items", rows[name]).update(_range_of(_setting(name).metadata))
    return rows


def _setting(name: str) -> dataclasses.Field[Any]:
    return next(row for row in dataclasses.fields(InferenceConfig) if row.name == name)


def _default(group: type, name: str) -> dict[str, Any]:
    """The default of a field that has one."""
    row = _setting(name) if group is Settings else next(row for row in dataclasses.fields(group) if row.name == name)
    return {} if row.default in (None, dataclasses.MISSING) or name in LIMITED else {"default": row.default}


def _range_of(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The choices or the range of a setting."""
    if meta.get("choices"):
        return {"enum": list(meta["choices"])}
    ends = {
        "exclusiveMinimum" if meta.get("open_low") else "minimum": meta.get("low"),
        "exclusiveMaximum" if meta.get("open_high") else "maximum": meta.get("high"),
    }
    return {word: end for word, end in ends.items() if end is not None}


def _texts(group: type, name: str) -> dict[str, str]:
    """The label, meaning and section of a field."""
    hint = get_type_hints(group, include_extras=True)[name]
    option = next(extra for extra in hint.__metadata__ if hasattr(extra, "help"))
    if group is Settings:
        label, text = _setting(name).metadata["label"], as_sentence(_setting(name).metadata)
    else:
        label, text = option.label, f"{option.metavar}: {option.help}" if option.metavar else option.help
    return {"title": label, "description": as_fields(text), "x-section": option.rich_help_panel}
