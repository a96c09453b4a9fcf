"""From what happened back to why: the proposal, what influenced it, the decision, the people, the proof."""
