"""What happened, by when it was known: the only room that compares times."""
