"""--region TRACK/BARS: several regions in one request, on the command line and over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from midigpt_cli.parse.regions import places_said, with_regions
from midigpt_core.errors import RequestValidationError
from midigpt_core.score import Score

POP = Score.from_midi(str(Path(__file__).parents[2] / "samples" / "pop.mid"))


def test_regions_add_to_what_bars_and_tracks_say():
    assert with_regions({0: (1,)}, ["bass/3-4", "drums/7", "1/2,9"], POP) == {0: [1, 8], 2: [2, 3], 4: [6]}


def test_regions_alone_leave_no_other_track():
    places = places_said(None, None, ["bass/3"], POP)
    assert with_regions(places.by_track([0, 1], POP), ["bass/3"], POP) == {2: [2]}


def test_region_takes_what_bars_takes():
    assert with_regions({}, ["melodic/-2-"], POP) == {track: [14, 15] for track in range(4)}
    assert with_regions({}, ["strings/1-16 where silent"], POP) == {3: list(range(8))}


@pytest.mark.parametrize(
    ("region", "says"),
    [
        ("bass", "not TRACK/BARS"),
        ("/5", "not TRACK/BARS"),
        ("tuba/5", "not a track"),
        ("bass/90", "bar 90"),
        ("bass/5.3", "part"),
    ],
)
def test_region_that_cannot_be_is_a_sentence(region, says):
    with pytest.raises(RequestValidationError, match=says):
        with_regions({}, [region], POP)


def test_parts_of_bars_and_regions_do_not_go_together():
    with pytest.raises(RequestValidationError, match="parts of bars"):
        places_said("5.3-6.2", None, ["bass/3"], POP)
