"""One self-contained HTML page per sweep."""
