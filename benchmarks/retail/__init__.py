"""Recorded retail runs through the model gateway: is what Interlock says they cost what they did cost?"""
