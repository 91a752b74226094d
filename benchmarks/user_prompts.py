"""Prompts as users of neighbouring systems write them, what a musician reads in each, and what comes out of it.

    python benchmarks/user_prompts.py     # writes benchmarks/results/user_prompts.md

The sense of the prompts is that of public pages of song, loop and MIDI services; the wording is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from midigpt_cli.commands.generate import new_score
from midigpt_cli.parse.control_values import scale as scale_of
from midigpt_cli.parse.prompt_options import PromptOptions
from midigpt_cli.parse.prompt_request import joined
from midigpt_core import InferenceEngine, Score
from midigpt_core.music import SCALES, bpm_of
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_core.words import Understood, read_prompt

RESULTS = Path(__file__).parent / "results" / "user_prompts.md"
BARS, SEED = 4, 1
MISSED: tuple[str, ...] = ()  # prompts that are known to be read otherwise

DRUMS = None
# prompt -> what should be understood: programs from 0 (None: drums) in any order, bpm, scale, metre, styles, density
PROMPTS: tuple[tuple[str, dict[str, Any]], ...] = (
    # keywords with commas, as loop and song services take them
    ("pop, melancholic, acoustic guitar, slow, lo-fi", {"programs": [25], "bpm": 70, "styles": ["pop", "lo-fi"]}),
    ("house loop, four on the floor, 124 bpm", {"programs": [DRUMS, 38, 4, 81], "bpm": 124, "styles": ["house"]}),
    ("dark techno bassline, 130bpm", {"programs": [38], "bpm": 130, "styles": ["house"]}),
    ("funky slap bass groove, E minor, 105 BPM", {"programs": [36], "bpm": 105, "scale": "E:minor"}),
    ("lofi hip hop beat, mellow rhodes chords, upright bass, 80 bpm", {"programs": [DRUMS, 4, 32], "bpm": 80}),
    ("jazz trio, brushed drums, walking bass, piano, 140", {"programs": [DRUMS, 32, 0], "styles": ["jazz"]}),
    ("bossa nova guitar and soft flute", {"programs": [24, 73], "bpm": 125, "styles": ["bossa nova"]}),
    ("epic orchestral strings, brass and timpani, D minor", {"programs": [48, 61, 47], "scale": "D:minor"}),
    ("sparse ambient piano, long notes", {"programs": [0], "bpm": 68, "styles": ["ambient"], "density": "low"}),
    ("heavy metal riff, distorted guitar, double kick drums, 170 bpm", {"programs": [30, DRUMS], "bpm": 170}),
    ("reggae, laid-back, organ, bass and drums", {"programs": [16, 33, DRUMS], "bpm": 80, "density": "low"}),
    ("synthwave, arpeggiated synth, 80s drums, 100 bpm", {"programs": [81, DRUMS], "bpm": 100}),
    ("disco strings and funky guitar, 118 bpm", {"programs": [48, 27], "bpm": 118}),
    ("uptempo ska with trombone and trumpet", {"programs": [57, 56], "bpm": 140, "styles": ["ska"]}),
    ("blues shuffle in A, harmonica and guitar", {"programs": [22, 25], "styles": ["blues"]}),
    ("neo-soul keys, electric bass, 74 bpm", {"programs": [4, 33], "bpm": 74, "styles": ["soul"]}),
    ("drum and bass, 174 bpm, Amen-style drums, deep bass", {"programs": [DRUMS, 38], "bpm": 174}),
    ("trap beat, 140 bpm, dark bells, F# minor", {"programs": [DRUMS, 14], "bpm": 140, "scale": "F#:minor"}),
    ("tango, bandoneon, violin and piano", {"programs": [23, 40, 0], "styles": ["tango"]}),
    ("country picking, banjo and fiddle, fast", {"programs": [105, 110], "bpm": 150, "styles": ["country"]}),
    # fields separated by bars, as one service's page asks for
    ("Orchestral | Strings, Brass, Choir | heroic | 90 BPM", {"programs": [48, 61, 52], "bpm": 90}),
    ("Synthwave | analog synths, drum machine, bass | nostalgic | 115 BPM", {"programs": [81, DRUMS, 38], "bpm": 115}),
    ("Jazz | tenor sax, piano, double bass, drums | smoky | 3/4", {"programs": [66, 0, 32, DRUMS], "metre": "3/4"}),
    ("Ambient | pads | weightless | 60 BPM | C lydian", {"programs": [89], "bpm": 60, "scale": "C:lydian"}),
    # sentences, as guides to song services ask for
    (
        "A warm and uplifting 100 BPM indie folk piece with bright acoustic guitar and a whistled melody",
        {"programs": [25, 78], "bpm": 100, "styles": ["folk"]},
    ),
    (
        "A smoky jazz ballad at 65 BPM featuring a muted trumpet over soft piano chords",
        {"programs": [59, 0], "bpm": 65, "styles": ["jazz", "ballad"]},
    ),
    ("I want something slow and sad for solo cello in G minor", {"programs": [42], "bpm": 70, "scale": "G:minor"}),
    ("Give me a happy ukulele tune in C major, around 110 bpm", {"programs": [24], "bpm": 110, "scale": "C:major"}),
    ("Write an 8 bar bass line for a funk song at 98 bpm", {"programs": [36], "bpm": 98, "styles": ["funk"]}),
    ("Can you make a waltz for piano, not too fast?", {"programs": [0], "metre": "3/4", "styles": ["waltz"]}),
    ("a medieval dance for lute, recorder and tambourine", {"programs": [24, 74, DRUMS]}),
    ("please write a busy drum fill groove at 120", {"programs": [DRUMS], "bpm": 120, "density": "high"}),
    ("moody electric piano chords, Rhodes, 4 bars, in Eb minor", {"programs": [4], "scale": "Eb:minor"}),
    ("Make a bouncy tuba and clarinet polka, quick tempo", {"programs": [58, 71], "bpm": 150}),
    ("lullaby for music box in F major, very slow", {"programs": [10], "scale": "F:major", "bpm": 70}),
    (
        "an energetic rock song without vocals: electric guitar, bass, drums",
        {"programs": [27, 33, DRUMS], "density": "high"},
    ),
    ("no drums, just a string quartet, adagio, A minor", {"programs": [40, 40, 41, 42], "bpm": 66, "scale": "A:minor"}),
    ("gospel organ with hand claps at 88 bpm", {"programs": [16], "bpm": 88}),
    ("a sea shanty for accordion in 6/8", {"programs": [21], "metre": "6/8"}),
    ("western theme with whistling, twangy guitar and trumpet", {"programs": [78, 27, 56]}),
    ("chill beat to study to", {"programs": [DRUMS]}),
    ("80s power ballad with synth pads and piano", {"programs": [89, 0], "bpm": 70, "styles": ["ballad"]}),
    # captions, as data sets of MIDI with words have them
    (
        "A cheerful pop song featuring acoustic guitar, electric bass and drums in G major with a 4/4 time signature"
        " and a moderate tempo",
        {"programs": [25, 33, DRUMS], "scale": "G:major", "metre": "4/4", "bpm": 108},
    ),
    (
        "A melodic electronic track with synth lead, synth bass and drums, set in F minor at 128 bpm",
        {"programs": [81, 38, DRUMS], "scale": "F:minor", "bpm": 128},
    ),
    (
        "A slow classical piece for piano and violin in B flat major, 3/4 time",
        {"programs": [0, 40], "scale": "Bb:major", "metre": "3/4", "bpm": 70},
    ),
    (
        "A short, fast-paced harpsichord piece in the key of D major, baroque style, allegro",
        {"programs": [6], "scale": "D:major", "bpm": 132, "styles": ["classical"]},
    ),
    (
        "This is a latin song with trumpet, piano, acoustic bass and percussion at 180 bpm in C minor",
        {"programs": [56, 0, 32, DRUMS], "bpm": 180, "scale": "C:minor"},
    ),
    (
        "A relaxing ambient piece with choir and synth pad in A major, andante",
        {"programs": [52, 89], "bpm": 84, "scale": "A:major"},
    ),
    (
        "Dramatic film music with french horns, strings and timpani, E minor, largo",
        {"programs": [60, 48, 47], "bpm": 50, "scale": "E:minor"},
    ),
    (
        "An energetic rock track with overdriven guitar, electric bass and drums at 150 BPM in A minor",
        {"programs": [29, 33, DRUMS], "bpm": 150, "scale": "A:minor", "density": "high"},
    ),
    # styles alone, as live systems mix them
    ("electronic", {"styles": ["house"], "bpm": 123}),
    ("hiphop", {"styles": ["hip-hop"], "bpm": 90}),
    ("acid house", {"styles": ["house"], "bpm": 123}),
    ("jazz fusion", {"styles": ["jazz"], "bpm": 145}),
    ("dreamy r&b", {"styles": ["r&b"], "bpm": 88}),
    ("indian sitar", {"programs": [104]}),
    ("celtic harp and tin whistle", {"programs": [46, 78]}),
    ("steel drums, calypso", {"programs": [114]}),
    ("baroque organ fugue in D minor", {"programs": [19], "scale": "D:minor"}),
    ("staccato strings, tense, pizzicato cellos", {"programs": [48, 45]}),
)


def read(prompt: str) -> dict[str, Any]:
    """What is understood of a prompt, in the form of the expectations."""
    found = read_prompt(prompt)
    return {
        "programs": sorted((part.program for part in found.parts), key=_first_drums),
        "bpm": found.bpm,
        "scale": found.scale,
        "metre": found.metre,
        "styles": list(found.styles),
        "density": _density(found),
    }


def wrong(prompt: str, expected: Mapping[str, Any]) -> dict[str, Any]:
    """What is understood otherwise than it should be."""
    got = read(prompt)
    wanted = {
        **expected,
        **({"programs": sorted(expected["programs"], key=_first_drums)} if "programs" in expected else {}),
    }
    return {name: got[name] for name, value in wanted.items() if got[name] != value}


def _first_drums(program: int | None) -> int:
    return -1 if program is None else program


def _density(found: Understood) -> str | None:
    feels = {**found.feels, **{aspect: value for part in found.parts for aspect, value in part.feels.items()}}
    level = int(feels.get("note_density", 5))
    return None if "note_density" not in feels else "low" if level <= 3 else "high" if level >= 7 else "middle"


@dataclass(frozen=True)
class Outcome:
    """How the music of one prompt compares with what it asks for; None where it asks for nothing."""

    prompt: str
    understood: bool
    instruments: bool
    tempo: bool | None
    in_scale: float | None  # share of melodic notes
    per_bar: float  # notes per bar and track
    density: str | None


def outcome(engine: InferenceEngine, prompt: str, expected: Mapping[str, Any]) -> Outcome:
    """Write a few bars and look at them."""
    found = read_prompt(prompt)
    prompted = PromptOptions.of(prompt if found.parts else "pop")
    score = new_score(prompted.instruments, prompted.drums, found.bpm or 120.0, found.metre or "4/4", BARS)
    tracks = [TrackPrompt(t, list(range(BARS)), autoregressive=True) for t in range(len(score.tracks))]
    request = joined(GenerationRequest(tracks), prompt, score, engine.tokenizer.attributes)
    request = replace(request, config=InferenceConfig(seed=SEED, model_dim=BARS))
    written = Score.from_dict(engine.session(score, request).run_takes().ranked[0].score.to_dict())
    played = [(None if t.track_type == "drum" else t.instrument) for t in written.tracks]
    notes = sum(len(bar.notes) for track in written.tracks for bar in track.bars)
    wanted = expected.get("programs", read(prompt)["programs"])
    return Outcome(
        prompt,
        not wrong(prompt, expected),
        sorted(played, key=_first_drums) == sorted(wanted, key=_first_drums),
        abs(bpm_of(written.tempo) - expected["bpm"]) < 0.01 if "bpm" in expected else None,
        _share(written, expected.get("scale")),
        notes / BARS / len(written.tracks),
        expected.get("density"),
    )


def _share(score: Score, scale: str | None) -> float | None:
    pitches = [n.pitch for t in score.tracks if t.track_type != "drum" for bar in t.bars for n in bar.notes]
    if scale is None or not pitches:
        return None
    mask = scale_of(scale)
    classes = {(mask["root"] + step) % 12 for step in SCALES[mask["scale"]]}
    return sum(pitch % 12 in classes for pitch in pitches) / len(pitches)


def page(rows: Sequence[Outcome]) -> Iterator[str]:
    """The table, and its sums."""
    yield "# Prompts as users of neighbouring systems write them\n"
    yield f"`python benchmarks/user_prompts.py`: {BARS} bars, built-in model, seed {SEED}. *As asked* compares the"
    yield "music with what a musician reads in the prompt, not with what the program understood.\n"
    yield "| prompt | understood | instruments | tempo | notes in the key | notes per bar and track | density asked |"
    yield "|---|---|---|---|---|---|---|"
    said = {True: "as asked", False: "not", None: ""}
    for row in rows:
        share = "" if row.in_scale is None else f"{row.in_scale:.0%}"
        cells = (row.prompt.replace("|", "/"), said[row.understood], said[row.instruments], said[row.tempo], share)
        yield f"| {' | '.join(cells)} | {row.per_bar:.1f} | {row.density or ''} |"
    keyed = [row.in_scale for row in rows if row.in_scale is not None]
    tempi = [row.tempo for row in rows if row.tempo is not None]
    yield ""
    yield "| of all | |\n|---|---|"
    yield f"| understood as a musician reads it | {sum(r.understood for r in rows)} of {len(rows)} |"
    yield f"| instruments as asked | {sum(r.instruments for r in rows)} of {len(rows)} |"
    yield f"| tempo as asked | {sum(tempi)} of {len(tempi)} |"
    yield f"| notes in the key, mean of {len(keyed)} | {sum(keyed) / len(keyed):.1%} |"
    for level in ("low", "high", None):
        mine = [row.per_bar for row in rows if row.density == level]
        name = f"notes per bar and track, density {level or 'not asked for'}, mean of {len(mine)}"
        yield f"| {name} | {sum(mine) / len(mine):.1f} |"


def main() -> None:
    """Measure all of them and write the table."""
    engine = InferenceEngine.from_pretrained("open")
    rows = [outcome(engine, prompt, expected) for prompt, expected in PROMPTS]
    RESULTS.write_text("\n".join(page(rows)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
