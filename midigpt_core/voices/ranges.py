"""The sounding range of each General MIDI instrument that has one; synthesizers and effects play anything."""

from __future__ import annotations

_RANGES: tuple[tuple[range, int, int], ...] = (  # programs from 0, lowest and highest MIDI pitch
    (range(6), 21, 108),  # pianos
    (range(6, 7), 29, 89),  # harpsichord
    (range(7, 8), 29, 88),  # clavinet
    (range(8, 9), 60, 108),  # celesta
    (range(9, 10), 79, 108),  # glockenspiel
    (range(10, 11), 60, 108),  # music box
    (range(11, 12), 53, 89),  # vibraphone
    (range(12, 13), 36, 96),  # marimba
    (range(13, 14), 65, 108),  # xylophone
    (range(14, 15), 60, 77),  # tubular bells
    (range(15, 16), 48, 88),  # dulcimer
    (range(16, 21), 36, 96),  # organs
    (range(21, 22), 41, 93),  # accordion
    (range(22, 23), 60, 96),  # harmonica
    (range(23, 24), 36, 93),  # tango accordion
    (range(24, 25), 40, 83),  # nylon-string guitar
    (range(25, 31), 40, 88),  # other guitars
    (range(31, 32), 40, 100),  # guitar harmonics
    (range(32, 33), 28, 67),  # acoustic bass
    (range(33, 38), 23, 67),  # electric basses, with five strings
    (range(40, 41), 55, 103),  # violin
    (range(41, 42), 48, 88),  # viola
    (range(42, 43), 36, 84),  # cello
    (range(43, 44), 28, 67),  # contrabass
    (range(44, 46), 28, 103),  # strings, tremolo and pizzicato
    (range(46, 47), 23, 104),  # harp
    (range(47, 48), 36, 60),  # timpani
    (range(48, 50), 28, 103),  # string ensembles
    (range(52, 54), 40, 84),  # choir, voice
    (range(56, 57), 52, 86),  # trumpet
    (range(57, 58), 34, 77),  # trombone
    (range(58, 59), 26, 65),  # tuba
    (range(59, 60), 52, 86),  # muted trumpet
    (range(60, 61), 35, 77),  # horn
    (range(61, 62), 34, 86),  # brass section
    (range(64, 65), 56, 88),  # soprano sax
    (range(65, 66), 49, 81),  # alto sax
    (range(66, 67), 44, 76),  # tenor sax
    (range(67, 68), 36, 69),  # baritone sax
    (range(68, 69), 58, 93),  # oboe
    (range(69, 70), 52, 84),  # English horn
    (range(70, 71), 34, 76),  # bassoon
    (range(71, 72), 50, 94),  # clarinet
    (range(72, 73), 74, 108),  # piccolo
    (range(73, 74), 59, 98),  # flute
    (range(74, 75), 60, 98),  # recorder
    (range(75, 76), 55, 96),  # pan flute
    (range(77, 78), 62, 93),  # shakuhachi
    (range(79, 80), 60, 89),  # ocarina
    (range(104, 105), 36, 84),  # sitar
    (range(105, 106), 48, 86),  # banjo
    (range(106, 107), 50, 86),  # shamisen
    (range(107, 108), 43, 86),  # koto
    (range(108, 109), 60, 88),  # kalimba
    (range(109, 110), 67, 81),  # bagpipe
    (range(110, 111), 55, 103),  # fiddle
)
_ANYTHING = (0, 127)
_BY_PROGRAM = {program: (low, high) for programs, low, high in _RANGES for program in programs}


def range_of(program: int) -> tuple[int, int]:
    """The lowest and the highest pitch of an instrument, by its General MIDI program from 0."""
    return _BY_PROGRAM.get(program, _ANYTHING)
