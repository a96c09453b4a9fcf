"""Ask people about one exact call, and hold them to what they said."""
