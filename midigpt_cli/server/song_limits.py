"""How large a song may be, so that no single request can take the memory of all."""

from __future__ import annotations

from midigpt_cli.server.http_errors import RefusalError
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_core.midi_file import ReadLimits
from midigpt_core.request import GenerationRequest
from midigpt_core.score import Score

TAKES_OF_LARGEST = 4  # an answer may hold this many times the notes of the largest song


def read_limits(settings: ServerSettings) -> ReadLimits:
    """How far a .mid file is read before it is refused."""
    return ReadLimits(
        settings.max_notes, settings.max_tracks, settings.max_bars, settings.max_tracks * settings.max_bars
    )


def check_song(score: Score, takes: int, settings: ServerSettings) -> None:
    """Refuse a song, or an answer made of several takes of it, that is too large. Raises RefusalError (413)."""
    notes = sum(bar.n_notes for track in score.tracks for bar in track.bars)
    sizes = (
        ("tracks", len(score.tracks), settings.max_tracks),
        ("bars", score.n_bars, settings.max_bars),
        ("notes", notes, settings.max_notes),
    )
    for what, found, most in sizes:
        if found > most:
            raise RefusalError(
                413, f"the song has {found} {what}; this server takes {most} (max_{what})", field="score"
            )
    if notes * takes > TAKES_OF_LARGEST * settings.max_notes:
        most = max(1, TAKES_OF_LARGEST * settings.max_notes // notes)
        raise RefusalError(
            413,
            f"{takes} takes of {notes} notes are more than one answer may hold; ask for {most} (config.num_candidates)",
            field="config.num_candidates",
        )


def check_parts(count: int, settings: ServerSettings) -> None:
    """Refuse a jam of more parts than a song may have tracks. Raises RefusalError (413)."""
    if count > settings.max_tracks:
        raise RefusalError(
            413, f"the jam has {count} parts; this server takes {settings.max_tracks} (max_tracks)", field="tracks"
        )


def check_lanes(request: GenerationRequest, settings: ServerSettings) -> None:
    """Refuse more takes times tries than one caller may have written at once. Raises RefusalError (422)."""
    tries = request.config.control_tries
    if not any(prompt.attributes or prompt.bar_attributes for prompt in request.tracks):
        tries = 1  # without values to come near to, a step is written once
    lanes = request.config.num_candidates * tries
    if lanes > settings.max_request_lanes:
        raise RefusalError(
            422,
            f"{request.config.num_candidates} takes of {tries} tries are {lanes} lanes; this server takes "
            f"{settings.max_request_lanes} in one request (max_request_lanes): lower config.control_tries",
            field="config.control_tries",
        )
