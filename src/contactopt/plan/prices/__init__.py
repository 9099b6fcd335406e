"""What units are worth: capacity rows, prices and probabilities of one batch."""
