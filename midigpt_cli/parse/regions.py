"""Read regions such as "bass/9-12": bars of one track or one kind of tracks, beside what --bars and --track say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from midigpt_cli.parse.selectors import select_tracks
from midigpt_cli.parse.where_to_write import Selection, select_places
from midigpt_core.fields import refused
from midigpt_core.score import Score

REGION_HELP = "Bars of one track, such as bass/9-12, with or without --bars and --track (repeatable)."


def tracks_in(regions: Iterable[str]) -> list[str]:
    """The selectors of the tracks that regions name."""
    return [region.partition("/")[0].strip() for region in regions]


def with_regions(
    targets: Mapping[int, Sequence[int]], regions: Sequence[str], score: Score, option: str = "--region"
) -> dict[int, Sequence[int]]:
    """The bars to write by track, with those of the regions. Raises RequestValidationError."""
    found = {number: set(bars) for number, bars in targets.items() if bars}
    for region, track in zip(regions, tracks_in(regions), strict=True):
        bars = region.partition("/")[2].strip()
        if not track or not bars:
            raise refused(option, region, "is not TRACK/BARS", "write bass/9-12, or all/9-12")
        places = select_places(bars, score, option)
        if places.spans:
            raise refused(option, region, "names a part of a bar", "name whole bars; parts are for --bars")
        for number, there in places.by_track(select_tracks([track], score, option), score, option).items():
            found.setdefault(number, set()).update(there)
    return {number: sorted(bars) for number, bars in found.items()}


def places_said(
    bars: str | None, where: str | None, regions: Sequence[str], score: Score, dashes: str = "--"
) -> Selection:
    """What --bars and --where say; nothing where regions say it all. Raises RequestValidationError."""
    if bars is None and where is None:
        return Selection(())
    places = select_places(bars or "all", score, f"{dashes}bars", where)
    if regions and places.spans:  # those are the same for all tracks
        raise refused(
            f"{dashes}region", regions[0], "cannot be combined with parts of bars", "name whole bars in --bars"
        )
    return places
