# Which measures a table of controls asks for, as C rows; included by measure.pyx.

cdef enum:  # measures
    DENSITY, POLYPHONY, DURATIONS, KEY, RANGE, SILENCE, PITCH_CLASSES, NOMML

MEASURES = {
    note_density.NoteDensityQuantile: DENSITY,
    polyphony.PolyphonyQuantile: POLYPHONY,
    note_duration.NoteDurationQuantile: DURATIONS,
    key_signature.KeySignature: KEY,
    pitch_range.PitchRange: RANGE,
    silence.SilenceProportion: SILENCE,
    pitch_class_set.PitchClassSet: PITCH_CLASSES,
    nomml.Nomml: NOMML,
}
TRACK_COLUMN = {name: i for i, (name, _) in enumerate(TRACK_ATTRIBUTES)}
BAR_COLUMN = {name: i for i, (name, _) in enumerate(BAR_ATTRIBUTES)}


cdef struct Row:
    int measure, slot, revision
    bint high, of_bar, melodic, drum


cdef class Plan:
    """The controls of an AttributeTable as C rows; `complete` is False where one of them is not known here."""

    cdef Row rows[64]
    cdef int count
    cdef readonly bint complete

    def __init__(self, controls):
        self.count, self.complete = 0, len(controls) <= 64
        for control in controls:
            of_bar = control.level == "bar"
            name = control.key(0)[4:-2] if of_bar else control.key()
            slot = (BAR_COLUMN if of_bar else TRACK_COLUMN).get(name)
            if slot is None or not control.measured:
                continue  # nothing the encoder would write
            measure = MEASURES.get(type(control))
            if measure is None or (of_bar and measure not in (DENSITY, POLYPHONY, PITCH_CLASSES)):
                self.complete = False
                continue
            if self.count < 64:
                self.rows[self.count] = Row(
                    measure, slot, control.revision, getattr(control, "mode", "") == "max", of_bar,
                    control.track_type in ("both", "melodic"), control.track_type in ("both", "drum"),
                )
                self.count += 1


def plan_of(table):
    """The compiled form of an AttributeTable; None where a control has to be measured by the reference."""
    plan = Plan(table.attributes)
    return plan if plan.complete else None


cdef bint wants(Plan plan, int measure, bint of_bar, bint drums) noexcept:
    cdef int i
    for i in range(plan.count):
        if plan.rows[i].measure == measure and plan.rows[i].of_bar == of_bar:
            if plan.rows[i].drum if drums else plan.rows[i].melodic:
                return True
    return False
