"""The final validation (R34): each line is confirmed by something that ran."""
