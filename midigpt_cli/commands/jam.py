"""`midigpt jam`: new bars without end, into a MIDI port, a file or a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from midigpt_cli.options.dataclass_options import OUTPUT, Settings, command_of
from midigpt_cli.options.music_options import Music
from midigpt_cli.options.shared_options import Context, ModelChoice, NewDrums, NewInstruments
from midigpt_cli.parse.song_reading import Reading
from midigpt_core.errors import MidiGptError
from midigpt_core.fields import refused

if TYPE_CHECKING:
    from midigpt_cli.live.jam_session import Delivery, JamSession
    from midigpt_cli.live.players import Player
    from midigpt_core.attributes.attribute_table import AttributeTable
    from midigpt_core.jam import JamSettings
    from midigpt_core.score import Score

USUAL_BARS = 16  # of a file
LOOK_SECONDS = 0.1  # keys are looked at this often
KEYS = "keys: + and - temperature, ] and [ density, q stop"
HOTTEST, COLDEST, DEGREE = 3.0, 0.1, 0.1
DENSITY = "note_density"


@dataclass(frozen=True)
class JamOptions:
    """The options of `jam`."""

    reading: Reading
    music: Music
    settings: Settings
    model: ModelChoice
    song: Annotated[
        str | None,
        typer.Argument(metavar="[SONG]", help="Song to continue from, with its tracks; - reads standard input."),
    ] = None
    instrument: NewInstruments = field(default_factory=list)
    drums: NewDrums = False
    bpm: Annotated[
        float | None,
        typer.Option(
            "--bpm", "--tempo", help="Quarter notes per minute.", min=20, max=400, show_default="the song's, or 120"
        ),
    ] = None
    metre: Annotated[
        str | None, typer.Option("--metre", "--meter", help="Time signature.", show_default="the song's last, or 4/4")
    ] = None
    bars_per_chunk: Annotated[int, typer.Option(help="Bars written at a time.", min=1)] = 1
    bars: Annotated[
        int | None,
        typer.Option(
            "--bars", "-b", help="Stop after this many bars.", min=1, show_default=f"{USUAL_BARS}; ports: without end"
        ),
    ] = None
    ahead: Annotated[int, typer.Option(help="Chunks to write ahead, at most.", min=1, max=64)] = 2
    late: Annotated[str, typer.Option(help="What to play when a chunk is late: repeat, rest or skip.")] = "repeat"
    output: Annotated[
        list[str],
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|-|port:NAME",
            help="A file, - for standard output, or a MIDI port.",
            rich_help_panel=OUTPUT,
        ),
    ] = field(default_factory=list)
    list_ports: Annotated[
        bool, typer.Option("--list-ports", help="List the MIDI ports of this machine.", rich_help_panel=OUTPUT)
    ] = False
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite a file.", rich_help_panel=OUTPUT)] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=OUTPUT)] = False


@command_of(JamOptions)
def jam(options: JamOptions) -> None:
    """Play new bars endlessly: to a MIDI port in real time, to a file or pipe as fast as they are written.

    midigpt jam --instrument "acoustic bass" --drums -o port:fluid
    """
    from midigpt_cli.live.players import port_names

    if options.list_ports:
        typer.echo("\n".join(port_names()) or "no MIDI outputs on this machine")
        return
    options = _with_words(options)
    players, session, whole = _players(options), None, False
    try:
        session = _opened(options)
        _listen(options, session, players)
        whole = True
    finally:
        if session is not None:
            session.end()
        for player in players:
            _say(options, player.finish(whole))
        if session is not None:
            session.join(5)
            _say(options, ", ".join(f"{count} chunks late: {policy}" for policy, count in session.late.items()))


def _with_words(options: JamOptions) -> JamOptions:
    """The options with what a prompt adds to them."""
    from midigpt_cli.parse.prompt_options import PromptOptions

    prompted = PromptOptions.of(options.music.prompt, options.instrument, options.drums)
    if options.song is None:
        options = replace(options, instrument=prompted.instruments, drums=prompted.drums)
    asked = replace(
        options,
        bpm=prompted.over("--bpm", options.bpm, "bpm"),
        metre=prompted.over("--metre", options.metre, "metre"),
        bars=prompted.over("--bars", options.bars, "bars"),
    )
    prompted.beside(options.music)
    for line in prompted.lines():
        _say(options, line)
    return asked


def _opened(options: JamOptions) -> JamSession:
    """The jam, already writing."""
    from midigpt_cli.live.jam_session import JamSession, Pacing
    from midigpt_cli.load_model import Model
    from midigpt_core.jam import Jam

    song = _song(options)
    model = Model(options.model)
    settings = _settings(options, song, model.controls)
    pacing = Pacing("realtime" if _live(options) else "asap", options.ahead)
    return JamSession(Jam(model.engine, settings, song), pacing)


def _live(options: JamOptions) -> bool:
    from midigpt_cli.live.players import PORT

    return any(output.startswith(PORT) for output in options.output)


def _players(options: JamOptions) -> list[Player]:
    """Where it is played to. Raises RequestValidationError, MidiGptError."""
    from midigpt_cli.live.players import PORT, FilePlayer, open_port
    from midigpt_cli.output.rendering import check_midi_name

    if not options.output:
        raise refused("--output", None, "is missing", "name a file, or a MIDI port (midigpt jam --list-ports)")
    found: list[Player] = []
    for output in options.output:
        port = output.startswith(PORT)
        if not port:
            check_midi_name("--output", output)
        found.append(open_port(output.removeprefix(PORT)) if port else FilePlayer(output, options.force))
    return found


def _song(options: JamOptions) -> Score | None:
    if options.song is None:
        if not (options.instrument or options.drums):
            raise refused("SONG", None, "is missing", "name a song, or --instrument and --drums to play from nothing")
        return None
    if options.instrument or options.drums:
        raise refused(
            "--instrument", None, "is for jams without a song", "leave it out; a song plays with its own tracks"
        )
    from midigpt_cli.output.destination import read_song

    return read_song(options.song, options.reading)


def _settings(options: JamOptions, song: Score | None, table: AttributeTable) -> JamSettings:
    from midigpt_cli.parse.build_request import RequestOptions, build_request
    from midigpt_cli.parse.instruments import program_of
    from midigpt_cli.parse.jam_messages import read_start
    from midigpt_core.jam import CONTROL_TRIES, POOL
    from midigpt_core.score import Bar, Score

    tracks: list[dict[str, Any]] = [{"instrument": program_of(name)} for name in options.instrument]
    tracks += [{"drums": True}] if options.drums else []
    said = {"tracks": tracks, "bpm": options.bpm, "metre": options.metre, "late": options.late}
    data = {key: value for key, value in said.items() if value is not None}
    settings = read_start({**data, "bars_per_chunk": options.bars_per_chunk}, song)
    page = Score([replace(part, bars=[Bar([], *settings.metre, settings.bar_quarters)]) for part in settings.tracks])
    targets = {t: [0] for t in range(len(page.tracks))}
    request = build_request(RequestOptions(targets, options.music, Context(), options.settings), page, table)
    if any(prompt.bar_attributes or prompt.bar_controls for prompt in request.tracks):
        raise refused("controls", None, "for single bars do not work in a jam", "set them for whole tracks")
    tries = CONTROL_TRIES if options.settings.control_tries is None else options.settings.control_tries
    pool = POOL if options.settings.pool is None else options.settings.pool
    return replace(
        settings,
        config=replace(request.config, control_tries=tries, pool=pool),
        attributes={prompt.id: prompt.attributes for prompt in request.tracks if prompt.attributes},
        controls={prompt.id: prompt.controls for prompt in request.tracks if prompt.controls},
    )


def _listen(options: JamOptions, session: JamSession, players: Sequence[Player]) -> None:
    """Hand every chunk to every player, and every key to the jam, until the last bar or the key q."""
    from midigpt_cli.live.keys import live_keys

    left = options.bars or (None if _live(options) else USUAL_BARS)
    with live_keys() as keys:
        if keys.there:
            _say(options, KEYS)
        while left is None or left > 0:
            given = session.wait(LOOK_SECONDS)
            if given is not None:
                given = _shortened(given, left)
                for player in players:
                    player.play(given)
                if given.chunk.index == 0:
                    _say(options, f"playing, seed {given.chunk.seed}")
                left = None if left is None else left - len(given.chunk.score.tracks[0].bars)
            elif session.ended:
                raise MidiGptError("the jam stopped with an error (see above)")
            for key in keys.pressed():
                if key == "q":
                    return
                _steer(options, session, key)


def _shortened(given: Delivery, left: int | None) -> Delivery:
    """No more bars than are wanted, and no note past the last."""
    from midigpt_core.midi_file.excerpt import closed

    score = given.chunk.score
    tracks = [closed(replace(track, bars=track.bars[:left]), score.resolution, wrap=False) for track in score.tracks]
    return replace(given, chunk=replace(given.chunk, score=replace(score, tracks=tracks)))


def _steer(options: JamOptions, session: JamSession, key: str) -> None:
    settings = session.settings
    if key in "+-":
        warmer = settings.config.temperature + (DEGREE if key == "+" else -DEGREE)
        temperature = round(min(HOTTEST, max(COLDEST, warmer)), 2)
        changed = replace(settings, config=replace(settings.config, temperature=temperature))
        words = f"temperature {temperature:g}"
    elif key in "[]":
        changed, words = _denser(session, 1 if key == "]" else -1)
    else:
        return
    _, chunk = session.update(changed)
    _say(options, f"{words} from bar {chunk * settings.bars_per_chunk + 1} on")


def _denser(session: JamSession, step: int) -> tuple[JamSettings, str]:
    """Note density one level up or down on every track the model has it for."""
    settings, control = session.settings, session.engine.tokenizer.attributes.get(DENSITY)
    if control is None:
        return settings, f"this model has no {DENSITY}; nothing changes"
    attributes = {t: dict(values) for t, values in settings.attributes.items()}
    levels = set()
    for t, part in enumerate(settings.tracks):
        if control.applies_to(part):
            now = attributes.get(t, {}).get(DENSITY, control.size // 2)
            levels.add(max(0, min(control.size - 1, now + step)))
            attributes.setdefault(t, {})[DENSITY] = max(0, min(control.size - 1, now + step))
    return replace(settings, attributes=attributes), f"density {'/'.join(map(str, sorted(levels)))}"


def _say(options: JamOptions, words: str) -> None:
    if words and not options.quiet:
        typer.echo(words, err=True)
