"""Places outside that keep checkpoints: a file, a bucket with object lock, a witness."""

from interlock.adapters.anchors.files import FileAnchor
from interlock.adapters.anchors.objects import ObjectAnchor
from interlock.adapters.anchors.witnesses import WitnessAnchor

__all__ = ["FileAnchor", "ObjectAnchor", "WitnessAnchor"]
