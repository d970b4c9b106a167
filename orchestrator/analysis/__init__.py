"""What the rows say: ranking, sensitivity to each axis, statistics of luck."""
