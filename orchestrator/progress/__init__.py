"""What a person sees while something runs: progress bars, lines, closed and full streams."""
