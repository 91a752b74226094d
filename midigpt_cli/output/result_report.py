"""What a command says of a finished song: a dict for --json, a table and a picture for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from midigpt_cli.output.destination import PIPE
from midigpt_cli.parse.selectors import describe_bars, describe_track, describe_tracks
from midigpt_core.generation.distance_from_original import stray
from midigpt_core.music import pitch_name
from midigpt_core.request import GenerationRequest
from midigpt_core.score import Score, Track

if TYPE_CHECKING:
    from rich.console import Console

    from midigpt_core.generation.run import Result
    from midigpt_core.generation.take import Take
    from midigpt_core.voices.remarks import Remark

MOST_REMARKS = 8  # in a line


@dataclass(frozen=True)
class Done:
    """One finished song."""

    song: str
    before: Score
    request: GenerationRequest
    result: Result
    paths: Mapping[int, str]  # take, from 1 -> file
    rendered: Sequence[str]  # sound files and pictures beside them
    seconds: float

    def facts(self) -> dict[str, Any]:
        """The JSON form. Tracks and bars count from 0, as in requests; takes and ranks from 1."""
        result = self.result
        ranks = {id(take): rank for rank, take in enumerate(result.ranked, 1)}
        takes = [
            {
                "take": number,
                "rank": ranks[id(take)],
                "seed": take.seed,
                "path": self.paths.get(number),
                "consensus": take.consensus,
                "distance": take.distance,
                "remarks": [asdict(remark) for remark in take.remarks],
                "logprob": take.logprob,
                "tokens": take.tokens,
                "attempts": take.attempts,
                "rejected": list(take.rejected),
                "accepted": take.accepted,
                "truncated": take.truncated,
            }
            for number, take in enumerate(result.takes, 1)
        ]
        tokens = sum(take.tokens for take in result.takes)
        timing = {**asdict(result.timing), "total_s": self.seconds}
        timing["tokens_per_s"] = tokens / result.timing.model_forward_s if result.timing.model_forward_s else 0.0
        return {
            "song": self.song,
            "ok": True,
            "outputs": list(self.paths.values()),
            **({"rendered": list(self.rendered)} if self.rendered else {}),
            "seed": result.seed,
            "takes": takes,
            "generated": [list(cell) for cell in result.generated],
            "dropped_context": list(result.dropped_context),
            "steps": [
                {"window": [s.start_bar, s.end_bar], "autoregressive": s.autoregressive, "bars": sorted(s.cells)}
                for s in result.steps
            ],
            "prompt_tokens": result.prompt_tokens,
            "timing": timing,
            "request": self.asked,
        }

    @cached_property
    def asked(self) -> dict[str, Any]:
        """The JSON form of the request, with the seed that was drawn."""
        config = replace(self.request.config, seed=self.result.seed)
        return replace(self.request, config=config).to_dict()

    def lines(self) -> list[str]:
        """One line per take, the best first: where it is, its seed, how much the other candidates agree with it."""
        numbers = {id(take): number for number, take in enumerate(self.result.takes, 1)}
        lines = []
        for rank, take in enumerate(self.result.ranked, 1):
            number = numbers[id(take)]
            place = self.paths.get(number)
            song = "standard input" if self.song == PIPE else self.song
            file = "standard output" if place == PIPE else place
            where = f"{song} -> {file}" if place else f"{song}: take {number} not written"
            of_many = f"{rank}. " if len(numbers) > 1 else ""
            fault = "" if take.accepted else f"; rejected: {take.rejected[-1]}"
            cut = "; cut off where the model's context was full" if take.truncated else ""
            lines.append(
                f"{of_many}{where} (seed {take.seed}, consensus {take.consensus:.2f}{self._distance(take)}{fault}{cut})"
            )
            if take.remarks:
                lines.append(_remarks(take.remarks))
        if len(numbers) > 1:
            lines.append(self._best(numbers))
        if self.result.dropped_context:
            names = describe_tracks(self.result.dropped_context, self.before)
            where = " in some steps" if len(self.result.steps) > 1 else ""
            lines.append(f"not heard{where}, for want of room in the model's context: {names}")
        return lines

    def _distance(self, take: Take) -> str:
        """How far a take is from what stood there, where that is asked for."""
        config = self.request.config
        if not config.distance:
            return ""
        low, high = config.distance
        far = f"; none came within {low:g} to {high:g}, this is the nearest" if stray(take.distance, config) else ""
        return f", distance {take.distance:.2f}{far}"

    def _best(self, numbers: Mapping[int, int]) -> str:
        """Which take is the best, and why; or what was kept, where somebody chose another after hearing them."""
        best, second = self.result.ranked[:2]
        if numbers[id(best)] not in self.paths:
            return f"kept: {'take ' + str(*self.paths) if self.paths else 'the original'}, as you chose"
        name = f"best: take {numbers[id(best)]}"
        if not best.accepted:
            return f"{name}, but all were rejected"
        if not second.accepted:
            return f"{name}, the only one that was not rejected"
        return f"{name}, with which the others agree most ({best.consensus:.2f}, the next {second.consensus:.2f})"

    def show(self, console: Console) -> None:
        """A table of what changed in the best take that was written, and its picture."""
        from rich import box
        from rich.table import Table

        from midigpt_cli.output.terminal_roll import picture

        written = {id(take) for number, take in enumerate(self.result.takes, 1) if number in self.paths}
        after = next((take for take in self.result.ranked if id(take) in written), self.result.ranked[0]).score
        table = Table("track", "bars", "notes before", "notes now", "pitches", box=box.SIMPLE_HEAD)
        for number in sorted({track for track, _ in self.result.generated}):
            bars = sorted(bar for track, bar in self.result.generated if track == number)
            old, new = (_notes(score.tracks[number], bars) for score in (self.before, after))
            span = f"{pitch_name(min(new))} to {pitch_name(max(new))}" if new else ""
            drums = after.tracks[number].track_type == "drum"
            table.add_row(
                describe_track(number, after), describe_bars(bars), str(len(old)), str(len(new)), "" if drums else span
            )
        console.print(table)
        colours = bool(console.color_system) and not console.no_color
        console.print(picture(self.before, after, self.result.generated, console.width, colours))


def _remarks(remarks: Sequence[Remark]) -> str:
    """What is left to remark on in a take, in a line."""
    more = len(remarks) - MOST_REMARKS
    return (
        "  " + "; ".join(remark.text for remark in remarks[:MOST_REMARKS]) + (f"; and {more} more" if more > 0 else "")
    )


def _notes(track: Track, bars: list[int]) -> list[int]:
    return [note.pitch for bar in bars if bar < len(track.bars) for note in track.bars[bar].notes]
