"""The names that Interlock itself writes, which clients may use to say what no convention can."""

from interlock.domain.spans import Category
from interlock.traces.vocabularies.vocabulary import Kinds, Vocabulary

OWN = Vocabulary(
    name="Interlock",
    kinds=(Kinds("interlock.category", {category.value: category for category in Category}),),
    run=("interlock.run",),
    workflow=("interlock.agent",),
    user=("interlock.user",),
    cost_nano_usd=("interlock.cost_nano_usd",),
)
