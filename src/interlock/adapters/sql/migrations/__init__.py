"""The history of the tables: one file per step, applied in order when a store is opened."""
