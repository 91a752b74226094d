"""`midigpt studio`: the server, and a browser on its page."""

from __future__ import annotations

import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from midigpt_cli.commands.serve import Listening, Serve, Served, application
from midigpt_cli.options.dataclass_options import command_of
from midigpt_cli.parse.song_reading import AS_IT_IS, read_as_told
from midigpt_cli.server.server_settings import reached_at

LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Studio:
    """Everything `studio` may be told."""

    served: Served
    song: Annotated[str | None, typer.Argument(metavar="[SONG]", help="A MIDI file to open.")] = None
    port: Annotated[int, typer.Option(help="TCP port; the browser stores songs per port.", min=0, max=65535)] = 8000
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser, or only print its address.")
    ] = True


@command_of(Studio)
def studio(options: Studio) -> None:
    """Open the studio in a browser: drop a song on it, choose bars, hear takes, keep one, download the file.

    Only this machine can reach it. midigpt serve offers the same page at /studio, with access options.

    midigpt studio song.mid
    """
    song = None if options.song is None else _read(options.song)
    app, settings = application(Serve(options.served, Listening(port=options.port)))
    from midigpt_cli.server.lifecycle import serve
    from midigpt_cli.server.state import OpenedSong

    app.state.midigpt.opened = song and OpenedSong(*song)
    serve(app, settings, lambda server: _welcome(server, settings.host, options.browser))


def _read(song: str) -> tuple[str, bytes]:
    """Name and bytes of a file that can be read as a song. Raises MidiFileError."""
    read_as_told(song, AS_IT_IS)
    return Path(song).name, Path(song).read_bytes()


def _welcome(server: Any, host: str, browser: bool) -> None:
    """Once the server listens, say where, and open the page."""
    while not server.started:
        time.sleep(LOOK_SECONDS)
    url = address(host, server.servers[0].sockets[0].getsockname()[1])
    typer.echo(f"the studio is open at {url} (Ctrl-C closes it)", err=True)
    if browser:
        webbrowser.open(url)


def address(host: str, port: int) -> str:
    """Where a browser on this machine finds the page."""
    return f"http://{reached_at(host)}:{port}/studio"
