"""The life of a child: its process, its chunks, its points, and how it is watched."""
