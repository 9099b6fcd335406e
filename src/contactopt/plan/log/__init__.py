"""The log of decisions: written whole, read years later, replayed."""
