"""The options that say what is written, and how: `infill` writes it, `plan` shows the steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from midigpt_cli.options import completion
from midigpt_cli.options.dataclass_options import Settings
from midigpt_cli.options.music_options import Music
from midigpt_cli.options.shared_options import Context, Presets
from midigpt_cli.parse.additions import Additions
from midigpt_cli.parse.regions import REGION_HELP, tracks_in
from midigpt_cli.parse.selectors import BEATS_HELP, SOUNDING, TRACK_HELP, WHERE_HELP
from midigpt_cli.parse.song_reading import Reading
from midigpt_core.fields import refused

if TYPE_CHECKING:
    from midigpt_core.attributes.attribute_table import AttributeTable
    from midigpt_core.request import GenerationRequest
    from midigpt_core.score import Score


def track_option(default: str = SOUNDING) -> Any:
    """--track of every command, with the tracks that are meant where none is named."""
    return typer.Option("--track", "-t", help=TRACK_HELP, show_default=default, autocompletion=completion.tracks)


@dataclass(frozen=True, kw_only=True)
class WhatToWrite:
    """Bars and tracks of a song, and how they are written."""

    bars: Annotated[str | None, typer.Option("--bars", "-b", help=BEATS_HELP)] = None
    where: Annotated[str | None, typer.Option(help=WHERE_HELP)] = None
    track: Annotated[list[str], track_option()] = field(default_factory=list)
    region: Annotated[list[str], typer.Option(metavar="TRACK/BARS", help=REGION_HELP)] = field(default_factory=list)
    reading: Reading
    additions: Additions
    presets: Presets
    music: Music
    context: Context
    settings: Settings

    def check(self) -> None:
        """Raises RequestValidationError where no bars are named."""
        if self.bars is None and self.where is None and (self.track or not self.region):
            raise refused("--bars", None, "is missing", "name the bars to write, such as --bars 4-8")

    def prepared(self, score: Score) -> Score:
        """The score with the silent tracks that are named, and with new tracks and bars."""
        from midigpt_cli.parse.additions import with_additions
        from midigpt_cli.parse.named_silent_tracks import with_silent

        return with_additions(with_silent(score, [*self.track, *tracks_in(self.region)]), self.additions)

    def request(self, score: Score, table: AttributeTable, autoregressive: bool = False) -> GenerationRequest:
        """The request for a prepared score. Raises RequestValidationError naming the option."""
        from midigpt_cli.parse.additions import added_tracks
        from midigpt_cli.parse.build_request import RequestOptions, build_request
        from midigpt_cli.parse.prompt_options import tracks_named
        from midigpt_cli.parse.regions import places_said, with_regions
        from midigpt_cli.parse.selectors import tracks_to_write

        places = places_said(self.bars, self.where, self.region, score)
        tracks = () if self.track else added_tracks(score, self.additions) or tracks_named(self.music.prompt, score)
        tracks = tracks or tracks_to_write(self.track, score, places.bars)
        targets = with_regions(places.by_track(tracks, score), self.region, score)
        spans = dict(places.spans)
        chosen = RequestOptions(targets, self.music, self.context, self.settings, spans, autoregressive)
        return build_request(chosen, score, table)
