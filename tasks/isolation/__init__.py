"""What keeps points apart: no network, seeded random numbers, state put back before every point."""
