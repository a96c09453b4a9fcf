"""One control plane between an agent and the tools it uses: the model proposes, a deterministic layer decides."""
