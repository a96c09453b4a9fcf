"""Words of an instruction that do not name anything, and words that compare."""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STATES: Final = _words(
    """
    all_day category country currency kind permission read recurring role state status type
    """
)
"""Fields that say how a record stands, never which one it is."""
COMMON: Final = _words(
    """
    a about add after also an and any append are been before being book both but buy call can cancel change
    check click copy could create dear delete did does done download each email event few file find first follow
    for forward from get gets give got had has have hello her here hey him his how inform into invite its just
    last like list look mail make may me message mine month more most move much must my name new next not note
    now off once one only open or order other our out over own pay perform please post put read refund remove
    rename reply report reschedule reserve return review same schedule search select send set shall share she
    should show some sort such summarize summary tell than thank thanks that the their them then there these
    they this those today tomorrow too transfer two until update upload use user using very visit was we week
    were what when where which while who whom whose why will with would write year yes yesterday you your
    """
)
"""Words that open an instruction or name nothing; a record is not meant because it holds one of them."""
HIGH: Final = _words(
    """
    biggest greatest heaviest highest largest longest maximum most top
    """
)
"""Superlatives that ask for the most."""
LOW: Final = _words(
    """
    cheapest fewest least lowest minimum shortest smallest tiniest
    """
)
"""Superlatives that ask for the least."""
LATE: Final = _words(
    """
    last latest newest recent
    """
)
"""Superlatives that ask for the newest."""
EARLY: Final = _words(
    """
    earliest first oldest
    """
)
"""Superlatives that ask for the oldest."""
SPANS: Final = _words(
    """
    day days month months night of quarter time week weeks year years
    """
)
"""Words behind which a superlative compares nothing: last month, first of all."""
