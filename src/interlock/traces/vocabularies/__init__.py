"""The vocabularies in which others describe their spans, and what they all come to: one schema."""

from interlock.traces.vocabularies.genai import GENAI
from interlock.traces.vocabularies.openinference import OPENINFERENCE
from interlock.traces.vocabularies.openllmetry import OPENLLMETRY
from interlock.traces.vocabularies.own import OWN

VOCABULARIES = (OWN, OPENINFERENCE, GENAI, OPENLLMETRY)
"""Where two say different things of one span, the first is believed: instrumentations that write OpenInference mean it, while
names of OpenTelemetry stand beside others for show."""

__all__ = ["VOCABULARIES"]
