"""One model call: direct, through a bare proxy, through Interlock, and through other gateways, in turns."""
