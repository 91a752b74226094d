"""One OSC session: messages in, answers out, whatever carries them."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from midigpt_cli.osc.params import OscParams, coerced
from midigpt_cli.osc.piece import DRUM_TRACK, OscPart, OscPiece, features
from midigpt_cli.osc.write_bars import Order, Scribe, bars_in, order_of
from midigpt_core.engine import InferenceEngine
from midigpt_core.errors import MidiGptError
from midigpt_core.fields import nearest
from midigpt_core.score import Note, Score
from midigpt_core.tokens.types import TokenType

STATE, TRACK, TWICE, PARAMETER, FAILED, NO_AGENT, TWO_AGENTS, AGENT_NOTE = range(1, 9)  # codes of /midigpt/error
ROOT = "/midigpt"
_ATTRIBUTES = ("tension", "note_density", "min_polyphony", "max_polyphony", "min_note_duration", "max_note_duration")

Say = Callable[..., object]  # (address, *arguments)
log = logging.getLogger("midigpt.osc")


class OscError(Exception):
    """A message that cannot be obeyed."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class OscSession:
    """A piece that is played bar by bar, and the part of it that is written. Messages may come from any thread."""

    def __init__(self, engine: InferenceEngine, say: Say, params: OscParams | None = None) -> None:
        self.engine, self.say = engine, say
        self.defaults = params or OscParams()
        self.params, self.once = self.defaults, dict[str, Any]()
        self.attributes: dict[str, int] = {}
        self.state, self.piece = "new", OscPiece()
        self._lock = threading.RLock()
        self._scribe = Scribe(engine, self._deliver, self._fail)
        self.calls: Mapping[str, tuple[Callable[..., None], tuple[type, ...], tuple[str, ...]]] = {
            # address -> what answers, the types of its arguments, the states it is for (none: any)
            "/session/init": (self._init, (), ()),
            "/session/start": (self._start, (), ("open",)),
            "/session/stop": (self._stop, (), ()),
            "/track/create": (self._create, (int, int, int, int), ("open", "running")),
            "/track/remove": (self._remove, (int,), ("open", "running")),
            "/track/set_ignore": (self._ignore, (int, int), ("open", "running")),
            "/track/param/set": (self._set_of_track, (int, str, object), ()),
            "/note": (self._note, (int, int, int, float, float, int), ("running",)),
            "/bar/end": (self._end_bar, (int, int, int), ("running",)),
            "/param/set": (self._set, (str, object), ()),
            "/param/set_once": (self._set_once, (str, object), ()),
            "/param/reset": (self._reset, (str,), ()),
            "/param/reset_all": (self._reset_all, (), ()),
            "/attr/set": (self._set_attribute, (str, int), ()),
            "/attr/reset_all": (self.attributes.clear, (), ()),
        }

    def hear(self, address: str, *arguments: Any) -> None:
        """Obey one message; what is wrong with it is answered as /midigpt/error."""
        try:
            call, kinds, states = self._call(address)
            given = _typed(address, arguments, kinds)
            with self._lock:
                if states and self.state not in states:
                    raise OscError(STATE, f"{address} cannot be used while the session is {self.state}")
                call(*given)
        except OscError as error:
            self._wrong(error.code, str(error))
        except MidiGptError as error:
            self._wrong(PARAMETER, str(error))

    def close(self) -> None:
        """End the writing thread."""
        self._scribe.close()

    def _call(self, address: str) -> tuple[Callable[..., None], tuple[type, ...], tuple[str, ...]]:
        name = address.removeprefix(ROOT)
        if name not in self.calls:
            known = [ROOT + other for other in self.calls]
            raise OscError(PARAMETER, f"{address} is not known; {nearest(address, known)}")
        return self.calls[name]

    def _wrong(self, code: int, sentence: str) -> None:
        log.warning("osc error", extra={"code": code, "sentence": sentence})
        self.say(f"{ROOT}/error", code, sentence)

    # ---- the session ----

    def _init(self) -> None:
        self.piece, self.state = OscPiece(), "open"
        self.params, self.once = self.defaults, {}
        tokenizer = self.engine.tokenizer
        can: dict[str, bool] = {name: name in tokenizer.attributes.names for name in _ATTRIBUTES}
        can["supports_token_mask"] = tokenizer.vocabulary.has(TokenType.MASK_BAR)
        for way in ("attention_mask", "attention_approx", "attention_skip", "remove"):
            can[f"supports_{way}"] = True
        self.say(f"{ROOT}/capabilities", json.dumps(can))
        self.say(f"{ROOT}/session/ready")

    def _start(self) -> None:
        if self.piece.agent is None:
            raise OscError(NO_AGENT, "no track belongs to the agent; send /midigpt/track/create with is_agent 1")
        if all(part.agent for part in self.piece.parts.values()):
            raise OscError(STATE, "there is no track for the player; create one beside the agent's")
        if self.params.buffer_bars > self.params.model_dim:
            raise OscError(
                PARAMETER, f"buffer_bars {self.params.buffer_bars} is above model_dim {self.params.model_dim}; lower it"
            )
        self.state = "running"
        self.say(f"{ROOT}/session/started")

    def _stop(self) -> None:
        self.state = "stopped"
        self.say(f"{ROOT}/session/stopped")

    # ---- parts ----

    def _create(self, number: int, instrument: int, kind: int, agent: int) -> None:
        if number in self.piece.parts:
            raise OscError(TWICE, f"track {number} exists already; use another number")
        if agent and self.piece.agent is not None:
            raise OscError(TWO_AGENTS, f"track {self.piece.agent} is already the agent's; there can be only one")
        if not 0 <= instrument <= 127:
            raise OscError(PARAMETER, f"instrument {instrument} is not a program number; use 0 to 127")
        self.piece.parts[number] = OscPart(instrument, kind == DRUM_TRACK, bool(agent))

    def _part(self, number: int) -> OscPart:
        if number not in self.piece.parts:
            raise OscError(TRACK, f"there is no track {number}; {nearest(str(number), self.piece.parts)}")
        return self.piece.parts[number]

    def _remove(self, number: int) -> None:
        if self._part(number).agent:
            raise OscError(STATE, "the agent's track cannot be removed as long as its session lasts")
        del self.piece.parts[number]

    def _ignore(self, number: int, ignored: int) -> None:
        self._set_of_track(number, "ignore", ignored)

    def _set_of_track(self, number: int, name: str, value: Any) -> None:
        params = self._part(number).params
        if name not in params:
            raise OscError(PARAMETER, f"{name} is not a parameter of track {number}; {nearest(name, params)}")
        params[name] = _number(name, value)

    # ---- what is played ----

    def _note(self, number: int, pitch: int, velocity: int, onset: float, duration: float, bar: int) -> None:
        if self._part(number).agent:
            raise OscError(AGENT_NOTE, f"track {number} is the agent's, which is written; the note is left out")
        if not (0 <= pitch <= 127 and 0 <= velocity <= 127 and 0 <= onset < 1 and duration >= 0 and bar >= 0):
            raise OscError(PARAMETER, "a note needs a pitch and velocity of 0 to 127 and times as shares of its bar")
        self.piece.play(number, bar, (pitch, velocity, onset, duration))

    def _end_bar(self, bar: int, numerator: int, denominator: int) -> None:
        if bar < 0 or not 0 < numerator <= 64 or denominator not in (1, 2, 4, 8, 16, 32):
            raise OscError(PARAMETER, f"bar {bar} of {numerator}/{denominator} is not valid; correct its metre")
        self.piece.end_bar(bar, (numerator, denominator))
        order = order_of(self.piece, replace(self.params, **self.once), self.attributes, self.engine)
        if order is None:
            return
        self.once = {}
        if self._scribe.put(order):
            self.say(f"{ROOT}/status", "generating")
        else:
            log.warning("bars left out: those before are still being written", extra={"bar": order.first})

    # ---- parameters ----

    def _set(self, name: str, value: Any) -> None:
        self.params = replace(self.params, **{name: coerced(name, value)})

    def _set_once(self, name: str, value: Any) -> None:
        self.once[name] = coerced(name, value)

    def _reset(self, name: str) -> None:
        if not hasattr(self.defaults, name):
            raise OscError(PARAMETER, f"{name} is not a parameter; {nearest(name, OscParams.__dataclass_fields__)}")
        self.params = replace(self.params, **{name: getattr(self.defaults, name)})
        self.once.pop(name, None)

    def _reset_all(self) -> None:
        self.params, self.once = self.defaults, {}

    def _set_attribute(self, name: str, value: int) -> None:
        known = self.engine.tokenizer.attributes.names
        if name not in known:
            raise OscError(PARAMETER, f"{name} is not an attribute of this model; {nearest(name, known)}")
        self.attributes.pop(name, None)
        if value >= 0:
            self.attributes[name] = value

    # ---- what was written, in the writing thread ----

    def _deliver(self, order: Order, score: Score) -> None:
        with self._lock:
            number = self.piece.agent
            if number is None or self.state != "running":
                return
            for bar, notes in bars_in(order, score).items():
                self.piece.parts[number].bars[bar] = notes
                self._tell_bar(number, bar, notes)
            self._tell_attributes(order, score)
            self.say(f"{ROOT}/status", "ready")

    def _tell_bar(self, number: int, bar: int, notes: Sequence[Note]) -> None:
        length, beats = self.piece.ticks(bar), self.piece.metre(bar)[0]
        self.say(f"{ROOT}/generated/open", number, bar, len(notes))
        for note in notes:
            onset, duration = note.onset_ticks / length, min(1.0, note.duration_ticks / length)
            self.say(f"{ROOT}/generated/note", number, bar, note.pitch, note.velocity, onset, duration)
        self.say(f"{ROOT}/generated/close", number, bar)
        if notes:
            self.say(f"{ROOT}/generated/features", number, bar, *features(notes, beats, length).values())

    def _tell_attributes(self, order: Order, score: Score) -> None:
        values = self.engine.tokenizer.attributes.values(score, order.agent)
        told = {name: int(level) for name, level in values.items() if name in _ATTRIBUTES}
        if told:
            report_prompt = {"start_bar": order.first, "end_bar": order.end, "attrs": told}
            self.say(f"{ROOT}/sampled/attrs", json.dumps(report_prompt))

    def _fail(self, order: Order, sentence: str) -> None:
        self._wrong(FAILED, sentence)
        self.say(f"{ROOT}/status", "ready")


def _typed(address: str, arguments: Sequence[Any], kinds: Sequence[type]) -> list[Any]:
    """The arguments a message needs, each of its type; further ones are left out. Raises OscError."""
    if len(arguments) < len(kinds):
        raise OscError(PARAMETER, f"{address} needs {len(kinds)} arguments and has {len(arguments)}")
    found = []
    for value, kind in zip(arguments, kinds, strict=False):
        try:
            found.append(value if kind is object else kind(value))
        except (TypeError, ValueError, OverflowError):
            raise OscError(PARAMETER, f"{address}: {str(value)[:40]!r} is no {kind.__name__}") from None
    return found


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise OscError(PARAMETER, f"{name}: {str(value)[:40]!r} is not a number; correct it") from None
