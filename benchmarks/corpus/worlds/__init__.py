"""What stands behind the tools while a recorded run is played."""
