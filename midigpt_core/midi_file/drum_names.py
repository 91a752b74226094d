"""Track names that say drums, in several languages and as products have them, and names that only sound like it."""

from __future__ import annotations

import re

_KITS = """
    drums? drummer drumkit drumset drumming drmi? kit perc percs percu percussions? percussionist beatbox
    kick kicks bassdrum snare snares hat hats hihats? cymbals? toms tomtoms claps? handclaps? rimshot sidestick cowbell
    shakers? cabasa maracas tambourine timbales? congas? bongos? guiro claves bd hh
    schlagzeug schlagwerk perkussion trommeln? becken rührtrommel batterie batteries caisses? cymbales grosse-caisse
    batería bateria baterías baterias caja bombo percusión percusion percussão percussao caixa batteria batterie
    percussioni rullante grancassa piatti slagverk slagwerk slaginstrument slagtøj slagtoj trummor trommer trumset
    rummut lyömäsoittimet perkusja bębny bebny perkuse bicí bici ütőhangszerek dob dobok davul ударные барабаны
    барабан перкуссия ударна τύμπανα κρουστά תופים طبول
"""
_PRODUCTS = """
    ezdrummer ezdrummer\\d superiordrummer bfd\\d? ssd\\d? drumgizmo drumagog ggd drumbrute hydrogen fpc redrum
    microtonic ultrabeat linndrum drumlogue drumtraks nanostudiodrums drumcomputer drummachine rhythmbox
"""
_PHRASES = (
    r"addictive ?drums?|superior ?drummer|groove ?agent|drum ?gizmo|modo ?drum|session ?drummer|perfect ?drums?"
    r"|t?r-?(505|606|626|707|727|808|909)|(808|909) ?(drums?|kit|set)|hi-? ?hats?|(open|closed|pedal) ?(hi-?)?hats?"
    r"|bass-? ?drums?|tom-? ?toms?|(high|mid|low|floor|rack) ?toms?|(crash|ride|splash|china) ?(cymbals?|\d)"
    r"|side-? ?stick|rim-? ?shots?|grosse ?caisse|gran ?cassa|große ?trommel|kleine ?trommel"
)
_MELODIC = (  # these are played with sticks and yet are melodic instruments, or no instrument at all
    r"steel[- ]?(drums?|pans?)|taiko|melodic|tuned|pitched|mallets?|hang ?drum|hand ?pan|tongue ?drum|synth[- ]?drums?"
    r"|timpani|timbales? lead|kettle|pauken|percussive|organ|drum ?(and|&|'?n'?) ?bass|drumless|reverse|xylo|marimba"
    r"|vibra|glocken|bells?|celesta|bass (kit|line)|no drums|without drums"
)
_EASTERN = re.compile("ドラム|パーカッション|打楽器|太鼓セット|架子鼓|爵士鼓|打击|打擊|鼓组|鼓組|드럼|퍼커션")
_OTHERS = (  # what a name says when it names another instrument
    r"piano|klavier|keys|organ|orgel|guitar|gitarre|bass|basso|violin|viola|cello|string|harp|choir|voice|vocal|vox|sing"
    r"|lead|pad|synth|sax|flute|flöte|oboe|clarinet|klarinette|bassoon|fagott|horn|trumpet|trompete|trombone|posaune"
    r"|tuba|brass|melod|chord|arp|timpani|pauken|bell|vibra|marimba|xylo|glocken|banjo|sitar|accord|harmonica|whistle"
)

_WORD = re.compile(rf"(?<![^\W\d_])(?:{'|'.join((_KITS + _PRODUCTS).split())}|{_PHRASES})(?![^\W\d_])", re.IGNORECASE)
_NOT = re.compile(rf"\b(?:{_MELODIC})", re.IGNORECASE)
_OTHER = re.compile(_OTHERS, re.IGNORECASE)


def says_drums(name: str) -> bool:
    """Whether a track's name says that drums play it: "808 Kit", "EZdrummer", "Schlagzeug 2"; not "Steel Drums"."""
    plain = name.replace("_", " ")
    return bool(_EASTERN.search(plain) or (_WORD.search(plain) and not _NOT.search(plain)))


def says_only_drums(name: str) -> bool:
    """Whether the name says that and nothing else: "Drums 2", not "The Little Drummer Boy".

    "Percussion" may stand over a part of an orchestra that plays a glockenspiel too, and is not enough alone.
    """
    return (
        says_drums(name)
        and not re.search(r"per[ck]", name, re.IGNORECASE)
        and not re.search(r"[^\W\d_]{3,}", _WORD.sub("", name.replace("_", " ")))
    )


def says_another(name: str) -> bool:
    """Whether a track's name says that another instrument plays it."""
    return _OTHER.search(name) is not None
