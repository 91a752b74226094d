"""`info` and `infill` of four bars in the largest files there can be: python -m benchmarks.large_files [--rounds 1].

Each command is a process of its own. Processor time and peak memory are told; wall time depends on who else works.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measure import machine, spread, table

TABLE = Path(__file__).parent / "results" / "large_files.md"
END = b"\0\xff\x2f\0"


def number(value: int) -> bytes:
    """A variable-length number below 2^14."""
    return bytes((value & 0x7F,)) if value < 0x80 else bytes((value >> 7 | 0x80, value & 0x7F))


def midi(tracks: Sequence[bytes]) -> bytes:
    """A file of these track bodies, 480 ticks to the quarter."""
    header = b"MThd\0\0\0\6\0\1" + len(tracks).to_bytes(2, "big") + (480).to_bytes(2, "big")
    return header + b"".join(b"MTrk" + len(body).to_bytes(4, "big") + body for body in tracks)


def million_notes() -> bytes:
    """One track, a note every tick."""
    return midi([b"\0\x90\x3c\x40\1\x3c\0" + bytes((0, 60, 64, 1, 60, 0)) * 999_999 + END])


def million_notes_on_16_channels() -> bytes:
    """One chunk of 16 parts."""
    body = bytearray()
    for i in range(62_500):
        pitch = 40 + i * 7 % 60
        body += b"".join(bytes((0, 0x90 | channel, pitch, 64)) for channel in range(16))
        body += b"".join(bytes((4 * (channel == 0), 0x80 | channel, pitch, 64)) for channel in range(16))
    return midi([bytes(body) + END])


def most_tracks() -> bytes:
    """65,535 tracks of 15 bars with a note each: 983,025 bars and notes."""
    note = b"\x90\x3c\x40" + number(10) + b"\x80\x3c\x40"
    return midi([b"\0" + note + (number(1910) + note) * 14 + END] * 65_535)


def most_tracks_one_bar() -> bytes:
    """65,535 tracks of a note each, the last of which plays in bar 8 too."""
    note = b"\x90\x3c\x40" + number(10) + b"\x80\x3c\x40"
    late = b"\0" + note + number(1910 + 6 * 1920) + note
    return midi([b"\0" + note + END] * 65_534 + [late + END])


FILES: dict[str, Callable[[], bytes]] = {
    "a million notes in one track": million_notes,
    "a million notes on 16 channels of one track": million_notes_on_16_channels,
    "65,535 tracks, nearly all of one note": most_tracks_one_bar,
    "65,535 tracks of 15 bars": most_tracks,
}
COMMANDS = {
    "info": lambda song, out: ["info", song],
    "infill, 4 bars": lambda song, out: ["infill", song, "--bars", "5-8", "--track", "1", "--seed", "1", "-o", out],
}


def run(arguments: list[str]) -> tuple[float, float]:
    """Processor seconds and peak MB of one command."""
    environment = {**os.environ, "MIDIGPT_HISTORY": "off", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "midigpt_cli.main", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"exit {process.returncode}: {arguments}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    rounds, load, rows = parser.parse_args().rounds, os.getloadavg()[0], []
    with tempfile.TemporaryDirectory() as folder:
        for name, made in FILES.items():
            song, out = Path(folder) / "song.mid", Path(folder) / "out.mid"
            song.write_bytes(made())
            for what, arguments in COMMANDS.items():
                took = []
                for _ in range(rounds):
                    out.unlink(missing_ok=True)
                    took.append(run(arguments(str(song), str(out))))
                seconds, peaks = zip(*took, strict=True)
                rows.append((name, what, spread(seconds), spread(peaks, 0)))
    head = ("file", "command", "processor time, s", "peak memory, MB")
    about = f"{machine()}; load average {load:.1f} at the start, {rounds} rounds, medians (quartiles)."
    text = f"# The largest files\n\nWritten by `python -m benchmarks.large_files`. {about}\n\n{table(head, rows)}\n"
    TABLE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
