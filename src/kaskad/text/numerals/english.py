"""Numerals of English."""

from kaskad.text.numerals.numeral import NOTHING, Language, Numeral, row, scales, words

TENS = range(20, 100, 10)
UNIT, TEN = range(1, 10), range(1, 100)

CARDINALS = (
    row(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen",
        range(20),
    )
    | row("twenty thirty forty fifty sixty seventy eighty ninety", TENS, after=UNIT)
    | row("hundred", [100], before=UNIT, after=TEN)
    | scales("thousand million billion trillion")
)
# "nineteen hundred", but not "twenty hundred".
_HUNDRED = Numeral(100, before=[n for n in TEN if n % 10], after=TEN)
_HUNDREDS = {"hundred": _HUNDRED, "hundreds": _HUNDRED._replace(needs_count=True)}
_PLURALS = scales("thousands millions billions trillions", needs_count=True)
_ORDINALS = {
    word: numeral._replace(is_ordinal=True)
    for word, numeral in row(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
        "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth "
        "thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth",
        [*range(1, 20), *TENS],
    ).items()
} | {
    f"{word}th": numeral._replace(after=NOTHING, is_ordinal=True)
    for word, numeral in {**CARDINALS, **_HUNDREDS}.items()
    if numeral.before and not numeral.needs_count
}

_ZEROTH = {"zeroth": Numeral(0, is_ordinal=True)}

ENGLISH = Language(
    cardinals=CARDINALS,
    forms=CARDINALS | row("naught|nought|nil", [0]) | _ZEROTH | _HUNDREDS | _PLURALS | _ORDINALS,
    minus=words("minus negative"),
    points=words("point"),
    decimal_mark="[.]",
    group_mark="[,\u00a0\u2009\u202f]",
    ordinal_ending="(?:st|nd|rd|th)",
    and_a_half=("and", "a", "half"),
    halves=words("half"),
    spoilers=words(
        "half halves quarter quarters dozen dozens score odd something ish couple few grand"
    ).union(f"{word}s" for word in _ORDINALS if word not in ("first", "second")),
    ands=words("and"),
    articles=words("a an"),
    spoken_zeros=words("oh o"),
    repeats={"double": 2, "triple": 3},
    units=words("second"),
    pronouns=words("one"),
    pronoun_after=words(
        "no any some every each this that the which another only big little good bad new"
    ),
    pronoun_before=words("of another by"),
    reads_years=True,
    pluses=words("plus"),
    parts_of=words("of"),
)
