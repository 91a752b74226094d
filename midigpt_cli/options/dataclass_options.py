"""Turn dataclasses into command-line options; those of InferenceConfig are read from its own fields."""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, get_origin, get_type_hints

import typer

from midigpt_cli.parse.numbers import count, share_range
from midigpt_core.fields import refused
from midigpt_core.request import InferenceConfig

READ, PLAN, SAMPLE, CHECK, MUSIC, MODEL, OUTPUT = (
    "Reading the song",
    "Planning",
    "Sampling",
    "Checks and retries",
    "Musical controls",
    "Model",
    "Output",
)


def labelled(label: str, option: Any) -> Any:
    """An option of typer that carries the label by which people know it: a few words, shown by the studio."""
    option.label = label
    return option


def command_of(group: type) -> Callable[[Callable[[Any], None]], Callable[..., None]]:
    """Turn `command(group)` into a function with one parameter per field of the group and of the groups in it."""
    parameters = list(_parameters(group))

    def decorate(command: Callable[[Any], None]) -> Callable[..., None]:
        def run(**values: Any) -> None:
            command(_filled(group, values))

        run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def _parameters(group: Any) -> Any:
    hints = get_type_hints(group, include_extras=True)
    for option in dataclasses.fields(group):
        hint = hints[option.name]
        if dataclasses.is_dataclass(hint):
            yield from _parameters(hint)
            continue
        default: Any = inspect.Parameter.empty
        if option.default is not dataclasses.MISSING:
            default = option.default
        elif option.default_factory is not dataclasses.MISSING:
            default = option.default_factory()
        yield inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def _filled(group: Any, values: Mapping[str, Any]) -> Any:
    hints = get_type_hints(group, include_extras=True)
    found = {}
    for option in dataclasses.fields(group):
        hint = hints[option.name]
        found[option.name] = _filled(hint, values) if dataclasses.is_dataclass(hint) else _plain(values[option.name])
    return group(**found)


def _plain(value: Any) -> Any:
    """Words rather than members of an Enum."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, enum.Enum) else value


# ---- the settings of InferenceConfig: default, range and meaning come from its fields ----


@dataclass(frozen=True)
class _Shown:
    """How one field of InferenceConfig appears on the command line."""

    panel: str
    names: tuple[str, ...] = ()  # instead of the field's own name
    auto: bool = False  # "auto" stands for 0
    limited: bool = False  # also for some tracks or bars: [TRACK/][BARS:]COUNT, repeatable
    ranged: bool = False  # two numbers in one word: LOW..HIGH


_SETTINGS: Mapping[str, _Shown] = {
    "model_dim": _Shown(PLAN, ("--model-dim", "--window"), auto=True),
    "bars_per_step": _Shown(PLAN, auto=True),
    "tracks_per_step": _Shown(PLAN, auto=True),
    "ar_overlap": _Shown(PLAN),
    "min_overlap_bars": _Shown(PLAN),
    "mask_mode": _Shown(PLAN),
    "context": _Shown(PLAN),
    "budget_margin": _Shown(PLAN),
    "infill_probability": _Shown(PLAN),
    "passes": _Shown(PLAN),
    "rounds": _Shown(PLAN),
    "shuffle": _Shown(PLAN),
    "seed": _Shown(SAMPLE, ("--seed", "-s")),
    "num_candidates": _Shown(SAMPLE, ("--takes", "-n", "--num-candidates")),
    "temperature": _Shown(SAMPLE, ("--temperature", "-T")),
    "top_k": _Shown(SAMPLE),
    "top_p": _Shown(SAMPLE),
    "mask_k": _Shown(SAMPLE),
    "mask_p": _Shown(SAMPLE),
    "no_repeat_ngram": _Shown(SAMPLE, ("--no-repeat", "--no-repeat-ngram"), limited=True),
    "echo": _Shown(SAMPLE),
    "harmony": _Shown(SAMPLE),
    "guidance": _Shown(SAMPLE),
    "attribute_source": _Shown(SAMPLE),
    "polyphony_hard_limit": _Shown(SAMPLE, ("--max-polyphony", "--polyphony-hard-limit"), limited=True),
    "density_hard_limit": _Shown(SAMPLE, ("--max-density", "--density-hard-limit"), limited=True),
    "pool": _Shown(CHECK),
    "control_tries": _Shown(CHECK),
    "distance": _Shown(CHECK, ranged=True),
    "voice_leading": _Shown(CHECK),
    "playable": _Shown(CHECK),
    "max_attempts": _Shown(CHECK),
    "temperature_escalation": _Shown(CHECK),
    "silence_check": _Shown(CHECK),
    "retry_stuck": _Shown(CHECK),
    "retry_unchanged": _Shown(CHECK),
    "novelty_check": _Shown(CHECK, ("--novelty/--no-novelty", "--novelty-check/--no-novelty-check")),
    "novelty_threshold": _Shown(CHECK),
    "novelty_against": _Shown(CHECK),
}
LIMITED = frozenset(name for name, shown in _SETTINGS.items() if shown.limited)
RANGED = frozenset(name for name, shown in _SETTINGS.items() if shown.ranged)
_KINDS: Mapping[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "list[str]": list[str],
    "list[float]": float,
}


def _setting(option: dataclasses.Field[Any]) -> tuple[str, Any, Any]:
    """(name, annotation, default) of one setting; None, or an empty list, is what an option not given comes to."""
    shown, kind, meta = _SETTINGS[option.name], _KINDS[str(option.type)], option.metadata
    default = option.default if option.default is not dataclasses.MISSING else None
    usual = "auto" if shown.auto and default == 0 else str(default).lower()
    extra: dict[str, Any] = {"rich_help_panel": shown.panel, "show_default": False}
    extra["help"] = as_sentence(meta) + (f" Default: {usual}." if default is not None else "")
    if kind is bool and shown.names == ():
        plain = option.name.replace("_", "-")
        extra["param_decls"] = (f"--{plain}/--no-{plain}",)
    if meta.get("choices"):
        word = enum.Enum(option.name, {choice: choice for choice in meta["choices"]})  # type: ignore[misc]
        kind = list[word] if kind == list[str] else word
    elif shown.limited:
        kind, extra["metavar"] = list[str], "[TRACK/][BARS:]COUNT"
    elif shown.auto:
        extra |= {"parser": _auto_or_count, "metavar": "COUNT|auto"}
    elif shown.ranged:
        extra |= {"parser": _low_to_high, "metavar": "LOW..HIGH"}
    elif kind in (int, float):
        extra |= {"min": meta["low"], "max": meta["high"]}
    names = extra.pop("param_decls", shown.names)
    annotation = kind if get_origin(kind) is list else kind | None
    return option.name, Annotated[annotation, typer.Option(*names, **extra)], [] if get_origin(kind) is list else None


def option_of(setting: str) -> str:
    """What a field of InferenceConfig is called on the command line."""
    names = _SETTINGS[setting].names if setting in _SETTINGS else ()
    return names[0].partition("/")[0] if names else f"--{setting.replace('_', '-')}"


def as_sentence(meta: Mapping[str, Any]) -> str:
    """The help of a setting, with a capital and a full stop."""
    text: str = meta["help"]
    return text[0].upper() + text[1:] + "."


def _auto_or_count(word: str) -> int:
    if word == "auto":
        return 0
    number = count(word)
    if number is None:
        raise typer.BadParameter(f"{word!r} is neither a count nor auto")
    return number


def _low_to_high(word: str) -> list[float]:
    shares = share_range(word)
    if shares is None:
        raise typer.BadParameter(f"{word!r} is not a range; write 0.2..0.6")
    return shares


def _settings_group() -> type:
    rows = []
    for option in dataclasses.fields(InferenceConfig):
        if option.name in _SETTINGS:
            name, annotation, default = _setting(option)
            made = field(default_factory=list) if default == [] else field(default=default)
            rows.append((name, annotation, made))
    order = list(_SETTINGS)
    rows.sort(key=lambda row: order.index(row[0]))
    return dataclasses.make_dataclass("Settings", rows, frozen=True)


if TYPE_CHECKING:
    Settings = InferenceConfig  # with None where an option was not given
else:
    Settings = _settings_group()


def given(settings: Any) -> dict[str, Any]:
    """The fields of InferenceConfig that were set on the command line, for all tracks and bars alike."""
    values = {option.name: getattr(settings, option.name) for option in dataclasses.fields(settings)}
    found = {name: value for name, value in values.items() if value is not None and value != []}
    return {name: _for_all(name, value) if name in LIMITED else value for name, value in found.items()}


def _for_all(name: str, texts: Sequence[str]) -> int:
    """The last of the values of a setting, none of which may be for some tracks or bars alone."""
    number = next((count(text) for text in texts if count(text) is None), count(texts[-1]))
    if number is None:
        text = next(text for text in texts if count(text) is None)
        raise refused(option_of(name), text, "is not a whole number", "use one from 0")
    return number
